import fs from 'node:fs';
import * as Y from 'yjs';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause, Change } from '../../contract/events.ts';
import type { DocumentInfo } from '../../contract/documents.ts';
import { diffText, type TextEdit } from '../../core/text-diff.ts';
import { isSameFormat } from '../../core/text-format.ts';
import { mergeEdits } from '../../core/text-merge.ts';
import { etagOf, hashBytes } from '../workspace/content.ts';
import { fileError } from '../workspace/file-errors.ts';
import type { HeldText, LiveContent, LiveWritten } from '../workspace/live-text.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { Actors, causeOf, parseActor } from './actors.ts';
import { type DiskText, readDisk, type SureContents, targetOf } from './disk-text.ts';
import type { DocumentStore, Saving } from './document-store.ts';
import { EditorBackup } from './editor-backup.ts';
import { FilePlace } from './file-place.ts';
import { type FileText, fileTextOf, rawTextOf, withoutNul } from './file-text.ts';
import { heal } from './healing.ts';
import { applyTextEdits, hashText, ownDoc, setSavedMark } from './lineage.ts';
import { unionTexts } from './merge.ts';
import { type Opened, openDocument } from './opening.ts';
import type { Pulse } from './pulse.ts';
import type { ReplacedFiles, Replacing } from './replaced-files.ts';
import { Room } from './room.ts';
import type { SavePace } from './save-pace.ts';
import { SaveTimer } from './save-timer.ts';
import { GROWS_TO, mostBytes, mostState } from './sizes.ts';

const SAVE_ATTEMPTS = 6;
const MISSED_AT_ONCE = 1000;
/** Of earlier lives, the last. */
const MOST_BASES = 4;

/** Origins of the document's own transactions. */
const FROM_DISK = 'disk';
const FROM_CALL = 'call';
const FROM_HEALING = 'healing';
const MARK = 'mark';

export interface DocumentDependencies {
  workspace: Workspace;
  store: DocumentStore;
  pulse: Pulse;
  pace: SavePace;
  replaced: ReplacedFiles;
  now: () => number;
  log: (event: string, facts: Record<string, unknown>) => void;
  /** Another document has come to its place while it was opened. */
  isTaken: () => boolean;
  /** It is made; called before anything else can happen. */
  opened: (document: Document) => void;
  /** A link leads elsewhere by now, and nothing in it is unsaved. */
  astray: (document: Document) => void;
  /** Its info changed. */
  changed: (document: Document) => void;
  /** Nobody is in it any more. */
  emptied: (document: Document) => void;
}

export interface DocumentOptions {
  textName: string;
  maxBytes: number;
  saveIdleMs: number;
  saveMaxMs: number;
  readOnly: boolean;
  /** For tests that must see the checks fail: what is stored is believed to be what the file holds. */
  trustState: boolean;
}

/** See LiveText.hold. */
export interface HeldDocument extends HeldText {
  /** May be called twice. */
  release(): void;
}

/** One text file open for editing: the Yjs document, its room, and how it is kept equal to the file. */
export class Document {
  readonly room: Room;
  readonly #dependencies: DocumentDependencies;
  readonly #options: DocumentOptions;
  readonly #id: number;
  readonly #place: FilePlace;
  readonly #backup = new EditorBackup();
  #ydoc: Y.Doc;
  #text: Y.Text;
  /** The text that the file holds, as far as we know: the base of merges. */
  #savedText: string;
  /** How the text is to stand in the file. */
  #manner: FileText;
  /** Content id of that; undefined when there is no file. */
  #savedContent: string | undefined;
  /** Texts that clients of an earlier life may have seen last, by hash. */
  readonly #bases = new Map<string, string>();
  /** Counts changes of the text. */
  #version = 0;
  #savedVersion = 0;
  #savedRevision: number;
  /** The save under way. */
  #underWay: Saving | undefined;
  #saves = 0;
  /** Counts the saves that made the file. */
  #made = 0;
  /** Not only calls have made what is unsaved, as far as it is known. */
  #isTyped = true;
  #deleted: boolean;
  #conflict: OutriggerError | undefined;
  #failure: OutriggerError | undefined;
  #saving = false;
  readonly #replacing: Replacing;
  readonly #actors = new Actors();
  #work: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  readonly #saveTimer: SaveTimer;
  #closed = false;
  /** Others than those who are here may hold its text, and edits to it. */
  #isAwaited: boolean;
  /** It began with what clients had of a file that was gone. */
  #isOfClients = false;
  /** Bytes of its state, as it was measured last, and of what came since. */
  #stateBytes: number;
  #cameBytes = 0;
  #raw: { version: number; manner: FileText; raw: string } | undefined;

