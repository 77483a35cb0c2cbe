import { randomBytes } from 'node:crypto';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

export interface EditLockOptions {
  /** How long another holder is waited for. */
  timeoutMs: number;
}

/** Who holds it, as it stands in the file. */
interface Holder {
  pid: number;
  host: string;
  /** Milliseconds since 1970 at which the process began: a number of a process comes again. */
  began: number;
  key: string;
}

const pollMs = 10;
/** Clocks are set; the same process may seem to have begun a little earlier or later. */
const sameStartMs = 5000;
/** A lock of another machine, or one whose process number was given to another process, is taken after this. */
const abandonedMs = 10 * 60_000;
/** Of this process, reckoned once: by a clock that is set, or a machine that slept, it would seem to have begun at another time. */
const ownStart = Math.round(Date.now() - process.uptime() * 1000);

/**
 * Lets one batch of edits at a time work on a folder, across calls and processes of this machine. The lock is a file that names its
 * holder, in a folder that is made when it is missing; one whose process is gone is taken over. Returns how to release it; undefined
 * when it was not had in time. Throws what the system says.
 */
export async function acquireEditLock(file: string, { timeoutMs }: EditLockOptions): Promise<(() => Promise<void>) | undefined> {
  const holder: Holder = { pid: process.pid, host: os.hostname(), began: ownStart, key: randomBytes(8).toString('hex') };
  const text = JSON.stringify(holder);
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const held = (await readText(file)) !== undefined;
    if (!held && (await create(file, text))) return () => release(file, text);
    if (held && (await isAbandoned(file, holder)) && (await takeAway(file, holder))) continue;
    if (performance.now() > deadline) return undefined;
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Written aside and linked into place, so that nobody ever reads half a holder; where links do not exist, made in place. */
async function create(file: string, text: string): Promise<boolean> {
  const aside = `${file}.${randomBytes(6).toString('hex')}`;
  try {
    await fs.mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await fs.writeFile(aside, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    // The last holder removed the folder, which it left empty, in this very moment.
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
  try {
    await fs.link(aside, file);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    // No links on this file system, or not for us.
    return await fs.writeFile(file, text, { flag: 'wx', mode: 0o600 }).then(
      () => true,
      (failure: unknown) => {
        if (codeOf(failure) === 'EEXIST') return false;
        throw failure;
      },
    );
  } finally {
    await fs.rm(aside, { force: true });
  }
}

async function release(file: string, text: string): Promise<void> {
  if ((await readText(file)) === text) await fs.rm(file, { force: true });
}

async function isAbandoned(file: string, self: Holder): Promise<boolean> {
  const text = await readText(file);
  if (text === undefined) return false;
  const stat = await fs.stat(file).catch(() => undefined);
  if (stat !== undefined && Date.now() - stat.mtimeMs > abandonedMs) return true;
  const holder = parse(text);
  // Half written, where links do not exist: its writer is at it, or the time above says otherwise.
  if (holder === undefined || holder.host !== self.host) return false;
  if (holder.pid === self.pid) return Math.abs(holder.began - self.began) > sameStartMs;
  return !isAlive(holder.pid);
}

/** Of several that see it abandoned, one moves it away; one that moved a fresh lock by that puts it back. False where it is still there. */
async function takeAway(file: string, self: Holder): Promise<boolean> {
  const aside = `${file}.${self.key}.old`;
  try {
    await fs.rename(file, aside);
  } catch (error) {
    // Another was first.
    if (codeOf(error) === 'ENOENT') return true;
    // On Windows whoever reads it keeps it there for that moment.
    if (process.platform === 'win32') return false;
    throw error;
  }
  if (!(await isAbandoned(aside, self))) await fs.link(aside, file).catch(() => undefined);
  await fs.rm(aside, { force: true });
  return true;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there and another user's.
    return codeOf(error) === 'EPERM';
  }
}

async function readText(file: string): Promise<string | undefined> {
  return await fs.readFile(file, 'utf8').catch(() => undefined);
}

function parse(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text) as Partial<Holder> | null;
    return typeof holder?.pid === 'number' && typeof holder.host === 'string' && typeof holder.began === 'number'
      ? (holder as Holder)
      : undefined;
  } catch {
    // Half written.
    return undefined;
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code;
}
