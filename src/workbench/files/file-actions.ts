import { type Signal, signal } from '@preact/signals';
import type { Entry } from '../../contract/files.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import { joinPath, nameOf } from '../file-paths.ts';
import { type DroppedFile, droppedFiles } from './dropped-files.ts';
import type { ToastAction, Toasts } from '../shell/toasts.ts';
import { count, list } from '../words.ts';
import type { TreeStore } from './tree-store.ts';

/** What an undone delete puts back; more than this is asked about first, because it could not be kept. */
const keepFiles = 500;
const keepBytes = 64 * 1024 * 1024;
const noUndo = `There is no Undo for what holds a git repository, more than ${count(keepFiles, 'file')} or more than 64 MiB.`;

interface Kept {
  path: string;
  mode: number;
  /** Both undefined of a folder. */
  content: Blob | undefined;
  etag: string | undefined;
}

interface Move {
  from: string;
  to: string;
}

/** What somebody was told to stand at a path. */
type Seen = Pick<Entry, 'kind' | 'size' | 'modified'>;

/** Why a thing that was kept is not removed: it is another, or more, or gone. */
const changed: ReadonlySet<string> = new Set(['ETAG_MISMATCH', 'NOT_EMPTY', 'FILE_NOT_FOUND', 'NOT_A_DIRECTORY']);

/** What can be done to files from the tree: each says what it did, and what it could not. */
export class FileActions {
  /** So many files are being uploaded, or put back, of which so many are over; undefined where none is. */
  readonly uploading: Signal<{ over: number; of: number } | undefined> = signal(undefined);
  readonly #client: WorkbenchClient;
  readonly #tree: TreeStore;
  readonly #toasts: Toasts;
  /** What is being deleted, until it is gone or was refused. */
  readonly #going = new Set<string>();
  /** What was deleted last, and the toast by which it can be undone. */
  #undoable: { toast: number; kept: readonly Kept[]; removed: number } | undefined;

  constructor(client: WorkbenchClient, tree: TreeStore, toasts: Toasts) {
    this.#client = client;
    this.#tree = tree;
    this.#toasts = toasts;
  }

  /** Answers the path when it was made. */
  async create(folder: string, name: string, kind: 'file' | 'directory'): Promise<string | undefined> {
    const path = joinPath(folder, name);
    try {
      if (kind === 'file') await this.#client.call('files.create', { path });
      else await this.#client.call('files.mkdir', { path });
      this.#tree.model.insert({ path, kind });
      await this.#tree.reveal(path);
      this.#tree.changed();
      return path;
    } catch (error) {
      this.#toasts.fail(`Not made: ${name}`, error);
      return undefined;
    }
  }

  async move(from: string, to: string): Promise<boolean> {
    if (from === to) return true;
    try {
      await this.#client.call('files.move', { from, to });
      return true;
    } catch (error) {
      this.#toasts.fail(`Not ${nameOf(from) === nameOf(to) ? 'moved' : 'renamed'}: ${nameOf(from)}`, error);
      return false;
    }
  }

  /** Into a folder, keeping their names. */
  async moveInto(paths: readonly string[], folder: string): Promise<void> {
    const wanted = paths
      .map((from) => ({ from, to: joinPath(folder, nameOf(from)) }))
      .filter(({ from, to }) => to !== from && !`${folder}/`.startsWith(`${from}/`));
    const moved = await this.#moveEach(wanted);
    if (moved.length === 0) return;
    this.#toasts.say(moved.length === 1 ? `Moved ${nameOf(moved[0]?.to ?? '')}` : `Moved ${count(moved.length, 'entry', 'entries')}`, {
      text: folder === '' ? 'To the top of the workspace.' : `To ${folder}.`,
      actions: [{ label: 'Undo', run: () => void this.#moveEach(moved.toReversed().map(({ from, to }) => ({ from: to, to: from }))) }],
    });
  }

