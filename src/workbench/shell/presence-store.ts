import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { DocumentInfo } from '../../contract/documents.ts';
import { type Actor, actorNamed } from '../actor.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { PresenceColors } from '../presence-colors.ts';

export interface Here {
  actor: Actor;
  /** Yjs client ids: one for each document and page they have open. */
  clients: readonly number[];
  /** Documents they are in. */
  paths: readonly string[];
}

const againMs = 1_000;

/** Who is here and where, as the sidecar says it, at most four times a second. */
export class PresenceStore {
  readonly documents: Signal<ReadonlyMap<string, DocumentInfo>> = signal(new Map());
  /** Everyone else, people before agents. */
  readonly others: ReadonlySignal<readonly Here[]>;
  /** Everyone else by document. */
  readonly byPath: ReadonlySignal<ReadonlyMap<string, readonly Actor[]>>;
  /** How many others are somewhere below a folder is not shown; only that a document has them. */
  readonly colors = new PresenceColors();
  readonly me: Signal<Actor>;
  readonly #client: WorkbenchClient;
  readonly #mine: ReadonlySignal<ReadonlySet<number>>;
  readonly #listeners = new Set<(info: DocumentInfo) => void>();

  constructor(client: WorkbenchClient, me: Signal<Actor>, mine: ReadonlySignal<ReadonlySet<number>>) {
    this.#client = client;
    this.me = me;
    this.#mine = mine;
    this.byPath = computed(() => {
      const own = this.#mine.value;
      const found = new Map<string, readonly Actor[]>();
      for (const { path, people } of this.documents.value.values()) {
        const actors = new Map(
          people.filter((one) => !own.has(one.client)).map((one) => [`${one.kind}:${one.name}`, actorNamed(one.name, one.kind)]),
        );
        if (actors.size > 0) found.set(path, [...actors.values()]);
      }
      return found;
    });
    this.others = computed(() => gather(this.documents.value, this.#mine.value));
  }

  colorOf(actor: Actor): number | undefined {
    if (actor.kind === 'outside' || actor.kind === 'task') return undefined;
    return this.colors.of(actor.key);
  }

  onDocument(listener: (info: DocumentInfo) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  start(): void {
    void this.#follow();
  }

  async #follow(): Promise<void> {
    for (;;) {
      try {
        // Each stream begins with all that is open, also one that goes on after the link was away.
        let fresh = true;
        const onResume = (): Record<string, never> => {
          fresh = true;
          return {};
        };
        const stream = this.#client.stream('documents.watch', {}, { onResume });
        for await (const { changed, closed } of stream) {
          const documents = new Map(fresh ? [] : this.documents.value);
          fresh = false;
          for (const info of changed) documents.set(info.path, info);
          for (const path of closed) documents.delete(path);
          this.documents.value = documents;
          for (const info of changed) for (const listener of this.#listeners) listener(info);
        }
      } catch {
        // The link, or this part of the sidecar, is away for the moment.
      }
      await new Promise((resolve) => setTimeout(resolve, againMs));
    }
  }
}

function gather(documents: ReadonlyMap<string, DocumentInfo>, mine: ReadonlySet<number>): Here[] {
  const here = new Map<string, { actor: Actor; clients: number[]; paths: string[] }>();
  for (const { path, people } of documents.values()) {
    for (const { client, name, kind } of people) {
      if (mine.has(client)) continue;
      const actor = actorNamed(name, kind);
      const known = here.get(actor.key) ?? { actor, clients: [], paths: [] };
      known.clients.push(client);
      if (!known.paths.includes(path)) known.paths.push(path);
      here.set(actor.key, known);
    }
  }
  return [...here.values()].sort(
    (a, b) => Number(a.actor.kind === 'agent') - Number(b.actor.kind === 'agent') || (a.actor.name < b.actor.name ? -1 : 1),
  );
}
