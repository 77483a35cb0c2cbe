import type { EntryKind, StatKey } from './stat-key.ts';

/** What was found, in the order in which it must be told. Paths are workspace-relative with '/'. */
export interface Fact {
  path: string;
  kind: EntryKind;
  /**
   * 'suspect': nothing that stat shows changed, but the file is so recent that it may have. 'known': what is new at this path took the place of something
   * whose removal is not told, so that those who follow know the path, whatever becomes of it.
   */
  what: 'added' | 'changed' | 'removed' | 'suspect' | 'known';
  /** For 'removed', the last known one. */
  key: StatKey;
  /** The file is not being written where it stands: it came by rename, or its writer has set its times or mode after the last write. */
  settled: boolean;
  /** This directory stood there before, with all that was in it: what is in it is told only where it changed besides. */
  from?: string;
  /** What was known at this path, a directory or none, where nothing tells that it is gone. */
  replaced?: EntryKind;
}
