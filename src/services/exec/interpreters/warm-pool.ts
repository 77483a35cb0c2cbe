import type { EffectiveLimits } from '../../../contract/code.ts';
import type { Interpreter, Sandbox, SandboxedProgram, SandboxRequest } from '../isolation/sandbox.ts';
import { baseEnvironment, filled, type Language } from '../languages.ts';
import type { Prepared } from '../session-places.ts';
import type { Sessions } from '../sessions.ts';
import type { Toolchains } from '../toolchains.ts';
import { nodeDriver } from './node-driver.ts';
import { livePythonDriver } from './live-python-driver.ts';
import { pythonDriver } from './python-driver.ts';

/** One that nobody wanted for so long is ended: it takes memory. */
const IDLE_MS = 60_000;
/** So long after a run began that took the last one, where a processor has nothing to do; after any run began; and after it ended: at nobody's cost. */
const REFILL_BESIDE_MS = 1;
const REFILL_AFTER_START_MS = 500;
const REFILL_AFTER_END_MS = 5;

/** Of those that are forks more wait: each has a few megabytes of its own, where one that was started has forty. */
const FORKS_FOR_ONE = 2;

type Drivers = Readonly<Record<string, readonly string[] | undefined>>;

/** For one run, and for a session. */
const drivers: Drivers = { py: ['python3', '-c', pythonDriver], js: ['node', '-e', nodeDriver] };
/** Those whose programs can be forks of one that waits; and what it must not have in its environment itself. */
const forkable: Readonly<Record<string, readonly string[] | undefined>> = { py: ['PYTHONPATH'] };
export const liveDrivers: Drivers = { py: ['python3', '-c', livePythonDriver], js: ['node', '-e', nodeDriver] };

/** An interpreter that waits for its work, in a sandbox and a folder of its own. */
export interface Waiting {
  program: SandboxedProgram;
  prepared: Prepared;
  /** Ends it. */
  canceling: AbortController;
  /** It ended before it had work. */
  isOver: boolean;
}

/** What an interpreter needs beside its limits, to be started for its driver; undefined where the language has none, or is not on this machine. */
export function driverRequest(
  known: Drivers,
  language: Language,
  { folder, sandbox, toolchains }: { folder: string; sandbox: Sandbox; toolchains: Toolchains },
): Pick<SandboxRequest, 'argv' | 'env' | 'folder' | 'readable' | 'memoryMethod'> | undefined {
  const [program, ...args] = known[language.code] ?? [];
  const tool = program === undefined ? undefined : toolchains.find(program);
  if (tool === undefined) return undefined;
  const workdir = sandbox.seenAt(folder);
  const own = Object.entries(language.environment).map(([name, value]) => [name, filled(value, { workdir, file: '', out: '' })]);
  return {
    argv: [tool.file, ...args],
    env: { ...baseEnvironment(language), ...Object.fromEntries(own) },
    folder,
    readable: tool.readable,
    memoryMethod: language.memoryMethod,
  };
}

export interface WarmPoolOptions {
  /** How many wait, of each language. */
  size: number;
  /** Whether one more could be started now and take nothing from the runs. */
  hasSpareProcessor: () => boolean;
}

/**
 * Interpreters that were started before anybody asked, each for one run alone: nothing can pass from one run to the next. They are
 * there for languages that somebody uses, and go when nobody does.
 */
export class WarmPool {
  readonly #dependencies: { sandbox: Sandbox; sessions: Sessions; toolchains: Toolchains };
  readonly #size: number;
  readonly #hasSpareProcessor: () => boolean;
  readonly #waiting = new Map<string, Waiting[]>();
  readonly #starting = new Set<string>();
  readonly #starts = new Set<Promise<void>>();
  readonly #interpreters = new Map<string, Interpreter>();
  /** Of each language, what was asked for last. */
  readonly #last = new Map<string, string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Of which some are to be started. */
  readonly #due = new Set<string>();
  #stopped = false;

  constructor(dependencies: { sandbox: Sandbox; sessions: Sessions; toolchains: Toolchains }, options: WarmPoolOptions) {
    this.#dependencies = dependencies;
    this.#size = options.size;
    this.#hasSpareProcessor = options.hasSpareProcessor;
  }

