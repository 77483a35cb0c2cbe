const mostSuggestions = 12;

/** Files and folders whose path has the text in it, those that begin with it first. */
export function pathSuggestions(files: Iterable<string>, text: string, what: 'all' | 'folders' = 'all'): string[] {
  const sought = text.trim().toLowerCase();
  const starting = new Set<string>();
  const holding = new Set<string>();
  const offer = (path: string): void => {
    const at = path.toLowerCase().indexOf(sought);
    if (at === 0) starting.add(path);
    else if (at > 0 && holding.size < mostSuggestions) holding.add(path);
  };
  for (const file of files) {
    for (let cut = file.indexOf('/'); cut > 0; cut = file.indexOf('/', cut + 1)) offer(file.slice(0, cut));
    if (what === 'all') offer(file);
    if (starting.size > 50 * mostSuggestions) break;
  }
  const shortest = [...starting].sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
  return [...shortest, ...holding].slice(0, mostSuggestions);
}
