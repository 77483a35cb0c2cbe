import * as Y from 'yjs';
import { OutriggerError } from '../../contract/errors.ts';
import { type Batch, type ByteChannel, closeCodes } from '../../contract/wire.ts';
import { isKnown } from './known-update.ts';
import { knowsLostState } from './lineage.ts';
import { PresenceMap } from './presence.ts';
import type { Pulse, Pulsed } from './pulse.ts';
import {
  awarenessMessage,
  isEmptyUpdate,
  leadingCount,
  permissionDeniedMessage,
  readMessage,
  step1Message,
  step2Message,
  updateMessage,
} from './sync-protocol.ts';
import { refuseUnfit } from './unfit.ts';
import { mergeMany, somethingWaits, takeUpdate } from './waiting.ts';

/** Origin of changes that came over channels. */
const FROM_CHANNELS = 'channels';

// A reader this far behind gets the whole state when it has caught up, instead of a queue without end.
const MAX_BEHIND_BYTES = 1024 * 1024;
/** y-websocket 3 reconnects after 30 s without a message, and pings do not count. */
const QUIET_MS = 20_000;
/** What one member may send; a join with a long history fits in a few seconds. */
const MAX_BYTES_PER_S = 32 * 1024 * 1024;
/** Clients that a member may know and the document does not; who was away while its state was lost knows all that were ever in it. */
const MAX_UNKNOWN_CLIENTS = 200_000;
/** Clients in one presence message beyond those that are there. y-websocket says again what it was told, and of all who left at once. */
const MAX_UNKNOWN_PRESENT = 10_000;
const SNAPSHOT_TAIL_BYTES = 16 * 1024;
const TOO_LARGE = 'The document is as large as one that is edited together may become.';
const UNFIT_PRESENCE = 'The presence state is too large, no JSON, or of too many clients.';
/** The state vector of somebody who has nothing. */
const NOTHING = Uint8Array.of(0);

export interface Member {
  readonly channel: ByteChannel;
  /** Who edits, as `kind name`. */
  readonly name: string;
  /** Many people share the token: what a member calls itself in its presence says more than the name of the token. */
  readonly shared: boolean;
  /** May change while it is there. */
  isReadOnly(): boolean;
  /** Whether it may stay when the document is moved to `path`. */
  mayFollow(path: string): boolean;
}

/** How many operations of each client somebody has. */
type StateVector = Map<number, number>;

interface Seat extends Member {
  /** Fell behind: skipped until its queue is empty, then brought up to date. */
  behind: boolean;
  /** Said what it knows: before that, nobody can tell what it may get. */
  heard: boolean;
  /** Knows a state of ours that was lost: gets nothing until that is healed. */
  foreign: boolean;
  /** Step 2 answers that are to come: one for each step 1 that was sent, in order. */
  answersDue: number;
  /** A step 1 is to be sent when its queue is empty. */
  askLater: boolean;
  /** To be answered at the end of this read of its socket. */
  asksWhoIsThere: boolean;
  /** What it said to have since it was answered in this read of its socket: the least of it. Null: nothing. Undefined: it was not answered yet. */
  hasAtLeast: StateVector | null | undefined;
  /** Updates that came while it was foreign: they are stored with its whole state. */
  untold: number;
  lastSentMs: number;
  /** Bytes that came in the second that began then. */
  secondBytes: number;
  secondMs: number;
  deniedToldMs: number;
}

interface PendingUpdate {
  update: Uint8Array;
  /** The message as it came; absent for updates that were taken out of another message. */
  message: Uint8Array;
  seat: Seat;
}

export interface RoomHooks {
  /** Updates of one turn were applied and are to go into the log, which is written before anybody else sees them. `names`: who sent them. */
  applied(updates: readonly Uint8Array[], names: ReadonlySet<string>): void;
  /** Whether the document may grow by as much. */
  hasRoomFor(bytes: number): boolean;
  /** Takes the whole state of a client that knows more of us than we do. */
  heal(update: Uint8Array, name: string): void;
  /** An update broke the document half-way: gives one rebuilt from what is stored. */
  rebuild(): Y.Doc;
  /** A member sent what can't be used; the member is refused, the log has why. */
  failed(what: string, error: unknown): void;
  /** The people in the room changed. */
  presenceChanged(): void;
  /** The last member left. */
  emptied(): void;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
}

/**
 * The members of one document and what passes between them. Bytes that come in go out as they came: applied once a turn in
 * one transaction, framed once, written once to each socket.
 */
