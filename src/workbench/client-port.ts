import type { Client, ConnectionState } from '../client/client.ts';
import type { Operations } from '../contract/operations.ts';

export type { ConnectionState };

/** What the workbench uses of the client. Failures are errors with a `reason` of the error table. */
export interface WorkbenchClient extends Pick<Client<Operations>, 'call' | 'stream' | 'upload' | 'download' | 'watchChanges' | 'setName'> {
  readonly connection: {
    readonly state: ConnectionState;
    on(event: 'state', listener: (state: ConnectionState) => void): () => void;
    tryNow(): void;
  };
}

/** The part of the browser's localStorage and sessionStorage that is used. */
export interface Keep {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** What is worth showing of a failure, whoever threw it. */
export interface ErrorFacts {
  message: string;
  reason: string;
  code: string;
  hint: string | undefined;
  details: unknown;
}

export function errorFacts(error: unknown): ErrorFacts {
  const found = (typeof error === 'object' && error !== null ? error : {}) as Partial<ErrorFacts>;
  return {
    message: typeof found.message === 'string' && found.message !== '' ? found.message : String(error),
    reason: typeof found.reason === 'string' ? found.reason : 'INTERNAL',
    code: typeof found.code === 'string' ? found.code : 'unknown',
    hint: typeof found.hint === 'string' ? found.hint : undefined,
    details: found.details,
  };
}

const absent: ReadonlySet<string> = new Set(['PART_OFF', 'NO_OPERATION', 'ACCESS_DENIED', 'OUT_OF_SCOPE']);

/** Whether what was asked for is not there for this caller, now or later: to ask again is of no use. */
export function isAbsent(error: unknown): boolean {
  return absent.has(errorFacts(error).reason);
}

const away: ReadonlySet<string> = new Set(['CONNECTION_LOST', 'STOPPING']);

/** Whether who was asked is not there for now, or about to go: that is told by itself, and once the link is back it is asked again. */
export function isAway(error: unknown): boolean {
  return away.has(errorFacts(error).reason);
}

export function isCanceled(error: unknown): boolean {
  const { reason } = errorFacts(error);
  return reason === 'CANCELED' || (error instanceof Error && error.name === 'AbortError');
}
