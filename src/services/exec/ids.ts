import { randomInt } from 'node:crypto';

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 21 characters, as `codeId` in the contract: 125 bits of chance, so that nobody guesses one. */
export function newId(): string {
  return Array.from({ length: 21 }, () => alphanumeric[randomInt(alphanumeric.length)]).join('');
}
