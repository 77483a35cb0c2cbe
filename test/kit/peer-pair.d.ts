import { type WireError } from '../../src/contract/errors.ts';
import { Peer, type PeerLimits, type PeerRequest, type PeerTimers } from '../../src/core/peer.ts';
/** Timers that stand still until they are told to move. */
export declare class ManualTimers implements PeerTimers {
    #private;
    get pending(): number;
    readonly set: (run: () => void, ms: number) => number;
    readonly clear: (timer: unknown) => void;
    readonly soon: (run: () => void) => void;
    advance(ms: number): void;
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
    events: {
        event: string;
        data: unknown;
    }[];
}
export type Handle = (request: PeerRequest) => Promise<unknown>;
/** Two peers on a wire in memory that delivers in order, one message a turn of the event loop. */
export declare function peerPair(options: {
    left?: Handle;
    right?: Handle;
    timers?: PeerTimers;
    limits?: Partial<PeerLimits>;
}): {
    left: Side;
    right: Side;
    timers: PeerTimers;
    quiet: () => Promise<void>;
};
export declare function reasonOf(error: unknown): string;
/** The reason a promise was rejected with, or `no error`. */
export declare function rejection(promise: Promise<unknown>): Promise<string>;
