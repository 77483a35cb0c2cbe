/** A time, ms since 1970, in the form of ISO 8601; undefined beyond what a Date holds: a file may say that it was written at any time. */
export function isoTime(ms: number): string | undefined {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
