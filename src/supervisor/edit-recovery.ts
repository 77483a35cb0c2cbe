import fs from 'node:fs/promises';
import path from 'node:path';
import {
  clearJournal,
  type EditJournal,
  type EditStep,
  type JournalState,
  markOf,
  readJournal,
  renameOver,
  syncFolder,
  writeJournal,
  writeSynced,
} from './edit-journal.ts';
import { EditProblem } from './file-edit.ts';

/** Called before each thing that changes the disk; a test throws or kills the process there. */
export type BeforeStep = (step: string) => void;

/** How one step of a journal stands now. */
export interface StepFact {
  /** `other`: neither what was there before nor what the batch wanted; somebody else's work. */
  now: 'before' | 'after' | 'other';
  /** It can still be done: it is a delete, or its new content waits beside its target. */
  canGoOn: boolean;
}

export interface Recovery {
  outcome: 'finished' | 'undone';
  /** Files that somebody else changed since, which were left as they are. */
  left: string[];
}

/** Whether a half-done batch is finished or undone. It is finished only when every file can still get there. */
export function decideRecovery(state: JournalState, facts: readonly StepFact[]): 'finished' | 'undone' {
  if (state !== 'forward') return 'undone';
  return facts.every(({ now, canGoOn }) => now === 'after' || (now === 'before' && canGoOn)) ? 'finished' : 'undone';
}

/** Finishes or undoes what a killed process left; undefined when there is nothing. The lock must be held. */
export async function recoverBatch(folder: string, before: BeforeStep): Promise<Recovery | undefined> {
  const journal = await readJournal(folder);
  if (journal === undefined) return undefined;
  const facts: StepFact[] = [];
  for (const step of journal.steps) facts.push(await factOf(journal, step));
  const outcome = decideRecovery(journal.state, facts);
  if (outcome === 'finished') {
    await goForward(folder, journal, before);
    return { outcome, left: [] };
  }
  const left =
    journal.state === 'staging' ? [] : journal.steps.filter((_, index) => facts[index]?.now === 'other').map(({ filePath }) => filePath);
  await goBack(folder, journal, before);
  return { outcome, left };
}

/** Does the steps that are not done, then forgets the journal, which must say `forward`. Throws what the system says. */
export async function goForward(folder: string, journal: EditJournal, before: BeforeStep): Promise<void> {
  // Deletes come last: until then more of the old state is there.
  const ordered = journal.steps.toSorted((a, b) => Number(a.after === null) - Number(b.after === null));
  for (const step of ordered) {
    const at = placeOf(journal, step);
    const mark = await markOf(at);
    if (mark === step.after) continue;
    if (mark !== step.before) throw new EditProblem('conflict', step.filePath, 'The file was changed while the batch was being applied.');
    before(`do ${step.filePath}`);
    if (step.temporary === undefined) await fs.rm(at);
    else await renameOver(path.join(path.dirname(at), step.temporary), at);
  }
  await syncFolders(journal);
  before('forget the journal');
  await clean(journal, false);
  await clearJournal(folder);
}

/** Puts everything back as it was, and removes what was staged. What somebody else wrote since is left alone. */
export async function goBack(folder: string, journal: EditJournal, before: BeforeStep): Promise<void> {
  if (journal.state !== 'staging') {
    if (journal.state !== 'back') {
      before('decide to go back');
      journal.state = 'back';
      await writeJournal(folder, journal);
    }
    for (const step of journal.steps) {
      const at = placeOf(journal, step);
      if (step.before === step.after || (await markOf(at)) !== step.after || !(await isWhereItWas(journal, step))) continue;
      before(`undo ${step.filePath}`);
      await putBack(folder, step, at);
    }
    await syncFolders(journal);
  }
  before('remove what was staged');
  await clean(journal, true);
  await clearJournal(folder);
}

/** What can't be put back because its folder or the kept content is gone stays as it is: whoever removed it knew why. */
async function putBack(folder: string, step: EditStep, at: string): Promise<void> {
  if (step.before === null) {
    await fs.rm(at, { force: true });
    return;
  }
  if ((await markOf(path.dirname(at))) === null) return;
  const aside = path.join(path.dirname(at), step.aside);
  // Of an attempt that was killed.
  await fs.rm(aside, { force: true });
  if (step.before.startsWith('link:')) {
    await fs.symlink(step.before.slice('link:'.length), aside);
  } else {
    const kept = step.backup === undefined ? null : await markOf(path.join(folder, step.backup));
    if (kept !== step.before) return;
    await writeSynced(aside, await fs.readFile(path.join(folder, step.backup as string)), step.mode);
    await keepOwner(aside, step);
  }
  await renameOver(aside, at);
}

/** Gives a new file the owner and group of the old one, as far as that is permitted. */
export async function keepOwner(at: string, { uid, gid }: Pick<EditStep, 'uid' | 'gid'>): Promise<void> {
  if (process.platform === 'win32' || uid === undefined || gid === undefined) return;
  const made = await fs.lstat(at);
  if (made.uid === uid && made.gid === gid) return;
  // Refused to all but root; the group alone may be permitted.
  await fs.lchown(at, uid, gid).catch(() => fs.lchown(at, made.uid, gid).catch(() => undefined));
}

async function factOf(journal: EditJournal, step: EditStep): Promise<StepFact> {
  const at = placeOf(journal, step);
  if (!(await isWhereItWas(journal, step))) return { now: 'other', canGoOn: false };
  const mark = await markOf(at);
  const now = mark === step.after ? 'after' : mark === step.before ? 'before' : 'other';
  if (step.temporary === undefined) return { now, canGoOn: true };
  return { now, canGoOn: (await markOf(path.join(path.dirname(at), step.temporary))) === step.after };
}

/** A folder on the way may have become a link since, and that may lead anywhere. A folder that is gone is no danger. */
async function isWhereItWas(journal: EditJournal, step: EditStep): Promise<boolean> {
  const folder = path.dirname(placeOf(journal, step));
  const real = await fs.realpath(folder).catch(() => folder);
  return real === folder;
}

/** Removes temporary files, and after an undo the folders that were made and are empty. */
async function clean(journal: EditJournal, withFolders: boolean): Promise<void> {
  for (const step of journal.steps) {
    if (!(await isWhereItWas(journal, step))) continue;
    for (const name of [step.temporary, step.aside]) {
      if (name !== undefined) await fs.rm(path.join(path.dirname(placeOf(journal, step)), name), { force: true });
    }
  }
  if (!withFolders) return;
  for (const made of journal.folders.toReversed()) {
    // Not empty, or gone: somebody else has use for it, or had.
    await fs.rmdir(path.join(journal.root, made)).catch(() => undefined);
  }
}

async function syncFolders(journal: EditJournal): Promise<void> {
  for (const folder of new Set(journal.steps.map((step) => path.dirname(placeOf(journal, step))))) {
    await syncFolder(folder).catch(() => undefined);
  }
}

export function placeOf(journal: Pick<EditJournal, 'root'>, step: Pick<EditStep, 'at'>): string {
  return path.join(journal.root, step.at);
}
