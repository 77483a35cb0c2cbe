/** What a host may ask of a folder, whoever answers. Paths are relative to it, with `/` between names; errors are OutriggerErrors. */
export interface WorkspaceBackend {
  /** Absolute, in the system's own spelling. */
  getRoot(): string;
  /** A file that is not UTF-8 text is NOT_TEXT. */
  readFile(path: string, options?: CallOptions): Promise<FileText>;
  /** What stands at a path; a missing one is an answer, not an error. */
  stat(path: string, options?: CallOptions): Promise<FileStat>;
  hashFile(path: string, options?: CallOptions): Promise<FileHash>;
  /** Files whose path matches one of the globs: `*.ts` at any depth, `/src/**` from the top. */
  glob(pattern: string | readonly string[], options?: GlobOptions): Promise<GlobResult>;
  search(query: SearchQuery, options?: CallOptions): Promise<SearchResult>;
  /** Tells of changes of what matches, until it is disposed of. */
  watch(pattern: string | readonly string[], listener: (event: WatchEvent) => void): Disposable;
  /** Ends everything that was begun; may be called twice. */
  close(): Promise<void>;
}

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface FileText {
  path: string;
  /** With the line ends that the file has; a byte order mark is left out. Offsets of edits count in this. */
  text: string;
  /** Bytes of the file. */
  size: number;
  /** Hex, over the bytes; absent for a file too large to hash while reading. */
  sha256?: string;
  bom?: boolean;
}

export type FileStat =
  | { exists: false }
  | { exists: true; kind: 'file' | 'directory' | 'symlink' | 'other'; size: number; mtimeMs: number; mode: number; target?: string };

export interface FileHash {
  path: string;
  sha256: string;
  size: number;
}

export interface GlobOptions extends CallOptions {
  exclude?: readonly string[];
  limit?: number;
}

export interface GlobResult {
  paths: string[];
  /** There may be more: `limit` was reached. */
  truncated: boolean;
}

export interface SearchQuery {
  pattern: string;
  regex?: boolean;
  /** By default true. */
  caseSensitive?: boolean;
  word?: boolean;
  include?: readonly string[];
  exclude?: readonly string[];
  /** Matching lines, after which the search ends. */
  maxResults?: number;
}

export interface SearchResult {
  files: { path: string; matches: LineMatch[] }[];
  truncated: boolean;
}

export interface LineMatch {
  /** From 1. */
  line: number;
  /** In UTF-16 units, from 1. */
  column?: number;
  text: string;
  /** Start and end in UTF-16 units of `text`. */
  ranges?: [number, number][];
  /** `text` begins so many units into the line. */
  cutAt?: number;
}

export type WatchEvent =
  | { what: 'created' | 'changed' | 'removed'; path: string }
  /** Some steps are not known: what is remembered of the folder must be read anew. */
  | { what: 'resync'; path: '' };

export interface Disposable {
  dispose(): void;
}
