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
  let isLive = true;
  const link = new TerminalLink(
    { client, display, onNews: (one) => news.push(one), isLive: () => isLive, onLostInput: (error) => lost.push(error) },
    't-1',
  );
  const send = (...more: TerminalItem[]): void => {
    items.push(...more);
    wake();
  };
  const finish = (): void => {
    over = true;
    end.resolve({ terminal: { process: { id: 't-1', state: 'ended', reason: 'exit', exitCode: 1, restarts: 0 } } });
    wake();
  };
  const setLive = (value: boolean): void => void (isLive = value);
  return { link, calls, shown, news, lost, send, finish, resume: () => resume(), setLive };
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

test('what is typed while the screen is on its way waits for it', async () => {
  const { link, calls, send } = harness();
  link.start();
  link.type('l');
  link.type('s\r');
  send({ type: 'screen', text: '', columns: 80, rows: 24 });
  await eventually(() => assert.deepEqual(calls, [['terminals.input', { id: 't-1', text: 'ls\r' }]]));
  // Nor does it come into another that is shown there meanwhile.
  link.start();
  link.type('never');
  link.start();
  send({ type: 'screen', text: '', columns: 80, rows: 24 });
  await eventually(() => link.phase.value === 'attached');
  link.type('pwd\r');
  await eventually(() => assert.deepEqual(calls.slice(1), [['terminals.input', { id: 't-1', text: 'pwd\r' }]]));
});

test('nothing is typed into a terminal while its sidecar is away, nor when it has ended', async () => {
  const { link, calls, send, finish, resume, setLive } = harness();
  setLive(false);
  link.start();
  link.type('too early');
  setLive(true);
  send({ type: 'screen', text: '', columns: 80, rows: 24 });
  await eventually(() => link.phase.value === 'attached');
  link.type('ls\r');
  await eventually(() => assert.deepEqual(calls, [['terminals.input', { id: 't-1', text: 'ls\r' }]]));
  resume();
  assert.equal(link.phase.value, 'attaching');
  link.type('lost with the next one');
  resume();
  setLive(false);
  link.type('while away');
  setLive(true);
  send({ type: 'screen', text: '', columns: 80, rows: 24 });
  await eventually(() => link.phase.value === 'attached');
  finish();
  await eventually(() => link.phase.value === 'ended');
  link.type('too late');
  await link.setSize({ columns: 10, rows: 10 });
  assert.equal(calls.length, 1);
  assert.equal(link.end.value?.exitCode, 1);
});
