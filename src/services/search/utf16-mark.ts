/** Whether a text is UTF-16 by its mark: ripgrep turns it into UTF-8 before it searches, so what it counts are other bytes than those of the file. */
export function beginsWithUtf16(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
}
