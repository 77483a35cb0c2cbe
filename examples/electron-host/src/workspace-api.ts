// What the page and the main process say to each other: all of it. Both sides and the preload script import this.

/** `window.workspace` of the page. */
export interface WorkspaceApi {
  /** What stands now; later ones come by `onSnapshot`. */
  snapshot(): Promise<Answer<Snapshot>>;
  /** Lets the person choose a folder. The same snapshot as before where nothing was chosen. */
  openFolder(): Promise<Answer<Snapshot>>;
  /** Starts the child again after it was given up. */
  startAgain(): Promise<Answer<Snapshot>>;
  /** Files by letters of their path, the best first. A newer question ends the one before it with CANCELED. */
  findFiles(query: string): Promise<Answer<FoundFiles>>;
  /** Lines of text. A newer question ends the one before it with CANCELED. */
  searchText(query: TextQuery): Promise<Answer<FoundText>>;
  readFile(path: string): Promise<Answer<OpenedFile>>;
  outline(path: string): Promise<Answer<Outline>>;
  /** Gives back how to stop listening. */
  onSnapshot(listener: (snapshot: Snapshot) => void): () => void;
}

/** The bridge between page and main passes no fields of an error on, so that a failure is an answer. */
export type Answer<T> = { ok: true; value: T } | { ok: false; problem: Problem };

export interface Problem {
  /** One of docs/errors.md. */
  reason: string;
  message: string;
}

export interface Snapshot {
  folder: { name: string; path: string } | undefined;
  sidecar: SidecarState;
  /** Grows with changes of the folder's files, several at once as one. */
  changes: number;
  /** Why the folder that was asked for is not open. */
  notice?: string;
}

export type SidecarState =
  | { name: 'none' }
  | { name: 'starting' }
  | { name: 'running'; pid: number | undefined; version: string | undefined; restarts: number }
  /** It ended by itself; `message` says how, and when it is started again. */
  | { name: 'restarting'; message: string }
  /** Node reads the folder: text and files are found, slower, and there are no outlines. */
  | { name: 'fallback'; message: string };

export interface FoundFiles {
  files: { path: string; ranges?: [number, number][] }[];
  truncated: boolean;
}

export interface TextQuery {
  pattern: string;
  regex: boolean;
  caseSensitive: boolean;
}

export interface FoundText {
  files: { path: string; matches: FoundLine[] }[];
  truncated: boolean;
  elapsedMs: number;
  by: 'sidecar' | 'node';
}

export interface FoundLine {
  line: number;
  text: string;
  /** Start and end in UTF-16 units of `text`. */
  ranges?: [number, number][];
}

export interface OpenedFile {
  path: string;
  text: string;
  /** The file is longer than what is shown. */
  cut: boolean;
}

export interface Outline {
  symbols: { name: string; kind: string; line: number; depth: number }[];
}

export type RequestName = Exclude<keyof WorkspaceApi, 'onSnapshot'>;

export const channelOf = (name: RequestName): string => `workspace:${name}`;
export const snapshotChannel = 'workspace:changed';
