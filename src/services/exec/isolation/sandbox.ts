import type { CodeEndReason, EffectiveLimits, IsolationEvidence, IsolationInfo, RungName } from '../../../contract/code.ts';

/** How the memory of a program is kept within its limit beside what watches the whole tree: an address space that is smaller breaks some runtimes. */
export type MemoryMethod = 'address-space' | 'tree';

/** One program to run apart from everything else. */
export interface SandboxRequest {
  /** The program and its arguments, as they are: no shell reads them. */
  argv: readonly [string, ...string[]];
  /** All of its environment. */
  env: Readonly<Record<string, string>>;
  /** Absolute, as the sidecar sees it: the folder of the session or of a compilation, all that it may write beside its own temporary folders. */
  folder: string;
  /** Absolute folders that it may read beside those of the system. */
  readable: readonly string[];
  limits: EffectiveLimits;
  memoryMethod: MemoryMethod;
  network: boolean;
  /** Its standard input stays open; else it is at its end at once. */
  keepStdinOpen: boolean;
  /** It is started before its work: its time runs, its output counts and goes to somebody, from `begin` on. */
  waits?: boolean;
  /** It has many orders: its own time of processor, and that of each process it starts, over its whole life; `limits.cpuMs` is that of one order. */
  lifeCpuMs?: number;
  /** It says itself how it ends, by one byte on its descriptor 3: its exit code. The whole tree is ended then. Where that can't be, there is no such descriptor. */
  tells?: boolean;
  /** Aborted: the whole tree is ended now, and the end says `canceled`. */
  signal: AbortSignal;
  /** Bytes as they come, within the limit of the output. They are the listener's for the time of the call. */
  onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void;
}

/** A process that waits in no sandbox and runs nobody's code: programs are forks of it, each in a sandbox of its own. */
export interface Interpreter {
  /** An absolute program and its arguments; what it needs for it follows: see `pythonDriver`. */
  argv: readonly [string, ...string[]];
  env: Readonly<Record<string, string>>;
  /** Those of its programs that it must not have itself. */
  later: Readonly<Record<string, string>>;
  /** Another one where it was updated. */
  mark: string;
}

/** What holds for every run alike, beside its limits. */
export interface RunBounds {
  /** All that its folder may hold, also what was there before it. */
  sessionBytes: number;
  /** Files and folders that it may make. */
  newFiles: number;
  /** Levels of folders in its own. */
  folderDepth: number;
}

export interface SandboxEnd {
  reason: CodeEndReason;
  exitCode: number | null;
  signal: string | null;
  /** The limit that it met, as it is called in EffectiveLimits and RunBounds. */
  limit: { name: keyof EffectiveLimits | keyof RunBounds; value: number } | null;
  wallMs: number;
  /** Of the whole tree, since the order before was done; null where nobody counted. */
  cpuMs: number | null;
  memoryBytes: number | null;
  /** Bytes that were left out. */
  omitted: { stdout: number; stderr: number };
  /** Why it could not be started, in words. */
  problem: string | null;
}

/** What one order took, of a program that has many: counted from the end of the one before, the first from its start. */
export interface SandboxUse {
  /** How many programs were ended, at least. */
  ended: number;
  /** Of the whole tree. */
  cpuMs: number;
  /**
   * The most that all held at once, by the cgroup; of version 2 before Linux 6.12, since the start of the program. Without a cgroup, the most that the program
   * itself held, or all of them at a look each 25 ms.
   */
  memoryBytes: number;
  /** A limit that was met, and that the program lived through. */
  limit: 'processes' | 'memoryBytes' | null;
}

export interface SandboxedProgram {
  /** Of one that `waits`: an order's time and output begin, anew each time. `cpuMs`: of one that has many orders; else as it was. */
  begin?(limits: { wallMs: number; outputBytes: number; cpuMs?: number }, onOutput: SandboxRequest['onOutput']): void;
  /** What it was told is done: it waits again, without a limit of time. */
  rest?(): void;
  /**
   * Its order is done: all that it started is ended, and it stands still until something is written to it. Undefined where nobody can do
   * that, and where it is over. Never rejects.
   */
  settle?(): Promise<SandboxUse | undefined>;
  /** Resolves when there is room for more; what a program does not read any more is dropped. */
  write(bytes: Uint8Array): Promise<void>;
  endInput(): void;
  /** Holds the program back, as a full pipe does, until it is let go. */
  pause(): void;
  resume(): void;
  /** Never rejects. Nothing of the tree runs any more; its output may still be on the way to a slow reader. */
  readonly over: Promise<void>;
  /** Never rejects. Nothing of the tree runs any more, and all output was given. */
  readonly end: Promise<SandboxEnd>;
  /** Never rejects. What made the cage is gone too, and the folder is ours again: namespaces take some milliseconds more. */
  readonly gone: Promise<void>;
}

/** What runs programs apart, on the highest rung that this machine gives. */
export interface Sandbox {
  /** Where a program sees its `folder`: /mnt/data at the highest rung, the folder itself below it. Known after `open`. */
  seenAt(folder: string): string;
  /**
   * Tries out what holds, once; later calls get the same. Rejects with TOO_MANY_PROCESSES or DISK_FULL where something is short just now that it takes
   * to try: a later call tries again.
   */
  open(): Promise<{
    isolation: IsolationInfo;
    evidence: IsolationEvidence[];
    rungs: { rung: number; name: RungName; works: boolean; why: string }[];
  }>;
  /** Throws what `open` rejects with, TOOL_MISSING where the program is not there, STOPPING, and the reason of an aborted signal; what fails later is in the end. */
  start(request: SandboxRequest): Promise<SandboxedProgram>;
  /**
   * As `start`, of a program that is a fork of an interpreter: `argv` and `env` of the request mean nothing. Undefined where that can't be on this
   * machine, or not now.
   */
  fork(request: SandboxRequest, interpreter: Interpreter): Promise<SandboxedProgram | undefined>;
  /** Ends all that runs. May be called twice. */
  stop(): Promise<void>;
}
