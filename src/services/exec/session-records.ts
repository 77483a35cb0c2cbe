import { OutriggerError } from '../../contract/errors.ts';
import type { Later } from './afterwards.ts';
import type { SessionRecord, SessionStore } from './session-store.ts';

/** The last use is written down when it is so much later than what was: after a kill, a session ends so much sooner. */
const USE_STEP_MS = 1000;

/** The sessions there are: when each was used and whether its time is over, who is in it, and when what is known of it is written down. */
export class SessionRecords {
  readonly #store: SessionStore;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #later: Later;
  readonly #lifeMs: number;
  /** The one that was used last at the end. */
  readonly #known = new Map<string, SessionRecord>();
  /** Sessions that a run is in. */
  readonly #inUse = new Map<string, number>();
  /** When each was used last in this life, by a clock that nobody sets. */
  readonly #monotonicUse = new WeakMap<SessionRecord, number>();
  /** When each was used last, as it was written down. */
  readonly #storedUse = new WeakMap<SessionRecord, number>();
  /** The database knows them. */
  readonly #written = new WeakSet<SessionRecord>();

  constructor(
    dependencies: { store: SessionStore; now: () => number; monotonic: () => number; later: Later },
    { lifeMs }: { lifeMs: number },
  ) {
    this.#store = dependencies.store;
    this.#now = dependencies.now;
    this.#monotonic = dependencies.monotonic;
    this.#later = dependencies.later;
    this.#lifeMs = lifeMs;
  }

  get size(): number {
    return this.#known.size;
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  get(id: string): SessionRecord | undefined {
    return this.#known.get(id);
  }

  /** In the order of their last use. */
  all(): IteratorObject<SessionRecord> {
    return this.#known.values();
  }

  /** One that is not written down yet. */
  add(id: string, entity: string | null): SessionRecord {
    const now = this.#now();
    const session: SessionRecord = { id, entity, createdAt: now, usedAt: now, files: [], state: null };
    this.#monotonicUse.set(session, this.#monotonic());
    this.#known.set(id, session);
    return session;
  }

  /** One of an earlier life. */
  takeUp(session: SessionRecord): void {
    this.#known.set(session.id, session);
    this.#storedUse.set(session, session.usedAt);
    this.#written.add(session);
  }

  /** What is written down of it stays. */
  drop(id: string): void {
    this.#known.delete(id);
  }

  /** False for one that was closed, also while something goes on in it. */
  isKnown(session: SessionRecord): boolean {
    return this.#known.get(session.id) === session;
  }

  /** Throws NO_SESSION. */
  throwIfClosed(session: SessionRecord): void {
    if (!this.isKnown(session)) throw new OutriggerError('NO_SESSION', `There is no session ${session.id} any more.`);
  }

  /** Keeps it from ending; returns the way to let go. */
  hold(id: string): () => void {
    this.#inUse.set(id, (this.#inUse.get(id) ?? 0) + 1);
    return () => {
      const left = (this.#inUse.get(id) ?? 1) - 1;
      if (left > 0) this.#inUse.set(id, left);
      else this.#inUse.delete(id);
    };
  }

  isHeld(id: string): boolean {
    return this.#inUse.has(id);
  }

  /** By both clocks: one that was set ahead is not to end what was used a moment ago. */
  isOver(session: SessionRecord): boolean {
    const used = this.#monotonicUse.get(session) ?? Number.NEGATIVE_INFINITY;
    return !this.isHeld(session.id) && session.usedAt + this.#lifeMs < this.#now() && used + this.#lifeMs < this.#monotonic();
  }

  /** It was used now. */
  touch(session: SessionRecord): void {
    session.usedAt = this.#now();
    this.#monotonicUse.set(session, this.#monotonic());
    const stored = this.#storedUse.get(session);
    // Without a time, it will be.
    if (stored !== undefined && session.usedAt - stored >= USE_STEP_MS) this.put(session);
  }

  /** As `touch`; it goes behind all others. */
  use(session: SessionRecord): void {
    this.touch(session);
    this.#known.delete(session.id);
    this.#known.set(session.id, session);
  }

  isWritten(session: SessionRecord): boolean {
    return this.#written.has(session);
  }

  /** Writes it down. One that was closed while something went on in it stays closed. */
  put(session: SessionRecord): void {
    if (!this.isKnown(session)) return;
    this.#storedUse.set(session, session.usedAt);
    this.#written.add(session);
    this.#store.put(session);
  }

  /** Writes it down afterwards, where nothing else did by then. */
  putLater(session: SessionRecord): void {
    this.#storedUse.delete(session);
    this.#later.do(() => {
      if (!this.#storedUse.has(session)) this.put(session);
    });
  }
}