export class Room implements Pulsed {
  readonly presence = new PresenceMap<Seat>();
  readonly #seats = new Map<ByteChannel, Seat>();
  readonly #hooks: RoomHooks;
  readonly #pulse: Pulse;
  readonly #life: number;
  #ydoc: Y.Doc;
  #pending: PendingUpdate[] = [];
  #pendingBytes = 0;
  /** Messages of the document's own changes (from disk, from calls), in order with the rest of the turn. */
  #own: Uint8Array[] = [];
  /** Applied, and on its way to the members. `onlyWriter` has all of it. */
  #taken: { messages: Uint8Array[]; onlyWriter: Seat | undefined; from: readonly PendingUpdate[] } | undefined;
  /** State for those who join, and the messages since it was made. */
  #snapshot: { batch: Batch; bytes: number; tail: Uint8Array[]; tailBytes: number } | undefined;
  #stateVector: Uint8Array | undefined;
  #closed = false;

  constructor(ydoc: Y.Doc, life: number, pulse: Pulse, hooks: RoomHooks) {
    this.#life = life;
    this.#ydoc = ydoc;
    this.#pulse = pulse;
    this.#hooks = hooks;
    ydoc.on('update', this.#ownUpdate);
  }

  get size(): number {
    return this.#seats.size;
  }

  join(member: Member): void {
    const seat: Seat = {
      ...member,
      behind: false,
      heard: false,
      foreign: false,
      answersDue: 1,
      askLater: false,
      asksWhoIsThere: false,
      hasAtLeast: undefined,
      untold: 0,
      lastSentMs: this.#hooks.now(),
      secondBytes: 0,
      secondMs: 0,
      deniedToldMs: Number.NEGATIVE_INFINITY,
    };
    const { channel } = seat;
    this.#seats.set(channel, seat);
    this.presence.joined(seat);
    channel.onMessage((message) => this.#receive(seat, message));
    channel.onClose(() => this.#leave(seat));
    channel.onDrain(() => this.#caughtUp(seat));
    this.#ask(seat, this.#currentStateVector());
    if (this.presence.size > 0) this.#send(seat, { messages: [awarenessMessage(this.presence.all())] });
  }

  /** The document was moved: ends those who may not follow. */
  moved(path: string): void {
    for (const seat of [...this.#seats.values()]) {
      if (seat.mayFollow(path)) continue;
      seat.channel.close(closeCodes.forbidden, 'The file was moved to where you may not look.');
      this.#leave(seat);
    }
  }

  /** Sends something to members that heard nothing for long; call every few seconds. */
  keepAlive(): void {
    const now = this.#hooks.now();
    const batch: Batch = { messages: [awarenessMessage([])] };
    for (const seat of this.#seats.values()) if (now - seat.lastSentMs >= QUIET_MS) this.#send(seat, batch, now);
  }

  /** Passes on what is waiting now. */
  flush(): void {
    if (this.#pending.length > 0 || this.#own.length > 0 || this.presence.hasNews) this.#pulse.flush(this);
  }

  take(): number {
    this.#pendingBytes = 0;
    const pending = this.#pending.length === 0 ? this.#pending : this.#apply(this.#pending.splice(0));
    if (pending.length === 0 && this.#own.length === 0) return 0;
    const [first] = pending;
    const onlyWriter = this.#own.length === 0 && pending.every(({ seat }) => seat === first?.seat) ? first?.seat : undefined;
    this.#taken = { messages: [...this.#own, ...pending.map(({ message }) => message)], onlyWriter, from: pending };
    this.#own = [];
    return this.#taken.messages.length;
  }

  passOn(): void {
    const taken = this.#taken;
    this.#taken = undefined;
    const now = this.#hooks.now();
    if (taken !== undefined) {
      this.#remember(taken.messages);
      const batch: Batch = { messages: taken.messages };
      for (const seat of this.#seats.values()) if (seat !== taken.onlyWriter && seat.heard) this.#send(seat, batch, now);
      for (const { seat } of taken.from) seat.channel.stored?.(true);
    }
    if (this.presence.hasNews) {
      const batch: Batch = { messages: [awarenessMessage(this.presence.takeNews())] };
      // Also to the one it came from: y-websocket takes silence for a dead link.
      for (const seat of this.#seats.values()) this.#send(seat, batch, now);
      this.#hooks.presenceChanged();
    }
  }

  /** Ends all members. */
  close(code: number, reason: string): void {
    this.#closed = true;
    for (const seat of [...this.#seats.values()]) seat.channel.close(code, reason);
    this.#seats.clear();
    this.#pulse.forget(this);
  }

  /** The document was changed by us: from disk, by a call. */
  readonly #ownUpdate = (update: Uint8Array): void => {
    this.#stateVector = undefined;
    this.#hooks.applied([update], new Set());
    this.#own.push(updateMessage(update));
    this.#schedule();
  };

  #receive(seat: Seat, bytes: Uint8Array): void {
    if (this.#closed) return;
    this.#slowDown(seat, bytes.length);
    let message: ReturnType<typeof readMessage>;
    try {
      message = readMessage(bytes, this.presence.size + MAX_UNKNOWN_PRESENT);
    } catch {
      this.#refuse(seat, 'The message is no y-protocols message.');
      return;
    }
    if (message.type === 'step1') this.#answerStep1(seat, message.stateVector);
    else if (message.type === 'step2') this.#receiveUpdate(seat, message.update, updateMessage(message.update), true);
    else if (message.type === 'update') this.#receiveUpdate(seat, message.update, bytes, false);
    else if (message.type === 'awareness') {
      if (this.presence.receive(seat, message.entries)) this.#schedule();
      else this.#refuse(seat, UNFIT_PRESENCE);
    } else if (message.type === 'too many entries') this.#refuse(seat, UNFIT_PRESENCE);
    else if (message.type === 'query-awareness') this.#answerWhoIsThere(seat);
  }

  /** Once for all that one read of the socket brings: the answer may be longer than ten thousand of such questions. */
  #answerWhoIsThere(seat: Seat): void {
    if (seat.asksWhoIsThere) return;
    seat.asksWhoIsThere = true;
    queueMicrotask(() => {
      seat.asksWhoIsThere = false;
      this.#send(seat, { messages: [awarenessMessage(this.presence.all())] });
    });
  }

  /** Reads no faster than the rate allows; nothing is lost, it waits on the other side. */
  #slowDown(seat: Seat, bytes: number): void {
    const now = this.#hooks.now();
    if (now - seat.secondMs >= 1000) {
      seat.secondMs = now;
      seat.secondBytes = 0;
    }
    const before = seat.secondBytes;
    seat.secondBytes += bytes;
    if (before > MAX_BYTES_PER_S || seat.secondBytes <= MAX_BYTES_PER_S) return;
    seat.channel.pause();
    setTimeout(() => seat.channel.resume(), seat.secondMs + 1000 - now).unref();
  }

  #answerStep1(seat: Seat, encoded: Uint8Array): void {
    // What came in this turn must be in the answer, or it would be sent before the state that it builds on.
    this.flush();
    let theirs: StateVector;
    try {
      if (leadingCount(encoded) > this.#ydoc.store.clients.size + MAX_UNKNOWN_CLIENTS) {
        this.#refuse(seat, 'The state vector is of too many clients.');
        return;
      }
      theirs = Y.decodeStateVector(encoded);
    } catch {
      this.#refuse(seat, 'The state vector is malformed.');
      return;
    }
    if (seat.heard && seat.channel.stored !== undefined) {
      if (seat.channel.buffered > MAX_BEHIND_BYTES) seat.askLater = true;
      else this.#askAgain(seat);
    }
    seat.heard = true;
    if (theirs.size === 0) this.#sendSnapshot(seat);
    else this.#answerWhatIsKnown(seat, theirs, encoded);
  }

  #answerWhatIsKnown(seat: Seat, theirs: StateVector, encoded: Uint8Array): void {
    if (!seat.foreign && knowsLostState(theirs, this.#ydoc, this.#life)) {
      // Both histories at once would show the text twice.
      if (seat.isReadOnly()) {
        seat.channel.close(closeCodes.outdated, 'The document began anew: load it again.');
        this.#leave(seat);
        return;
      }
      // All that the client has is asked for, to be merged as text.
      seat.answersDue++;
      this.#ask(seat, NOTHING);
      seat.foreign = true;
    }
    // Not worked out for nothing: who is behind gets the whole state later.
    if (seat.foreign || !this.#keepsUp(seat)) return;
    if (seat.hasAtLeast !== undefined) {
      seat.hasAtLeast = seat.hasAtLeast === null ? theirs : inBoth(seat.hasAtLeast, theirs);
      return;
    }
    seat.hasAtLeast = null;
    this.#sendLacking(seat, encoded);
    queueMicrotask(() => this.#answerTheRest(seat));
  }

  /** Of all questions of one read of the socket, once: each answer may take long to work out, even where there is little in it. */
  #answerTheRest(seat: Seat): void {
    const { hasAtLeast } = seat;
    seat.hasAtLeast = undefined;
    if (!hasAtLeast || seat.foreign || this.#closed || !this.#seats.has(seat.channel) || !this.#keepsUp(seat)) return;
    this.flush();
    this.#sendLacking(seat, Y.encodeStateVector(hasAtLeast));
  }

  #sendLacking(seat: Seat, stateVector: Uint8Array): void {
    this.#send(seat, { messages: [step2Message(Y.encodeStateAsUpdate(this.#ydoc, stateVector))] });
  }

  #receiveUpdate(seat: Seat, update: Uint8Array, message: Uint8Array, isStep2: boolean): void {
    const isAnswer = isStep2 && seat.answersDue > 0;
    if (isAnswer) seat.answersDue--;
    if (seat.foreign) {
      // Whatever comes before the whole state is in it.
      seat.untold++;
      if (isStep2 && seat.answersDue === 0) this.#heal(seat, update);
      return;
    }
    if (isEmptyUpdate(update)) return seat.channel.stored?.(true);
    if (seat.isReadOnly()) return this.#passOver(seat, update, isAnswer);
    this.#pendingBytes += update.length;
    if (!this.#hooks.hasRoomFor(this.#pendingBytes)) {
      this.#pendingBytes -= update.length;
      this.#refuse(seat, TOO_LARGE, closeCodes.unsupported);
      return;
    }
    this.#pending.push({ update, message, seat });
    this.#schedule();
  }

  /** What a member brings who may only read. `isAnswer`: to what we asked, which tells again of all that was ever deleted. */
  #passOver(seat: Seat, update: Uint8Array, isAnswer: boolean): void {
    try {
      const isNews = !isAnswer || !isKnown(update, this.#ydoc);
      if (isNews) this.#sayReadOnly(seat);
      seat.channel.stored?.(!isNews);
    } catch {
      this.#refuse(seat, 'The update is malformed.');
    }
  }

  #heal(seat: Seat, state: Uint8Array): void {
    if (!this.#hooks.hasRoomFor(state.length)) return this.#refuse(seat, TOO_LARGE, closeCodes.unsupported);
    this.flush();
    seat.foreign = false;
    try {
      this.#hooks.heal(state, this.#nameOf(seat));
    } catch (error) {
      this.#hooks.failed('heal', error);
      this.#refuse(seat, 'The history is malformed.');
      return;
    }
    this.flush();
    this.#sendSnapshot(seat);
    this.#sendPresence(seat);
    for (; seat.untold > 0; seat.untold--) seat.channel.stored?.(true);
  }

  /** Gives those that held; whoever sent another is refused. */
  #apply(pending: PendingUpdate[]): PendingUpdate[] {
    const broken = new Map<Seat, string>();
    const lost = new Set<PendingUpdate>();
    const names = new Set<string>();
    const refuse = (seat: Seat, error: unknown): void => {
      this.#hooks.failed('update', error);
      broken.set(seat, error instanceof OutriggerError ? error.message : 'The update is malformed.');
    };
    const take = (one: PendingUpdate, others?: PendingUpdate[]): void => {
      const { seat } = one;
      try {
        if (!broken.has(seat)) {
          takeUpdate(this.#ydoc, others === undefined ? one.update : mergeMany(others.map(({ update }) => update)));
          names.add(this.#nameOf(seat));
          return;
        }
      } catch (error) {
        refuse(seat, error);
      }
      for (const each of others ?? [one]) lost.add(each);
    };
    this.#stateVector = undefined;
    // Their own bytes are logged and passed on: without a listener, Yjs does not encode the same again.
    this.#ydoc.off('update', this.#ownUpdate);
    try {
      this.#ydoc.transact((transaction) => {
        let count = 0;
        for (const one of pending) {
          if (somethingWaits(this.#ydoc)) break;
          take(one);
          count++;
        }
        // Each may cost as much now as all that waits: the updates of one member are taken as one.
        const rest = count === pending.length ? [] : pending.slice(count);
        for (const updates of Map.groupBy(rest, ({ seat }) => seat).values()) if (updates[0] !== undefined) take(updates[0], updates);
        refuseUnfit(transaction);
      }, FROM_CHANNELS);
    } catch (error) {
      if (pending.length > 1) return this.#applyApart(pending);
      for (const one of pending) {
        refuse(one.seat, error);
        lost.add(one);
      }
    }
    this.#ydoc.on('update', this.#ownUpdate);
    const applied = lost.size === 0 ? pending : pending.filter((one) => !lost.has(one));
    if (applied.length > 0)
      this.#hooks.applied(
        applied.map(({ update }) => update),
        names,
      );
    if (broken.size === 0) return applied;
    this.#rebuild();
    for (const [seat, reason] of broken) this.#refuse(seat, reason);
    return applied;
  }

  /** The same, each in a transaction of its own: what went wrong with all of them shows whose it was. */
  #applyApart(pending: readonly PendingUpdate[]): PendingUpdate[] {
    this.#rebuild();
    const broken = new Set<Seat>();
    return pending.filter((one) => {
      if (broken.has(one.seat)) return false;
      const holds = this.#apply([one]).length > 0;
      if (!holds) broken.add(one.seat);
      return holds;
    });
  }

  /** Part of a broken update may be in the document: what is stored is whole. */
  #rebuild(): void {
    this.#ydoc = this.#hooks.rebuild();
    this.#ydoc.on('update', this.#ownUpdate);
    this.#snapshot = undefined;
  }

  #nameOf(seat: Seat): string {
    const own = seat.shared ? this.presence.nameOf(seat) : undefined;
    return own === undefined ? seat.name : `${seat.name.slice(0, seat.name.indexOf(' '))} ${own}`;
  }

  #leave(seat: Seat): void {
    if (!this.#seats.delete(seat.channel) || this.#closed) return;
    this.presence.left(seat);
    if (this.presence.hasNews) this.#schedule();
    else this.#hooks.presenceChanged();
    if (this.#seats.size === 0) {
      this.flush();
      this.#hooks.presenceChanged();
      this.#hooks.emptied();
    }
  }

  #caughtUp(seat: Seat): void {
    if (seat.askLater) {
      seat.askLater = false;
      this.#askAgain(seat);
    }
    if (!seat.behind) return;
    seat.behind = false;
    this.flush();
    this.#sendSnapshot(seat);
    this.#sendPresence(seat);
  }

  #sendSnapshot(seat: Seat): void {
    if (this.#snapshot === undefined) {
      const message = step2Message(Y.encodeStateAsUpdate(this.#ydoc));
      this.#snapshot = { batch: { messages: [message] }, bytes: message.length, tail: [], tailBytes: 0 };
    }
    // Two batches: the large one is framed once for all who join. Together they are one answer, however much is queued then.
    const { batch, tail } = this.#snapshot;
    this.#send(seat, batch);
    if (tail.length > 0 && !seat.behind && !seat.foreign) seat.channel.send({ messages: tail });
  }

  /** To one who was told of nobody for a while. */
  #sendPresence(seat: Seat): void {
    const presence = this.presence.allAndLeft();
    if (presence.length > 0) this.#send(seat, { messages: [awarenessMessage(presence)] });
  }

  #remember(messages: readonly Uint8Array[]): void {
    if (this.#snapshot === undefined) return;
    for (const message of messages) {
      // A copy: a message is a view into the bytes of a whole read of the socket.
      this.#snapshot.tail.push(new Uint8Array(message));
      this.#snapshot.tailBytes += message.length;
    }
    if (this.#snapshot.tailBytes > SNAPSHOT_TAIL_BYTES + this.#snapshot.bytes / 4) this.#snapshot = undefined;
  }

  /** False from when too much is queued for it until it has taken that. */
  #keepsUp(seat: Seat): boolean {
    if (seat.channel.buffered > MAX_BEHIND_BYTES) seat.behind = true;
    return !seat.behind;
  }

  #send(seat: Seat, batch: Batch, now = this.#hooks.now()): void {
    if (seat.foreign || !this.#keepsUp(seat)) return;
    seat.lastSentMs = now;
    seat.channel.send(batch);
  }

  /** However much waits already: what depends on the answer would never come right without it. */
  #ask(seat: Seat, stateVector: Uint8Array): void {
    seat.lastSentMs = this.#hooks.now();
    seat.channel.send({ messages: [step1Message(stateVector)] });
  }

  #askAgain(seat: Seat): void {
    seat.answersDue++;
    this.#ask(seat, this.#currentStateVector());
  }

  #sayReadOnly(seat: Seat): void {
    const now = this.#hooks.now();
    if (now - seat.deniedToldMs < 1000) return;
    seat.deniedToldMs = now;
    this.#send(seat, { messages: [permissionDeniedMessage('read-only')] });
  }

  #refuse(seat: Seat, reason: string, code: number = closeCodes.badMessage): void {
    seat.channel.close(code, reason);
    this.#leave(seat);
  }

  #schedule(): void {
    if (!this.#closed) this.#pulse.schedule(this);
  }

  #currentStateVector(): Uint8Array {
    this.#stateVector ??= Y.encodeStateVector(this.#ydoc);
    return this.#stateVector;
  }
}

/** The least that is in both. */
function inBoth(one: StateVector, other: StateVector): StateVector {
  const least: StateVector = new Map();
  for (const [client, clock] of one) {
    const theirs = other.get(client);
    if (theirs !== undefined) least.set(client, Math.min(clock, theirs));
  }
  return least;
}
