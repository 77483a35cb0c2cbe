import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const MOUNTS = '/proc/self/mountinfo';
const OWN_GROUPS = '/proc/self/cgroup';
/** Groups of ours: `outrigger-<pid of the sidecar>-<number>`. */
const ownName = /^outrigger-(\d+)-\d+$/;
/** The kernel lets go of a group a moment after its last process. */
const REMOVE_RETRY_MS = 5;
const MOST_REMOVE_TRIES = 40;
/** Made ahead: making one takes longer than the start of a small program. */
const READY = 4;
/** Of those that served: the kernel needs several times as long to remove one and make another as it takes to look whether it can serve again. */
const MOST_RESTING = 8;
/** Where more is left of a run, such as what the kernel keeps of its files, it would count for the next. */
const MAX_LEFT_BYTES = 1024 * 1024;
/** Version 1 gives it as the limit where there is none, and more than any machine has. */
const UNLIMITED_BYTES = 2 ** 60;

/** Since its start, or since `forget`. */
export interface CgroupUse {
  /**
   * The most that all of the group held at once, with what it kept in memory of files; null where the kernel does not say. Before Linux 6.12, version 2
   * forgets nothing.
   */
  memoryBytes: number | null;
  /** Programs that the kernel ended for want of memory. */
  outOfMemory: number;
  /** Forks that were refused. */
  forksRefused: number;
}

export interface Cgroup {
  /** A process with one thread that writes 0 into these joins it. */
  joins: readonly string[];
  use(): CgroupUse;
  /** Whether the kernel ended a program in it for want of memory, since its start or since `forget`. */
  ranOut(): boolean;
  /** What was up to the last `use` counts no more. */
  forget(): void;
  /** Nothing of it is told any more. Resolves when it is gone, or after 200 ms: what is left of it goes with a later sweep. */
  remove(): Promise<void>;
  /** As `remove`; but where nobody and next to nothing is in it, and nobody comes any more, it rests until somebody wants the same limits. */
  release(): Promise<void>;
}

export interface CgroupLimits {
  memoryBytes: number;
  processes: number;
}

/** Groups of processes whose memory and number the kernel limits together, below the group that this process is in. */
export class Cgroups {
  /** Of this process: it may hold several sidecars. */
  static #count = 0;
  /** `memory+pids`: 2, or what each controller of version 1 is mounted as. */
  readonly version: 1 | 2;
  readonly #memory: string;
  readonly #pids: string;
  readonly #going = new Set<Promise<void>>();
  /** Folders of groups that nobody is in yet. */
  readonly #ready: string[][] = [];
  readonly #resting: Group[] = [];
  readonly #files = new Map<string, boolean>();
  #refilling: Promise<void> | undefined;
  #isClosed = false;

  private constructor(version: 1 | 2, memory: string, pids: string) {
    this.version = version;
    this.#memory = memory;
    this.#pids = pids;
  }

  /** Undefined where there are none, or none that we may make. Throws where something is short just now. */
  static find(): Cgroups | undefined {
    if (process.platform !== 'linux') return undefined;
    try {
      const unified = ownFolder('cgroup2', '');
      const memory = ownFolder('cgroup', 'memory');
      const pids = ownFolder('cgroup', 'pids');
      const found =
        memory !== undefined && pids !== undefined
          ? new Cgroups(1, memory, pids)
          : unified !== undefined && delegates(unified)
            ? new Cgroups(2, unified, unified)
            : undefined;
      return found?.works() === true ? found : undefined;
    } catch (error) {
      throwShortage(error);
      return undefined;
    }
  }

  /** Makes one and removes it. Throws where something is short just now. */
  works(): boolean {
    try {
      const { folders } = this.#make({ memoryBytes: 64 * 1024 * 1024, processes: 8 });
      for (const folder of folders) fs.rmdirSync(folder);
      return true;
    } catch (error) {
      throwShortage(error);
      return false;
    }
  }

