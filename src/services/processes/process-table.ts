import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { SpoolLimits } from '../state/spool.ts';
import type { State } from '../state/state.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { HostRequest, ProcessHost } from './host.ts';
import { ManagedProcess } from './managed-process.ts';
import { OutputLog } from './output-log.ts';
import { isMarked, listeningPorts, listeningSockets, runningNow, type SessionUse, statOf, useOfSessions } from './process-facts.ts';
import type { ProcessSpec } from './process-spec.ts';
import type { ProcessRecord, ProcessStore } from './process-store.ts';
import type { Run, RunHooks } from './run-hooks.ts';
import { StartAskers } from './start-askers.ts';
import { Strays } from './strays.ts';

/** In the environment of each program: so those that left its group are found. */
const MARK = 'OUTRIGGER_PROCESS';
/** In it as well: what the call that asked for it has in the log. */
const REQUEST = 'OUTRIGGER_REQUEST_ID';
/** So long a sidecar that stops waits for programs to end by themselves. */
const STOP_GRACE_MS = 2000;
/** And so long for everything about them: what can't be ended is left. */
const STOP_LIMIT_MS = 6000;
/** Of all that ended together: command lines, variables and inputs, so that they can be started again. */
const KEPT_SPEC_BYTES = 32 * 1024 * 1024;
/** Arguments and variables together; the system takes about as much. */
const MAX_COMMAND_BYTES = 1024 * 1024;
/** Of a command line, characters: lists hold many. */
const SHOWN_LENGTH = 4000;
const TITLE_LENGTH = 500;
/** How old what is said of ports and use may be. */
const LOOK_EVERY_MS = 1000;
/** Stands for what was cut. */
const MORE = '…';

export interface ProcessTableDependencies {
  state: State;
  store: ProcessStore;
  workspace: Workspace;
  hosts: ReadonlyMap<string, HostOnWorkspace>;
  hooks: RunHooks | undefined;
  now: () => number;
  log: (level: 'info' | 'warn' | 'error', event: string, facts: Record<string, unknown>) => void;
}

/** A host, and where it sees the workspace; undefined where it is the same folder as here. */
export interface HostOnWorkspace {
  host: ProcessHost;
  root: string | undefined;
}

export interface ProcessTableOptions {
  /** That have not ended. */
  maxRunning: number;
  /** Ended ones that are remembered. */
  keepEnded: number;
  /** Of each stream of each process. */
  output: SpoolLimits;
  /** So long a look at the folder around a run is waited for. */
  hookMs: number;
}

interface Entry {
  id: string;
  spec: ProcessSpec;
  /** Of its specification. */
  bytes: number;
  /** As others see it. */
  title: string;
  argv: string[];
  process: ManagedProcess;
  /** While it is started for the first time; it goes where it can't be. */
  askers: StartAskers | undefined;
  ports: { port: number; address: string }[];
  use: SessionUse | undefined;
  /** What the last look found: those who follow are told when the next finds something else. */
  seen: string;
}

/** One process, also when the table has forgotten it. */
export interface ProcessView {
  readonly process: ManagedProcess;
  info(): ProcessInfo;
}

type Listener = (news: { process: ProcessInfo } | { removed: string }) => void;

/** The programs that people and agents start: what runs, what ran, and what they wrote. */
export class ProcessTable {
  readonly #dependencies: ProcessTableDependencies;
  readonly #options: ProcessTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<Listener>();
  readonly #removals = new Set<(id: string) => void>();
  readonly #strays = new Strays(MARK);
  /** Of all ids. */
  readonly #prefix: string;
  #looking: NodeJS.Timeout | undefined;
  /** By performance.now(). */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stopping = false;
  /** Programs of this sidecar run, or left some behind. */
  #hasStarted = false;

  constructor(dependencies: ProcessTableDependencies, options: ProcessTableOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
    this.#prefix = dependencies.store.prefix();
  }

