import fs from 'node:fs';
import { allowsLevel } from '../../contract/access.ts';
import type { changes } from '../../contract/changes.ts';
import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import type { Cause, Change, EntryKind, FeedItem } from '../../contract/events.ts';
import type { files } from '../../contract/files.ts';
import type { Call, Implementations, Input, Output } from '../../contract/operation.ts';
import { createBell } from '../../core/bell.ts';
import { type EditProblem, planReplacements } from '../../core/file-edits.ts';
import { joinFormat, keepsFormat, splitFormat } from '../../core/text-format.ts';
import { parseByteRange } from './byte-range.ts';
import { checkConditions, decodeText, etagOf, FileBytes, hashBytes } from './content.ts';
import { EditWork, slices, TURN_MS } from './edit-work.ts';
import { fileError } from './file-errors.ts';
import type { LiveWritten } from './live-text.ts';
import { type LineRange, readLines } from './lines.ts';
import { mimeTypeOf } from './mime-types.ts';
import type { Workspace, Written } from './workspace.ts';

const FEED_PAGE = 500;
/** Times that edits are made anew on a file that is another one by the time that they are. */
const MAX_EDIT_ATTEMPTS = 4;
const SLICE_MS = 8;
const BOM = 0xfeff;
const editReasons: Readonly<Record<EditProblem['problem'], ErrorReason>> = {
  'not-found': 'EDIT_NOT_FOUND',
  ambiguous: 'EDIT_AMBIGUOUS',
  'out-of-range': 'OUT_OF_RANGE',
  overlap: 'BAD_INPUT',
  'too-long': 'INPUT_TOO_LARGE',
};
const CAME_ALONG = 'A folder was moved here from where you may not look: list what it holds.';

type Files = typeof files;
type WriteOutput = Output<Files['files.write']>;

export interface FileOperationOptions {
  /** Longest text in one answer, bytes. */
  maxTextBytes: number;
  /** Longest upload, bytes. */
  maxUploadBytes: number;
}

/** Who makes a change by a call. */
function causeOf(call: Pick<Call, 'caller' | 'requestId'>): Cause {
  return { kind: 'connection', who: [{ name: call.caller.name, kind: call.caller.kind }], id: call.requestId };
}

