import { Worker } from 'node:worker_threads';

/** More takes so long that others would have to wait: Node does it itself then, in its own process. */
const MAX_LENGTH = 256 * 1024;
/** For one source; the thread of one that takes longer is ended. */
const WITHIN_MS = 3000;
const MAX_MEMORY_MB = 256;

/** What the thread runs. Its memory is its own: a source that is nested too deeply breaks the transform of the whole thread, for good. */
const work = `
const { parentPort } = require('node:worker_threads');
const { stripTypeScriptTypes } = require('node:module');
const { compileFunction, SourceTextModule } = require('node:vm');
process.removeAllListeners('warning');
const parameters = ['exports', 'require', 'module', '__filename', '__dirname'];
const isSound = (script) =>
  [() => compileFunction(script, parameters), () => new SourceTextModule(script)].some((compile) => {
    try {
      return compile() !== undefined;
    } catch {
      return false;
    }
  });
parentPort.on('message', ({ id, source, name }) => {
  let script;
  let broken = false;
  for (const mode of ['strip', 'transform']) {
    try {
      // Where lines move, a map tells where they were.
      if (mode === 'transform') script = stripTypeScriptTypes(source, { mode, sourceMap: true, sourceUrl: name });
      else {
        const stripped = stripTypeScriptTypes(source, { mode });
        // What does not compile is named by the name of its file, which is its own where Node reads it.
        if (isSound(stripped)) script = stripped + '\\n//# sourceURL=' + name + '\\n';
      }
      break;
    } catch (error) {
      // Syntax that is more than types, or none at all.
      broken ||= !/_TYPESCRIPT_SYNTAX$/.test(error.code);
    }
  }
  parentPort.postMessage({ id, script, broken });
});
`;

interface Told {
  id: number;
  script: string | undefined;
  broken: boolean;
}

/** Makes TypeScript JavaScript in a thread that is started with the first of it. */
export class TypeScriptTransform {
  readonly #waiting = new Map<number, (script: string | undefined) => void>();
  #worker: Worker | undefined;
  #last = 0;

  /**
   * With every line and column where it was, or where syntax has to be replaced (enums, namespaces, parameter properties) as Node's transform
   * makes it, with a map of its lines (`hasMap`). Undefined for what is too long or no TypeScript: Node says then what is wrong, in its own
   * words. Never rejects.
   */
  async apply(source: string, name: string): Promise<string | undefined> {
    if (source.length > MAX_LENGTH) return undefined;
    const { promise, resolve } = Promise.withResolvers<string | undefined>();
    const id = ++this.#last;
    this.#waiting.set(id, resolve);
    const late = setTimeout(() => void this.#drop(), WITHIN_MS).unref();
    (this.#worker ??= this.#start()).postMessage({ id, source, name });
    return promise.finally(() => clearTimeout(late));
  }

  async stop(): Promise<void> {
    await this.#drop();
  }

  #start(): Worker {
    const worker = new Worker(work, {
      eval: true,
      env: {},
      execArgv: ['--experimental-vm-modules'],
      resourceLimits: { maxOldGenerationSizeMb: MAX_MEMORY_MB },
    });
    worker.unref();
    worker.on('message', ({ id, script, broken }: Told) => {
      this.#waiting.get(id)?.(script);
      this.#waiting.delete(id);
      if (broken && this.#worker === worker) void this.#drop();
    });
    worker.on('error', () => {
      if (this.#worker === worker) void this.#drop();
    });
    return worker;
  }

  /** Ends the thread; what it did not come to is left to Node. */
  async #drop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const resolve of waiting) resolve(undefined);
    await worker?.terminate();
  }
}

/** Whether Node has to read the map of a script to name its lines. */
export function hasMap(script: string): boolean {
  return /\n\/\/# sourceMappingURL=data:\S+\s*$/.test(script);
}
