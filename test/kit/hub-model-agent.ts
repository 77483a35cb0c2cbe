// An agent of hub-model.ts: it keeps what it holds and what it has to tell on a disk, counts its leases by a clock of its own, and says on
// each connection what it has.

export const LEASE_MS = 60_000;
/** It stops at 90 % of the lease, by its own clock. */
const OWN_LEASE = 0.9;
/** Ticks of a clock that goes right, in a millisecond. */
export const RIGHT_RATE = 10;

export interface Grant {
  task: string;
  fence: number;
}

export type Ending = { type: 'complete'; report: { status: string } | null } | { type: 'fail'; retryable: boolean };

export type ToHub =
  | { type: 'identify'; held: Grant[]; outbox: Grant[] }
  | { type: 'ping'; id: number; held: Grant[] }
  | ({ type: 'accept' } & Grant)
  | ({ type: 'refuse' } & Grant)
  | ({ type: 'end'; ending: Ending } & Grant);
export type ToAgent =
  | { type: 'identified'; nack: Grant[] }
  | { type: 'pong'; id: number; nack: Grant[] }
  | ({ type: 'assign' } & Grant)
  | ({ type: 'accepted' } & Grant)
  | ({ type: 'let go' } & Grant)
  | ({ type: 'cancelled' } & Grant)
  | ({ type: 'told' } & Grant);

/** What an agent does without. */
export type AgentFault = 'outbox' | 'lease clock';

interface Held {
  fence: number;
  /** By its own clock; null: not sent in this life. */
  acceptSent: number | null;
  /** By its own clock; null: the hub has not said that it holds it, so work has not begun. */
  validUntil: number | null;
}

export class ModelAgent {
  readonly name: string;
  /** Tasks at a time. */
  readonly slots: number;
  /** The number of its newest connection: on its disk, so it only grows. */
  session = 0;
  readonly held = new Map<string, Held>();
  readonly outbox = new Map<string, Grant & { ending: Ending }>();
  /** By task and fence, what it brought to an end; false: nobody has told it yet that the hub knows. For the observer. */
  readonly ended = new Map<string, boolean>();
  readonly #clock: { now: number };
  readonly #rate: number;
  readonly #send: (frame: ToHub) => void;
  readonly #fault: AgentFault | undefined;
  #online = false;
  #pingId = 0;
  /** Of this session, the newest fence of each task that was assigned. */
  readonly #seen = new Map<string, number>();
  /** When each ping was sent, by its own clock, and with what. */
  readonly #pings = new Map<number, { sent: number; held: Grant[] }>();

  /** `rate`: ticks of its clock in a millisecond of the hub's; RIGHT_RATE is right. */
  constructor(
    { name, slots, rate, fault }: { name: string; slots: number; rate: number; fault: AgentFault | undefined },
    clock: { now: number },
    send: (frame: ToHub) => void,
  ) {
    this.name = name;
    this.slots = slots;
    this.#rate = rate;
    this.#fault = fault;
    this.#clock = clock;
    this.#send = (frame) => {
      if (this.#online) send(frame);
    };
  }

  connect(): void {
    this.session++;
    this.#online = true;
    this.#seen.clear();
    this.#pings.clear();
    const outbox = [...this.outbox.values()].map(({ task, fence }) => ({ task, fence }));
    this.#send({ type: 'identify', held: this.#grants(), outbox });
  }

  ping(): void {
    const id = ++this.#pingId;
    const held = this.#grants();
    this.#pings.set(id, { sent: this.#now(), held });
    this.#send({ type: 'ping', id, held });
  }

  resend(): void {
    for (const end of this.outbox.values()) this.#send({ type: 'end', ...end });
  }

  /** Tasks that it may work on, as far as it knows. */
  valid(): string[] {
    const isValid = ({ validUntil }: Held) => validUntil !== null && (this.#fault === 'lease clock' || this.#now() < validUntil);
    return [...this.held].filter(([, held]) => isValid(held)).map(([task]) => task);
  }

  /** Brings one of what it may work on to an end. */
  work(choice: number, ending: Ending): void {
    const valid = this.valid();
    const task = valid[choice % Math.max(1, valid.length)];
    if (task !== undefined) this.#finish(task, (this.held.get(task) as Held).fence, ending);
  }

  /** What is in memory is gone; where its queue is lost as well, so is what it held. */
  crash(losesQueue: boolean): void {
    this.#online = false;
    this.#pings.clear();
    if (losesQueue) this.held.clear();
    for (const held of this.held.values()) Object.assign(held, { acceptSent: null, validUntil: null });
  }

  receive(session: number, frame: ToAgent): void {
    // What an older connection said was for what it was then.
    if (!this.#online || session !== this.session) return;
    switch (frame.type) {
      case 'identified':
        for (const grant of frame.nack) this.#letGo(grant);
        return;
      case 'pong':
        for (const grant of frame.nack) this.#letGo(grant);
        for (const grant of this.#pings.get(frame.id)?.held ?? []) this.#extend(grant, this.#pings.get(frame.id)?.sent ?? null);
        return;
      case 'assign':
        return this.#assigned(frame);
      case 'accepted':
        return this.#extend(frame, this.held.get(frame.task)?.acceptSent ?? null);
      case 'let go':
        return this.#letGo(frame);
      case 'cancelled':
        if (this.held.get(frame.task)?.fence === frame.fence) this.#finish(frame.task, frame.fence, { type: 'fail', retryable: false });
        return;
      case 'told':
        this.outbox.delete(keyOf(frame));
        this.ended.set(keyOf(frame), true);
    }
  }

  #assigned({ task, fence }: Grant): void {
    if ((this.#seen.get(task) ?? 0) >= fence || (this.held.get(task)?.fence ?? 0) >= fence) return;
    this.#seen.set(task, fence);
    this.held.delete(task);
    if (this.held.size >= this.slots) return this.#send({ type: 'refuse', task, fence });
    this.held.set(task, { fence, acceptSent: this.#now(), validUntil: null });
    this.#send({ type: 'accept', task, fence });
  }

  #finish(task: string, fence: number, ending: Ending): void {
    const end = { task, fence, ending };
    this.held.delete(task);
    this.ended.set(keyOf(end), false);
    if (this.#fault !== 'outbox') this.outbox.set(keyOf(end), end);
    this.#send({ type: 'end', ...end });
  }

  #letGo({ task, fence }: Grant): void {
    if (this.held.get(task)?.fence === fence) this.held.delete(task);
  }

  /** `sent` is when it asked, by its own clock: the hub heard that then or later. */
  #extend({ task, fence }: Grant, sent: number | null): void {
    const held = this.held.get(task);
    if (held?.fence !== fence || sent === null) return;
    held.validUntil = Math.max(held.validUntil ?? 0, sent + LEASE_MS * OWN_LEASE * RIGHT_RATE);
  }

  #grants(): Grant[] {
    return [...this.held].map(([task, { fence }]) => ({ task, fence }));
  }

  #now(): number {
    return this.#clock.now * this.#rate;
  }
}

function keyOf({ task, fence }: Grant): string {
  return `${task} ${fence}`;
}
