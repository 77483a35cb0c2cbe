import type { Asked, Item, Output } from '../contract/operation.ts';
import type { OperationName, Operations } from '../contract/operations.ts';

/** How the link to the sidecar is. `since` is when this state began, in ms since 1970. */
export type Link =
  | { state: 'connecting'; since: number }
  | { state: 'live'; since: number }
  | { state: 'reconnecting' | 'offline'; since: number; nextTryAt: number | undefined }
  /** The sidecar does not take this browser's token; trying again is no use. */
  | { state: 'refused'; since: number; reason: string };

export interface CallOptions {
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** What the workbench needs of a client: calls, streams and the state of the link. Failures are errors with a `reason` of the error table. */
export interface WorkbenchClient {
  call<K extends OperationName>(name: K, input: Asked<Operations[K]>, options?: CallOptions): Promise<Output<Operations[K]>>;
  /** Ends when the answer came; throws when the link is lost. */
  stream<K extends OperationName>(name: K, input: Asked<Operations[K]>, options?: CallOptions): AsyncIterable<Item<Operations[K]>>;
  readonly link: Link;
  /** Calls back at each change of `link`; returns how to stop. */
  onLink(listener: (link: Link) => void): () => void;
  tryNow(): void;
}

export interface UploadOptions {
  /** Permission bits. */
  mode?: number;
  /** Only where there is no file yet. */
  isNew?: boolean;
}

/** Files as they are, byte by byte. */
export interface FileBytes {
  url(path: string): string;
  download(path: string, signal?: AbortSignal): Promise<Blob>;
  upload(path: string, content: Blob, options?: UploadOptions): Promise<void>;
}

/** The part of the browser's localStorage that is used. */
export interface Keep {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}
