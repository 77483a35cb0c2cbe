import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CodeFile, CodeSession } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { fileError } from '../workspace/file-errors.ts';
import { mimeTypeOf } from '../workspace/mime-types.ts';
import { afterwards } from './afterwards.ts';
import { bytesOf, contentMark, type FoundFile, findFile, findFiles, hashOf, OWN_NAME, openFile } from './found-files.ts';
import { newId } from './ids.ts';
import {
  hidePackagesAbove,
  makePassage,
  makePassageIn,
  makePrivate,
  moveInto,
  ownName,
  packageAbove,
  removeFile,
  removeFolder,
  removeLent,
  storeFile,
  storeNew,
} from './session-folder.ts';
import { type FileNaming, nameAmong, namingOf } from './session-names.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';

export interface SessionsOptions {
  /** Absolute: sessions have their folders in it. */
  folder: string;
  /** After its last use, ms. */
  lifeMs: number;
  most: number;
  /** Of one session. */
  maxFiles: number;
  /** That its files take on the disk. */
  maxBytes: number;
  /** Of one file. */
  maxFileBytes: number;
  maxStateBytes: number;
}

/** A folder for a session that nobody asked for yet. */
export interface Prepared {
  id: string;
  folder: string;
  /** An empty file of ours in it. */
  spare: string;
}

/** So many folders are made before a session needs one. */
const READY = 2;
const DATA = 'data';
const STATE = 'state';
/** So many bytes of variables lie in the database: to put a file in the place of another takes longer than all else of a short run. */
const SMALL_STATE_BYTES = 64 * 1024;
/** The last use is written down when it is so much later than what was: after a kill, a session ends so much sooner. */
const USE_STEP_MS = 1000;
/** What v8.serialize writes begins with it; what pickle does with 0x80. */
const V8_FIRST_BYTE = 0xff;

/** Folders in which runs find and leave files, each for one purpose and for a time. */
export class Sessions {
  readonly #store: SessionStore;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #options: SessionsOptions;
  /** The one that was used last at the end. */
  readonly #sessions = new Map<string, SessionRecord>();
  /** Those whose folders were not there at the start: what they lie on may be mounted later. */
  readonly #away = new Map<string, SessionRecord>();
  /** Sessions that a run is in. */
  readonly #inUse = new Map<string, number>();
  /** Files on their way into each: their names are given. */
  readonly #coming = new WeakMap<SessionRecord, { name: string; original: string; bytes: number }[]>();
  /** When each was used last in this life, by a clock that nobody sets. */
  readonly #monotonicUse = new WeakMap<SessionRecord, number>();
  /** When each was used last, as it was written down. */
  readonly #storedUse = new WeakMap<SessionRecord, number>();
  /** The database knows them. */
  readonly #written = new WeakSet<SessionRecord>();
  /** What nobody waits for, until the end of this turn of the event loop. */
  readonly #later: (() => void)[] = [];
  /** Nobody asked for them yet. */
  readonly #ready: Prepared[] = [];
  #hasBegun = false;
  #isStopped = false;

  constructor(dependencies: { store: SessionStore; now: () => number; monotonic?: () => number }, options: SessionsOptions) {
    this.#store = dependencies.store;
    this.#now = dependencies.now;
    this.#monotonic = dependencies.monotonic ?? (() => performance.now());
    this.#options = options;
  }

