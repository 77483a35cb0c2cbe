import type { Faults } from '../../src/sidecar/sidecar.ts';
export interface FuzzPlan {
    seed: number;
    steps: number;
    faults?: Faults;
    /** At rest, after every so many steps. */
    restEvery?: number;
    /** Shares of the rarer steps, of all steps. */
    rates: {
        kill: number;
        restart: number;
        lose: number;
        rename: number;
    };
}
export interface FuzzCounts {
    steps: number;
    kills: number;
    restarts: number;
    lost: number;
    renames: number;
    rests: number;
    words: number;
}
export declare function runDocumentsFuzz(plan: FuzzPlan): Promise<FuzzCounts>;
/** A small generator whose whole run follows from the seed. */
export declare function mulberry32(seed: number): () => number;
