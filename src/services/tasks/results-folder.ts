import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { JsonTooDeep, MAX_JSON_DEPTH, readJson } from '../../core/json-text.ts';
import { makeFolder } from '../../core/make-folder.ts';

/** A larger result file is refused. */
const MAX_RESULT_BYTES = 64 * 1024 * 1024;
/** Levels of arrays and objects in it: there is room for the frame to the hub, and for what the hub tells of the task. */
const MAX_RESULT_DEPTH = MAX_JSON_DEPTH - 10;
const LATE = 'late';
/** Of results that came late the newest are kept: so many, of so many bytes together. */
const KEPT_LATE = 1000;
const MAX_LATE_BYTES = 1024 * 1024 * 1024;
/** The time at the end of their names, milliseconds since 1970. */
const LATE_AT = /-(\d+)\.json$/;
/** The same of what was too long for a frame to the hub; what waits for its word stays. */
const KEPT_WHOLE = 1000;
const MAX_WHOLE_BYTES = 1024 * 1024 * 1024;
const WHOLE = /\.(?:reason\.txt|whole\.json)$/;
const RESULT = '.json';
const STARTED = '.started';
/** Of a file's name, without its ending. */
const MAX_NAME_LENGTH = 100;

export type FoundResult =
  | { value: Record<string, unknown> }
  /** There, and none whatever is still written of it: why. */
  | { problem: string }
  /** Not there (yet), or half written: `unfinished` changes while somebody writes. `isUnread`: what it holds is not known. */
  | { unfinished: string | undefined; isUnread?: true };

/**
 * Where agents put what came of a task: `<name>.started` when they have begun, `<name>.json` at the end. The name is the id of the task, but
 * for ids that are no names of files.
 */
export class ResultsFolder {
  /** Absolute. */
  readonly folder: string;
  #watcher: fs.FSWatcher | undefined;
  /** Undefined: nobody watches. */
  #watchAgain: (() => void) | undefined;

  readonly #madeAgain: (() => void) | undefined;

  /** `madeAgain`: whatever else was in it is gone. */
  constructor(folder: string, madeAgain?: () => void) {
    this.folder = folder;
    this.#madeAgain = madeAgain;
    makeFolder(folder, 0o777, { fs, path });
  }

  resultFile(id: string): string {
    return path.join(this.folder, fileName(id) + RESULT);
  }

  hasStarted(id: string): boolean {
    return fs.existsSync(path.join(this.folder, fileName(id) + STARTED));
  }

  /** Names of all results that are there. */
  names(): string[] {
    return namesIn(this.folder).flatMap((name) => (name.endsWith(RESULT) ? [name.slice(0, -RESULT.length)] : []));
  }

  /** `isNotYet`: told which state of the file it is, as `unfinished` has it, and of how many bytes, says that it need not be read. */
  read(id: string, isNotYet: (unfinished: string, bytes: number) => boolean = () => false): FoundResult {
    let key: string | undefined;
    try {
      const stat = fs.lstatSync(this.resultFile(id));
      key = `${stat.mtimeMs} ${stat.size}`;
      if (!stat.isFile() || stat.size > MAX_RESULT_BYTES) return { unfinished: key };
      if (isNotYet(key, stat.size)) return { unfinished: key, isUnread: true };
      const value = objectOf(readJson(fs.readFileSync(this.resultFile(id), 'utf8'), MAX_RESULT_DEPTH));
      if (value !== undefined) return { value };
    } catch (error) {
      if (error instanceof JsonTooDeep) return { problem: `the result file is nested deeper than ${MAX_RESULT_DEPTH} levels` };
      // Not there, or not whole.
    }
    return { unfinished: key };
  }

  /** Once the outbox has it. */
  remove(id: string): void {
    for (const ending of [RESULT, STARTED]) fs.rmSync(path.join(this.folder, fileName(id) + ending), { force: true, recursive: true });
  }

  /** That an agent has begun. */
  removeStarted(id: string): void {
    fs.rmSync(path.join(this.folder, fileName(id) + STARTED), { force: true });
  }

