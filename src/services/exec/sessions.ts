import type { CodeSession } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { Later } from './afterwards.ts';
import { OWN_NAME } from './found-files.ts';
import { fileInfo, SessionFiles, type SessionFilesOptions } from './session-files.ts';
import { removeFolder, removeLent } from './run-folders.ts';
import { type Prepared, SessionPlaces } from './session-places.ts';
import { SessionRecords } from './session-records.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';
import { SessionVariables, type SessionVariablesOptions, stateInfo } from './session-variables.ts';

export interface SessionsOptions extends SessionFilesOptions, SessionVariablesOptions {
  /** Absolute: sessions have their folders in it. */
  folder: string;
  /** After its last use, ms. */
  lifeMs: number;
  most: number;
}

/** Folders in which runs find and leave files, each for one purpose and for a time. */
export class Sessions {
  readonly files: SessionFiles;
  readonly variables: SessionVariables;
  readonly #store: SessionStore;
  readonly #options: SessionsOptions;
  readonly #records: SessionRecords;
  readonly #places: SessionPlaces;
  readonly #later = new Later();
  /** Those whose folders were not there at the start: what they lie on may be mounted later. */
  readonly #away = new Map<string, SessionRecord>();
  #hasBegun = false;

  constructor(dependencies: { store: SessionStore; now: () => number; monotonic?: () => number }, options: SessionsOptions) {
    const { store, now, monotonic = () => performance.now() } = dependencies;
    this.#store = store;
    this.#options = options;
    const records = new SessionRecords({ store, now, monotonic, later: this.#later }, options);
    const places = new SessionPlaces({ later: this.#later }, options);
    this.#records = records;
    this.#places = places;
    this.files = new SessionFiles({ records, places }, options);
    this.variables = new SessionVariables({ store, now, records, places }, options);
  }

  /** The one of the entity, or a new one. Throws TOO_MANY_SESSIONS, DISK_FULL. */
  open(entity?: string): SessionRecord {
    this.#begin();
    this.#comeBack();
    const there = entity === undefined ? undefined : this.#records.all().find((session) => session.entity === entity);
    if (there !== undefined && !this.#records.isOver(there)) return this.use(there.id);
    if (there !== undefined) this.remove(there.id);
    this.#throwIfTooMany();
    const session = this.#records.add(this.#places.make(), entity ?? null);
    this.#records.put(session);
    return session;
  }

  /**
   * A new one for a run, in a folder that was prepared. It is written down while the program runs: of what is not, the next start removes the
   * folder. Throws TOO_MANY_SESSIONS, DISK_FULL.
   */
  openPrepared(prepared?: Prepared): { session: SessionRecord; spare: string } {
    this.#begin();
    this.#throwIfTooMany();
    const { id, spare } = prepared ?? this.#places.prepare();
    const session = this.#records.add(id, null);
    this.#records.putLater(session);
    return { session, spare };
  }

  /** A folder for a session to come. Throws DISK_FULL. */
  prepare(): Prepared {
    this.#begin();
    return this.#places.prepare();
  }

  /** Removes one that was prepared and never opened. */
  discard({ id }: Prepared): void {
    if (!this.#records.has(id)) this.#places.remove(id);
  }

  /** Throws NO_SESSION. */
  use(id: string): SessionRecord {
    this.#begin();
    if (this.#away.has(id)) this.#comeBack();
    const session = this.#records.get(id);
    if (this.#away.has(id))
      throw new OutriggerError('NO_SESSION', `The files of the session ${id} are not there.`, {
        hint: `They were in ${this.#options.folder}: if that is on a volume (option code.folder), mount it again.`,
      });
    if (session === undefined || this.#records.isOver(session)) throw new OutriggerError('NO_SESSION', `There is no session ${id}.`);
    this.#records.use(session);
    return session;
  }

  all(): SessionRecord[] {
    this.#begin();
    this.#comeBack();
    this.sweep();
    return [...this.#records.all()].sort((one, other) => other.usedAt - one.usedAt);
  }

  info({ id, entity, createdAt, usedAt, files, state }: SessionRecord): CodeSession {
    return {
      id,
      entity,
      createdAt,
      expiresAt: usedAt + this.#options.lifeMs,
      files: files.map(fileInfo),
      state: stateInfo(state),
    };
  }

  /** Keeps it from ending while a run is in it; returns the way to let go. */
  hold(id: string): () => void {
    return this.#records.hold(id);
  }

  /** Names of ours in its folder, so that the next start takes them away, should this one not come to it. */
  lend(session: SessionRecord, names: string[]): void {
    session.lent = names;
    // One that is not written down yet will be, with that.
    if (this.#records.isWritten(session)) this.#records.put(session);
  }

  /** Removes what was lent; what has a name that nobody else gives goes after the answer, and that all is gone is written down then. */
  takeBack(session: SessionRecord): void {
    const folder = this.#places.data(session.id);
    for (const name of session.lent ?? []) {
      if (OWN_NAME.test(name)) this.#later.do(() => removeFolder(`${folder}/${name}`));
      // It was free when it was lent: a file of that name came meanwhile, in the place of ours.
      else if (!session.files.some((file) => file.name === name)) removeLent(`${folder}/${name}`);
    }
    delete session.lent;
    this.#records.putLater(session);
  }

  /** Nobody comes to it any more; what is in it is there until `remove`. */
  close(id: string): void {
    this.#records.drop(id);
  }

  remove(id: string): void {
    this.close(id);
    this.#away.delete(id);
    this.#store.remove(id);
    this.#places.remove(id);
  }

  /** Ends those whose time is over. Where no run ever was, nothing is made. */
  sweep(): void {
    if (!this.#hasBegun && !this.#places.exist()) return;
    this.#begin();
    for (const session of [...this.#records.all(), ...this.#away.values()]) if (this.#records.isOver(session)) this.remove(session.id);
  }

  /** Does what was put off until whoever waits has their answer. */
  settle(): void {
    this.#later.settle();
  }

  /** After the last run: nothing of what was made for later ones is left. */
  stop(): void {
    this.#places.prepareNoMore();
    this.settle();
    this.#places.removeReady();
  }

  #throwIfTooMany(): void {
    const { most } = this.#options;
    // More than one where there may be fewer than there were in an earlier life.
    for (let before = Number.POSITIVE_INFINITY; this.#records.size >= most && this.#records.size < before; ) {
      before = this.#records.size;
      this.#makeRoom();
    }
    if (this.#records.size >= most) throw new OutriggerError('TOO_MANY_SESSIONS', `There are ${this.#records.size} sessions already.`);
  }

  /**
   * Each run without a session leaves one behind: of those that hold nothing the one that was used longest ago makes room for the next; where there is none,
   * all whose time is over.
   */
  #makeRoom(): void {
    const isEmpty = ({ id, entity, files, state }: SessionRecord): boolean =>
      entity === null && files.length === 0 && state === null && !this.#records.isHeld(id);
    const empty = this.#records.all().find(isEmpty);
    if (empty === undefined) return this.sweep();
    this.#records.drop(empty.id);
    // Whoever waits for the next one does not wait for that.
    this.#later.do(() => this.remove(empty.id));
  }

  /** At the first use: folders of sessions that nobody knows any more are removed. */
  #begin(): void {
    if (this.#hasBegun) return;
    const there = this.#places.begin();
    const stored = this.#store.all();
    this.#hasBegun = true;
    for (const session of stored.sort((one, other) => one.usedAt - other.usedAt)) {
      if (there.has(session.id)) this.#takeUp(session);
      else if (this.#records.isOver(session)) this.#store.remove(session.id);
      else this.#away.set(session.id, session);
    }
    for (const name of there) if (/^[A-Za-z0-9]{21}$/.test(name) && !this.#records.has(name)) this.#places.remove(name);
  }

  /** A session of an earlier life, without what runs left behind that that did not live to end. */
  #takeUp(session: SessionRecord): void {
    this.#records.takeUp(session);
    if (session.lent !== undefined) this.takeBack(session);
    this.#places.clean(session.id);
  }

  #comeBack(): void {
    for (const [id, session] of this.#away) {
      if (!this.#places.has(id)) continue;
      this.#away.delete(id);
      this.#takeUp(session);
    }
  }
}