  /** The one of the entity, or a new one. Throws TOO_MANY_SESSIONS, DISK_FULL. */
  open(entity?: string): SessionRecord {
    this.#begin();
    this.#comeBack();
    const there = entity === undefined ? undefined : [...this.#sessions.values()].find((session) => session.entity === entity);
    if (there !== undefined && !this.#isOver(there)) return this.use(there.id);
    if (there !== undefined) this.remove(there.id);
    this.#throwIfTooMany();
    const id = newId();
    this.#makeFolder(this.#options.folder, id);
    const session = this.#add(id, entity ?? null);
    this.#put(session);
    return session;
  }

  /**
   * A new one for a run, in a folder that was prepared. It is written down while the program runs: of what is not, the next start removes the
   * folder. Throws TOO_MANY_SESSIONS, DISK_FULL.
   */
  openPrepared(prepared?: Prepared): { session: SessionRecord; spare: string } {
    this.#begin();
    this.#throwIfTooMany();
    const { id, spare } = prepared ?? this.prepare();
    const session = this.#add(id, null);
    this.#putLater(session);
    return { session, spare };
  }

  /** A folder for a session to come. Throws DISK_FULL. */
  prepare(): Prepared {
    this.#begin();
    const ready = this.#ready.pop();
    this.#afterwards(() => this.#makeReady());
    if (ready !== undefined)
      try {
        // There may be one that came since that was made.
        hidePackagesAbove(this.#options.folder);
        moveInto(`${this.#readyFolder}/${ready.id}`, `${this.#options.folder}/${ready.id}`);
        return ready;
      } catch {
        // Somebody cleared it away.
      }
    return this.#makePrepared(this.#options.folder);
  }

  /** Removes one that was prepared and never opened. */
  discard({ id }: Prepared): void {
    if (!this.#sessions.has(id)) removeFolder(path.join(this.#options.folder, id));
  }

  /** Throws NO_SESSION. */
  use(id: string): SessionRecord {
    this.#begin();
    if (this.#away.has(id)) this.#comeBack();
    const session = this.#sessions.get(id);
    if (this.#away.has(id))
      throw new OutriggerError('NO_SESSION', `The files of the session ${id} are not there.`, {
        hint: `They were in ${this.#options.folder}: if that is on a volume (option code.folder), mount it again.`,
      });
    if (session === undefined || this.#isOver(session)) throw new OutriggerError('NO_SESSION', `There is no session ${id}.`);
    this.#touch(session);
    // Behind all others: in the order of their last use.
    this.#sessions.delete(id);
    this.#sessions.set(id, session);
    return session;
  }

  all(): SessionRecord[] {
    this.#begin();
    this.#comeBack();
    this.sweep();
    return [...this.#sessions.values()].sort((one, other) => other.usedAt - one.usedAt);
  }

  /** Where its files are, absolute. */
  folder(id: string): string {
    return `${this.#options.folder}/${id}/${DATA}`;
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
    this.#inUse.set(id, (this.#inUse.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#inUse.get(id) ?? 1) - 1;
      if (left > 0) this.#inUse.set(id, left);
      else this.#inUse.delete(id);
    };
  }

  /** Names of ours in its folder, so that the next start takes them away, should this one not come to it. */
  lend(session: SessionRecord, names: string[]): void {
    session.lent = names;
    // One that is not written down yet will be, with that.
    if (this.#written.has(session)) this.#put(session);
  }

  /** Removes what was lent; what has a name that nobody else gives goes after the answer, and that all is gone is written down then. */
  takeBack(session: SessionRecord): void {
    const folder = this.folder(session.id);
    for (const name of session.lent ?? []) {
      if (OWN_NAME.test(name)) this.#afterwards(() => removeFolder(`${folder}/${name}`));
      // It was free when it was lent: a file of that name came meanwhile, in the place of ours.
      else if (!session.files.some((file) => file.name === name)) removeLent(`${folder}/${name}`);
    }
    delete session.lent;
    this.#putLater(session);
  }

  /**
   * The same name again takes its own place; a file of another one never does, and gets a number. Throws INPUT_TOO_LARGE, TOO_MANY_SESSION_FILES,
   * SESSION_FULL, DISK_FULL, FILE_EXISTS for a folder, BAD_INPUT for a name of which nothing is left.
   */
  async putFile(session: SessionRecord, name: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<CodeFile> {
    return this.putNamed(session, namingOf(name), content);
  }

  /** As `putFile`, under no name of `filled`. */
  async putNamed(
    session: SessionRecord,
    naming: FileNaming,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    filled?: ReadonlySet<string>,
  ): Promise<CodeFile> {
    const letGo = this.hold(session.id);
    const name = this.nameFor(session, naming, filled);
    const coming = { name, original: naming.original, bytes: 0 };
    this.#coming.set(session, [...(this.#coming.get(session) ?? []), coming]);
    try {
      const folder = this.folder(session.id);
      this.#throwIfFull(session, name);
      const { sha256 } = await storeFile(folder, name, this.#counted(session, coming, content), this.#options.maxFileBytes);
      const found = findFile(folder, name);
      if (found === undefined) throw new OutriggerError('FILE_NOT_FOUND', `${name} went away at once.`);
      try {
        // Others came meanwhile.
        this.#throwIfFull(session, name);
      } catch (error) {
        removeFile(folder, name);
        throw error;
      }
      session.diskBytes = this.#held(session) - this.#takenBy(session, name) + found.diskBytes;
      const file = fileInfo(this.#register(session, found, sha256, naming.original));
      this.#put(session);
      return file;
    } finally {
      this.#coming.set(session, this.#coming.get(session)?.filter((one) => one !== coming) ?? []);
      letGo();
    }
  }

  /** Under which a file would be stored now. */
  nameFor(session: SessionRecord, naming: FileNaming, filled: ReadonlySet<string> = new Set()): string {
    return nameAmong([...session.files, ...(this.#coming.get(session) ?? [])], naming, filled);
  }

  /** What a file is called in other sessions, where it is called nothing else: as it is here, without its folders. Throws FILE_NOT_FOUND. */
  namingIn(session: SessionRecord, id: string): FileNaming {
    const { name, original } = this.#file(session, id);
    return { wanted: path.posix.basename(name), original: original ?? name };
  }

  /** Throws FILE_NOT_FOUND. */
  file(session: SessionRecord, id: string): CodeFile {
    return fileInfo(this.#file(session, id));
  }

  /** As much as it held when it was taken up: a program may be writing to it. Throws FILE_NOT_FOUND. */
  read(session: SessionRecord, id: string): AsyncIterable<Uint8Array> {
    const { name, size } = this.file(session, id);
    // What is wrong is told now, and not when an answer is on its way.
    fs.closeSync(openFile(this.folder(session.id), name).descriptor);
    return bytesOf(this.folder(session.id), name, size);
  }

  /** Throws FILE_NOT_FOUND. */
  removeFile(session: SessionRecord, id: string): void {
    const { name } = this.file(session, id);
    removeFile(this.folder(session.id), name);
    session.diskBytes = Math.max(0, this.#held(session) - this.#takenBy(session, name));
    session.files = session.files.filter((file) => file.id !== id);
    this.#put(session);
  }

  /**
   * Takes up what is in the folder now; gives the files that are new or changed, at most `most`, how many were not taken up, and the sizes of all of
   * them. What was not taken up before, and is as it was, counts no more; where there is room by now it becomes a file of the session.
   */
  async collect(session: SessionRecord, most: number): Promise<{ files: CodeFile[]; omitted: number; sizes: Set<number> }> {
    const folder = this.folder(session.id);
    const { files: found, omitted, diskBytes } = findFiles(folder, this.#options.maxFiles * 4);
    const known = new Map(session.files.map((file) => [file.name, file]));
    const there = new Set(found.map(({ name }) => name));
    for (const name of known.keys()) {
      // Among very many it may have been passed over.
      const file = omitted === 0 || there.has(name) ? undefined : findFile(folder, name);
      if (file === undefined) continue;
      found.push(file);
      there.add(name);
    }
    const isGone = session.files.some(({ name }) => !there.has(name));
    if (isGone) session.files = session.files.filter(({ name }) => there.has(name));
    let isChanged = isGone || diskBytes !== this.#held(session);
    session.diskBytes = diskBytes;
    const made: CodeFile[] = [];
    const sizes = new Set<number>();
    const earlier = new Map(session.passedOver?.files);
    const passedOver: [name: string, mark: string][] = [];
    let left = Math.max(0, omitted - (session.passedOver?.others ?? 0));
    let taken = 0;
    const isOld = (file: FoundFile): boolean => !known.has(file.name) && earlier.get(file.name) === contentMark(file);
    const passOver = (file: FoundFile): void => {
      passedOver.push([file.name, contentMark(file)]);
      if (!isOld(file)) left++;
    };
    for (const file of [...found.filter((one) => !isOld(one)), ...found.filter(isOld)]) {
      const before = known.get(file.name);
      if (before?.mark === file.mark) continue;
      // What it knows already it goes on to know, as it is now, also where there is no room to give it back.
      const hasRoom = before !== undefined || (taken < most && session.files.length < this.#options.maxFiles);
      if (!hasRoom || file.size > this.#options.maxFileBytes) {
        session.files = session.files.filter(({ name }) => name !== file.name);
        if (!isOld(file)) sizes.add(file.size);
        passOver(file);
        continue;
      }
      try {
        const sha256 = await hashOf(folder, file.name);
        // What only got another owner for the run, or was written as it was, is not changed.
        const isSame = before?.sha256 === sha256;
        const info = fileInfo(this.#register(session, file, sha256));
        isChanged = true;
        if (isSame) continue;
        taken++;
        if (isOld(file)) continue;
        sizes.add(file.size);
        if (made.length < most) made.push(info);
        else left++;
      } catch {
        // It may not be read, or is none any more.
        passOver(file);
      }
    }
    const passed = passedOver.length === 0 && omitted === 0 ? undefined : { files: passedOver, others: omitted };
    isChanged ||= !isDeepStrictEqual(passed, session.passedOver);
    if (passed === undefined) delete session.passedOver;
    else session.passedOver = passed;
    this.#touch(session);
    if (isChanged) this.#put(session);
    return { files: made, omitted: left, sizes };
  }

  /** It holds the most that it may: nothing can be added. */
  isFull(session: SessionRecord): boolean {
    return this.#held(session) >= this.#options.maxBytes;
  }

  /** Throws NO_STATE. */
  readState(session: SessionRecord): { bytes: Buffer; language: string; info: NonNullable<CodeSession['state']> } {
    const info = stateInfo(session.state);
    if (session.state === null || info === null) throw new OutriggerError('NO_STATE', 'Nothing is kept of the variables of this session.');
    try {
      return { bytes: this.#stateBytes(session), language: session.state.language, info };
    } catch (error) {
      throw new OutriggerError('NO_STATE', 'The kept variables of this session are gone.', { cause: error });
    }
  }

  /** Without a language, that of the form of the bytes. Throws INPUT_TOO_LARGE, DISK_FULL. */
  async putState(session: SessionRecord, content: Uint8Array, language?: string): Promise<NonNullable<CodeSession['state']>> {
    const letGo = this.hold(session.id);
    try {
      const { folder, maxStateBytes } = this.#options;
      const small = content.length <= Math.min(SMALL_STATE_BYTES, maxStateBytes) ? content : null;
      const known = small === null ? this.#knownInFile(session, content) : factsOf(small);
      const { size, sha256, first } = known ?? (await storeFile(path.join(folder, session.id), STATE, content, maxStateBytes));
      const info = { bytes: size, sha256, savedAt: this.#now() };
      this.#keep(session, { ...info, language: language ?? languageOf(first), inFile: small === null }, small);
      return info;
    } finally {
      letGo();
    }
  }

  /**
   * As `putState`, of bytes that come slowly. When all are there `makeRoom` is awaited, and nothing comes between it and them. Throws what it throws,
   * NO_SESSION, INPUT_TOO_LARGE, DISK_FULL; the state is the old one then.
   */
  async replaceState(
    session: SessionRecord,
    content: AsyncIterable<Uint8Array>,
    makeRoom: () => Promise<void>,
  ): Promise<NonNullable<CodeSession['state']>> {
    const letGo = this.hold(session.id);
    const folder = path.join(this.#options.folder, session.id);
    const name = `${ownName()}.tmp`;
    try {
      const { size, sha256, first } = await storeFile(folder, name, content, this.#options.maxStateBytes);
      await makeRoom();
      if (!this.#isKnown(session)) throw this.#isGone(session);
      moveInto(path.join(folder, name), this.#stateFile(session.id));
      const info = { bytes: size, sha256, savedAt: this.#now() };
      this.#keep(session, { ...info, language: languageOf(first), inFile: true }, null);
      return info;
    } catch (error) {
      removeFile(folder, name);
      throw fileError(error, 'The variables');
    } finally {
      letGo();
    }
  }

  removeState(session: SessionRecord): void {
    removeFile(path.join(this.#options.folder, session.id), STATE);
    session.state = null;
    if (this.#isKnown(session)) this.#store.dropState(session);
  }

  remove(id: string): void {
    this.#sessions.delete(id);
    this.#away.delete(id);
    this.#store.remove(id);
    removeFolder(path.join(this.#options.folder, id));
  }

  /** Ends those whose time is over. Where no run ever was, nothing is made. */
  sweep(): void {
    if (!this.#hasBegun && !fs.existsSync(this.#options.folder)) return;
    this.#begin();
    for (const session of [...this.#sessions.values(), ...this.#away.values()]) if (this.#isOver(session)) this.remove(session.id);
  }

  /** Does what was put off until whoever waits has their answer. */
  settle(): void {
    for (const work of this.#later.splice(0)) work();
  }

  /** After the last run: nothing of what was made for later ones is left. */
  stop(): void {
    this.#isStopped = true;
    this.settle();
    this.#ready.length = 0;
    removeFolder(this.#readyFolder);
  }

  /** What can't be made now says so when it is needed. */
  #makeReady(): void {
    try {
      while (this.#ready.length < READY && !this.#isStopped) this.#ready.push(this.#makePrepared(this.#readyFolder));
    } catch {}
  }

  /** Beside the folders of sessions, as it is none yet. */
  get #readyFolder(): string {
    return `${this.#options.folder}-ready`;
  }

  #makePrepared(parent: string): Prepared {
    const [id, spare] = [newId(), ownName()];
    this.#makeFolder(parent, id, spare);
    return { id, folder: this.folder(id), spare };
  }

  #add(id: string, entity: string | null): SessionRecord {
    const now = this.#now();
    const session: SessionRecord = { id, entity, createdAt: now, usedAt: now, files: [], state: null };
    this.#monotonicUse.set(session, this.#monotonic());
    this.#sessions.set(id, session);
    return session;
  }

  #throwIfTooMany(): void {
    // More than one where there may be fewer than there were in an earlier life.
    for (let before = Number.POSITIVE_INFINITY; this.#sessions.size >= this.#options.most && this.#sessions.size < before; ) {
      before = this.#sessions.size;
      this.#makeRoom();
    }
    if (this.#sessions.size >= this.#options.most)
      throw new OutriggerError('TOO_MANY_SESSIONS', `There are ${this.#sessions.size} sessions already.`);
  }

  /** Throws DISK_FULL. */
  #makeFolder(parent: string, id: string, spare?: string): void {
    const folder = `${parent}/${id}`;
    try {
      hidePackagesAbove(this.#options.folder);
      makePassageIn(parent, id);
      makePrivate(`${folder}/${DATA}`);
      if (spare !== undefined) storeNew(`${folder}/${DATA}`, spare, '');
    } catch (error) {
      removeFolder(folder);
      throw fileError(error, 'The folder of the session');
    }
  }

  #stateFile(id: string): string {
    return path.join(this.#options.folder, id, STATE);
  }

  /** Throws as fs and SQLite do, and where nothing is there. */
  #stateBytes({ id, state }: SessionRecord): Buffer {
    if (state?.inFile !== false) return fs.readFileSync(this.#stateFile(id));
    const content = this.#store.state(id);
    if (content === undefined) throw new Error('The database has no variables of this session.');
    return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  }

  /** What is known of bytes that lie in its file already. */
  #knownInFile({ id, state }: SessionRecord, content: Uint8Array): StateFacts | undefined {
    if (state === null || state.inFile === false || state.bytes !== content.length) return undefined;
    const facts = factsOf(content);
    return facts.sha256 === state.sha256 && fs.existsSync(this.#stateFile(id)) ? facts : undefined;
  }

  /** Takes up a state; `small` is one that lies in no file. Throws NO_SESSION for one that was closed meanwhile. */
  #keep(session: SessionRecord, state: SessionRecord['state'], small: Uint8Array | null): void {
    if (!this.#isKnown(session)) throw this.#isGone(session);
    const before = session.state;
    session.state = state;
    if (small === null && before?.inFile !== false) return this.#put(session);
    try {
      if (small === null) this.#store.dropState(session);
      else this.#store.putState(session, small);
    } catch (error) {
      session.state = before;
      throw fileError(error, 'The database');
    }
    if (small !== null && before !== null && before.inFile !== false) removeFile(path.join(this.#options.folder, session.id), STATE);
  }

  #isGone({ id }: SessionRecord): OutriggerError {
    return new OutriggerError('NO_SESSION', `There is no session ${id} any more.`);
  }

  /** By both clocks: one that was set ahead is not to end what was used a moment ago. */
  #isOver(session: SessionRecord): boolean {
    const { lifeMs } = this.#options;
    const used = this.#monotonicUse.get(session) ?? Number.NEGATIVE_INFINITY;
    return !this.#inUse.has(session.id) && session.usedAt + lifeMs < this.#now() && used + lifeMs < this.#monotonic();
  }

  #file({ files }: SessionRecord, id: string): SessionRecord['files'][number] {
    const file = files.find((one) => one.id === id);
    if (file === undefined) throw new OutriggerError('FILE_NOT_FOUND', `The session has no file ${id}.`);
    return file;
  }

  /** What changed in place keeps its original. */
  #register(
    session: SessionRecord,
    { name, size, diskBytes, modified, mark }: FoundFile,
    sha256: string,
    original = name,
  ): SessionRecord['files'][number] {
    const before = session.files.find((file) => file.name === name);
    const file = { id: before?.id ?? newId(), name, ...(original === name ? {} : { original }), size, diskBytes, modified, mark, sha256 };
    if (before === undefined) session.files.push(file);
    else Object.assign(before, file);
    return file;
  }

  #throwIfFull({ files }: SessionRecord, name: string): void {
    if (files.length >= this.#options.maxFiles && !files.some((file) => file.name === name))
      throw new OutriggerError('TOO_MANY_SESSION_FILES', `The session holds ${files.length} files already.`);
  }

  /** Bytes on their way into a session, as long as it has room for them, and for all that come beside them. Throws SESSION_FULL. */
  async *#counted(
    session: SessionRecord,
    coming: { name: string; bytes: number },
    content: Uint8Array | AsyncIterable<Uint8Array>,
  ): AsyncGenerator<Uint8Array> {
    const { maxBytes } = this.#options;
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      coming.bytes += chunk.length;
      const all = this.#coming.get(session) ?? [];
      const held = all.reduce((sum, { bytes }) => sum + bytes, this.#held(session) - this.#takenBy(session, coming.name));
      if (held > maxBytes)
        throw new OutriggerError('SESSION_FULL', `The session has no room for ${coming.name}: it may hold ${maxBytes} bytes.`);
      yield chunk;
    }
  }

  /** Bytes that its files take on the disk. */
  #held({ diskBytes, files }: SessionRecord): number {
    return diskBytes ?? files.reduce((sum, file) => sum + (file.diskBytes ?? file.size), 0);
  }

  #takenBy({ files }: SessionRecord, name: string): number {
    const file = files.find((one) => one.name === name);
    return file?.diskBytes ?? file?.size ?? 0;
  }

  /**
   * Each run without a session leaves one behind: of those that hold nothing the one that was used longest ago makes room for the next; where there is none,
   * all whose time is over.
   */
  #makeRoom(): void {
    const isEmpty = ({ id, entity, files, state }: SessionRecord): boolean =>
      entity === null && files.length === 0 && state === null && !this.#inUse.has(id);
    const { value: empty } = this.#sessions.values().filter(isEmpty).next();
    if (empty === undefined) return this.sweep();
    this.#sessions.delete(empty.id);
    // Whoever waits for the next one does not wait for that.
    this.#afterwards(() => this.remove(empty.id));
  }

  #putLater(session: SessionRecord): void {
    this.#storedUse.delete(session);
    this.#afterwards(() => {
      if (!this.#storedUse.has(session)) this.#put(session);
    });
  }

  #afterwards(work: () => void): void {
    if (this.#later.push(work) === 1) afterwards(() => this.settle());
  }

  /** One that was closed while something went on in it stays closed. */
  #put(session: SessionRecord): void {
    if (!this.#isKnown(session)) return;
    this.#storedUse.set(session, session.usedAt);
    this.#written.add(session);
    this.#store.put(session);
  }

  #isKnown(session: SessionRecord): boolean {
    return this.#sessions.get(session.id) === session;
  }

  /** It was used now. */
  #touch(session: SessionRecord): void {
    session.usedAt = this.#now();
    this.#monotonicUse.set(session, this.#monotonic());
    const stored = this.#storedUse.get(session);
    // Without a time, it will be.
    if (stored !== undefined && session.usedAt - stored >= USE_STEP_MS) this.#put(session);
  }

  /** At the first use: folders of sessions that nobody knows any more are removed. */
  #begin(): void {
    if (this.#hasBegun) return;
    makePassage(this.#options.folder);
    // Of an earlier life.
    removeFolder(this.#readyFolder);
    makePassage(this.#readyFolder);
    // Of one without a type Node warns, where a module is run: it is made where there is need of it.
    removeFolder(packageAbove(this.#options.folder));
    const folders = new Set(fs.readdirSync(this.#options.folder));
    const stored = this.#store.all();
    this.#hasBegun = true;
    for (const session of stored.sort((one, other) => one.usedAt - other.usedAt)) {
      if (folders.has(session.id)) this.#takeUp(session);
      else if (this.#isOver(session)) this.#store.remove(session.id);
      else this.#away.set(session.id, session);
    }
    for (const name of folders)
      if (/^[A-Za-z0-9]{21}$/.test(name) && !this.#sessions.has(name)) removeFolder(path.join(this.#options.folder, name));
  }

  /** A session of an earlier life, without what runs left behind that that did not live to end. */
  #takeUp(session: SessionRecord): void {
    this.#sessions.set(session.id, session);
    this.#storedUse.set(session, session.usedAt);
    this.#written.add(session);
    if (session.lent !== undefined) this.takeBack(session);
    for (const folder of [path.join(this.#options.folder, session.id), this.folder(session.id)])
      try {
        for (const name of fs.readdirSync(folder)) if (OWN_NAME.test(name)) removeFolder(path.join(folder, name));
      } catch {
        // It can't be looked into: collecting files says more.
      }
  }

  #comeBack(): void {
    for (const [id, session] of this.#away) {
      if (!fs.existsSync(path.join(this.#options.folder, id))) continue;
      this.#away.delete(id);
      this.#takeUp(session);
    }
  }
}

interface StateFacts {
  size: number;
  sha256: string;
  first: number | undefined;
}

function factsOf(content: Uint8Array): StateFacts {
  return { size: content.length, sha256: hash('sha256', content), first: content[0] };
}

function languageOf(firstByte: number | undefined): string {
  return firstByte === V8_FIRST_BYTE ? 'js' : 'py';
}

/** What is told of it. */
export function stateInfo(state: SessionRecord['state']): CodeSession['state'] {
  return state === null ? null : { bytes: state.bytes, sha256: state.sha256, savedAt: state.savedAt };
}

function fileInfo({ id, name, size, modified, sha256 }: SessionRecord['files'][number]): CodeFile {
  return { id, name, size, modified, sha256, contentType: mimeTypeOf(name) };
}
