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
  /** There was no file, and its save made one. */
  created: boolean;
}

/** An open document that is held: it may be typed in, and nothing else happens to it until it is let go. */
export interface HeldText {
  /** Somebody is in it, or something in it is not saved. Else it is put away soon. */
  isInUse(): boolean;
  /** Its text as of now; undefined when its file is gone and nobody typed since. */
  read(): LiveContent | undefined;
  /** Content of the file as the document last left or saw it; undefined when there was no file. */
  saved(): string | undefined;
  /** Saves what is unsaved; resolves when it is on disk or can't be. */
  save(): Promise<void>;
  /** Takes in what others wrote to the file. */
  refresh(): Promise<void>;
  /** Makes this its text, in the turn in which it was written to the file. */
  wrote(raw: string, content: string): void;
}

export interface HeldTexts {
  /** The held document that was open at the path when it was held. */
  at(path: string): HeldText | undefined;
  readonly all: readonly HeldText[];
  /** May be called twice. */
  release(): void;
}

/**
 * The port through which open documents stand before the file, whichever of its names by links they were opened by: a read sees unsaved text, a write
 * becomes edits. The documents service provides it; without documents nothing is ever open.
 */
export interface LiveText {
  /** Undefined when no document is open at the path. */
  read(path: string): LiveContent | undefined;
  /**
   * Takes in what others wrote to the file of an open document, where that was told to nobody yet. Resolves when the document holds it, which may wait
   * for a save under way, and up to a second for a program that is still writing; at once where nothing changed.
   */
  catchUp(path: string): Promise<void>;
  /**
   * Changes an open document, caught up with its file, by the smallest edits and saves it. `change` gets the current raw text, in the turn in which its
   * result is applied, and may throw to leave it alone. Resolves undefined when no document is open (any more).
   */
  write(path: string, change: (raw: string) => string, cause: Cause): Promise<LiveWritten | undefined>;
  /**
   * The watch saw this content at the path, undefined where nothing is, null where it has no hash. It may be news to a document alone, which looks at its
   * file by itself too.
   */
  seen(path: string, content: string | null | undefined): void;
  /** Saves what is unsaved at and below the path; resolves when it is on disk or can't be. */
  flush(path: string): Promise<void>;
  /**
   * Closes the files that saves at and below the path replaced, after a last look at what programs wrote into them. On a volume of NFS no folder can be removed
   * that has one.
   */
  letGoOfReplaced(path: string): void;
  /** Holds all documents that are open at and below the paths. */
  hold(paths: readonly string[]): Promise<HeldTexts>;
}
