// A link of the simulation: the real Link over the real Tasks, whose programs only seem to run, and whose databases outlive a crash.
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { HostExit, HostRequest, HostedProcess, ProcessHost, ProgramOutput } from '../../src/services/processes/host.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import { Tasks } from '../../src/services/tasks/tasks.ts';
import { Link } from '../../src/transports/hub-link/link.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import { VirtualProcess, type VirtualTime } from './virtual-time.ts';

/** Of a program that does its work, milliseconds: some take longer than a lease. */
const MAX_WORK_MS = 5000;
/** Tasks at a time. */
export const CONCURRENCY = 3;

/** What a link does without. */
export type LinkFault = 'outbox' | 'lease clock';

/** What came of a task, once it was on the disk of its link. */
export interface Handed {
  agent: string;
  task: string;
  generation: number;
}

export interface LinkWorld {
  time: VirtualTime;
  network: VirtualNetwork;
  say: (what: string) => void;
  /** A program starts to work on a task; throws where another one works on it. Gives what to call when it ends. */
  works: (task: string, agent: string) => () => void;
  handed: (handed: Handed) => void;
}

export interface SimulatedLinkOptions {
  agentId: string;
  token: string;
  folder: string;
  /** How fast its clock is, and how wrong it is set. */
  clock: { rate: number; offsetMs: number };
  fault: LinkFault | undefined;
}

export class SimulatedLink {
  readonly agentId: string;
  process: VirtualProcess | undefined;
  readonly #world: LinkWorld;
  readonly #options: SimulatedLinkOptions;
  /** It survives: what was committed is there, and each commit is one happening. */
  readonly #database = new DatabaseSync(':memory:');
  readonly #processes = new Processes({ env: {} });
  #programs: (() => void)[] = [];

  constructor(world: LinkWorld, options: SimulatedLinkOptions) {
    this.agentId = options.agentId;
    this.#world = world;
    this.#options = options;
  }

