import type { Cause } from '../../contract/events.ts';
import type { Durability, ReplacedFile } from './atomic-write.ts';

export interface WriteConditions {
  ifMatch?: string | undefined;
  ifNoneMatch?: string | undefined;
}

export interface WriteRequest extends WriteConditions {
  cause: Cause;
  durability?: Durability | undefined;
  parents?: boolean | undefined;
  mode?: number | undefined;
  /** Where the path must lead, relative to the root: ACCESS_DENIED where a link leads elsewhere by now. */
  leadsTo?: string | undefined;
  /** Takes over the file that was replaced: what a program that had it open writes into it from now on nobody else sees. Not called for one that can't be read, is on SMB, or is written in place. */
  replaced?: ((file: ReplacedFile) => void) | undefined;
  confirm?: Confirm | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Throws where the caller may not touch what the paths lead to by now; `place` is where one does. Called in the turn in which it was opened. With
 * `arrives`, what takes that place may be a link.
 */
export type Confirm = (place: string, arrives?: boolean) => void;

export interface CopyOptions {
  overwrite: boolean;
  parents: boolean;
  cause: Cause;
  /** Of each place that is written, or that something is moved from. */
  confirm?: Confirm | undefined;
  /** Asked before a link is put anywhere; gives the way to tell that it was. */
  putting?: (() => Promise<() => void>) | undefined;
  signal?: AbortSignal | undefined;
}

export interface Written {
  path: string;
  content: string;
  size: number;
  revision: number;
  changed: boolean;
  created: boolean;
}
