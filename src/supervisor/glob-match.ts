import { globMatcher } from '../core/glob.ts';

/**
 * Tells whether the path of a file matches one of the globs, which are read as the sidecar's search reads them: without a slash at any
 * depth, with one from the top (`/src/**` for all below a folder). No glob matches nothing.
 */
export function includeMatcher(globs: string | readonly string[]): (path: string) => boolean {
  return globMatcher(listOf(globs).map(anchored));
}

/** As `includeMatcher`; a glob that matches a folder also matches all below it, as what is left out is not entered. */
export function excludeMatcher(globs: readonly string[]): (path: string) => boolean {
  return globMatcher(globs.map(anchored).flatMap((glob) => [glob, `${glob}/**`]));
}

function anchored(glob: string): string {
  const body = glob.replace(/\/$/, '');
  if (body.startsWith('/')) return body.slice(1);
  return body.includes('/') ? body : `**/${body}`;
}

function listOf(globs: string | readonly string[]): readonly string[] {
  return typeof globs === 'string' ? [globs] : globs;
}
