/** Times the largest file that is opened: so large a document may become that is open, and it is saved and found again. */
export const GROWS_TO = 4;
/** UTF-8 takes three for a unit of UTF-16; a line end may be two on the disk. */
const BYTES_OF_A_UNIT = 4;

/** Of a file that is read for a document of that many units, which may have grown past what is opened. */
export function mostBytes({ maxBytes }: { maxBytes: number }, units: number): number {
  return Math.max(maxBytes, BYTES_OF_A_UNIT * units);
}

/** Bytes of all that a document holds: its text, what is left of earlier ones, and whatever else somebody puts there. */
export function mostState({ maxBytes }: { maxBytes: number }): number {
  return GROWS_TO * BYTES_OF_A_UNIT * maxBytes;
}
