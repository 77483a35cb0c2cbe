import { batch, effect, type Signal, signal, untracked } from '@preact/signals';
import type { Item } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { HeldTaskInfo, PastTask } from '../../contract/tasks.ts';
import { isAbsent } from '../client-port.ts';
import { TaskReading, type TaskReadingDependencies } from './task-reading.ts';

type News = Item<Operations['tasks.watch']>;
export type HubFacts = Omit<Extract<News, { type: 'hub' }>, 'type'>;

const againMs = 1_000;
const mostPast = 100;
/** No link to a hub, a sidecar that knows no tasks, or a caller who may not see them. */

interface Told {
  held: Map<string, HeldTaskInfo>;
  /** By what tells them apart, the oldest first. */
  past: Map<string, PastTask>;
}

/** The tasks of a hub on this machine as they are now, followed over lost links; and those that are looked at, with their logs. */
export class TaskStore {
  /** Whether there can be any: a link to a hub. Undefined until that is known. */
  readonly present: Signal<boolean | undefined> = signal(undefined);
  readonly hub: Signal<HubFacts | undefined> = signal(undefined);
  /** Newest first. */
  readonly held: Signal<readonly HeldTaskInfo[]> = signal([]);
  /** Newest first. */
  readonly past: Signal<readonly PastTask[]> = signal([]);
  readonly #dependencies: TaskReadingDependencies;
  readonly #readings = new Map<string, TaskReading>();
  #told: Told = { held: new Map(), past: new Map() };
  /** What a feed that began anew has told until now. */
  #fresh: Told | undefined;
  #isFollowing = false;

  constructor(dependencies: TaskReadingDependencies) {
    this.#dependencies = dependencies;
    let seen = new Map<string, HeldTaskInfo>();
    effect(() => {
      const held = new Map(this.held.value.map((task) => [task.id, task]));
      untracked(() => {
        for (const [id, task] of held) if (seen.get(id) !== task) this.#readings.get(id)?.changed();
        seen = held;
      });
    });
  }

  /** Follows them from now on, where the sidecar is linked to a hub; called each time that the page's own link is live. Resolves at once. */
  start(isLinked: boolean): void {
    if (this.#isFollowing) return;
    if (!isLinked) return void (this.present.value = false);
    this.#isFollowing = true;
    void this.#follow();
  }

  get(id: string): HeldTaskInfo | undefined {
    return this.held.value.find((task) => task.id === id);
  }

  /** The last that became of it here. */
  pastOf(id: string): PastTask | undefined {
    return this.past.value.find((past) => past.id === id);
  }

  /** Reads one, and follows its log until it is closed. */
  open(id: string): TaskReading {
    let reading = this.#readings.get(id);
    if (reading === undefined) {
      reading = new TaskReading(this.#dependencies, id);
      this.#readings.set(id, reading);
      if (untracked(() => this.get(id)) !== undefined) reading.changed();
    }
    return reading;
  }

  close(id: string): void {
    this.#readings.get(id)?.stop();
    this.#readings.delete(id);
  }

  async #follow(): Promise<void> {
    const onResume = (): Record<string, never> => {
      this.#begin();
      return {};
    };
    for (;;) {
      this.#begin();
      try {
        for await (const item of this.#dependencies.client.stream('tasks.watch', {}, { onResume })) this.take(item);
      } catch (error) {
        if (isAbsent(error)) break;
        // The link, or this part of the sidecar, is away for the moment.
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
    this.#isFollowing = false;
    batch(() => {
      this.present.value = false;
      this.hub.value = undefined;
      this.held.value = [];
      this.past.value = [];
    });
  }

  #begin(): void {
    this.#fresh = { held: new Map(), past: new Map() };
  }

  /** One thing that the sidecar told. */
  take(item: News): void {
    const { held, past } = this.#fresh ?? this.#told;
    if (item.type === 'hub') {
      const { type: _, ...facts } = item;
      this.hub.value = facts;
    } else if (item.type === 'task') held.set(item.task.id, item.task);
    else if (item.type === 'released') held.delete(item.id);
    else if (item.type === 'past') {
      past.set(`${item.past.id} ${item.past.generation} ${item.past.at}`, item.past);
      for (const key of past.keys()) if (past.size > mostPast) past.delete(key);
    } else {
      this.#told = this.#fresh ?? this.#told;
      this.#fresh = undefined;
    }
    if (this.#fresh === undefined) this.#show();
  }

  #show(): void {
    const { held, past } = this.#told;
    batch(() => {
      this.present.value = true;
      this.held.value = [...held.values()].sort((a, b) => b.acceptedAt - a.acceptedAt);
      this.past.value = [...past.values()].reverse();
    });
  }
}
