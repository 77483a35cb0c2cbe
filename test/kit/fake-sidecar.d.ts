import type { FastifyInstance } from 'fastify';
import type { Caller } from '../../src/contract/access.ts';
import type { Dispatch } from '../../src/contract/dispatch.ts';
import { Listener, type ListenerOptions } from '../../src/net/listener.ts';
import type { OriginPolicy } from '../../src/net/origin.ts';
import type { Clock } from '../../src/net/timers.ts';
import { UpgradeRouter } from '../../src/net/upgrade.ts';
import { WebSockets, type WebSocketsOptions } from '../../src/net/websocket.ts';
import { type WebSocketRpc } from '../../src/transports/ws/ws.ts';
import type { PeerLimits } from '../../src/core/peer.ts';
import { type Fakes } from './fake-operations.ts';
export declare const fakeToken = "token-of-the-tests-0123456789";
export declare const readToken = "reader-of-the-tests-0123456789";
export interface FakeSidecar extends Fakes {
    url: string;
    port: number;
    app: FastifyInstance;
    router: UpgradeRouter;
    sockets: WebSockets;
    rpc: WebSocketRpc;
    listener: Listener;
    errors: unknown[];
}
export interface FakeSidecarOptions {
    listener?: Partial<ListenerOptions>;
    policy?: Partial<OriginPolicy>;
    sockets?: Partial<WebSocketsOptions>;
    clock?: Clock;
    limits?: Partial<PeerLimits>;
    maxUploadBytes?: number;
    maxInputBytes?: number;
    callers?: Record<string, Caller>;
    /** The port to listen on; any free one when left out. */
    port?: number;
    /** Answers in place of the fakes, or hands on to them. */
    dispatch?: (fakes: Dispatch) => Dispatch;
    prepare?: (sidecar: Omit<FakeSidecar, 'url' | 'port'>) => void;
}
/** A real listener on a free port with the fake operations behind HTTP and WebSocket RPC; all is closed when `run` ends. */
export declare function withFakeSidecar(run: (sidecar: FakeSidecar) => Promise<void>, options?: FakeSidecarOptions): Promise<void>;
export declare const bearer: {
    authorization: string;
};
