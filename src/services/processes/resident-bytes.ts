/** Memory that this process holds. Undefined where that can't be found out: without /proc, and while no descriptor is left to look by. */
export function residentBytes(): number | undefined {
  try {
    return process.memoryUsage.rss();
  } catch {
    return undefined;
  }
}
