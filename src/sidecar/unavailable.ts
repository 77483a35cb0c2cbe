/** A port that can't be had, or another thing of the surroundings that is missing. Exit code 69. */
export class UnavailableError extends Error {}