  get resultsFolder(): string {
    return path.join(this.#options.folder, this.agentId);
  }

  start(): void {
    const { time, network, say, handed } = this.#world;
    const { agentId, token, clock, fault } = this.#options;
    const process = new VirtualProcess(time, clock);
    this.process = process;
    say(`${agentId} starts`);
    const { timers, now, monotonic } = process;
    const tasks: Tasks = new Tasks(
      {
        state: { openDurable: () => this.#database, folder: this.#options.folder, writeFile: () => {}, removeFile: () => {} },
        host: this.#host(process, () => tasks),
        processes: this.#processes,
        timers,
        now,
        monotonic: fault === 'lease clock' ? () => 0 : monotonic,
        log: (_level, event, facts) => {
          if (event === 'task.failed-inside') throw facts['error'];
          if (event === 'task.lease-over' || event === 'task.lost') say(`${agentId} ${event} ${String(facts['task_id'])}`);
          if (event === 'task.step' && facts['to'] === 'done') handed({ agent: agentId, ...this.#newest(String(facts['task_id'])) });
        },
      },
      {
        agentId,
        folder: this.#options.folder,
        resultsFolder: this.resultsFolder,
        wake: ['simulated'],
        concurrency: CONCURRENCY,
        retriesMs: [200, 400],
        confirmationTimeoutMs: 1000,
        wakeTimeoutMs: 2000,
        // What is asked to end is gone at once: nothing looks at the real clock.
        cancelWithinMs: 0,
      },
    );
    const link = new Link(
      {
        sockets: { dialText: (_url, given) => network.dial(agentId, process, given) },
        dispatch: () => Promise.reject(new OutriggerError('NO_OPERATION', 'The hub calls nothing here.')),
        tasks,
        timers,
        now,
        monotonic,
        random: () => time.random.below(1000) / 1000,
        log: (_level, event, { reason } = {}) => {
          if (event === 'link.tasks_failed') throw new Error(event);
          say(`${agentId} ${event}${reason === undefined ? '' : ` ${String(reason)}`}`);
        },
      },
      {
        ...{ agentId, token, url: 'ws://hub/ws', name: agentId, capabilities: [], labels: {}, allow: 'none', jitter: 'full' },
        timeouts: { dialMs: 2000, identifyMs: 2000, pingMs: 1000, pongMs: 1000, stopMs: 1000 },
      },
    );
    void tasks.start().then(() => link.start());
  }

  /** SIGKILL, or (`abruptly`) the machine loses its power. Its programs end with it: what else runs on is no matter of links. */
  crash(abruptly: boolean): void {
    const { process } = this;
    if (process === undefined) return;
    this.#world.say(`${this.agentId} dies${abruptly ? ' with its machine' : ''}`);
    process.kill();
    this.process = undefined;
    for (const end of this.#programs.splice(0)) end();
    this.#world.network.ended(process, abruptly);
    if (this.#options.fault === 'outbox') this.#database.exec('DELETE FROM outbox');
  }

  /** Nothing is held, and nothing waits for the hub. */
  get isIdle(): boolean {
    const { count } = this.#database.prepare('SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM held) AS count').get() as {
      count: number;
    };
    return count === 0;
  }

  /** Generations of the results of a task that were put aside for an operator. */
  aside(task: string): number[] {
    const late = path.join(this.resultsFolder, 'late');
    const names = fs.existsSync(late) ? fs.readdirSync(late) : [];
    return names.flatMap((name) => (name.startsWith(`${task}-`) ? [Number(name.slice(task.length + 1).split('-')[0])] : []));
  }

  close(): void {
    this.process?.kill();
    this.#database.close();
  }

  #newest(task: string): { task: string; generation: number } {
    const row = this.#database.prepare('SELECT generation FROM outbox WHERE task_id = ? ORDER BY sequence DESC').get(task);
    return { task, generation: (row as { generation: number }).generation };
  }

  #host(process: VirtualProcess, tasks: () => Tasks): ProcessHost {
    const start = ({ env }: HostRequest): Promise<HostedProcess> =>
      Promise.resolve(this.#program(process, tasks(), env['OUTRIGGER_TASK_ID'] as string));
    return { name: 'simulated', start, close: () => Promise.resolve() };
  }

  /** Most say that they begin, work, and hand over a result; some fail, hang, or end without a word. */
  #program(process: VirtualProcess, tasks: Tasks, task: string): HostedProcess {
    const { time, say, works } = this.#world;
    const { agentId } = this;
    const exit = Promise.withResolvers<HostExit>();
    const over = works(task, agentId);
    let isOver = false;
    const end = (exitCode: number | null): void => {
      if (isOver) return;
      isOver = true;
      over();
      this.#programs = this.#programs.filter((other) => other !== kill);
      exit.resolve({ exitCode, exitSignal: exitCode === null ? 'SIGTERM' : null });
    };
    const kill = (): void => end(null);
    this.#programs.push(kill);
    const later = (ms: number, run: () => void): void => {
      time.after(ms, process, () => {
        if (!isOver) run();
      });
    };
    // It is told so where its task was taken from it a moment ago.
    const tell = (step: Parameters<Tasks['say']>[1]): void => void tasks.say(task, step).catch(() => {});
    const dice = time.random.below(100);
    const workMs = time.random.below(time.random.below(4) === 0 ? MAX_WORK_MS : 500);
    say(`${agentId} works on ${task}`);
    if (dice < 4) later(workMs, () => end(1));
    else if (dice < 6) later(workMs, () => end(0));
    else if (dice >= 8) {
      later(time.random.below(100), () => tell({ type: 'confirmed' }));
      later(100 + workMs / 2, () => {
        try {
          tasks.progress(task, { progress: 50 });
        } catch {
          // As above.
        }
      });
      later(100 + workMs, () => {
        if (dice < 14) tell({ type: 'failed', reason: 'it went wrong', retryable: true });
        else tell({ type: 'result', result: { status: 'success', output: `${task} by ${agentId}` } });
      });
      later(120 + workMs, () => end(0));
    }
    const signal = (): void => kill();
    return {
      pid: 1,
      stdout: silence,
      stderr: silence,
      write: () => Promise.resolve(),
      endInput: () => {},
      signal,
      resize: () => {},
      exit: exit.promise,
    };
  }
}

const silence: ProgramOutput = {
  on: () => {},
  once: (event: string, listener: (error: Error) => void) => {
    if (event === 'end') (listener as () => void)();
  },
  pause: () => {},
  resume: () => {},
  destroy: () => {},
};
