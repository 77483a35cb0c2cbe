import type { Cause } from '../../contract/events.ts';

export interface LiveContent {
  /** As it would be saved: the file's line ends, byte order mark included. */
  raw: string;
  unsaved: boolean;
}

export interface LiveWritten {
  etag: string;
  size: number;
  revision: number;
  changed: boolean;
}

/**
 * The port through which open documents stand before the file: a read sees unsaved text, a write becomes edits. The
 * documents service provides it; without documents nothing is ever open.
 */
export interface LiveText {
  /** Undefined when no document is open at the path. */
  read(path: string): LiveContent | undefined;
  /**
   * Changes an open document by the smallest edits and saves it. `change` gets the current raw text, in the turn in which its
   * result is applied, and may throw to leave it alone. Resolves undefined when no document is open (any more).
   */
  write(path: string, change: (raw: string) => string, cause: Cause): Promise<LiveWritten | undefined>;
  /** Saves what is unsaved at and below the path; resolves when it is on disk or can't be. */
  flush(path: string): Promise<void>;
}
