/** The seed of this run's random tests: from SEED, else a new one; printed, so that a failure can be run again. */
export declare function testSeed(): number;
