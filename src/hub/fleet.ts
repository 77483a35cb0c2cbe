import type { Dispatch } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import { type AgentFrames, hubCloseCodes } from '../contract/hub.ts';
import type { HubAgentInfo, HubTaskInfo } from '../contract/hub-operations.ts';
import type { PeerCall, PeerCallOptions, PeerTimers } from '../core/peer.ts';
import type { TextSocket } from '../net/text-socket.ts';
import type { AgentRegistry } from './agent-registry.ts';
import { AgentSession, commonFeatures, notConnected } from './agent-session.ts';
import type { Bus } from './bus.ts';
import { Refusals } from './refusals.ts';
import { infoOf } from './task-frames.ts';
import type { TaskLogs } from './task-logs.ts';
import type { TaskEvent, TaskStore, TaskSummary } from './task-store.ts';

/** A reap is not asked for more often, ms. */
const REAP_EVERY_MS = 100;
/** Nothing is planned further ahead: clocks are set, ms. */
const LONGEST_REAP_MS = 5000;
/** Between two commits that remove tasks, ms. */
const FORGET_PAUSE_MS = 5;
const NEWS_MS = 250;
/** Of agents that changed, so many are looked at in one turn of the event loop. */
const AGENTS_AT_ONCE = 200;
/**
 * Shares of a lease: how often agents speak at most, and how long they wait for an answer. They stop work at nine tenths, so one that finds its
 * connection dead has time to come back.
 */
const HEARTBEAT_SHARE = 1 / 2;
const PONG_SHARE = 1 / 6;
/** The client type of `outrigger link --check`. */
const CHECK = 'check';
const CHECKED_MS = 5000;
/** On the bus: something may be ready for somebody. */
const READY = 'ready';
/** On the bus: what changed, for those who look on. */
const NEWS = 'news';
/** On the bus: who has the connection of an agent answers for it. */
const ofAgent = (agent: string): string => `agent.${agent}`;

export interface FleetOptions {
  /** Less where the lease asks for it, as `pongTimeoutMs`. */
  heartbeatMs: number;
  pongTimeoutMs: number;
  leaseMs: number;
  plainLeaseMs: number;
}

export interface FleetDependencies {
  store: TaskStore;
  bus: Bus;
  registry: AgentRegistry;
  logs: TaskLogs;
  timers: PeerTimers;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  log: (level: 'debug' | 'info' | 'warn', event: string, facts: Record<string, unknown>) => void;
  dispatch: Dispatch;
}

/** What the one who has the connection of an agent is asked to do. */
type Order =
  | { do: 'take'; task: TaskSummary; why: 'cancelled' | 'reassigned' /** Only where it has this grant. */; ifHeld: boolean }
  | { do: 'cut'; code: number; error: string }
  | { do: 'deliver'; token: string };

export interface FleetNews {
  agents: HubAgentInfo[];
  tasks: HubTaskInfo[];
}

/** All agents that are connected: lets them in, gives out what is ready, and takes back what their time has run out for. */
export class Fleet {
  readonly #dependencies: FleetDependencies;
  readonly #options: FleetOptions;
  readonly #sessions = new Map<string, AgentSession>();
  /** Of those who went. */
  readonly #left = new Map<string, { at: number; seen: number }>();
  /** Of those who are connected, or being let in. */
  readonly #epochs = new Map<string, number>();
  readonly #refusals = new Refusals();
  /** Ends that orders for an agent are taken here. */
  readonly #answering = new Map<string, () => void>();
  readonly #subscriptions: (() => void)[] = [];
  readonly #changedAgents = new Set<string>();
  readonly #changedTasks = new Map<string, HubTaskInfo>();
  #newsTimer: unknown;
  #reapTimer: unknown;
  #reapDue = Number.POSITIVE_INFINITY;
  /** Under way, or in the pause after it. */
  #isForgetting = false;
  #forgetTimer: unknown;
  #waking = false;
  #saidReady = false;
  /** Something may have become ready, for whomever: all are asked. Else those of `#roomy`, for whom alone something changed. */
  #anybody = false;
  readonly #roomy = new Set<string>();
  #assigning = false;
  #again = false;
  /** Of what is given out in several commits, how many each has had so far. */
  readonly #served = new Map<string, number>();
  #stopped = false;

