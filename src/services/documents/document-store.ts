import * as Y from 'yjs';
import { diffText } from '../../core/text-diff.ts';
import { lfAlone, type TextFormat } from '../../core/text-format.ts';
import type { State } from '../state/state.ts';
import { applyTextEdits, beginLife, firstState, newOwnId, rootNames } from './lineage.ts';
import { type LoggedRecord, type LogRecord, UpdateLog } from './update-log.ts';
import { mergeMany } from './waiting.ts';

const SEGMENT_BYTES = 16 * 1024 * 1024;
const SYNC_EVERY_MS = 50;
const KEEP_DOCUMENTS = 5000;
/** New ones until the others are counted: who only looks at files fills no log. */
const MOST_NEW = 1000;
/** Name of the fact that says under which name the texts are stored. */
const TEXT_NAME = 'documents.textName';
/** Stands beside the database for as long as the log has all that anybody saw: it can be removed where nothing can be written. */
const WHOLE = 'documents.whole';
/** Name of the fact that says how far the log had come when it was not whole: rows that were written by then are of a life that is over. */
const GAP = 'documents.gap';

/** What is stored of a document. */
export interface StoredDocument {
  id: number;
  path: string;
  /** Own id under which this life of the document began. */
  life: number;
  /** Everything, as one update. */
  state: Uint8Array;
  /** Content id of the file as last saved or seen; '' when there was no file. */
  savedHash: string;
  /** The text that the file held then. */
  savedText: string;
  /** How it stood there, also of a file that is gone. */
  format: TextFormat;
  /** What a save that was cut short was to put into the file, and may have. */
  saving?: Saving;
  /** The log had no room at the end: what the file holds may have come from here, and be unknown. */
  isBehind?: boolean;
}

/** A save under way, by its number: the content id of the file that it makes, and the text in it. */
export interface Saving {
  save: number;
  hash: string;
  text: string;
}

interface Row {
  id: number;
  path: string;
  life: number;
  base: Uint8Array;
  sequence: number;
  saved_hash: string;
  saved_text: string | null;
  /** As JSON; null in rows of versions that did not note it, of which the file alone tells. */
  format: string | null;
}

/** Documents at rest: a row each in the database, and what came since in the update log. */
export class DocumentStore {
  readonly #state: State;
  readonly #log: UpdateLog;
  readonly #textName: string;
  readonly #now: () => number;
  /** Records of before the start, until their document is checkpointed. */
  readonly #left = new Map<number, LoggedRecord[]>();
  /** By its row, where a document was moved to that could not be stored yet; undefined where it was forgotten. */
  readonly #places = new Map<number, string | undefined>();
  /** By its row, how a document stands in its file where that could not be stored yet. */
  readonly #formats = new Map<number, TextFormat>();
  #problem: string | undefined;
  /** The next start is told that the log is whole. */
  #marked = false;
  /** See GAP. */
  #gap: number;
  /** Rows that came since they were counted, and those that were too many at the start. */
  #new: number;
  /** Documents that are written whole now. */
  readonly #written = new Set<number>();

  constructor(dependencies: { state: State; now: () => number }, options: { folder: string; textName: string }) {
    this.#state = dependencies.state;
    this.#now = dependencies.now;
    this.#textName = options.textName;
    const { last, rows } = this.#state.statement('SELECT max(sequence) AS last, count(*) AS rows FROM texts').get() as {
      last: number | null;
      rows: number;
    };
    this.#new = Math.max(0, rows - KEEP_DOCUMENTS);
    this.#log = new UpdateLog({ folder: options.folder, segmentBytes: SEGMENT_BYTES, syncEveryMs: SYNC_EVERY_MS }, last ?? 0);
    for (const logged of this.#log.readAll()) {
      const records = this.#left.get(logged.document);
      if (records === undefined) this.#left.set(logged.document, [logged]);
      else records.push(logged);
    }
    this.#keepToTextName();
    this.#marked = this.#state.hasFile(WHOLE);
    this.#gap = this.#marked || last === null ? Number(this.#state.get(GAP) ?? -1) : this.#log.sequence;
    if (this.#log.sequence <= this.#gap) this.#log.skip();
  }

