import type { Presence } from '../../contract/documents.ts';
import { type AwarenessEntry, GONE } from './sync-protocol.ts';
import { readJson } from '../../core/json-text.ts';
import { namedPerson } from '../../core/named-person.ts';

const MAX_STATE_CHARS = 16 * 1024;
const MAX_CLIENTS_PER_CHANNEL = 64;
/** Of so many who left last it is known with which clock. */
const MAX_LEFT = 1000;

/**
 * Who is in a document. States are kept, and passed on, as the text that came, once that is known to be JSON; what it says is looked at only for the
 * list of people, when somebody asks. The newest state of a client wins, by its clock.
 */
export class PresenceMap<Owner> {
  readonly #entries = new Map<number, AwarenessEntry & { owner: Owner }>();
  /** Channels by their number, in the order in which they came. */
  readonly #channels = new Map<Owner, number>();
  #came = 0;
  /** Who left, by which channel, and how many had come by then: those were told of what is older. */
  readonly #left = new Map<number, { clock: number; channel: number | undefined; came: number }>();
  readonly #news = new Map<number, AwarenessEntry>();
  readonly #people = new Map<number, { state: string; person: Presence | undefined }>();

  get size(): number {
    return this.#entries.size;
  }

  get hasNews(): boolean {
    return this.#news.size > 0;
  }

  /** A channel is there; until `left`. */
  joined(owner: Owner): void {
    this.#channels.set(owner, this.#came++);
  }

  /** Takes what a channel says; false when it says too much, or what nobody could read. */
  receive(owner: Owner, entries: readonly AwarenessEntry[]): boolean {
    for (const entry of entries) {
      const { client, clock, state } = entry;
      const known = this.#entries.get(client);
      if (state !== known?.state && !isFit(state)) return false;
      if (known === undefined) {
        if (state === GONE || this.#isSaidAgain(owner, entry)) continue;
        if (this.#countOf(owner) >= MAX_CLIENTS_PER_CHANNEL) return false;
      } else if (known.clock > clock || (known.clock === clock && state !== GONE && known.owner !== owner)) continue;
      if (state === GONE) {
        this.#remove(client, clock);
        continue;
      }
      const left = this.#left.get(client);
      this.#left.delete(client);
      this.#entries.set(client, { ...entry, owner });
      // Whoever knows that it left with a newer clock would not take this: told so itself, a client goes on from that.
      this.#news.set(client, left === undefined || left.clock < clock ? entry : { client, clock: left.clock, state: GONE });
    }
    return true;
  }

  /** The clients that a channel brought are gone with it. */
  left(owner: Owner): void {
    for (const [client, entry] of this.#entries) if (entry.owner === owner) this.#remove(client, entry.clock + 1);
    this.#channels.delete(owner);
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

  /** And those who left last: for one who may not have heard that they did. */
  allAndLeft(): AwarenessEntry[] {
    return [...this.all(), ...[...this.#left].map(([client, { clock }]) => ({ client, clock, state: GONE }))];
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

  /** Of one who left, by another who was told of it before: stock clients say again what they are told. */
  #isSaidAgain(owner: Owner, { client, clock }: AwarenessEntry): boolean {
    const left = this.#left.get(client);
    const channel = this.#channels.get(owner);
    if (left === undefined || channel === undefined) return false;
    return clock <= left.clock && channel < left.came && channel !== left.channel;
  }

  #remove(client: number, clock: number): void {
    const owner = this.#entries.get(client)?.owner;
    this.#entries.delete(client);
    this.#left.delete(client);
    this.#left.set(client, { clock, channel: owner && this.#channels.get(owner), came: this.#came });
    const [oldest] = this.#left.keys();
    if (this.#left.size > MAX_LEFT && oldest !== undefined) this.#left.delete(oldest);
    this.#news.set(client, { client, clock, state: GONE });
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
