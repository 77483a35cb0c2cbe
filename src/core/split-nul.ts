/** The pieces before NUL bytes; what follows the last one was cut off and is left out. */
export function splitNul(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let start = 0; ; ) {
    const end = bytes.indexOf(0, start);
    if (end < 0) return pieces;
    pieces.push(bytes.subarray(start, end));
    start = end + 1;
  }
}
