import { OutriggerError } from '../../contract/errors.ts';
import type { BatchChange } from '../../contract/files.ts';
import { TimeSlice } from '../../core/time-slice.ts';
import { etagOf } from '../workspace/content.ts';
import { MAX_BATCH_BYTES } from '../workspace/batch-plan.ts';
import type { EditsByPath } from '../workspace/operations.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { AskedPlace, isSeen, type Sight } from './asked-place.ts';
import { replaceInLater, textReplacements } from './moved-replacements.ts';
import type { FileMatches } from './rg-replacements.ts';
import type { Ripgrep, TextQuery, Walk } from './ripgrep.ts';
import type { Search } from './search.ts';
import { beginsWithUtf16 } from './utf16-mark.ts';

/** What one call replaces at most; more is refused, and nothing replaced. */
const MAX_LINES = 100_000;
const MAX_FILES = 1000;
const MAX_FILE_BYTES = 16 * 1024 * 1024;
/** For what other programs wrote a moment ago to be told. */
const SETTLED_WITHIN_MS = 30_000;
/** Times that a file is searched anew which changed in the middle of it. */
const MAX_ATTEMPTS = 4;
/** Changes of the journal that are looked through at a time. */
const PAGE = 500;
const TOO_LARGE = `It is larger than ${MAX_FILE_BYTES} bytes.`;
const UTF8_MARK = Buffer.from([0xef, 0xbb, 0xbf]);

export interface ReplaceRequest extends TextQuery, Walk {
  replace: string;
  except: readonly { path: string; line?: number | undefined }[];
  /** Files that changed since are not touched. */
  ifRevision?: number | undefined;
  dryRun: boolean;
  returnBefore: boolean;
}

export interface ReplaceAnswer {
  matches: number;
  files: { path: string; matches: number; etag: string | null }[];
  skipped: { path: string; why: string }[];
  undo?: BatchChange[];
  revision: number;
}

/** Makes changes whole or not at all: the operation files.batch. */
export type MakeBatch = (
  changes: BatchChange[],
  options: { dryRun: boolean; returnBefore: boolean },
  edits: EditsByPath,
) => Promise<{ revision: number; changes: { etag: string | null }[]; undo?: BatchChange[] | undefined }>;

export interface ReplaceDependencies {
  search: Search;
  ripgrep: Ripgrep | undefined;
  workspace: Workspace;
  batch: MakeBatch;
}

/** What is not visible to whoever asks is not replaced in. */
export interface ReplaceCall extends Sight {
  signal: AbortSignal;
}

interface Replaced {
  bytes: Buffer;
  matches: number;
}

/**
 * Replaces what a search finds. ripgrep says what matches and what it becomes; the files are read once more, and what does not stand
 * where it was found is a conflict. Without a revision that was looked at, what is typed elsewhere in an open document stays, and what changed otherwise is searched
 * anew, some times. Throws BAD_PATTERN, FILE_NOT_FOUND, TOOL_MISSING, OUTPUT_TOO_LARGE, ETAG_MISMATCH, DEADLINE, what the call was
 * aborted with and what the batch throws.
 */
export async function replaceText(request: ReplaceRequest, dependencies: ReplaceDependencies, call: ReplaceCall): Promise<ReplaceAnswer> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await replaceOnce(request, dependencies, call);
    } catch (error) {
      const isLate = error instanceof OutriggerError && error.reason === 'ETAG_MISMATCH';
      if (!isLate || request.ifRevision !== undefined || attempt === MAX_ATTEMPTS) throw error;
    }
  }
}

