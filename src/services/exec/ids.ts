import { randomBytes } from 'node:crypto';

const alphanumeric = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';
/** To ask the system for each would take longer than the rest. */
const CHANCE_BYTES = 1024;
let chance = randomBytes(CHANCE_BYTES);
let used = 0;

/** 21 characters, as `codeId` in the contract: 125 bits of chance, so that nobody guesses one. */
export function newId(): string {
  let id = '';
  while (id.length < 21) {
    if (used === CHANCE_BYTES) {
      chance = randomBytes(CHANCE_BYTES);
      used = 0;
    }
    // Of 64 values those two that have no character are passed over: all others are as likely as each other.
    id += alphanumeric[(chance[used++] as number) & 63] ?? '';
  }
  return id;
}