export function fileOperations(workspace: Workspace, options: FileOperationOptions): Implementations<Files> {
  const answer = (written: Written): WriteOutput => ({
    path: written.path,
    etag: etagOf(written.content),
    size: written.size,
    revision: written.revision,
    cursor: workspace.journal.cursorOf(written.revision),
    changed: written.changed,
    created: written.created,
  });
  const liveAnswer = (path: string, written: LiveWritten): WriteOutput => ({
    path,
    etag: written.etag,
    size: written.size,
    revision: written.revision,
    cursor: workspace.journal.cursorOf(written.revision),
    changed: written.changed,
    created: false,
    document: true,
  });
  const step = (path: string): { path: string; revision: number; cursor: string } => ({
    path,
    revision: workspace.journal.revision,
    cursor: workspace.journal.cursor,
  });

  /** Who may only write must not place what the next commit would run. */
  const guardGit = (call: Pick<Call, 'caller'>, ...paths: string[]): void => {
    if (allowsLevel(call.caller.access, 'execute')) return;
    const inGit = paths.find((path) => workspace.liesInGit(path));
    if (inGit !== undefined)
      throw new OutriggerError('ACCESS_DENIED', `${inGit} lies in a git folder, whose files git runs: that needs execute access.`);
  };

  /** Text on disk as it stands there, decoded. */
  const readText = async (path: string, signal: AbortSignal): Promise<{ raw: string; content: string; size: number }> => {
    const { bytes, content } = await workspace.read(path, options.maxTextBytes, signal);
    const raw = decodeText(bytes);
    if (raw === undefined) throw new OutriggerError('NOT_TEXT', `${path} is not UTF-8 text.`);
    return { raw, content, size: bytes.length };
  };

  return {
    'files.list': async (input, call) => {
      const { cursor } = workspace.journal;
      const enter = (path: string): boolean => input.includeIgnored === 'enter' || !workspace.options.ignored(path);
      let count = 0;
      for await (const entry of workspace.list(input.path, input.recursive, enter)) {
        if (input.includeIgnored === false && entry.ignored === true) continue;
        if (count === input.limit) return { path: input.path, count, truncated: true, cursor };
        count++;
        const room = call.emit(entry);
        if (room !== undefined) await room;
        else if (call.signal.aborted) throw call.signal.reason;
      }
      return { path: input.path, count, truncated: false, cursor };
    },

    'files.stat': async ({ path, hash }, call) => {
      const entry = workspace.entry(path);
      const { revision } = workspace.journal;
      if (entry === undefined) return { exists: false, revision };
      if (!hash || entry.kind !== 'file') return { exists: true, entry, revision };
      return { exists: true, entry, etag: etagOf(await contentNow(workspace, path, call)), revision };
    },

    'files.read': async (input, call) => {
      const { path } = input;
      if (input.source === 'live') await workspace.liveText?.catchUp(path);
      call.confirmScope();
      const live = input.source === 'live' ? workspace.liveText?.read(path) : undefined;
      if (live !== undefined) return readLive(input, live);
      const range = rangeOf(input);
      if (range !== undefined) return readSomeLines(workspace, path, range, options.maxTextBytes, call.signal);
      const { raw, content, size } = await readText(path, call.signal);
      return withBom({ path, etag: etagOf(content), size }, raw);
    },

    'files.write': async (input, call) => {
      guardGit(call, input.path);
      const { path } = input;
      const text = storable(path, input.text);
      const cause = causeOf(call);
      const live = await workspace.liveText?.write(
        path,
        (raw) => {
          checkConditions(path, hashBytes(raw), input);
          return keepBom(text, raw.charCodeAt(0) === BOM);
        },
        cause,
      );
      if (live !== undefined) return liveAnswer(path, live);
      const bytes = Buffer.from(keepBom(text, workspace.beginsWithBom(path)));
      return answer(
        await workspace.write(path, bytes, {
          ...input,
          durability: durabilityOf(input),
          cause,
          confirm: call.confirmScope,
          signal: call.signal,
        }),
      );
    },

    'files.create': async (input, call) => {
      guardGit(call, input.path);
      try {
        return answer(
          await workspace.write(input.path, Buffer.from(storable(input.path, input.text)), {
            ...input,
            durability: durabilityOf(input),
            ifNoneMatch: '*',
            cause: causeOf(call),
            confirm: call.confirmScope,
            signal: call.signal,
          }),
        );
      } catch (error) {
        if (error instanceof OutriggerError && (error.reason === 'ETAG_MISMATCH' || error.reason === 'NOT_A_FILE')) {
          throw new OutriggerError('FILE_EXISTS', `${input.path} exists already.`, { details: error.details });
        }
        throw error;
      }
    },

    'files.edit': async (input, call) => {
      guardGit(call, input.path);
      const { path } = input;
      const cause = causeOf(call);
      const work = new EditWork((raw) => editRaw(path, raw, input.edits, options.maxTextBytes));
      const giveWay = slices(SLICE_MS, call.signal);
      const live = await editLive(workspace, work, giveWay, input, call);
      if (live !== undefined) return liveAnswer(path, live);
      for (let attempt = 1; ; attempt++) {
        call.confirmScope();
        const { raw, content } = await readText(path, call.signal);
        checkConditions(path, content, input);
        const result = await work.after(raw, giveWay);
        try {
          return answer(
            await workspace.write(path, Buffer.from(result), {
              cause,
              ifMatch: etagOf(content),
              durability: durabilityOf(input),
              confirm: call.confirmScope,
              signal: call.signal,
            }),
          );
        } catch (error) {
          // Changed between the read and the write: the caller's own condition is checked again on what is there now.
          if (attempt === MAX_EDIT_ATTEMPTS || !(error instanceof OutriggerError) || error.reason !== 'ETAG_MISMATCH') throw error;
        }
      }
    },

    'files.mkdir': (input, call) => {
      guardGit(call, input.path);
      return { ...workspace.mkdir(input.path, input.parents, causeOf(call)), ...step(input.path) };
    },

    'files.remove': async (input, call) => {
      guardGit(call, input.path);
      if (input.missingOk && workspace.entry(input.path) === undefined) return { ...step(input.path), removed: 0 };
      const removed = await workspace.remove(input.path, input.recursive, {
        ifMatch: input.ifMatch,
        cause: causeOf(call),
        confirm: call.confirmScope,
        signal: call.signal,
      });
      return { ...step(input.path), removed };
    },

    'files.move': async (input, call) => {
      guardGit(call, input.from, input.to);
      await workspace.move(input.from, input.to, {
        overwrite: input.overwrite,
        parents: input.parents,
        cause: causeOf(call),
        confirm: call.confirmScope,
      });
      return step(input.to);
    },

    'files.batch': async (input, call) => {
      guardGit(call, ...input.changes.flatMap((change) => (change.op === 'move' ? [change.from, change.to] : [change.path])));
      const outcome = await workspace.batch({
        changes: input.changes,
        durability: durabilityOf(input),
        dryRun: input.dryRun,
        returnBefore: input.returnBefore,
        cause: causeOf(call),
        signal: call.signal,
        maxTextBytes: options.maxTextBytes,
        maxAnswerBytes: options.maxTextBytes,
        edit: ({ path, edits }, raw) => editRaw(path, raw, edits, options.maxTextBytes),
        permit: (path) => guardGit(call, path),
      });
      return { ...outcome, cursor: workspace.journal.cursorOf(outcome.revision) };
    },

    'files.copy': async (input, call) => {
      guardGit(call, input.to);
      const copied = await workspace.copy(input.from, input.to, {
        overwrite: input.overwrite,
        parents: input.parents,
        cause: causeOf(call),
        confirm: call.confirmScope,
        signal: call.signal,
      });
      return { ...step(input.to), copied };
    },

    'files.download': async (input, call) => download(workspace, input, call.signal),

    'files.upload': async (input, call) => {
      guardGit(call, input.path);
      const body = limitBytes(call.body, options.maxUploadBytes);
      const { path } = input;
      // An open document would lose the race with its own next save: what was uploaded goes into it as edits.
      if (workspace.liveText?.read(path) !== undefined) {
        const bytes = await gather(body, options.maxTextBytes);
        const text = bytes === undefined ? undefined : decodeText(bytes);
        if (text !== undefined) {
          const live = await workspace.liveText.write(
            path,
            (raw) => {
              checkConditions(path, hashBytes(raw), input);
              return text;
            },
            causeOf(call),
          );
          if (live !== undefined) return liveAnswer(path, live);
        }
        if (bytes !== undefined)
          return answer(
            await workspace.write(path, bytes, {
              ...input,
              durability: durabilityOf(input),
              cause: causeOf(call),
              confirm: call.confirmScope,
              signal: call.signal,
            }),
          );
        throw new OutriggerError(
          'INPUT_TOO_LARGE',
          `${path} is open for editing; more than ${options.maxTextBytes} bytes can't become edits.`,
        );
      }
      return answer(
        await workspace.write(path, body, {
          ...input,
          durability: durabilityOf(input),
          cause: causeOf(call),
          confirm: call.confirmScope,
          signal: call.signal,
        }),
      );
    },
  };
}

