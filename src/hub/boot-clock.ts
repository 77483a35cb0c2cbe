import fs from 'node:fs';

/** Milliseconds of a clock that nobody sets. It stands still while the machine sleeps, and on Linux it is the same one for all processes until the next boot. */
export function sinceBoot(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** What tells one such clock from another: the boot, and the namespace, which may count from elsewhere. Undefined: to another process its times mean nothing. */
export function bootId(): string | undefined {
  try {
    return `${fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${fs.readlinkSync('/proc/self/ns/time')}`;
  } catch {
    // No Linux, or one that does not say.
    return undefined;
  }
}
