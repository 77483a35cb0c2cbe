import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import fs from 'node:fs/promises';
import path from 'node:path';
import { acquireEditLock } from './edit-lock.ts';
import {
  defaultJournalFolder,
  type EditJournal,
  type EditStep,
  journalFolder,
  markOf,
  sha256,
  syncFolder,
  writeJournal,
  writeSynced,
} from './edit-journal.ts';
import { type BeforeStep, goBack, goForward, keepOwner, placeOf, type Recovery, recoverBatch } from './edit-recovery.ts';
import { type EditTarget, findTarget, foldedPairs, groupTargets, isCaseInsensitive } from './edit-targets.ts';
import { type ApplyEditsResult, type EditErrorCode, EditProblem, type FileEdit } from './file-edit.ts';
import { planText } from './plan-text.ts';

export interface ApplyEditsOptions {
  /** Where journals lie, outside of the folder and the same at each start. By default below the user's state. */
  journalFolder?: string;
  /** How long another batch on the same folder is waited for. */
  lockTimeoutMs?: number;
  /** A file that is longer before or after is refused. */
  maxFileBytes?: number;
  /** Told when the batch of a killed process was finished or undone first. */
  onRecovery?: (recovery: Recovery) => void;
  /** For tests: called before each thing that changes the disk. */
  before?: BeforeStep;
  platform?: NodeJS.Platform;
}

const maxEdits = 10_000;
const severalEdits = 'The batch has several edits of this file, and not all are text edits.';
const defaults = { lockTimeoutMs: 10_000, maxFileBytes: 64 * 1024 * 1024 };

/**
 * Applies a batch of edits to the files below `root`: all of them, or none. Several text edits of one file count in its text before the
 * batch and are combined; any other two edits of one file are `invalidEdit`. A journal outside of the folder holds what is under way:
 * after a kill or a power cut the next call, or `recoverEdits`, finishes or undoes it before anything else. Files are replaced by
 * renames, so line ends, byte order mark and permissions stay, owner and group where that is permitted; a file with several hard links
 * becomes one of its own. Never rejects: what went wrong is the answer.
 */
export async function applyEdits(root: string, edits: readonly FileEdit[], options: ApplyEditsOptions = {}): Promise<ApplyEditsResult> {
  try {
    return await underLock(root, options, async (realRoot, folder) => {
      const applied = await applyBatch(realRoot, folder, edits, options);
      return { ok: true, applied };
    });
  } catch (error) {
    return { ok: false, error: describe(error) };
  }
}

/** Finishes or undoes what a killed process left half done; for the start of a host. Undefined when there was nothing. Rejects with what the system says. */
export async function recoverEdits(root: string, options: ApplyEditsOptions = {}): Promise<Recovery | undefined> {
  let recovery: Recovery | undefined;
  await underLock(root, { ...options, onRecovery: (one) => (recovery = one) }, () => Promise.resolve());
  return recovery;
}

async function underLock<T>(root: string, options: ApplyEditsOptions, work: (realRoot: string, folder: string) => Promise<T>): Promise<T> {
  const realRoot = await fs.realpath(root);
  const folder = journalFolder(options.journalFolder ?? defaultJournalFolder(), realRoot);
  const timeoutMs = options.lockTimeoutMs ?? defaults.lockTimeoutMs;
  const release = await acquireEditLock(path.join(folder, 'lock'), { timeoutMs });
  if (release === undefined)
    throw new EditProblem('ioError', '', `Another batch of edits has been at work on this folder for ${timeoutMs} ms.`);
  try {
    const recovery = await recoverBatch(folder, options.before ?? (() => undefined));
    if (recovery !== undefined) options.onRecovery?.(recovery);
    return await work(realRoot, folder);
  } finally {
    await release();
    // Not empty: another batch has begun, or an undo is left to do.
    await fs.rmdir(folder).catch(() => undefined);
  }
}

interface Planned {
  step: EditStep;
  content: Uint8Array | undefined;
  original: Uint8Array | undefined;
  missing: string[];
}

