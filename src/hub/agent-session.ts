import type { Dispatch } from '../contract/dispatch.ts';
import { OutriggerError, type WireError } from '../contract/errors.ts';
import {
  type AgentFrame,
  type AgentFrames,
  type HeldTask,
  hubCloseCodes,
  type HubFeature,
  hubFeatures,
  MAX_HUB_FRAME_BYTES,
  MAX_SHORT_REASON_LENGTH,
  readAgentFrame,
  TOLD_AGAIN,
} from '../contract/hub.ts';
import type { Peer, PeerTimers } from '../core/peer.ts';
import { nodeBase64 } from '../net/base64.ts';
import type { TextSocket } from '../net/text-socket.ts';
import { createCallCodec } from '../transports/hub-link/call-codec.ts';
import { serveRpc } from '../transports/rpc/rpc.ts';
import { assignFrame } from './task-frames.ts';
import type { Applied, TaskBrief, TaskEvent, TaskRecord, TaskStore, TaskSummary } from './task-store.ts';
import { readJson } from '../core/json-text.ts';

/** Frames that can't be understood, in a minute, before the connection is closed; of nobody who is known yet, in all. */
export const MAX_BAD_FRAMES = 100;
const BAD_FRAMES_MS = 60_000;
export const TOO_MANY_BAD = 'too many bad frames';
/** Answers of the store that are awaited for one agent before no more is read of it. */
const MAX_PENDING = 1000;
/** So much the frames that they are for may take together, characters: a list of all that is held can fill each. */
const MAX_PENDING_LENGTH = 8 * 1024 * 1024;
/** What one agent has not read before it is given up, bytes. */
const MAX_UNREAD_BYTES = 8 * 1024 * 1024;
/** While it has not read more than this, further tasks for it wait, bytes: one of them can be four times as long. */
const FULL_BYTES = 1024 * 1024;
/** Tasks that wait for an agent to read wait so long for a sign of that; then it is given up, ms. */
const READ_WITHIN_MS = 15_000;
/** Progress of one task is stored so often at most; the newest counts, ms. */
const PROGRESS_EVERY_MS = 250;
/** Of one agent, in one commit: others have their turn in between. */
const RENEWED_AT_ONCE = 500;
/** A UTF-16 unit takes up to three bytes. */
const MAX_SEND_LENGTH = Math.floor(MAX_HUB_FRAME_BYTES / 3);
/** Of those whose sidecar refused work as busy: nothing more is offered for so long, ms. */
const BUSY_MS = 30_000;

