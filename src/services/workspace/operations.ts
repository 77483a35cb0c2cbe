import fs from 'node:fs';
import { actorOf, allowsLevel } from '../../contract/access.ts';
import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import type { files } from '../../contract/files.ts';
import { once } from '../../contract/once.ts';
import type { Call, Implementations, Input, Output } from '../../contract/operation.ts';
import { baseName, joinPath, parentPath } from '../../contract/paths.ts';
import type { BatchOutcome } from './batch.ts';
import { checkConditions, decodeText, etagOf, hashBytes } from './content.ts';
import { editLive, editRaw, MAX_EDIT_ATTEMPTS } from './edit-file.ts';
import { EditWork, slices } from './edit-work.ts';
import type { LiveWritten } from './live-text.ts';
import { download, rangeOf, readLive, readSomeLines } from './read-answers.ts';
import { entryOf } from './stats.ts';
import { beginsWithBom, keepBom, storable, withBom } from './stored-text.ts';
import type { Workspace } from './workspace.ts';
import type { Confirm, Written } from './write-request.ts';

/** How long a move waits for git. */
const PUTTING_WITHIN_MS = 10_000;
/** Times that a file is looked at anew which is there no more when it is read. */
const MAX_STAT_ATTEMPTS = 4;
const GONE: ReadonlySet<ErrorReason> = new Set<ErrorReason>(['FILE_NOT_FOUND', 'NOT_A_FILE', 'NOT_A_DIRECTORY']);

type Files = typeof files;
type WriteOutput = Output<Files['files.write']>;

/** What becomes of a text at a path, whatever it is by then; in the place of the edits of a change. Throws what does not fit. */
export type EditsByPath = ReadonlyMap<string, (raw: string) => string>;

/** The operation, as it is called from within. */
export type FilesBatch = (
  input: Input<Files['files.batch']>,
  call: Call,
  editsByPath?: EditsByPath,
) => Promise<Output<Files['files.batch']>>;

export interface FileOperationOptions {
  /** Longest text in one answer, bytes. */
  maxTextBytes: number;
  /** Longest upload, bytes. */
  maxUploadBytes: number;
}

