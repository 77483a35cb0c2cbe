// The real fleet and store of a hub, with sockets that only write down.
import assert from 'node:assert/strict';
import type { AgentFrames } from '../../src/contract/hub.ts';
import type { PeerTimers } from '../../src/core/peer.ts';
import { AgentRegistry } from '../../src/hub/agent-registry.ts';
import type { AgentSession } from '../../src/hub/agent-session.ts';
import { InProcessBus } from '../../src/hub/bus.ts';
import { Fleet, type FleetOptions } from '../../src/hub/fleet.ts';
import { hubDefaults } from '../../src/hub/hub.ts';
import { SqliteTaskStore } from '../../src/hub/sqlite-task-store.ts';
import { TaskLogs } from '../../src/hub/task-logs.ts';
import { nodeTimers } from '../../src/net/timers.ts';
import { eventually } from './eventually.ts';
import type { FakeClock } from './link-harness.ts';
import { taskRequest } from './task-request.ts';

export interface Joined {
  session: AgentSession | undefined;
  frames: { type: string; [more: string]: unknown }[];
  closed: () => number | undefined;
  say: (frame: object) => void;
  /** What it sends is not read now. */
  paused: () => boolean;
  /** So many bytes of what it was told it has not read; 0: it has read all. */
  unread: (bytes: number) => void;
}

/** A bus that loses what it is told to lose. */
class LossyBus extends InProcessBus {
  loses: string | undefined;

  override publish(subject: string, message: unknown): void {
    if (subject === this.loses) this.loses = undefined;
    else super.publish(subject, message);
  }
}

interface SceneClock {
  timers: PeerTimers;
  now: () => number;
  monotonic: () => number;
}

export class Scene {
  readonly registry: AgentRegistry;
  readonly store: SqliteTaskStore;
  readonly bus: LossyBus;
  readonly logs: TaskLogs;
  readonly fleet: Fleet;
  readonly #secrets = new Map<string, string>();

  constructor({ timers, now, monotonic }: SceneClock, options: FleetOptions) {
    const { acceptWithinMs: acceptMs } = hubDefaults;
    this.registry = new AgentRegistry({ file: ':memory:', now });
    this.store = new SqliteTaskStore({ file: ':memory:', now, monotonic, random: Math.random, acceptMs });
    this.bus = new LossyBus(timers);
    this.logs = new TaskLogs(this.bus);
    const { store, bus, registry, logs } = this;
    const dispatch = (): Promise<never> => Promise.reject(new Error('Agents call nothing.'));
    this.fleet = new Fleet({ store, bus, registry, logs, timers, now, monotonic, log: () => {}, dispatch }, options);
  }

  async join(agent: string, more: Partial<AgentFrames['identify']> = {}): Promise<Joined> {
    const token = this.#secrets.get(agent) ?? this.registry.register(agent);
    this.#secrets.set(agent, token);
    const frames: Joined['frames'] = [];
    let closed: number | undefined;
    let isPaused = false;
    const none = (): void => {};
    let drained = none;
    const socket = {
      send: (text: string) => void frames.push(JSON.parse(text) as Joined['frames'][number]),
      buffered: 0,
      onDrain: (listener: () => void) => void (drained = listener),
      onText: none,
      onBad: none,
      onClose: none,
      pause: () => void (isPaused = true),
      resume: () => void (isPaused = false),
      close: (code: number) => void (closed ??= code),
    };
    const identify = { agent_id: agent, token, features: ['leases', 'held', 'refusals'], credit: 1, held: [], ...more };
    const session = await this.fleet.admit(identify as unknown as AgentFrames['identify'], socket, null);
    const say = (frame: object): void => session?.receive(JSON.stringify(frame));
    const unread = (bytes: number): void => {
      socket.buffered = bytes;
      if (bytes === 0) drained();
    };
    return { session, frames, closed: () => closed, say, paused: () => isPaused, unread };
  }

  async create(id: string, more: Parameters<typeof taskRequest>[0] = {}): Promise<void> {
    for (const { task } of await this.store.enqueue([{ id, request: taskRequest(more), by: 'me' }])) this.fleet.changed(task);
    this.fleet.wake();
  }

  /** Offered to that agent, which takes it. */
  async begin(agent: Joined, id = 't'): Promise<void> {
    await this.create(id);
    await this.is(id, 'offered');
    agent.say({ type: 'task_accepted', task_id: id, generation: 1 });
    await this.is(id, 'running');
  }

  is(id: string, state: string): Promise<void> {
    return eventually(() => assert.equal(this.store.get(id)?.state, state), 2000);
  }
}

/** `clock`: one of the test's own, else the real one. */
export async function scene(
  run: (scene: Scene) => Promise<void>,
  clock?: FakeClock,
  setBy = (): number => 0,
  options: Partial<FleetOptions> = {},
): Promise<void> {
  const clocks: SceneClock =
    clock === undefined
      ? { timers: nodeTimers, now: Date.now, monotonic: () => performance.now() }
      : { timers: clock.timers, now: () => clock.now + setBy(), monotonic: () => clock.now };
  const made = new Scene(clocks, { ...hubDefaults, ...options });
  made.fleet.start();
  try {
    await run(made);
  } finally {
    made.fleet.stop(1);
    made.bus.close();
    await made.store.close();
    made.registry.close();
  }
}