const callTypes = new Set(['call', 'result', 'chunk', 'cancel', 'credit', 'keepalive', 'event']);
const typeAtBegin = /^\s*\{\s*"type"\s*:\s*"([a-z_]+)"/;

/** What an agent said of itself. */
export interface AgentFacts {
  id: string;
  name: string;
  capabilities: readonly string[];
  labels: Readonly<Record<string, string>>;
  features: ReadonlySet<HubFeature>;
  clientType: string | null;
  version: string | null;
  address: string | null;
  /** Of its connection; 0 where it counts none. */
  epoch: number;
  since: number;
}

export interface AgentSessionDependencies {
  socket: TextSocket;
  store: TaskStore;
  timers: PeerTimers;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  log: (level: 'debug' | 'info' | 'warn', event: string, facts: Record<string, unknown>) => void;
  /** Answers what the agent calls. */
  dispatch: Dispatch;
  /** A task changed. */
  changed: (task: TaskBrief) => void;
  /** There may be something to give out. */
  wake: () => void;
  /** This agent could take more. */
  hasRoom: () => void;
  /** Whoever looks on sees another state or room of this agent than before, though no task changed. */
  differs: () => void;
  logged: (task: string, entry: AgentFrames['task_log']) => void;
  /** We closed the connection. */
  ended: () => void;
}

export interface AgentSessionOptions {
  leaseMs: number;
  /** Of those who do not renew. */
  plainLeaseMs: number;
}

/** What the peer for calls hears of the socket. */
interface ToPeer {
  text: (text: string) => void;
  close: () => void;
}

/** One agent on its socket, known for who it is: its frames become events of tasks, and what the store says goes back. */
export class AgentSession {
  readonly facts: AgentFacts;
  readonly #dependencies: AgentSessionDependencies;
  readonly #options: AgentSessionOptions;
  #peer: Peer<WireError> | undefined;
  #toPeer: ToPeer | undefined;
  /** Milliseconds since 1970. */
  lastSeen: number;
  /** The same, by the clock that nobody sets. */
  #heardAt: number;
  draining = false;
  /** Tasks that it can have at a time, as it last said: those it held then, and its credit. */
  #capacity: number;
  /** It refused work a moment ago. */
  #isBusy = false;
  #busyTimer: unknown;
  /** Tasks that it holds as far as this connection knows, with their fence. */
  readonly #held = new Map<string, number>();
  /** Of those, the ones that it has not been told of: it has not read what it was told before. */
  readonly #untold = new Map<string, number>();
  #readTimer: unknown;
  readonly #progress = new Map<string, { event: TaskEvent | undefined; timer: unknown }>();
  #pending = 0;
  /** Of the frames that wait, characters. */
  #pendingLength = 0;
  #badFrames = 0;
  #badSince = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(facts: AgentFacts, identify: AgentFrames['identify'], dependencies: AgentSessionDependencies, options: AgentSessionOptions) {
    this.facts = facts;
    this.#dependencies = dependencies;
    this.#options = options;
    this.lastSeen = dependencies.now();
    this.#heardAt = dependencies.monotonic();
    this.#capacity = capacityOf(identify);
    dependencies.socket.onDrain(() => this.#hasRead());
  }

  /** Tasks that it could take now. */
  get credit(): number {
    if (this.#closed || this.draining || this.#isBusy || this.#untold.size > 0) return 0;
    return Math.max(0, (this.facts.features.has('leases') ? this.#capacity : 1) - this.#held.size);
  }

  get silentMs(): number {
    return this.#dependencies.monotonic() - this.#heardAt;
  }

  /** The task was given to it, and it was never told of it. */
  isUntold({ id, fence }: TaskSummary): boolean {
    return this.#untold.get(id) === fence;
  }

  /** It has this grant of the task, as far as this connection knows. */
  holds(task: TaskSummary): boolean {
    return this.#held.get(task.id) === task.fence;
  }

  /** For calls of the agent; made at the first one, as most agents are never called. */
  get peer(): Peer<WireError> {
    this.#peer ??= this.#makePeer();
    return this.#peer;
  }

  send(frame: Record<string, unknown> & { type: string }): void {
    this.#sendText(JSON.stringify(frame));
  }

  close(code: number, reason: string): void {
    if (this.#closed) return;
    this.gone();
    const { socket, ended } = this.#dependencies;
    socket.close(code, reason);
    // Whoever does not read closes his end late, or never.
    ended();
  }

  /** The socket is no more. */
  gone(): void {
    this.#closed = true;
    const { timers } = this.#dependencies;
    timers.clear(this.#busyTimer);
    timers.clear(this.#readTimer);
    for (const { timer } of this.#progress.values()) timers.clear(timer);
    this.#progress.clear();
    this.#toPeer?.close();
  }

  /** The agent says what it has; the answer names what it is to let go. `more`: what it does not name it has as well. */
  async reconcile(held: readonly HeldTask[] | undefined, more = false): Promise<HeldTask[]> {
    const { store } = this.#dependencies;
    const known = store.heldBy(this.facts.id);
    // Whoever can't say what it has will speak of it, or its lease ends.
    if (held === undefined) return [];
    const fences = new Map(known.map((task) => [task.id, task.fence]));
    const isKnown = (one: HeldTask): boolean => fences.get(one.task_id) === one.generation;
    const nack = held.filter((one) => !isKnown(one) && one.state !== 'done');
    const named = new Set(held.filter(isKnown).map((one) => one.task_id));
    const lost = more ? [] : known.filter((task) => !named.has(task.id));
    for (const one of held) if (one.state !== 'done' && isKnown(one)) this.#held.set(one.task_id, one.generation);
    await Promise.all([
      ...lost.map((task) => this.#apply(task.id, { type: 'disown', agent: this.facts.id, fence: task.fence })),
      this.#renew(more ? known.filter(isRunning).map(asHeld) : held.filter(isKnown)),
    ]);
    // What it lost is for others too, and so is its place in a group.
    if (lost.length > 0) this.#dependencies.wake();
    return nack;
  }

  /** Tells it of the task, as soon as it has read what it was told before. */
  assign({ id, fence }: TaskSummary): void {
    this.#held.set(id, fence);
    this.#untold.set(id, fence);
    this.#tell();
  }

  /** The task is not this agent's any more, or is to be ended. */
  take(task: TaskSummary, why: 'cancelled' | 'reassigned', fence = task.fence): void {
    const wasTold = !this.#untold.delete(task.id);
    if (!wasTold) this.#held.delete(task.id);
    if (why === 'cancelled') {
      if (!wasTold) return;
      const more = this.facts.features.has('leases') ? { generation: fence, reason: task.reason ?? '' } : {};
      this.send({ type: 'task_cancelled', task_id: task.id, timestamp: this.#dependencies.now(), ...more });
    } else {
      this.#held.delete(task.id);
      // Whoever does not accept, or does not renew, has to speak before there is more.
      this.#refuses();
      if (wasTold)
        this.send({ type: 'task_reassign', task_id: task.id, ...(this.facts.features.has('leases') ? { generation: fence } : {}) });
    }
  }

  receive(text: string): void {
    this.lastSeen = this.#dependencies.now();
    this.#heardAt = this.#dependencies.monotonic();
    const type = typeAtBegin.exec(text.slice(0, 100))?.[1];
    if (type !== undefined && callTypes.has(type)) {
      this.#toPeer?.text(text);
      return;
    }
    const read = readAgentFrame(text, readJson);
    if ('frame' in read) {
      this.#waits(1, text.length);
      void this.#take(read.frame)
        .catch((error: unknown) => {
          // Nothing was stored. On a new connection the agent says again what it holds and what it came to.
          this.#dependencies.log('warn', 'hub.not-stored', { agentId: this.facts.id, type: read.frame.type, error });
          this.close(hubCloseCodes.restart, 'try again');
        })
        .finally(() => this.#waits(-1, -text.length));
    } else if ('unknown' in read) {
      this.bad({
        error: 'validation_failed',
        message_type: read.unknown,
        errors: [{ field: 'type', error: 'unknown_message_type', detail: `unknown message type: ${read.unknown.slice(0, 100)}` }],
      });
    } else if (read.type === undefined) this.bad({ error: read.problem });
    else this.bad({ error: read.problem, message_type: read.type, errors: read.errors.slice(0, 20) });
  }

  /** So many frames more, of so many characters, wait for the store. */
  #waits(frames: number, length: number): void {
    const wasFull = this.#isFull;
    this.#pending += frames;
    this.#pendingLength += length;
    const isFull = this.#isFull;
    if (isFull === wasFull) return;
    const { socket } = this.#dependencies;
    if (isFull) socket.pause();
    else socket.resume();
  }

  get #isFull(): boolean {
    return this.#pending >= MAX_PENDING || this.#pendingLength >= MAX_PENDING_LENGTH;
  }

  /** A frame that can't be used is answered; too many end the connection. */
  bad(answer: { error: string } & Record<string, unknown>): void {
    const now = this.#dependencies.monotonic();
    if (now - this.#badSince > BAD_FRAMES_MS) {
      this.#badSince = now;
      this.#badFrames = 0;
    }
    this.#badFrames++;
    this.send({ type: 'error', ...answer });
    if (this.#badFrames > MAX_BAD_FRAMES) this.close(hubCloseCodes.policy, TOO_MANY_BAD);
  }

  async #take(frame: AgentFrame): Promise<void> {
    const agent = this.facts.id;
    switch (frame.type) {
      case 'ping':
        return this.#ping(frame);
      case 'identify':
        return this.send({ type: 'error', error: 'already_identified' });
      case 'task_accepted': {
        const fence = frame.generation ?? this.#fenceOf(frame.task_id);
        const applied = await this.#apply(frame.task_id, { type: 'accept', agent, fence, leaseUntil: this.#leaseEnd() });
        if (applied.ok) this.send({ type: 'task_ack', task_id: frame.task_id, status: 'accepted', ...this.#generation(fence) });
        else this.#refused(frame.task_id, fence, 'task_accept_failed', applied);
        return;
      }
      case 'task_rejected': {
        const fence = frame.generation ?? this.#fenceOf(frame.task_id);
        this.#letGo(frame.task_id, fence);
        // Its place is free: it refuses the fence of a hub that was put back to an older copy, and takes the task when that is beyond its own.
        if (frame.reason !== TOLD_AGAIN) this.#refuses();
        // Refusals are counted by nothing: they are kept short, as each is an entry of the audit.
        const reason = frame.reason.slice(0, MAX_SHORT_REASON_LENGTH).toWellFormed();
        await this.#apply(frame.task_id, { type: 'refuse', agent, fence, reason });
        return this.#dependencies.wake();
      }
      case 'task_progress':
        return this.#progressed(frame);
      case 'task_log':
        if (this.#held.get(frame.task_id) === frame.generation) this.#dependencies.logged(frame.task_id, frame);
        return;
      case 'task_complete': {
        const { task_id: id, generation: fence, result, verification_report: report } = frame;
        return this.#settle(id, fence, 'task_complete_failed', {
          type: 'complete',
          agent,
          fence,
          result: result ?? null,
          report: report ?? null,
        });
      }
      case 'task_failed': {
        const { task_id: id, generation: fence, verification_report: report } = frame;
        const reason = frame.reason ?? frame.error ?? 'failed';
        return this.#settle(id, fence, 'task_fail_failed', {
          type: 'fail',
          agent,
          fence,
          reason,
          retryable: frame.retryable ?? true,
          report: report ?? null,
        });
      }
      case 'task_recovering': {
        const task = this.#dependencies.store.get(frame.task_id);
        const isItsOwn = task?.holder === agent && (task.state === 'running' || task.state === 'offered');
        if (!isItsOwn || (frame.generation !== undefined && frame.generation !== task.fence)) {
          return this.send({ type: 'task_reassign', task_id: frame.task_id });
        }
        this.#held.set(task.id, task.fence);
        const applied = await this.#apply(task.id, { type: 'accept', agent, fence: task.fence, leaseUntil: this.#leaseEnd() });
        if (applied.ok) return this.send({ type: 'task_continue', task_id: task.id, generation: task.fence });
        // It was taken from it by what was asked of the store right before.
        this.#letGo(task.id, task.fence);
        this.send({ type: 'task_reassign', task_id: task.id, ...this.#generation(task.fence) });
        return this.#dependencies.hasRoom();
      }
      case 'state_report': {
        const task = this.#dependencies.store.get(frame.task_id);
        const goesOn = task?.holder === agent && task.state === 'running' && (frame.generation ?? task.fence) === task.fence;
        if (goesOn) this.#held.set(frame.task_id, task.fence);
        return this.send({ type: 'state_report_ack', task_id: frame.task_id, action: goesOn ? 'continue' : 'abort' });
      }
      case 'agent_restarting':
        this.draining = true;
        return this.#dependencies.differs();
      case 'wake_result':
      case 'resource_report':
        return;
    }
  }

  #sendText(text: string): void {
    if (this.#closed) return;
    const { socket } = this.#dependencies;
    socket.send(text);
    if (socket.buffered > MAX_UNREAD_BYTES) this.close(hubCloseCodes.tooSlow, 'too slow');
  }

  #tell(): void {
    const { socket, store } = this.#dependencies;
    for (const [id, fence] of this.#untold) {
      if (this.#closed) return;
      if (socket.buffered > FULL_BYTES) return this.#awaitRead(socket.buffered);
      this.#untold.delete(id);
      // Read anew: many that wait would take much memory. It may be somebody else's by now.
      const task = store.get(id);
      if (task?.state === 'offered' && task.fence === fence && task.holder === this.facts.id) this.#assign(task);
      else this.#held.delete(id);
    }
  }

  #assign(task: TaskRecord): void {
    const leases = this.facts.features.has('leases') ? this.#options.leaseMs : undefined;
    const text = JSON.stringify(assignFrame(task, this.#dependencies.now(), leases));
    const bytes = Buffer.byteLength(text);
    if (bytes <= MAX_HUB_FRAME_BYTES) return this.#sendText(text);
    this.#held.delete(task.id);
    void this.#endTooLarge(task, bytes);
  }

  /** `before`: what it had not read when this began, bytes. */
  #awaitRead(before: number): void {
    const { socket, timers } = this.#dependencies;
    this.#readTimer ??= timers.set(() => {
      this.#readTimer = undefined;
      if (this.#untold.size > 0 && socket.buffered >= before) this.close(hubCloseCodes.tooSlow, 'too slow');
      else this.#hasRead();
    }, READ_WITHIN_MS);
  }

  #hasRead(): void {
    this.#dependencies.timers.clear(this.#readTimer);
    this.#readTimer = undefined;
    if (this.#untold.size === 0) return;
    this.#tell();
    if (this.#untold.size === 0) this.#dependencies.hasRoom();
  }

  /** Older hubs took tasks that no agent can be told of: the frame would end its connection, and the next one's. */
  async #endTooLarge(task: TaskRecord, bytes: number): Promise<void> {
    const { log, wake } = this.#dependencies;
    const agent = this.facts.id;
    const reason = `It is too large for an agent: ${bytes} bytes, where a frame holds ${MAX_HUB_FRAME_BYTES}.`;
    try {
      await this.#apply(task.id, { type: 'fail', agent, fence: task.fence, reason, retryable: false, report: null });
      wake();
    } catch (error) {
      // The offer runs out, and the next one is ended.
      log('warn', 'hub.not-stored', { agentId: agent, type: 'task_assign', error });
    }
  }

  #makePeer(): Peer<WireError> {
    const { socket, dispatch } = this.#dependencies;
    const { id } = this.facts;
    const toPeer: ToPeer = { text: () => {}, close: () => {} };
    this.#toPeer = toPeer;
    return serveRpc(
      {
        send: (text) => socket.send(text),
        get buffered() {
          return socket.buffered;
        },
        onDrain: (listener) => socket.onDrain(listener),
        onText: (listener) => {
          toPeer.text = listener;
        },
        onBad: () => {},
        onClose: (listener) => {
          toPeer.close = listener;
        },
        // Control frames come by the same socket: calls wait by their credit alone.
        pause: () => {},
        resume: () => {},
        close: (code, reason) => this.close(code, reason),
      },
      {
        dispatch,
        codec: createCallCodec(nodeBase64),
        caller: { id: `agent ${id}`, name: id, kind: 'agent', access: 'read' },
        transport: 'hub',
        connectionId: id,
        idPrefix: 'h',
        limits: { maxFrameLength: MAX_HUB_FRAME_BYTES, maxSendLength: MAX_SEND_LENGTH },
      },
    );
  }

  /** It has less room than was thought: until it says more, it gets nothing more; one that never says has to be tried again some time. */
  #refuses(): void {
    const { timers, hasRoom, differs } = this.#dependencies;
    this.#capacity = this.#held.size;
    if (this.facts.features.has('leases')) return;
    this.#isBusy = true;
    timers.clear(this.#busyTimer);
    this.#busyTimer = timers.set(() => {
      this.#isBusy = false;
      differs();
      hasRoom();
    }, BUSY_MS);
  }

  async #ping(frame: AgentFrames['ping']): Promise<void> {
    const { credit } = this;
    if (frame.credit !== undefined) this.#capacity = capacityOf(frame);
    const held = frame.held ?? [...this.#held].map(([task_id, generation]): HeldTask => ({ task_id, generation, state: undefined }));
    // Results that wait are renewed as well where there are more of them than can be told: that takes its time.
    const renewed = held.filter((one) => one.state !== 'done');
    const named = new Set(renewed.map(({ task_id: id }) => id));
    const all = frame.held_more === true ? this.#dependencies.store.heldBy(this.facts.id) : [];
    const unnamed = all.filter((task) => isRunning(task) && !named.has(task.id)).map(asHeld);
    const nack = await this.#renew([...renewed, ...unnamed]);
    if (this.credit !== credit) this.#dependencies.differs();
    if (this.credit > 0) this.#dependencies.hasRoom();
    const more = this.facts.features.has('leases') && nack.length > 0 ? { nack } : {};
    this.send({ type: 'pong', timestamp: this.#dependencies.now(), ...more });
  }

  /** Gives those that it does not hold any more. */
  async #renew(held: readonly HeldTask[]): Promise<HeldTask[]> {
    const leaseUntil = this.#leaseEnd();
    const refused: HeldTask[] = [];
    for (let at = 0; at < held.length; at += RENEWED_AT_ONCE) {
      const some = held.slice(at, at + RENEWED_AT_ONCE);
      const applied = await this.#dependencies.store.apply(
        some.map((one) => ({ task: one.task_id, event: { type: 'renew', agent: this.facts.id, fence: one.generation, leaseUntil } })),
      );
      refused.push(...some.filter((_, index) => !(applied[index] as Applied).ok));
    }
    for (const one of refused) this.#letGo(one.task_id, one.generation);
    return refused;
  }

  async #settle(id: string, fence: number, failed: string, event: TaskEvent): Promise<void> {
    this.#dropProgress(id);
    // What came too late is kept, and those who look on hear of it.
    const applied = await this.#apply(id, event, true);
    this.#letGo(id, fence);
    if (!this.facts.features.has('leases')) this.#dependencies.wake();
    if (!applied.ok) return this.#refused(id, fence, failed, applied);
    this.send({ type: 'task_ack', task_id: id, status: statusOf(applied.task), ...this.#generation(fence) });
    this.#dependencies.wake();
  }

  /** Not a newer grant of the same task. Whoever knows no leases may not know its fence either. */
  #letGo(id: string, fence: number): void {
    if (!this.facts.features.has('leases') || this.#held.get(id) === fence) this.#held.delete(id);
  }

  #refused(id: string, fence: number, what: string, applied: Applied & { ok: false }): void {
    const more = this.facts.features.has('leases') ? { task_id: id, generation: fence } : {};
    this.send({ type: 'error', error: `${what}: ${applied.refusal}`, ...more });
    if (what === 'task_accept_failed') this.send({ type: 'task_reassign', task_id: id, ...this.#generation(fence) });
  }

  /** The first counts at once, then the newest of each quarter of a second. */
  async #progressed({ task_id: id, progress, execution_event: event, generation }: AgentFrames['task_progress']): Promise<void> {
    const text = event?.['text'];
    const stored: TaskEvent = {
      type: 'progress',
      agent: this.facts.id,
      fence: generation ?? this.#fenceOf(id),
      percent: progress ?? null,
      text: typeof text === 'string' ? text.slice(0, 1000).toWellFormed() : null,
    };
    const waiting = this.#progress.get(id);
    if (waiting !== undefined) {
      waiting.event = stored;
      return;
    }
    const timer = this.#dependencies.timers.set(() => {
      const next = this.#progress.get(id)?.event;
      this.#progress.delete(id);
      if (next !== undefined) void this.#apply(id, next).catch(() => {});
    }, PROGRESS_EVERY_MS);
    this.#progress.set(id, { event: undefined, timer });
    await this.#apply(id, stored);
  }

  #dropProgress(id: string): void {
    this.#dependencies.timers.clear(this.#progress.get(id)?.timer);
    this.#progress.delete(id);
  }

  /** Those who look on hear of it right after the store: later, it would stand over what came of the event after it. */
  async #apply(task: string, event: TaskEvent, isToldRefused = false): Promise<Applied> {
    const [applied] = await this.#dependencies.store.apply([{ task, event }]);
    const answer = applied as Applied;
    if (answer.ok ? !answer.again : isToldRefused && answer.task !== undefined) this.#dependencies.changed(answer.task as TaskBrief);
    return answer;
  }

  /** Of a task whose frame names none: as it was assigned here, or as the store has it. */
  #fenceOf(id: string): number {
    return this.#held.get(id) ?? this.#dependencies.store.get(id)?.fence ?? 0;
  }

  #leaseEnd(): number {
    const { leaseMs, plainLeaseMs } = this.#options;
    return this.#dependencies.now() + (this.facts.features.has('leases') ? leaseMs : plainLeaseMs);
  }

  #generation(fence: number): { generation?: number } {
    return this.facts.features.has('leases') ? { generation: fence } : {};
  }
}

/** Where nothing is said of what is held, what is held is not known to take room. */
function capacityOf({ credit, held }: { credit: number | undefined; held: readonly HeldTask[] | undefined }): number {
  return (credit ?? 1) + (held ?? []).filter(({ state }) => state !== 'done').length;
}

/** An offer that was not accepted is not renewed: it runs out. */
function isRunning({ state }: TaskSummary): boolean {
  return state === 'running';
}

function asHeld({ id, fence }: TaskSummary): HeldTask {
  return { task_id: id, generation: fence, state: undefined };
}

function statusOf(task: TaskSummary): string {
  switch (task.state) {
    case 'succeeded':
      return 'complete';
    case 'scheduled':
    case 'ready':
    case 'offered':
    case 'running':
      return 'retried';
    case 'dead':
      return 'dead_letter';
    default:
      return task.state;
  }
}

/** Those of an agent's features that are ours as well. */
export function commonFeatures(given: readonly string[] | undefined): Set<HubFeature> {
  return new Set(hubFeatures.filter((feature) => given?.includes(feature)));
}

/** The error for calls of an agent that is not there. */
export function notConnected(agent: string): OutriggerError {
  return new OutriggerError('CONNECTION_LOST', `The agent ${agent} is not connected.`);
}
