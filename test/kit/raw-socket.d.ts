import { type Socket } from 'node:net';
export interface RawSocket {
    socket: Socket;
    /** All that came so far, as latin1. */
    readonly received: string;
    /** Resolves when the other side has closed or reset the connection. */
    readonly closed: Promise<void>;
}
/** A TCP connection on which a test says exactly what it wants. With `stays` it does not close when the other side does. */
export declare function rawSocket(port: number, text?: string, stays?: boolean): Promise<RawSocket>;
export declare function upgradeText(path: string, headers?: Record<string, string | undefined>): string;
