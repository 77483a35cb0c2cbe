import type { ServerResponse } from 'node:http';
import { OutriggerError } from '../contract/errors.ts';

/** A reader that takes nothing for so long is given up. */
export const stallMs = 120_000;

/** Resolves when the response takes more; rejects when its connection is gone or its reader stands still. */
export function writable(response: ServerResponse, timeoutMs = stallMs): Promise<void> {
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
      done(new OutriggerError('CANCELED', `The caller took nothing for ${timeoutMs} ms.`));
    }, timeoutMs);
    response.on('drain', onDrain);
    response.on('close', onClose);
  });
}

/** A signal that is aborted when the caller goes away before the answer is whole. */
export function callerSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  response.once('close', () => {
    if (!response.writableFinished) controller.abort(new OutriggerError('CANCELED', 'The caller went away.'));
  });
  return controller.signal;
}
