import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { serveOdooLog } from './odoo.ts';

interface Log {
  socket: TextSocket;
  /** As the other side does. */
  leave: () => void;
  /** With which ours was closed. */
  codes: number[];
  lines: string[];
}

function logSocket(): Log {
  let leave = (): void => undefined;
  const codes: number[] = [];
  const lines: string[] = [];
  const socket: TextSocket = {
    send: (line) => lines.push(line),
    buffered: 0,
    onDrain: () => undefined,
    onText: () => undefined,
    onBad: () => undefined,
    onClose: (listener) => {
      leave = listener;
    },
    pause: () => undefined,
    resume: () => undefined,
    close: (code) => codes.push(code),
  };
  return { socket, leave: () => leave(), codes, lines };
}

/** Follows until it is ended. */
const dispatch = (({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))) as Dispatch;

test('a reader of the log who leaves leaves nothing behind at its token; one whose token ends is closed', async () => {
  const ended = new AbortController();
  const caller: Caller = { id: 'main', name: 'main', kind: 'person', access: 'admin', ended: ended.signal };
  const logs = Array.from({ length: 20 }, logSocket);
  for (const { socket } of logs) serveOdooLog(socket, { dispatch, caller }, 'request');
  for (const { leave } of logs.slice(1)) leave();
  assert.equal(getEventListeners(ended.signal, 'abort').length, 1);
  ended.abort();
  await new Promise(setImmediate);
  assert.deepEqual(logs[0]?.codes, [4001]);
  assert.equal(getEventListeners(ended.signal, 'abort').length, 0);
});

test('where the token has ended before the log is followed, the socket is closed for that', async () => {
  const caller: Caller = { id: 'bot', name: 'Bot', kind: 'agent', access: 'read', ended: AbortSignal.abort() };
  const { socket, codes } = logSocket();
  serveOdooLog(socket, { dispatch, caller }, 'request');
  await new Promise(setImmediate);
  assert.deepEqual(codes, [4001]);
});

test('a log that can not be followed is closed with what went wrong', async () => {
  const caller: Caller = { id: 'bot', name: 'Bot', kind: 'agent', access: 'read', ended: new AbortController().signal };
  const { socket, codes } = logSocket();
  serveOdooLog(socket, { dispatch: () => Promise.reject(new OutriggerError('PART_OFF', 'It is off.')), caller }, 'request');
  await new Promise(setImmediate);
  assert.deepEqual(codes, [4000]);
});

test('a log that is followed while the sidecar stops is closed with 1001', async () => {
  const caller: Caller = { id: 'bot', name: 'Bot', kind: 'agent', access: 'read', ended: new AbortController().signal };
  const { socket, codes } = logSocket();
  serveOdooLog(socket, { dispatch: () => Promise.reject(new OutriggerError('STOPPING', 'The sidecar is stopping.')), caller }, 'request');
  await new Promise(setImmediate);
  assert.deepEqual(codes, [1001]);
});

test('half a line of one output is no part of a line of the other, nor of what follows a gap', async () => {
  const caller: Caller = { id: 'bot', name: 'Bot', kind: 'agent', access: 'read', ended: new AbortController().signal };
  const { socket, lines } = logSocket();
  const items = [
    ['stdout', 'printed in '],
    ['stderr', 'logged\n'],
    ['stdout', 'halves\nbegun'],
    ['stderr', 'half'],
    ['stdout', 'after it\n', 7],
    ['stdout', 'the end'],
  ] as const;
  const told = (async ({ emit }) => {
    for (const [stream, text, lost] of items) await emit?.({ type: 'output', deployment: 'd', stream, text, lost });
    await emit?.({ type: 'deployment', deployment: { endedAt: 1 } });
    return new Promise(() => {});
  }) as Dispatch;
  serveOdooLog(socket, { dispatch: told, caller }, 'request');
  await eventually(() => assert.ok(lines.includes('half')));
  assert.deepEqual(lines, ['logged', 'printed in halves', 'begun', '… 7 bytes are not kept any more …', 'after it', 'the end', 'half']);
});
