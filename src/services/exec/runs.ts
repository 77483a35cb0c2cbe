import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { CodeItem, CodeOutcome, CodeStage, EffectiveLimits, IsolationInfo, Protection } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { InputQueue } from '../processes/input-queue.ts';
import type { CompilerSeeds } from './compiler-seeds.ts';
import { CompileCache } from './compile-cache.ts';
import { findFiles, hashOf } from './found-files.ts';
import { newId } from './ids.ts';
import type { LiveInterpreters } from './interpreters/live.ts';
import { framed } from './interpreters/marks.ts';
import type { Waiting, WarmPool } from './interpreters/warm-pool.ts';
import type { Sandbox, SandboxedProgram, SandboxRequest } from './isolation/sandbox.ts';
import { ItemsInOrder } from './items-in-order.ts';
import {
  baseEnvironment,
  fileNameFor,
  filled,
  filledArgv,
  type Language,
  languageNamed,
  languages,
  packageOf,
  type Places,
} from './languages.ts';
import { effectiveLimits } from './limits.ts';
import type { RunQueue, Turn } from './queue.ts';
import { makePrivate, ownName, removeLent, storeNew } from './run-folders.ts';
import { type FileNaming, namingOf } from './session-names.ts';
import type { SessionRecord } from './session-store.ts';
import { stateInfo } from './session-variables.ts';
import type { Sessions } from './sessions.ts';
import { canceledStage, quietStage, runStage } from './stage.ts';
import { installLine, type Toolchains } from './toolchains.ts';
import { hasMap, type TypeScriptTransform } from './transform.ts';

/** More than this of a session is not read to find a program that was compiled before: compiling is quicker then. */
const MAX_HASHED_FILES = 500;
const MAX_HASHED_BYTES = 64 * 1024 * 1024;
/** Characters of a name that a note tells. */
const MAX_NOTED = 200;
/** A run that was ended has so long to take its things away. */
const STOP_WITHIN_MS = 2000;

export type Rollout = 'enabled' | 'canary' | 'off';

/** With its content, or one of a session. */
type GivenFile =
  | { name: string; text?: string | undefined; base64?: string | undefined }
  | { session: string; id: string; name?: string | undefined };

export interface RunRequest {
  language: string;
  code: string;
  session: string | undefined;
  entity: string | undefined;
  files: readonly GivenFile[];
  args: readonly string[];
  stdin: string;
  keepStdinOpen: boolean;
  env: Readonly<Record<string, string>>;
  limits: { readonly [Name in keyof EffectiveLimits]?: number | undefined };
  network: boolean;
  require: readonly Protection[];
  keepState: boolean;
}

export interface RunCall {
  /** Whose it is: their runs wait for each other, and share what was compiled. */
  caller: string;
  /** May use languages that are tried out. */
  isOwner: boolean;
  signal: AbortSignal;
  emit: (item: CodeItem) => Promise<void> | void;
}

export interface RunsDependencies {
  sandbox: Sandbox;
  sessions: Sessions;
  queue: RunQueue;
  toolchains: Toolchains;
  /** Undefined: every run compiles. */
  cache: CompileCache | undefined;
  /** Undefined: compilers of Java load their classes each time. */
  seeds: CompilerSeeds | undefined;
  pool: WarmPool;
  live: LiveInterpreters;
  /** Undefined: the Node that runs TypeScript takes its types away. */
  transform: TypeScriptTransform | undefined;
}

export interface RunsOptions {
  /** What may be asked for. */
  mostLimits: EffectiveLimits;
  rollout: (language: Language) => Rollout;
  /** Files that one run may give back. */
  maxProduced: number;
  /** That the files of a session may take. */
  maxSessionBytes: number;
}

interface Running {
  /** Of code.input. */
  input: InputQueue;
  /** Tells who reads that; undefined: nobody, or nobody any more. */
  reads: (program: SandboxedProgram | undefined) => void;
  cancel: AbortController;
  inputEnded: boolean;
  session: string | undefined;
  keepsState: boolean;
  /** When all of it is over. */
  over: Promise<void>;
}