/** `gitChanges` counts what the watch says of the repository, so that a feed can tell. */
export interface GitSignal {
  readonly count: number;
  onChange(listener: () => void): () => void;
}

export function changeOperations(workspace: Workspace, git: GitSignal | undefined, now: () => number): Implementations<typeof changes> {
  const { journal } = workspace;
  return {
    'changes.since': ({ cursor, limit }, call) => {
      const found = journal.since(cursor, limit);
      const seen = found.changes.map((change) => seenBy(change, call, workspace));
      const answer = { ...found, changes: seen.flat() };
      const isWhole = cursor === undefined || !found.changes.some((change, index) => isUntold(change, seen[index] ?? []));
      return isWhole ? answer : { ...answer, resync: CAME_ALONG };
    },

    'changes.watch': async (input, call) => {
      let { cursor } = journal;
      let gitSeen = git?.count ?? 0;
      // A reader that is slow reads on from the journal at its own pace: nothing is queued for it.
      const bell = createBell(call.signal);
      const stops = [journal.onChanges(bell.ring), input.git ? git?.onChange(bell.ring) : undefined];
      const send = async (item: FeedItem): Promise<void> => void (await call.emit(item));
      try {
        cursor = input.cursor ?? cursor;
        for (let ready = false; ; ) {
          const found = journal.since(cursor, FEED_PAGE);
          if (found.resync !== undefined) await send({ type: 'resync', cursor: found.cursor, reason: found.resync });
          for (const change of found.changes) {
            const seen = seenBy(change, call, workspace);
            for (const one of seen) await send(one);
            if (isUntold(change, seen)) await send({ type: 'resync', cursor: change.cursor, reason: CAME_ALONG });
          }
          cursor = found.cursor;
          if (found.more) continue;
          if (!ready) await send({ type: 'ready', cursor });
          ready = true;
          if (input.git && git !== undefined && git.count !== gitSeen) {
            gitSeen = git.count;
            await send({ type: 'git', cursor, what: 'repository', at: now() });
          }
          await bell.rung();
        }
      } finally {
        for (const stop of stops) stop?.();
      }
    },
  };
}

