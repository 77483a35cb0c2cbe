import { randomUUID } from 'node:crypto';
import type { Caller } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Clock } from '../../net/timers.ts';
import type { McpPeer } from './mcp-server.ts';
import { SessionTransport } from './session-transport.ts';

export interface SessionLimits {
  /** Of all callers together. */
  maxSessions: number;
  maxSessionsPerCaller: number;
  /** A session without a request under way and without an open stream ends after so long. */
  idleMs: number;
}

export const defaultSessionLimits: SessionLimits = { maxSessions: 1000, maxSessionsPerCaller: 64, idleMs: 30 * 60_000 };
const sweepMs = 60_000;
/** For calls to say that their token is over. They are aborted at once, and most answer at once. */
const lastAnswersMs = 1000;

/** What a client of the revisions with sessions (2025-11-25 and older) has here. It belongs to the token that opened it. */
export class McpSession {
  readonly id = randomUUID();
  readonly caller: Caller;
  readonly transport: SessionTransport;
  readonly #peer: McpPeer;
  /** Requests under way and open streams. */
  inUse = 0;
  /** Answers whose reader takes nothing at the moment. */
  stalled = 0;
  #listening = 0;
  lastUsedMs = 0;

  constructor(caller: Caller, peer: McpPeer) {
    this.caller = caller;
    this.#peer = peer;
    this.transport = new SessionTransport(() => this.id);
    peer.reader = { ...peer.reader, congested: () => this.stalled > 0, away: () => this.#listening === 0 };
  }

  connect(): Promise<void> {
    return this.#peer.server.connect(this.transport);
  }

  /** The client has opened the stream of news, until the returned function is called. What changed while there was none is told. */
  hear(): () => void {
    this.#listening++;
    this.#peer.resume();
    return () => void this.#listening--;
  }

  /** The token is over, which ends the calls: what they answer goes out before the streams are ended. */
  async closeAnswered(): Promise<void> {
    this.#peer.release();
    await this.transport.answered(lastAnswersMs);
    await this.close();
  }

  /** Ends its streams and aborts its calls. May be called twice. */
  async close(): Promise<void> {
    this.#peer.release();
    await this.#peer.server.close();
  }
}

/** The sessions of one endpoint, bounded in number and in idle time. */
export class McpSessions {
  readonly #sessions = new Map<string, { session: McpSession; forget: () => void }>();
  readonly #clock: Clock;
  readonly #limits: SessionLimits;
  readonly #stopSweep: () => void;

  constructor(clock: Clock, limits: SessionLimits) {
    this.#clock = clock;
    this.#limits = limits;
    this.#stopSweep = clock.every(() => this.#sweep(), Math.min(sweepMs, limits.idleMs));
  }

  get size(): number {
    return this.#sessions.size;
  }

  /**
   * Keeps the session until it is closed, idle for too long, or its token ends. Where there are too many, the caller's own that
   * was idle for longest makes room. Throws TOO_MANY when none of them is idle.
   */
  add(session: McpSession): void {
    this.#makeRoom(session.caller);
    const end = (): void => {
      this.remove(session);
      session.closeAnswered().catch(() => undefined);
    };
    const { ended } = session.caller;
    session.lastUsedMs = this.#clock.now();
    this.#sessions.set(session.id, { session, forget: () => ended?.removeEventListener('abort', end) });
    ended?.addEventListener('abort', end);
    if (ended?.aborted === true) end();
  }

  /** Undefined also for a session of another token: who guesses an id must not learn that it holds. */
  find(id: string, caller: Caller): McpSession | undefined {
    const session = this.#sessions.get(id)?.session;
    return session?.caller.id === caller.id ? session : undefined;
  }

  /** Counts something under way in the session until the returned function is called. */
  use(session: McpSession): () => void {
    session.inUse++;
    return () => {
      session.inUse--;
      session.lastUsedMs = this.#clock.now();
    };
  }

  remove(session: McpSession): void {
    this.#sessions.get(session.id)?.forget();
    this.#sessions.delete(session.id);
  }

  async close(): Promise<void> {
    this.#stopSweep();
    await Promise.all([...this.#sessions.values()].map(({ session }) => this.#end(session)));
  }

  #makeRoom(caller: Caller): void {
    const { maxSessions, maxSessionsPerCaller } = this.#limits;
    const own = [...this.#sessions.values()].map(({ session }) => session).filter((session) => session.caller.id === caller.id);
    if (own.length < maxSessionsPerCaller && this.#sessions.size < maxSessions) return;
    const [idlest] = own.filter(({ inUse }) => inUse === 0).toSorted((one, other) => one.lastUsedMs - other.lastUsedMs);
    if (idlest === undefined) throw new OutriggerError('TOO_MANY', `${caller.name} has too many MCP sessions; end one with DELETE.`);
    void this.#end(idlest);
  }

  #sweep(): void {
    const before = this.#clock.now() - this.#limits.idleMs;
    for (const { session } of this.#sessions.values()) if (session.inUse === 0 && session.lastUsedMs <= before) void this.#end(session);
  }

  #end(session: McpSession): Promise<void> {
    this.remove(session);
    // Closing what is broken already must not keep the others from it.
    return session.close().catch(() => undefined);
  }
}
