import { type ChildProcess } from 'node:child_process';
import type { Faults } from '../../src/sidecar/sidecar.ts';
export interface SidecarProcess {
    readonly url: string;
    readonly child: ChildProcess;
    /** Everything on stderr so far. */
    log(): string;
    /** SIGKILL, and waits for the end. */
    kill(): Promise<void>;
    /** SIGTERM, and waits for the end; gives the exit code. */
    stop(): Promise<number | null>;
}
export declare const processToken = "token-of-a-test-process-0123456789";
/** A real sidecar in a process of its own, which can be killed. Resolves when it is ready. */
export declare function spawnSidecar(options: {
    root: string;
    state: string;
    port: number;
    flags?: Record<string, string>;
    faults?: Faults;
}): Promise<SidecarProcess>;
