import type { Dispatch } from '../../src/contract/dispatch.ts';
import type { WireError } from '../../src/contract/errors.ts';
import type { Caller } from '../../src/contract/access.ts';
import type { Peer } from '../../src/core/peer.ts';
export interface Options {
    signal?: AbortSignal;
}
/** One way of reaching operations. What it answers must be what every other one answers. */
export interface Driver {
    name: string;
    /** The whole answer; streamed items gathered in it. */
    call(name: string, input: object, options?: Options): Promise<unknown>;
    /** Items as they come, then the answer. */
    stream(name: string, input: object, options?: Options): {
        items: AsyncIterable<unknown>;
        end: Promise<unknown>;
    };
    upload(name: string, input: object, bytes: AsyncIterable<Uint8Array>, options?: Options): Promise<unknown>;
    download(name: string, input: object, options?: Options): Promise<{
        output: unknown;
        bytes: Uint8Array;
    }>;
}
export declare function gathered(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array>;
/** A driver over one end of an RPC connection. */
export declare function peerDriver(name: string, peer: Peer<WireError>): Driver;
/** A driver that calls dispatch in the same process. */
export declare function dispatchDriver(dispatch: Dispatch, caller: Caller): Driver;
