/** As in sysexits.h, where it has one. */
export const exitCodes = { ok: 0, failure: 1, usage: 2, unavailable: 69, config: 78 } as const;
