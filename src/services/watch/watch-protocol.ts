// What the main thread and the watch's worker say to each other.

import type { MessagePort } from 'node:worker_threads';
import type { EntryKind, StatKey } from './stat-key.ts';

/** What is at a path now; paths are workspace-relative with '/'. */
export interface WatchReport {
  path: string;
  kind: EntryKind;
  what: 'present' | 'removed';
  /** Bytes. For a removal, and for ino and mtimeMs too, as last known. */
  size: number;
  mtimeMs: number;
  ino: number;
  /** sha256 of the content, lower-case hex; null for what is no file, is removed, can't be read or is larger than hashMaxBytes. */
  hash: string | null;
  /** It changed while nobody watched. */
  offline: boolean;
  /** Nothing was ever reported at this path, or its removal was. */
  isNew: boolean;
  /** Nothing was known to stand there when it was first seen. Other than `isNew`, that stays so when somebody asks for the path meanwhile. */
  isCreated: boolean;
  /** It stood there before, as did everything in it if it is a directory; no removal of the old place is reported. */
  from?: string;
  /** With `from`, of what is no directory: the inode number of the directory in which it stood when this was told. */
  folderIno?: number;
  /** A directory that was known at this path made way for what is none, or the other way round; no removal of that is reported. */
  replaced?: EntryKind;
}

export type Engine = 'inotify' | 'polling' | 'parcel';

export type Baseline = 'none' | 'loaded' | 'corrupt';

export interface WatchSettings {
  root: string;
  ignore: readonly string[];
  settleMs: number;
  pollMs: number;
  sweepMs: number;
  hashMaxBytes: number;
  engine: 'auto' | 'poll' | 'parcel';
  snapshotPath: string | null;
  snapshotEveryMs: number;
}

/** What the worker is started with. */
export interface WorkerData {
  settings: WatchSettings;
  /** Brings OwnChanges; apart from the other messages, so that the worker can read it between two lines. */
  ownChanges: MessagePort;
  /** What those who follow were told of, and what we did ourselves, up to now; from a watcher's start on it only grows. */
  mark: number;
}

/** What we did ourselves, and whoever follows knows of. */
export interface OwnChanges {
  writes: OwnWrite[];
  /** What stood there we took away, or what stands there we moved: to the table it may look as it did before. */
  moved: string[];
  /** What is about to be put in place, told before: from then on a program may move it on at once. */
  coming?: OwnWrite;
}

/** What we put at a path ourselves, as it was then. */
export interface OwnWrite {
  path: string;
  kind: EntryKind;
  key: StatKey;
}

export interface Degraded {
  reason: string;
  hint: string;
}

export interface WorkerState {
  engine: Engine;
  directories: number;
  files: number;
  rescans: number;
  overflows: number;
  invalidNames: number;
  errors: number;
  held: boolean;
  /** git's lock is older than the longest hold: changes are reported in spite of it. */
  heldTooLong: boolean;
  rootGone: boolean;
  degraded: Degraded | null;
}

export type ToWorker =
  /** All up to the mark is on disk, and what came from the watch was in its table. */
  | { type: 'acknowledge'; mark: number }
  /** `paths`: of these alone. */
  | { type: 'barrier'; id: number; paths?: readonly string[] }
  | { type: 'sweep'; id: number }
  | { type: 'recheck'; paths: string[] }
  | { type: 'stall'; ms: number }
  | { type: 'crash' }
  | { type: 'stop'; mark: number };

export type FromWorker =
  | { type: 'ready'; ms: number; baseline: Baseline; mark: number | null; state: WorkerState }
  | { type: 'failed'; message: string }
  | { type: 'reports'; reports: WatchReport[]; barriers: number[]; state: WorkerState }
  | { type: 'state'; state: WorkerState }
  | { type: 'git' }
  | { type: 'root'; gone: boolean }
  | { type: 'stopped' };