  /** One that waits under exactly these limits; undefined where there is none. Others are started for the next ones, where these are the limits as before. */
  take(language: Language, limits: EffectiveLimits): Waiting | undefined {
    if (this.#size === 0 || drivers[language.code] === undefined) return undefined;
    const key = keyOf(language, limits);
    const found = this.#waiting.get(key)?.shift();
    if (this.#stopped) return undefined;
    const last = this.#last.get(language.code);
    this.#last.set(language.code, key);
    // Limits that were asked for once will hardly be asked for again.
    const hurries = (this.#waiting.get(key)?.length ?? 0) === 0 && this.#hasSpareProcessor();
    if (last === undefined || last === key) this.#refillIn(hurries ? REFILL_BESIDE_MS : REFILL_AFTER_START_MS, language, limits, key);
    return found;
  }

  /** A program that waits for its order, for a run that found none; undefined where there is no quick way to one. Throws what Sandbox.start throws. */
  async fork(language: Language, request: Omit<SandboxRequest, 'argv' | 'env'>): Promise<SandboxedProgram | undefined> {
    const interpreter = this.#size === 0 ? undefined : this.#interpreterOf(language);
    const { argv, env } = interpreter ?? {};
    if (interpreter === undefined || argv === undefined || env === undefined) return undefined;
    return this.#dependencies.sandbox.fork({ ...request, argv, env, keepStdinOpen: true, tells: true }, interpreter);
  }

  /** A run that asked under these limits is over. */
  over(language: Language, limits: EffectiveLimits): void {
    const key = keyOf(language, limits);
    if (this.#due.has(key)) this.#refillIn(REFILL_AFTER_END_MS, language, limits, key);
  }

  /** Ends one that was taken; its folder goes where no session was opened in it. Resolves when that is done. */
  async end({ canceling, program, prepared, isOver }: Waiting): Promise<void> {
    if (!isOver) canceling.abort(new Error('not needed'));
    await program.end;
    this.#dependencies.sessions.discard(prepared);
  }

  /** Resolves when nothing of it runs. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await Promise.all([...this.#starts, ...[...this.#waiting.keys()].map((key) => this.#drop(key))]);
  }

  /** Undefined where programs of the language can't be forks. */
  #interpreterOf(language: Language): Interpreter | undefined {
    const kept = forkable[language.code];
    const [program = ''] = drivers[language.code] ?? [];
    const mark = kept === undefined ? undefined : this.#dependencies.toolchains.find(program)?.mark;
    if (kept === undefined || mark === undefined) return undefined;
    const known = this.#interpreters.get(language.code);
    if (known?.mark === mark) return known;
    // Where a program sees its folder is the same for all of them, wherever they can be forks.
    const request = driverRequest(drivers, language, { ...this.#dependencies, folder: '/' });
    if (request === undefined) return undefined;
    const variables = Object.entries(request.env);
    const found = {
      argv: request.argv,
      env: Object.fromEntries(variables.filter(([name]) => !kept.includes(name))),
      later: Object.fromEntries(variables.filter(([name]) => kept.includes(name))),
      mark,
    };
    this.#interpreters.set(language.code, found);
    return found;
  }

  #refillIn(ms: number, language: Language, limits: EffectiveLimits, key: string): void {
    clearTimeout(this.#timers.get(key));
    if (this.#stopped) return;
    this.#due.add(key);
    this.#timers.set(
      key,
      setTimeout(() => {
        this.#due.delete(key);
        this.#refill(language, limits, key);
        // Others of this language with other limits are not wanted any more.
        for (const other of [...this.#waiting.keys()]) if (other !== key && other.startsWith(`${language.code} `)) void this.#drop(other);
        this.#timers.set(key, setTimeout(() => void this.#drop(key), IDLE_MS).unref());
      }, ms).unref(),
    );
  }

  #refill(language: Language, limits: EffectiveLimits, key: string): void {
    if (this.#starting.has(key)) return;
    this.#starting.add(key);
    const start: Promise<void> = this.#startMissing(language, limits, key).finally(() => {
      this.#starting.delete(key);
      this.#starts.delete(start);
    });
    this.#starts.add(start);
  }

  /** One after the other: the first is there soonest. */
  async #startMissing(language: Language, limits: EffectiveLimits, key: string): Promise<void> {
    const wanted = forkable[language.code] === undefined ? this.#size : this.#size * FORKS_FOR_ONE;
    for (let count = 0; count < wanted && !this.#stopped; count++) {
      if ((this.#waiting.get(key)?.length ?? 0) >= wanted) return;
      await this.#start(language, limits, key);
    }
  }

  async #start(language: Language, limits: EffectiveLimits, key: string): Promise<void> {
    const { sandbox, sessions } = this.#dependencies;
    let prepared: Prepared | undefined;
    try {
      prepared = sessions.prepare();
      const request = driverRequest(drivers, language, { ...this.#dependencies, folder: prepared.folder });
      if (request === undefined) return sessions.discard(prepared);
      const canceling = new AbortController();
      const caged: SandboxRequest = {
        ...request,
        limits,
        network: false,
        keepStdinOpen: true,
        waits: true,
        tells: true,
        signal: canceling.signal,
        onOutput: () => {},
      };
      const program = (await this.fork(language, caged)) ?? (await sandbox.start(caged));
      const waiting: Waiting = { program, prepared, canceling, isOver: false };
      if (this.#stopped) return await this.end(waiting);
      const list = this.#waiting.get(key) ?? [];
      this.#waiting.set(key, [...list, waiting]);
      // Nothing is given to one that ended, though its output may still be on its way.
      void program.over.then(() => {
        waiting.isOver = true;
        const list = this.#waiting.get(key);
        if (list?.includes(waiting) !== true) return;
        this.#waiting.set(
          key,
          list.filter((one) => one !== waiting),
        );
        void program.end.then(() => sessions.discard(waiting.prepared));
      });
    } catch {
      // Cold ones say what is wrong.
      if (prepared !== undefined) sessions.discard(prepared);
    }
  }

  async #drop(key: string): Promise<void> {
    const list = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    // Each limit that somebody asks for has a key of its own.
    clearTimeout(this.#timers.get(key));
    this.#timers.delete(key);
    this.#due.delete(key);
    await Promise.all(list.map((waiting) => this.end(waiting)));
  }
}

function keyOf({ code }: Language, limits: EffectiveLimits): string {
  // The time begins with the work: it may be another each time.
  return `${code} ${JSON.stringify({ ...limits, wallMs: 0 })}`;
}