  private constructor(path: string, opened: Opened, dependencies: DocumentDependencies, options: DocumentOptions) {
    this.#place = new FilePlace(dependencies.workspace, path, opened.target);
    this.#id = opened.id;
    this.#ydoc = opened.ydoc;
    this.#stateBytes = opened.stateBytes;
    this.#manner = opened.manner;
    this.#savedText = opened.savedText;
    this.#savedContent = opened.savedContent;
    this.#deleted = opened.savedContent === undefined;
    this.#isAwaited = !opened.isNew;
    this.#dependencies = dependencies;
    this.#options = options;
    this.#saveTimer = new SaveTimer({ pace: dependencies.pace, now: monotonic, save: () => void this.save() }, options);
    this.#savedRevision = dependencies.workspace.journal.revision;
    this.#text = this.#observe(opened.ydoc);
    this.room = new Room(opened.ydoc, opened.life, dependencies.pulse, {
      applied: (updates, names) => this.#applied(updates, names),
      heal: (update, name) => this.#heal(update, name),
      hasRoomFor: (bytes) => this.#hasRoomFor(bytes),
      rebuild: () => this.#rebuild(),
      failed: (what, error) => dependencies.log('documents.refused', { path: this.path, what, error }),
      presenceChanged: () => dependencies.changed(this),
      emptied: () => dependencies.emptied(this),
      now: monotonic,
    });
    this.#replacing = {
      mostBytes: () => mostBytes(options, this.#text.length),
      overtaken: (before, after) => void this.#exclusive(async () => this.#takeOvertaken(before, after)),
      refused: (why) => dependencies.log('documents.not-taken', { path: this.path, why }),
    };
    dependencies.opened(this);
  }

  /**
   * Opens the file at `path`, or nothing yet where there is none and `create` is set. Undefined where it was moved meanwhile, or another to its place: ask
   * again. Throws FILE_NOT_FOUND, NOT_A_FILE, DOCUMENT_BINARY, DOCUMENT_TOO_LARGE.
   */
  static async open(
    path: string,
    create: boolean,
    dependencies: DocumentDependencies,
    options: DocumentOptions,
  ): Promise<Document | undefined> {
    const { store } = dependencies;
    const stored = store.open(path);
    const begun = dependencies.workspace.journal.revision;
    const known = stored === undefined ? undefined : { content: stored.savedHash, text: stored.savedText };
    const maxBytes = stored === undefined ? options.maxBytes : mostBytes(options, Math.max(stored.savedText.length, stored.state.length));
    const disk = await readDisk(dependencies, path, maxBytes, known);
    // What changed between the look at the file and now was told to nobody. From here on nothing comes between.
    const missed = changesSince(dependencies.workspace, begun);
    if (missed === undefined || missed.some(({ from }) => from !== undefined && isAtOrBelow(path, from))) return undefined;
    if (dependencies.isTaken() || store.idAt(path) !== stored?.id) return undefined;
    const target = targetOf(dependencies.workspace, path);
    if (disk !== undefined && disk.place !== target) return undefined;
    const opened = openDocument({ path, create, stored, disk, target }, store, options);
    const document = new Document(path, opened, dependencies, options);
    document.#begin(opened, missed);
    return document;
  }

