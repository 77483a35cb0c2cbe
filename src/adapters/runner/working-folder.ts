import path from 'node:path';
import type { FastifyRequest } from 'fastify';
import type { CodeFile, CodeSession } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { ask, askBytes, type Asking, copyFile } from '../code-api/ask.ts';
import { FormNames, partsOf, wholeFile } from '../code-api/form-files.ts';

/** As requests name it. */
export const WORKING_DIR = '/mnt/data';
/** Runs with variables that wait for one before them, and runs that wait for those apart. What they bring is kept as long. */
const MAX_WAITING = 64;

/**
 * The one folder that clients of the runner see: the session that first got files, by an upload or by a run. Before there is one, each run
 * has a session of its own, so that runs that leave nothing behind need not wait for each other.
 */
export class WorkingFolder {
  #session: string | undefined;
  /** Runs whose variables are put and taken follow each other here: those of two runs must not be mixed. */
  #isTaken = false;
  readonly #waiting = new Set<() => void>();
  /** Runs that began when there was no folder, with what they bring into it. */
  readonly #apart = new Set<Promise<unknown>>();
  #waitingForApart = 0;

  async list(asking: Asking): Promise<CodeFile[]> {
    return (await this.#live(asking))?.files ?? [];
  }

  /** The file of that path, or the files of the folder of that path. Throws OUT_OF_SCOPE, FILE_NOT_FOUND. */
  async find(asking: Asking, wanted: string): Promise<{ session: string; file: CodeFile | undefined; inside: CodeFile[] }> {
    const name = confined(wanted);
    const session = await this.#live(asking);
    const files = session?.files ?? [];
    const file = files.find((one) => one.name === name);
    const inside = name === '' ? files : files.filter((one) => one.name.startsWith(`${name}/`));
    if (name !== '' && file === undefined && inside.length === 0) throw new OutriggerError('FILE_NOT_FOUND', 'File not found');
    return { session: session?.id ?? '', file, inside };
  }

  async read(asking: Asking, session: string, { id }: CodeFile): Promise<{ head: CodeFile; bytes: AsyncIterable<Uint8Array> }> {
    return await askBytes(asking, 'code.getFile', { session, id });
  }

  /** A file, or a folder with all that is in it. Throws OUT_OF_SCOPE, FILE_NOT_FOUND. */
  async remove(asking: Asking, wanted: string): Promise<void> {
    if (confined(wanted) === '') throw new OutriggerError('OUT_OF_SCOPE', 'Cannot delete working directory');
    const { session, file, inside } = await this.find(asking, wanted);
    for (const { id } of file === undefined ? inside : [file]) await ask(asking, 'code.removeFile', { session, id });
  }

  /** Stores the files of a form, whatever their fields are called. Throws BAD_INPUT for a name that comes twice; those before it stay. */
  async takeForm(asking: Asking, request: FastifyRequest): Promise<CodeFile[]> {
    const stored: CodeFile[] = [];
    const names = new FormNames();
    for await (const part of partsOf(request)) {
      if (part.type !== 'file') continue;
      try {
        names.add(part.filename);
        const session = await this.#own(asking);
        stored.push(await ask(asking, 'code.putFile', { session, name: part.filename }, { body: wholeFile(part.file) }));
      } finally {
        // What is refused early is read to its end all the same, or the answer would not be.
        part.file.resume();
      }
    }
    return stored;
  }

  /**
   * Runs `job` in the folder; `alone`: no other job that is to be alone goes on meanwhile. Throws what `job` throws, and TOO_MANY_RUNS where too many wait
   * for that.
   */
  async run<Answer>(
    asking: Asking,
    alone: boolean,
    job: (session: string) => Promise<{ files: readonly CodeFile[]; answer: Answer }>,
  ): Promise<Answer> {
    const there = await this.#live(asking);
    if (there === undefined) {
      const apart = this.#runApart(asking, job);
      this.#apart.add(apart);
      try {
        return await apart;
      } finally {
        this.#apart.delete(apart);
      }
    }
    await this.#afterApart(asking.signal);
    if (alone) await this.#turn(asking.signal);
    try {
      return (await job(there.id)).answer;
    } finally {
      if (alone) this.#next();
    }
  }

  async #runApart<Answer>(
    asking: Asking,
    job: (session: string) => Promise<{ files: readonly CodeFile[]; answer: Answer }>,
  ): Promise<Answer> {
    const { id } = await ask(asking, 'code.openSession', {});
    try {
      const { files, answer } = await job(id);
      if (files.length > 0) await this.#keep(asking, id, files);
      return answer;
    } finally {
      if (this.#session !== id) await this.#close(asking, id);
    }
  }

  /**
   * Resolves when those apart have ended, whose files would else come into the folder in the middle of a run. Rejects with TOO_MANY_RUNS, and with
   * the reason of the signal.
   */
  async #afterApart(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#apart.size === 0) return;
    if (this.#waitingForApart >= MAX_WAITING)
      throw new OutriggerError('TOO_MANY_RUNS', `${this.#waitingForApart} runs wait for those that began before there were files.`);
    const aborted = Promise.withResolvers<never>();
    const onAbort = (): void => aborted.reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waitingForApart++;
    try {
      await Promise.race([Promise.allSettled(this.#apart), aborted.promise]);
    } finally {
      this.#waitingForApart--;
      signal.removeEventListener('abort', onAbort);
    }
  }

  /** Resolves when no other one is alone. Rejects with TOO_MANY_RUNS, and with the reason of the signal. */
  async #turn(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#isTaken && this.#waiting.size >= MAX_WAITING)
      throw new OutriggerError('TOO_MANY_RUNS', `${this.#waiting.size} runs with variables wait for each other.`);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onAbort = (): void => {
      if (this.#waiting.delete(resolve)) reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(resolve);
    if (!this.#isTaken) this.#next();
    try {
      await promise;
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }

  #next(): void {
    const [first] = this.#waiting;
    this.#isTaken = first !== undefined;
    if (first === undefined) return;
    this.#waiting.delete(first);
    first();
  }

  /** Makes the session of a run the folder; where there is one meanwhile, its files go there. */
  async #keep(asking: Asking, session: string, files: readonly CodeFile[]): Promise<void> {
    const there = await this.#live(asking);
    if (there === undefined) {
      this.#session = session;
      return;
    }
    for (const { id, name } of files) await copyFile(asking, { session, id }, { session: there.id, name });
  }

  /** The session of the folder, made where there is none. */
  async #own(asking: Asking): Promise<string> {
    const there = await this.#live(asking);
    if (there !== undefined) return there.id;
    const { id } = await ask(asking, 'code.openSession', {});
    const faster = await this.#live(asking);
    if (faster === undefined) {
      this.#session = id;
      return id;
    }
    await this.#close(asking, id);
    return faster.id;
  }

  /** Undefined where there is none yet, and where its time is over. */
  async #live(asking: Asking): Promise<CodeSession | undefined> {
    const session = this.#session;
    if (session === undefined) return undefined;
    try {
      return await ask(asking, 'code.session', { session });
    } catch (error) {
      if (!(error instanceof OutriggerError) || error.reason !== 'NO_SESSION') throw error;
      if (this.#session === session) this.#session = undefined;
      return undefined;
    }
  }

  /** Also where the caller went away. */
  async #close(asking: Asking, session: string): Promise<void> {
    try {
      await ask({ ...asking, signal: new AbortController().signal }, 'code.closeSession', { session });
    } catch (error) {
      // It is gone, or everything ends: sessions end by themselves.
      if (!(error instanceof OutriggerError)) throw error;
    }
  }
}

/** The path below the working folder, '' for itself. Throws OUT_OF_SCOPE for what leads out of it. */
export function confined(wanted: string): string {
  const below = wanted === WORKING_DIR || wanted.startsWith(`${WORKING_DIR}/`) ? wanted.slice(WORKING_DIR.length + 1) : wanted;
  const normal = path.posix.normalize(below === '' ? '.' : below);
  if (/^(?:\/|\.\.(?:\/|$))/.test(normal)) throw new OutriggerError('OUT_OF_SCOPE', 'Access denied');
  return normal === '.' || normal === './' ? '' : normal.replace(/\/$/, '');
}
