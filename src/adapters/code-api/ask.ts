import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import type { Asked, Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';

type Name = keyof Operations & string;

/** On whose behalf operations are called, and until when. */
export interface Asking {
  dispatch: Dispatch;
  caller: Caller;
  /** As the log shows it. */
  transport: string;
  requestId: string;
  signal: AbortSignal;
}

export interface AskingMore {
  emit?: (item: unknown) => Promise<void> | void;
  body?: AsyncIterable<Uint8Array>;
}

/** One call of an operation. Throws OutriggerError, as dispatch does. */
export async function ask<K extends Name>(
  { dispatch, ...asking }: Asking,
  name: K,
  input: Asked<Operations[K]>,
  more: AskingMore = {},
): Promise<Output<Operations[K]>> {
  const { output } = await dispatch({ ...asking, name, input, ...more });
  return output as Output<Operations[K]>;
}

/** As `ask`, of an operation that answers bytes: they must be read to their end or returned. */
export async function askBytes<K extends Name>(
  { dispatch, ...asking }: Asking,
  name: K,
  input: Asked<Operations[K]>,
): Promise<{ head: Output<Operations[K]>; bytes: AsyncIterable<Uint8Array> }> {
  const { output, bytes } = await dispatch({ ...asking, name, input });
  if (bytes === undefined) throw new Error(`${name} answered without bytes.`);
  return { head: output as Output<Operations[K]>, bytes };
}

/** Puts a file of one session into another. Throws what the operations throw. */
export async function copyFile(
  asking: Asking,
  from: { session: string; id: string },
  to: { session: string; name: string },
): Promise<Output<Operations['code.putFile']>> {
  const { bytes } = await askBytes(asking, 'code.getFile', from);
  const iterator = bytes[Symbol.asyncIterator]();
  try {
    return await ask(asking, 'code.putFile', to, { body: { [Symbol.asyncIterator]: () => iterator } });
  } finally {
    // Where it was refused, nobody has read it.
    await iterator.return?.();
  }
}
