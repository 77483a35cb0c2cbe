import { type Client } from '../../src/client/client.ts';
import type { OptionKey } from '../../src/config/options.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { type Sidecar, type SidecarDependencies } from '../../src/sidecar/sidecar.ts';
export interface RunningSidecar {
    /** `http://127.0.0.1:<port>` */
    url: string;
    port: number;
    token: string;
    /** The workspace. */
    root: string;
    stateFolder: string;
    /** Of the main token; closed at the end. */
    client: Client<Operations>;
    /** A client of another token; closed at the end. */
    clientOf(token: string): Client<Operations>;
    sidecar: Sidecar;
    /** A file of the workspace, as it stands on disk. */
    file(name: string): string;
    put(name: string, content?: string | Buffer): void;
    /** Lines of the log so far. */
    log: readonly Record<string, unknown>[];
}
export interface SidecarSetup {
    /** Options by key, as on the command line. */
    config?: Partial<Record<OptionKey, string | boolean | readonly string[]>>;
    /** Before the start, in the empty workspace. */
    prepare?: (root: string) => void | Promise<void>;
    dependencies?: Partial<Pick<SidecarDependencies, 'operations' | 'workbench' | 'now'>>;
    /** Leave what happens in the log of errors alone; else an error there fails the test. */
    mayLogErrors?: boolean;
}
/**
 * A real sidecar on a fresh folder, at a free port of loopback. Afterwards it is stopped, and the test fails when that takes
 * longer than 10 s, when temporary files or open descriptors of the folder are left, or when something failed inside.
 */
export declare function withSidecar(run: (running: RunningSidecar) => Promise<void>, setup?: SidecarSetup): Promise<void>;
