import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../../contract/errors.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { SpoolLimits } from '../state/spool.ts';
import type { State } from '../state/state.ts';
import type { Workspace } from '../workspace/workspace.ts';
import type { ProcessHost } from './host.ts';
import { ManagedProcess } from './managed-process.ts';
import { OutputLog } from './output-log.ts';
import { type GroupUse, listeningPorts, runningNow, statOf, useOfGroups, withEnvironment } from './process-facts.ts';
import type { ProcessSpec } from './process-spec.ts';
import type { ProcessRecord, ProcessStore } from './process-store.ts';
import type { RunHooks } from './run-hooks.ts';

/** In the environment of each program: so those that left its group are found. */
const MARK = 'OUTRIGGER_PROCESS';
/** So long a sidecar that stops waits for programs to end by themselves. */
const STOP_GRACE_MS = 2000;
/** How old what is said of ports and use may be. */
const LOOK_EVERY_MS = 1000;
/** The kernel ends such programs before it ends us. */
const OOM_SCORE = '500';

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
}

interface Entry {
  id: string;
  spec: ProcessSpec;
  process: ManagedProcess;
  ports: { port: number; address: string }[];
  use: GroupUse | undefined;
}

type Listener = (news: { process: ProcessInfo } | { removed: string }) => void;

/** The programs that people and agents start: what runs, what ran, and what they wrote. */
export class ProcessTable {
  readonly #dependencies: ProcessTableDependencies;
  readonly #options: ProcessTableOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<Listener>();
  readonly #removals = new Set<(id: string) => void>();
  #looking: NodeJS.Timeout | undefined;
  /** By performance.now(). */
  #lookedAt = Number.NEGATIVE_INFINITY;
  #stopping = false;

