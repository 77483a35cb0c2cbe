import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { ProcessLog } from './process-log.ts';

interface Piece {
  stream: 'stdout' | 'stderr';
  offset: number;
  base64: string;
  lost?: number;
}

const piece = (stream: Piece['stream'], offset: number, bytes: string | Uint8Array, lost?: number): Piece => ({
  stream,
  offset,
  base64: Buffer.from(bytes).toString('base64'),
  ...(lost === undefined ? {} : { lost }),
});

/** A client whose streams give what was prepared for each in turn, and note what they were asked. */
function clientOf(answers: readonly (readonly Piece[])[]): { client: WorkbenchClient; asked: unknown[] } {
  const asked: unknown[] = [];
  const stream = async function* (_name: string, input: unknown): AsyncGenerator<Piece> {
    asked.push(input);
    yield* answers[asked.length - 1] ?? [];
  };
  return { client: { stream } as unknown as WorkbenchClient, asked };
}

async function readOf(log: ProcessLog): Promise<string[]> {
  log.start();
  await eventually(() => !log.reading.value);
  return log.lines.map(({ text }) => text);
}

const drawn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('the end of a log is read first, with how much stands before it; then it goes on by the byte', async () => {
  const { client, asked } = clientOf([
    [piece('stdout', 1000, 'wörld\n'), piece('stderr', 0, 'careful\n')],
    [piece('stdout', 1007, 'more\n')],
    [piece('stdout', 0, 'from the start\n')],
  ]);
  const log = new ProcessLog({ client, drawn }, 'p-1');
  assert.deepEqual(await readOf(log), ['wörld', 'careful']);
  assert.equal(log.earlier.value, 1000);
  assert.deepEqual(log.positions, { stdout: 1007, stderr: 8 });
  assert.deepEqual(await readOf(log), ['wörld', 'careful', 'more']);
  log.startAtBeginning();
  await eventually(() => !log.reading.value);
  assert.deepEqual(
    log.lines.map(({ text }) => text),
    ['from the start'],
  );
  assert.equal(log.earlier.value, 0);
  assert.deepEqual(
    asked.map((input) => (input as { last?: number; from?: unknown }).from ?? 'last'),
    ['last', { stdout: 1007, stderr: 8 }, { stdout: 0, stderr: 0 }],
  );
});

test('a character that comes in two pieces is whole, and bytes that are lost are said', async () => {
  const bytes = Buffer.from('ä😀\n');
  const { client } = clientOf([
    [
      piece('stdout', 0, bytes.subarray(0, 4)),
      piece('stdout', 4, bytes.subarray(4)),
      piece('stdout', 5_000, 'later\n', 5_000 - bytes.length),
    ],
  ]);
  const log = new ProcessLog({ client, drawn }, 'p-1');
  assert.deepEqual(await readOf(log), ['ä😀', '5 kB left out', 'later']);
});

test('a log that can not be read says why', async () => {
  const stream = async function* (): AsyncGenerator<Piece> {
    throw Object.assign(new Error('There is no such process.'), { reason: 'NO_PROCESS' });
  };
  const log = new ProcessLog({ client: { stream } as unknown as WorkbenchClient, drawn }, 'p-1');
  await readOf(log);
  assert.equal(log.problem.value?.reason, 'NO_PROCESS');
});

test('what comes faster than the page draws is held back', async () => {
  let given = 0;
  const stream = async function* (): AsyncGenerator<Piece> {
    for (;;) {
      const text = `${'x'.repeat(64 * 1024 - 1)}\n`;
      yield piece('stdout', given * text.length, text);
      given += 1;
    }
  };
  const log = new ProcessLog({ client: { stream } as unknown as WorkbenchClient, drawn: () => new Promise(() => {}) }, 'p-1');
  log.start();
  await drawn();
  await drawn();
  assert.ok(given > 0 && given < 8, `${given} pieces were taken without being drawn`);
  log.stop();
});