async function applyBatch(
  realRoot: string,
  folder: string,
  edits: readonly FileEdit[],
  options: ApplyEditsOptions,
): Promise<{ filePath: string; sha256: string | null }[]> {
  const before = options.before ?? ((): void => undefined);
  if (edits.length > maxEdits) throw new EditProblem('invalidEdit', '', `A batch holds at most ${maxEdits} edits.`);
  const targets: EditTarget[] = [];
  for (const edit of edits) {
    checkShape(edit);
    if (targets.some((other) => other.edit.filePath === edit.filePath && (edit.kind !== 'text' || other.edit.kind !== 'text')))
      throw new EditProblem('invalidEdit', edit.filePath, severalEdits);
    targets.push(await named(edit.filePath, () => findTarget(realRoot, edit, options.platform ?? process.platform)));
  }
  const planned: Planned[] = [];
  const afterOf = new Map<EditTarget, string | null>();
  for (const group of groupTargets(targets)) {
    const one = await named((group[0] as EditTarget).edit.filePath, () =>
      planFile(realRoot, group, options.maxFileBytes ?? defaults.maxFileBytes),
    );
    for (const target of group) afterOf.set(target, one?.step.after ?? null);
    if (one !== undefined && one.step.before !== one.step.after) planned.push(one);
  }
  const applied = targets.map((target) => ({ filePath: target.edit.filePath, sha256: afterOf.get(target) ?? null }));
  if (planned.length === 0) return applied;

  const journal: EditJournal = {
    version: 1,
    state: 'staging',
    root: realRoot,
    steps: planned.map(({ step }) => step),
    folders: [...new Set(planned.flatMap(({ missing }) => missing))].map((made) => path.relative(realRoot, made)),
  };
  try {
    await stage(folder, journal, planned, foldedPairs(targets), before);
    before('decide');
    await writeJournal(folder, { ...journal, state: 'forward' });
    journal.state = 'forward';
    await goForward(folder, journal, before);
  } catch (error) {
    // Whatever it was: none of it stands. Should this fail too, the journal says at the next call what is left to do.
    await goBack(folder, journal, before);
    throw error;
  }
  return applied;
}

/** What becomes of one file; undefined when nothing has to be done. Reads, and writes nothing. */
async function planFile(realRoot: string, group: readonly EditTarget[], maxFileBytes: number): Promise<Planned | undefined> {
  const { edit, at, stat, missing } = group[0] as EditTarget;
  const { filePath } = edit;
  if (group.length > 1 && group.some((target) => target.edit.kind !== 'text')) throw new EditProblem('invalidEdit', filePath, severalEdits);
  if (stat === undefined) {
    if (edit.kind === 'delete' && edit.allowMissing === true) return undefined;
    if (edit.kind !== 'create') throw new EditProblem('notFound', filePath, 'There is no such file.');
  } else if (!stat.isFile() && !(edit.kind === 'delete' && stat.isSymbolicLink())) {
    throw new EditProblem('invalidEdit', filePath, 'It is not a file.');
  } else if (edit.kind === 'create' && edit.overwrite !== true) {
    throw new EditProblem('conflict', filePath, 'The file is there already.');
  }
  // Without folders that are missing the parent is there; else the innermost one that is.
  await fs.access(path.dirname(missing[0] ?? at), constants.W_OK);
  if (stat?.isFile() === true && edit.kind !== 'delete') await fs.access(at, constants.W_OK);
  if ((stat?.size ?? 0) > maxFileBytes) throw new EditProblem('invalidEdit', filePath, `The file is longer than ${maxFileBytes} bytes.`);

  const original = stat?.isFile() === true ? await fs.readFile(at) : undefined;
  const before = original !== undefined ? sha256(original) : stat === undefined ? null : await markOf(at);
  const content =
    edit.kind === 'delete'
      ? undefined
      : edit.kind === 'create'
        ? createdContent(edit)
        : combine(group, original as Buffer, before as string);
  if ((content?.length ?? 0) > maxFileBytes)
    throw new EditProblem('invalidEdit', filePath, `The file would be longer than ${maxFileBytes} bytes.`);
  const step: EditStep = {
    filePath,
    at: path.relative(realRoot, at),
    before,
    after: content === undefined ? null : sha256(content),
    temporary: content === undefined ? undefined : temporaryName(),
    aside: temporaryName(),
    backup: original === undefined ? undefined : `before-${randomBytes(6).toString('hex')}`,
    mode: stat === undefined ? undefined : stat.mode & 0o777,
    uid: stat?.uid,
    gid: stat?.gid,
  };
  return { step, content, original, missing };
}

function createdContent(edit: FileEdit & { kind: 'create' }): Uint8Array {
  if (!edit.contents.isWellFormed())
    throw new EditProblem('invalidEdit', edit.filePath, 'The contents hold half a character (a lone surrogate).');
  return Buffer.from(edit.contents, 'utf8');
}

