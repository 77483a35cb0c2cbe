import type { AccessLevel } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import {
  type HeldTask,
  HUB_PROTOCOL_VERSION,
  hubCloseCodes,
  type HubFeature,
  type HubFrame,
  hubFeatures,
  MAX_HUB_FRAME_BYTES,
  MAX_SHORT_REASON_LENGTH,
  readHubFrame,
} from '../../contract/hub.ts';
import type { PeerTimers } from '../../core/peer.ts';
import { nodeBase64 } from '../../net/base64.ts';
import type { DialedSocket } from '../../net/text-socket.ts';
import { serveRpc } from '../rpc/rpc.ts';
import { createCallCodec } from './call-codec.ts';
import { CALL_BUFFER_BYTES, CallLane } from './call-lane.ts';
import type { FrameCounts } from './frame-counts.ts';
import { Heartbeat } from './heartbeat.ts';
import type { LinkTasks, TaskFrame } from './link-tasks.ts';
import { readJson } from '../../core/json-text.ts';

/** All in milliseconds. */
export interface LinkTimeouts {
  /** Until the hub has answered the WebSocket handshake. */
  dialMs: number;
  /** Until it has answered identify. */
  identifyMs: number;
  /** Between two pings, unless the hub says otherwise. */
  pingMs: number;
  /** After a ping, until anything came; then the socket is cut. */
  pongMs: number;
  /** Until the hub has answered the close frame; then the socket is cut. */
  stopMs: number;
}

export interface SessionOptions {
  agentId: string;
  token: string;
  name: string;
  capabilities: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** What the hub may call here at most; `none` refuses all calls. */
  allow: AccessLevel | 'none';
  /** Where it may; undefined: in the whole workspace. */
  paths?: readonly string[] | undefined;
  timeouts: LinkTimeouts;
}

/** When the hub wants to see us again: not before `retryAfterMs`, somewhere in the `windowMs` that follow. */
export interface ComeBack {
  retryAfterMs: number;
  windowMs: number;
}

export type SessionEnd =
  | { kind: 'lost'; reason: string; comeBack?: ComeBack }
  /** The hub will never take us as we are. */
  | { kind: 'refused'; reason: string }
  /** Another link has taken our id. */
  | { kind: 'replaced' }
  | { kind: 'stopped' };

export interface LinkLog {
  (level: 'debug' | 'info' | 'warn' | 'error', event: string, facts?: Readonly<Record<string, unknown>>): void;
}

export interface SessionDependencies {
  dispatch: Dispatch;
  tasks: LinkTasks;
  timers: PeerTimers;
  /** Milliseconds of a clock that only goes forward. */
  monotonic(): number;
  log: LinkLog;
  counts: FrameCounts;
  /** Keeps a new token, so that it is there after a crash; throws where it can't. Only then it is used. */
  rotateToken(token: string): void;
  onOnline(features: ReadonlySet<HubFeature>): void;
  /** Called once. */
  onEnd(end: SessionEnd): void;
  /** Grows with each connection. */
  epoch: number;
}

