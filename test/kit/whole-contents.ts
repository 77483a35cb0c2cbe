/** Contents of which every piece tells which one it is of. Different in length, so that a mixture shows. */
export function contentOf(n: number): Buffer {
  const which = n % 3;
  return Buffer.from(`${which} of the contents\n`.repeat(20_000 + which * 7000));
}

/** Whether these bytes are one of the contents, whole. */
export function isWhole(bytes: Buffer): boolean {
  return [0, 1, 2].some((n) => contentOf(n).equals(bytes));
}
