/** Which paths are those, or in those folders. */
export function pathFilter(paths: readonly string[] | undefined): (path: string) => boolean {
  if (paths === undefined) return () => true;
  const asked = new Set(paths);
  return (path) => {
    for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) if (asked.has(path.slice(0, end))) return true;
    return false;
  };
}
