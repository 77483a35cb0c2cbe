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
  /** On which sides there is a file, of the working copy beside HEAD. */
  there?: { before: boolean; after: boolean } | undefined;
  /** Of lines that differ by their ends alone git has changes. */
  hunks: number;
}

const newAndEmpty = 'It is new, and empty.';
const deletedAndEmpty = 'It is deleted, and was empty.';

/** What a comparison says whose texts are the same. */
export function sameWords({ against, before, entry, made, there, hunks }: SameFacts): string {
  if (entry !== undefined && (against === 'staged' || against === 'index')) {
    if (entry.letter === 'A' || entry.letter === 'U') return entry.from === undefined ? newAndEmpty : `It is a copy of ${entry.from}.`;
    if (entry.letter === 'D') return deletedAndEmpty;
    if (hunks > 0) return 'Only the ends of its lines changed.';
    return entry.from === undefined ? 'Only its mode changed.' : `Only its ${sayMove(entry.from, entry.path)}.`;
  }
  if (against === 'staged') return 'Nothing of it is staged any more.';
  if (against === 'index') return 'There is nothing left to stage or discard here.';
  if (against?.startsWith('change:') === true)
    return made === undefined ? 'It held the same text before and after.' : `It was empty when it was ${made}.`;
  if (against?.startsWith('checkpoint:') === true) return 'It is as it was at the checkpoint.';
  if (there?.after === false) return there.before ? deletedAndEmpty : `It is not there, and was not at ${before}.`;
  return there?.before === false ? newAndEmpty : `It is the same as at ${before}.`;
}

function sayMove(from: string, path: string): string {
  if (parentOf(from) === parentOf(path)) return `name changed: ${nameOf(from)} → ${nameOf(path)}`;
  return `place changed: ${from} → ${path}`;
}
