/** One that is longer is not looked for. */
export const MAX_SEQUENCE_BYTES = 64 * 1024;

const BEL = 0x07;
const CAN = 0x18;
const SUB = 0x1a;
const ESC = 0x1b;
/** The first byte of what UTF-8 makes of C1 controls. */
const C1 = 0xc2;

type State = 'text' | 'escape' | 'intermediate' | 'csi' | 'osc' | 'string';

/** What begins with ESC and this byte; the C1 control of the same meaning is 0x40 more. */
const openers = new Map<number, State>([
  [0x5b, 'csi'],
  [0x5d, 'osc'],
  [0x50, 'string'],
  [0x58, 'string'],
  [0x5e, 'string'],
  [0x5f, 'string'],
]);

/**
 * Bytes at the end of some output that are the beginning of an escape sequence; 0 where none is cut. Output that itself begins within a sequence is
 * understood from the end of that on.
 */
export function cutSequence(bytes: Uint8Array): number {
  let state: State = 'text';
  let begun = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] as number;
    const next = bytes[at + 1] ?? 0;
    if (byte === ESC) [state, begun] = ['escape', at];
    else if (byte === C1 && next >= 0x80 && next < 0xa0) [state, begun, at] = [openers.get(next - 0x40) ?? 'text', at, at + 1];
    else if (state !== 'text') state = after(state, byte);
  }
  return state === 'text' ? 0 : bytes.length - begun;
}

function after(state: State, byte: number): State {
  if (byte === CAN || byte === SUB || (state === 'osc' && byte === BEL)) return 'text';
  if (state === 'osc' || state === 'string') return state;
  if (byte >= 0x80) return 'text';
  // Controls are done at once, and what is deleted counts for nothing.
  if (byte < 0x20 || byte === 0x7f) return state;
  if (state === 'csi') return byte < 0x40 ? 'csi' : 'text';
  if (byte < 0x30) return 'intermediate';
  return state === 'escape' ? (openers.get(byte) ?? 'text') : 'text';
}
