/** Waits until `check` neither throws nor answers false, looking often; fails with its last failure after `timeoutMs`. */
export declare function eventually(check: () => unknown, timeoutMs?: number): Promise<void>;
