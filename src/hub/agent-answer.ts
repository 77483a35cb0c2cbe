import { OutriggerError } from '../contract/errors.ts';
import type { PeerCall } from '../core/peer.ts';

/**
 * The output of an agent's operation whose items are passed to `emit`. Throws what the call throws, what `emit` throws, and BAD_INPUT where bytes come:
 * nobody would make room for more of them, and the call would never end.
 */
export async function passItems(answer: PeerCall, operation: string, emit: (item: unknown) => Promise<void> | void): Promise<unknown> {
  const wrong = unasked(answer.bytes, `${operation} answers with bytes: ask for them by agents.read.`);
  try {
    for await (const item of answer.items) await emit(item);
    const output = await answer.result;
    await throwIf(wrong);
    return output;
  } catch (error) {
    throw (await wrong) ?? error;
  }
}

/**
 * The bytes of an agent's operation, once the first of them is there or it is over, so that what is refused at once is an error and no answer that breaks
 * off. Throws, here or as they are read, what the call throws, and BAD_INPUT where items come. Whoever leaves them ends the call, read or not.
 */
export async function passBytes(answer: PeerCall, operation: string): Promise<AsyncIterable<Uint8Array>> {
  const wrong = unasked(answer.items, `${operation} answers with items: ask for them by agents.call.`);
  const source = answer.bytes[Symbol.asyncIterator]();
  const next = async (): Promise<IteratorResult<Uint8Array>> => {
    try {
      const step = await source.next();
      if (step.done === true) {
        await answer.result;
        await throwIf(wrong);
      }
      return step;
    } catch (error) {
      throw (await wrong) ?? error;
    }
  };
  let first: IteratorResult<Uint8Array> | undefined = await next();
  // A generator that was never read would not hear that it is left.
  return {
    [Symbol.asyncIterator]: () => ({
      async next() {
        const step = first;
        first = undefined;
        return step ?? (await next());
      },
      async return() {
        await source.return?.();
        return { done: true, value: undefined };
      },
    }),
  };
}

/** Ends the call with the first that comes of what nobody reads. Resolves with the problem, or when nothing of it can come any more. Never rejects. */
async function unasked(stream: AsyncIterable<unknown>, problem: string): Promise<OutriggerError | undefined> {
  try {
    for await (const _ of stream) return new OutriggerError('BAD_INPUT', problem);
  } catch {
    // Whoever reads the answer hears why it ended.
  }
  return undefined;
}

async function throwIf(wrong: Promise<OutriggerError | undefined>): Promise<void> {
  const error = await wrong;
  if (error !== undefined) throw error;
}
