import { ConfigError } from '../config/load.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import type { Answer, Asked, Implementations, Operation, Table } from '../contract/operation.ts';
import { operations as ownTable, type Operations } from '../contract/operations.ts';
import { hostCaller } from './sidecar.ts';

export type { Answer };

export interface HostOperations<T extends Table = Table> {
  /** Made with `operation({…})` of `outrigger/contract`. Names are dotted (`notes.count`); one of ours can't be taken. */
  table: T;
  /** One a name of the table; as a function they are made once, and can call the sidecar through what they get. */
  implementations: Implementations<T> | ((sidecar: InProcess) => Implementations<T>);
}

/** Calls without a socket, as the host itself: with admin access, through the same checks as any other call. */
export interface InProcess<T extends Table = Operations> {
  /** Absolute path of the folder. */
  readonly root: string;
  /** Items of an operation that streams are gathered under `items`; bytes are let go of. Throws OutriggerError. For bytes and long streams use `dispatch`. */
  call<K extends keyof T & string>(name: K, input: Asked<T[K]>, options?: { signal?: AbortSignal }): Promise<Answer<T[K]>>;
}

/** HostOperations of whatever table. */
export interface GivenOperations {
  table: Table;
  implementations: Readonly<Record<string, unknown>> | ((sidecar: InProcess) => Readonly<Record<string, unknown>>);
}

const operationName = /^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)+$/;

/** Calls that wait until `started` is told what to call: one may come as soon as the port listens, which is before the start is over. */
export function inProcessOf(root: string): { inProcess: InProcess; started: (dispatch: Dispatch) => void } {
  const { promise, resolve } = Promise.withResolvers<Dispatch>();
  const caller = hostCaller();
  const call = async (name: string, callInput: unknown, options: { signal?: AbortSignal } = {}): Promise<unknown> => {
    const dispatch = await promise;
    const signal = options.signal ?? new AbortController().signal;
    const request = { name, input: callInput, caller, transport: 'host', requestId: crypto.randomUUID(), signal } as const;
    const { output, items, bytes } = await dispatch(request);
    // Nobody reads them: the call is over when they are let go of.
    await bytes?.[Symbol.asyncIterator]().return?.();
    // A copy: what a host does to it is no business of those who are told the same.
    return structuredClone(items === undefined ? output : { ...(output as object), items });
  };
  return { inProcess: { root, call } as InProcess, started: resolve };
}

/** All of them as one. Throws ConfigError with whatever is wrong with them. */
export function mergeOperations(
  given: readonly GivenOperations[],
  inProcess: InProcess,
): { table: Table; implementations: Readonly<Record<string, unknown>> } {
  const table: Record<string, Operation> = {};
  const implementations: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const operations of given) {
    const theirs = typeof operations.implementations === 'function' ? operations.implementations(inProcess) : operations.implementations;
    for (const [name, operation] of Object.entries(operations.table)) {
      if (Object.hasOwn(ownTable, name)) problems.push(`operations: ${name} is an operation of the sidecar itself; choose another name.`);
      else if (!operationName.test(name))
        problems.push(`operations: ${JSON.stringify(name)} is no name for an operation; write it like "notes.count".`);
      else if (!Object.hasOwn(theirs, name)) problems.push(`operations: ${name} has no implementation.`);
      else if (Object.hasOwn(table, name)) problems.push(`operations: ${name} is given twice.`);
      table[name] = operation;
    }
    for (const name of Object.keys(theirs)) {
      if (!Object.hasOwn(operations.table, name))
        problems.push(`operations: there is an implementation of ${JSON.stringify(name)}, but no such operation in the table.`);
    }
    Object.assign(implementations, theirs);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { table, implementations };
}