  /** Puts a result that nobody waits for aside, where a person finds it; false where there is none. `at`: milliseconds since 1970. */
  archive(id: string, generation: number, at: number): boolean {
    this.removeStarted(id);
    if (!fs.existsSync(this.resultFile(id))) return false;
    fs.renameSync(this.resultFile(id), this.#late(id, generation, at));
    this.#tidyLate();
    return true;
  }

  /** The same for one that the outbox had. */
  archiveOutcome(id: string, generation: number, at: number, outcome: unknown): void {
    fs.writeFileSync(this.#late(id, generation, at), `${JSON.stringify(outcome, undefined, 2)}\n`, { mode: 0o600 });
    this.#tidyLate();
  }

  /** What is too long for a frame. Gives the file. `waiting`: ids of those whose outcome waits for the hub's word. */
  keepWhole(id: string, ending: '.reason.txt' | '.whole.json', text: string, waiting: () => Iterable<string>): string {
    const file = path.join(this.folder, fileName(id) + ending);
    // In place of itself: it is written again each time the hub is told.
    fs.writeFileSync(file, text, { mode: 0o600 });
    this.#tidyWhole(waiting);
    return file;
  }

  /** Calls at each change that the system tells of; not all are. Returns the way to stop. */
  watch(changed: () => void): () => void {
    this.#watchAgain = () => {
      this.#watcher?.close();
      this.#watcher = watcherOf(this.folder, changed);
    };
    this.#watchAgain();
    return () => {
      this.#watchAgain = undefined;
      this.#watcher?.close();
    };
  }

  /** Where somebody removed it: makes it anew, watches that, and gives true. */
  makeAgain(): boolean {
    if (makeFolder(this.folder, 0o777, { fs, path }) === undefined) return false;
    this.#watchAgain?.();
    this.#madeAgain?.();
    return true;
  }

  #late(id: string, generation: number, at: number): string {
    const folder = path.join(this.folder, LATE);
    makeFolder(folder, 0o777, { fs, path });
    return path.join(folder, `${fileName(id)}-${generation}-${at}${RESULT}`);
  }

  #tidyLate(): void {
    const folder = path.join(this.folder, LATE);
    const newest = namesIn(folder)
      .flatMap((name) => {
        const at = LATE_AT.exec(name)?.[1];
        return at === undefined ? [] : [{ file: path.join(folder, name), at: Number(at) }];
      })
      .sort((a, b) => b.at - a.at);
    let bytes = 0;
    for (const [place, { file }] of newest.entries()) {
      bytes += fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
      if (place > 0 && (place >= KEPT_LATE || bytes > MAX_LATE_BYTES)) fs.rmSync(file, { force: true, recursive: true });
    }
  }

  #tidyWhole(waiting: () => Iterable<string>): void {
    const oldest = namesIn(this.folder)
      .flatMap((name) => {
        const stat = WHOLE.test(name) ? fs.lstatSync(path.join(this.folder, name), { throwIfNoEntry: false }) : undefined;
        return stat?.isFile() === true ? [{ name, at: stat.mtimeMs, bytes: stat.size }] : [];
      })
      .sort((a, b) => a.at - b.at);
    let count = oldest.length;
    let bytes = oldest.reduce((sum, file) => sum + file.bytes, 0);
    const isTooMuch = (): boolean => count > KEPT_WHOLE || bytes > MAX_WHOLE_BYTES;
    const needed = new Set(isTooMuch() ? [...waiting()].map(fileName) : []);
    for (const file of oldest) {
      if (!isTooMuch()) return;
      if (needed.has(file.name.replace(WHOLE, ''))) continue;
      fs.rmSync(path.join(this.folder, file.name), { force: true });
      count--;
      bytes -= file.bytes;
    }
  }
}

/** The seed's queue, as it was beside its config; undefined where there is none that can be read. */
export function readQueueFile(file: string): Record<string, unknown> | undefined {
  try {
    return objectOf(readJson(fs.readFileSync(file, 'utf8')));
  } catch {
    return undefined;
  }
}

export function putQueueFileAside(file: string): void {
  if (fs.existsSync(file)) fs.renameSync(file, `${file}.imported`);
}

/** A hub chooses ids: they must not lead anywhere else. */
export function fileName(id: string): string {
  const isName = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/.test(id) && id.length <= MAX_NAME_LENGTH;
  if (isName && id !== LATE && !WHOLE.test(id + RESULT)) return id;
  const readable = id.replace(/[^A-Za-z0-9_-]+/g, '_').slice(0, 40);
  return `${readable}-${createHash('sha256').update(id).digest('hex').slice(0, 16)}`;
}

function objectOf(value: unknown): Record<string, unknown> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
}

/** Undefined where no watch is to be had: looks alone find what is there. */
function watcherOf(folder: string, changed: () => void): fs.FSWatcher | undefined {
  try {
    const watcher = fs.watch(folder, { persistent: false }, changed);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}
