import { splitNul } from '../../core/split-nul.ts';

/** A file of a tree; undefined where there is none. */
export interface TreeFile {
  /** 100644, 100755, 120000 (a symbolic link). */
  mode: string;
  object: string;
}

/** One file that differs between two trees. */
export interface TreeChange {
  path: string;
  /** Where a renamed file was. */
  from?: string;
  before: TreeFile | undefined;
  after: TreeFile | undefined;
  /** The name is no UTF-8: `path` shows its bytes as \xNN, and is no path that can be asked for. */
  raw?: true;
}

export interface FileNumbers {
  path: string;
  from?: string;
  /** null: no text. */
  added: number | null;
  removed: number | null;
}

const NO_FILE = '000000';

/** Output of `diff-tree -r -z --raw --no-abbrev`. */
export function parseTreeDiff(bytes: Uint8Array): TreeChange[] {
  const words = splitNul(bytes);
  const changes: TreeChange[] = [];
  for (let at = 0; at < words.length; ) {
    const [oldMode = '', newMode = '', oldObject = '', newObject = '', what = ''] = Buffer.from(words[at++] ?? [])
      .toString()
      .slice(1)
      .split(' ');
    const first = words[at++] ?? new Uint8Array();
    const last = /^[RC]/.test(what) ? (words[at++] ?? first) : first;
    const change: TreeChange = {
      path: shownPath(last),
      before: oldMode === NO_FILE ? undefined : { mode: oldMode, object: oldObject },
      after: newMode === NO_FILE ? undefined : { mode: newMode, object: newObject },
    };
    if (last !== first) change.from = shownPath(first);
    if (!isUtf8(last) || !isUtf8(first)) change.raw = true;
    changes.push(change);
  }
  return changes;
}

/** Output of `diff-tree -r -z --numstat`. */
export function parseNumbers(bytes: Uint8Array): FileNumbers[] {
  const words = splitNul(bytes);
  const files: FileNumbers[] = [];
  for (let at = 0; at < words.length; ) {
    const word = Buffer.from(words[at++] ?? []);
    const [added = '-', removed = '-'] = word.toString('latin1').split('\t');
    const name = word.subarray(added.length + removed.length + 2);
    const count = (text: string): number | null => (text === '-' ? null : Number(text));
    const numbers = { added: count(added), removed: count(removed) };
    if (name.length > 0) files.push({ path: shownPath(name), ...numbers });
    else files.push({ from: shownPath(words[at++] ?? name), path: shownPath(words[at++] ?? name), ...numbers });
  }
  return files;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** UTF-8 as it is; in a name that is none, what is not ASCII as \xNN. */
function shownPath(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return strict.decode(bytes);
  return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : `\\x${byte.toString(16)}`)).join('');
}