  #begin({ isNew, before, found }: Opened, missed: readonly Change[]): void {
    if (before !== undefined) this.wasAlso(before);
    if (isNew) this.wasAlso(this.#savedText);
    if (this.#textNow() !== this.#savedText) this.#touch();
    // A kill may have come between the save and its mark.
    if (found === undefined) setSavedMark(this.#ydoc, this.#savedText, MARK);
    else this.#takeDisk(found.disk, { apart: found.apart });
    for (const change of missed) {
      if (change.kind === 'directory') {
        if (change.what === 'moved' && isAtOrBelow(this.path, change.path)) this.refresh();
      } else if (change.path === this.path || change.path === this.target) this.noticed(change);
    }
  }

  get path(): string {
    return this.#place.path;
  }

  /** Where the path leads when links are followed. */
  get target(): string {
    return this.#place.target;
  }

  /** The text that its file holds, as far as it is known. */
  get savedText(): string {
    return this.#savedText;
  }

  /** Another file is behind the path by now. */
  get isLedElsewhere(): boolean {
    return this.#place.isLedElsewhere;
  }

  /** Something is under way that waits: a save, a look at the file. */
  get busy(): boolean {
    return this.#waiting > 0;
  }

  get dirty(): boolean {
    return this.#version !== this.#savedVersion;
  }

  /** Whether its text counts, and not what is there in its place: what is no text is about nobody's document unless somebody is in it. */
  get standsBeforeFile(): boolean {
    return this.dirty || !(this.#deleted || (this.#conflict !== undefined && this.room.size === 0));
  }

  info(): DocumentInfo {
    const info: DocumentInfo = {
      path: this.path,
      connections: this.room.size,
      people: this.room.presence.people(),
      state: this.#state(),
      etag: this.#savedContent === undefined ? null : etagOf(this.#savedContent),
      revision: this.#savedRevision,
      length: this.#text.length,
      eol: this.#manner.format.eol,
      bom: this.#manner.format.bom,
    };
    const problem = this.#conflict?.message ?? this.#failure?.message ?? this.#dependencies.store.problem;
    if (problem !== undefined) info.problem = problem;
    return info;
  }

  read(): LiveContent {
    // What came in this turn counts.
    this.room.flush();
    const [version, manner] = [this.#version, this.#manner];
    if (this.#raw?.version !== version || this.#raw.manner !== manner)
      this.#raw = { version, manner, raw: rawTextOf(this.#textNow(), manner) };
    return { raw: this.#raw.raw, unsaved: this.dirty };
  }

  /** See LiveText.catchUp. */
  async catchUp(): Promise<void> {
    if (!(await this.#isAsLeft())) await this.#lookInTurn();
  }

  /** Resolves when it has taken in what it was told of its file by now. */
  async settled(): Promise<void> {
    await this.#exclusive(() => Promise.resolve());
  }

  /** See LiveText.seen. */
  seen(content: string | null | undefined): void {
    if (content !== this.#savedContent && content !== this.#underWay?.hash) void this.#lookInTurn();
  }

  /**
   * See LiveText.write. Undefined where what stands in the place of the file by now is no text, or is to, and nobody is in the document: nothing but what calls
   * wrote is unsaved in it, which is to be about what is there. BAD_INPUT: people would have to leave for what is no text.
   */
  async write(change: (raw: string) => string, cause: Cause): Promise<LiveWritten | undefined> {
    const { raw } = this.read();
    const wanted = change(raw);
    if (wanted.includes('\0') && !raw.includes('\0')) {
      if (this.room.size === 0 && !this.dirty) return undefined;
      throw new OutriggerError('BAD_INPUT', `${this.path} is edited together: it can't hold a NUL.`);
    }
    if (!this.dirty) this.#isTyped = false;
    const next = fileTextOf(wanted, this.#manner.format);
    const edits = diffText(this.#textNow(), next.text);
    if (wanted !== raw) {
      // Line ends and byte order mark are the writer's to change, too.
      this.#standAs(next);
      for (const actor of cause.who ?? []) this.#actors.add(actor);
      applyTextEdits(this.#ydoc, this.#text, edits, FROM_CALL);
      if (edits.length === 0) this.#touch();
      this.room.flush();
    }
    const version = this.#version;
    const { revision } = this.#dependencies.workspace.journal;
    const created = await this.#exclusive(async () => {
      const made = this.#made;
      await this.#save(cause);
      return this.#made > made;
    });
    const problem = this.#failure ?? this.#conflict;
    if (problem !== undefined) {
      if (problem === this.#conflict && !this.#isTyped && this.room.size === 0) return undefined;
      const { reason, message, hint } = problem;
      throw new OutriggerError(reason, `${this.path} holds the edit, but can't be saved: ${message}`, { hint, cause: problem });
    }
    if (wanted !== raw && this.#savedVersion < version && !this.#options.readOnly)
      throw new OutriggerError('BUSY_FILE', `${this.path} holds the edit, but its file kept changing while it was saved.`);
    // Of what it wrote: others may have changed it again since, and a condition on that would be about their text.
    const etag = etagOf(hashBytes(wanted));
    return { etag, size: Buffer.byteLength(wanted), revision: Math.max(revision, this.#savedRevision), changed: wanted !== raw, created };
  }

  /** Saves what is unsaved; resolves when it is on disk or can't be. `cause`: who asked, when it was a call. */
  save(cause?: Cause): Promise<void> {
    return this.#exclusive(() => this.#save(cause));
  }

  /** Waits for what is under way; until `release` nothing but typing happens to the document. */
  hold(): Promise<HeldDocument> {
    return new Promise((resolve) => {
      void this.#exclusive(
        () =>
          new Promise<void>((release) =>
            resolve({
              isInUse: () => this.room.size > 0 || this.dirty,
              read: () => (this.#closed || !this.standsBeforeFile ? undefined : this.read()),
              saved: () => this.#savedContent,
              save: () => this.#save(undefined),
              refresh: () => this.#reconcile(),
              wrote: (raw, content) => {
                this.#takeDisk({ raw, content }, { whole: true });
                this.#dependencies.changed(this);
              },
              release,
            }),
          ),
      );
    });
  }

  /** The workspace changed this path. Called in the turn of the change. */
  noticed(change: Change): void {
    if (change.what === 'removed' && change.path === this.path && this.target !== this.path) {
      // The link alone: its file is still there.
      this.refresh();
      return;
    }
    if (change.what === 'removed') {
      if (change.cause.kind === 'outside') this.#place.taken();
      this.#deleted = true;
      this.#savedContent = undefined;
      this.#dependencies.changed(this);
      // What stood in the way of saving may be gone with it.
      if (this.#conflict !== undefined) this.refresh();
      return;
    }
    if (
      this.#conflict === undefined &&
      change.after !== null &&
      (change.after === this.#savedContent || change.after === this.#underWay?.hash)
    ) {
      this.#savedRevision = change.revision;
      return;
    }
    const content = change.after ?? undefined;
    // By a call it was made whole; a program may have begun it only.
    const isWhole = change.what === 'created' && change.cause.kind === 'connection';
    void this.#exclusive(() => this.#reconcile(isWhole ? { whole: content } : { settled: content }));
  }

  /** Looks at the file again. */
  refresh(): void {
    void this.#exclusive(() => this.#reconcile());
  }

  /** Clients who come back may have seen `text` last. */
  wasAlso(text: string): void {
    const hash = hashText(text);
    this.#bases.delete(hash);
    this.#bases.set(hash, text);
    const [oldest] = this.#bases.keys();
    if (this.#bases.size > MOST_BASES && oldest !== undefined) this.#bases.delete(oldest);
  }

  /** Where it was moved to is the backup of an editor. */
  backedUp(): void {
    this.#backup.made({ text: this.#savedText, content: this.#savedContent });
  }

  /** Back to where the editor has made its new file. */
  broughtBack(path: string): void {
    const looked = this.#backup.broughtBack();
    this.moved(path);
    // After the look that comes with the move; one that found no text is still to come.
    void this.#exclusive(async () => {
      if (this.#conflict === undefined && !this.#deleted) looked();
    });
  }

  moved(path: string): void {
    this.#isAwaited = true;
    this.#backup.moved();
    this.#place.moved(path);
    this.room.moved(path);
    this.#dependencies.store.rename(this.#id, path);
    this.#dependencies.changed(this);
    // Where the move came between the look at the file and the room, what was seen is of the old place.
    void this.#exclusive(() => this.#reconcile({ settled: this.#savedContent }));
  }

  checkpoint(): void {
    const text = this.#textNow();
    this.#dependencies.store.checkpoint(
      this.#id,
      Y.encodeStateAsUpdate(this.#ydoc),
      this.#savedContent ?? '',
      text === this.#savedText ? undefined : this.#savedText,
      this.#underWay,
    );
  }

  /** Nothing is remembered of it: what comes under its name is another document. */
  forget(): void {
    this.#dependencies.store.forget(this.#id);
  }

  /** Looks a last time at the files that its saves replaced, and keeps none of them open. */
  letGoOfReplaced(): void {
    this.#dependencies.replaced.look(this.#replacing);
    this.#dependencies.replaced.leave(this.#replacing);
  }

  /** Ends the room; the caller saved and checkpointed before. */
  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#saveTimer.clear();
    this.#dependencies.replaced.leave(this.#replacing);
    this.room.close(code, reason);
    this.#ydoc.destroy();
  }

  #state(): DocumentInfo['state'] {
    if (this.#conflict !== undefined) return 'conflict';
    if (this.#failure !== undefined) return 'failed';
    if (this.#deleted && !this.dirty) return 'deleted';
    if (this.#saving) return 'saving';
    return this.dirty ? 'unsaved' : 'saved';
  }

  #textNow(): string {
    return this.#text.toString();
  }

  /** The text, after what can't stand in a text file was replaced. */
  #withoutNul(): string {
    const text = this.#textNow();
    if (!text.includes('\0')) return text;
    applyTextEdits(this.#ydoc, this.#text, withoutNul(text), FROM_DISK);
    return this.#textNow();
  }

  #observe(ydoc: Y.Doc): Y.Text {
    const text = ydoc.getText(this.#options.textName);
    text.observe((_event, transaction) => {
      this.#version++;
      if (transaction.origin !== FROM_CALL) this.#isTyped = true;
      if (transaction.origin !== FROM_DISK) this.#scheduleSave();
    });
    return text;
  }

  #standAs(manner: FileText): void {
    const isNews = !isSameFormat(manner.format, this.#manner.format);
    this.#manner = manner;
    if (isNews) this.#dependencies.store.setFormat(this.#id, manner.format);
  }

  /** Marks the document as changed where its text is not. */
  #touch(): void {
    this.#version++;
    this.#scheduleSave();
  }

  /** What was changed since the last save was changed back. */
  #isAsSaved(): boolean {
    // Of a file that was told to be gone its text alone is known.
    if (this.#savedContent === undefined) return this.#textNow() === this.#savedText;
    return hashBytes(this.read().raw) === this.#savedContent;
  }

  /** Nothing is unsaved. */
  #clean(): void {
    this.#savedVersion = this.#version;
    this.#saveTimer.clear();
  }

  #applied(updates: readonly Uint8Array[], names: ReadonlySet<string>): void {
    for (const name of names) this.#actors.add(parseActor(name));
    for (const { length } of updates) this.#cameBytes += length;
    this.#dependencies.store.add(this.#id, ...updates.map((update) => ({ type: 'update' as const, update })));
  }

  /** Of its state, what came is no measure: what is written over takes no room. So it is measured anew where as much came as there may be. */
  #hasRoomFor(bytes: number): boolean {
    if (this.#text.length + bytes > GROWS_TO * this.#options.maxBytes) return false;
    const most = mostState(this.#options);
    if (this.#cameBytes + bytes > most) {
      this.#stateBytes = Y.encodeStateAsUpdate(this.#ydoc).length;
      this.#cameBytes = 0;
    }
    return this.#stateBytes <= most;
  }

  #rebuild(): Y.Doc {
    const ydoc = ownDoc(this.#dependencies.store.reload(this.#id));
    this.#ydoc.destroy();
    this.#ydoc = ydoc;
    this.#text = this.#observe(ydoc);
    this.#version++;
    return ydoc;
  }

  // ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const result = this.#work.then(work).finally(() => this.#waiting--);
    this.#work = result.catch(() => {});
    return result;
  }

  #scheduleSave(): void {
    if (this.#options.readOnly || this.#closed) return;
    this.#saveTimer.edited();
    this.#dependencies.changed(this);
  }

  async #save(cause: Cause | undefined): Promise<void> {
    this.#saveTimer.clear();
    if (this.#conflict !== undefined && passesUntold(this.#conflict)) await this.#reconcile();
    if (!this.dirty || this.#options.readOnly || this.#closed) return;
    if (this.#conflict !== undefined && this.#isAsSaved()) this.#clean();
    this.#saving = true;
    this.#dependencies.changed(this);
    try {
      for (let attempt = 0; this.dirty && this.#conflict === undefined && attempt < SAVE_ATTEMPTS; attempt++) {
        if (await this.#saveOnce(cause)) break;
      }
      this.#failure = undefined;
      if (this.#conflict === undefined) this.#saveTimer.succeeded();
    } catch (error) {
      this.#failure = fileError(error, this.path);
      this.#dependencies.log('documents.save-failed', { path: this.path, error });
      this.#saveTimer.failed();
    } finally {
      this.#saving = false;
      this.#dependencies.changed(this);
    }
  }

  /** False when the file had changed: it was merged in, and saving is to be tried again. `where`: the path, or where that led. */
  async #saveOnce(cause: Cause | undefined, where = this.path): Promise<boolean> {
    const { store, workspace } = this.#dependencies;
    if (this.#place.isUnmounted) throw new OutriggerError('WORKSPACE_GONE', `The volume that held ${this.path} is not mounted.`);
    if (where === this.path && !(await this.#place.isWhereTold())) return false;
    if (this.#savedContent === undefined && !(await this.#place.staysGone())) return false;
    this.room.flush();
    // A lone surrogate can't stand in a file.
    const text = this.#withoutNul();
    const version = this.#version;
    const { path, moves } = this.#place;
    const { returns } = this.#backup;
    const manner = this.#manner;
    const raw = rawTextOf(text.toWellFormed(), manner);
    const bytes = Buffer.from(raw);
    const save = ++this.#saves;
    const hash = hashBytes(bytes);
    store.append(this.#id, { type: 'snapshot', save, hash });
    this.#underWay = { save, hash, text };
    const saved = this.#savedContent;
    const savedText = this.#savedText;
    const actors = this.#actors.all();
    try {
      const written = await workspace.write(where, bytes, {
        cause: causeOf(cause, actors),
        // The folder of a file that is to be there may have been renamed: it is not made anew before that is known.
        parents: saved === undefined,
        leadsTo: this.target,
        replaced: (file) => this.#dependencies.replaced.follow(file, savedText, this.#replacing),
        ...(saved === undefined ? { ifNoneMatch: '*' } : { ifMatch: etagOf(saved) }),
      });
      if (returns !== this.#backup.returns) return false;
      this.#actors.forget(actors);
      if (written.created) this.#made++;
      this.#savedContent = written.content;
      this.#savedRevision = written.revision;
      this.#savedVersion = version;
      this.#found(saved === undefined);
      this.#savedText = text;
      // Mixed line ends: the next save goes out from the characters that are there now, but where a writer has given it others meanwhile.
      if (manner.raw !== undefined && this.#manner === manner) this.#standAs(fileTextOf(raw, manner.format));
      store.append(this.#id, { type: 'saved', save, hash: written.content });
      setSavedMark(this.#ydoc, text, MARK);
      return true;
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      // Renamed meanwhile: the next attempt goes to the new place.
      if (moves !== this.#place.moves) return false;
      if (where !== path) throw error;
      if (error.reason === 'ACCESS_DENIED' && !this.isLedElsewhere) {
        this.#conflict = error;
        return true;
      }
      const isGone =
        saved !== undefined && (error.reason === 'FILE_NOT_FOUND' || error.reason === 'ETAG_MISMATCH') && !workspace.entry(path);
      if (error.reason !== 'ACCESS_DENIED' && error.reason !== 'ETAG_MISMATCH' && !isGone) throw error;
      // Where a program put it the watch says, and it is saved there; it is made anew only where it was removed.
      if (isGone) await workspace.settled?.([path]).catch(() => {});
      if (moves !== this.#place.moves) return false;
      await this.#reconcile();
      return false;
    } finally {
      this.#underWay = undefined;
    }
  }

  /** The file is there; `isNew`: as we made it just now. */
  #found(isNew = false): void {
    this.#deleted = false;
    this.#place.found(isNew);
  }

  #isTaken(): void {
    if (this.#savedContent !== undefined) this.#place.taken();
    this.#deleted = true;
    this.#savedContent = undefined;
  }

  #lookInTurn(): Promise<void> {
    return this.#exclusive(async () => {
      if (!(await this.#isAsLeft())) await this.#reconcile();
    });
  }

  /** Whether the file holds what we left or saw there last; a file whose facts are those of then is not read. */
  async #isAsLeft(): Promise<boolean> {
    if (this.#conflict !== undefined || this.#deleted || this.isLedElsewhere) return false;
    try {
      const { content, descriptor, release } = await this.#dependencies.workspace.open(this.path);
      fs.closeSync(descriptor);
      release();
      return content === this.#savedContent || content === this.#underWay?.hash;
    } catch (error) {
      // What else stands in the way of a look, as the whole folder gone, says nothing of the file.
      return !(error instanceof OutriggerError && (error.reason === 'FILE_NOT_FOUND' || error.reason === 'NOT_A_FILE'));
    }
  }

  /** Looks at the file and takes in what others wrote there. */
  async #reconcile(sure: SureContents = {}): Promise<void> {
    if (this.#closed) return;
    const { path, moves } = this.#place;
    let disk: DiskText | undefined;
    try {
      if (this.isLedElsewhere) return await this.#goAstray();
      const known = { content: this.#savedContent, text: this.#savedText };
      disk = await readDisk(this.#dependencies, path, mostBytes(this.#options, this.#text.length), known, sure);
      // Moved meanwhile: what was read is of the old place, and a look at the new one is to come.
      if (moves !== this.#place.moves) return;
      if (disk !== undefined && disk.place !== this.target) return await this.#goAstray();
    } catch (error) {
      if (moves !== this.#place.moves) return;
      // Binary, too large, or no file any more: what we have is kept, and nothing is written over what is there.
      this.#conflict = error instanceof OutriggerError ? error : new OutriggerError('BUSY_FILE', String(error), { cause: error });
      if (passesUntold(this.#conflict) && !this.#closed) this.#saveTimer.failed();
      this.#dependencies.changed(this);
      return;
    }
    if (disk === undefined && !(await this.#place.isGone())) return;
    if (this.#closed) return;
    if (this.#conflict !== undefined) this.#saveTimer.succeeded();
    this.#conflict = undefined;
    if (disk === undefined) {
      this.#isTaken();
      if (this.dirty) this.#scheduleSave();
    } else if (disk.content !== this.#savedContent) this.#takeDisk(disk);
    else {
      this.#found();
      if (this.dirty) this.#scheduleSave();
    }
    this.#dependencies.changed(this);
  }

  /** What is unsaved goes to the file that it was typed for. Throws ACCESS_DENIED where that is not to be had any more. */
  async #goAstray(): Promise<void> {
    const { path, moves } = this.#place;
    const isGone = this.#dependencies.workspace.entry(path) === undefined;
    if (isGone && !(await this.#place.isGone())) return;
    try {
      for (let attempt = 0; this.dirty && this.target !== path && attempt < SAVE_ATTEMPTS; attempt++)
        if (!(await this.#saveBehind())) break;
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
    }
    if (moves !== this.#place.moves) return;
    if (this.dirty) throw new OutriggerError('ACCESS_DENIED', `${path} leads to another file by now.`);
    if (!isGone) return this.#dependencies.astray(this);
    this.#place.unlinked();
    this.#conflict = undefined;
    this.#isTaken();
    this.#dependencies.changed(this);
  }

  /** Saves to the file that the path led to, with what a program wrote there meanwhile. False where that is not there any more. */
  async #saveBehind(): Promise<boolean> {
    const { target } = this;
    try {
      await this.#saveOnce(undefined, target);
    } catch (error) {
      if (!(error instanceof OutriggerError) || error.reason !== 'ETAG_MISMATCH') throw error;
      const known = { content: this.#savedContent, text: this.#savedText };
      const disk = await readDisk(this.#dependencies, target, mostBytes(this.#options, this.#text.length), known);
      if (disk?.place !== target) return false;
      this.#takeDisk(disk);
    }
    return true;
  }

  /**
   * Merges the file's text into the document; waits for nothing. `whole`: it was made of the document's text as it is now; `apart`: what is alike in both may be
   * the same.
   */
  #takeDisk(disk: Omit<DiskText, 'place'>, { whole = false, apart: mayBeSame = false } = {}): void {
    const { store } = this.#dependencies;
    this.room.flush();
    const next = fileTextOf(disk.raw, this.#manner.format);
    const live = this.#textNow();
    const base = this.#backup.read({ text: next.text, content: disk.content }, this.#savedContent);
    if (base !== undefined) {
      // What was saved since is what people typed.
      this.#savedText = base;
      this.#version++;
      this.#isTyped = true;
    }
    const clean = whole || !this.dirty;
    // Both sides began with nothing: two beginnings, of which what is alike must stand there once.
    const apart = !clean && (mayBeSame || this.#savedText === '');
    const edits: TextEdit[] =
      clean || apart ? diffText(live, clean ? next.text : unionTexts(next.text, live)) : mergeEdits(this.#savedText, live, next.text);
    applyTextEdits(this.#ydoc, this.#text, edits, FROM_DISK);
    this.#standAs(next);
    this.#savedText = next.text;
    this.#savedContent = disk.content;
    this.#savedRevision = this.#dependencies.workspace.journal.revision;
    this.#found();
    if (this.#textNow() === next.text) {
      this.#failure = undefined;
      this.#clean();
      const save = ++this.#saves;
      store.append(this.#id, { type: 'snapshot', save, hash: disk.content }, { type: 'saved', save, hash: disk.content });
    } else {
      store.append(this.#id, { type: 'disk', hash: disk.content, text: next.text });
      this.#scheduleSave();
    }
    setSavedMark(this.#ydoc, next.text, MARK);
    this.room.flush();
  }

  /** Takes in what a program wrote into a file that a save had replaced. A file that was removed since stays so. */
  #takeOvertaken(before: string, after: string): void {
    if (this.#closed || this.#deleted) return;
    this.room.flush();
    const edits = mergeEdits(before, this.#textNow(), after);
    if (edits.length === 0) return;
    applyTextEdits(this.#ydoc, this.#text, edits, FROM_DISK);
    this.#scheduleSave();
    this.room.flush();
  }

  /** Takes in the whole state of a client that knows a state of ours which was lost: merged as text, so that nothing stands there twice. */
  #heal(state: Uint8Array, name: string): void {
    const bases = new Map([...this.#bases, [hashText(this.#savedText), this.#savedText]]);
    const before = this.dirty ? undefined : this.#textNow();
    // A file that was deleted stays so until somebody types; the text of before is that of those who come back, and then it is whole.
    const isGone = this.#deleted && before === '';
    const isOutdated = this.#isOfClients && this.#deleted && before !== undefined && !this.#bases.has(hashText(before));
    this.#isOfClients ||= isGone;
    const { strangers, saved } = heal({
      ydoc: this.#ydoc,
      textName: this.#options.textName,
      state,
      bases,
      isGone,
      isOutdated,
      isOfClients: this.#isOfClients,
      isAwaited: this.#isAwaited,
      origin: FROM_HEALING,
    });
    if (this.#deleted && this.#isOfClients && saved && before !== undefined) {
      this.#savedText = this.#textNow();
      this.#dependencies.store.add(this.#id, { type: 'disk', hash: '', text: this.#savedText });
    }
    setSavedMark(this.#ydoc, this.#savedText, MARK);
    if (before !== undefined && this.#textNow() === this.#savedText) this.#clean();
    this.#actors.add(parseActor(name));
    this.#dependencies.log('documents.healed', { path: this.path, strangers });
  }
}

/** Undefined where the journal does not reach back so far. */
function changesSince({ journal }: Workspace, revision: number): Change[] | undefined {
  const changes: Change[] = [];
  for (let cursor = journal.cursorOf(revision); ; ) {
    const answer = journal.since(cursor, MISSED_AT_ONCE);
    if (answer.resync !== undefined) return undefined;
    changes.push(...answer.changes);
    if (!answer.more) return changes;
    cursor = answer.cursor;
  }
}

/** Whether what stands in the way of a look may go without the file being changed, of which nobody would tell: the look is tried again. */
function passesUntold({ reason }: OutriggerError): boolean {
  return reason === 'FILE_PERMISSION' || reason === 'TOO_MANY_FILES' || reason === 'BUSY_FILE' || reason === 'WORKSPACE_GONE';
}

/** Waiting goes by this: the clock of the wall may be set back by minutes. Milliseconds. */
function monotonic(): number {
  return performance.now();
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}
