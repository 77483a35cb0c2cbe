import { OutriggerError } from '../../contract/errors.ts';
import type { files } from '../../contract/files.ts';
import type { history } from '../../contract/history.ts';
import type { Call, Implementations, Output } from '../../contract/operation.ts';
import { type Clash, takeBack } from '../../core/take-back.ts';
import { decodeText, etagOf, hashBytes } from '../workspace/content.ts';
import type { PastChange } from '../workspace/change-row.ts';
import type { PathHistory } from '../workspace/path-history.ts';
import { keepBom, withBom } from '../workspace/stored-text.ts';
import type { KeptTexts } from './kept-texts.ts';

/** Times that a file is brought back, or a change taken back, anew where it is another one by the time that it is written. */
const ATTEMPTS = 4;
const MAX_TOLD = 100;

type Files = Implementations<typeof files>;
type Side = 'before' | 'after';

export interface HistoryDependencies {
  past: PathHistory;
  texts: KeptTexts;
  /** By which files are read and written, as if the caller had asked for that. */
  files: Pick<Files, 'files.read' | 'files.write' | 'files.remove'>;
  /** Of a regular file, in this turn; null where there is none, undefined where it can't be had. */
  read: (path: string, maxBytes: number) => Uint8Array | null | undefined;
  /** Of the newest change. */
  revision: () => number;
  /** Saves what people typed there; gives the ETag of the text that is open then, undefined where none is. */
  saveTyped: (path: string) => Promise<string | undefined>;
}

export interface HistoryOptions {
  /** Longest text in one answer, bytes. */
  maxTextBytes: number;
  maxFileBytes: number;
}

/** What a file held; null where there was none. */
interface Held {
  text: string | null;
  /** It began with a byte order mark, which is not in the text. */
  bom: boolean;
  hash: string | undefined;
  size: number;
}