function combine(group: readonly EditTarget[], original: Uint8Array, hash: string): Uint8Array {
  const edits = group.flatMap(({ edit }) => (edit.kind === 'text' ? edit.edits : []));
  for (const { edit } of group) {
    if (edit.kind === 'text' && edit.expectedSha256 !== undefined && edit.expectedSha256.toLowerCase() !== hash)
      throw new EditProblem('conflict', edit.filePath, `The file was changed: its sha256 is ${hash}.`);
  }
  const plan = planText(original, edits);
  if ('problem' in plan) throw new EditProblem('invalidEdit', (group[0] as EditTarget).edit.filePath, plan.problem);
  return plan.content;
}

/** Writes everything that the batch needs beside its targets, and what an undo needs beside the journal. */
async function stage(
  folder: string,
  journal: EditJournal,
  planned: readonly Planned[],
  folded: readonly [EditTarget, EditTarget][],
  before: BeforeStep,
): Promise<void> {
  before('begin the journal');
  await writeJournal(folder, journal);
  for (const made of journal.folders) {
    before(`make the folder ${made}`);
    // Made meanwhile by somebody else: as good.
    await fs.mkdir(path.join(journal.root, made), { recursive: true });
  }
  for (const { step, content, original } of planned) {
    await named(step.filePath, async () => {
      const at = placeOf(journal, step);
      if (original !== undefined && step.backup !== undefined) {
        before(`keep ${step.filePath}`);
        await writeSynced(path.join(folder, step.backup), original, 0o600);
      }
      if (content === undefined || step.temporary === undefined) return;
      before(`stage ${step.filePath}`);
      const temporary = path.join(path.dirname(at), step.temporary);
      await writeSynced(temporary, content, step.mode);
      await keepOwner(temporary, step);
    });
  }
  await refuseFolded(journal, planned, folded);
  await syncFolder(folder);
  // Staging took its time. From the decision on, only renames are left to do.
  for (const { step } of planned) {
    await named(step.filePath, async () => {
      const parent = path.dirname(placeOf(journal, step));
      if ((await fs.realpath(parent)) !== parent) throw new EditProblem('conflict', step.filePath, 'A folder on the path became a link.');
      if ((await markOf(placeOf(journal, step))) !== step.before)
        throw new EditProblem('conflict', step.filePath, 'The file was changed while the batch was being prepared.');
    });
  }
}

/** Paths that differ in case only are one file on some volumes, and the second would take the place of the first. */
async function refuseFolded(journal: EditJournal, planned: readonly Planned[], folded: readonly [EditTarget, EditTarget][]): Promise<void> {
  for (const [one, other] of folded) {
    const staged = planned.find(({ step }) => step.temporary !== undefined && [one.at, other.at].includes(placeOf(journal, step)))?.step;
    if (staged?.temporary === undefined) continue;
    if (await isCaseInsensitive(path.dirname(placeOf(journal, staged)), staged.temporary))
      throw new EditProblem(
        'invalidEdit',
        other.edit.filePath,
        `On this disk it is the same file as ${one.edit.filePath}, and the batch edits both.`,
      );
  }
}

/** Edits come from extensions, which no compiler has to have seen. */
function checkShape(edit: FileEdit): void {
  const { kind, filePath } = edit as { kind: unknown; filePath: unknown };
  const name = typeof filePath === 'string' ? filePath : '';
  const refuse = (text: string): never => {
    throw new EditProblem('invalidEdit', name, text);
  };
  if (edit.kind === 'create') {
    if (typeof (edit.contents as unknown) !== 'string') refuse('"contents" must be text.');
  } else if (edit.kind === 'text') {
    if (
      !Array.isArray(edit.edits) ||
      !edit.edits.every((one) => typeof (one as { range?: unknown } | null)?.range === 'object' && one.range !== null)
    )
      refuse('"edits" must be a list of { range, newText }.');
  } else if (edit.kind !== 'delete') refuse(`There is no edit of the kind ${JSON.stringify(kind)}.`);
}

/** Says which file it was about, where the system speaks. */
async function named<T>(filePath: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof EditProblem) throw error;
    throw new EditProblem(codeOf(error), filePath, textOf(error), error);
  }
}

function describe(error: unknown): { code: EditErrorCode; filePath: string; message: string } {
  if (error instanceof EditProblem) return { code: error.code, filePath: error.filePath, message: error.message };
  return { code: codeOf(error), filePath: '', message: textOf(error) };
}

function codeOf(error: unknown): EditErrorCode {
  const { code } = (error ?? {}) as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') return 'permissionDenied';
  return code === 'ENAMETOOLONG' ? 'invalidEdit' : 'ioError';
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** As the sidecar names its own: its watch and its listings pass over them. */
function temporaryName(): string {
  return `.outrigger-${randomBytes(6).toString('hex')}.tmp`;
}