  /** Undefined where the system makes no more. */
  make(limits: CgroupLimits): Cgroup | undefined {
    try {
      const rested = this.#rested(limits);
      const group = rested ?? this.#make(limits);
      if (rested === undefined) this.#refill();
      const { folders, meter } = group;
      let isReleased = false;
      const leave = async (how: () => Promise<void>): Promise<void> => {
        if (isReleased) return;
        isReleased = true;
        await how();
      };
      return {
        // One thread that moves itself in version 1 is let through at once; for a process the kernel waits until no processor forks.
        joins: folders.map((folder) => `${folder}/${this.version === 1 ? 'tasks' : 'cgroup.procs'}`),
        ranOut: () => !isReleased && meter.ranOut(),
        use: () => (isReleased ? { memoryBytes: null, outOfMemory: 0, forksRefused: 0 } : meter.use()),
        forget: () => {
          if (!isReleased) meter.forget();
        },
        remove: () => leave(() => this.#remove(group)),
        release: () => leave(() => this.#release(group)),
      };
    } catch {
      return undefined;
    }
  }

  /** Ends what runs in groups whose sidecar is gone, and removes them. */
  async sweep(): Promise<void> {
    for (const parent of new Set([this.#memory, this.#pids])) {
      const left = fs.readdirSync(parent).filter((name) => {
        const owner = ownName.exec(name)?.[1];
        return owner !== undefined && owner !== String(process.pid) && !fs.existsSync(`/proc/${owner}`);
      });
      for (const name of left) {
        const folder = path.join(parent, name);
        for (const pid of numbersIn(path.join(folder, 'cgroup.procs'))) endProcess(pid);
        await removeAll([folder]);
      }
    }
  }

  /** Resolves when all that were let go, and those made ahead, are gone. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#refilling;
    for (const group of this.#resting.splice(0)) void this.#remove(group);
    await removeAll(this.#ready.splice(0).flat());
    await Promise.all(this.#going);
  }

  #refill(): void {
    this.#refilling ??= this.#makeReady().finally(() => {
      this.#refilling = undefined;
    });
  }

  async #makeReady(): Promise<void> {
    while (this.#ready.length < READY && !this.#isClosed) {
      const folders = this.#folders();
      try {
        for (const folder of folders) await fs.promises.mkdir(folder);
        this.#ready.push(folders);
      } catch {
        // Whoever needs one tries again, and says so.
        return removeAll(folders);
      }
    }
  }

  /** What a group has is the same in all of them. */
  #has(folder: string, file: string): boolean {
    const known = this.#files.get(file) ?? fs.existsSync(path.join(folder, file));
    this.#files.set(file, known);
    return known;
  }

  #folders(): string[] {
    const name = `outrigger-${process.pid}-${++Cgroups.#count}`;
    return [...new Set([this.#memory, this.#pids])].map((parent) => `${parent}/${name}`);
  }

  /** The one that rested last with these limits. */
  #rested({ memoryBytes, processes }: CgroupLimits): Group | undefined {
    const at = this.#resting.findLastIndex(({ limits }) => limits.memoryBytes === memoryBytes && limits.processes === processes);
    return at < 0 ? undefined : this.#resting.splice(at, 1)[0];
  }

  async #release(group: Group): Promise<void> {
    if (this.#isClosed || !group.meter.forgetsAll(MAX_LEFT_BYTES)) return this.#remove(group);
    this.#resting.push(group);
    if (this.#resting.length > MOST_RESTING) await this.#remove(this.#resting.shift() as Group);
  }

  #remove({ folders, meter }: Group): Promise<void> {
    meter.close();
    const going: Promise<void> = removeAll(folders).finally(() => this.#going.delete(going));
    this.#going.add(going);
    return going;
  }

  #make(limits: CgroupLimits): Group {
    const { memoryBytes, processes } = limits;
    const ready = this.#ready.shift();
    const folders = ready ?? this.#folders();
    const [memory, pids = memory] = folders as [string, string?];
    try {
      if (ready === undefined) for (const folder of folders) fs.mkdirSync(folder);
      const put = (folder: string, file: string, value: number): void => fs.writeFileSync(`${folder}/${file}`, String(value));
      if (this.version === 1) {
        put(memory, 'memory.limit_in_bytes', memoryBytes);
        // With what was swapped out; a kernel without swap accounting has no such file.
        if (this.#has(memory, 'memory.memsw.limit_in_bytes')) put(memory, 'memory.memsw.limit_in_bytes', memoryBytes);
      } else {
        put(memory, 'memory.max', memoryBytes);
        if (this.#has(memory, 'memory.swap.max')) put(memory, 'memory.swap.max', 0);
        if (this.#has(memory, 'memory.oom.group')) put(memory, 'memory.oom.group', 1);
      }
      put(pids, 'pids.max', processes);
      return { folders, limits, meter: new Meter(this.version, memory, pids) };
    } catch (error) {
      for (const folder of folders) if (fs.existsSync(folder)) fs.rmdirSync(folder);
      throw error;
    }
  }
}

interface Group {
  folders: readonly string[];
  limits: CgroupLimits;
  meter: Meter;
}

/** Counts what a group takes, in files that stay open: they are read again and again. */
class Meter {
  readonly #files: Record<Count, string>;
  readonly #descriptors = new Map<Count, number | undefined>();
  #seen = { outOfMemory: 0, forksRefused: 0 };
  #before = { outOfMemory: 0, forksRefused: 0 };
  #isClosed = false;

  constructor(version: 1 | 2, memory: string, pids: string) {
    this.#files = {
      peak: `${memory}/${version === 1 ? 'memory.max_usage_in_bytes' : 'memory.peak'}`,
      memory: `${memory}/${version === 1 ? 'memory.oom_control' : 'memory.events'}`,
      pids: `${pids}/pids.events`,
      tasks: `${pids}/pids.current`,
      now: `${memory}/${version === 1 ? 'memory.usage_in_bytes' : 'memory.current'}`,
    };
  }

  use(): CgroupUse {
    const most = Number.parseInt(this.#read('peak'), 10);
    // Also where there was room left: a group above this one, such as that of a pod, may have had none.
    this.#seen = { outOfMemory: this.#outOfMemory(), forksRefused: fieldOf(this.#read('pids'), 'max') };
    return {
      memoryBytes: Number.isNaN(most) || most > UNLIMITED_BYTES ? null : most,
      outOfMemory: this.#seen.outOfMemory - this.#before.outOfMemory,
      forksRefused: this.#seen.forksRefused - this.#before.forksRefused,
    };
  }

  ranOut(): boolean {
    return this.#outOfMemory() > this.#before.outOfMemory;
  }

  /** Whether the kernel forgot the most, too. */
  forget(): boolean {
    this.#before = this.#seen;
    const descriptor = this.#descriptors.get('peak');
    if (descriptor === undefined) return false;
    try {
      // By any number: what there is now is the most. Of version 2, for this descriptor alone.
      fs.writeSync(descriptor, '0', 0);
      return true;
    } catch {
      // This kernel forgets nothing.
      return false;
    }
  }

  /** Whether nobody is in it, no more than `bytes`, and nothing of what was counts any more. */
  forgetsAll(bytes: number): boolean {
    if (this.#read('tasks').trim() !== '0') return false;
    const left = Number.parseInt(this.#read('now'), 10);
    // NaN where the kernel does not say.
    if (!(left <= bytes)) return false;
    this.use();
    return this.forget();
  }

  close(): void {
    this.#isClosed = true;
    for (const descriptor of this.#descriptors.values()) if (descriptor !== undefined) fs.closeSync(descriptor);
    this.#descriptors.clear();
  }

  #outOfMemory(): number {
    return fieldOf(this.#read('memory'), 'oom_kill');
  }

  /** '' where it is not there. */
  #read(name: Count): string {
    try {
      if (!this.#descriptors.has(name) && !this.#isClosed) this.#descriptors.set(name, openToRead(this.#files[name], name === 'peak'));
      const descriptor = this.#descriptors.get(name);
      return descriptor === undefined ? '' : counts.toString('latin1', 0, fs.readSync(descriptor, counts, 0, counts.length, 0));
    } catch {
      return '';
    }
  }
}

type Count = 'peak' | 'memory' | 'pids' | 'tasks' | 'now';

/** What a file of counts holds is short. */
const counts = Buffer.alloc(4096);

/** Undefined where it is not there. `writable`: where it can be. */
function openToRead(file: string, writable: boolean): number | undefined {
  for (const flags of writable ? ['r+', 'r'] : ['r'])
    try {
      return fs.openSync(file, flags);
    } catch {
      // Less may be allowed, or nothing.
    }
  return undefined;
}

/** EAGAIN and ENOSPC say how many groups there may be, which may be none. */
function throwShortage(error: unknown): void {
  if (['EMFILE', 'ENFILE', 'ENOMEM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
}

/** The folder of our own group, where that kind is mounted and can be written. */
function ownFolder(kind: 'cgroup' | 'cgroup2', controller: string): string | undefined {
  for (const line of fs.readFileSync(MOUNTS, 'utf8').split('\n')) {
    // https://man7.org/linux/man-pages/man5/proc_pid_mountinfo.5.html
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '', at = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    if (type !== kind || (controller !== '' && !options.split(',').includes(controller))) continue;
    const own = fs
      .readFileSync(OWN_GROUPS, 'utf8')
      .split('\n')
      .map((entry) => entry.split(':'))
      .find(([, names = '']) => (controller === '' ? names === '' : names.split(',').includes(controller)))?.[2];
    if (own === undefined) continue;
    // In a container the mount shows a part of the tree.
    const folder = path.join(at, own.startsWith(root) ? own.slice(root.length) : own);
    return fs.existsSync(folder) ? folder : undefined;
  }
  return undefined;
}

/** Whether groups below get these controllers; in version 2 somebody has to say so, and may where nothing but groups is in it. */
function delegates(folder: string): boolean {
  const names = (file: string): string[] => fs.readFileSync(path.join(folder, file), 'utf8').trim().split(' ');
  const wanted = ['memory', 'pids'];
  if (!wanted.every((name) => names('cgroup.controllers').includes(name))) return false;
  if (!wanted.every((name) => names('cgroup.subtree_control').includes(name)))
    fs.writeFileSync(path.join(folder, 'cgroup.subtree_control'), '+memory +pids');
  return true;
}

async function removeAll(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (let tries = 0; tries < MOST_REMOVE_TRIES; tries++) {
      try {
        // It takes the kernel some time.
        await fs.promises.rmdir(folder);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') break;
        await wait(REMOVE_RETRY_MS);
      }
    }
  }
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}

function numbersIn(file: string): number[] {
  try {
    return fs.readFileSync(file, 'utf8').split(/\s+/).filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/** 0 where it is none of the fields. */
function fieldOf(text: string, name: string): number {
  const line = text.split('\n').find((entry) => entry.startsWith(`${name} `));
  return Number(line?.split(' ')[1] ?? 0);
}