/**
 * A change as a caller limited to some paths sees it: what moved in was created, what moved out was removed, also where a folder above did. Of several
 * the last alone has the cursor of the change: who goes on after another hears it again.
 */
function seenBy(change: Change, { caller, visible }: Call, workspace: Workspace): Change[] {
  const { from, ...rest } = change;
  const arrives = visible(change.path);
  if (from === undefined) return arrives ? [change] : [];
  const leaves = visible(from);
  if (arrives && leaves) return [change];
  const seen: Change[] = [];
  if (leaves) seen.push({ ...rest, path: from, what: 'removed', after: null });
  if (arrives) seen.push({ ...rest, what: 'created', before: null });
  const along = { ...rest, before: null, after: null };
  for (const path of change.kind === 'directory' ? (caller.paths ?? []) : []) {
    if (path.startsWith(`${from}/`) && !leaves) {
      const kind = kindAt(workspace, change.path + path.slice(from.length)) ?? kindAt(workspace, path) ?? 'directory';
      seen.push({ ...along, path, kind, what: 'removed' });
    } else if (path.startsWith(`${change.path}/`) && !arrives) {
      const kind = kindAt(workspace, path);
      if (kind !== undefined) seen.push({ ...along, path, kind, what: 'created' });
    }
  }
  const before = workspace.journal.cursorOf(change.revision - 1);
  return seen.map((one, index) => (index === seen.length - 1 ? one : { ...one, cursor: before }));
}

/** A folder came from where the caller may not look: of what came along in it no change tells. */
function isUntold(change: Change, seen: readonly Change[]): boolean {
  return change.what === 'moved' && seen.some(({ what, kind }) => what === 'created' && kind === 'directory');
}

function kindAt(workspace: Workspace, path: string): EntryKind | undefined {
  try {
    return workspace.entry(path)?.kind;
  } catch {
    // A link on the way leads out.
    return undefined;
  }
}

function durabilityOf(input: { durability: 'default' | 'none' | 'file' | 'full' }): 'none' | 'file' | 'full' | undefined {
  return input.durability === 'default' ? undefined : input.durability;
}

async function contentNow(workspace: Workspace, path: string, call: Pick<Call, 'signal' | 'confirmScope'>): Promise<string> {
  await workspace.liveText?.catchUp(path);
  call.confirmScope();
  const live = workspace.liveText?.read(path);
  if (live !== undefined) return hashBytes(live.raw);
  const opened = await workspace.open(path, call.signal);
  fs.closeSync(opened.descriptor);
  opened.release();
  return opened.content;
}