/** Who makes a change by a call. */
function causeOf(call: Pick<Call, 'caller' | 'requestId'>): Cause {
  return { kind: 'connection', who: [actorOf(call.caller)], id: call.requestId };
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
    created: written.created,
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

  /** Where a caller may go is said by paths, and a link in the place of one would lead them elsewhere. */
  const guardPaths = ({ caller }: Pick<Call, 'caller'>, place: string): void => {
    for (const path of caller.paths ?? []) {
      const own = joinPath(workspace.realPath(parentPath(path)), baseName(path));
      if ([path, own].some((one) => one === place || one.startsWith(`${place}/`)))
        throw new OutriggerError(
          'OUT_OF_SCOPE',
          `${caller.name} is limited to ${path}, and can put nothing in its place by a move or as a link.`,
        );
    }
  };

  /** For one path that was asked for: it leads to where the caller may write. */
  const confirmed = (call: Call): Confirm => {
    return (place, arrives = false) => {
      call.confirmScope();
      guardGit(call, place);
      if (arrives) guardPaths(call, place);
    };
  };
  /** For an open document, in the turn in which it is changed: the call goes on, and the path leads to where its caller may write. */
  const confirmLive = (call: Call, path: string): void => {
    call.signal.throwIfAborted();
    confirmed(call)(workspace.realPath(path));
  };
  /** For what lies below the paths that were asked for, or behind links there. */
  const permitted = (call: Call): Confirm => {
    return (place, arrives = false) => {
      // First, and without its name: by links of others it may be anywhere.
      if (!call.reaches(place))
        throw new OutriggerError('OUT_OF_SCOPE', `This would write by a link to where ${call.caller.name} may not.`);
      guardGit(call, place);
      if (arrives) guardPaths(call, place);
    };
  };

  /** Who may run programs needs no trick to lead git elsewhere. */
  const putting = ({ caller, signal }: Call): (() => Promise<() => void>) | undefined => {
    if (allowsLevel(caller.access, 'execute') && caller.paths === undefined) return undefined;
    return () => workspace.sides.enter('putting', { signal, withinMs: PUTTING_WITHIN_MS });
  };
  const whilePutting = async <T>(call: Call, work: () => Promise<T>): Promise<T> => {
    const done = await putting(call)?.();
    try {
      return await work();
    } finally {
      done?.();
    }
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
      const folder = once(() => workspace.realPath(input.path));
      // No link is followed below the folder, so a path goes on there as the place does.
      const placeOf = (path: string): string => joinPath(folder(), input.path === '' ? path : path.slice(input.path.length + 1));
      let count = 0;
      for await (const entry of workspace.list(input.path, input.recursive, enter)) {
        // Secrets of the sidecar itself, which nobody may ask for either.
        if (!call.visibleAt(entry.path, placeOf(entry.path))) continue;
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
      for (let attempt = 1; ; attempt++) {
        const entry = workspace.entry(path);
        const { revision } = workspace.journal;
        if (entry === undefined) return { exists: false, revision };
        if (!hash || entry.kind !== 'file') return { exists: true, entry, revision };
        try {
          const { content, size, stat } = await contentNow(workspace, path, call);
          const facts = stat === undefined ? workspace.entry(path) : entryOf(path, stat, path);
          if (facts?.kind === 'file') return { exists: true, entry: { ...facts, size }, etag: etagOf(content), revision };
        } catch (error) {
          // Something else is there by now, or nothing.
          if (!(error instanceof OutriggerError && GONE.has(error.reason)) || attempt === MAX_STAT_ATTEMPTS) throw error;
        }
      }
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
          confirmLive(call, path);
          checkConditions(path, hashBytes(raw), input);
          if (input.mode !== undefined) workspace.giveMode(path, input.mode);
          return keepBom(text, beginsWithBom(raw));
        },
        cause,
      );
      if (live !== undefined) return liveAnswer(path, live);
      for (let attempt = 1; ; attempt++) {
        const bom = workspace.beginsWithBom(path);
        let isOther = false;
        const confirm: Confirm = (place, arrives) => {
          confirmed(call)(place, arrives);
          // The file is another one than when the bytes were made.
          isOther = workspace.beginsWithBom(path) !== bom;
          if (isOther) throw new OutriggerError('BUSY_FILE', `${path} kept changing while it was to be written.`);
        };
        const request = { ...input, durability: durabilityOf(input), cause, confirm, signal: call.signal };
        try {
          return answer(await workspace.write(path, Buffer.from(keepBom(text, bom)), request));
        } catch (error) {
          if (!isOther || attempt === MAX_EDIT_ATTEMPTS) throw error;
        }
      }
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
            confirm: confirmed(call),
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
      const giveWay = slices(call.signal);
      const live = await editLive(workspace, work, giveWay, input, { cause, confirm: () => confirmLive(call, path) });
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
              confirm: confirmed(call),
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
      const request = { ifMatch: input.ifMatch, cause: causeOf(call), confirm: confirmed(call), signal: call.signal };
      const removed = await workspace.remove(input.path, input.recursive, request).catch((error: unknown) => {
        // Somebody else was faster.
        if (input.missingOk && error instanceof OutriggerError && error.reason === 'FILE_NOT_FOUND') return 0;
        throw error;
      });
      return { ...step(input.path), removed };
    },

    'files.move': async (input, call) => {
      guardGit(call, input.from, input.to);
      await whilePutting(call, () =>
        workspace.move(input.from, input.to, {
          overwrite: input.overwrite,
          parents: input.parents,
          cause: causeOf(call),
          confirm: confirmed(call),
          signal: call.signal,
        }),
      );
      return step(input.to);
    },

    'files.batch': async (input, call, editsByPath?: EditsByPath) => {
      guardGit(call, ...input.changes.flatMap((change) => (change.op === 'move' ? [change.from, change.to] : [change.path])));
      const work = (): Promise<BatchOutcome> =>
        workspace.batch({
          changes: input.changes,
          durability: durabilityOf(input),
          dryRun: input.dryRun,
          returnBefore: input.returnBefore,
          cause: causeOf(call),
          signal: call.signal,
          maxTextBytes: options.maxTextBytes,
          maxAnswerBytes: options.maxTextBytes,
          edit: ({ path, edits }, raw) => {
            const made = editsByPath?.get(path)?.(raw);
            return made === undefined ? editRaw(path, raw, edits, options.maxTextBytes) : storable(path, made);
          },
          permit: permitted(call),
        });
      const outcome = await (input.changes.some(({ op }) => op === 'move') ? whilePutting(call, work) : work());
      return { ...outcome, cursor: workspace.journal.cursorOf(outcome.revision) };
    },

    'files.copy': async (input, call) => {
      guardGit(call, input.to);
      const copied = await workspace.copy(input.from, input.to, {
        overwrite: input.overwrite,
        parents: input.parents,
        cause: causeOf(call),
        mayRead: call.confirmScope,
        confirm: permitted(call),
        putting: putting(call),
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
        // Refused before a byte of it is taken.
        if (input.ifMatch !== undefined || input.ifNoneMatch !== undefined)
          checkConditions(path, (await contentNow(workspace, path, call)).content, input);
        const bytes = await gather(body, options.maxTextBytes);
        const text = bytes === undefined ? undefined : decodeText(bytes);
        if (text !== undefined) {
          const live = await workspace.liveText.write(
            path,
            (raw) => {
              confirmLive(call, path);
              checkConditions(path, hashBytes(raw), input);
              if (input.mode !== undefined) workspace.giveMode(path, input.mode);
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
              confirm: confirmed(call),
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
          confirm: confirmed(call),
          signal: call.signal,
        }),
      );
    },
  };
}

function durabilityOf(input: { durability: 'default' | 'none' | 'file' | 'full' }): 'none' | 'file' | 'full' | undefined {
  return input.durability === 'default' ? undefined : input.durability;
}

/** What a file holds, unsaved edits included. `stat`: the facts of then; undefined where an open document holds it. */
async function contentNow(
  workspace: Workspace,
  path: string,
  call: Pick<Call, 'signal' | 'confirmScope'>,
): Promise<{ content: string; size: number; stat: fs.Stats | undefined }> {
  await workspace.liveText?.catchUp(path);
  call.confirmScope();
  const live = workspace.liveText?.read(path);
  if (live !== undefined) return { content: hashBytes(live.raw), size: Buffer.byteLength(live.raw), stat: undefined };
  const { content, stat, descriptor, release } = await workspace.open(path, call.signal);
  fs.closeSync(descriptor);
  release();
  return { content, size: stat.size, stat };
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