export function historyOperations(dependencies: HistoryDependencies, options: HistoryOptions): Implementations<typeof history> {
  const { past, texts, files: file, read, revision: revisionNow, saveTyped } = dependencies;

  /** Of another path it may be where the caller may not look. */
  const visibleTo = (call: Call): ((path: string) => boolean) | undefined => (call.caller.paths === undefined ? undefined : call.visible);

  const changeAt = (path: string, revision: number, call: Call): PastChange => {
    const change = past.at(path, revision, call.visible);
    if (change !== undefined) return change;
    throw new OutriggerError('VERSION_NOT_KEPT', `r${revision} is no change of ${path}, or of longer ago than changes are kept.`);
  };

  const heldAt = async (path: string, revision: number, side: Side, call: Call): Promise<Held> => {
    const change = changeAt(path, revision, call);
    const isGone = side === 'after' ? change.what === 'removed' : change.what === 'created';
    if (isGone) return { text: null, bom: false, hash: undefined, size: 0 };
    const hash = side === 'after' ? change.after : change.before;
    const bytes = hash === null ? undefined : await bytesOf(hash, path, call);
    const raw = bytes === undefined ? undefined : decodeText(bytes);
    if (hash === null || bytes === undefined || raw === undefined)
      throw new OutriggerError('VERSION_NOT_KEPT', `What ${path} held ${side} r${revision} is not kept.`);
    return { bom: false, ...withBom({}, raw), hash, size: bytes.length };
  };

  /** What is there now is not kept yet when it has just come. */
  const bytesOf = async (hash: string, path: string, call: Call): Promise<Uint8Array | undefined> => {
    const kept = await texts.get(hash, visibleTo(call));
    if (kept !== undefined) return kept;
    const there = read(path, options.maxFileBytes);
    return there !== null && there !== undefined && hashBytes(there) === hash ? there : undefined;
  };

  /** As it is now, unsaved edits included. */
  const now = async (path: string, call: Call): Promise<Pick<Output<(typeof files)['files.read']>, 'text' | 'etag'> | undefined> => {
    try {
      return await file['files.read']({ path, source: 'live' }, call);
    } catch (error) {
      if (error instanceof OutriggerError && error.reason === 'FILE_NOT_FOUND') return undefined;
      throw error;
    }
  };

  const write = (path: string, text: string, condition: { ifMatch?: string; ifNoneMatch?: string }, call: Call) =>
    file['files.write']({ path, text, ...condition, durability: 'default', parents: true }, call);

  /** Of text, in this turn. */
  const isThere = (hash: string, path: string): boolean => {
    const bytes = read(path, options.maxFileBytes);
    return bytes !== null && bytes !== undefined && hashBytes(bytes) === hash && decodeText(bytes) !== undefined;
  };

  /** Makes the file hold the result, where it still is the one that was read; `bom`: one that is made anew begins with a byte order mark. */
  const put = async (
    path: string,
    present: { text: string; etag: string } | undefined,
    result: Uint8Array | null,
    bom: boolean,
    call: Call,
  ): Promise<Output<(typeof history)['history.revert']>> => {
    if (result === null) {
      if (present === undefined) return { path, did: 'nothing', revision: revisionNow() };
      const { revision } = await file['files.remove']({ path, ifMatch: present.etag, recursive: false, missingOk: false }, call);
      return { path, did: 'removed', revision };
    }
    // One that is there keeps its own.
    const text = keepBom(Buffer.from(result).toString(), bom && present === undefined);
    const condition = present === undefined ? { ifNoneMatch: '*' } : { ifMatch: present.etag };
    const { revision, document, changed } = await write(path, text, condition, call);
    const did = !changed ? 'nothing' : present === undefined ? 'written' : 'edited';
    return { path, did, revision, ...(document === undefined ? {} : { document }) };
  };

  return {
    'history.list': ({ path, before, limit }, call) => {
      const { changes, more } = past.changesOf(path, before ?? Number.MAX_SAFE_INTEGER, limit, call.visible);
      const visible = visibleTo(call);
      const known = new Map<string, boolean>();
      const isKept = (hash: string | null): boolean => {
        if (hash === null) return false;
        const kept = known.get(hash) ?? texts.has(hash, visible);
        known.set(hash, kept);
        return kept;
      };
      const [newest] = before === undefined ? changes : past.changesOf(path, Number.MAX_SAFE_INTEGER, 1, call.visible).changes;
      const there = newest?.after ?? null;
      // It can be had whether or not it is kept, and whichever change left it.
      const given = there !== null && !isKept(there) && isThere(there, path) ? there : undefined;
      const versions = changes.map(({ from, kind: _kind, note: _note, ...facts }) => ({
        ...facts,
        ...(from !== undefined && call.visible(from) ? { from } : {}),
        kept: facts.after === given || isKept(facts.after),
        keptBefore: facts.before === given || isKept(facts.before),
      }));
      return { versions, more };
    },

    'history.read': async ({ path, revision, side }, call) => {
      const { text, hash, size } = await heldAt(path, revision, side, call);
      if (text === null || hash === undefined) throw notThere(path, revision, side);
      if (size > options.maxTextBytes)
        throw new OutriggerError('OUTPUT_TOO_LARGE', `${path} held ${size} bytes; the limit here is ${options.maxTextBytes}.`);
      return { text, size, etag: etagOf(hash) };
    },

    'history.restore': async ({ path, revision, side, ifMatch }, call) => {
      const { text, bom } = await heldAt(path, revision, side, call);
      if (text === null) throw notThere(path, revision, side);
      for (let attempt = 1; ; attempt++) {
        // What people typed is a text of its own, that can be brought back as well.
        const typed = await saveTyped(path);
        const etag = ifMatch ?? typed;
        try {
          return await write(path, keepBom(text, bom), etag === undefined ? {} : { ifMatch: etag }, call);
        } catch (error) {
          if (ifMatch !== undefined || !isMismatch(error) || attempt === ATTEMPTS) throw error;
        }
      }
    },

    'history.revert': async ({ path, revision, first = revision, shared }, call) => {
      if (first > revision) throw new OutriggerError('BAD_INPUT', `r${first} came after r${revision}: the first is the older one.`);
      for (const step of new Set([first, revision]))
        if (changeAt(path, step, call).what === 'moved')
          throw new OutriggerError('BAD_INPUT', `r${step} moved ${path}: move it back instead.`);
      const made = bufferOf(await heldAt(path, revision, 'after', call));
      const before = await heldAt(path, first, 'before', call);
      const alone = bufferOf(before);
      for (let attempt = 1; ; attempt++) {
        // What people typed before is no part of what comes now, and stays when that is taken back.
        const typed = await saveTyped(path);
        const present = await now(path, call);
        if (typed !== undefined && typed !== present?.etag && attempt < ATTEMPTS) continue;
        const current = present === undefined ? null : Buffer.from(present.text);
        const { result, clashes } = takeBack(made, alone, current, shared === 'remove' ? 'remove' : 'keep');
        if (clashes.length > 0 && shared === 'ask') throw sharedError(path, clashes);
        try {
          return await put(path, present, result, before.bom, call);
        } catch (error) {
          if (!isMismatch(error) || attempt === ATTEMPTS) throw error;
        }
      }
    },
  };
}

function bufferOf({ text }: Held): Buffer | null {
  return text === null ? null : Buffer.from(text);
}

function isMismatch(error: unknown): boolean {
  return error instanceof OutriggerError && error.reason === 'ETAG_MISMATCH';
}

function notThere(path: string, revision: number, side: Side): OutriggerError {
  return new OutriggerError('VERSION_NOT_KEPT', `There was no ${path} ${side} r${revision}.`);
}

function sharedError(path: string, clashes: readonly Clash[]): OutriggerError {
  return new OutriggerError(
    'HUNKS_SHARED',
    `${path}: ${clashes.length === 1 ? 'a place was' : `${clashes.length} places were`} changed again since. Nothing was changed.`,
    { details: { shared: clashes.slice(0, MAX_TOLD).map((clash) => ({ path, ...clash })), total: clashes.length } },
  );
}
