import { OutriggerError } from '../../contract/errors.ts';
import { type HubFeature, MAX_HUB_FRAME_BYTES } from '../../contract/hub.ts';
import { Backoff } from '../../core/backoff.ts';
import { Emitter } from '../../core/emitter.ts';
import type { DialRefusal, WebSockets } from '../../net/websocket.ts';
import { FrameCounts } from './frame-counts.ts';
import {
  type ComeBack,
  DEFAULT_WINDOW_MS,
  type LinkLog,
  LinkSession,
  type SessionDependencies,
  type SessionEnd,
  type SessionOptions,
} from './link-session.ts';

export interface LinkDependencies extends Pick<SessionDependencies, 'dispatch' | 'tasks' | 'timers' | 'monotonic'> {
  sockets: Pick<WebSockets, 'dialText'>;
  /** Milliseconds since 1970. */
  now(): number;
  /** Uniform in [0, 1). */
  random(): number;
  log: LinkLog;
  /** Keeps a new token where the old one was read, safe from a crash; throws where it can't. Without it the hub's wish is not followed. */
  storeToken?(token: string): void;
}

export interface LinkOptions extends SessionOptions {
  /** `ws://` or `wss://` address of the hub. */
  url: string;
  /** Certificates in PEM that are trusted instead of the system's. */
  ca?: string | undefined;
  /** `none`: 1, 2, 4, 8, 16, 32, 60, 60 … s between attempts; `full`: uniformly random below these. */
  jitter: 'full' | 'none';
}

export type LinkState =
  | { state: 'offline' }
  | { state: 'connecting' }
  | { state: 'identifying' }
  | { state: 'online' }
  /** `nextAt`: milliseconds since 1970. */
  | { state: 'waiting'; nextAt: number; reason: string }
  /** The hub does not take our id and token, and will not the next time: somebody has to change them. */
  | { state: 'refused'; reason: string }
  | { state: 'stopped' };

export type LinkStatus = LinkState & {
  agentId: string;
  url: string;
  /** In this state, milliseconds since 1970. */
  since: number;
  /** Connections that were tried. */
  attempts: number;
  /** Times that the hub identified us. */
  sessions: number;
  /** Agreed with the hub, while online. */
  features: readonly HubFeature[];
  /** What came and had no effect, by kind and type. */
  odd: Readonly<Record<string, number>>;
};

const FIRST_DELAY_MS = 1000;
const MAX_DELAY_MS = 60_000;
const LEAST_PATIENCE_MS = 4000;
/** A session that lasted so long was no accident: after it delays begin anew. */
const STABLE_SESSION_MS = 10_000;
/** Whoever took our id is to keep it: two that take it from each other get nothing done. */
const REPLACED_WAIT: ComeBack = { retryAfterMs: 5 * 60_000, windowMs: 60_000 };
/** A hub may not send us away for longer. */
const MAX_COME_BACK_MS = 60 * 60_000;

/**
 * An agent's connection to a hub, made again whenever it is lost. It ends by `stop`, or where the hub refuses our token: then it stays
 * `refused` and asks no more.
 */
export class Link {
  readonly #deps: LinkDependencies;
  readonly #options: LinkOptions;
  readonly #backoff: Backoff;
  readonly #random: () => number;
  readonly #counts = new FrameCounts();
  readonly #events: Emitter<{ status: LinkStatus }>;
  /** Sessions of which something is left, the current one and those that say goodbye. */
  readonly #sessions = new Set<LinkSession>();
  #token: string;
  #state: LinkState = { state: 'offline' };
  #since: number;
  #session: LinkSession | undefined;
  #features: readonly HubFeature[] = [];
  #onlineAt: number | undefined;
  #attempts = 0;
  /** By the monotonic clock, when the hub was there last, or this began. */
  #lostAt: number;
  #epoch = 0;
  #identified = 0;
  #timer: unknown;
  #dialing: { abort: AbortController; over: Promise<void> } | undefined;

  constructor(dependencies: LinkDependencies, options: LinkOptions) {
    this.#deps = dependencies;
    this.#options = options;
    this.#token = options.token;
    this.#since = dependencies.now();
    this.#lostAt = dependencies.monotonic();
    this.#random = options.jitter === 'none' ? () => 1 : dependencies.random;
    this.#backoff = new Backoff({ baseMs: FIRST_DELAY_MS, maxMs: MAX_DELAY_MS, random: this.#random });
    this.#events = new Emitter((error) => this.#log('error', 'link.listener_failed', { error }));
  }

