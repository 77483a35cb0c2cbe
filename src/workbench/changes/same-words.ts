import { parentOf, nameOf } from '../file-paths.ts';
import type { DiffAgainst } from '../shell/tabs.ts';
import type { ChangeEntry } from './change-sections.ts';

export interface SameFacts {
  against: DiffAgainst | undefined;
  /** What the left side is called. */
  before: string;
  /** The file in the section that is compared. */
  entry: Pick<ChangeEntry, 'path' | 'from' | 'letter'> | undefined;
  /** What a change that is compared did with the file as a whole. */
  made?: 'created' | 'deleted' | undefined;
  /** Of lines that differ by their ends alone git has changes. */
  hunks: number;
}

/** What a comparison says whose texts are the same. */
export function sameWords({ against, before, entry, made, hunks }: SameFacts): string {
  if (entry !== undefined && (against === 'staged' || against === 'index')) {
    if (entry.letter === 'A' || entry.letter === 'U')
      return entry.from === undefined ? 'It is new, and empty.' : `It is a copy of ${entry.from}.`;
    if (entry.letter === 'D') return 'It is deleted, and was empty.';
    if (hunks > 0) return 'Only the ends of its lines changed.';
    return entry.from === undefined ? 'Only its mode changed.' : `Only its ${sayMove(entry.from, entry.path)}.`;
  }
  if (against === 'staged') return 'Nothing of it is staged any more.';
  if (against === 'index') return 'There is nothing left to stage or discard here.';
  if (against?.startsWith('change:') === true)
    return made === undefined ? 'It held the same text before and after.' : `It was empty when it was ${made}.`;
  if (against?.startsWith('checkpoint:') === true) return 'It is as it was at the checkpoint.';
  return `It is the same as at ${before}.`;
}

function sayMove(from: string, path: string): string {
  if (parentOf(from) === parentOf(path)) return `name changed: ${nameOf(from)} → ${nameOf(path)}`;
  return `place changed: ${from} → ${path}`;
}
