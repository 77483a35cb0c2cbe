import { TimeSlice } from '../../core/time-slice.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { BatchChange } from '../../contract/files.ts';
import { parentPath } from '../../contract/paths.ts';
import type { Mixed } from './checkpoint-rows.ts';
import type { RunFile } from './pair-up.ts';
import { foldersAbove } from './small-tree.ts';
import {
  type Clash,
  type Content,
  sameContent,
  type SharedChoice,
  takeBack,
  takeBackText,
  textOf,
  wholeFile,
} from '../../core/take-back.ts';
import { hashOf } from './tell-apart.ts';
import type { TreeFile } from './tree-diff.ts';

export interface PathClash extends Clash {
  path: string;
}

export interface FileDone {
  path: string;
  from?: string;
  did: 'edited' | 'written' | 'removed' | 'brought back' | 'moved' | 'skipped';
  document?: boolean;
  why?: string;
}

/** A file that is to be without what a run did to it. */
export interface Wanted {
  file: RunFile;
  /** Where it stands now. */
  at: string;
  now: TreeFile | undefined;
  /** What others did to it during the run. */
  mixed: Mixed | undefined;
  /** Why nothing can be done for it. */
  skip?: string;
}

export interface FilesPlan {
  changes: BatchChange[];
  /** What an `edit` among the changes makes of the text that it finds. */
  edits: Map<string, (raw: string) => string>;
  done: FileDone[];
  clashes: PathClash[];
  /** Paths where nothing stands any more afterwards. */
  gone: Set<string>;
}

export interface PlanContents {
  /** By object name. */
  objects: ReadonlyMap<string, Uint8Array>;
  /** By key, what was told apart at the end of the run. */
  apart: (key: string) => Uint8Array | undefined;
  /** Permission bits of the file at a path; where none stands, those of a new one. */
  modeOf: (path: string) => number;
  /** Whether a file can't be moved there before all else: something stands there, or above it, and is no folder. */
  isTaken: (path: string) => boolean;
}

/** Longest text that a batch edits, bytes; a longer one is written whole. */
export interface PlanOptions {
  shared: 'ask' | SharedChoice;
  maxTextBytes: number;
}

/** Decides what is done to each file. Moves come first, then removals, so that a folder can take a file's place. Gives way between files. */
export async function planFiles(wanted: readonly Wanted[], contents: PlanContents, options: PlanOptions): Promise<FilesPlan> {
  const plan: FilesPlan = { changes: [], edits: new Map(), done: [], clashes: [], gone: new Set() };
  const moves: BatchChange[] = [];
  const removals: BatchChange[] = [];
  const writes: BatchChange[] = [];
  const slice = new TimeSlice();
  for (const one of wanted) {
    if (slice.isOver) await slice.giveWay();
    const { file, at, now } = one;
    const skipped = one.skip ?? whyNot(one);
    if (skipped !== undefined) {
      plan.done.push({ path: at, did: 'skipped', why: skipped });
      continue;
    }
    const content = (tree: TreeFile | undefined): Content => (tree === undefined ? null : (contents.objects.get(tree.object) ?? null));
    const present = content(now);
    const step = takeFile(one, content(file.left), content(file.found), present, contents, options);
    plan.clashes.push(...step.clashes.map((clash) => ({ path: at, ...clash })));
    const executable = executableAfter(file, now);
    const mode = executable === undefined ? undefined : withExecutable(contents.modeOf(at), executable);
    const target = file.from ?? at;
    if (step.result === null) {
      if (now === undefined) continue;
      removals.push({ op: 'remove', path: at, recursive: false, ...(isLink(now) ? {} : { ifMatch: etagOf(present) }) });
      plan.gone.add(at);
      plan.done.push({ path: at, did: 'removed' });
      continue;
    }
    if (now === undefined) {
      const content = { op: 'write' as const, path: target, base64: base64(step.result), parents: true, ifNoneMatch: '*' as const };
      // Of the mode only this one bit is known: who else may read it is as with other new files.
      writes.push(executable === true ? { ...content, mode } : content);
      plan.done.push({ path: target, did: 'brought back' });
      continue;
    }
    if (file.from !== undefined && contents.isTaken(target)) {
      // What is in its way goes first: it may be a folder that holds it, or itself.
      removals.push({ op: 'remove', path: at, recursive: false, ifMatch: etagOf(present) });
      plan.gone.add(at);
      const content = { op: 'write' as const, path: target, base64: base64(step.result), parents: true, ifNoneMatch: '*' as const };
      writes.push({ ...content, mode: mode ?? contents.modeOf(at) });
      plan.done.push({ path: target, from: at, did: 'moved' });
      continue;
    }
    if (file.from !== undefined) {
      moves.push({ op: 'move', from: at, to: target, overwrite: false, parents: true });
      plan.gone.add(at);
    }
    const edited = !sameContent(step.result, present);
    if (edited || mode !== undefined) writes.push(writeOf(target, present, step, mode, plan, options));
    else if (file.from === undefined) continue;
    plan.done.push({
      path: target,
      ...(file.from === undefined ? {} : { from: at }),
      did: file.from !== undefined ? 'moved' : edited && plan.edits.has(target) ? 'edited' : 'written',
    });
  }
  plan.changes = [...moves, ...removals, ...writes];
  return plan;
}