/** Everything that one run has beside its request. */
interface Setting {
  language: Language;
  limits: EffectiveLimits;
  isolation: IsolationInfo;
  session: SessionRecord;
  /** Of a new one: an empty file of ours. */
  spare: string | undefined;
  /** Absolute, of the session. */
  folder: string;
  signal: AbortSignal;
  running: Running;
  call: RunCall;
  /** An interpreter that waits for this run, in the folder of its session. */
  waiting: Waiting | undefined;
  turn: Turn;
}

/** Runs code: each run in a session, in its turn, in a sandbox, to its end. */
export class Runs {
  readonly #dependencies: RunsDependencies;
  readonly #options: RunsOptions;
  readonly #running = new Map<string, Running>();
  #stopping = false;

  constructor(dependencies: RunsDependencies, options: RunsOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  rollout(language: Language): Rollout {
    return this.#options.rollout(language);
  }

  /**
   * Throws UNKNOWN_LANGUAGE, LANGUAGE_OFF, TOOL_MISSING, NOT_ISOLATED, TOO_MANY_RUNS, NO_SESSION, FILE_NOT_FOUND, FILE_EXISTS, INPUT_TOO_LARGE,
   * SESSION_FULL, STOPPING and the signal's reason; whatever becomes of the program is an answer.
   */
  async run(request: RunRequest, call: RunCall): Promise<CodeOutcome> {
    const { sandbox, sessions, queue } = this.#dependencies;
    const language = this.#language(request.language, call.isOwner);
    if (this.#stopping) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    const isolation = isolationOf((await sandbox.open()).isolation, request);
    const open = request.require.filter((protection) => !isolation.holds.includes(protection));
    if (open.length > 0)
      throw new OutriggerError('NOT_ISOLATED', `Not held back for this run: ${open.join(', ')}.`, { details: { open, isolation } });
    const { limits, notes } = effectiveLimits(request.limits, language, this.#options.mostLimits);
    const id = newId();
    const { input, reads } = inputOfRun();
    const over = Promise.withResolvers<void>();
    const running: Running = {
      input,
      reads,
      cancel: new AbortController(),
      inputEnded: !request.keepStdinOpen,
      session: request.session,
      keepsState: request.keepState,
      over: over.promise,
    };
    this.#running.set(id, running);
    const { signal } = running.cancel;
    const onAbort = (): void => running.cancel.abort(call.signal.reason);
    if (call.signal.aborted) onAbort();
    else call.signal.addEventListener('abort', onAbort, { once: true });
    const asked = performance.now();
    let turn: Turn | undefined;
    let letSessionGo: (() => void) | undefined;
    let leave: (() => void) | undefined;
    let waiting: Waiting | undefined;
    try {
      const known = this.#sessionOf(request);
      if (known !== undefined) letSessionGo = sessions.hold(known.id);
      running.session = known?.id;
      turn = await queue.enter(call.caller, known?.id, signal, (ahead) => tellQueued(call, ahead));
      waiting = this.#waitingFor(language, limits, request);
      // One that waited may have been closed meanwhile.
      const { session, spare } =
        known === undefined ? sessions.openPrepared(waiting?.prepared) : { session: sessions.use(known.id), spare: undefined };
      running.session = session.id;
      letSessionGo ??= sessions.hold(session.id);
      if (known === undefined) leave = queue.occupy(session.id);
      const begun = performance.now();
      // Nothing of it is waited for while the run has its turn: who does not read keeps nobody from running.
      const items = new ItemsInOrder(call.emit);
      void items.add({ type: 'started', run: id, session: session.id, language: language.code, isolation });
      const setting: Setting = {
        language,
        limits,
        isolation,
        session,
        spare,
        folder: sessions.files.folder(session.id),
        signal,
        running,
        call: { ...call, emit: (item) => items.add(item) },
        waiting,
        turn,
      };
      const { compile, program, used } = await this.#runIn(setting, request, notes);
      turn.freeSlot();
      await items.taken.catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      const { maxProduced, maxSessionBytes } = this.#options;
      const last = program ?? compile;
      const { files, omitted, sizes } = await sessions.files.collect(session, maxProduced);
      const isFull = sessions.files.isFull(session);
      // Most programs hear of it as an error of a write, and end as they like.
      if (last !== null && last.limit === null && isFull && last.exitCode !== 0)
        last.limit = { name: 'sessionBytes', value: maxSessionBytes };
      if (isFull || last?.limit?.name === 'sessionBytes')
        notes.push(`The session holds ${maxSessionBytes} bytes, the most that it may: until some are removed, nothing more is written.`);
      if (last !== null && last.limit === null && limits.fileBytes > 0 && sizes.has(limits.fileBytes))
        last.limit = { name: 'fileBytes', value: limits.fileBytes };
      call.signal.throwIfAborted();
      return {
        run: id,
        session: session.id,
        language: language.code,
        reason: last?.reason ?? 'failed',
        exitCode: last?.exitCode ?? null,
        compile,
        program,
        files,
        omittedFiles: omitted,
        limits,
        notes,
        isolation,
        used,
        queuedMs: Math.round(begun - asked),
        wallMs: Math.round((performance.now() - begun) * 10) / 10,
        state: stateInfo(session.state),
      };
    } finally {
      call.signal.removeEventListener('abort', onAbort);
      this.#running.delete(id);
      reads(undefined);
      input.close();
      // Also one whose turn never came, for which this is the end.
      if (waiting !== undefined) void this.#dependencies.pool.end(waiting);
      this.#dependencies.pool.over(language, limits);
      letSessionGo?.();
      leave?.();
      turn?.end();
      over.resolve();
    }
  }

  /**
   * Before its program runs, it waits for that, and then until there is room. Throws NO_RUN, and the signal's reason: what is not handed on by then
   * never is.
   */
  async input(id: string, text: string, end: boolean, signal: AbortSignal): Promise<void> {
    const running = this.#running.get(id);
    if (running === undefined || running.inputEnded) throw readsNothing(id);
    const { input } = running;
    try {
      // Both take their place now: nobody's input comes between.
      await Promise.all([input.write(Buffer.from(text), signal), end ? input.end(signal) : undefined]);
    } catch (error) {
      throw signal.aborted ? error : readsNothing(id, error);
    }
    if (end) running.inputEnded = true;
  }

  /** Throws NO_RUN. */
  cancel(id: string): void {
    const running = this.#running.get(id);
    if (running === undefined) throw new OutriggerError('NO_RUN', `There is no run ${id}.`);
    running.cancel.abort(new OutriggerError('CANCELED', 'The run was ended by a call.'));
  }

  /** Ends the interpreter that lives in a session, with the runs in it; with `all`, every other run as well. */
  async close(session: string, { all }: { all: boolean }): Promise<void> {
    const runs = [...this.#running.values()].filter((running) => running.session === session && (all || running.keepsState));
    for (const { cancel } of runs) cancel.abort(new OutriggerError('CANCELED', 'The session was closed, or its variables were.'));
    await Promise.all(runs.map(({ over }) => Promise.race([over, wait(STOP_WITHIN_MS, undefined, { ref: false })])));
    await this.#dependencies.live.close(session);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const { pool, live, sandbox, transform, seeds } = this.#dependencies;
    seeds?.stop();
    const runs = [...this.#running.values()];
    for (const { cancel } of runs) cancel.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
    await Promise.all([pool.stop(), live.stop(), sandbox.stop(), transform?.stop()]);
    // One whose caller does not read any more would never be.
    await Promise.race([Promise.all(runs.map(({ over }) => over)), wait(STOP_WITHIN_MS, undefined, { ref: false })]);
  }

  #language(name: string, isOwner: boolean): Language {
    const { toolchains } = this.#dependencies;
    const language = languageNamed(name);
    if (language === undefined) {
      const known = languages.map(({ code }) => code);
      throw new OutriggerError('UNKNOWN_LANGUAGE', `The language ${JSON.stringify(name)} is not known: ${known.join(', ')} are.`, {
        details: { known },
      });
    }
    const rollout = this.#options.rollout(language);
    if (rollout === 'off') throw new OutriggerError('LANGUAGE_OFF', `${language.name} (${language.code}) is switched off here.`);
    if (rollout === 'canary' && !isOwner)
      throw new OutriggerError('LANGUAGE_OFF', `${language.name} (${language.code}) is tried out here by the owner alone (canary).`);
    const missing = toolchains.missing(language);
    if (missing.length > 0) {
      const install = installLine(language);
      throw new OutriggerError(
        'TOOL_MISSING',
        `${language.name} needs ${missing.join(' and ')}: ${install}, or run in the image ${language.image}.`,
        { details: { tool: missing[0], install, image: language.image } },
      );
    }
    return language;
  }

  async #runIn(
    setting: Setting,
    request: RunRequest,
    notes: string[],
  ): Promise<{ compile: CodeStage | null; program: CodeStage | null; used: CodeOutcome['used'] }> {
    const { language, limits, folder, session, signal } = setting;
    const { sandbox, sessions, transform, pool } = this.#dependencies;
    const used: CodeOutcome['used'] = {
      compileCache: 'none',
      interpreter: 'cold',
      transform: 'none',
      compilerSeed: false,
      restored: false,
    };
    await this.#putFiles(setting, request, notes);
    if (request.keepState && language.keepsState) {
      if (setting.spare !== undefined) removeLent(path.join(folder, setting.spare));
      return this.#runLive(setting, request, notes);
    }
    if (request.keepState) notes.push(`Variables of ${language.name} can't live on.`);
    const file = sourceName(folder, language, request.code);
    const own = ownName();
    const ownFolder = `${folder}/${own}`;
    const script = language.warmUp === 'transform' ? await transform?.apply(request.code, file) : undefined;
    sessions.lend(session, [file, ...(language.compile === undefined ? [] : [own]), ...(script === undefined ? [] : [`${own}.js`])]);
    try {
      if (language.compile !== undefined) makePrivate(ownFolder);
      storeNew(folder, file, request.code, setting.spare);
      let runFile = file;
      if (script !== undefined) {
        runFile = `${own}.js`;
        storeNew(folder, runFile, script);
        used.transform = 'in-process';
      }
      const workdir = sandbox.seenAt(folder);
      const inPackage = packageOf(language, request.code);
      const places: Places = { workdir, file: `${workdir}/${file}`, out: `${workdir}/${own}/program`, inPackage };
      const compile =
        language.compile === undefined
          ? null
          : await this.#compile(setting, request, { ...places, argv: language.compile, made: path.join(ownFolder, 'program'), used });
      // Sources are not outputs, also when they are new.
      if (compile !== null && (compile.reason !== 'exit' || compile.exitCode !== 0)) return { compile, program: null, used };
      void setting.call.emit({ type: 'stage', stage: 'run', cached: false });
      // It may have ended before it had work; then the run is one as all others.
      const waiting = setting.waiting?.isOver === false ? setting.waiting : undefined;
      if (waiting !== undefined) used.interpreter = 'warm';
      const { stage } = await runStage({
        ...setting,
        emit: setting.call.emit,
        stage: 'run',
        stdin: request.stdin,
        keepStdinOpen: request.keepStdinOpen,
        onProgram: setting.running.reads,
        // Who reads slowly, or not at all, does not keep others from running. What it left in its session is still to be looked at.
        onEnded: setting.turn.freeSlot,
        start: async (onOutput) => {
          const { args, env } = request;
          const order = framed({ run: places.file, args, env });
          if (waiting === undefined) {
            const [node, ...rest] = filledArgv(language.run, { ...places, file: `${workdir}/${runFile}` });
            const argv: [string, ...string[]] = [
              node,
              ...(script !== undefined && hasMap(script) ? ['--enable-source-maps'] : []),
              ...rest,
            ];
            const program = this.#request(setting, request, argv, places);
            const forked = await pool.fork(language, { ...program, onOutput });
            if (forked === undefined) return sandbox.start({ ...program, onOutput });
            used.interpreter = 'warm';
            void forked.write(order);
            return forked;
          }
          signal.throwIfAborted();
          signal.addEventListener('abort', () => waiting.canceling.abort(signal.reason), { once: true });
          waiting.program.begin?.(limits, onOutput);
          void waiting.program.write(order);
          return waiting.program;
        },
      });
      return { compile, program: stage, used };
    } finally {
      sessions.takeBack(session);
    }
  }

  async #compile(
    setting: Setting,
    request: RunRequest,
    { argv, made, used, ...places }: Places & { argv: readonly [string, ...string[]]; made: string; used: CodeOutcome['used'] },
  ): Promise<CodeStage> {
    const { cache, sandbox, toolchains } = this.#dependencies;
    const { call, language } = setting;
    const program = this.#request(setting, { ...request, args: [], env: {} }, filledArgv(argv, places), places);
    const isAlone = setting.spare !== undefined && request.files.length === 0;
    const source: [string, string] = [path.posix.basename(places.file), hash('sha256', request.code)];
    const sources = cache === undefined ? undefined : isAlone ? [source] : await this.#sourcesIn(setting);
    const keyOf = (all: [string, string][]): string =>
      CompileCache.key({
        domain: call.caller,
        tool: toolchains.find(argv[0])?.mark ?? '',
        argv: [language.code, ...argv],
        env: { ...baseEnvironment(language), ...language.environment },
        sources: all,
      });
    const key = sources === undefined ? undefined : keyOf(sources);
    const said = key === undefined ? undefined : cache?.take(key, made);
    used.compileCache = key === undefined ? 'off' : said === undefined ? 'miss' : 'hit';
    void call.emit({ type: 'stage', stage: 'compile', cached: said !== undefined });
    if (said !== undefined) {
      for (const stream of ['stdout', 'stderr'] as const)
        if (said[stream] !== '') void call.emit({ type: 'output', stage: 'compile', stream, text: said[stream] });
      const bytes = { stdout: Buffer.byteLength(said.stdout), stderr: Buffer.byteLength(said.stderr) };
      return quietStage(0, 0, bytes);
    }
    const seed = this.#dependencies.seeds?.use(language);
    used.compilerSeed = seed !== undefined;
    const [compiler, ...rest] = program.argv;
    const seeded: typeof program = {
      ...program,
      argv: [compiler, ...(seed?.args ?? []), ...rest],
      env: { ...program.env, ...seed?.env },
      readable: [...program.readable, ...(seed?.readable ?? [])],
    };
    const compiled = await runStage({
      ...setting,
      emit: call.emit,
      stage: 'compile',
      stdin: '',
      keepStdinOpen: false,
      start: (onOutput) => sandbox.start({ ...seeded, network: false, keepStdinOpen: false, onOutput }),
    });
    const { stage } = compiled;
    const isWhole = stage.reason === 'exit' && stage.exitCode === 0 && stage.omittedBytes.stdout + stage.omittedBytes.stderr === 0;
    if (key === undefined || !isWhole) return stage;
    // Files may have come while it was compiled.
    const after = isAlone ? sources : await this.#sourcesIn(setting);
    if (after !== undefined && (after === sources || keyOf(after) === key)) await cache?.put(key, made, compiled.said);
    return stage;
  }

  /**
   * All that a compiler can read in the folder of the session, also what is no file of it. Undefined where that is too much, or can change
   * meanwhile: what is compiled then is not kept.
   */
  async #sourcesIn({ session, folder }: Setting): Promise<[string, string][] | undefined> {
    if (this.#dependencies.live.has(session.id)) return undefined;
    const { files, omitted } = await findFiles(folder, MAX_HASHED_FILES);
    const size = files.reduce((sum, file) => sum + file.size, 0);
    if (omitted > 0 || size > MAX_HASHED_BYTES) return undefined;
    return Promise.all(files.map(async ({ name }): Promise<[string, string]> => [name, await hashOf(folder, name)]));
  }

  #request(
    { language, limits, folder, signal }: Setting,
    request: Pick<RunRequest, 'args' | 'env' | 'network' | 'keepStdinOpen' | 'stdin'>,
    [program, ...rest]: readonly [string, ...string[]],
    places: Places,
  ): Omit<SandboxRequest, 'onOutput'> {
    const { args, env, network } = request;
    const tool = program.startsWith('/') ? undefined : this.#dependencies.toolchains.find(program);
    const own = Object.entries(language.environment).map(([name, value]) => [name, filled(value, places)]);
    return {
      argv: [tool?.file ?? program, ...rest, ...args],
      env: { ...baseEnvironment(language), ...Object.fromEntries(own), ...env },
      folder,
      readable: tool?.readable ?? [],
      limits,
      memoryMethod: language.memoryMethod,
      network,
      keepStdinOpen: request.keepStdinOpen || request.stdin !== '',
      signal,
    };
  }

  /** The one that is named, or that of the entity; undefined: a new one. Throws NO_SESSION, TOO_MANY_SESSIONS, DISK_FULL. */
  #sessionOf({ session, entity }: RunRequest): SessionRecord | undefined {
    const { sessions } = this.#dependencies;
    if (session !== undefined) return sessions.use(session);
    return entity === undefined ? undefined : sessions.open(entity);
  }