  constructor(dependencies: ProcessTableDependencies, options: ProcessTableOptions) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  /** What a sidecar before this one left: its records, and programs that a kill -9 of it left running, which are ended. */
  async recover(): Promise<void> {
    const { store, state } = this.#dependencies;
    const again: Entry[] = [];
    for (const record of store.all()) {
      const entry = this.#remembered(record);
      if (record.facts.state !== 'ended') {
        await endLeftovers(record);
        const reason = record.facts.reason === 'stopped' ? 'stopped' : 'lost';
        delete entry.process.facts.pid;
        Object.assign(entry.process.facts, { state: 'ended', reason, endedAt: this.#dependencies.now() });
        store.put(recordOf(entry));
      }
      if (record.spec.restart?.when === 'always' && record.facts.wanted) again.push(entry);
    }
    state.removeSpools((name) => this.#entries.has(name.slice(0, Math.max(0, name.lastIndexOf('.')))));
    for (const entry of again) entry.process.start().catch((error: unknown) => this.#failed(entry, error));
  }

  /** Throws TOO_MANY_PROCESSES, TOOL_MISSING, FILE_PERMISSION, HOST_UNAVAILABLE, and what a folder can be refused for. */
  async start(spec: ProcessSpec): Promise<{ process: ProcessInfo; existed: boolean }> {
    if (this.#stopping) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    const there = spec.tag === undefined ? undefined : this.#tagged(spec.tag);
    if (there !== undefined && !there.process.isOver) return { process: this.#info(there), existed: true };
    this.#checkRoom();
    // A folder or a host that is not there is no process that failed.
    this.#place(spec, '').release();
    const id = `p-${randomBytes(6).toString('hex')}`;
    const entry = this.#enter(id, spec);
    try {
      await entry.process.start();
    } catch (error) {
      this.#forget(entry);
      throw error;
    }
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
  process(name: string): ManagedProcess {
    return this.#entry(name).process;
  }

  /** As it was asked for. Throws NO_PROCESS. */
  spec(name: string): ProcessSpec {
    return this.#entry(name).spec;
  }

  /** Ends it, where it runs, and starts it again. Throws as `start` does. */
  async restart(name: string, graceMs: number): Promise<ProcessInfo> {
    const entry = this.#entry(name);
    await entry.process.stop(graceMs);
    this.#checkRoom();
    await entry.process.start();
    return this.#info(entry);
  }

  /** Throws NO_PROCESS, PROCESS_RUNNING. */
  remove(name: string): void {
    const entry = this.#entry(name);
    if (!entry.process.isOver) throw new OutriggerError('PROCESS_RUNNING', `${entry.id} is still running.`);
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

  /** Ends all of them. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#looking);
    await Promise.all(
      [...this.#entries.values()].map(async (entry) => {
        const { process, spec } = entry;
        if (process.isOver) return;
        // One that is to run always is started again with the next sidecar.
        const wanted = spec.restart?.when === 'always';
        await process.stop(STOP_GRACE_MS);
        this.#dependencies.store.put(recordOf(entry, wanted));
      }),
    );
    await Promise.all([...this.#dependencies.hosts.values()].map(({ host }) => host.close()));
  }

  // ── entries

  #checkRoom(): void {
    const running = [...this.#entries.values()].filter(({ process }) => !process.isOver).length;
    if (running >= this.#options.maxRunning)
      throw new OutriggerError('TOO_MANY_PROCESSES', `${running} processes are running, which is the most that may.`);
  }

  #enter(id: string, spec: ProcessSpec): Entry {
    const { hooks, now, log } = this.#dependencies;
    const host = this.#host(spec);
    const run = { id, title: titleOf(spec), cause: { kind: 'run' as const, id, who: [spec.startedBy] } };
    const hook = async (when: 'before' | 'after'): Promise<void> => {
      if (!spec.checkpoint || hooks === undefined) return;
      await hooks[when](run).catch((error: unknown) => log('warn', 'process.checkpoint-failed', { process: id, error }));
    };
    const process = new ManagedProcess(
      {
        host: host.host,
        place: () => this.#place(spec, id),
        stdin: spec.stdin,
        keepStdinOpen: spec.keepStdinOpen === true,
        timeoutMs: spec.timeoutMs,
        restart: spec.restart ?? { when: 'never', most: 0 },
        before: () => hook('before'),
        after: () => hook('after'),
        endStrays: async () => (host.root === undefined ? endMarked(id) : undefined),
        changed: () => this.#changed(entry),
        now,
      },
      this.#openLog(id),
    );
    const entry: Entry = { id, spec, process, ports: [], use: undefined };
    this.#entries.set(id, entry);
    return entry;
  }

  #remembered(record: ProcessRecord): Entry {
    const entry = this.#enter(record.id, record.spec);
    const { wanted: _wanted, startTime: _startTime, ...facts } = record.facts;
    Object.assign(entry.process.facts, facts);
    entry.process.log.finish();
    return entry;
  }

  #openLog(id: string): OutputLog {
    const { state } = this.#dependencies;
    const { output } = this.#options;
    return new OutputLog({ stdout: state.openSpool(`${id}.out`, output), stderr: state.openSpool(`${id}.err`, output) });
  }

  #host(spec: ProcessSpec): HostOnWorkspace {
    const name = spec.host ?? 'local';
    const host = this.#dependencies.hosts.get(name);
    if (host !== undefined) return host;
    const known = [...this.#dependencies.hosts.keys()].join(', ');
    throw new OutriggerError('BAD_INPUT', `There is no host ${JSON.stringify(name)}; there are: ${known}.`);
  }

  /** Where it runs. The folder is held until the program has it for its own. */
  #place(spec: ProcessSpec, id: string): ReturnType<ConstructorParameters<typeof ManagedProcess>[0]['place']> {
    const { argv, env, terminal } = spec;
    const { root } = this.#host(spec);
    const request = { argv, env: { ...env, [MARK]: id }, terminal };
    if (root !== undefined) return { request: { ...request, cwd: path.posix.join(root, spec.path) }, release: () => {} };
    const place = this.#dependencies.workspace.containment.directory(spec.path);
    return { request: { ...request, cwd: place.at }, release: () => place[Symbol.dispose]() };
  }

  #tagged(tag: string): Entry | undefined {
    // The newest of this name.
    return [...this.#entries.values()].findLast(({ spec }) => spec.tag === tag);
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name) ?? this.#tagged(name);
    if (entry === undefined) throw new OutriggerError('NO_PROCESS', `There is no process ${JSON.stringify(name)}.`);
    return entry;
  }

  #forget(entry: Entry): void {
    entry.process.log.remove();
    this.#entries.delete(entry.id);
    this.#dependencies.store.remove(entry.id);
    for (const listener of this.#removals) listener(entry.id);
    this.#tell({ removed: entry.id });
  }

  #forgetOldest(): void {
    const ended = [...this.#entries.values()].filter(({ process }) => process.isOver);
    for (const entry of ended.slice(0, Math.max(0, ended.length - this.#options.keepEnded))) this.#forget(entry);
  }

  // ── what changes

  #changed(entry: Entry): void {
    const { process } = entry;
    const { state, pid } = process.facts;
    if (state === 'ended' || state === 'waiting') [entry.ports, entry.use] = [[], undefined];
    if (state === 'running' && pid !== undefined && this.#host(entry.spec).root === undefined) yieldMemoryFirst(pid);
    this.#dependencies.store.put(recordOf(entry));
    this.#tell({ process: this.#info(entry) });
    if (state === 'ended') this.#forgetOldest();
  }

  #failed(entry: Entry, error: unknown): void {
    this.#dependencies.log('warn', 'process.not-started', { process: entry.id, title: titleOf(entry.spec), error });
  }

  #tell(news: Parameters<Listener>[0]): void {
    for (const listener of this.#listeners) listener(news);
  }

  #look(): void {
    const running = [...this.#entries.values()].filter(
      ({ process, spec }) => process.facts.pid !== undefined && this.#host(spec).root === undefined,
    );
    if (running.length === 0) return;
    this.#lookedAt = performance.now();
    const uses = useOfGroups(runningNow());
    for (const entry of running) {
      const use = uses.get(entry.process.facts.pid as number);
      const ports = listeningPorts(use?.pids ?? []);
      const isNew =
        JSON.stringify([ports, use?.cpuMs, use?.residentBytes]) !==
        JSON.stringify([entry.ports, entry.use?.cpuMs, entry.use?.residentBytes]);
      [entry.ports, entry.use] = [ports, use];
      if (isNew) this.#tell({ process: this.#info(entry) });
    }
  }

  #info({ id, spec, process, ports, use }: Entry): ProcessInfo {
    const { end, lost } = process.log;
    return {
      id,
      ...(spec.tag === undefined ? {} : { tag: spec.tag }),
      title: titleOf(spec),
      argv: [...spec.argv],
      path: spec.path,
      host: spec.host ?? 'local',
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

function titleOf({ title, argv }: ProcessSpec): string {
  return (
    title ??
    argv
      .map((argument) => (/^[\p{L}\p{N}_./:=@%+,-]+$/u.test(argument) ? argument : JSON.stringify(argument)))
      .join(' ')
      .slice(0, 500)
  );
}

function recordOf({ id, spec, process }: Entry, wanted = !process.isOver): ProcessRecord {
  const { facts } = process;
  const startTime = facts.pid === undefined ? undefined : statOf(facts.pid)?.startTime;
  return { id, spec, facts: { ...facts, wanted, ...(startTime === undefined ? {} : { startTime }) } };
}

/** What a sidecar that was killed left running. The mark tells ours from others with the same number. */
async function endLeftovers({ id, facts, spec }: ProcessRecord): Promise<void> {
  if ((spec.host ?? 'local') !== 'local') return;
  const { pid, startTime } = facts;
  if (pid !== undefined && startTime !== undefined && statOf(pid)?.startTime === startTime) signalGroup(pid);
  await endMarked(id);
}

/** Ends all that carry the mark, also what they start meanwhile. */
async function endMarked(id: string): Promise<void> {
  for (let round = 0; round < 20; round++) {
    const pids = withEnvironment(`${MARK}=${id}`);
    if (pids.length === 0) return;
    for (const pid of pids) signalOne(pid);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function signalGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it is gone.
  }
}

function signalOne(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended meanwhile, or belongs to another user.
  }
}

/** Where memory runs out, the kernel is to end what we started, and not us. */
function yieldMemoryFirst(pid: number): void {
  if (process.platform !== 'linux') return;
  try {
    fs.writeFileSync(`/proc/${pid}/oom_score_adj`, OOM_SCORE);
  } catch {
    // It ended already, or the system does not allow it.
  }
}
