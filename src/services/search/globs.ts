import { OutriggerError } from '../../contract/errors.ts';
import { globMatcher } from '../../core/glob.ts';

/** Globs as in .gitignore, for where ripgrep is not there to read them. Throws BAD_PATTERN. */
export function createGlobFilter({
  include,
  exclude,
}: {
  include: readonly string[];
  exclude: readonly string[];
}): (path: string) => boolean {
  const included = include.length === 0 ? undefined : matcherOf(include);
  const excluded = exclude.length === 0 ? undefined : matcherOf(exclude);
  return (path) => included?.(path) !== false && excluded?.(path) !== true;
}

function matcherOf(globs: readonly string[]): (path: string) => boolean {
  const patterns = globs.flatMap((glob) => {
    const trimmed = glob.endsWith('/') ? glob.slice(0, -1) : glob;
    const inner = trimmed.startsWith('/') ? trimmed.slice(1) : trimmed.includes('/') ? trimmed : `**/${trimmed}`;
    // What lies in a folder that matches, matches.
    return [inner, `${inner}/**`];
  });
  try {
    return globMatcher(patterns);
  } catch (error) {
    throw new OutriggerError('BAD_PATTERN', `A glob is malformed: ${(error as Error).message}`);
  }
}
