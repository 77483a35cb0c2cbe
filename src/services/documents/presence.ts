import type { Presence } from '../../contract/documents.ts';
import { type AwarenessEntry, GONE } from './sync-protocol.ts';
import { readJson } from '../../core/json-text.ts';
import { namedPerson } from '../../core/named-person.ts';

const MAX_STATE_CHARS = 16 * 1024;
const MAX_CLIENTS_PER_CHANNEL = 64;

/**
 * Who is in a document. States are kept, and passed on, as the text that came, once that is known to be JSON; what it says is looked at only for the
 * list of people, when somebody asks. The newest state of a client wins, by its clock.
 */
export class PresenceMap<Owner> {
  readonly #entries = new Map<number, AwarenessEntry & { owner: Owner }>();
  readonly #news = new Map<number, AwarenessEntry>();
  readonly #people = new Map<number, { state: string; person: Presence | undefined }>();

  get size(): number {
    return this.#entries.size;
  }

  get hasNews(): boolean {
    return this.#news.size > 0;
  }

  /** Takes what a channel says; false when it says too much, or what nobody could read. */
  receive(owner: Owner, entries: readonly AwarenessEntry[]): boolean {
    for (const entry of entries) {
      const known = this.#entries.get(entry.client);
      if (entry.state !== known?.state && !isFit(entry.state)) return false;
      if (known === undefined) {
        if (entry.state === GONE) continue;
        if (this.#countOf(owner) >= MAX_CLIENTS_PER_CHANNEL) return false;
      } else if (
        known.clock > entry.clock ||
        (known.clock === entry.clock && entry.state !== GONE && known.state === entry.state && known.owner !== owner)
      )
        continue;
      if (entry.state === GONE) this.#entries.delete(entry.client);
      else this.#entries.set(entry.client, { ...entry, owner });
      this.#news.set(entry.client, entry);
    }
    return true;
  }

  /** The clients that a channel brought are gone with it. */
  left(owner: Owner): void {
    for (const [client, entry] of this.#entries) {
      if (entry.owner !== owner) continue;
      this.#entries.delete(client);
      this.#news.set(client, { client, clock: entry.clock + 1, state: GONE });
    }
  }

  /** What changed since the last time, newest per client. */
  takeNews(): AwarenessEntry[] {
    const news = [...this.#news.values()];
    this.#news.clear();
    return news;
  }

  all(): AwarenessEntry[] {
    return [...this.#entries.values()];
  }

  /** How a member calls itself, where it does. */
  nameOf(owner: Owner): string | undefined {
    for (const entry of this.#entries.values()) if (entry.owner === owner) return this.#person(entry)?.name;
    return undefined;
  }

  /** The people in words; states of other shapes count as nameless. */
  people(): Presence[] {
    const people: Presence[] = [];
    for (const entry of this.#entries.values()) {
      const person = this.#person(entry);
      if (person !== undefined) people.push(person);
    }
    for (const client of this.#people.keys()) if (!this.#entries.has(client)) this.#people.delete(client);
    return people;
  }

  #person({ client, state }: AwarenessEntry): Presence | undefined {
    const cached = this.#people.get(client);
    if (cached?.state === state) return cached.person;
    const person = personOf(client, state);
    this.#people.set(client, { state, person });
    return person;
  }

  #countOf(owner: Owner): number {
    let count = 0;
    for (const entry of this.#entries.values()) if (entry.owner === owner) count++;
    return count;
  }
}

/** Stock clients parse what comes, and fail with all that is beside it where they can't; others write it into JSON of theirs. */
function isFit(state: string): boolean {
  if (state.length > MAX_STATE_CHARS) return false;
  try {
    readJson(state);
    return true;
  } catch {
    return false;
  }
}

function personOf(client: number, state: string): Presence | undefined {
  try {
    return { client, ...namedPerson(JSON.parse(state)) };
  } catch {
    return undefined;
  }
}