  /** Undefined where it needs a sandbox of its own making, or none waits. */
  #waitingFor(language: Language, limits: EffectiveLimits, request: RunRequest): Waiting | undefined {
    const { session, entity, network, keepState } = request;
    if (session !== undefined || entity !== undefined || network || keepState) return undefined;
    const waiting = this.#dependencies.pool.take(language, limits);
    return waiting?.isOver === true ? undefined : waiting;
  }

  async #runLive(
    { session, language, limits, signal, call, running, turn }: Setting,
    { code, args, stdin, env, network, keepStdinOpen }: RunRequest,
    notes: string[],
  ): Promise<{ compile: null; program: CodeStage; used: CodeOutcome['used'] }> {
    const { live, sandbox, sessions } = this.#dependencies;
    if (keepStdinOpen) notes.push('Nothing can be added to the input of code whose variables live on.');
    running.inputEnded = true;
    running.reads(undefined);
    void call.emit({ type: 'stage', stage: 'run', cached: false });
    const file = `${sandbox.seenAt(sessions.files.folder(session.id))}/${language.file}`;
    const { emit } = call;
    // As of all other runs: who does not read keeps nobody from running.
    const onDone = turn.freeSlot;
    const used: CodeOutcome['used'] = {
      compileCache: 'none',
      interpreter: 'cold',
      transform: 'none',
      compilerSeed: false,
      restored: false,
    };
    try {
      const ran = await live.run(session, language, { code, file, args, stdin, env, limits, network, signal, emit, onDone });
      notes.push(...ran.notes);
      return { compile: null, program: ran.stage, used: { ...used, interpreter: ran.wasLive ? 'live' : 'cold', restored: ran.restored } };
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
      return { compile: null, program: canceledStage(), used };
    }
  }

  /** Files that came with the call, and those of other sessions that it named: each in a place of its own. */
  async #putFiles({ session }: Setting, { files }: RunRequest, notes: string[]): Promise<void> {
    const { sessions } = this.#dependencies;
    const given = eachOnce(files).map((file) => ({ file, ...this.#namesOf(file) }));
    const isThere = ({ file, naming, called, name }: (typeof given)[number]): boolean =>
      'id' in file && file.session === session.id && [called, naming.wanted, sessions.files.nameFor(session, naming)].includes(name);
    const there = given.filter(isThere);
    const filled = new Set(there.map(({ name }) => name));
    for (const one of given) {
      const { file, naming, called } = one;
      const name = there.includes(one) ? one.name : (await sessions.files.putNamed(session, naming, this.#contentOf(file), filled)).name;
      filled.add(name);
      if (name !== called) notes.push(`${JSON.stringify(called.slice(0, MAX_NOTED))} is stored as ${JSON.stringify(name)}.`);
    }
  }

  /** As it is called by the caller, and in the session that it is of. Throws NO_SESSION, FILE_NOT_FOUND, BAD_INPUT. */
  #namesOf(file: GivenFile): { naming: FileNaming; called: string; name: string } {
    const { sessions } = this.#dependencies;
    if (!('id' in file)) return { naming: namingOf(file.name), called: file.name, name: '' };
    const from = sessions.use(file.session);
    const { name } = sessions.files.get(from, file.id);
    const called = file.name ?? name;
    return { naming: called === name ? sessions.files.namingIn(from, file.id) : namingOf(called), called, name };
  }

  /** Throws NO_SESSION, FILE_NOT_FOUND, BAD_INPUT. */
  #contentOf(file: GivenFile): Uint8Array | AsyncIterable<Uint8Array> {
    const { sessions } = this.#dependencies;
    if ('id' in file) return sessions.files.read(sessions.use(file.session), file.id);
    if ((file.text === undefined) === (file.base64 === undefined))
      throw new OutriggerError('BAD_INPUT', `${file.name}: exactly one of text and base64 is to be given.`);
    return file.base64 === undefined ? Buffer.from(file.text ?? '') : Buffer.from(file.base64, 'base64');
  }
}

/** Input that waits until there is a program to read it. */
function inputOfRun(): Pick<Running, 'input' | 'reads'> {
  const { promise: reader, resolve: reads } = Promise.withResolvers<SandboxedProgram | undefined>();
  const input = new InputQueue({
    write: async (bytes) => {
      const program = await reader;
      if (program === undefined) throw new OutriggerError('PROCESS_ENDED', 'No program reads any more.');
      if (bytes.length > 0) await program.write(bytes);
    },
    end: () => void reader.then((program) => program?.endInput()),
    endsForGood: true,
  });
  // It stands before all others until there is a program: they can be taken back so long.
  input.write(Buffer.of()).catch(() => {});
  return { input, reads };
}

function readsNothing(id: string, cause?: unknown): OutriggerError {
  return new OutriggerError('NO_RUN', `There is no run ${id} that reads.`, { cause });
}

/** What holds for a run: the network that it asks for is open. */
function isolationOf(isolation: IsolationInfo, { network }: RunRequest): IsolationInfo {
  if (!network) return isolation;
  const others = (protections: readonly Protection[]): Protection[] => protections.filter((protection) => protection !== 'network');
  return { ...isolation, holds: others(isolation.holds), open: [...others(isolation.open), 'network'] };
}

/** A file that is named by its id is the same one each time. */
function eachOnce(files: readonly GivenFile[]): GivenFile[] {
  const keyOf = (file: GivenFile): unknown => ('id' in file ? `${file.session}/${file.id}/${file.name ?? ''}` : file);
  return [...new Map(files.map((file) => [keyOf(file), file])).values()];
}

/** Under which the source is stored: not in the place of anything in the session. Throws FILE_EXISTS. */
function sourceName(folder: string, language: Language, code: string): string {
  const name = fileNameFor(language, code);
  const isTaken = (one: string): boolean => fs.lstatSync(`${folder}/${one}`, { throwIfNoEntry: false }) !== undefined;
  if (!isTaken(name)) return name;
  const other = `source_${name}`;
  if (language.code === 'java' || isTaken(other))
    throw new OutriggerError('FILE_EXISTS', `The session has a file ${name} already, and the code needs that name.`);
  return other;
}

/** A caller who is gone needs no word of where they stand. */
function tellQueued({ emit }: RunCall, ahead: number): void {
  void Promise.resolve()
    .then(() => emit({ type: 'queued', ahead }))
    .catch(() => {});
}
