import fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import { baseName, joinPath, parentPath } from '../../contract/paths.ts';
import { type Durability, syncFolder } from './atomic-write.ts';
import type { Containment } from './containment.ts';
import { hashOrNull, statIdentity } from './content.ts';
import { errnoOf } from '../state/errno.ts';
import { fileError } from './file-errors.ts';
import { smallHash } from './file-now.ts';
import type { Folders } from './folders.ts';
import { type ChangeDraft, type Journal, underBothNames } from './journal.ts';
import type { KnownContents } from './known-contents.ts';
import type { LiveText } from './live-text.ts';
import { type LeftBehind, MoveByCopy } from './move-by-copy.ts';
import { existingAt, isSameFile, kindOf, lstatOrThrow, readNames } from './stats.ts';
import type { Temporaries } from './temporaries.ts';
import type { CopyOptions } from './write-request.ts';

export interface MovingHost {
  containment: Containment;
  journal: Journal;
  contents: KnownContents;
  temporaries: Temporaries;
  folders: Folders;
  durability: Durability;
  /** Milliseconds since 1970. */
  now: () => number;
  liveText(): LiveText | undefined;
  /** Told of each file that is about to be replaced. */
  about(path: string, cause: Cause): void;
  /** A folder was moved, and that is told as one change. */
  rememberMove(from: string, to: string, cause: Cause): void;
}

/** Moves within the folder. */
export class Moving {
  readonly #host: MovingHost;
  /** What was copied to another file system, and is told to be there, while its source is removed. */
  readonly #leaving = new Set<string>();

  constructor(host: MovingHost) {
    this.#host = host;
  }

  /**
   * Renames within the folder; open documents are saved first and follow. To another file system it is a copy, and the removal of what was copied. An abort
   * ends it only before anything is changed. Throws BUSY_FILE when all is at `to`, but what was changed meanwhile stays where it was.
   */
  async move(from: string, to: string, { signal, ...options }: CopyOptions): Promise<void> {
    try {
      this.#moveNow(from, to, options);
    } catch (error) {
      if (errnoOf(error) !== 'EXDEV') throw error;
      await this.#moveByCopy(from, to, { signal, ...options });
    }
  }

  /** Whether a path was told to be moved, and what stands there is about to be removed. */
  isLeaving(wirePath: string): boolean {
    return this.#leaving.has(wirePath);
  }

  async #moveByCopy(from: string, to: string, { signal, ...options }: CopyOptions): Promise<void> {
    const held = await this.#host.liveText()?.hold([from, to]);
    try {
      for (const document of held?.all ?? []) await document.save();
      const [source, target] = [this.#placeOf(from), this.#placeOf(to)];
      const copy = await MoveByCopy.make(this.#host, source, target, signal);
      for (const one of [from, source]) this.#leaving.add(one);
      // The old place may take long to go, and whatever comes to the new one meanwhile is told by itself.
      const told = new Set<string>();
      const stop = this.#host.journal.onChanges((changes) => {
        for (const { path } of changes) told.add(path);
      });
      try {
        this.#moveNow(from, to, options, copy);
        if (this.#host.durability === 'full') await this.#syncParent(target);
        const left = await copy.removeSource(target, (path, content) => {
          if (!told.has(path)) this.#host.journal.learn(path, content);
        });
        if (left.length > 0) this.#tellLeft(from, to, left, options.cause);
      } finally {
        stop();
        for (const one of [from, source]) this.#leaving.delete(one);
        copy.discard();
      }
    } finally {
      held?.release();
    }
  }