  constructor(dependencies: FleetDependencies, options: FleetOptions) {
    this.#dependencies = dependencies;
    const { heartbeatMs, pongTimeoutMs, leaseMs } = options;
    this.#options = {
      ...options,
      heartbeatMs: Math.min(heartbeatMs, Math.floor(leaseMs * HEARTBEAT_SHARE)),
      pongTimeoutMs: Math.min(pongTimeoutMs, Math.floor(leaseMs * PONG_SHARE)),
    };
  }

  get online(): number {
    return this.#sessions.size;
  }

  start(): void {
    const ready = this.#dependencies.bus.subscribe(READY, () => {
      this.#anybody = true;
      if (!this.#stopped) void this.#assign();
    });
    this.#subscriptions.push(ready);
    void this.#reap();
  }

  /**
   * Lets an agent in that has just said who it is; undefined where it was refused and its socket closed. `address`: where it comes from.
   */
  async admit(identify: AgentFrames['identify'], socket: TextSocket, address: string | null): Promise<AgentSession | undefined> {
    const { registry, timers, now, monotonic, log } = this.#dependencies;
    const { agent_id: agent, token } = identify;
    const owner = registry.ownerOf(token);
    if (owner !== agent) {
      this.#refuse(agent, owner === undefined ? 'invalid_token' : 'token_agent_mismatch', socket, address);
      return undefined;
    }
    if (identify.client_type === CHECK) {
      // Somebody only wants to know whether it would be let in; the agent itself may be at work.
      socket.send(JSON.stringify({ type: 'identified', agent_id: agent }));
      const timer = timers.set(() => socket.close(1000, 'checked'), CHECKED_MS);
      socket.onClose(() => timers.clear(timer));
      return undefined;
    }
    const epoch = identify.epoch ?? 0;
    if (epoch > 0 && epoch < (this.#epochs.get(agent) ?? 0)) {
      // What an older connection says of the tasks it holds is of long ago. A machine whose clock was set back only has to come once more, when the hub
      // has seen that its connection of before is dead.
      socket.close(hubCloseCodes.restart, 'a newer connection of this agent');
      return undefined;
    }
    const name = identify.name ?? agent;
    const capabilities = identify.capabilities ?? [];
    registry.arrived(agent, token, name, capabilities);
    // Where that can't be stored there is no connection, whose end would take it away again.
    this.#epochs.set(agent, epoch);
    const features = commonFeatures(identify.features);
    const session: AgentSession = new AgentSession(
      {
        id: agent,
        name,
        capabilities,
        labels: identify.labels ?? {},
        features,
        clientType: identify.client_type ?? null,
        version: identify.version ?? null,
        address,
        epoch,
        since: now(),
      },
      identify,
      {
        socket,
        store: this.#dependencies.store,
        timers,
        now,
        monotonic,
        log,
        dispatch: this.#dependencies.dispatch,
        changed: (task) => this.changed(task),
        wake: () => this.wake(),
        hasRoom: () => this.#wakeFor(agent),
        differs: () => this.agentChanged(agent),
        logged: (task, entry) => this.#dependencies.logs.add(task, entry),
        ended: () => this.#ended(session),
      },
      this.#options,
    );
    const before = this.#sessions.get(agent);
    if (before !== undefined) {
      log('warn', 'hub.agent-replaced', { agentId: agent, address });
      before.close(hubCloseCodes.replaced, 'another connection of this agent');
    }
    // Nothing is given out before it is known what it has.
    const nack = await session
      .reconcile(features.has('held') ? (identify.held ?? []) : undefined, identify.held_more)
      .catch((error: unknown) => {
        session.close(hubCloseCodes.restart, 'try again');
        throw error;
      });
    if (this.#stopped) {
      session.close(hubCloseCodes.restart, 'the hub is stopping');
      return undefined;
    }
    // It may have been revoked meanwhile, when there was no connection yet to be cut.
    if (registry.ownerOf(token) !== agent) {
      session.send({ type: 'error', error: 'token_revoked' });
      session.close(hubCloseCodes.auth, 'token_revoked');
      return undefined;
    }
    this.#sessions.get(agent)?.close(hubCloseCodes.replaced, 'another connection of this agent');
    this.#answering.get(agent)?.();
    this.#sessions.set(agent, session);
    this.#answering.set(
      agent,
      this.#dependencies.bus.respond(ofAgent(agent), (order) => this.#obey(session, order as Order)),
    );
    this.#left.delete(agent);
    const { heartbeatMs, pongTimeoutMs, leaseMs } = this.#options;
    const more =
      features.size === 0
        ? {}
        : {
            features: [...features],
            heartbeat_ms: heartbeatMs,
            pong_timeout_ms: pongTimeoutMs,
            lease_ms: leaseMs,
            server_time: now(),
            ...(nack.length > 0 ? { nack } : {}),
          };
    session.send({ type: 'identified', agent_id: agent, ...more });
    log('info', 'hub.agent-online', { agentId: agent, address, features: [...features].join(' ') });
    this.agentChanged(agent);
    this.#wakeFor(agent);
    return session;
  }

  /** The socket of a session closed. What it accepted stays its own until the leases end; who knows leases has begun nothing else. */
  left(session: AgentSession): void {
    const { id, features } = session.facts;
    const wasHere = this.#sessions.get(id) === session;
    this.#ended(session);
    if (wasHere && features.has('leases')) void this.#takeBack(id, () => this.#dependencies.store.heldBy(id));
  }

  /** It is here no more. Where we closed it, its next connection says what becomes of what it was offered. */
  #ended(session: AgentSession): void {
    session.gone();
    const { id, epoch } = session.facts;
    // Also of one that was not let in after all.
    if (this.#epochs.get(id) === epoch) this.#epochs.delete(id);
    if (this.#sessions.get(id) !== session) return;
    this.#sessions.delete(id);
    // It can't have begun what it was never told of.
    void this.#takeBack(id, () => this.#dependencies.store.heldBy(id).filter((task) => session.isUntold(task)));
    this.#answering.get(id)?.();
    this.#answering.delete(id);
    this.#left.set(id, { at: this.#dependencies.now(), seen: session.lastSeen });
    this.#dependencies.log('info', 'hub.agent-offline', { agentId: id });
    this.agentChanged(id);
  }

  /** Ends the connection of an agent, wherever it is; false where there is none. */
  cut(agent: string, code: number, error: string): Promise<boolean> {
    return this.#order(agent, { do: 'cut', code, error });
  }

  /** Gives a connected agent its new secret; false where there is none, or it would not know what to do with it. */
  deliver(agent: string, token: string): Promise<boolean> {
    return this.#order(agent, { do: 'deliver', token });
  }

  /** Calls an operation of an agent. Throws CONNECTION_LOST, and PART_OFF where it takes no calls. */
  call(agent: string, operation: string, input: unknown, options: PeerCallOptions): PeerCall {
    const session = this.#sessions.get(agent);
    if (session === undefined) throw notConnected(agent);
    if (!session.facts.features.has('calls'))
      throw new OutriggerError('PART_OFF', `The agent ${agent} takes no calls: its config.json says so by \`allow\`.`);
    return session.peer.call(operation, input, options);
  }

  /** Something may be ready for somebody: looked at once for all that is said in this turn of the event loop. */
  wake(): void {
    if (this.#saidReady || this.#stopped) return;
    this.#saidReady = true;
    // Once a turn, and not until it is heard: what is said on a bus may be lost.
    this.#dependencies.timers.soon(() => (this.#saidReady = false));
    this.#dependencies.bus.publish(READY, null);
  }

  /** This one has room for more; nobody else's share is another for it, so that a fleet that comes back is not gone through for each of it. */
  #wakeFor(agent: string): void {
    if (!this.#anybody) this.#roomy.add(agent);
    this.#wakeSoon();
  }

  #wakeSoon(): void {
    if (this.#waking || this.#stopped) return;
    this.#waking = true;
    this.#dependencies.timers.soon(() => {
      this.#waking = false;
      void this.#assign();
    });
  }

  /** A task changed, by whatever: those who look on hear of it, and when it is to be looked at next is planned anew. */
  changed(task: TaskSummary): void {
    if (this.#dependencies.bus.listened(NEWS)) {
      // Without what can be large, which would be kept for as long as somebody does not read.
      this.#changedTasks.set(task.id, infoOf(task));
      if (task.holder !== null) this.#changedAgents.add(task.holder);
      this.#tellSoon();
    }
    this.#planReap();
  }

  /** What is known of an agent changed: those who look on hear of it. */
  agentChanged(id: string): void {
    if (!this.#dependencies.bus.listened(NEWS)) return;
    this.#changedAgents.add(id);
    this.#tellSoon();
  }

  /** Tells the one who has it that a task is cancelled. */
  cancelled(task: TaskSummary): void {
    if (task.holder !== null) void this.#order(task.holder, { do: 'take', task, why: 'cancelled', ifHeld: false });
    this.changed(task);
  }

  follow(listener: (news: FleetNews) => void): () => void {
    return this.#dependencies.bus.subscribe(NEWS, (news) => listener(news as FleetNews));
  }

  /** By id: so many of those after one, or all. */
  agents(after?: string, limit?: number): HubAgentInfo[] {
    return this.#dependencies.registry.list(after, limit).map((known) => this.#infoOf(known.id, known));
  }

  /** Says to all when to come back, and ends the connections. */
  stop(retryAfterMs: number): void {
    this.#stopped = true;
    for (const end of [...this.#subscriptions, ...this.#answering.values()]) end();
    for (const timer of [this.#reapTimer, this.#forgetTimer, this.#newsTimer]) this.#dependencies.timers.clear(timer);
    for (const session of this.#sessions.values()) {
      if (session.facts.features.size > 0)
        session.send({ type: 'goaway', reason: 'restart', retry_after_ms: retryAfterMs, window_ms: Math.max(1000, this.#sessions.size) });
      session.close(hubCloseCodes.restart, 'the hub is stopping');
    }
    this.#sessions.clear();
  }

  /** False where it was not done: the agent is not connected anywhere, or it is not for it. */
  #order(agent: string, order: Order): Promise<boolean> {
    return this.#dependencies.bus.request(ofAgent(agent), order).then(
      (isDone) => isDone === true,
      () => false,
    );
  }

  #obey(session: AgentSession, order: Order): boolean {
    switch (order.do) {
      case 'take':
        if (order.ifHeld && !session.holds(order.task)) return false;
        session.take(order.task, order.why);
        return true;
      case 'cut':
        session.send({ type: 'error', error: order.error });
        session.close(order.code, order.error);
        this.left(session);
        return true;
      case 'deliver':
        if (session.facts.features.size === 0) return false;
        session.send({ type: 'token_rotated', token: order.token });
        return true;
    }
  }

  async #assign(): Promise<void> {
    // One at a time: a second one would see the credit that the first one is about to use.
    if (this.#assigning) {
      this.#again = true;
      return;
    }
    this.#assigning = true;
    const asked = this.#anybody ? this.#sessions.keys() : [...this.#roomy];
    this.#anybody = false;
    this.#roomy.clear();
    try {
      const claims: { agent: string; capabilities: readonly string[]; credit: number }[] = [];
      for (const agent of asked) {
        const session = this.#sessions.get(agent);
        const credit = session?.credit ?? 0;
        if (session !== undefined && credit > 0) claims.push({ agent, capabilities: session.facts.capabilities, credit });
      }
      if (claims.length === 0) return;
      const served = (agent: string): number => this.#served.get(agent) ?? 0;
      // Who has most room comes first, but nobody a second time before the others.
      claims.sort((a, b) => served(a.agent) - served(b.agent) || b.credit - a.credit);
      let isAll = true;
      // Of large tasks the rest is asked for in a later turn of the event loop: telling of one takes as long as reading it.
      const more = (): void => {
        isAll = false;
        this.wake();
      };
      const granted = await this.#dependencies.store.claim(claims, more);
      if (isAll) this.#served.clear();
      else for (const { agent } of granted) this.#served.set(agent, served(agent) + 1);
      for (const { agent, task } of granted) {
        const session = this.#sessions.get(agent);
        session?.assign(task);
        this.changed(task);
        // Gone meanwhile.
        if (session === undefined) void this.#takeBack(agent, () => [task]);
      }
    } catch (error) {
      // Nothing was granted: soon they are all looked at again.
      this.#dependencies.timers.set(() => this.wake(), REAP_EVERY_MS);
      this.#dependencies.log('warn', 'hub.not-assigned', { error });
    } finally {
      this.#assigning = false;
      if (this.#again) {
        this.#again = false;
        this.#wakeSoon();
      }
    }
  }

  /** Of these, what an agent that went had not accepted. */
  async #takeBack(agent: string, tasks: () => TaskSummary[]): Promise<void> {
    if (this.#stopped) return;
    const { store, log } = this.#dependencies;
    // An acceptance may have been asked of the store before this.
    const event = (fence: number): TaskEvent => ({ type: 'disown', agent, fence, offered: true });
    try {
      const offered = tasks().filter(({ state }) => state === 'offered');
      if (offered.length === 0) return;
      for (const applied of await store.apply(offered.map(({ id, fence }) => ({ task: id, event: event(fence) }))))
        if (applied.ok && !applied.again) this.changed(applied.task);
      this.wake();
    } catch (error) {
      // The offers run out.
      log('warn', 'hub.not-stored', { agentId: agent, type: 'task_assign', error });
    }
  }

  #planReap(): void {
    if (this.#stopped) return;
    const { timers, store } = this.#dependencies;
    const now = this.#dependencies.now();
    const next = Math.min(store.nextTime() ?? Number.POSITIVE_INFINITY, now + LONGEST_REAP_MS);
    const due = Math.max(next, now + REAP_EVERY_MS);
    if (due >= this.#reapDue) return;
    timers.clear(this.#reapTimer);
    this.#reapDue = due;
    this.#reapTimer = timers.set(() => void this.#reap(), due - now);
  }

  async #reap(): Promise<void> {
    this.#reapDue = Number.POSITIVE_INFINITY;
    try {
      const changed = await this.#dependencies.store.reap((some) => {
        for (const task of some) {
          const why = task.state === 'cancelled' || task.state === 'failed' ? 'cancelled' : 'reassigned';
          if (task.holder !== null && task.state !== 'running' && task.state !== 'offered')
            void this.#order(task.holder, { do: 'take', task, why, ifHeld: true });
          this.changed(task);
        }
      });
      if (changed.length > 0) this.wake();
    } catch (error) {
      this.#dependencies.log('warn', 'hub.not-reaped', { error });
    }
    await this.#forget();
    this.#planReap();
  }

  /** Removes those whose time is over, a few in a commit, with a pause after each for others. Where they can't be removed, not again at once. */
  async #forget(): Promise<void> {
    const { store, logs, log, timers } = this.#dependencies;
    if (this.#stopped || this.#isForgetting) return;
    this.#isForgetting = true;
    let pauseMs = 0;
    try {
      const forgotten = await store.forget();
      for (const id of forgotten) logs.forget(id);
      if (forgotten.length > 0) {
        log('debug', 'hub.tasks-forgotten', { count: forgotten.length });
        pauseMs = FORGET_PAUSE_MS;
      }
    } catch (error) {
      pauseMs = LONGEST_REAP_MS;
      if (!this.#stopped) log('warn', 'hub.not-forgotten', { error });
    }
    const go = (): void => {
      this.#isForgetting = false;
      if (pauseMs > 0) void this.#forget();
    };
    if (pauseMs === 0 || this.#stopped) go();
    else this.#forgetTimer = timers.set(go, pauseMs);
  }

  /** Its secret is wrong. Nothing here depends on whether there is such an agent, nor on who else tries. */
  #refuse(agent: string, error: string, socket: TextSocket, address: string | null): void {
    const { now, log } = this.#dependencies;
    const refusal = this.#refusals.wrong(address, agent, now());
    if (refusal.is === 'silence') return socket.close(hubCloseCodes.policy, '');
    if (refusal.is === 'wait') return socket.close(hubCloseCodes.policy, `cooldown active: retry in ${Math.ceil(refusal.ms / 1000)}s`);
    log('warn', 'hub.agent-refused', { agentId: agent, error, address });
    socket.send(JSON.stringify({ type: 'error', error }));
    socket.close(hubCloseCodes.auth, error);
  }

  #infoOf(id: string, known = this.#dependencies.registry.get(id)): HubAgentInfo {
    const { store } = this.#dependencies;
    const session = this.#sessions.get(id);
    const left = this.#left.get(id);
    const isStale = (session?.silentMs ?? 0) > this.#options.heartbeatMs + this.#options.pongTimeoutMs;
    return {
      id,
      name: session?.facts.name ?? known?.name ?? id,
      state: session === undefined ? 'offline' : session.draining ? 'draining' : isStale ? 'stale' : 'online',
      since: session?.facts.since ?? left?.at ?? null,
      lastSeen: session?.lastSeen ?? left?.seen ?? null,
      capabilities: [...(session?.facts.capabilities ?? known?.capabilities ?? [])],
      labels: { ...session?.facts.labels },
      features: [...(session?.facts.features ?? [])],
      credit: session?.credit ?? 0,
      tasks: store.heldBy(id).map((task) => ({ id: task.id, generation: task.fence, state: task.state })),
      address: session?.facts.address ?? null,
      clientType: session?.facts.clientType ?? null,
      version: session?.facts.version ?? null,
      secrets: known?.secrets ?? 0,
      createdAt: known?.createdAt ?? 0,
    };
  }

  #tellSoon(ms = NEWS_MS): void {
    if (this.#stopped) return;
    this.#newsTimer ??= this.#dependencies.timers.set(() => {
      this.#newsTimer = undefined;
      const agents = [...this.#changedAgents.values().take(AGENTS_AT_ONCE)];
      for (const id of agents) this.#changedAgents.delete(id);
      const news: FleetNews = { agents: agents.map((id) => this.#infoOf(id)), tasks: [...this.#changedTasks.values()] };
      this.#changedTasks.clear();
      this.#dependencies.bus.publish(NEWS, news);
      // Of a whole fleet that went the others get their turn in between.
      if (this.#changedAgents.size > 0) this.#tellSoon(0);
    }, ms);
  }
}