/** Paths of a plan where a file can't be made because of what stands there. Gives way between files. */
export async function blockedIn(plan: FilesPlan, isBlocked: (path: string) => boolean): Promise<Set<string>> {
  const blocked = new Set<string>();
  const slice = new TimeSlice();
  for (const change of plan.changes) {
    if (slice.isOver) await slice.giveWay();
    if (change.op === 'write' && change.ifNoneMatch === '*' && isBlocked(change.path)) blocked.add(change.path);
  }
  return blocked;
}

/** The same files with those left alone that would be made at these paths, and those that have to stay where they are for that. */
export function withoutBlocked(wanted: readonly Wanted[], blocked: ReadonlySet<string>): Wanted[] {
  const targets = wanted.flatMap((one) => {
    const path = one.skip === undefined ? targetOf(one) : undefined;
    return path === undefined ? [] : [{ one, path }];
  });
  const made = Map.groupBy(targets, ({ path }) => path);
  const below = targets.flatMap(({ path }) => foldersAbove([path]).map((folder) => ({ folder, path })));
  const madeBelow = Map.groupBy(below, ({ folder }) => folder);
  const left = new Set<Wanted>();
  const paths = [...blocked];
  for (let path = paths.pop(); path !== undefined; path = paths.pop()) {
    for (const { one } of made.get(path) ?? []) {
      if (left.has(one)) continue;
      left.add(one);
      // A file that was to leave stays: it is in the way of others, and so are the folders that it is in.
      if (one.file.from === undefined) continue;
      for (const target of madeBelow.get(one.at) ?? []) paths.push(target.path);
      for (const folder of foldersAbove([one.at])) paths.push(folder);
      paths.push(one.at);
    }
  }
  return wanted.map((one) => (left.has(one) ? { ...one, skip: 'what stands in its place is in no checkpoint' } : one));
}

/** Where a file is made that is not there now. */
function targetOf({ file, at, now }: Wanted): string | undefined {
  return now === undefined || file.from !== undefined ? (file.from ?? at) : undefined;
}

interface FileStep {
  result: Content;
  clashes: Clash[];
  /** The same for a text as it is in the turn in which it is changed; undefined for what is no text. */
  again: ((raw: string) => { result: string; clashes: Clash[] }) | undefined;
}

