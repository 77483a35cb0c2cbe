import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { createFakes, fakeCaller, type Seen } from '../../../test/kit/fake-operations.ts';
import type { StdioOptions } from './stdio.ts';
import { serveStdio } from './stdio.ts';

interface Host {
  input: PassThrough;
  output: PassThrough;
  lines: () => Record<string, unknown>[];
  closed: Promise<void>;
  close: () => void;
  seen: Seen;
}

function start(options: StdioOptions = {}): Host {
  const { dispatch, seen } = createFakes();
  const input = new PassThrough();
  const output = new PassThrough();
  let text = '';
  output.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const { closed, close } = serveStdio({ dispatch, input, output, caller: { ...fakeCaller, access: 'read' } }, options);
  const lines = (): Record<string, unknown>[] =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  return { input, output, lines, closed, close, seen };
}

test("the seed's frames: a request is answered with ok and result, or with ok false and an error", async () => {
  const { input, lines, closed } = start();
  input.write('{"id":"1","method":"echo.unary","params":{"text":"hé"}}\n{"id":"2","method":"fail.known","params":{}}\n');
  await eventually(() => lines().length === 2);
  const [first, second] = lines().toSorted((a, b) => String(a['id']).localeCompare(String(b['id'])));
  assert.deepEqual(first, { id: '1', ok: true, result: { text: 'hé', who: 'Tester' } });
  assert.equal(second?.['ok'], false);
  assert.equal((second?.['error'] as { code: string }).code, 'not_found');
  input.end();
  await closed;
});

test('characters split between chunks, junk lines, CRLF and lines too long are all survived', async () => {
  const { input, lines, closed } = start({ limits: { maxFrameLength: 200 } });
  const whole = Buffer.from('{"id":"é","method":"echo.unary","params":{"text":"日本"}}\r\n');
  for (const byte of whole) input.write(Uint8Array.of(byte));
  input.write(`\njunk\n${'x'.repeat(1000)}\n`);
  input.write(Uint8Array.of(0xff, 10));
  input.write('{"id":"last","method":"echo.unary"}\n');
  await eventually(() => lines().length === 5);
  const answers = lines();
  assert.deepEqual(answers.find(({ id }) => id === 'é')?.['result'], { text: '日本', who: 'Tester' });
  assert.equal(answers.filter(({ id, ok }) => id === null && ok === false).length, 3);
  assert.ok(answers.some(({ id, ok }) => id === 'last' && ok === true));
  input.end();
  await closed;
});

test('what was asked before the input ended is answered, also the last line without a line break', async () => {
  const { input, lines, closed } = start();
  input.end('{"id":"1","method":"items.count","params":{"to":3},"stream":true}\n{"id":"2","method":"echo.unary"}');
  await closed;
  await eventually(() => lines().filter((line) => line['ok'] === true).length === 2);
});

test('a call without an end is aborted some time after the input ended', async () => {
  const { input, closed, seen } = start({ drainMs: 30 });
  input.end('{"id":"1","method":"items.endless","params":{},"stream":true}\n');
  await closed;
  await eventually(() => seen.running === 0);
  assert.deepEqual(seen.aborted, [{ mark: 'endless', reason: 'CONNECTION_LOST' }]);
});

test('the ceiling of whoever started it holds', async () => {
  const { input, lines, closed } = start();
  input.end('{"id":"1","method":"echo.write","params":{"path":"a"}}\n');
  await closed;
  await eventually(() => lines().length === 1);
  assert.equal((lines()[0]?.['error'] as { reason: string }).reason, 'ACCESS_DENIED');
});

test('an output that breaks ends it', async () => {
  const { output, closed } = start();
  output.destroy(new Error('EPIPE'));
  await closed;
});

test('a host that does not read is not read from', async () => {
  const { dispatch, seen } = createFakes();
  const input = new PassThrough();
  const output = new PassThrough({ highWaterMark: 1000 });
  const { close } = serveStdio({ dispatch, input, output, caller: fakeCaller }, { limits: { pauseAboveBytes: 20_000 } });
  for (let n = 0; n < 100; n++) {
    input.write(`{"id":"${n}","method":"big.output","params":{"length":5000}}\n`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await eventually(async () => {
    const before = seen.log.length;
    await new Promise((resolve) => setTimeout(resolve, 50));
    return before > 0 && before === seen.log.length;
  });
  assert.ok(input.isPaused());
  assert.ok(seen.log.length < 100, `${seen.log.length} answered`);
  output.resume();
  await eventually(() => !input.isPaused() && seen.log.length === 100);
  close();
});

test('a host that takes nothing for too long is given up, whose end would not be noticed; one that takes something is not', async () => {
  for (const takes of [false, true]) {
    const { dispatch } = createFakes();
    const input = new PassThrough();
    const output = new PassThrough({ highWaterMark: 1000 });
    const { close, closed } = serveStdio(
      { dispatch, input, output, caller: fakeCaller },
      { limits: { pauseAboveBytes: 50_000 }, stallMs: 400 },
    );
    let over = false;
    void closed.then(() => (over = true));
    for (let n = 0; n < 100; n++) {
      input.write(`{"id":"${n}","method":"big.output","params":{"length":5000}}\n`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await eventually(() => input.isPaused());
    const since = performance.now();
    while (takes && input.isPaused() && performance.now() - since < 800) {
      output.read();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    assert.equal(over, false);
    input.end();
    if (takes) output.resume();
    await closed;
    close();
  }
});