  /** Keeping their names. Gives those that were moved, and says which were not. */
  async #moveEach(pairs: readonly Move[]): Promise<Move[]> {
    const { done, left, problem } = await tryEach(pairs, (pair) => this.#client.call('files.move', pair));
    this.#sayLeft(
      'Not moved',
      left.map(({ from }) => nameOf(from)),
      problem,
    );
    return done;
  }

  /** In one toast: there is room for three. */
  #sayLeft(what: string, names: readonly string[], problem: unknown, actions: readonly ToastAction[] = []): void {
    if (names.length > 0) this.#toasts.fail(`${what}: ${list(names)}`, problem, actions);
  }

  /** Never asks, because it can be undone; where it could not, it asks. What is being deleted already is left to that. */
  async remove(paths: readonly string[]): Promise<void> {
    const going = [...this.#going];
    const isWithin = (path: string, others: readonly string[]): boolean => others.some((other) => path.startsWith(`${other}/`));
    const tops = paths.filter((path) => !isWithin(path, paths) && !isWithin(path, going) && !going.includes(path));
    if (tops.length === 0) return;
    const title = tops.length === 1 ? nameOf(tops[0] ?? '') : count(tops.length, 'entry', 'entries');
    for (const path of tops) this.#going.add(path);
    try {
      const kept = await this.#keep(tops);
      if (kept === undefined) {
        this.#toasts.say(`Delete ${title} for good?`, {
          text: `Nothing is deleted yet. ${noUndo}`,
          actions: [{ label: 'Delete for good', run: () => void this.#removeNow(tops, title, undefined) }],
        });
        return;
      }
      await this.#removeNow(tops, title, kept);
    } catch (error) {
      this.#toasts.fail(`Not deleted: ${title}`, error);
    } finally {
      for (const path of tops) this.#going.delete(path);
    }
  }

  async #removeNow(paths: readonly string[], title: string, kept: readonly Kept[] | undefined): Promise<void> {
    let removed = 0;
    const { left, problem } = await tryEach(paths, async (path) => {
      removed += (await this.#client.call('files.remove', { path, recursive: true })).removed;
      this.#tree.removed(path);
    });
    this.#sayLeft('Not deleted', left.map(nameOf), problem);
    if (removed === 0) return;
    const name = paths.length === 1 ? title : undefined;
    if (kept === undefined) this.#toasts.say(deleted(removed, name));
    else this.#sayUndoable(kept, removed, name);
  }

  /** One toast for all that can be undone now: a second one would push out the first, which is all that is left of its files. */
  #sayUndoable(kept: readonly Kept[], removed: number, name: string | undefined): void {
    const before = this.#undoable !== undefined && this.#toasts.has(this.#undoable.toast) ? this.#undoable : undefined;
    if (before !== undefined) this.#toasts.dismiss(before.toast);
    // The latest first: it may be the folder of what went before.
    const all = [...kept, ...(before?.kept ?? [])];
    const total = removed + (before?.removed ?? 0);
    const only = before === undefined ? name : undefined;
    const undo = (): void => void this.#putBack(all, only ?? entries(total));
    const toast = this.#toasts.say(deleted(total, only), { actions: [{ label: 'Undo', run: undo }] });
    this.#undoable = { toast, kept: all, removed: total };
  }

  async #putBack(kept: readonly Kept[], title: string): Promise<void> {
    const { left, problem } = await this.#uploadEach(kept, ({ path, mode, content }) =>
      content === undefined
        ? this.#client.call('files.mkdir', { path })
        : this.#client.upload('files.upload', { path, mode, ifNoneMatch: '*' }, content),
    );
    // What is kept here is nowhere else.
    if (left.length > 0) {
      const what = left.length === kept.length ? title : `${count(left.length, 'entry', 'entries')} of ${title}`;
      this.#toasts.fail(`Not brought back: ${what}`, problem, [{ label: 'Try again', run: () => void this.#putBack(left, title) }]);
      return;
    }
    this.#toasts.say(`Brought back ${title}`);
    const [first] = kept;
    if (first !== undefined) await this.#tree.reveal(first.path);
  }

  /**
   * Puts a text in the place of what is none, if that is what was `seen` there, and then is what is kept of it. Asks where it could not be kept: of a folder
   * nothing but its own time tells then whether it is the same. `text` is asked for when it is written. Never throws.
   */
  async writeOver(path: string, text: () => string, seen: Seen | undefined): Promise<void> {
    const name = nameOf(path);
    try {
      const kept = await this.#keep([path]);
      // What is kept is what was seen, if that is what is there still.
      await this.#mustBe(path, seen);
      if (kept !== undefined) return await this.#writeOverNow(path, text, kept);
      const removeAll = async (): Promise<void> => {
        await this.#mustBe(path, seen);
        await this.#client.call('files.remove', { path, recursive: true });
      };
      this.#toasts.say(`Save over ${name} for good?`, {
        text: `Nothing is changed yet. ${noUndo}`,
        actions: [{ label: 'Save over it', run: () => void this.#writeOverNow(path, text, [], removeAll) }],
      });
    } catch (error) {
      this.#toasts.fail(`Not saved: ${name}`, error);
    }
  }

  async #writeOverNow(
    path: string,
    text: () => string,
    kept: readonly Kept[],
    remove = (): Promise<void> => this.#removeKept(kept),
  ): Promise<void> {
    const name = nameOf(path);
    const bringBack = async (): Promise<void> => {
      try {
        await this.#client.call('files.remove', { path });
        await this.#putBack(kept, name);
      } catch (error) {
        this.#toasts.fail(`Not brought back: ${name}`, error, [{ label: 'Try again', run: () => void bringBack() }]);
      }
    };
    try {
      await remove();
    } catch (error) {
      return void this.#toasts.fail(`Not saved: ${name}`, error);
    }
    try {
      await this.#client.call('files.write', { path, text: text() });
      const undo = kept.length === 0 ? {} : { actions: [{ label: 'Undo', run: () => void bringBack() }] };
      this.#toasts.say(`Saved your text over ${name}`, undo);
    } catch (error) {
      const back = { label: 'Bring back what was there', run: () => void this.#putBack(kept, name) };
      this.#toasts.fail(`Not saved: ${name}`, error, kept.length === 0 ? [] : [back]);
    }
  }

  /** Throws FILE_CHANGED where something else stands at the path. */
  async #mustBe(path: string, seen: Seen | undefined): Promise<void> {
    const { entry } = await this.#client.call('files.stat', { path });
    if (entry?.kind !== seen?.kind || entry?.size !== seen?.size || entry?.modified !== seen?.modified) throw changedMeanwhile(path);
  }

  /** Removes what is kept and nothing else, or nothing: throws FILE_CHANGED where it is another by now, or more. */
  async #removeKept(kept: readonly Kept[]): Promise<void> {
    const removed: Kept[] = [];
    try {
      for (const one of kept.toReversed()) {
        const { path, etag } = one;
        await this.#client.call('files.remove', { path, ...(etag === undefined ? {} : { ifMatch: etag }) });
        removed.unshift(one);
      }
    } catch (error) {
      const [top] = kept;
      if (removed.length > 0) await this.#putBack(removed, entries(removed.length));
      throw top !== undefined && changed.has(errorFacts(error).reason) ? changedMeanwhile(top.path) : error;
    }
  }

  /** Everything below the paths as it is now; undefined when that is too much to hold, or could not be put back by everybody. */
  async #keep(paths: readonly string[]): Promise<Kept[] | undefined> {
    const kept: Kept[] = [];
    let bytes = 0;
    for (const path of paths) {
      const { entry } = await this.#client.call('files.stat', { path });
      if (entry === undefined) continue;
      const entries = [entry];
      if (entry.kind === 'directory') {
        const stream = this.#client.stream('files.list', { path, recursive: true, includeIgnored: 'enter', limit: keepFiles + 1 });
        for await (const below of stream) entries.push(below);
      }
      for (const { path: each, kind, mode, size } of entries) {
        bytes += size;
        if (each.split('/').includes('.git')) return undefined;
        if (kept.length >= keepFiles || bytes > keepBytes || (kind !== 'file' && kind !== 'directory')) return undefined;
        kept.push({ path: each, mode, ...(kind === 'directory' ? { content: undefined, etag: undefined } : await this.#download(each)) });
      }
    }
    return kept;
  }

  async #download(path: string): Promise<{ content: Blob; etag: string }> {
    const { output, bytes } = await this.#client.download('files.download', { path });
    const chunks: BlobPart[] = [];
    for await (const chunk of bytes) chunks.push(chunk as Uint8Array<ArrayBuffer>);
    return { content: new Blob(chunks), etag: output.etag };
  }

  /** What was dropped on a folder from outside the browser. Must be called while the event is handled. */
  async drop(folder: string, transfer: DataTransfer): Promise<void> {
    const unread: string[] = [];
    let problem: unknown;
    const dropped = await droppedFiles(transfer, (path, error) => {
      problem ??= error;
      unread.push(path);
    });
    this.#sayLeft('Not read', unread, problem);
    await this.upload(folder, dropped);
  }

  async upload(folder: string, files: readonly DroppedFile[]): Promise<void> {
    const there: { to: string; file: Blob }[] = [];
    let done = 0;
    const { left, problem } = await this.#uploadEach(files, async ({ path, file }) => {
      const to = joinPath(folder, path);
      try {
        await this.#client.upload('files.upload', { path: to, ifNoneMatch: '*' }, file);
        done += 1;
      } catch (error) {
        const { reason } = errorFacts(error);
        if (reason !== 'ETAG_MISMATCH' && reason !== 'FILE_EXISTS') throw error;
        there.push({ to, file });
      }
    });
    this.#sayLeft(
      'Not uploaded',
      left.map(({ path }) => path),
      problem,
      [{ label: 'Try again', run: () => void this.upload(folder, left) }],
    );
    const [first] = there;
    if (first !== undefined) {
      const isOne = there.length === 1;
      this.#toasts.say(isOne ? `${nameOf(first.to)} exists already` : `${count(there.length, 'file')} exist already`, {
        text: isOne ? 'It was left as it is.' : 'They were left as they are.',
        actions: [{ label: isOne ? 'Replace it' : 'Replace them', run: () => void this.#replace(there) }],
      });
    }
    if (done > 0)
      this.#toasts.say(`Uploaded ${count(done, 'file')}`, { text: folder === '' ? 'To the top of the workspace.' : `To ${folder}.` });
  }

  /** As `tryEach`, and counts them. */
  #uploadEach<T>(all: readonly T[], run: (one: T) => Promise<unknown>): Promise<Tried<T>> {
    const { over, of } = this.uploading.value ?? { over: 0, of: 0 };
    if (all.length > 0) this.uploading.value = { over, of: of + all.length };
    return tryEach(all, (one) => run(one).finally(() => this.#oneOver()));
  }

  #oneOver(): void {
    const { over, of } = this.uploading.value ?? { over: 0, of: 0 };
    this.uploading.value = over + 1 < of ? { over: over + 1, of } : undefined;
  }

  async #replace(files: readonly { to: string; file: Blob }[]): Promise<void> {
    const { done, left, problem } = await this.#uploadEach(files, ({ to, file }) =>
      this.#client.upload('files.upload', { path: to }, file),
    );
    this.#sayLeft(
      'Not replaced',
      left.map(({ to }) => nameOf(to)),
      problem,
      [{ label: 'Try again', run: () => void this.#replace(left) }],
    );
    const [first] = done;
    if (first !== undefined) this.#toasts.say(`Replaced ${done.length === 1 ? nameOf(first.to) : count(done.length, 'file')}`);
  }
}

interface Tried<T> {
  done: T[];
  left: T[];
  problem: unknown;
}

/** One after the other, and the rest where one fails. Gives those that failed, and why the first of them did. */
async function tryEach<T>(all: readonly T[], run: (one: T) => Promise<unknown>): Promise<Tried<T>> {
  const done: T[] = [];
  const left: T[] = [];
  let problem: unknown;
  for (const one of all) {
    try {
      await run(one);
      done.push(one);
    } catch (error) {
      problem ??= error;
      left.push(one);
    }
  }
  return { done, left, problem };
}

function changedMeanwhile(path: string): Error {
  const message = `What has the place of ${nameOf(path)} on disk changed meanwhile. Nothing was written over it, and your text is kept.`;
  return Object.assign(new Error(message), { reason: 'FILE_CHANGED', code: 'aborted' });
}

function entries(number: number): string {
  return count(number, 'entry', 'entries');
}

function deleted(number: number, name: string | undefined): string {
  return `Deleted ${number === 1 && name !== undefined ? name : entries(number)}`;
}
