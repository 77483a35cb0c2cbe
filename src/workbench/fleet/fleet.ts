import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { HubAgentInfo, HubTaskInfo } from '../../contract/hub-operations.ts';
import { type ConnectionState, isAbsent, isAway, type Keep } from '../client-port.ts';
import { Toasts } from '../shell/toasts.ts';
import { ThemeChoice } from '../theme-choice.ts';
import { agentFilter, taskFilter } from './fleet-filter.ts';
import { type FleetAddress, readAddress, writeAddress } from './fleet-address.ts';
import type { HubClient } from './hub-client.ts';
import { type HubLinkWords, hubLinkWords } from './hub-link-words.ts';
import { TaskDetail } from './task-detail.ts';
import { isHeld, isOver } from './task-words.ts';

/** Held by the page; of more the oldest that are over are left out. */
const MAX_TASKS = 10_000;
const FIRST_PAGE = 200;
/** With descriptions as long as they may be, an answer of so many is still taken. */
const NEXT_PAGES = 500;
/** Renewed leases are no news, so what is held is looked at so often, ms. */
const LOOK_MS = 10_000;
/** After the news ended they are asked for again, ms. */
const AGAIN_MS = 5000;
const SECOND_MS = 1000;
/** fixer-2 before fixer-10. */
const byNumbers = new Intl.Collator('en', { numeric: true });

export interface FleetDependencies {
  client: HubClient;
  keep: Keep;
  /** Milliseconds since 1970, by this computer. */
  now: () => number;
  /** How much the clock of the hub is before that, ms. */
  clockAhead: () => Promise<number>;
  /** Where the page is served, and the hub reached, e.g. `http://localhost:4000`. */
  hubAddress: string;
  address: { read: () => string; write: (search: string, push: boolean) => void };
}

export type FleetDialog =
  | { name: 'enrol' }
  | { name: 'add' }
  | { name: 'revoke'; agent: string; tasks: number }
  | { name: 'secret'; agent: string; token: string };

/** Ids. */
interface Told {
  agents: Set<string>;
  tasks: Set<string>;
}

/** All that the page of a hub knows and does. */
export class Fleet {
  readonly client: HubClient;
  readonly hubAddress: string;
  readonly toasts = new Toasts();
  /** Undefined until the first answer. */
  readonly agents: Signal<ReadonlyMap<string, HubAgentInfo> | undefined> = signal(undefined);
  readonly tasks: Signal<ReadonlyMap<string, HubTaskInfo> | undefined> = signal(undefined);
  /** Of all that the hub has; the page may hold fewer. */
  readonly total = signal(0);
  readonly version = signal('');
  /** By the clock of the hub, ms since 1970; goes on once a second. */
  readonly now: Signal<number>;
  readonly link: Signal<ConnectionState>;
  readonly linkWords: ReadonlySignal<HubLinkWords>;
  readonly agentText: Signal<string>;
  readonly taskText: Signal<string>;
  readonly detail: Signal<TaskDetail | undefined> = signal(undefined);
  readonly dialog: Signal<FleetDialog | undefined> = signal(undefined);
  readonly theme: ThemeChoice;
  /** By name; those that match the filter. */
  readonly shownAgents: ReadonlySignal<readonly HubAgentInfo[]>;
  /** The newest first; those that match the filter. */
  readonly shownTasks: ReadonlySignal<readonly HubTaskInfo[]>;
  readonly #dependencies: FleetDependencies;
  readonly #allTasks: ReadonlySignal<readonly HubTaskInfo[]>;
  readonly #since: Signal<number>;
  readonly #wasLive = signal(false);
  /** Of each read that is under way, what was told meanwhile: that is newer than what the read brings, or what is newer still is told next. */
  readonly #reads = new Set<Told>();
  #ahead = 0;
  #stop = new AbortController();
  #timers: ReturnType<typeof setInterval>[] = [];

