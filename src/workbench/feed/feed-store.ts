import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Change } from '../../contract/events.ts';
import { movedPath } from '../../core/moved-path.ts';
import { type Actor, actorsOf } from '../actor.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { type FeedFilter, type FeedRow, foldChange, matchesFilter, noFilter, noteHeld } from './feed-rows.ts';

const keepChanges = 10_000;
const firstPage = 1_000;
export const wakeLength = 32;

export interface ActorCount {
  actor: Actor;
  count: number;
}

/** The changes this page knows of, and the rows they make. */
export class FeedStore {
  readonly filter: Signal<FeedFilter>;
  readonly rows: Signal<readonly FeedRow[]> = signal([]);
  /** They were asked for, and came. */
  readonly known = signal(false);
  /** The newest revision known. */
  readonly revision = signal(0);
  /** The revision that was asked for: its row is shown and marked. A new object each time. */
  readonly sought: Signal<{ revision: number } | undefined> = signal(undefined);
  readonly wake: Signal<readonly Change[]> = signal([]);
  readonly actors: ReadonlySignal<readonly ActorCount[]>;
  /** The revisions that are listed, all filters aside. */
  readonly range: ReadonlySignal<{ first: number; last: number; count: number }>;
  readonly #client: WorkbenchClient;
  readonly #version = signal(0);
  #changes: Change[] = [];
  #building: FeedRow[] = [];
  /** The newest change of each path that the filter hides: what is told of a row is all that was done between its ends. */
  readonly #hidden = new Map<string, number>();
  /** What files held, by its hash, filters aside. */
  readonly #held = new Set<string>();
  #frame = false;

  constructor(client: WorkbenchClient) {
    this.#client = client;
    this.filter = signal(noFilter);
    this.actors = computed(() => {
      this.#version.value;
      return countActors(this.#changes);
    });
    this.range = computed(() => {
      this.#version.value;
      return { first: this.#changes[0]?.revision ?? 0, last: this.#changes.at(-1)?.revision ?? 0, count: this.#changes.length };
    });
  }

  /** Loads the newest changes; answers the cursor to go on from. */
  async load(): Promise<string> {
    const { changes, cursor } = await this.#client.call('changes.since', { limit: firstPage });
    this.#changes = changes;
    this.known.value = true;
    this.#rebuild();
    const last = Number(cursor.slice(cursor.lastIndexOf('-') + 1));
    this.revision.value = Number.isFinite(last) ? Math.max(last, changes.at(-1)?.revision ?? 0) : (changes.at(-1)?.revision ?? 0);
    return cursor;
  }

  add(change: Change): void {
    if (this.#has(change)) return;
    this.#changes.push(change);
    if (this.#changes.length > keepChanges + firstPage) {
      this.#changes.splice(0, firstPage);
      this.#foldAll();
    } else this.#fold(change);
    this.#showSoon();
  }

  /** Who may see some paths alone is told of one change in several, of which some may come again after a lost link. */
  #has({ revision, path }: Change): boolean {
    for (let at = this.#changes.length - 1; at >= 0; at--) {
      const known = this.#changes[at] as Change;
      if (known.revision < revision) return false;
      if (known.revision > revision || known.path === path) return true;
    }
    return false;
  }

  setFilter(filter: Partial<FeedFilter>): void {
    this.filter.value = { ...this.filter.value, ...filter };
    this.#rebuild();
  }

  /** Whether `change` lies in what is known; else the sidecar has to be asked. */
  changesOf(path: string): readonly Change[] {
    return this.#changes.filter((change) => change.path === path);
  }

  /** What it is called now that was called `path` at `revision`, as far as the moves since are known. */
  pathNow(path: string, revision: number): string {
    return this.#changes.reduce(
      (name, change) =>
        change.what === 'moved' && change.from !== undefined && change.revision > revision
          ? (movedPath(name, change.from, change.path) ?? name)
          : name,
      path,
    );
  }

  #rebuild(): void {
    this.#foldAll();
    this.#show();
  }

  #foldAll(): void {
    this.#building = [];
    this.#hidden.clear();
    this.#held.clear();
    for (const change of this.#changes) this.#fold(change);
  }

  #fold(change: Change): void {
    const { path, revision } = change;
    if (matchesFilter(change, this.filter.value))
      foldChange(this.#building, change, { hidden: this.#hidden.get(path) ?? 0, held: this.#held });
    else this.#hidden.set(path, revision);
    noteHeld(this.#held, change);
  }

  // A checkout of thousands of files is drawn once a frame, not once a file.
  #showSoon(): void {
    if (this.#frame) return;
    this.#frame = true;
    const draw = globalThis.requestAnimationFrame ?? ((run: () => void) => setTimeout(run, 16));
    // A page in the background gets no frames, and must still be right when it is looked at again.
    if (globalThis.document?.hidden === true) setTimeout(() => this.#show(), 250);
    else draw(() => this.#show());
  }

  #show(): void {
    this.#frame = false;
    batch(() => {
      this.rows.value = [...this.#building];
      this.wake.value = this.#changes.slice(-wakeLength);
      const last = this.#changes.at(-1);
      if (last !== undefined) this.revision.value = Math.max(this.revision.value, last.revision);
      this.#version.value += 1;
    });
  }
}

function countActors(changes: readonly Change[]): ActorCount[] {
  const counts = new Map<string, ActorCount>();
  for (const change of changes) {
    for (const actor of actorsOf(change.cause)) {
      const known = counts.get(actor.key);
      if (known === undefined) counts.set(actor.key, { actor, count: 1 });
      else known.count += 1;
    }
  }
  return [...counts.values()].sort(byKindOfActor);
}

const order = ['person', 'agent', 'task', 'run', 'outside'];

/** People first; of a kind, who did most. */
export function byKindOfActor(a: ActorCount, b: ActorCount): number {
  return order.indexOf(a.actor.kind) - order.indexOf(b.actor.kind) || b.count - a.count;
}
