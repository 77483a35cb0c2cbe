import { actorOf, allowsLevel, type Caller } from '../../contract/access.ts';
import type { DocumentInfo } from '../../contract/documents.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Cause, Change } from '../../contract/events.ts';
import type { Call } from '../../contract/operation.ts';
import { type ByteChannel, closeCodes } from '../../contract/wire.ts';
import type { State } from '../state/state.ts';
import type { HeldTexts, LiveContent, LiveText, LiveWritten } from '../workspace/live-text.ts';
import type { Workspace } from '../workspace/workspace.ts';
import { actorName } from './actors.ts';
import { Document, type DocumentDependencies, type DocumentOptions, type HeldDocument } from './document.ts';
import { DocumentStore } from './document-store.ts';
import { SAVED_WITHIN_MS } from './editor-backup.ts';
import { Pulse } from './pulse.ts';
import { ReplacedFiles } from './replaced-files.ts';
import { SavePace } from './save-pace.ts';
import { SHARE_OF_FREE, Shares } from './shares.ts';

const TICK_MS = 5000;
const NEWS_MS = 250;
const MAX_ALIASES = 1000;

export interface DocumentsOptions extends DocumentOptions {
  maxOpen: number;
  /** A document that nobody is in is put away after this, ms. */
  unloadMs: number;
}

export interface DocumentsDependencies {
  workspace: Workspace;
  state: State;
  now: () => number;
  log: (event: string, facts: Record<string, unknown>) => void;
  /** A document of this file is open now. */
  opened: ((realPath: string) => void) | undefined;
}

/** Who asks for a document, and what of it may be seen. */
export type Asking = Pick<Call, 'caller' | 'visibleAt'>;

export interface DocumentNews {
  changed: DocumentInfo[];
  closed: string[];
}

/** All documents that are open: finds or makes them, tells them of changes, saves and puts them away. */
export class Documents implements LiveText {
  readonly #dependencies: DocumentsDependencies;
  readonly #options: DocumentsOptions;
  readonly #store: DocumentStore;
  readonly #pulse: Pulse;
  readonly #pace = new SavePace();
  readonly #replaced = new ReplacedFiles();
  readonly #shares = new Shares<Document>();
  readonly #open = new Map<string, Document>();
  readonly #opening = new Map<string, Promise<Document>>();
  /** Old names of renamed documents that people are still in. */
  readonly #aliases = new Map<string, Document>();
  /** By their old names: files that another program made a backup of by renaming them. */
  readonly #backedUp = new Map<string, { document: Document; atMs: number }>();
  /** Opened by a link to their file. */
  readonly #linked = new Set<Document>();
  readonly #unloads = new Map<Document, NodeJS.Timeout>();
  readonly #listeners = new Set<(news: DocumentNews) => void>();
  #changed = new Set<Document>();
  #closedPaths = new Set<string>();
  #newsTimer: NodeJS.Timeout | undefined;
  #ticker: NodeJS.Timeout | undefined;
  #stopChanges: (() => void) | undefined;
  #stopping = false;

