import type { HeldTask, HubFeature, HubFrame } from '../../contract/hub.ts';

/** A frame of an agent without `protocol_version`, which the link adds at its end. */
export type TaskFrame = Readonly<Record<string, unknown>> & { readonly type: string };

export interface TaskSession {
  /** What both sides know; empty on a hub that is not ours. */
  readonly features: ReadonlySet<HubFeature>;
  /** False: not sent, and nothing will send it later. After `disconnected` it is always false. */
  send(frame: TaskFrame): boolean;
  /** A hub that knows leases hears now, and not with the next ping, what is held and how many tasks could be taken. */
  ping(): void;
}

/** What the link needs to know of tasks, and whom it tells. Nothing here may wait: what takes time goes on by itself. */
export interface LinkTasks {
  /** What is held, and what waits to be acknowledged: as much of it as one frame has room for. */
  held(): HeldTask[];
  /** Whether there is more than `held` names. */
  holdsMore(): boolean;
  /** Tasks that could be taken beside those. */
  credit(): number;
  /** A frame about tasks, and `rate_limited`: what was sent last may not have been heard. */
  receive(frame: HubFrame): void;
  connected(session: TaskSession): void;
  disconnected(): void;
  /** The hub says that these are not held any more. */
  lost(held: readonly HeldTask[]): void;
  /** Milliseconds that a renewal holds; undefined on a hub that knows no leases. */
  setLease(ms: number | undefined): void;
  /** The hub has renewed all that was held when a ping left, at this time of the monotonic clock. */
  renewedAt(monotonicMs: number): void;
}