function rangeOf(input: Input<Files['files.read']>): LineRange | undefined {
  const { startLine, endLine, head, tail } = input;
  const ways = [startLine ?? endLine, head, tail].filter((way) => way !== undefined);
  if (ways.length > 1) throw new OutriggerError('BAD_INPUT', 'Only one of startLine and endLine, head, tail may be given.');
  if (tail !== undefined) return { tail };
  if (head !== undefined) return { start: 1, end: head };
  if (startLine === undefined && endLine === undefined) return undefined;
  const range = { start: startLine ?? 1, end: endLine ?? Number.POSITIVE_INFINITY };
  if (range.end < range.start) throw new OutriggerError('BAD_INPUT', `endLine ${range.end} comes before startLine ${range.start}.`);
  return range;
}

function readLive(input: Input<Files['files.read']>, live: { raw: string; unsaved: boolean }): Output<Files['files.read']> {
  const range = rangeOf(input);
  const facts = { path: input.path, etag: etagOf(hashBytes(live.raw)), size: Buffer.byteLength(live.raw), unsaved: live.unsaved };
  if (range === undefined) return withBom(facts, live.raw);
  const lines = live.raw.split(/(?<=\n)/);
  if (lines.at(-1) === '') lines.pop();
  const start = 'tail' in range ? Math.max(0, lines.length - range.tail) : range.start - 1;
  const end = 'tail' in range ? lines.length : range.end;
  return withBom({ ...facts, lines: lines.length, startLine: start + 1 }, lines.slice(start, end).join(''));
}

async function readSomeLines(
  workspace: Workspace,
  path: string,
  range: LineRange,
  maxBytes: number,
  signal: AbortSignal,
): Promise<Output<Files['files.read']>> {
  const opened = await workspace.open(path, signal);
  try {
    const found = await readLines(opened.descriptor, opened.stat.size, range, maxBytes, signal);
    if (found.tooLarge) throw new OutriggerError('OUTPUT_TOO_LARGE', `Those lines of ${path} hold more than ${maxBytes} bytes.`);
    const raw = decodeText(found.bytes);
    if (raw === undefined) throw new OutriggerError('NOT_TEXT', `${path} is not UTF-8 text.`);
    const facts = { path, etag: etagOf(opened.content), size: opened.stat.size, lines: found.lines, startLine: found.startLine };
    // Elsewhere than at the start of the file it is a character like others.
    return found.startLine === 1 ? withBom(facts, raw) : { ...facts, text: raw };
  } finally {
    fs.closeSync(opened.descriptor);
    opened.release();
  }
}

function withBom<Facts extends object>(facts: Facts, raw: string): Facts & { text: string; bom?: boolean } {
  return raw.charCodeAt(0) === BOM ? { ...facts, text: raw.slice(1), bom: true } : { ...facts, text: raw };
}

async function download(
  workspace: Workspace,
  input: Input<Files['files.download']>,
  signal: AbortSignal,
): Promise<{ head: Output<Files['files.download']>; bytes: AsyncIterable<Uint8Array> }> {
  const { path } = input;
  const { descriptor, stat, content, release } = await workspace.open(path, signal);
  try {
    const etag = etagOf(content);
    const facts = {
      path,
      etag,
      size: stat.size,
      acceptRanges: 'bytes' as const,
      mimeType: mimeTypeOf(path),
      modified: stat.mtime.toUTCString(),
    };
    if (input.ifMatch !== undefined) checkConditions(path, content, { ifMatch: input.ifMatch });
    if (input.ifNoneMatch !== undefined && isSameContent(path, content, input.ifNoneMatch)) {
      return { head: { ...facts, length: 0, partial: false, notModified: true }, bytes: new FileBytes(descriptor, 0, 0, release) };
    }
    const wanted =
      input.range !== undefined && (input.ifRange === undefined || input.ifRange === etag)
        ? parseByteRange(input.range, stat.size)
        : undefined;
    if (wanted === 'unsatisfiable') {
      throw new OutriggerError('OUT_OF_RANGE', `${path} holds ${stat.size} bytes; the range is outside.`, { details: { size: stat.size } });
    }
    const { start, end } = wanted ?? { start: 0, end: stat.size };
    const head: Output<Files['files.download']> = { ...facts, length: end - start, partial: wanted !== undefined, notModified: false };
    if (wanted !== undefined) head.contentRange = `bytes ${start}-${end - 1}/${stat.size}`;
    return { head, bytes: new FileBytes(descriptor, start, end, release) };
  } catch (error) {
    fs.closeSync(descriptor);
    release();
    throw fileError(error, path);
  }
}

