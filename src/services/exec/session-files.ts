import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { CodeFile } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { mimeTypeOf } from '../workspace/mime-types.ts';
import { bytesOf, contentMark, type FoundFile, findFile, findFiles, hashOf, openFile } from './found-files.ts';
import { newId } from './ids.ts';
import { removeFile, storeFile } from './run-folders.ts';
import { type FileNaming, nameAmong, namingOf } from './session-names.ts';
import type { SessionPlaces } from './session-places.ts';
import type { SessionRecords } from './session-records.ts';
import type { SessionRecord } from './session-store.ts';

export interface SessionFilesOptions {
  /** Of one session. */
  maxFiles: number;
  /** That its files take on the disk. */
  maxBytes: number;
  /** Of one file. */
  maxFileBytes: number;
}

/** Files in sessions: those that callers put there, and those that runs left. */
export class SessionFiles {
  readonly #records: SessionRecords;
  readonly #places: SessionPlaces;
  readonly #options: SessionFilesOptions;
  /** Files on their way into each: their names are given. */
  readonly #coming = new WeakMap<SessionRecord, { name: string; original: string; bytes: number }[]>();

  constructor(dependencies: { records: SessionRecords; places: SessionPlaces }, options: SessionFilesOptions) {
    this.#records = dependencies.records;
    this.#places = dependencies.places;
    this.#options = options;
  }

  /** Where those of a session are, absolute. */
  folder(id: string): string {
    return this.#places.data(id);
  }

  /**
   * The same name again takes its own place; a file of another one never does, and gets a number. Throws INPUT_TOO_LARGE, TOO_MANY_SESSION_FILES,
   * SESSION_FULL, DISK_FULL, FILE_EXISTS for a folder, BAD_INPUT for a name of which nothing is left, NO_SESSION where it was closed meanwhile.
   */
  async put(session: SessionRecord, name: string, content: Uint8Array | AsyncIterable<Uint8Array>): Promise<CodeFile> {
    return this.putNamed(session, namingOf(name), content);
  }

  /** As `put`, under no name of `filled`. */
  async putNamed(
    session: SessionRecord,
    naming: FileNaming,
    content: Uint8Array | AsyncIterable<Uint8Array>,
    filled?: ReadonlySet<string>,
  ): Promise<CodeFile> {
    const letGo = this.#records.hold(session.id);
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
      this.#records.put(session);
      return file;
    } catch (error) {
      // Where it was closed meanwhile, its folder went with it.
      this.#records.throwIfClosed(session);
      throw error;
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
  get(session: SessionRecord, id: string): CodeFile {
    return fileInfo(this.#file(session, id));
  }

  /** As much as it held when it was taken up: a program may be writing to it. Throws FILE_NOT_FOUND. */
  read(session: SessionRecord, id: string): AsyncIterable<Uint8Array> {
    const { name, size } = this.get(session, id);
    // What is wrong is told now, and not when an answer is on its way.
    fs.closeSync(openFile(this.folder(session.id), name).descriptor);
    return bytesOf(this.folder(session.id), name, size);
  }

  /** Throws FILE_NOT_FOUND. */
  remove(session: SessionRecord, id: string): void {
    const { name } = this.get(session, id);
    removeFile(this.folder(session.id), name);
    session.diskBytes = Math.max(0, this.#held(session) - this.#takenBy(session, name));
    session.files = session.files.filter((file) => file.id !== id);
    this.#records.put(session);
  }

  /**
   * Takes up what is in the folder now; gives the files that are new or changed, at most `most`, how many were not taken up, and the sizes of all of
   * them. What was not taken up before, and is as it was, counts no more; where there is room by now it becomes a file of the session.
   */
  async collect(session: SessionRecord, most: number): Promise<{ files: CodeFile[]; omitted: number; sizes: Set<number> }> {
    const folder = this.folder(session.id);
    const { files: found, omitted, diskBytes } = await findFiles(folder, this.#options.maxFiles * 4);
    const known = new Map(session.files.map((file) => [file.name, file]));
    const there = new Set(found.map(({ name }) => name));
    for (const name of known.keys()) {
      // Among very many it may have been passed over, or it came while they were looked at.
      const file = there.has(name) ? undefined : findFile(folder, name);
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
    this.#records.touch(session);
    if (isChanged) this.#records.put(session);
    return { files: made, omitted: left, sizes };
  }

  /** It holds the most that it may: nothing can be added. */
  isFull(session: SessionRecord): boolean {
    return this.#held(session) >= this.#options.maxBytes;
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
}

/** What is told of it. */
export function fileInfo({ id, name, size, modified, sha256 }: SessionRecord['files'][number]): CodeFile {
  return { id, name, size, modified, sha256, contentType: mimeTypeOf(name) };
}