async function replaceOnce(
  request: ReplaceRequest,
  { search, ripgrep, workspace, batch }: ReplaceDependencies,
  call: ReplaceCall,
): Promise<ReplaceAnswer> {
  if (ripgrep === undefined)
    throw new OutriggerError('TOOL_MISSING', 'Replacing needs ripgrep, which is not on this machine.', { details: { tool: 'ripgrep' } });
  const asked = AskedPlace.of(request.path, workspace, call);
  if (asked === undefined) return { matches: 0, files: [], skipped: [], revision: workspace.journal.revision };
  const except = request.except.map(({ path, line }) => ({ path: asked.placeOf(path), line }));
  // From here on files go by where they are, as the journal knows them; only what is answered names them beneath the path that was asked for.
  const paths = await findFiles({ ...request, path: asked.place, except }, search, call);
  const changes: { path: string; matches: number; change: BatchChange }[] = [];
  const edits = new Map<string, (raw: string) => string>();
  const skipped: ReplaceAnswer['skipped'] = [];
  const conflicts: string[] = [];
  let total = 0;
  const linesKept = linesByPath(except);
  const isWanted = (path: string, line: number): boolean => linesKept.get(path)?.has(line) !== true;
  const toRead: string[] = [];
  for (const path of paths) {
    // Of a file with lines that are left out, ripgrep has to say whether anything else is found in it.
    const why = linesKept.has(path) ? undefined : whyNotRead(path, workspace);
    if (why === undefined) toRead.push(path);
    else skipped.push({ path, why });
  }
  for await (const file of ripgrep.replacements(request, toRead, call.signal, isWanted)) {
    if (file.tooLong) {
      skipped.push({ path: file.path, why: 'It has a line that is too long.' });
      continue;
    }
    const read = await readFile(workspace, file.path, call);
    if (read === 'gone') {
      conflicts.push(file.path);
      continue;
    }
    if (read === 'too large') {
      skipped.push({ path: file.path, why: TOO_LARGE });
      continue;
    }
    const { bytes } = read;
    const why = whyNoText(bytes);
    if (why !== undefined) {
      skipped.push({ path: file.path, why });
      continue;
    }
    const replaced = replaceIn(bytes, file);
    if (replaced === undefined) {
      conflicts.push(file.path);
      continue;
    }
    total += Math.max(replaced.bytes.length, request.returnBefore ? bytes.length : 0);
    if (total > MAX_BATCH_BYTES)
      throw new OutriggerError(
        'OUTPUT_TOO_LARGE',
        `The files to be changed are larger than ${MAX_BATCH_BYTES} bytes in all. Narrow the search.`,
      );
    if (replaced.bytes.equals(bytes)) continue;
    if (read.links > 1) {
      skipped.push({ path: file.path, why: `It has ${read.links} names (hard links), which a replacement would part.` });
      continue;
    }
    const { path } = file;
    const isOpen = request.ifRevision === undefined && workspace.liveText?.read(path) !== undefined;
    const inText = isOpen ? textReplacements(bytes, file, markBytes(bytes)) : undefined;
    if (inText !== undefined) {
      edits.set(path, (raw) => {
        const text = replaceInLater(inText, raw);
        if (text === undefined) throw changedMeanwhile([asked.nameOf(path)]);
        return text;
      });
      changes.push({ path, matches: replaced.matches, change: { op: 'edit', path, edits: [] } });
      continue;
    }
    const base64 = replaced.bytes.toString('base64');
    changes.push({ path, matches: replaced.matches, change: { op: 'write', path, base64, ifMatch: etagOf(read.content), parents: false } });
  }
  if (request.ifRevision !== undefined) {
    // What is written after the files were read does not pass the batch; what was before is known by then.
    await search.settled(SETTLED_WITHIN_MS, call.signal, paths);
    conflicts.push(...(await changedSince(paths, request.ifRevision, workspace, call.signal)));
  }
  if (conflicts.length > 0) throw changedMeanwhile([...new Set(conflicts)].map((path) => asked.nameOf(path)));
  const leftAlone = skipped.map(({ path, why }) => ({ path: asked.nameOf(path), why }));
  if (changes.length === 0) return { matches: 0, files: [], skipped: leftAlone, revision: workspace.journal.revision };
  // ripgrep tells files as its threads get done with them.
  changes.sort((a, b) => (a.path < b.path ? -1 : 1));
  const {
    revision,
    changes: results,
    undo,
  } = await batch(
    changes.map(({ change }) => change),
    { dryRun: request.dryRun, returnBefore: request.returnBefore },
    edits,
  );
  return {
    matches: changes.reduce((sum, { matches }) => sum + matches, 0),
    files: changes.map(({ path, matches }, index) => ({ path: asked.nameOf(path), matches, etag: results[index]?.etag ?? null })),
    skipped: leftAlone,
    ...(undo === undefined ? {} : { undo }),
    revision,
  };
}

async function findFiles(request: ReplaceRequest, search: Search, call: ReplaceCall): Promise<string[]> {
  const whole = new Set(request.except.filter(({ line }) => line === undefined).map(({ path }) => path));
  const paths = new Set<string>();
  const { truncated, timedOut } = await search.text(
    { ...request, context: 0, maxResults: MAX_LINES, maxLineLength: 20 },
    { ...call, found: ({ path }) => void (whole.has(path) || paths.add(path)) },
  );
  if (timedOut === true) throw new OutriggerError('PROCESS_TIMEOUT', 'The search took too long. Nothing was replaced.');
  if (truncated || paths.size > MAX_FILES) {
    const limit = truncated ? `${MAX_LINES} lines` : `${MAX_FILES} files`;
    throw new OutriggerError('OUTPUT_TOO_LARGE', `More than ${limit} match, which is too much to be replaced at once. Narrow the search.`);
  }
  return [...paths].sort();
}

