// For tests: the tasks of an agent on a fresh folder, and a hub in memory that speaks frames.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type HubFeature, type HubFrame, hubFeatures, readAgentFrame, readHubFrame } from '../../src/contract/hub.ts';
import { readJson } from '../../src/core/json-text.ts';
import type { PeerTimers } from '../../src/core/peer.ts';
import type { ProcessHost } from '../../src/services/processes/host.ts';
import { LocalHost } from '../../src/services/processes/local-host.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import type { RunHooks } from '../../src/services/processes/run-hooks.ts';
import { State } from '../../src/services/state/state.ts';
import { Tasks, type TasksOptions, type TasksSession } from '../../src/services/tasks/tasks.ts';
import { eventually } from './eventually.ts';

export type Frame = Record<string, unknown> & { type: string };

export const realTimers: PeerTimers = {
  set: (run, ms) => setTimeout(run, ms),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
  soon: (run) => void setImmediate(run),
};

export interface TaskSetup extends Partial<Omit<TasksOptions, 'wake'>> {
  /** A script for sh; or the whole command. */
  wake?: string | readonly [string, ...string[]] | undefined;
  features?: readonly HubFeature[];
  hooks?: RunHooks | undefined;
  /** The folder of everything, where one is to be used again. */
  at?: string;
  timers?: PeerTimers;
  monotonic?: () => number;
  now?: () => number;
  processes?: Processes;
  host?: (host: ProcessHost) => ProcessHost;
  state?: (state: State) => Pick<State, 'openDurable' | 'folder' | 'writeFile' | 'removeFile'>;
}

/** Speaks frames in memory. It answers as the hub does unless it is told to be silent. */
export class FakeHub {
  readonly frames: Frame[] = [];
  readonly session: TasksSession;
  /** Frames of these types get no answer. */
  readonly silent = new Set<string>();
  /** What could be taken when the hub was told so between two pings. */
  readonly credits: number[] = [];
  /** How many more frames the socket takes. */
  room = Number.POSITIVE_INFINITY;
  /** What a result is answered with, where it is not acknowledged. */
  refusal: string | undefined;
  tasks!: Tasks;

  constructor(features: readonly HubFeature[]) {
    this.session = {
      features: new Set(features),
      send: (frame) => this.#take(frame),
      ping: () => void this.credits.push(this.tasks.credit()),
    };
  }

  get isOurs(): boolean {
    return this.session.features.size > 0;
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Types, in order. */
  types(): string[] {
    return this.frames.map(({ type }) => type);
  }

  say(frame: Record<string, unknown>): void {
    const read = readHubFrame(JSON.stringify(frame), JSON.parse);
    assert.ok('frame' in read, JSON.stringify(read));
    this.tasks.receive(read.frame as HubFrame);
  }

  assign(id: string, facts: Record<string, unknown> = {}): void {
    this.say({ type: 'task_assign', task_id: id, description: `do ${id}`, metadata: {}, generation: 1, ...facts });
  }

  #take(frame: Frame): boolean {
    if (this.room <= 0) return false;
    this.room--;
    const copy = JSON.parse(JSON.stringify(frame)) as Frame;
    const read = readAgentFrame(JSON.stringify(frame), readJson);
    assert.ok('frame' in read, `not a frame: ${JSON.stringify(read)} ${JSON.stringify(frame).slice(0, 300)}`);
    this.frames.push(copy);
    if (!this.silent.has(frame.type)) queueMicrotask(() => this.#answer(copy));
    return true;
  }

  #answer(frame: Frame): void {
    const id = frame['task_id'] as string;
    const named = this.isOurs ? { generation: frame['generation'] } : {};
    if (frame.type === 'task_accepted') this.say({ type: 'task_ack', task_id: id, status: 'accepted', ...named });
    if (frame.type === 'task_recovering') this.say({ type: 'task_continue', task_id: id, ...(this.isOurs ? named : { generation: 3 }) });
    if (frame.type !== 'task_complete' && frame.type !== 'task_failed') return;
    if (this.refusal !== undefined) {
      this.say({ type: 'error', error: this.refusal, ...(this.isOurs ? { task_id: id, ...named } : {}) });
      return;
    }
    this.say({ type: 'task_ack', task_id: id, status: frame.type === 'task_complete' ? 'complete' : 'retried', ...named });
  }
}