  /** What a sidecar before this one left: its records, and programs that a kill -9 of it left running, which are ended. */
  async recover(): Promise<void> {
    const { store, state, now } = this.#dependencies;
    const records = store.all();
    const left = records.filter(({ facts }) => facts.state !== 'ended');
    for (const record of left) endGroupOf(record);
    await this.#strays.end((mark) => mark.startsWith(this.#prefix) || left.some(({ id }) => id === mark));
    const again: Entry[] = [];
    for (const record of records) {
      const { wanted, startTime: _startTime, ...facts } = record.facts;
      const entry = this.#enter(record.id, record.spec);
      const reason = facts.reason === 'stopped' ? 'stopped' : 'lost';
      const runsAgain = record.spec.restart?.when === 'always' && wanted;
      entry.process.remember(facts.state === 'ended' ? facts : { ...facts, state: 'ended', reason, endedAt: now() }, runsAgain);
      if (facts.state !== 'ended') store.put(recordOf(entry));
      if (runsAgain) again.push(entry);
    }
    state.removeSpools((name) => this.#entries.has(name.slice(0, Math.max(0, name.lastIndexOf('.')))));
    for (const { process } of again) process.resume();
    this.#forgetOldest();
  }

  /**
   * `ended` is the end of the token of who asks: before there is a program it is the end of the start, unless others asked for it by its tag.
   * Throws TOO_MANY_PROCESSES, TOOL_MISSING, FILE_PERMISSION, HOST_UNAVAILABLE, BAD_INPUT, what a folder can be refused for, and the
   * reason of `ended`.
   */
  async start(spec: ProcessSpec, ended?: AbortSignal): Promise<{ process: ProcessInfo; existed: boolean }> {
    const find = (): Entry | undefined => (spec.tag === undefined ? undefined : this.#tagged(spec.tag));
    let there = find();
    for (; there?.process.isRestarting === true; there = find()) await there.process.restarted();
    if (this.#stopping) throw stopping();
    ended?.throwIfAborted();
    if (there !== undefined && !there.process.isOver && there.askers?.gone.aborted !== true) {
      there.askers?.add(ended);
      return { process: this.#info(there), existed: true };
    }
    this.#checkRoom();
    const bytes = commandBytes(spec);
    if (bytes > MAX_COMMAND_BYTES)
      throw new OutriggerError(
        'BAD_INPUT',
        `A command line with its variables may have ${MAX_COMMAND_BYTES} bytes; this one has ${bytes}.`,
      );
    // A folder or a host that is not there is no process that failed.
    this.#place(spec, '');
    const entry = this.#enter(`${this.#prefix}${randomBytes(4).toString('hex')}`, spec);
    const askers = new StartAskers();
    askers.add(ended);
    entry.askers = askers;
    try {
      await entry.process.start(askers.gone);
    } catch (error) {
      this.#forget(entry);
      throw error;
    } finally {
      askers.close();
      entry.askers = undefined;
    }
    this.#forgetOldest();
    return { process: this.#info(entry), existed: false };
  }

  list(): ProcessInfo[] {
    this.look(LOOK_EVERY_MS);
    return [...this.#entries.values()].map((entry) => this.#info(entry)).reverse();
  }

  /** Throws NO_PROCESS. */
  get(name: string): ProcessInfo {
    const entry = this.#entry(name);
    this.look(LOOK_EVERY_MS);
    return this.#info(entry);
  }

  /** Throws NO_PROCESS. */
  view(name: string): ProcessView {
    const entry = this.#entry(name);
    const info = (): ProcessInfo => {
      this.look(LOOK_EVERY_MS);
      return this.#info(entry);
    };
    return { process: entry.process, info };
  }

  /** Throws NO_PROCESS. */
  process(name: string): ManagedProcess {
    return this.#entry(name).process;
  }

  /** As it was asked for. Throws NO_PROCESS. */
  spec(name: string): ProcessSpec {
    return this.#entry(name).spec;
  }

  /** Ends it, where it runs, and starts it again. Throws as `start` does, and PROCESS_RUNNING where another has its tag by now. */
  async restart(name: string, graceMs: number): Promise<ProcessInfo> {
    const entry = this.#entry(name);
    await entry.process.restart(graceMs, () => {
      if (this.#stopping) throw stopping();
      if (this.#entries.get(entry.id) !== entry) throw new OutriggerError('NO_PROCESS', `${entry.id} was removed meanwhile.`);
      try {
        this.#checkTag(entry);
        this.#checkRoom();
      } catch (error) {
        // Whoever asked hears of it, and may start another instead.
        entry.process.unwant();
        throw error;
      }
    });
    return this.#info(entry);
  }

  /** Throws NO_PROCESS, PROCESS_RUNNING. */
  remove(name: string): void {
    const entry = this.#entry(name);
    if (!entry.process.isOver || entry.process.isRestarting) throw new OutriggerError('PROCESS_RUNNING', `${entry.id} is still running.`);
    this.#forget(entry);
  }

  /** At each change of a process; while there is a listener, ports are looked for. Returns the way to stop. */
  onNews(listener: Listener): () => void {
    this.#listeners.add(listener);
    this.#looking ??= setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#looking);
      this.#looking = undefined;
    };
  }

  /** When one is forgotten. Returns the way to stop. */
  onRemoval(listener: (id: string) => void): () => void {
    this.#removals.add(listener);
    return () => this.#removals.delete(listener);
  }

  /** Looks for ports and what is used; what was seen less than `maxAgeMs` ago is not looked for again. */
  look(maxAgeMs: number): void {
    if (performance.now() - this.#lookedAt >= maxAgeMs) this.#look();
  }

  /** Processes whose output the disk does not take now. */
  unstored(): number {
    return [...this.#entries.values()].filter(({ process }) => !process.isOver && !process.log.isStored).length;
  }

  /** Ends all of them, and what they left behind. May be called twice. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#looking);
    const { hosts, log } = this.#dependencies;
    // One that is to run always is started again with the next sidecar, but for one that is being stopped.
    const ending = Promise.all(this.#running().map(({ process }) => process.halt(STOP_GRACE_MS)));
    const late = Promise.withResolvers<'late'>();
    const timer = setTimeout(() => late.resolve('late'), STOP_LIMIT_MS);
    if ((await Promise.race([ending, late.promise])) === 'late') log('warn', 'process.not-ended', { processes: this.#running().length });
    clearTimeout(timer);
    if (this.#hasStarted) await this.#strays.end((mark) => mark.startsWith(this.#prefix));
    await Promise.all([...hosts.values()].map(({ host }) => host.close()));
  }

  // ── entries

  #running(): Entry[] {
    return [...this.#entries.values()].filter(({ process }) => !process.isOver);
  }

  #checkTag(entry: Entry): void {
    const { tag } = entry.spec;
    const other = tag === undefined ? undefined : this.#running().find((one) => one !== entry && one.spec.tag === tag);
    if (other !== undefined) throw new OutriggerError('PROCESS_RUNNING', `${other.id} runs under its tag, ${tag}.`);
  }

  #checkRoom(): void {
    const running = this.#running().length;
    if (running >= this.#options.maxRunning)
      throw new OutriggerError('TOO_MANY_PROCESSES', `${running} processes are running, which is the most that may.`);
  }

  #enter(id: string, spec: ProcessSpec): Entry {
    const run: Run = { id, title: titleOf(spec), cause: { kind: 'run', id, who: [spec.startedBy] } };
    const process = new ManagedProcess(
      {
        host: this.#dependencies.hosts.get(hostOf(spec))?.host ?? absentHost(hostOf(spec)),
        // At each start, whoever asked for it.
        place: () => {
          this.#hasStarted = true;
          return this.#place(spec, id);
        },
        stdin: spec.stdin,
        keepStdinOpen: spec.keepStdinOpen === true,
        timeoutMs: spec.timeoutMs,
        restart: spec.restart ?? { when: 'never', most: 0 },
        before: () => this.#hook('before', run, spec),
        after: () => this.#hook('after', run, spec),
        endStrays: async () => (this.#isHere(spec) ? this.#strays.end((mark) => mark === id) : undefined),
        changed: () => this.#changed(entry),
        now: this.#dependencies.now,
      },
      this.#openLog(id),
    );
    const shown = { title: run.title, argv: shownOf(spec.argv) };
    const entry: Entry = {
      id,
      spec,
      bytes: commandBytes(spec) + Buffer.byteLength(spec.stdin ?? ''),
      ...shown,
      process,
      askers: undefined,
      ports: [],
      use: undefined,
      seen: '',
    };
    this.#entries.set(id, entry);
    return entry;
  }

  /** Never rejects, and does not wait for ever. */
  async #hook(when: 'before' | 'after', run: Run, { checkpoint }: ProcessSpec): Promise<void> {
    const { hooks, log } = this.#dependencies;
    if (!checkpoint || hooks === undefined) return;
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(() => late.reject(new Error(`it took longer than ${this.#options.hookMs} ms`)), this.#options.hookMs);
    try {
      await Promise.race([hooks[when](run), late.promise]);
    } catch (error) {
      log('warn', 'process.checkpoint-failed', { process: run.id, error });
    } finally {
      clearTimeout(timer);
    }
  }

  #openLog(id: string): OutputLog {
    const { state } = this.#dependencies;
    const { output } = this.#options;
    return new OutputLog({ stdout: state.openSpool(`${id}.out`, output), stderr: state.openSpool(`${id}.err`, output) });
  }

  #host(spec: ProcessSpec): HostOnWorkspace {
    const host = this.#dependencies.hosts.get(hostOf(spec));
    if (host !== undefined) return host;
    const known = [...this.#dependencies.hosts.keys()].join(', ');
    throw new OutriggerError('BAD_INPUT', `There is no host ${JSON.stringify(hostOf(spec))}; there are: ${known}.`);
  }

  /** Whether its programs run on this machine, and can be looked at. */
  #isHere(spec: ProcessSpec): boolean {
    const host = this.#dependencies.hosts.get(hostOf(spec));
    return host !== undefined && host.root === undefined;
  }

  #place(spec: ProcessSpec, id: string): HostRequest {
    const { argv, terminal, requestId } = spec;
    const env = { ...(requestId === undefined ? {} : { [REQUEST]: requestId }), ...spec.env };
    const { root } = this.#host(spec);
    const request = { argv, env: { ...env, [MARK]: id }, terminal };
    if (root !== undefined) return { ...request, cwd: path.posix.join(root, spec.path) };
    using place = this.#dependencies.workspace.containment.directory(spec.path);
    // Its name, and not the descriptor: a script is opened once more, by its interpreter, which does not have that.
    return { ...request, cwd: fs.realpathSync(place.at) };
  }

  #tagged(tag: string): Entry | undefined {
    const named = [...this.#entries.values()].filter(({ spec }) => spec.tag === tag);
    // The newest of this name, unless an older one was started again.
    return named.findLast(({ process }) => !process.isOver || process.isRestarting) ?? named.at(-1);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name) ?? this.#tagged(name);
    if (entry === undefined) throw new OutriggerError('NO_PROCESS', `There is no process ${JSON.stringify(name)}.`);
    return entry;
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.id) !== entry) return;
    this.#entries.delete(entry.id);
    this.#dependencies.store.remove(entry.id);
    try {
      entry.process.log.remove();
    } catch (error) {
      // Nobody knows the files any more: the next start removes them.
      this.#dependencies.log('warn', 'process.log-not-removed', { process: entry.id, error });
    }
    for (const listener of this.#removals) listener(entry.id);
    this.#tell({ removed: entry.id });
  }

  /** Who is read, or started again, goes later. */
  #forgetOldest(): void {
    const ended = [...this.#entries.values()].filter(
      ({ process, askers }) => process.isOver && !process.isRestarting && askers === undefined,
    );
    let bytes = ended.reduce((sum, entry) => sum + entry.bytes, 0);
    let count = ended.length;
    for (const entry of ended) {
      if (count <= this.#options.keepEnded && bytes <= KEPT_SPEC_BYTES) return;
      if (entry.process.log.isRead) continue;
      this.#forget(entry);
      count--;
      bytes -= entry.bytes;
    }
  }

  // ── what changes

  #changed(entry: Entry): void {
    const { process } = entry;
    const { state } = process.facts;
    if (state === 'ended' || state === 'waiting') [entry.ports, entry.use] = [[], undefined];
    this.#dependencies.store.put(recordOf(entry));
    this.#tell({ process: this.#info(entry) });
    if (state === 'ended') this.#forgetOldest();
  }

  #tell(news: Parameters<Listener>[0]): void {
    for (const listener of this.#listeners) listener(news);
  }

  #look(): void {
    this.#lookedAt = performance.now();
    this.#lookAtUse();
    for (const entry of this.#running()) {
      const { ports, use, process } = entry;
      const seen = JSON.stringify([ports, use?.cpuMs, use?.residentBytes, process.log.end]);
      if (seen === entry.seen) continue;
      entry.seen = seen;
      this.#tell({ process: this.#info(entry) });
    }
  }

  #lookAtUse(): void {
    const here = this.#running().filter(({ process, spec }) => process.facts.pid !== undefined && this.#isHere(spec));
    if (here.length === 0) return;
    const uses = useOfSessions(runningNow());
    const sockets = listeningSockets();
    for (const entry of here) {
      entry.use = uses.get(entry.process.facts.pid as number);
      entry.ports = listeningPorts(entry.use?.pids ?? [], sockets);
    }
  }

  #info({ id, spec, title, argv, process, ports, use }: Entry): ProcessInfo {
    const { end, lost } = process.log;
    return {
      id,
      ...(spec.tag === undefined ? {} : { tag: spec.tag }),
      title,
      argv: [...argv],
      path: spec.path,
      host: hostOf(spec),
      ...(spec.terminal === undefined ? {} : { terminal: true }),
      ...process.facts,
      startedBy: spec.startedBy,
      restart: spec.restart?.when ?? 'never',
      output: { stdout: { end: end.stdout, lost: lost.stdout }, stderr: { end: end.stderr, lost: lost.stderr } },
      ports,
      ...(use === undefined ? {} : { cpuMs: use.cpuMs, residentBytes: use.residentBytes }),
    };
  }
}