function linesByPath(places: ReplaceRequest['except']): Map<string, Set<number>> {
  const lines = new Map<string, Set<number>>();
  for (const { path, line } of places) if (line !== undefined) lines.set(path, (lines.get(path) ?? new Set()).add(line));
  return lines;
}

/** Undefined for a file that is to be looked into. */
function whyNotRead(path: string, workspace: Workspace): string | undefined {
  const entry = workspace.entry(path);
  // The mark stands in a name for what is not UTF-8, and what is called so is not to be found.
  if (entry === undefined) return path.includes('\u{fffd}') ? 'Its name is not UTF-8.' : undefined;
  return (entry.size ?? 0) > MAX_FILE_BYTES ? TOO_LARGE : undefined;
}

async function readFile(
  workspace: Workspace,
  path: string,
  { signal, visible }: ReplaceCall,
): Promise<{ bytes: Buffer; content: string; links: number } | 'gone' | 'too large'> {
  try {
    const { bytes, content, stat } = await workspace.read(path, MAX_FILE_BYTES, signal);
    if (visible !== undefined && !isSeen(path, path, visible, workspace)) return 'gone';
    return { bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), content, links: stat.nlink };
  } catch (error) {
    if (error instanceof OutriggerError && error.reason === 'OUTPUT_TOO_LARGE') return 'too large';
    if (error instanceof OutriggerError && error.reason === 'FILE_NOT_FOUND') return 'gone';
    throw error;
  }
}

/** Those of the paths that changed after that revision. Gives way between some changes. Throws ETAG_MISMATCH where that is not known any more. */
export async function changedSince(
  paths: readonly string[],
  since: number,
  { journal }: Workspace,
  signal?: AbortSignal,
): Promise<string[]> {
  if (since >= journal.revision) return [];
  const changed = new Set<string>();
  const slice = new TimeSlice();
  for (let cursor = journal.cursorOf(since), more = true; more; ) {
    const answer = journal.since(cursor, PAGE);
    if (answer.resync !== undefined)
      throw new OutriggerError('ETAG_MISMATCH', `What changed since revision ${since} is not known any more. Search again.`);
    for (const { path, from } of answer.changes) for (const each of [path, from]) if (each !== undefined) changed.add(each);
    ({ cursor, more } = answer);
    if (more && slice.isOver) await slice.giveWay(signal);
  }
  return paths.filter((path) => changed.has(path));
}

function changedMeanwhile(paths: readonly string[]): OutriggerError {
  const [first] = paths;
  const others = paths.length === 1 ? '' : ` and ${paths.length - 1} more`;
  return new OutriggerError('ETAG_MISMATCH', `${first}${others} changed since the search. Nothing was replaced; search again.`, {
    details: { paths: paths.slice(0, 100) },
  });
}

/** Undefined for what can be replaced in: the bytes on disk are those that were searched. */
function whyNoText(bytes: Buffer): string | undefined {
  return beginsWithUtf16(bytes) || bytes.includes(0) ? 'It is binary, or UTF-16.' : undefined;
}

/** Undefined where the bytes are others than those that were searched. `matches` are in order and do not overlap. */
export function replaceIn(bytes: Buffer, { matches }: Pick<FileMatches, 'matches'>): Replaced | undefined {
  const mark = markBytes(bytes);
  const pieces: Buffer[] = [];
  let done = 0;
  for (const { start, end, text, replacement } of matches) {
    const from = mark + start;
    const to = mark + end;
    if (from < done || to > bytes.length || !bytes.subarray(from, to).equals(text)) return undefined;
    pieces.push(bytes.subarray(done, from), replacement);
    done = to;
  }
  pieces.push(bytes.subarray(done));
  return { bytes: Buffer.concat(pieces), matches: matches.length };
}

/** ripgrep searches, and counts, what comes after a mark. */
function markBytes(bytes: Buffer): number {
  return bytes.subarray(0, UTF8_MARK.length).equals(UTF8_MARK) ? UTF8_MARK.length : 0;
}
