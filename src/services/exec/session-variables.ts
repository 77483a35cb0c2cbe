import { hash } from 'node:crypto';
import fs from 'node:fs';
import type { CodeSession } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { fileError } from '../workspace/file-errors.ts';
import { moveInto, ownName, removeFile, storeFile } from './run-folders.ts';
import type { SessionPlaces } from './session-places.ts';
import type { SessionRecords } from './session-records.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';

export interface SessionVariablesOptions {
  maxStateBytes: number;
}

const STATE = 'state';
/** So many bytes of variables lie in the database: to put a file in the place of another takes longer than all else of a short run. */
const SMALL_STATE_BYTES = 64 * 1024;
/** What v8.serialize writes begins with it; what pickle does with 0x80. */
const V8_FIRST_BYTE = 0xff;

/** Variables of sessions, as they are kept from one run to the next. */
export class SessionVariables {
  readonly #store: SessionStore;
  readonly #now: () => number;
  readonly #records: SessionRecords;
  readonly #places: SessionPlaces;
  readonly #options: SessionVariablesOptions;

  constructor(
    dependencies: { store: SessionStore; now: () => number; records: SessionRecords; places: SessionPlaces },
    options: SessionVariablesOptions,
  ) {
    this.#store = dependencies.store;
    this.#now = dependencies.now;
    this.#records = dependencies.records;
    this.#places = dependencies.places;
    this.#options = options;
  }

  /** Throws NO_STATE. */
  read(session: SessionRecord): { bytes: Buffer; language: string; info: NonNullable<CodeSession['state']> } {
    const info = stateInfo(session.state);
    if (session.state === null || info === null) throw new OutriggerError('NO_STATE', 'Nothing is kept of the variables of this session.');
    try {
      return { bytes: this.#bytes(session), language: session.state.language, info };
    } catch (error) {
      throw new OutriggerError('NO_STATE', 'The kept variables of this session are gone.', { cause: error });
    }
  }

  /** Without a language, that of the form of the bytes. Throws INPUT_TOO_LARGE, DISK_FULL. */
  async put(session: SessionRecord, content: Uint8Array, language?: string): Promise<NonNullable<CodeSession['state']>> {
    const letGo = this.#records.hold(session.id);
    try {
      const { maxStateBytes } = this.#options;
      const small = content.length <= Math.min(SMALL_STATE_BYTES, maxStateBytes) ? content : null;
      const known = small === null ? this.#knownInFile(session, content) : factsOf(small);
      const { size, sha256, first } = known ?? (await storeFile(this.#places.folder(session.id), STATE, content, maxStateBytes));
      const info = { bytes: size, sha256, savedAt: this.#now() };
      this.#keep(session, { ...info, language: language ?? languageOf(first), inFile: small === null }, small);
      return info;
    } finally {
      letGo();
    }
  }

  /**
   * As `put`, of bytes that come slowly. When all are there `makeRoom` is awaited, and nothing comes between it and them. Throws what it throws,
   * NO_SESSION, INPUT_TOO_LARGE, DISK_FULL; the state is the old one then.
   */
  async replace(
    session: SessionRecord,
    content: AsyncIterable<Uint8Array>,
    makeRoom: () => Promise<void>,
  ): Promise<NonNullable<CodeSession['state']>> {
    const letGo = this.#records.hold(session.id);
    const folder = this.#places.folder(session.id);
    const name = `${ownName()}.tmp`;
    try {
      const { size, sha256, first } = await storeFile(folder, name, content, this.#options.maxStateBytes);
      await makeRoom();
      this.#records.throwIfClosed(session);
      moveInto(`${folder}/${name}`, this.#file(session.id));
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

  remove(session: SessionRecord): void {
    removeFile(this.#places.folder(session.id), STATE);
    session.state = null;
    if (this.#records.isKnown(session)) this.#store.dropState(session);
  }

  /** Throws as fs and SQLite do, and where nothing is there. */
  #bytes({ id, state }: SessionRecord): Buffer {
    if (state?.inFile !== false) return fs.readFileSync(this.#file(id));
    const content = this.#store.state(id);
    if (content === undefined) throw new Error('The database has no variables of this session.');
    return Buffer.from(content.buffer, content.byteOffset, content.byteLength);
  }

  /** What is known of bytes that lie in its file already. */
  #knownInFile({ id, state }: SessionRecord, content: Uint8Array): StateFacts | undefined {
    if (state === null || state.inFile === false || state.bytes !== content.length) return undefined;
    const facts = factsOf(content);
    return facts.sha256 === state.sha256 && fs.existsSync(this.#file(id)) ? facts : undefined;
  }

  /** Takes up a state; `small` is one that lies in no file. Throws NO_SESSION for one that was closed meanwhile. */
  #keep(session: SessionRecord, state: SessionRecord['state'], small: Uint8Array | null): void {
    this.#records.throwIfClosed(session);
    const before = session.state;
    session.state = state;
    if (small === null && before?.inFile !== false) return this.#records.put(session);
    try {
      if (small === null) this.#store.dropState(session);
      else this.#store.putState(session, small);
    } catch (error) {
      session.state = before;
      throw fileError(error, 'The database');
    }
    if (small !== null && before !== null && before.inFile !== false) removeFile(this.#places.folder(session.id), STATE);
  }

  #file(id: string): string {
    return `${this.#places.folder(id)}/${STATE}`;
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
