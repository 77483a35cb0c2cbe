import fs from 'node:fs';
import path from 'node:path';

export type Doing = 'merge' | 'rebase' | 'am' | 'cherry-pick' | 'revert' | 'bisect';

/** What git is in the middle of, by the files that it keeps meanwhile. */
export interface UnderWay {
  doing: Doing;
  /** The commits that are brought in. */
  heads: string[];
  /** What the commit would say. */
  message?: string;
  /** The branch that is rebased; absent where HEAD was detached. */
  branch?: string;
  onto?: string;
  /** Of `steps`, from 1. */
  step?: number;
  steps?: number;
}

/** Longest of git's small files that is read. */
const MAX_FILE_BYTES = 65_536;

/** A rebase that stopped has the marks of other things as well, so it is looked for first. */
export function doingIn(gitFolder: string): Doing | undefined {
  const has = (name: string): boolean => fs.existsSync(path.join(gitFolder, name));
  if (has('rebase-apply/applying')) return 'am';
  if (has('rebase-merge') || has('rebase-apply')) return 'rebase';
  if (has('MERGE_HEAD')) return 'merge';
  if (has('CHERRY_PICK_HEAD')) return 'cherry-pick';
  if (has('REVERT_HEAD')) return 'revert';
  const [next] = sequenceIn(gitFolder);
  if (next !== undefined) return next.does;
  return has('BISECT_LOG') ? 'bisect' : undefined;
}

/** Of commits that are picked or reverted together, those that are left, the one that stopped among them until it is committed. */
export function sequenceIn(gitFolder: string): { does: 'cherry-pick' | 'revert'; commit: string }[] {
  return lines(smallFile(path.join(gitFolder, 'sequencer', 'todo'))?.toString()).flatMap((line) => {
    const [, word, commit = ''] = /^(p|pick|revert) ([\da-f]+)/.exec(line) ?? [];
    return word === undefined ? [] : [{ does: word === 'revert' ? 'revert' : 'cherry-pick', commit }];
  });
}