function takeFile(
  { mixed }: Wanted,
  left: Content,
  found: Content,
  now: Content,
  { apart }: PlanContents,
  { shared }: PlanOptions,
): FileStep {
  const choice = shared === 'ask' ? 'keep' : shared;
  if (mixed?.none === true) return { result: now, clashes: [], again: undefined };
  if (mixed?.lost === true) {
    if (sameContent(now, found)) return { result: now, clashes: [], again: undefined };
    return { result: choice === 'keep' ? now : found, clashes: [wholeFile(left, found, now)], again: undefined };
  }
  const key = mixed?.[choice];
  const alone = mixed === undefined ? found : key === null || key === undefined ? null : (apart(key) ?? null);
  const { result, clashes } = takeBack(left, alone, now, choice);
  const [leftText, aloneText] = [left, alone].map((content) => (content === null ? undefined : textOf(content)));
  const both = leftText !== undefined && aloneText !== undefined;
  const again = both ? (raw: string) => takeBackText(leftText, aloneText, raw, choice) : undefined;
  // Where both touched a hunk during the run, that is remembered; here it shows once.
  const old = (mixed?.clashes ?? []).filter((clash) => !clashes.some((other) => other.now === clash.now));
  return { result, clashes: [...(sameContent(left, alone) && old.length === 0 ? [] : old), ...clashes], again };
}

function writeOf(
  path: string,
  present: Content,
  step: FileStep,
  mode: number | undefined,
  plan: FilesPlan,
  options: PlanOptions,
): BatchChange {
  const { again } = step;
  if (
    again !== undefined &&
    mode === undefined &&
    present !== null &&
    textOf(present) !== undefined &&
    present.length <= options.maxTextBytes
  ) {
    const known = step.clashes.length;
    plan.edits.set(path, (raw) => {
      const { result, clashes } = again(raw);
      if (options.shared === 'ask' && clashes.length > known)
        throw new OutriggerError('HUNKS_SHARED', `${path} was changed meanwhile where the run changed it.`, {
          details: { shared: clashes },
        });
      return result;
    });
    return { op: 'edit', path, edits: [] };
  }
  const content = { op: 'write' as const, path, base64: base64(step.result), parents: true, ifMatch: etagOf(present) };
  return mode === undefined ? content : { ...content, mode };
}

/** Set back only where nobody set it since. */
function executableAfter({ found, left }: RunFile, now: TreeFile | undefined): boolean | undefined {
  if (found === undefined || found.mode === '120000') return undefined;
  const wasSet = now === undefined || (left !== undefined && left.mode !== found.mode && now.mode === left.mode);
  return wasSet ? found.mode === '100755' : undefined;
}

/** Whoever may read a file may run it, or nobody may. */
function withExecutable(mode: number, executable: boolean): number {
  return executable ? mode | ((mode & 0o444) >> 2) : mode & ~0o111;
}

function whyNot({ file, now }: Wanted): string | undefined {
  if (file.raw === true) return 'its name is no UTF-8';
  const links = [file.found, file.left, now].filter((tree) => tree !== undefined && isLink(tree)).length;
  if (links === 0) return undefined;
  // One that the run made, and that stands as it made it, can be removed.
  if (file.found === undefined && (now === undefined || now.object === file.left?.object)) return undefined;
  return 'it is, or was, a symbolic link, which is not made again';
}

function isLink(tree: TreeFile): boolean {
  return tree.mode === '120000';
}

function etagOf(content: Content): string {
  return `"${hashOf(content)}"`;
}

function base64(content: Content): string {
  return Buffer.from(content ?? new Uint8Array()).toString('base64');
}

/** Folders, deepest first, in which nothing is left but what is gone. */
export async function emptiedFolders(
  gone: ReadonlySet<string>,
  written: ReadonlySet<string>,
  list: (folder: string) => Promise<string[] | undefined>,
): Promise<string[]> {
  const folders = new Set<string>();
  for (const path of gone) for (let at = parentPath(path); at !== ''; at = parentPath(at)) folders.add(at);
  const filled = new Set<string>();
  for (const path of written) for (let at = parentPath(path); at !== ''; at = parentPath(at)) filled.add(at);
  const emptied = new Set<string>();
  for (const folder of [...folders].sort((a, b) => b.length - a.length)) {
    if (filled.has(folder)) continue;
    const inside = await list(folder);
    if (inside?.every((path) => gone.has(path) || emptied.has(path)) === true) emptied.add(folder);
  }
  return [...emptied];
}