  /** `copy`: what takes the place of `from` where that can't be renamed, which throws EXDEV. */
  #moveNow(from: string, to: string, options: Omit<CopyOptions, 'signal'>, copy?: MoveByCopy): void {
    using source = this.#host.containment.place(from, false);
    options.confirm?.(source.path);
    const stat = lstatOrThrow(source, from);
    // By a link, too, and before folders are made there.
    if (joinPath(this.#host.containment.realPath(parentPath(to)), baseName(to)).startsWith(`${source.path}/`))
      throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    using target = this.#host.folders.placeForWrite(to, {
      parents: options.parents,
      cause: options.cause,
      confirm: options.confirm,
      follow: false,
    });
    options.confirm?.(target.path, true);
    // By a link on the way, both may be one.
    if (target.path === source.path) return;
    if (target.path.startsWith(`${source.path}/`)) throw new OutriggerError('BAD_PATH', `${from} can't be moved into itself.`);
    const replaced = existingAt(target, source, stat);
    if (replaced !== undefined) {
      if (!options.overwrite) throw new OutriggerError('FILE_EXISTS', `${to} exists already.`);
      if (replaced.isDirectory() && !stat.isDirectory())
        throw new OutriggerError('NOT_A_FILE', `${to} is a folder: a file can't take its place.`);
      if (!replaced.isDirectory() && stat.isDirectory())
        throw new OutriggerError('NOT_A_DIRECTORY', `${to} is no folder: a folder can't take its place.`);
      // Else it would be told after all was copied.
      if (replaced.isDirectory() && readNames(target.at, to).length > 0)
        throw new OutriggerError('NOT_EMPTY', `${to} is a folder that is not empty.`);
    }
    if (replaced?.isFile()) this.#host.about(target.path, options.cause);
    const before = replaced === undefined ? null : (this.#host.contents.before(target.path, replaced) ?? smallHash(target, to, replaced));
    source.recheck();
    target.recheck();
    let moved = { stat, content: this.#host.contents.before(source.path, stat) ?? undefined };
    try {
      if (copy !== undefined) {
        if (copy.from !== source.path) throw new OutriggerError('BUSY_FILE', `${from} was put elsewhere by a link while it was moved.`);
        moved = copy.top;
        copy.install(target);
      }
      // Of two names of one file, rename would leave both.
      else if (replaced !== undefined && isSameFile(replaced, stat)) fs.unlinkSync(source.at);
      else fs.renameSync(source.at, target.at);
    } catch (error) {
      if (errnoOf(error) === 'EXDEV') throw error;
      throw fileError(error, errnoOf(error) === 'ENOENT' || replaced === undefined ? from : to);
    }
    this.#host.contents.forget(source.path);
    const drafts: ChangeDraft[] = [];
    if (replaced !== undefined) {
      const removed: ChangeDraft = { path: to, kind: kindOf(replaced), what: 'removed', before, after: null, cause: options.cause };
      drafts.push(...underBothNames(removed, target.path));
    }
    const known = hashOrNull(moved.content);
    const draft: ChangeDraft = { path: target.path, kind: kindOf(stat), what: 'moved', before: known, after: known, cause: options.cause };
    if (stat.isFile()) draft.size = moved.stat.size;
    if (stat.isDirectory()) this.#host.rememberMove(source.path, target.path, options.cause);
    else draft.content = moved.content ?? statIdentity(moved.stat);
    if (copy?.note !== undefined) draft.note = copy.note;
    // What has another name by a link is told of first: of where it lies now, that is the last word.
    if (from !== source.path) drafts.push({ ...draft, path: to, from });
    else if (to !== target.path) drafts.push({ ...draft, path: to, what: 'created', before: null });
    drafts.push({ ...draft, from: source.path });
    this.#host.journal.record(drafts);
  }

  /** Where a path lies, a link at its end not followed. */
  #placeOf(wirePath: string): string {
    using place = this.#host.containment.place(wirePath, false);
    return place.path;
  }

  async #syncParent(path: string): Promise<void> {
    using folder = this.#host.containment.directory(parentPath(path));
    await syncFolder(folder.at);
  }

  #tellLeft(from: string, to: string, left: readonly LeftBehind[], cause: Cause): never {
    this.#host.journal.record(
      left.map(({ path, stat }) => {
        const content = stat.isDirectory() ? {} : { content: statIdentity(stat) };
        return { path, kind: kindOf(stat), what: 'created', before: null, after: null, cause, ...content };
      }),
    );
    const paths = left.map(({ path }) => path);
    throw new OutriggerError(
      'BUSY_FILE',
      `${from} is at ${to} now, but ${paths.length} entries stay where they were, as they were changed meanwhile or may not be removed: ${paths.slice(0, 3).join(', ')}.`,
    );
  }
}
