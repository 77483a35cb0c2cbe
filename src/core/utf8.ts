/** Of one character. */
export const MAX_CHARACTER_BYTES = 4;

/** The character at the end of some bytes, where it is not complete. */
export interface CutCharacter {
  /** Bytes of it that are there. */
  there: number;
  /** Bytes of it that are not. */
  missing: number;
}

/** Undefined where the last character is complete, and for what is no UTF-8. */
export function cutCharacter(bytes: Uint8Array): CutCharacter | undefined {
  for (let there = 1; there <= Math.min(MAX_CHARACTER_BYTES - 1, bytes.length); there++) {
    const byte = bytes[bytes.length - there] as number;
    if ((byte & 0xc0) === 0x80) continue;
    const missing = lengthOf(byte) - there;
    return missing > 0 ? { there, missing } : undefined;
  }
  return undefined;
}

/** Bytes of the character that begins with this one. */
function lengthOf(first: number): number {
  if (first >= 0xf0 && first < 0xf8) return 4;
  if (first >= 0xe0) return first < 0xf0 ? 3 : 1;
  return first >= 0xc0 ? 2 : 1;
}
