import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** What the toolchains of Debian read of /etc. */
const systemNames = [
  ...['passwd', 'group', 'nsswitch.conf', 'localtime', 'timezone', 'mime.types', 'os-release', 'protocols', 'services', 'gai.conf'],
  ...['ld.so.cache', 'ld.so.conf', 'ld.so.conf.d', 'alternatives', 'ssl', 'ca-certificates', 'ca-certificates.conf', 'pki'],
  ...['java-11-openjdk', 'java-17-openjdk', 'java-21-openjdk', 'java-25-openjdk', 'java', 'R', 'php', 'python3'],
  ...['ldc2.conf', 'ldc2', 'fonts'],
];
const inEtc = (name: string): string => `/etc/${name}`;
export const systemSettings = systemNames.map(inEtc);
/** Beside those, for programs that may use the network. */
export const networkSettings = ['hosts', 'resolv.conf', 'host.conf'].map(inEtc);

/** So often it is looked whether an installation changed something. */
const LOOK_EACH_MS = 1000;
const OTHERS_READ = 0o004;
const OTHERS_PASS = 0o005;

/** Of so many entries on, a folder that everybody may read all of is bound instead of copied: certificates and alternatives are hundreds of links. */
const MANY_ENTRIES = 64;

/** What a program has for its /etc. */
export interface BoundSettings {
  /** Absolute; bound as /etc. */
  readonly folder: string;
  /** Folders below /etc, absolute, which are bound over their places in it. */
  readonly whole: readonly string[];
}

interface Copy extends BoundSettings {
  /** When each file at the top and each folder was changed, as it was copied. */
  times: Map<string, number>;
  lookedAt: number;
}

/**
 * A copy of what programs read of /etc: one folder is bound much faster than forty, and a large one much faster than it is copied. Nothing is
 * in it that not everybody may read. One for programs without network, one for those with it.
 */
export class Settings {
  readonly #scratch: string;
  readonly #now: () => number;
  readonly #copies = new Map<boolean, Copy>();
  readonly #making = new Map<boolean, Promise<void>>();
  /** Programs may still run in older ones: all go at the end. */
  readonly #made: string[] = [];

  /** `scratch`: an absolute folder that is there. `now`: milliseconds. */
  constructor(scratch: string, now: () => number) {
    this.#scratch = scratch;
    this.#now = now;
  }

  /** undefined as long as there is none that is up to date: it is made meanwhile. */
  bound(network: boolean): BoundSettings | undefined {
    const copy = this.#copies.get(network);
    if (copy !== undefined) {
      const now = this.#now();
      if (now - copy.lookedAt < LOOK_EACH_MS || isUpToDate(copy)) {
        if (now - copy.lookedAt >= LOOK_EACH_MS) copy.lookedAt = now;
        return copy;
      }
      this.#copies.delete(network);
    }
    void this.make(network);
    return undefined;
  }

  /** Never rejects: without a copy, all is bound one by one. */
  async make(network: boolean): Promise<void> {
    const making = this.#making.get(network) ?? this.#copy(network).catch(() => {});
    this.#making.set(network, making);
    await making;
    this.#making.delete(network);
  }

  /** Resolves when all of them are gone. Never rejects. */
  async close(): Promise<void> {
    await Promise.all(this.#making.values());
    this.#copies.clear();
    await Promise.all(this.#made.splice(0).map((folder) => fs.promises.rm(folder, { recursive: true, force: true }).catch(() => {})));
  }

  async #copy(network: boolean): Promise<void> {
    const folder = path.join(this.#scratch, `settings-${randomBytes(9).toString('hex')}`);
    const copied: Copied = { times: new Map(), whole: [] };
    await fs.promises.mkdir(folder);
    this.#made.push(folder);
    const lookedAt = this.#now();
    await fs.promises.chmod(folder, 0o755);
    const names = [...systemSettings, ...(network ? networkSettings : [])];
    await Promise.all(
      names.map(async (from) => {
        copied.times.set(from, timeOf(from));
        await copyTop(from, path.join(folder, path.basename(from)), copied);
      }),
    );
    this.#copies.set(network, { folder, ...copied, lookedAt });
  }
}

interface Copied {
  times: Map<string, number>;
  whole: string[];
}

/** A link into /usr says something by itself, as /etc/localtime does; another leads where programs do not get. */
async function copyTop(from: string, to: string, copied: Copied): Promise<void> {
  const real = await fs.promises.realpath(from).catch(() => undefined);
  if (real === undefined) return;
  if (real !== from && real.startsWith('/usr/')) await fs.promises.symlink(real, to);
  // Where it is bound it has to be at its own place.
  else await copy(real, to, real === from ? copied : { ...copied, whole: undefined });
}

async function copy(from: string, to: string, copied: Pick<Copied, 'times'> & { whole: string[] | undefined }): Promise<void> {
  const stat = await fs.promises.lstat(from);
  if (stat.isSymbolicLink()) await fs.promises.symlink(await fs.promises.readlink(from), to);
  else if (stat.isFile() && (stat.mode & OTHERS_READ) !== 0) {
    await fs.promises.copyFile(from, to);
    await fs.promises.chmod(to, 0o644);
  } else if (stat.isDirectory() && (stat.mode & OTHERS_PASS) === OTHERS_PASS) {
    copied.times.set(from, timeOf(from));
    await fs.promises.mkdir(to);
    await fs.promises.chmod(to, 0o755);
    const names = await fs.promises.readdir(from);
    if (copied.whole !== undefined && names.length >= MANY_ENTRIES && isForAll(from, copied.times)) copied.whole.push(from);
    else await Promise.all(names.map((name) => copy(path.join(from, name), path.join(to, name), copied)));
  }
}

/** Everybody may read all that is in a folder; when it and those below it were changed is noted. */
function isForAll(folder: string, times: Map<string, number>): boolean {
  times.set(folder, timeOf(folder));
  return fs.readdirSync(folder, { withFileTypes: true }).every((entry) => {
    if (entry.isSymbolicLink()) return true;
    const file = path.join(folder, entry.name);
    const mode = fs.statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    if (entry.isDirectory()) return (mode & OTHERS_PASS) === OTHERS_PASS && isForAll(file, times);
    return entry.isFile() && (mode & OTHERS_READ) !== 0;
  });
}

function isUpToDate({ times }: Copy): boolean {
  for (const [file, time] of times) if (timeOf(file) !== time) return false;
  return true;
}

/** 0 for what is not there. */
function timeOf(file: string): number {
  return fs.statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
