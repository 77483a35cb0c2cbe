// What the index and its threads say to each other.

import type { IndexedFile } from './segment-builder.ts';

export interface ThreadSettings {
  root: string;
  folder: string;
  maxFileBytes: number;
  /** Files larger than twice that are indexed in parts. */
  partBytes: number;
  /** Number of the segments that it writes. */
  sequence: number;
  /** Distinguishes the names of its segments from those of other threads. */
  name: string;
}

/** To a thread. `add` and `finish` build segments; `index` and `verify` are answered at once. */
export type ToThread =
  | { type: 'add'; chunk: number; numbers: number[]; paths: string[] }
  | { type: 'finish' }
  | { type: 'index'; id: number; paths: string[] }
  | { type: 'verify'; id: number; path: string }
  | { type: 'crash' };

/** One file that was read for `index`; its trigrams are in ascending order. */
export type ReadFile = { state: 'indexed'; file: IndexedFile; grams: Uint32Array } | { state: 'missing' | 'unreadable'; path: string };

/** A segment that stands on disk, with the number of the file of each entry as it was given, in its order. */
export interface WrittenSegment {
  type: 'segment';
  path: string;
  numbers: number[];
}

export type FromThread =
  | { type: 'added'; chunk: number; missing: number[]; unreadable: number[] }
  | WrittenSegment
  | { type: 'unwritten'; code: string; message: string; numbers: number[] }
  | { type: 'finished' }
  | { type: 'indexed'; id: number; files: ReadFile[] }
  | { type: 'verified'; id: number; damage: string | null };
