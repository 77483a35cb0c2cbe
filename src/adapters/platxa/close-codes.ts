/** Close codes of the Platxa platform. */
export const platxaCloseCodes = { badRequest: 4000, unauthorised: 4001, atCapacity: 4003 } as const;

/** Said with `unauthorised`. */
export const TOKEN_ENDED = 'The token does not hold any more.';
