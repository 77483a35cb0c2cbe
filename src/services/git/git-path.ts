/** A path as git gave it, below the workspace. */
export interface GitPath {
  /** As it is shown: UTF-8, or with bytes that are none as \xNN. */
  shown: string;
  /** True when `shown` is not the name itself. */
  raw: boolean;
  /** The name itself, relative to the workspace, to hand back to git. */
  bytes: Uint8Array;
  /** git put a slash at its end: a folder that it names as a whole. */
  folder: boolean;
}

const SLASH = 0x2f;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The path below `prefix` (bytes that end with a slash, or none), or undefined when it lies elsewhere. */
export function gitPath(bytes: Uint8Array, prefix: Uint8Array): GitPath | undefined {
  if (bytes.length <= prefix.length) return undefined;
  for (let at = 0; at < prefix.length; at++) if (bytes[at] !== prefix[at]) return undefined;
  const folder = bytes.at(-1) === SLASH;
  const own = folder || prefix.length > 0 ? bytes.subarray(prefix.length, folder ? -1 : undefined) : bytes;
  const text = utf8(own);
  return { shown: text ?? escaped(own), raw: text === undefined, bytes: own, folder };
}

/** Strict: undefined for what is not UTF-8. */
export function utf8(bytes: Uint8Array): string | undefined {
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whole UTF-8 sequences as they are, every other byte as \xNN. */
function escaped(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at] ?? 0);
    const whole = length > 0 && at + length <= bytes.length ? utf8(bytes.subarray(at, at + length)) : undefined;
    if (whole === undefined) text += `\\x${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
    else text += whole;
    at += whole === undefined ? 1 : length;
  }
  return text;
}

function sequenceLength(first: number): number {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/** What `splitNul` takes apart, for a program's input. */
export function nulEnded(names: readonly Uint8Array[]): Buffer {
  const nul = Buffer.of(0);
  return Buffer.concat(names.flatMap((name) => [name, nul]));
}