/** What a hub says instead of `identified` when the token is wrong, and will be wrong the next time. */
const FINAL_ERRORS: ReadonlySet<string> = new Set(['invalid_token', 'token_agent_mismatch']);
const COOL_DOWN = /cooldown active: retry in (\d+)\s*s/i;
/** So that those that are told the same do not come at the same moment. */
export const DEFAULT_WINDOW_MS = 1000;
/** Frames that wait until a rate limit is over. */
const MAX_LIMITED_FRAMES = 1000;
const MAX_RATE_LIMIT_MS = 5 * 60_000;
/** Bytes in the socket above which tasks send nothing more: a hub that reads so slowly is soon found dead. */
const MAX_TASK_BUFFER_BYTES = 64 * 1024 * 1024;
/** Calls of the hub that run here at a time. */
const MAX_CALLS = 64;
const CALL_FRAME = /^\{"type":"(?:call|result|chunk|cancel|credit|keepalive|event)"/;
const CALL_TYPES: ReadonlySet<string> = new Set(['call', 'result', 'chunk', 'cancel', 'credit', 'keepalive', 'event']);

/** One connection to a hub, from identify to its end. Nothing that the hub sends makes it throw. */
export class LinkSession {
  /** When nothing of it is left. */
  readonly closed: Promise<void>;
  readonly #deps: SessionDependencies;
  readonly #options: SessionOptions;
  readonly #socket: DialedSocket;
  readonly #offered: readonly HubFeature[];
  readonly #heartbeat: Heartbeat;
  #features: ReadonlySet<HubFeature> = new Set();
  #lane: CallLane | undefined;
  #online = false;
  #ended = false;
  #identifyTimer: unknown;
  #closeTimer: unknown;
  #limitTimer: unknown;
  #limited: string[] | undefined;

  /** Identifies at once. Throws what tasks throw when they are asked what they hold. */
  constructor(dependencies: SessionDependencies, options: SessionOptions, socket: DialedSocket) {
    this.#deps = dependencies;
    this.#options = options;
    this.#socket = socket;
    this.#heartbeat = new Heartbeat({ ...dependencies, ping: () => this.#ping(), dead: (reason) => this.#cut(reason) }, options.timeouts);
    this.#offered = options.allow === 'none' ? hubFeatures.filter((feature) => feature !== 'calls') : hubFeatures;
    const identify = this.#identifyFrame();
    const gone = Promise.withResolvers<void>();
    this.closed = gone.promise;
    socket.onEnd((code, reason) => {
      dependencies.timers.clear(this.#closeTimer);
      this.#end(endOfClose(code, reason));
      gone.resolve();
    });
    socket.onBad((problem) => this.#odd('bad', 'binary', { problem }));
    socket.onText((text) => this.#receive(text));
    socket.send(identify);
    this.#identifyTimer = dependencies.timers.set(
      () => this.#cut(`The hub did not answer identify within ${options.timeouts.identifyMs} ms.`),
      options.timeouts.identifyMs,
    );
  }

  /** Says goodbye; `closed` tells when it is over. */
  stop(): void {
    this.#leave({ kind: 'stopped' }, 1000, 'shutdown');
  }

  /** As the recorded frame; what hubs of ours know besides comes after it. */
  #identifyFrame(): string {
    const { agentId, token, name, capabilities, labels } = this.#options;
    return JSON.stringify({
      type: 'identify',
      agent_id: agentId,
      token,
      name,
      status: 'idle',
      capabilities,
      client_type: 'sidecar',
      protocol_version: HUB_PROTOCOL_VERSION,
      features: this.#offered,
      labels,
      credit: this.#deps.tasks.credit(),
      ...heldBy(this.#deps.tasks),
      epoch: this.#deps.epoch,
    });
  }

  #receive(text: string): void {
    if (this.#ended) return;
    // Any frame is a sign of life.
    this.#heartbeat.alive();
    // Calls are read by their own codec; to parse them here too would be twice the work for each chunk.
    if (this.#lane !== undefined && CALL_FRAME.test(text)) {
      this.#receiveCall(this.#lane, text);
      return;
    }
    const read = readHubFrame(text, readJson);
    if ('frame' in read) this.#take(read.frame);
    else if ('problem' in read) {
      this.#odd('bad', `${read.type ?? ''}:${read.problem}`, { type: read.type, errors: read.errors.slice(0, 5) });
      const { task, errors } = read;
      if (read.type === 'task_assign' && task !== undefined) this.#guarded(() => this.#failUnread(task, errors));
    } else if (this.#lane !== undefined && CALL_TYPES.has(read.unknown)) this.#receiveCall(this.#lane, text);
    else this.#odd('unknown', read.unknown, { type: read.unknown.slice(0, 64) });
  }

  /** The hub would wait for a task that nobody has begun. One that is held goes on. */
  #failUnread({ task_id: id, generation }: HeldTask, errors: readonly { field: string; detail: string }[]): void {
    if (this.#deps.tasks.held().some((held) => held.task_id === id)) return;
    const reason = `The assignment can't be read: ${errors.map(({ field, detail }) => `${field}: ${detail}`).join('; ')}`;
    this.#send({ type: 'task_failed', task_id: id, reason: reason.slice(0, MAX_SHORT_REASON_LENGTH), generation });
  }

  #receiveCall(lane: CallLane, text: string): void {
    if (!lane.receive(text))
      this.#leave({ kind: 'lost', reason: 'The hub calls and reads no answers.' }, hubCloseCodes.tooSlow, 'too slow');
  }

  #take(frame: HubFrame): void {
    switch (frame.type) {
      case 'identified':
        if (this.#online) this.#odd('out of order', frame.type, { type: frame.type });
        else this.#identified(frame);
        return;
      case 'error':
        this.#error(frame);
        return;
      case 'goaway': {
        const { retry_after_ms: retryAfterMs, window_ms: windowMs = DEFAULT_WINDOW_MS } = frame;
        const reason = `The hub sent us away${frame.reason === undefined ? '' : `: ${frame.reason}`}`;
        this.#leave({ kind: 'lost', reason, comeBack: { retryAfterMs, windowMs } }, 1000, 'goaway');
        return;
      }
      case 'rate_limited':
        this.#rateLimited(frame);
        return;
      case 'rate_limit_warning':
        this.#log('debug', 'link.rate_limit_near');
        return;
      case 'token_rotated':
        this.#rotate(frame.token);
        return;
      default:
        if (!this.#online) this.#odd('out of order', frame.type, { type: frame.type });
        else if (frame.type === 'pong') this.#pong(frame);
        else this.#tell(frame);
    }
  }

  #identified(frame: HubFrame & { type: 'identified' }): void {
    const { timers, tasks } = this.#deps;
    timers.clear(this.#identifyTimer);
    this.#online = true;
    if (frame.agent_id !== this.#options.agentId) this.#log('warn', 'link.other_id', { identifiedAs: frame.agent_id });
    this.#features = new Set(this.#offered.filter((feature) => frame.features?.includes(feature)));
    if (this.#features.has('calls')) this.#serveCalls();
    this.#deps.onOnline(this.#features);
    this.#guarded(() => {
      tasks.setLease(this.#features.has('leases') ? frame.lease_ms : undefined);
      // First what is gone, so that nothing of it is sent.
      if (frame.nack !== undefined && frame.nack.length > 0) tasks.lost(frame.nack);
      tasks.connected({
        features: this.#features,
        send: (own) => this.#send(own),
        ping: () => {
          if (!this.#ended && this.#features.has('leases')) this.#heartbeat.now();
        },
      });
    });
    // What was held while we were away is renewed now, not in half a minute.
    this.#heartbeat.start({ pingMs: frame.heartbeat_ms, pongMs: frame.pong_timeout_ms }, this.#features.has('leases'));
  }

  #serveCalls(): void {
    const { allow, paths } = this.#options;
    if (allow === 'none') return;
    this.#lane = new CallLane(this.#socket, (code, reason) => this.#leave({ kind: 'lost', reason }, code, reason));
    serveRpc(this.#lane, {
      dispatch: this.#deps.dispatch,
      codec: createCallCodec(nodeBase64),
      caller: { id: 'hub', name: 'Hub', kind: 'service', access: allow, ...(paths === undefined ? {} : { paths }) },
      transport: 'hub',
      connectionId: 'hub',
      idPrefix: 'a',
      limits: {
        maxFrameLength: MAX_HUB_FRAME_BYTES,
        // A UTF-16 unit takes up to three bytes.
        maxSendLength: Math.floor(MAX_HUB_FRAME_BYTES / 3),
        pauseAboveBytes: CALL_BUFFER_BYTES,
        maxRequests: MAX_CALLS,
      },
    });
  }

  #send(frame: TaskFrame): boolean {
    if (this.#ended || !this.#online || this.#socket.buffered > MAX_TASK_BUFFER_BYTES) return false;
    const text = JSON.stringify({ ...frame, protocol_version: HUB_PROTOCOL_VERSION });
    if (text.length * 3 > MAX_HUB_FRAME_BYTES && Buffer.byteLength(text) > MAX_HUB_FRAME_BYTES) {
      // Tasks may try again and again.
      if (this.#deps.counts.add(`too large ${frame.type}`))
        this.#log('error', 'link.frame_too_large', { type: frame.type, taskId: frame['task_id'], bytes: Buffer.byteLength(text) });
      return false;
    }
    if (this.#limited === undefined) this.#socket.send(text);
    else if (this.#limited.length < MAX_LIMITED_FRAMES) this.#limited.push(text);
    else return false;
    return true;
  }

  #ping(): boolean {
    // A hub that asked for silence answers none.
    if (this.#ended || this.#limited !== undefined) return false;
    const { tasks } = this.#deps;
    let renewing = {};
    // Without it nothing is renewed, and the connection stays.
    if (this.#features.has('leases')) this.#guarded(() => (renewing = { credit: tasks.credit(), ...heldBy(tasks) }));
    this.#socket.send(JSON.stringify({ type: 'ping', protocol_version: HUB_PROTOCOL_VERSION, ...renewing }));
    return true;
  }

  #pong(frame: HubFrame & { type: 'pong' }): void {
    const sentAt = this.#heartbeat.ponged();
    this.#guarded(() => {
      if (frame.nack !== undefined && frame.nack.length > 0) this.#deps.tasks.lost(frame.nack);
      if (sentAt !== undefined && this.#features.has('leases')) this.#deps.tasks.renewedAt(sentAt);
    });
  }

  #error(frame: HubFrame & { type: 'error' }): void {
    const { error, retry_after_ms: retryAfterMs } = frame;
    if (FINAL_ERRORS.has(error)) {
      this.#leave({ kind: 'refused', reason: error }, 1000, 'refused');
      return;
    }
    this.#log('warn', 'link.hub_error', {
      problem: error,
      type: frame.message_type,
      taskId: frame.task_id,
      errors: frame.errors?.slice(0, 5),
    });
    if (this.#online) {
      this.#tell(frame);
      return;
    }
    const comeBack = retryAfterMs === undefined ? {} : { comeBack: { retryAfterMs, windowMs: DEFAULT_WINDOW_MS } };
    this.#leave({ kind: 'lost', reason: `The hub did not take us: ${error}`, ...comeBack }, 1000, 'not identified');
  }

  #rateLimited(frame: HubFrame & { type: 'rate_limited' }): void {
    const { timers } = this.#deps;
    const retryAfterMs = Math.min(frame.retry_after_ms, MAX_RATE_LIMIT_MS);
    this.#log('warn', 'link.rate_limited', { retryAfterMs, tier: frame.tier });
    if (!this.#online) {
      const comeBack = { retryAfterMs, windowMs: DEFAULT_WINDOW_MS };
      this.#leave({ kind: 'lost', reason: 'The hub has too many of our frames.', comeBack }, 1000, 'rate limited');
      return;
    }
    this.#limited ??= [];
    timers.clear(this.#limitTimer);
    this.#limitTimer = timers.set(() => {
      const waiting = this.#limited ?? [];
      this.#limited = undefined;
      for (const text of waiting) this.#socket.send(text);
    }, retryAfterMs);
    this.#tell(frame);
  }

  #rotate(token: string): void {
    try {
      this.#deps.rotateToken(token);
      this.#log('info', 'link.token_rotated');
    } catch (error) {
      // The old one holds until we identify with the new one, so it is used on.
      this.#log('error', 'link.token_not_stored', { error });
    }
  }

  #tell(frame: HubFrame): void {
    this.#guarded(() => this.#deps.tasks.receive(frame));
  }

  /** A fault in there must not cost the connection. */
  #guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#log('error', 'link.tasks_failed', { error });
    }
  }

  #odd(kind: 'bad' | 'unknown' | 'out of order', name: string, facts: Readonly<Record<string, unknown>>): void {
    if (this.#deps.counts.add(`${kind} ${name}`)) this.#log('warn', `link.${kind.replaceAll(' ', '_')}_frame`, facts);
  }

  #cut(reason: string): void {
    if (this.#ended) return;
    this.#end({ kind: 'lost', reason });
    this.#socket.cut();
  }

  #leave(end: SessionEnd, code: number, reason: string): void {
    if (this.#ended) return;
    this.#end(end);
    this.#closeTimer = this.#deps.timers.set(() => this.#socket.cut(), this.#options.timeouts.stopMs);
    this.#socket.close(code, reason);
  }

  #end(end: SessionEnd): void {
    if (this.#ended) return;
    this.#ended = true;
    const { timers } = this.#deps;
    this.#heartbeat.stop();
    for (const timer of [this.#identifyTimer, this.#limitTimer]) timers.clear(timer);
    this.#lane?.end();
    if (this.#online) this.#guarded(() => this.#deps.tasks.disconnected());
    this.#deps.onEnd(end);
  }

  #log(level: 'debug' | 'info' | 'warn' | 'error', event: string, facts: Readonly<Record<string, unknown>> = {}): void {
    this.#deps.log(level, event, facts);
  }
}

function endOfClose(code: number, reason: string): SessionEnd {
  if (code === hubCloseCodes.auth) return { kind: 'refused', reason: reason === '' ? 'invalid_token' : reason };
  if (code === hubCloseCodes.replaced) return { kind: 'replaced' };
  const seconds = code === hubCloseCodes.policy ? COOL_DOWN.exec(reason)?.[1] : undefined;
  const text = `The connection ended with ${code}${reason === '' ? '' : ` (${reason})`}.`;
  if (seconds === undefined) return { kind: 'lost', reason: text };
  return { kind: 'lost', reason: text, comeBack: { retryAfterMs: Number(seconds) * 1000, windowMs: DEFAULT_WINDOW_MS } };
}

function heldBy(tasks: LinkTasks): { held: HeldTask[]; held_more?: true } {
  return { held: tasks.held(), ...(tasks.holdsMore() ? { held_more: true } : {}) };
}
