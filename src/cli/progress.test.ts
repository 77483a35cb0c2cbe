import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withProgress } from './progress.ts';

async function* chunks(count: number, bytes: number, each: () => void): AsyncGenerator<Uint8Array, void, undefined> {
  for (let n = 0; n < count; n++) {
    each();
    yield new Uint8Array(bytes);
  }
}

async function run(options: {
  interactive: boolean;
  total: number | undefined;
  eachMs: number;
}): Promise<{ told: string[]; bytes: number }> {
  const told: string[] = [];
  let ms = 0;
  const terminal = {
    interactive: options.interactive,
    width: 100,
    out: () => assert.fail('data alone goes to stdout'),
    err: (text: string) => void told.push(text),
    log: () => assert.fail('there is no log'),
    bold: (text: string) => text,
    dim: (text: string) => text,
  };
  let bytes = 0;
  const source = chunks(10, 1_000_000, () => (ms += options.eachMs));
  for await (const chunk of withProgress(source, 'big.bin', options.total, terminal, () => ms)) bytes += chunk.length;
  return { told, bytes };
}

test('on a terminal it says how far it is, and clears its line at the end', async () => {
  const { told, bytes } = await run({ interactive: true, total: 10_000_000, eachMs: 250 });
  assert.equal(bytes, 10_000_000);
  assert.match(told[0] ?? '', /big\.bin {2}20 % of 10\.0 MB$/);
  assert.match(told.at(-2) ?? '', /100 % of 10\.0 MB$/);
  assert.equal(told.at(-1), '\r\u001b[K');
});

test('where the size is not known it says what has passed', async () => {
  const { told } = await run({ interactive: true, total: undefined, eachMs: 250 });
  assert.match(told[0] ?? '', /big\.bin {2}2\.0 MB$/);
});

test('what is done in half a second, and what nobody looks at, is passed on without a word', async () => {
  assert.deepEqual(await run({ interactive: true, total: 10_000_000, eachMs: 20 }), { told: [], bytes: 10_000_000 });
  assert.deepEqual(await run({ interactive: false, total: 10_000_000, eachMs: 250 }), { told: [], bytes: 10_000_000 });
});