export function underWay(gitFolder: string): UnderWay | undefined {
  const doing = doingIn(gitFolder);
  if (doing === undefined) return undefined;
  const said = (name: string): string | undefined => smallFile(path.join(gitFolder, name))?.toString();
  const prepared = preparedMessage(gitFolder);
  const uncommented = (text: string): string => text.replace(/^#.*\n?/gm, '');
  const message = (prepared === undefined ? uncommented(said('MERGE_MSG') ?? '') : Buffer.from(prepared).toString()).trim();
  const shared = message === '' ? {} : { message };
  if (doing === 'am') {
    const subject = said('rebase-apply/final-commit')?.trim() ?? '';
    return { doing, heads: [], ...(subject === '' ? {} : { message: subject }), ...stepIn(said, 'rebase-apply/next', 'rebase-apply/last') };
  }
  if (doing === 'rebase') return { doing, ...rebaseIn(said), ...shared };
  const head = { merge: 'MERGE_HEAD', 'cherry-pick': 'CHERRY_PICK_HEAD', revert: 'REVERT_HEAD', bisect: 'BISECT_EXPECTED_REV' }[doing];
  return { doing, heads: lines(said(head)), ...shared };
}

/** Above the list at the end of a message that git prepared, with the mark of comments that the user chose: a line to cut at or none. */
const conflictHeading = /\n([^\s\w]+) (?:-+ >8 -+|Conflicts:)\n/g;

/** Where that list begins: all lines to the end have its mark; -1 where there is none. A line that ends one ends all of that mark before it, so none is read again for each. */
function conflictsAt(text: string): number {
  const ended = new Map<string, number>();
  const heading = new RegExp(conflictHeading);
  for (let found = heading.exec(text); found !== null; found = heading.exec(text)) {
    const { index, 1: mark = '' } = found;
    const below = heading.lastIndex;
    // The end of this line may be that before the next heading.
    heading.lastIndex--;
    if (index < (ended.get(mark) ?? 0)) continue;
    const other = lineWithout(mark, text, below);
    if (other < 0) return index;
    ended.set(mark, other);
  }
  return -1;
}

/** The first line from there on that has not the mark, or no end; -1: there is none. */
function lineWithout(mark: string, text: string, from: number): number {
  for (let at = from; at < text.length; ) {
    const end = text.indexOf('\n', at);
    if (end < 0 || !text.startsWith(mark, at)) return at;
    at = end + 1;
  }
  return -1;
}

/** What the commit of what stopped would say, without the list of conflicts; undefined where git wrote none below it. In its own bytes. */
export function preparedMessage(gitFolder: string): Uint8Array | undefined {
  // Those of the commits that become one are joined by comments.
  if (fs.existsSync(path.join(gitFolder, 'rebase-merge', 'current-fixups'))) return undefined;
  const text = smallFile(path.join(gitFolder, 'MERGE_MSG'))?.toString('latin1');
  const at = text === undefined ? -1 : conflictsAt(text);
  return text === undefined || at < 0 ? undefined : Buffer.from(`${text.slice(0, at)}\n`, 'latin1');
}

/** Milliseconds since the lock on the index was taken, by `now`; undefined where it is free. */
export function lockAgeMs(gitFolder: string, now: number): number | undefined {
  try {
    return Math.max(0, Math.round(now - fs.statSync(path.join(gitFolder, 'index.lock')).mtimeMs));
  } catch {
    // Not there.
    return undefined;
  }
}

/** On what the commits of a rebase are put, and the last of them as it was. */
export function rebaseUnderWay(gitFolder: string): { onto: string | undefined; tip: string | undefined } {
  const folder = fs.existsSync(path.join(gitFolder, 'rebase-merge')) ? 'rebase-merge' : 'rebase-apply';
  return { onto: firstLine(path.join(gitFolder, folder, 'onto')), tip: firstLine(path.join(gitFolder, folder, 'orig-head')) };
}

/** The commit that a rebase replaces when it goes on, while HEAD is there; undefined where it makes a new one. */
export function amendedNext(gitFolder: string): string | undefined {
  return firstLine(path.join(gitFolder, 'rebase-merge', 'amend'));
}

/** Where HEAD is again after what is under way was given up; undefined where it stays. */
export function tipBefore(gitFolder: string, doing: Doing): string | undefined {
  if (doing === 'rebase') return rebaseUnderWay(gitFolder).tip;
  if (doing === 'am') return firstLine(path.join(gitFolder, 'ORIG_HEAD'));
  return doing === 'cherry-pick' || doing === 'revert' ? firstLine(path.join(gitFolder, 'sequencer', 'head')) : undefined;
}

function firstLine(file: string): string | undefined {
  return lines(smallFile(file)?.toString())[0];
}

function rebaseIn(said: (name: string) => string | undefined): Omit<UnderWay, 'doing'> {
  const folder = said('rebase-merge/onto') === undefined ? 'rebase-apply' : 'rebase-merge';
  const [stepName, stepsName, headName] =
    folder === 'rebase-merge' ? ['msgnum', 'end', 'stopped-sha'] : ['next', 'last', 'original-commit'];
  const onto = said(`${folder}/onto`)?.trim();
  const branch = /^refs\/heads\/(.+)$/.exec(said(`${folder}/head-name`)?.trim() ?? '')?.[1];
  return {
    heads: lines(said(`${folder}/${headName}`) ?? said('REBASE_HEAD')),
    ...(branch === undefined ? {} : { branch }),
    ...(onto === undefined ? {} : { onto }),
    ...stepIn(said, `${folder}/${stepName}`, `${folder}/${stepsName}`),
  };
}

function stepIn(said: (name: string) => string | undefined, stepName: string, stepsName: string): Pick<UnderWay, 'step' | 'steps'> {
  const [step, steps] = [stepName, stepsName].map((name) => Number(said(name)?.trim() ?? Number.NaN));
  return { ...(Number.isSafeInteger(step) ? { step } : {}), ...(Number.isSafeInteger(steps) ? { steps } : {}) } as Pick<
    UnderWay,
    'step' | 'steps'
  >;
}

function lines(text: string | undefined): string[] {
  return (text ?? '').split('\n').filter((line) => line !== '');
}

function smallFile(file: string): Buffer | undefined {
  try {
    const stat = fs.statSync(file);
    // Who opens a pipe waits for another who writes into it.
    if (!stat.isFile() || stat.size > MAX_FILE_BYTES) return undefined;
    return fs.readFileSync(file);
  } catch {
    // Not there, or gone this moment.
    return undefined;
  }
}
