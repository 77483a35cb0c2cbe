/** Any mix of calls in both directions: one end each, items in order and whole, within credit, nothing left. */
export declare function mixedCalls(seed: number, numRuns: number): Promise<void>;
/** Whatever arrives, the peer stands, answers good requests, and holds nothing. */
export declare function anyFrames(seed: number, numRuns: number): Promise<void>;