  /** The name of the text is a label only: under another one each document begins anew with what it held. */
  #keepToTextName(): void {
    const before = this.#state.get(TEXT_NAME);
    if (before === this.#textName) return;
    this.#state.transaction(() => {
      const rows = this.#state.statement('SELECT path FROM texts').all() as Pick<Row, 'path'>[];
      for (const { path } of rows) {
        const textName = before ?? this.#textNameIn(path);
        if (textName !== this.#textName) this.#beginAnew(path, textName);
      }
      this.#state.set(TEXT_NAME, this.#textName);
    });
  }

  /**
   * What is stored of a document that is about to be opened. Where the log was not whole, people know more than it has, and files may hold that: under the ids of
   * before it would stand there twice. Such a document begins anew, and what people and its file have is merged as text.
   */
  open(path: string): StoredDocument | undefined {
    const stored = this.load(path);
    if (stored === undefined || (this.#row(stored.id) as Row).sequence > this.#gap) return stored;
    this.#state.transaction(() => this.#beginAnew(path, this.#textName));
    const begun = this.load(path);
    return begun === undefined ? undefined : { ...begun, isBehind: true };
  }

  #beginAnew(path: string, textName: string): void {
    const stored = this.load(path, textName);
    if (stored === undefined) return;
    const { id: before, state, savedHash, savedText, format, saving } = stored;
    const text = textOf([state], textName);
    this.#remove(before);
    // Where nothing is unsaved, the file has it all.
    if (text === savedText) return;
    const life = newOwnId();
    const ydoc = docOf([firstState(savedText, this.#textName)]);
    beginLife(ydoc, life);
    applyTextEdits(ydoc, ydoc.getText(this.#textName), diffText(savedText, text), undefined);
    const id = this.create(path, life, Y.encodeStateAsUpdate(ydoc), savedHash, savedText, format);
    ydoc.destroy();
    if (saving !== undefined) this.#keepSaving(id, saving);
  }

  /** Versions before this one did not note the name: where there is no text under that of now, it is what the document began with. */
  #textNameIn(path: string): string {
    const stored = this.load(path);
    if (stored === undefined) return this.#textName;
    const ydoc = docOf([stored.state]);
    const names = rootNames(ydoc);
    ydoc.destroy();
    return names.includes(this.#textName) ? this.#textName : (names[0] ?? this.#textName);
  }

  /** Why records can't be stored now, or undefined. */
  get problem(): string | undefined {
    return this.#state.lost === undefined ? this.#problem : `Edits are not stored any more: ${this.#state.lost}`;
  }

  /** Paths of documents that a crash left with records in the log only, or whose text is not in their file. */
  unfinished(): string[] {
    const paths: string[] = [];
    for (const [id, records] of this.#left) {
      const row = this.#state.statement('SELECT path, sequence FROM texts WHERE id = ?').get(id) as
        | Pick<Row, 'path' | 'sequence'>
        | undefined;
      if (row !== undefined && records.some((logged) => logged.sequence > row.sequence)) paths.push(row.path);
      else this.#left.delete(id);
    }
    // Written whole at a stop, or for a new log, while their file could not be.
    const unsaved = this.#state.statement('SELECT path FROM texts WHERE saved_text IS NOT NULL').all() as Pick<Row, 'path'>[];
    return [...new Set([...paths, ...unsaved.map((row) => row.path)])];
  }

  /** Under which id something is stored of what is at that path. */
  idAt(path: string): number | undefined {
    for (const [id, place] of this.#places) if (place === path) return id;
    const row = this.#state.statement('SELECT id FROM texts WHERE path = ?').get(path) as Pick<Row, 'id'> | undefined;
    return row === undefined || this.#places.has(row.id) ? undefined : row.id;
  }

  /** `textName`: the name under which its text was stored. */
  load(path: string, textName = this.#textName): StoredDocument | undefined {
    const id = this.idAt(path);
    const row = id === undefined ? undefined : this.#row(id);
    if (row === undefined) return undefined;
    const records = (this.#left.get(row.id) ?? []).filter((logged) => logged.sequence > row.sequence).map((logged) => logged.record);
    const stored = replay({ ...row, path }, records, textName);
    return { ...stored, format: this.#formats.get(row.id) ?? stored.format };
  }

  #row(id: number): Row | undefined {
    return this.#state
      .statement('SELECT id, path, life, base, sequence, saved_hash, saved_text, format FROM texts WHERE id = ?')
      .get(id) as unknown as Row | undefined;
  }

  /** The state of an open document as it is stored now, read back. */
  reload(id: number): Uint8Array {
    this.commit();
    const row = this.#row(id) as Row;
    // On a full disk some are not in the log yet.
    const logged = [...this.#log.readAll(), ...this.#log.queued()];
    const records = logged.filter(({ document, sequence }) => document === id && sequence > row.sequence);
    return replay(
      row,
      records.map((logged) => logged.record),
      this.#textName,
    ).state;
  }

  /** Makes the row of a new document; its number names it in the log. */
  create(path: string, life: number, state: Uint8Array, savedHash: string, savedText: string | undefined, format: TextFormat): number {
    this.#storePlaces();
    this.#state.statement('DELETE FROM texts WHERE path = ?').run(path);
    const { lastInsertRowid } = this.#state
      .statement('INSERT INTO texts(path, life, base, sequence, saved_hash, saved_text, used, format) VALUES(?,?,?,?,?,?,?,?)')
      .run(path, life, state, this.#log.sequence, savedHash, savedText ?? null, this.#now(), JSON.stringify(format));
    this.#new++;
    return Number(lastInsertRowid);
  }

  /** Queues records for `commit`. What nobody would find again is let go. */
  add(id: number, ...records: LogRecord[]): void {
    if (this.#state.lost !== undefined) return;
    for (const record of records) this.#log.add(id, record);
  }

  /** Stores what was added before anybody hears of it. A full disk is no reason to stop editing: it is tried again with the next. */
  commit(): void {
    this.#state.look();
    if (this.#state.lost !== undefined) return;
    try {
      // Where records are found after a crash, their text is put into the file that their row names: that must not be the old place.
      this.#storePlaces();
      this.#storeFormats();
      this.#log.write();
      this.#problem = undefined;
      if (!this.#marked) this.#mark();
    } catch (error) {
      this.#unmark();
      this.#problem = `Edits can't be stored: ${(error as Error).message}`;
    }
  }

  #mark(): void {
    if (!this.#state.writable) return;
    try {
      this.#state.set(GAP, String(this.#gap));
      this.#state.writeFile(WHOLE, '');
      this.#marked = true;
    } catch {
      // The disk is full again, or the state is lost: without it all documents begin anew, which loses nothing.
    }
  }

  #unmark(): void {
    if (!this.#marked) return;
    this.#marked = false;
    try {
      this.#state.removeFile(WHOLE);
    } catch {
      // Of a folder that became read-only nothing can be said any more.
    }
  }

  append(id: number, ...records: LogRecord[]): void {
    this.add(id, ...records);
    this.commit();
  }

  /**
   * Writes a document whole, so that its records in the log are needed no more. `savedText` where the file holds another text; `saving` is queued for `commit`,
   * as it counts only until it is known how that ended.
   */
  checkpoint(id: number, state: Uint8Array, savedHash: string, savedText: string | undefined, saving: Saving | undefined): void {
    this.#state
      .statement('UPDATE texts SET base = ?, sequence = ?, saved_hash = ?, saved_text = ?, used = ? WHERE id = ?')
      .run(state, this.#log.sequence, savedHash, savedText ?? null, this.#now(), id);
    this.#left.delete(id);
    this.#written.add(id);
    if (saving !== undefined) this.add(id, { type: 'saving', ...saving });
  }

  /** What an open document's line ends and byte order mark are from now on. Holds as `rename` does. */
  setFormat(id: number, format: TextFormat): void {
    this.#formats.set(id, format);
    this.commit();
  }

  /** Holds at once, also where it can't be stored now: then it is stored before all that comes later. So do `renameBelow` and `forget`. */
  rename(id: number, path: string): void {
    this.#place(id, path);
    this.commit();
  }

  /** Rows of documents that are not open follow their file. Gives the places where they are by now; what was stored of others there is forgotten. */
  renameBelow(from: string, to: string): string[] {
    const places = this.#atOrBelow(from).map(([id, path]) => [id, to + path.slice(from.length)] as const);
    for (const [id, place] of places) this.#place(id, place);
    this.commit();
    return places.map(([, place]) => place);
  }

  forget(id: number): void {
    this.#drop(id);
    this.commit();
  }

  #place(id: number, path: string): void {
    const replaced = this.idAt(path);
    if (replaced !== undefined && replaced !== id) this.#drop(replaced);
    this.#places.set(id, path);
  }

  #drop(id: number): void {
    this.#places.set(id, undefined);
    this.#formats.delete(id);
    this.#left.delete(id);
  }

  #atOrBelow(folder: string): [id: number, path: string][] {
    const rows = this.#state
      .statement('SELECT id, path FROM texts WHERE path = ? OR (path > ? AND path < ?)')
      .all(folder, `${folder}/`, `${folder}0`) as Pick<Row, 'id' | 'path'>[];
    const places = new Map([...rows.map(({ id, path }) => [id, path] as const), ...this.#places]);
    return [...places].filter((place): place is [number, string] => place[1] === folder || place[1]?.startsWith(`${folder}/`) === true);
  }

  #storePlaces(): void {
    if (this.#places.size === 0) return;
    this.#state.transaction(() => {
      // Two may have changed places: all leave the old ones first, for a path that no file has.
      for (const id of this.#places.keys()) this.#state.statement("UPDATE texts SET path = '/' || id WHERE id = ?").run(id);
      for (const [id, path] of this.#places) {
        if (path === undefined) this.#remove(id);
        else this.#state.statement('UPDATE texts SET path = ? WHERE id = ?').run(path, id);
      }
    });
    this.#places.clear();
  }

  #storeFormats(): void {
    for (const [id, format] of this.#formats) {
      this.#state.statement('UPDATE texts SET format = ? WHERE id = ?').run(JSON.stringify(format), id);
      this.#formats.delete(id);
    }
  }

  #remove(id: number): void {
    this.#state.statement('DELETE FROM texts WHERE id = ?').run(id);
    this.#formats.delete(id);
    this.#left.delete(id);
  }

  /** So much came that documents are to be written whole, and what was used longest ago forgotten: see `compact`. */
  get full(): boolean {
    return this.#log.full || this.#new > MOST_NEW;
  }

  /** Begins a new log; `checkpointAll` must write every document that has records in the old one, or is open: of more than are kept the others go. */
  compact(checkpointAll: () => void): void {
    this.#storePlaces();
    const drop = this.#log.rotate();
    const left = new Map(this.#left);
    this.#new = 0;
    this.#written.clear();
    try {
      this.#state.transaction(() => {
        checkpointAll();
        for (const id of left.keys()) this.#settle(id);
        this.#forgetOldest();
      });
    } catch (error) {
      // Nothing of it was written: the records are needed as before.
      for (const [id, records] of left) this.#left.set(id, records);
      throw error;
    }
    this.commit();
    drop();
  }

  /** Of those that are not open; what is not in its file goes last. */
  #forgetOldest(): void {
    const oldest = this.#state
      .statement('SELECT id FROM texts ORDER BY saved_text IS NULL, used DESC LIMIT -1 OFFSET ?')
      .all(KEEP_DOCUMENTS);
    for (const { id } of oldest as Pick<Row, 'id'>[]) if (!this.#written.has(id)) this.#remove(id);
  }

  /** Writes what the log has of a document that could not be opened since the start into its row. */
  #settle(id: number): void {
    const row = this.#row(id);
    const records = (this.#left.get(id) ?? []).filter((logged) => logged.sequence > (row?.sequence ?? 0)).map((logged) => logged.record);
    if (row === undefined || records.length === 0) {
      this.#left.delete(id);
      return;
    }
    if (row.sequence <= this.#gap) {
      this.#beginAnew(row.path, this.#textName);
      return;
    }
    const stored = replay(row, records, this.#textName);
    const isSaved = textOf([stored.state], this.#textName) === stored.savedText;
    const { saving } = stored;
    this.checkpoint(id, stored.state, stored.savedHash, isSaved ? undefined : stored.savedText, saving);
    if (saving !== undefined) this.#left.set(id, [{ document: id, sequence: this.#log.sequence, record: { type: 'saving', ...saving } }]);
  }

  /** In a row that is new. */
  #keepSaving(id: number, saving: Saving): void {
    this.add(id, { type: 'saving', ...saving });
    this.#left.set(id, [{ document: id, sequence: this.#log.sequence, record: { type: 'saving', ...saving } }]);
  }

  sync(): Promise<void> {
    return this.#log.sync();
  }

  /** `forgets`: what is remembered goes, as with the rest of a state that is not kept. */
  async close({ forgets }: { forgets: boolean }): Promise<void> {
    this.commit();
    await this.#log.close();
    if (forgets) this.#log.remove();
  }
}

/** A document from its row and the records since: its state, and the text that the file held at the last save. */
function replay(row: Row, records: readonly LogRecord[], textName: string): StoredDocument {
  const updates: Uint8Array[] = [];
  const saves = new Map<number, Held>();
  let savedHash = row.saved_hash;
  let saved: Held = row.saved_text ?? 0;
  let saving: { save: number; hash: string; held: Held } | undefined;
  for (const record of records) {
    if (record.type === 'update') {
      updates.push(record.update);
      continue;
    }
    saving = undefined;
    if (record.type === 'snapshot' || record.type === 'saving') {
      const { save, hash } = record;
      const held = record.type === 'saving' ? record.text : updates.length;
      saves.set(save, held);
      saving = { save, hash, held };
    } else if (record.type === 'disk') {
      savedHash = record.hash;
      saved = record.text;
    } else {
      const held = saves.get(record.save);
      if (held === undefined) continue;
      savedHash = record.hash;
      saved = held;
    }
  }
  const state = updates.length === 0 ? row.base : mergeMany([row.base, ...updates]);
  const textIn = (held: Held): string => (typeof held === 'string' ? held : textOf([row.base, ...updates.slice(0, held)], textName));
  return {
    id: row.id,
    path: row.path,
    life: row.life,
    state,
    savedHash,
    savedText: textIn(saved),
    format: row.format === null ? lfAlone : (JSON.parse(row.format) as TextFormat),
    ...(saving === undefined ? {} : { saving: { save: saving.save, hash: saving.hash, text: textIn(saving.held) } }),
  };
}

/** A text, or how many of the updates since the row was written led to it. */
type Held = string | number;

function docOf(updates: readonly Uint8Array[]): Y.Doc {
  const ydoc = new Y.Doc();
  ydoc.transact(() => {
    for (const update of updates) Y.applyUpdate(ydoc, update);
  });
  return ydoc;
}

function textOf(updates: readonly Uint8Array[], textName: string): string {
  const ydoc = docOf(updates);
  const text = ydoc.getText(textName).toString();
  ydoc.destroy();
  return text;
}
