import { isAscii } from 'node:buffer';

const chunkBytes = 16 * 1024;

/** From offsets in bytes, asked in ascending order, to offsets in UTF-16 units: each byte is looked at once, however many are asked. */
export function unitsOf(bytes: Buffer): (offset: number) => number {
  let at = 0;
  let units = 0;
  return (offset) => {
    if (offset < at) return countUnits(bytes, 0, offset);
    units += countUnits(bytes, at, offset);
    at = offset;
    return units;
  };
}

/** How many UTF-16 units that part of the bytes is as UTF-8; no text is made of what is ASCII. */
export function countUnits(bytes: Buffer, from: number, to: number): number {
  let units = 0;
  for (let at = from; at < to; ) {
    const end = at + chunkBytes < to ? characterStart(bytes, at + chunkBytes) : to;
    const chunk = bytes.subarray(at, end);
    units += isAscii(chunk) ? chunk.length : chunk.toString().length;
    at = end;
  }
  return units;
}

/** Not within a character: `at`, or up to three bytes before it. */
export function characterStart(bytes: Buffer, at: number): number {
  let start = at;
  while (start > Math.max(0, at - 3) && isContinuation(bytes[start])) start--;
  // More of them than any character has belong to none.
  return isContinuation(bytes[start]) ? at : start;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
