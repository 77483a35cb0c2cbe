import type { GitConflict } from '../../contract/git.ts';
import { nameOf } from '../file-paths.ts';
import { count, list } from '../words.ts';

/** How many conflicts it stopped at, and which. Without any, git settled all of them as they were settled before, for people to look at. */
export function stoppedAt(conflicts: readonly GitConflict[]): { at: string; text: string } {
  if (conflicts.length === 0) return { at: 'conflicts', text: 'Git settled them as they were settled before' };
  return { at: count(conflicts.length, 'conflict'), text: list(conflicts.map(({ path }) => nameOf(path))) };
}