function isSameContent(path: string, content: string, ifNoneMatch: string): boolean {
  try {
    checkConditions(path, content, { ifNoneMatch });
    return false;
  } catch {
    return true;
  }
}

/** Throws where UTF-8 can't hold the text: half of a surrogate pair would be stored as another character. */
function storable(path: string, text: string): string {
  if (text.isWellFormed()) return text;
  throw new OutriggerError('BAD_INPUT', `The text for ${path} holds a lone surrogate, which UTF-8 can't store.`);
}

/** A reader is not shown the byte order mark, so a writer can't give it back. */
function keepBom(text: string, had: boolean): string {
  return had && text.charCodeAt(0) !== BOM ? String.fromCharCode(BOM) + text : text;
}

/** Edits an open document, in one turn; where they take longer they are worked out before, and again when somebody typed meanwhile. */
async function editLive(
  workspace: Workspace,
  work: EditWork,
  giveWay: () => Promise<void> | undefined,
  input: Input<Files['files.edit']>,
  call: Pick<Call, 'caller' | 'requestId' | 'confirmScope'>,
): Promise<LiveWritten | undefined> {
  const { path } = input;
  for (let attempt = 1; ; attempt++) {
    let isLate = false;
    const change = (raw: string): string => {
      checkConditions(path, hashBytes(raw), input);
      const result = work.result(raw, TURN_MS);
      if (result !== undefined) return result;
      isLate = true;
      throw new OutriggerError('BUSY_FILE', `${path} kept changing while its edits were worked out. Nothing was written.`);
    };
    try {
      return await workspace.liveText?.write(path, change, causeOf(call));
    } catch (error) {
      if (!isLate || attempt === MAX_EDIT_ATTEMPTS) throw error;
    }
    await work.finish(giveWay);
    call.confirmScope();
  }
}

/**
 * Edits speak of lines that end in LF; the file keeps its own line ends and byte order mark. They may add as much as a whole text may hold; stops as
 * planReplacements does.
 */
function* editRaw(
  path: string,
  raw: string,
  edits: Input<Files['files.edit']>['edits'],
  maxTextBytes: number,
): Generator<undefined, string> {
  const { text, format } = splitFormat(raw);
  const alike = keepsFormat(raw);
  const body = alike ? text : format.bom ? raw.slice(1) : raw;
  const planned = yield* planReplacements(body, alike ? edits.map(withLf) : edits, raw.length + maxTextBytes);
  if ('problem' in planned) throw editError(path, planned.problem);
  return storable(path, alike ? joinFormat(planned.result, format) : keepBom(planned.result, format.bom));
}

function withLf(edit: Input<Files['files.edit']>['edits'][number]): Input<Files['files.edit']>['edits'][number] {
  const lf = (text: string): string => text.replaceAll('\r\n', '\n');
  return 'find' in edit ? { ...edit, find: lf(edit.find), replace: lf(edit.replace) } : { ...edit, text: lf(edit.text) };
}

function editError(path: string, problem: EditProblem): OutriggerError {
  return new OutriggerError(editReasons[problem.problem], `${path}, edit ${problem.edit + 1}: ${problem.text} Nothing was written.`, {
    details: { edit: problem.edit },
  });
}

async function* limitBytes(body: AsyncIterable<Uint8Array>, maxBytes: number): AsyncGenerator<Uint8Array, void, undefined> {
  let count = 0;
  for await (const chunk of body) {
    count += chunk.length;
    if (count > maxBytes) throw new OutriggerError('INPUT_TOO_LARGE', `An upload may hold ${maxBytes} bytes.`);
    yield chunk;
  }
}

async function gather(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let count = 0;
  for await (const chunk of body) {
    count += chunk.length;
    if (count > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