  constructor(dependencies: DocumentsDependencies, options: DocumentsOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    const folder = dependencies.state.partFolder('documents');
    this.#store = new DocumentStore(dependencies, { folder, textName: options.textName });
    this.#pulse = new Pulse(
      () => this.#store.commit(),
      (error) => dependencies.log('documents.not-passed-on', { error }),
    );
  }

  /** Saves what a crash left unsaved, then takes part. */
  async start(): Promise<void> {
    this.#stopChanges = this.#dependencies.workspace.journal.onChanges((changes) => {
      for (const change of changes) this.#noticed(change);
      // What happened to the folder is not known.
      if (changes.length === 0) for (const document of this.#open.values()) void document.catchUp();
    });
    for (const unfinished of this.#options.readOnly ? [] : this.#store.unfinished()) {
      try {
        // Its file was moved by what the workspace finished at the start, before there was anybody to tell.
        const moved = this.#placeOf(unfinished);
        if (moved !== unfinished) this.#followFile(unfinished, moved);
        const document = await this.#get(moved, true);
        await document.save();
        this.#idle(document);
      } catch (error) {
        this.#dependencies.log('documents.not-recovered', { path: unfinished, error });
      }
    }
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
    this.#ticker.unref();
  }

  /** Saves all, ends all rooms with 1001, leaves nothing in the log. */
  async stop(): Promise<void> {
    if (this.#stopping) return;
    this.#stopping = true;
    await Promise.allSettled(this.#opening.values());
    this.#pace.stop();
    await this.flush('');
    for (const timer of this.#unloads.values()) clearTimeout(timer);
    for (const document of this.#open.values()) document.room.flush();
    this.#replaced.look();
    await this.flush('');
    this.#replaced.leave();
    this.#compact();
    for (const document of this.#open.values()) document.close(closeCodes.goingAway, 'The sidecar is stopping.');
    this.#open.clear();
    this.#aliases.clear();
    clearInterval(this.#ticker);
    clearTimeout(this.#newsTimer);
    this.#stopChanges?.();
    await this.#store.close({ forgets: !this.#dependencies.state.writable });
  }

  /** Puts a socket into the room of a file. A path with no file is made by the first edit, for callers who may write. */
  async join(wirePath: string, channel: ByteChannel, asking: Asking): Promise<DocumentInfo> {
    const { caller } = asking;
    this.#throwIfMovedAway(wirePath, asking);
    const document = await this.#getSettled(wirePath, this.mayWrite(wirePath, caller));
    if (document.room.size === 0) this.#idle(document);
    throwOutOfScope(wirePath, document, asking);
    this.#throwBeyondShare(document, caller);
    // What was found may lie elsewhere than what was asked for.
    const mayWrite = this.mayWrite(document.path, caller);
    const isReadOnly = (): boolean => !mayWrite || this.#dependencies.state.lost !== undefined;
    this.#cancelUnload(document);
    const mayFollow = (to: string): boolean => this.#maySee(to, asking) && (isReadOnly() || this.mayWrite(to, caller));
    const name = actorName(actorOf(caller));
    document.room.join({ channel, isReadOnly, shared: caller.shared === true, name, mayFollow });
    if (caller.ended?.aborted === true) throw caller.ended.reason;
    const ended = (): void => channel.close(closeCodes.tokenEnded, 'The token does not hold any more.');
    caller.ended?.addEventListener('abort', ended, { once: true });
    const leave = this.#shares.enter(caller.id, document);
    channel.onClose(() => {
      caller.ended?.removeEventListener('abort', ended);
      leave();
    });
    this.#tell(document);
    return document.info();
  }

  /** How a file would open, without opening it for good. */
  async look(wirePath: string, asking: Asking): Promise<DocumentInfo> {
    this.#throwIfMovedAway(wirePath, asking);
    const document = await this.#getSettled(wirePath, false);
    if (document.room.size === 0) this.#idle(document);
    throwOutOfScope(wirePath, document, asking);
    this.#throwBeyondShare(document, asking.caller);
    return document.info();
  }

  /** Nobody may edit here. What was edited before is still saved where the state was lost since. */
  get isReadOnly(): boolean {
    return this.#options.readOnly || this.#dependencies.state.lost !== undefined;
  }

  /** Of what may be open there is always some for others; a document that somebody is in takes no more of it. */
  #throwBeyondShare(document: Document, { id, name }: Caller): void {
    if (document.room.size > 0) return;
    const held = this.#shares.count(id);
    let free = this.#options.maxOpen;
    for (const other of this.#open.values()) if (other !== document && isInUse(other)) free--;
    if (held < SHARE_OF_FREE * free) return;
    this.#idle(document);
    throw new OutriggerError('TOO_MANY_DOCUMENTS', `${name} is in ${held} documents: the last that may be open are for others.`);
  }

  /** Who may edit there. To write where git takes programs from needs more. */
  mayWrite(wirePath: string, caller: Caller): boolean {
    if (this.isReadOnly) return false;
    return allowsLevel(caller.access, this.#dependencies.workspace.liesInGit(wirePath) ? 'execute' : 'write');
  }

  /** What opening it would say is of where it is now. */
  #throwIfMovedAway(asked: string, asking: Asking): void {
    const place = this.#placeOf(asked);
    if (place !== asked && !this.#maySee(place, asking)) throw movedAway(asked, asking);
  }

  #maySee(wirePath: string, { visibleAt }: Asking): boolean {
    try {
      return visibleAt(wirePath, this.#dependencies.workspace.realPath(wirePath));
    } catch {
      // It leads out of the workspace.
      return false;
    }
  }

  list(): DocumentInfo[] {
    return [...this.#open.values()].filter((document) => document.room.size > 0 || document.dirty).map((document) => document.info());
  }

  /** Whether the caller may hear of what is open by this name: also where that leads by a link. */
  isToldTo(wirePath: string, { visibleAt }: Asking): boolean {
    const document = this.#open.get(wirePath);
    return document !== undefined && visibleAt(wirePath, document.target);
  }

  /** Told at most four times a second. Returns the way to stop. */
  onNews(listener: (news: DocumentNews) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  get connections(): number {
    let count = 0;
    for (const document of this.#open.values()) count += document.room.size;
    return count;
  }

  /** Documents whose last save did not work. */
  get troubled(): DocumentInfo[] {
    return this.list().filter((info) => info.state === 'failed' || info.state === 'conflict');
  }

  get problem(): string | undefined {
    return this.#store.problem;
  }

  // ── LiveText ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  read(wirePath: string): LiveContent | undefined {
    return this.#live(wirePath)?.read();
  }

  async catchUp(wirePath: string): Promise<void> {
    await this.#live(wirePath)?.catchUp();
  }

  async write(wirePath: string, change: (raw: string) => string, cause: Cause): Promise<LiveWritten | undefined> {
    await this.catchUp(wirePath);
    const document = this.#live(wirePath);
    const written = await document?.write(change, cause);
    if (document !== undefined && written === undefined && this.#open.get(document.path) === document) {
      document.forget();
      this.#drop(document, 'Another file is here now.');
    }
    return written;
  }

  seen(wirePath: string, content: string | null | undefined): void {
    this.#open.get(wirePath)?.seen(content);
    for (const document of this.#linked) if (document.target === wirePath && document.path !== wirePath) document.seen(content);
  }

  /** Saves all. What is typed from then on is saved only for who writes to the file, until what is given back was called, once. */
  async holdSaves(): Promise<() => void> {
    const end = this.#pace.hold();
    try {
      await this.flush('');
    } catch (error) {
      end();
      throw error;
    }
    return end;
  }

  /** Saves all for those who look at files, unless saves are held: then these see what was saved before. */
  async flushUnheld(): Promise<void> {
    if (!this.#pace.isHeld) await this.flush('');
  }

  async flush(wirePath: string): Promise<void> {
    const within = this.#within([wirePath]);
    await Promise.all([...this.#open.values()].flatMap((document) => (within(document) ? document.save() : [])));
  }

  letGoOfReplaced(wirePath: string): void {
    const within = this.#within([wirePath]);
    for (const document of this.#open.values()) if (within(document)) document.letGoOfReplaced();
  }

  async hold(paths: readonly string[]): Promise<HeldTexts> {
    const within = this.#within(paths);
    // In one order: two that hold the same documents would else wait for each other.
    const wanted = [...this.#open].filter(([, document]) => within(document)).sort(([a], [b]) => (a < b ? -1 : 1));
    const held = new Map<string, HeldDocument>();
    const byTarget = new Map<string, HeldDocument>();
    for (const [wirePath, document] of wanted) {
      const one = await document.hold();
      held.set(wirePath, one);
      byTarget.set(document.target, one);
    }
    return {
      at: (wirePath) => held.get(wirePath) ?? byTarget.get(wirePath),
      all: [...held.values()],
      release: () => {
        for (const document of held.values()) document.release();
      },
    };
  }

  /** Whether a document lies at or below one of the paths, be it by a link. */
  #within(paths: readonly string[]): (document: Document) => boolean {
    if (this.#open.size === 0 || paths.includes('')) return () => true;
    const asked = new Set(paths.flatMap((path) => [path, this.#placeBehind(path)]));
    const lies = (path: string): boolean => {
      for (let end = path.length; end > 0; end = path.lastIndexOf('/', end - 1)) if (asked.has(path.slice(0, end))) return true;
      return false;
    };
    return ({ path, target }) => lies(path) || lies(target);
  }

  /** Where a path leads when links are followed; the path itself where it leads nowhere. */
  #placeBehind(wirePath: string): string {
    try {
      return this.#dependencies.workspace.realPath(wirePath);
    } catch {
      return wirePath;
    }
  }

  /** The open document whose text stands before the file. */
  #live(wirePath: string): Document | undefined {
    const document = this.#open.get(wirePath) ?? this.#sameFile(wirePath);
    return document?.standsBeforeFile === true ? document : undefined;
  }

  /** One that was opened by another name of the file: by a link, or without it. */
  #sameFile(wirePath: string): Document | undefined {
    if (this.#open.size === 0) return undefined;
    const place = this.#placeBehind(wirePath);
    const document = this.#open.get(place);
    if (document?.target === place) return document;
    for (const linked of this.#linked) if (linked.target === place) return linked;
    return undefined;
  }

  // ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #get(asked: string, create: boolean): Promise<Document> {
    this.#throwIfStopping();
    const open = this.#open.get(asked) ?? this.#aliasOf(asked);
    if (open?.isLedElsewhere === false) return open;
    await open?.catchUp();
    const still = this.#open.get(asked) ?? this.#aliasOf(asked);
    if (still !== undefined) return still;
    const wirePath = this.#placeOf(asked);
    const moved = wirePath === asked ? undefined : this.#open.get(wirePath);
    if (moved !== undefined) return moved;
    this.#throwIfStopping();
    let opening = this.#opening.get(wirePath);
    if (opening === undefined) {
      if (this.#open.size + this.#opening.size >= this.#options.maxOpen) this.#makeRoom();
      opening = this.#openFile(wirePath, create).finally(() => this.#opening.delete(wirePath));
      this.#opening.set(wirePath, opening);
    }
    return opening;
  }

  #throwIfStopping(): void {
    if (this.#stopping) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
  }

  /** Of one that nobody is in: with what a call that has ended wrote into its file. Who is in one hears of it as it comes. */
  async #getSettled(wirePath: string, create: boolean): Promise<Document> {
    const document = await this.#get(wirePath, create);
    if (document.room.size > 0) return document;
    await document.settled();
    return this.#open.get(document.path) === document ? document : this.#get(wirePath, create);
  }

  async #openFile(wirePath: string, create: boolean): Promise<Document> {
    const { workspace, now, log } = this.#dependencies;
    const dependencies: DocumentDependencies = {
      workspace,
      now,
      log,
      store: this.#store,
      pulse: this.#pulse,
      pace: this.#pace,
      replaced: this.#replaced,
      isTaken: () => this.#open.has(wirePath),
      opened: (document) => {
        this.#open.set(wirePath, document);
        if (document.target !== wirePath) this.#linked.add(document);
        this.#dependencies.opened?.(document.target);
      },
      changed: (document) => this.#tell(document),
      emptied: (document) => this.#idle(document),
      astray: (document) => {
        if (this.#open.get(document.path) !== document) return;
        // Its people come back to the same document, with what is here now.
        document.checkpoint();
        this.#drop(document, 'Another file is here now.');
      },
    };
    const document = await Document.open(wirePath, create, dependencies, this.#options);
    if (document !== undefined) return document;
    const place = this.#placeOf(wirePath);
    if (place !== wirePath) return this.#get(place, create);
    return this.#open.get(wirePath) ?? this.#openFile(wirePath, create);
  }

  /** A document that was renamed is still found under the old name while people are in it and nothing else has that name. */
  #aliasOf(wirePath: string): Document | undefined {
    const document = this.#aliases.get(wirePath);
    if (document === undefined) return undefined;
    if (document.room.size > 0 && this.#dependencies.workspace.entry(wirePath) === undefined) return document;
    this.#aliases.delete(wirePath);
    return undefined;
  }

  /** Who was away while a file was renamed still asks for it by its old name. */
  #placeOf(wirePath: string): string {
    const { workspace } = this.#dependencies;
    if (workspace.entry(wirePath) !== undefined) return wirePath;
    const moved = workspace.journal.movedTo(wirePath);
    return moved !== undefined && workspace.entry(moved) !== undefined ? moved : wirePath;
  }

  #makeRoom(): void {
    for (const document of this.#open.values()) {
      if (isInUse(document)) continue;
      this.#unload(document);
      return;
    }
    throw new OutriggerError('TOO_MANY_DOCUMENTS', `${this.#options.maxOpen} documents are open already.`);
  }

  #noticed(change: Change): void {
    const isFolder = change.kind === 'directory';
    const came = change.what === 'moved' && change.from !== undefined ? this.#moved(change.from, change.path, isFolder) : undefined;
    if (change.cause.kind === 'outside' && !isFolder) this.#followSave(change);
    if (!isFolder) {
      const document = this.#open.get(change.path);
      if (document !== undefined && came?.has(document) !== true) document.noticed(change);
    } else if (change.what === 'removed') {
      // A folder in the place of the file.
      this.#open.get(change.path)?.refresh();
    } else if (came !== undefined) {
      // What stood here before is another file now.
      for (const [wirePath, document] of this.#open) if (wirePath.startsWith(`${change.path}/`) && !came.has(document)) document.refresh();
    }
    for (const document of this.#linked) if (document.target === change.path && document.path !== change.path) document.noticed(change);
    // Of those below a link nobody tells that it leads elsewhere.
    if (change.kind === 'symlink')
      for (const document of this.#open.values()) if (document.path.startsWith(`${change.path}/`)) document.refresh();
  }

  /** An editor that makes its backup by renaming makes the file anew at once: the document is of that, and the backup is nobody's. */
  #followSave({ what, path, kind, from }: Change): void {
    const document = this.#open.get(path);
    if (what === 'moved' && from !== undefined && document !== undefined && isBackup(path, from)) {
      if (this.#backedUp.size >= MAX_ALIASES) this.#backedUp.clear();
      this.#backedUp.set(from, { document, atMs: performance.now() });
      document.backedUp();
      return;
    }
    const before = this.#backedUp.get(path);
    if (before === undefined || what === 'removed' || kind !== 'file') return;
    this.#backedUp.delete(path);
    const { document: away, atMs } = before;
    if (document !== undefined || this.#open.get(away.path) !== away || performance.now() - atMs > SAVED_WITHIN_MS) return;
    this.#aliases.delete(path);
    this.#closedPaths.add(away.path);
    this.#open.delete(away.path);
    this.#open.set(path, away);
    away.broughtBack(path);
  }

  /** Gives the documents that moved along. */
  #moved(from: string, to: string, folder: boolean): ReadonlySet<Document> {
    const moved = new Set<Document>();
    for (const [wirePath, document] of [...this.#open]) {
      const inside = folder && wirePath.startsWith(`${from}/`);
      if (wirePath !== from && !inside) continue;
      const target = to + wirePath.slice(from.length);
      const replaced = this.#open.get(target);
      if (replaced !== undefined && replaced !== document) {
        this.#drop(replaced, 'Another file was moved here.');
        document.wasAlso(replaced.savedText);
      }
      this.#open.delete(wirePath);
      this.#open.set(target, document);
      if (this.#aliases.size < MAX_ALIASES) this.#aliases.set(wirePath, document);
      this.#closedPaths.add(wirePath);
      moved.add(document);
      document.moved(target);
    }
    for (const replaced of this.#followFile(from, to)) void this.#openFor(replaced);
    return moved;
  }

  /** Of documents that are not open, what is stored goes along. Gives those that were open where it is by now, which make way. */
  #followFile(from: string, to: string): Document[] {
    return this.#store.renameBelow(from, to).flatMap((place) => {
      const replaced = this.#open.get(place);
      if (replaced === undefined) return [];
      this.#drop(replaced, 'Another file was moved here.');
      return [replaced];
    });
  }

  /** Opens the one that is in its place by now, for those who come back from it with what they typed. */
  async #openFor(replaced: Document): Promise<void> {
    try {
      const document = await this.#get(replaced.path, false);
      document.wasAlso(replaced.savedText);
      if (document.room.size === 0) this.#idle(document);
    } catch (error) {
      this.#dependencies.log('documents.not-opened', { path: replaced.path, error });
    }
  }

  #drop(document: Document, reason: string): void {
    this.#cancelUnload(document);
    this.#letGo(document, closeCodes.replaced, reason);
  }

  #letGo(document: Document, code: number, reason: string): void {
    this.#open.delete(document.path);
    this.#linked.delete(document);
    for (const [alias, target] of this.#aliases) if (target === document) this.#aliases.delete(alias);
    this.#closedPaths.add(document.path);
    document.close(code, reason);
    this.#changed.delete(document);
  }

  #idle(document: Document): void {
    this.#tell(document);
    if (this.#stopping || this.#unloads.has(document)) return;
    const timer = setTimeout(() => void this.#putAway(document), this.#options.unloadMs);
    timer.unref();
    this.#unloads.set(document, timer);
  }

  #cancelUnload(document: Document): void {
    clearTimeout(this.#unloads.get(document));
    this.#unloads.delete(document);
  }

  async #putAway(document: Document): Promise<void> {
    this.#unloads.delete(document);
    if (this.#pace.isHeld) return this.#idle(document);
    await document.save();
    if (document.room.size > 0 || this.#stopping || this.#open.get(document.path) !== document) return;
    // Can't be saved: it stays, and the log has it.
    if (document.dirty) this.#idle(document);
    else this.#unload(document);
  }

  #unload(document: Document): void {
    this.#cancelUnload(document);
    try {
      document.checkpoint();
    } catch (error) {
      // The state can't be written now; the log still has all of it.
      this.#dependencies.log('documents.checkpoint-failed', { path: document.path, error });
      this.#idle(document);
      return;
    }
    this.#letGo(document, closeCodes.goingAway, 'The document was put away.');
    this.#scheduleNews();
  }

  // ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #tick(): void {
    for (const document of this.#open.values()) document.room.keepAlive();
    for (const [from, { atMs }] of this.#backedUp) if (performance.now() - atMs > SAVED_WITHIN_MS) this.#backedUp.delete(from);
    if (this.#store.full) this.#compact();
  }

  #compact(): void {
    // By their names the logs are another's then.
    if (this.#dependencies.state.lost !== undefined) return;
    try {
      this.#store.compact(() => {
        for (const document of this.#open.values()) document.checkpoint();
      });
    } catch (error) {
      this.#dependencies.log('documents.compact-failed', { error });
    }
  }

  #tell(document: Document): void {
    this.#changed.add(document);
    this.#scheduleNews();
  }

  #scheduleNews(): void {
    if (this.#listeners.size === 0) {
      this.#changed.clear();
      this.#closedPaths.clear();
      return;
    }
    this.#newsTimer ??= setTimeout(() => {
      this.#newsTimer = undefined;
      const changed = [...this.#changed].filter((document) => this.#open.get(document.path) === document);
      const closed = [...this.#closedPaths].filter((wirePath) => !this.#open.has(wirePath));
      this.#changed = new Set();
      this.#closedPaths = new Set();
      const news: DocumentNews = { changed: changed.map((document) => document.info()), closed };
      for (const listener of this.#listeners) listener(news);
    }, NEWS_MS);
  }
}

function isInUse({ room, dirty, busy }: Document): boolean {
  return room.size > 0 || dirty || busy;
}

/** By its name: that of the file with `~`, `.~2~`, `.bak` or `.orig` behind it. */
function isBackup(path: string, of: string): boolean {
  return path.startsWith(of) && /^(?:~|\.~\d+~|\.bak|\.orig)$/.test(path.slice(of.length));
}

/** What was asked for may have been moved, since and before, and with it where a link leads. */
function throwOutOfScope(asked: string, { path, target }: Document, asking: Asking): void {
  if (!asking.visibleAt(path, target)) throw movedAway(asked, asking);
}

function movedAway(asked: string, { caller }: Asking): OutriggerError {
  return new OutriggerError('OUT_OF_SCOPE', `${asked} was moved to where ${caller.name} may not look.`);
}
