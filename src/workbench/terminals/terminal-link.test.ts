import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { TerminalItem } from '../../contract/terminals.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { TerminalLink, type TerminalNews } from './terminal-link.ts';

/** A client with one stream that is fed by hand, and calls that are noted. */
function harness() {
  const items: TerminalItem[] = [];
  let wake = (): void => {};
  let over = false;
  let resume = (): unknown => undefined;
  const calls: [name: string, input: unknown][] = [];
  const shown: string[] = [];
  const news: TerminalNews[] = [];
  const lost: unknown[] = [];
  const end = Promise.withResolvers<unknown>();
  const client = {
    call: async (name: string, input: unknown) => void calls.push([name, input]),
    stream: (_name: string, _input: unknown, options: { onResume: () => unknown }) => {
      resume = options.onResume;
      const run = async function* () {
        for (;;) {
          const next = items.shift();
          if (next !== undefined) yield next;
          else if (over) return;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      };
      return Object.assign(run(), { end: end.promise });
    },
  } as unknown as WorkbenchClient;
  const display = {
    reset: ({ columns, rows }: { columns: number; rows: number }) => void shown.push(`reset ${columns}×${rows}`),
    resize: ({ columns, rows }: { columns: number; rows: number }) => void shown.push(`resize ${columns}×${rows}`),
    write: async (text: string) => void shown.push(text),
  };
  const link = new TerminalLink({ client, display, onNews: (one) => news.push(one), onLostInput: (error) => lost.push(error) }, 't-1');
  const send = (...more: TerminalItem[]): void => {
    items.push(...more);
    wake();
  };
  const finish = (): void => {
    over = true;
    end.resolve({ terminal: { process: { id: 't-1', state: 'ended', reason: 'exit', exitCode: 1, restarts: 0 } } });
    wake();
  };
  return { link, calls, shown, news, lost, send, finish, resume: () => resume() };
}

test('the screen comes first, then what is written; another screen begins anew', async () => {
  const { link, shown, news, send } = harness();
  link.start();
  send({ type: 'screen', text: 'a', columns: 80, rows: 24 }, { type: 'output', text: 'b' }, { type: 'size', columns: 100, rows: 30 });
  send({ type: 'title', title: 'top' }, { type: 'viewers', viewers: [{ name: 'Ada', kind: 'person' }] });
  send({ type: 'screen', text: 'c', columns: 100, rows: 30 });
  await eventually(() => assert.deepEqual(shown, ['reset 80×24', 'a', 'b', 'resize 100×30', 'reset 100×30', 'c']));
  assert.ok(news.some(({ title }) => title === 'top'));
  assert.ok(news.some(({ viewers }) => viewers?.[0]?.name === 'Ada'));
});

test('nothing is typed into a terminal whose screen is not there yet, or not any more', async () => {
  const { link, calls, send, finish, resume } = harness();
  link.start();
  link.type('too early');
  send({ type: 'screen', text: '', columns: 80, rows: 24 });
  await eventually(() => link.phase.value === 'attached');
  link.type('ls\r');
  await eventually(() => assert.deepEqual(calls, [['terminals.input', { id: 't-1', text: 'ls\r' }]]));
  resume();
  assert.equal(link.phase.value, 'attaching');
  link.type('while away');
  send({ type: 'screen', text: '', columns: 80, rows: 24 });
  await eventually(() => link.phase.value === 'attached');
  finish();
  await eventually(() => link.phase.value === 'ended');
  link.type('too late');
  await link.setSize({ columns: 10, rows: 10 });
  assert.equal(calls.length, 1);
  assert.equal(link.end.value?.exitCode, 1);
});
