import picomatch from 'picomatch';

/** A glob that only this path, and what lies in it, matches. */
export function literalGlob(path: string): string {
  return path.replaceAll(/[\\*?[\]{}()!+@^$|]/g, '\\$&');
}

/** Tells whether a workspace-relative path matches one of the globs (a glob that begins with two stars matches at any depth), or lies in what does. */
export function createIgnore(globs: readonly string[]): (path: string) => boolean {
  if (globs.length === 0) return () => false;
  const plain = new Set<string>();
  const patterns: string[] = [];
  for (const glob of globs) {
    const match = /^\*\*\/([^*?[\]{}()!+@/]+)(?:\/\*\*)?$/.exec(glob);
    if (match === null) patterns.push(glob);
    else plain.add(match[1] as string);
  }
  const matches = patterns.length === 0 ? () => false : picomatch(patterns, { dot: true });
  return (path) => {
    if (path === '') return false;
    const names = path.split('/');
    if (names.some((name) => plain.has(name))) return true;
    if (patterns.length === 0) return false;
    for (let depth = 1; depth <= names.length; depth++) if (matches(names.slice(0, depth).join('/'))) return true;
    return false;
  };
}
