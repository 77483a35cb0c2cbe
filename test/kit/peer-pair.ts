import { type WireError, OutriggerError, peerErrors } from '../../src/contract/errors.ts';
import { createJsonCodec } from '../../src/core/json-codec.ts';
import { Peer, type PeerLimits, type PeerRequest, type PeerTimers } from '../../src/core/peer.ts';

/** Timers that stand still until they are told to move. */
export class ManualTimers implements PeerTimers {
  #now = 0;
  #next = 0;
  readonly #timers = new Map<number, { at: number; run: () => void }>();

  get pending(): number {
    return this.#timers.size;
  }

  readonly set = (run: () => void, ms: number): number => {
    this.#timers.set(++this.#next, { at: this.#now + ms, run });
    return this.#next;
  };
  readonly clear = (timer: unknown): void => {
    this.#timers.delete(timer as number);
  };
  readonly soon = (run: () => void): void => {
    setImmediate(run);
  };

  advance(ms: number): void {
    const until = this.#now + ms;
    for (;;) {
      const due = [...this.#timers].filter(([, timer]) => timer.at <= until).toSorted((a, b) => a[1].at - b[1].at)[0];
      if (due === undefined) break;
      this.#now = due[1].at;
      this.#timers.delete(due[0]);
      due[1].run();
    }
    this.#now = until;
  }
}

export interface Side {
  peer: Peer<WireError>;
  /** Every message this side sent. */
  sent: Record<string, unknown>[];
  /** What `buffered` says; `drain` tells the peer that it came down. */
  buffered: number;
  drain(): void;
  paused: boolean;
  closedWith: Error | undefined;
  events: { event: string; data: unknown }[];
}

export type Handle = (request: PeerRequest) => Promise<unknown>;

/** Two peers on a wire in memory that delivers in order, one message a turn of the event loop. */
export function peerPair(options: { left?: Handle; right?: Handle; timers?: PeerTimers; limits?: Partial<PeerLimits> }): {
  left: Side;
  right: Side;
  timers: PeerTimers;
  quiet: () => Promise<void>;
} {
  const timers = options.timers ?? new ManualTimers();
  let underWay = 0;
  const make = (idPrefix: string, handle: Handle | undefined, other: () => Side): Side => {
    const drains: (() => void)[] = [];
    const side: Side = {
      sent: [],
      buffered: 0,
      paused: false,
      closedWith: undefined,
      events: [],
      drain: () => {
        for (const listener of drains) listener();
      },
      peer: undefined as unknown as Peer<WireError>,
    };
    side.peer = new Peer<WireError>(
      {
        codec: createJsonCodec(),
        errors: peerErrors((id) => `request-${id}`),
        timers,
        send: (text) => {
          side.sent.push(JSON.parse(text) as Record<string, unknown>);
          underWay++;
          setImmediate(() => {
            underWay--;
            other().peer.receive(text);
          });
        },
        buffered: () => side.buffered,
        onDrain: (listener) => drains.push(listener),
        pause: () => {
          side.paused = true;
        },
        resume: () => {
          side.paused = false;
        },
        ...(handle === undefined ? {} : { handle }),
        onEvent: (event, data) => side.events.push({ event, data }),
        onClose: (error) => {
          side.closedWith = error;
        },
        idPrefix,
      },
      options.limits,
    );
    return side;
  };
  const left: Side = make('l', options.left, () => right);
  const right: Side = make('r', options.right, () => left);
  /** Resolves when nothing is under way for some turns. */
  const quiet = async (): Promise<void> => {
    for (let calm = 0; calm < 5; calm++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (underWay > 0) calm = 0;
    }
  };
  return { left, right, timers, quiet };
}

export function reasonOf(error: unknown): string {
  return error instanceof OutriggerError ? error.reason : String(error);
}

/** The reason a promise was rejected with, or `no error`. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => reasonOf(error),
  );
}