  /** Dials for the first time; a second call does nothing. */
  start(): void {
    if (this.#state.state === 'offline') this.#dial();
  }

  /** Ends it in whatever state it is; resolves when nothing is left. May be called again. */
  async stop(): Promise<void> {
    if (this.#state.state !== 'stopped') {
      this.#deps.timers.clear(this.#timer);
      this.#enter({ state: 'stopped' });
      this.#log('info', 'link.stopped');
      this.#dialing?.abort.abort();
      this.#session?.stop();
    }
    await this.#dialing?.over;
    await Promise.all([...this.#sessions].map((session) => session.closed));
  }

  /** By the clock, as it has to grow over the life of this process, too; a clock that was set back does not set it back. */
  #nextEpoch(): number {
    this.#epoch = Math.max(this.#epoch + 1, this.#deps.now());
    return this.#epoch;
  }

  status(): LinkStatus {
    return {
      ...this.#state,
      agentId: this.#options.agentId,
      url: this.#options.url,
      since: this.#since,
      attempts: this.#attempts,
      sessions: this.#identified,
      features: this.#features,
      odd: this.#counts.toJSON(),
    };
  }

  /** Called with each new state; returns how to stop listening. */
  onStatus(listener: (status: LinkStatus) => void): () => void {
    return this.#events.on('status', listener);
  }

  #dial(): void {
    const { url, ca, timeouts } = this.#options;
    const abort = new AbortController();
    this.#attempts++;
    this.#enter({ state: 'connecting' });
    this.#log('info', 'link.connecting', { attempt: this.#attempts });
    const dialed = this.#deps.sockets.dialText(url, {
      maxPayload: MAX_HUB_FRAME_BYTES,
      // A hub that reads it can refuse us before there is a socket.
      headers: { authorization: `Bearer ${this.#token}` },
      handshakeTimeoutMs: timeouts.dialMs,
      ca,
      signal: abort.signal,
    });
    const over = dialed.then(
      (socket) => {
        this.#dialing = undefined;
        if (this.#isOver()) socket.cut();
        else {
          try {
            this.#identify(socket);
          } catch (error) {
            // An account of tasks that is not true would cost them.
            this.#log('error', 'link.tasks_failed', { error });
            socket.cut();
            this.#wait('What is held could not be told.', undefined);
          }
        }
      },
      (error: unknown) => {
        this.#dialing = undefined;
        if (!this.#isOver()) this.#notReached(error);
      },
    );
    this.#dialing = { abort, over };
  }

  #identify(socket: Awaited<ReturnType<WebSockets['dialText']>>): void {
    this.#enter({ state: 'identifying' });
    // It may end before it is ours.
    let isOurs = false;
    let end: SessionEnd | undefined;
    const session = new LinkSession(
      {
        ...this.#deps,
        log: (level, event, facts) => this.#log(level, event, facts),
        counts: this.#counts,
        epoch: this.#nextEpoch(),
        rotateToken: (token) => {
          if (this.#deps.storeToken === undefined) throw new Error('There is nowhere to keep a new token.');
          this.#deps.storeToken(token);
          this.#token = token;
        },
        onOnline: (features) => {
          this.#features = [...features];
          this.#identified++;
          this.#onlineAt = this.#deps.monotonic();
          this.#enter({ state: 'online' });
          this.#log('info', 'link.online', { features: this.#features, capabilities: this.#options.capabilities });
        },
        onEnd: (how) => {
          end = how;
          if (isOurs) this.#ended(how);
        },
      },
      { ...this.#options, token: this.#token },
      socket,
    );
    isOurs = true;
    this.#session = session;
    this.#sessions.add(session);
    void session.closed.then(() => this.#sessions.delete(session));
    if (end !== undefined) this.#ended(end);
  }

  #ended(end: SessionEnd): void {
    this.#session = undefined;
    this.#features = [];
    const lasted = this.#onlineAt === undefined ? 0 : this.#deps.monotonic() - this.#onlineAt;
    if (this.#onlineAt !== undefined) this.#lostAt = this.#deps.monotonic();
    this.#onlineAt = undefined;
    if (this.#isOver()) return;
    if (lasted >= STABLE_SESSION_MS) this.#backoff.reset();
    if (end.kind === 'refused') this.#refuse(end.reason);
    else if (end.kind === 'replaced') {
      this.#log('warn', 'link.replaced', { hint: 'Another link uses this agent_id. Give each its own, or stop one of them.' });
      this.#wait('Another link has taken this agent_id.', REPLACED_WAIT);
    } else if (end.kind === 'lost') this.#wait(end.reason, end.comeBack);
  }

  #notReached(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error);
    const refusal = error instanceof OutriggerError ? (error.details as DialRefusal | undefined) : undefined;
    if (refusal?.status === 401 || refusal?.status === 403) this.#refuse(reason);
    else if (refusal?.retryAfterMs === undefined) this.#wait(reason, undefined);
    else this.#wait(reason, { retryAfterMs: refusal.retryAfterMs, windowMs: DEFAULT_WINDOW_MS });
  }

  #refuse(reason: string): void {
    this.#enter({ state: 'refused', reason });
    this.#log('error', 'link.refused', { reason, hint: 'Check agent_id and token of the config file. Nothing more is tried.' });
  }

  /** What the hub asked for goes before our own delays, which then stay as they are. */
  #wait(reason: string, comeBack: ComeBack | undefined): void {
    const askedMs = comeBack === undefined ? 0 : this.#askedMs(comeBack);
    // A hub that wants us back sooner than we would try at first, again and again, is not to make us spin.
    const delayMs = askedMs < FIRST_DELAY_MS ? Math.max(askedMs, this.#backoff.next(this.#patienceMs())) : askedMs;
    this.#enter({ state: 'waiting', nextAt: this.#deps.now() + delayMs, reason });
    this.#log('warn', 'link.waiting', { reason, delayMs, attempt: this.#attempts });
    this.#timer = this.#deps.timers.set(() => this.#dial(), delayMs);
  }

  #askedMs({ retryAfterMs, windowMs }: ComeBack): number {
    return Math.ceil(Math.min(retryAfterMs, MAX_COME_BACK_MS) + this.#random() * Math.min(windowMs, MAX_COME_BACK_MS));
  }

  /** Nobody waits much longer than the hub was away: a thousand links with bad luck would else be missing long after it is back. */
  #patienceMs(): number {
    const { jitter } = this.#options;
    if (jitter === 'none') return Number.POSITIVE_INFINITY;
    return Math.max(LEAST_PATIENCE_MS, 2 * (this.#deps.monotonic() - this.#lostAt));
  }

  #isOver(): boolean {
    return this.#state.state === 'stopped';
  }

  #enter(state: LinkState): void {
    this.#state = state;
    this.#since = this.#deps.now();
    this.#events.emit('status', this.status());
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#deps.log(level, event, { agentId: this.#options.agentId, ...facts });
  }
}