function stopping(): OutriggerError {
  return new OutriggerError('STOPPING', 'The sidecar is stopping.');
}

function hostOf({ host = 'local' }: ProcessSpec): string {
  return host;
}

/** Stands for a host of an earlier sidecar that this one does not have. */
function absentHost(name: string): ProcessHost {
  return {
    name,
    start: () => Promise.reject(new OutriggerError('HOST_UNAVAILABLE', `There is no host ${JSON.stringify(name)} any more.`)),
    close: async () => {},
  };
}

/** Bytes of arguments and variables. */
function commandBytes({ argv, env }: ProcessSpec): number {
  return [...argv, ...Object.entries(env).flat()].reduce((sum, text) => sum + Buffer.byteLength(text) + 1, 0);
}

/** A long command line is cut. */
function shownOf(argv: readonly string[]): string[] {
  const shown: string[] = [];
  let room = SHOWN_LENGTH;
  for (const argument of argv) {
    if (room <= 0) return [...shown, MORE];
    shown.push(argument.length > room ? argument.slice(0, room) + MORE : argument);
    room -= argument.length + 1;
  }
  return shown;
}

function titleOf({ title, argv }: ProcessSpec): string {
  return (
    title ??
    shownOf(argv)
      .map((argument) => (/^[\p{L}\p{N}_./:=@%+,\u2026-]+$/u.test(argument) ? argument : JSON.stringify(argument)))
      .join(' ')
      .slice(0, TITLE_LENGTH)
  );
}

function recordOf({ id, spec, process }: Entry): ProcessRecord {
  const { facts, isWanted: wanted } = process;
  const startTime = facts.pid === undefined ? undefined : statOf(facts.pid)?.startTime;
  return { id, spec, facts: { ...facts, wanted, ...(startTime === undefined ? {} : { startTime }) } };
}

/** What a sidecar that was killed left running. Its start and the mark tell it from others with the same number. */
function endGroupOf({ id, facts, spec }: ProcessRecord): void {
  const { pid, startTime } = facts;
  if (hostOf(spec) !== 'local' || pid === undefined || startTime === undefined) return;
  if (statOf(pid)?.startTime !== startTime || !isMarked(pid, MARK, id)) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it is gone.
  }
}
