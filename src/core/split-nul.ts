/** Gives the pieces before NUL bytes, one by one; what follows the last one was cut off and is left out. */
export function nulReader(bytes: Uint8Array): () => Uint8Array | undefined {
  let start = 0;
  return () => {
    const end = bytes.indexOf(0, start);
    if (end < 0) return undefined;
    const piece = bytes.subarray(start, end);
    start = end + 1;
    return piece;
  };
}

export function splitNul(bytes: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  const next = nulReader(bytes);
  for (let piece = next(); piece !== undefined; piece = next()) pieces.push(piece);
  return pieces;
}