  constructor(dependencies: FleetDependencies) {
    const { client, keep, now, hubAddress } = dependencies;
    this.#dependencies = dependencies;
    this.client = client;
    this.hubAddress = hubAddress;
    this.now = signal(now());
    this.#since = signal(now());
    this.link = signal(client.connection.state);
    this.linkWords = computed(() => {
      // The clock of the link is this computer's.
      const here = this.now.value - this.#ahead;
      return hubLinkWords(this.link.value, this.#since.value, here, this.#wasLive.value, new URL(hubAddress).host);
    });
    this.theme = new ThemeChoice(keep);
    const { agents, tasks } = readAddress(dependencies.address.read());
    this.agentText = signal(agents);
    this.taskText = signal(tasks);
    const allAgents = computed(() => [...(this.agents.value?.values() ?? [])].sort((a, b) => byNumbers.compare(a.id, b.id)));
    this.#allTasks = computed(() => [...(this.tasks.value?.values() ?? [])].sort(newestFirst));
    const matchesAgent = computed(() => agentFilter(this.agentText.value));
    const matchesTask = computed(() => taskFilter(this.taskText.value));
    this.shownAgents = computed(() => allAgents.value.filter(matchesAgent.value));
    this.shownTasks = computed(() => this.#allTasks.value.filter(matchesTask.value));
  }

  get allTasks(): readonly HubTaskInfo[] {
    return this.#allTasks.value;
  }

  start(): void {
    const { connection } = this.client;
    connection.on('state', (state) => this.#linkChanged(state));
    this.#timers = [
      setInterval(() => (this.now.value = this.#dependencies.now() + this.#ahead), SECOND_MS),
      setInterval(() => void this.#lookAgain(), LOOK_MS),
    ];
    const { task } = readAddress(this.#dependencies.address.read());
    if (task !== undefined) this.#open(task);
    connection.tryNow();
  }

  stop(): void {
    this.#stop.abort();
    this.detail.value?.stop();
    for (const timer of this.#timers) clearInterval(timer);
  }

  /** Reads all of it anew: what came while nobody looked may have been too much to be told. */
  refresh(): void {
    if (this.link.peek().name === 'live') void this.#load();
  }

  /** Shows all of a task beside the tables; undefined: nothing. */
  show(task: string | undefined): void {
    if (task === this.detail.peek()?.id) return;
    this.#open(task);
    this.#write(true);
  }

  setAgentText(text: string): void {
    this.agentText.value = text;
    this.#write(false);
  }

  setTaskText(text: string): void {
    this.taskText.value = text;
    this.#write(false);
  }

  /** The address was changed by the browser: back, or forward. */
  addressChanged(): void {
    const { agents, tasks, task } = readAddress(this.#dependencies.address.read());
    batch(() => {
      this.agentText.value = agents;
      this.taskText.value = tasks;
      if (task !== this.detail.peek()?.id) this.#open(task);
    });
  }

  #open(task: string | undefined): void {
    this.detail.peek()?.stop();
    const detail = task === undefined ? undefined : new TaskDetail(this.client, task);
    this.detail.value = detail;
    if (this.link.peek().name === 'live') detail?.start();
  }

  #write(push: boolean): void {
    const address: FleetAddress = { agents: this.agentText.peek(), tasks: this.taskText.peek(), task: this.detail.peek()?.id };
    this.#dependencies.address.write(writeAddress(address), push);
  }

  #linkChanged(state: ConnectionState): void {
    const { now } = this.#dependencies;
    if (state.name !== this.link.peek().name) this.#since.value = now();
    this.link.value = state;
    this.now.value = now() + this.#ahead;
    if (state.name !== 'live') return;
    this.#wasLive.value = true;
    this.#stop.abort();
    this.#stop = new AbortController();
    void this.#follow(this.#stop.signal);
    setTimeout(() => this.detail.peek()?.start(), 0);
  }

  async #follow(signal: AbortSignal): Promise<void> {
    // After the news were asked for: between the two nothing may happen unseen.
    setTimeout(() => void this.#load(), 0);
    try {
      for await (const { agents, tasks, resync } of this.client.stream('hub.follow', {}, { signal })) {
        if (signal.aborted) return;
        if (resync !== undefined) void this.#load();
        for (const told of this.#reads) {
          for (const { id } of agents) told.agents.add(id);
          for (const { id } of tasks) told.tasks.add(id);
        }
        this.take(agents, tasks);
      }
    } catch (error) {
      if (signal.aborted || isAway(error)) return;
      this.toasts.fail('News of the hub ended', error);
      if (isAbsent(error)) return;
      setTimeout(() => {
        if (!signal.aborted) void this.#follow(signal);
      }, AGAIN_MS);
    }
  }

  async #load(): Promise<void> {
    const told = this.#beginRead();
    try {
      this.#ahead = await this.#dependencies.clockAhead().catch(() => this.#ahead);
      this.now.value = this.#dependencies.now() + this.#ahead;
      const { client } = this;
      const [info, { agents }, held, first] = await Promise.all([
        client.call('hub.info', {}),
        client.call('agents.list', {}),
        client.call('tasks.list', { states: ['offered', 'running'], limit: NEXT_PAGES }),
        client.call('tasks.list', { limit: FIRST_PAGE }),
      ]);
      const found = [...held.tasks, ...first.tasks].filter(({ id }) => !told.tasks.has(id)).map((task) => [task.id, task] as const);
      batch(() => {
        const known = [...(this.tasks.peek() ?? [])];
        const total = sum(info.tasks);
        // Another hub may answer at this address, with tasks of its own.
        const isOther = total + told.tasks.size < known.length;
        this.version.value = info.version;
        this.#haveAgents(agents, told);
        this.tasks.value = new Map([...(isOther ? known.filter(([id]) => told.tasks.has(id)) : known), ...found]);
        this.total.value = Math.max(total, this.tasks.peek()?.size ?? 0);
      });
      let { more } = first;
      let before = first.tasks.at(-1)?.id;
      for (let count = first.tasks.length; more && before !== undefined && count < MAX_TASKS; ) {
        const page = await client.call('tasks.list', { limit: NEXT_PAGES, before });
        this.take(
          [],
          page.tasks.filter(({ id }) => !told.tasks.has(id)),
        );
        count += page.tasks.length;
        before = page.tasks.at(-1)?.id;
        ({ more } = page);
      }
    } catch (error) {
      if (!isAway(error)) this.toasts.fail('Agents and tasks could not be read', error);
    } finally {
      this.#reads.delete(told);
    }
  }

  async loadAgents(): Promise<void> {
    const told = this.#beginRead();
    try {
      const { agents } = await this.client.call('agents.list', {});
      this.#haveAgents(agents, told);
    } finally {
      this.#reads.delete(told);
    }
  }

  #beginRead(): Told {
    const told = { agents: new Set<string>(), tasks: new Set<string>() };
    this.#reads.add(told);
    return told;
  }

  #haveAgents(read: readonly HubAgentInfo[], told: Told): void {
    const known = [...(this.agents.peek()?.values() ?? [])];
    const all = [...read.filter(({ id }) => !told.agents.has(id)), ...known.filter(({ id }) => told.agents.has(id))];
    this.agents.value = new Map(all.map((agent) => [agent.id, agent]));
  }

  /** What is held, and what the page takes to be held and may have missed the end of. */
  async #lookAgain(): Promise<void> {
    const { tasks } = this;
    if (this.link.peek().name !== 'live' || tasks.peek() === undefined || document.hidden) return;
    const told = this.#beginRead();
    try {
      const [info, held] = await Promise.all([
        this.client.call('hub.info', {}),
        this.client.call('tasks.list', { states: ['offered', 'running'], limit: NEXT_PAGES }),
      ]);
      this.total.value = sum(info.tasks);
      this.take(
        [],
        held.tasks.filter(({ id }) => !told.tasks.has(id)),
      );
      await this.loadAgents();
      const detail = this.detail.peek();
      const shown = detail === undefined ? undefined : tasks.peek()?.get(detail.id);
      if (shown !== undefined && isHeld(shown)) detail?.changed();
    } catch {
      // The next look may do better; a lost link is told by itself.
    } finally {
      this.#reads.delete(told);
    }
  }

  /** What is newly known of them. */
  take(agents: readonly HubAgentInfo[], tasks: readonly HubTaskInfo[]): void {
    batch(() => {
      if (agents.length > 0)
        this.agents.value = new Map([...(this.agents.peek() ?? []), ...agents.map((agent) => [agent.id, agent] as const)]);
      if (tasks.length > 0) {
        const known = new Map(this.tasks.peek() ?? []);
        for (const task of tasks) known.set(task.id, task);
        if (known.size > MAX_TASKS) dropOldest(known);
        this.tasks.value = known;
        this.total.value = Math.max(this.total.peek(), known.size);
      }
    });
    const detail = this.detail.peek();
    if (detail !== undefined && tasks.some(({ id }) => id === detail.id)) detail.changed();
  }
}

function newestFirst(a: HubTaskInfo, b: HubTaskInfo): number {
  return b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1);
}

/** Until a tenth is free again, so that not each new task costs a search. */
function dropOldest(tasks: Map<string, HubTaskInfo>): void {
  const over = [...tasks.values()].filter(isOver).sort(newestFirst);
  for (const { id } of over.slice(-Math.max(0, tasks.size - MAX_TASKS * 0.9))) tasks.delete(id);
}

function sum(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