export interface TaskHarness {
  tasks: Tasks;
  hub: FakeHub;
  state: State;
  /** The folder in which agents work. */
  root: string;
  results: string;
  /** Events that were logged. */
  logged: string[];
  /** With what, in the same order. */
  facts: Record<string, unknown>[];
  at(name: string): string;
  put(name: string, content: string): void;
  read(name: string): string;
  has(name: string): boolean;
  /** Stops and starts again as another sidecar does on the same folders. Gives the new one; the old is of no use any more. */
  again(setup?: TaskSetup): Promise<TaskHarness>;
  /** Resolves with the first frame of this type. */
  frame(type: string, count?: number): Promise<Frame>;
}

export async function withTasks(run: (harness: TaskHarness) => Promise<void>, setup: TaskSetup = {}): Promise<void> {
  const folder = setup.at ?? fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-tasks-')));
  const open: { stop: () => Promise<void> }[] = [];
  try {
    await run(await openTasks(folder, setup, open));
  } finally {
    for (const { stop } of open) await stop();
    if (setup.at === undefined) fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function openTasks(folder: string, setup: TaskSetup, open: { stop: () => Promise<void> }[]): Promise<TaskHarness> {
  const root = path.join(folder, 'root');
  const results = setup.resultsFolder ?? path.join(folder, 'results');
  fs.mkdirSync(root, { recursive: true });
  const state = new State({ root, folder: path.join(folder, 'state'), temporary: path.join(folder, 'state') });
  const processes = setup.processes ?? new Processes({ env: process.env });
  const hub = new FakeHub(setup.features ?? hubFeatures);
  const logged: string[] = [];
  const logFacts: Record<string, unknown>[] = [];
  const { at: _at, features: _features, timers, monotonic, now, processes: _processes, host, state: wrap, wake, ...options } = setup;
  const tasks = new Tasks(
    {
      state: wrap?.(state) ?? state,
      host: host?.(new LocalHost(processes)) ?? new LocalHost(processes),
      processes,
      timers: timers ?? realTimers,
      now: now ?? Date.now,
      monotonic: monotonic ?? (() => performance.now()),
      log: (level, event, facts) => {
        logged.push(event);
        logFacts.push({ level, ...facts });
        if (event === 'task.failed-inside') assert.fail(String((facts['error'] as Error).stack));
      },
    },
    {
      agentId: 'probe',
      folder: root,
      resultsFolder: results,
      retriesMs: [20, 20, 20],
      confirmationTimeoutMs: 400,
      ...options,
      wake: typeof wake === 'string' ? ['sh', '-c', wake] : wake,
    },
  );
  hub.tasks = tasks;
  await tasks.start();
  const stop = async (): Promise<void> => {
    await tasks.stop();
    state.close();
  };
  open.push({ stop });
  const at = (name: string): string => path.join(folder, name);
  return {
    tasks,
    hub,
    state,
    root,
    results,
    logged,
    facts: logFacts,
    at,
    put: (name, content) => {
      fs.mkdirSync(path.dirname(at(name)), { recursive: true });
      fs.writeFileSync(at(name), content);
    },
    read: (name) => fs.readFileSync(at(name), 'utf8'),
    has: (name) => fs.existsSync(at(name)),
    again: async (more = {}) => {
      await stop();
      return openTasks(folder, { ...setup, ...more }, open);
    },
    frame: async (type, count = 1) => {
      await eventually(
        () => assert.ok(hub.of(type).length >= count, `${type} is to come; there are ${hub.types().join(' ')}; ${logged.join(' ')}`),
        10_000,
      );
      return hub.of(type)[count - 1] as Frame;
    },
  };
}

/** A wake script that answers at once. */
export const answers = (result: object | string): string =>
  `touch "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.started"; cat > "$OUTRIGGER_RESULT_FILE" <<'END'\n${typeof result === 'string' ? result : JSON.stringify(result)}\nEND\n`;

/** A result as an agent writes it. */
export const done = { status: 'success', output: 'done', tokens_used: 12 };

/** A wake program: says that the agent has begun, and ends. */
export const started = 'touch "$OUTRIGGER_RESULTS/$OUTRIGGER_TASK_ID.started"';

/** The agent began, and the program that woke it has ended. */
export const worksElsewhere = ({ tasks }: TaskHarness): boolean => {
  const record = tasks.list().held[0]?.record;
  return record?.state === 'working' && record.program === undefined;
};
