import type { ServerResponse } from 'node:http';
import { OutriggerError } from '../contract/errors.ts';

/** A reader that takes nothing for so long is given up. */
const stallMs = 120_000;

/**
 * Cache-Control of what comes as a stream, or has an ETag that a change may depend on. What compresses on the way may hold back the end of an item until the next one
 * (HAProxy), and marks an ETag so that it names the content no more (RFC 9110 section 8.8.3.3).
 */
export const asItIs = 'no-store, no-transform';

/** Resolves when the response takes more; rejects when its connection is gone or its reader stands still. */
export function writable(response: ServerResponse): Promise<void> {
  if (response.destroyed || response.closed) return Promise.reject(new OutriggerError('CANCELED', 'The caller went away.'));
  if (!response.writableNeedDrain) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const done = (error?: OutriggerError): void => {
      clearTimeout(timer);
      response.off('drain', onDrain);
      response.off('close', onClose);
      if (error === undefined) resolve();
      else reject(error);
    };
    const onDrain = (): void => done();
    const onClose = (): void => done(new OutriggerError('CANCELED', 'The caller went away.'));
    const timer = setTimeout(() => {
      response.destroy();
      done(new OutriggerError('CANCELED', `The caller took nothing for ${stallMs} ms.`));
    }, stallMs);
    response.on('drain', onDrain);
    response.on('close', onClose);
  });
}

/**
 * Sends the body of a response of which `length` bytes were announced (NaN: none were), and ends it. Not a byte more is written: on a connection
 * that stays it would be taken for the next response. Throws INTERNAL where another length comes, and what `writable` rejects with; what was sent
 * by then is no answer, so that the response is to be destroyed.
 */
export async function sendBody(response: ServerResponse, body: AsyncIterator<Uint8Array>, length: number): Promise<void> {
  let sent = 0;
  for (let step = await body.next(); step.done !== true; step = await body.next()) {
    sent += step.value.length;
    if (sent > length) break;
    if (!response.write(step.value)) await writable(response);
  }
  if (!Number.isNaN(length) && sent !== length) throw new OutriggerError('INTERNAL', 'The content changed its size while it was read.');
  response.end();
}

/** A signal that is aborted when the caller goes away before the answer is whole. */
export function callerSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new OutriggerError('CANCELED', 'The caller went away.'));
  });
  return controller.signal;
}
