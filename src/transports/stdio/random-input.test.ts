// Lines as no well-behaved host would send them, cut anywhere: what is good among them is answered, once and in full.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { createFakes, fakeCaller } from '../../../test/kit/fake-operations.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { serveStdio } from './stdio.ts';

interface Answer {
  id: string | null;
  ok?: boolean;
  result?: { text?: string; total?: number };
  items?: unknown[];
  error?: { reason: string };
}

const maxFrameLength = 500;

function numbers(seed: number): (limit: number) => number {
  let state = seed | 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Without a line feed. */
function junk(below: (limit: number) => number): Buffer {
  const kinds = [
    (): string => 'no json at all',
    (): string => '[1,2]',
    (): string => '"text"',
    (): string => '{"id":7,"method":"echo.unary"}',
    (): string => '{"id":"x","method"',
    (): string => 'x'.repeat(maxFrameLength * 4),
    (): Buffer => Buffer.from([0xff, 0xfe, 0x80]),
    (): Buffer => Buffer.from(Array.from({ length: 1 + below(60) }, () => 128 + below(128))),
  ];
  return Buffer.from((kinds[below(kinds.length)] as () => string)());
}

test('junk, blank lines, double ids, late cancels and lines in random pieces: every good request is answered once, and nothing else is', async () => {
  const seed = testSeed();
  const below = numbers(seed);
  for (let round = 0; round < 30; round++) {
    const { dispatch, seen } = createFakes();
    const input = new PassThrough();
    const output = new PassThrough();
    let text = '';
    output.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    const { closed } = serveStdio({ dispatch, input, output, caller: { ...fakeCaller, access: 'read' } }, { limits: { maxFrameLength } });
    const lines: Buffer[] = [];
    const expected = new Map<string, { text: string } | { total: number }>();
    const waiting: string[] = [];
    let refused = 0;
    let bad = 0;
    const send = (line: object): void => void lines.push(Buffer.from(JSON.stringify(line)));
    for (let number = 0; number < 60; number++) {
      const id = `${round}é${number}`;
      switch (below(8)) {
        case 0:
          if (bad < 12) {
            bad++;
            lines.push(junk(below));
          }
          break;
        case 1:
          lines.push(Buffer.alloc(0));
          break;
        case 2:
          send({ id, method: 'slow.wait', params: {} });
          waiting.push(id);
          break;
        case 3:
          // Of a call that is under way still.
          if (waiting.length > 0) {
            refused++;
            send({ id: waiting[below(waiting.length)], method: 'echo.unary', params: { text: 'double' } });
          }
          break;
        case 4:
          // Of one that never was.
          send({ id: `never${number}`, cancel: true });
          break;
        case 5: {
          const total = below(40);
          send({ id, method: 'items.count', params: { to: total }, stream: true });
          expected.set(id, { total });
          break;
        }
        default: {
          const said = ['a', '日本', '🛟', '\u2028', '"\\', 'x'.repeat(200)][below(6)] as string;
          send({ id, method: 'echo.unary', params: { text: said } });
          expected.set(id, { text: said });
        }
      }
    }
    const bytes = Buffer.concat(lines.flatMap((line) => [line, Buffer.from(below(3) === 0 ? '\r\n' : '\n')]));
    for (let at = 0; at < bytes.length; ) {
      const next = at + 1 + below(below(2) === 0 ? 5 : 700);
      input.write(bytes.subarray(at, next));
      at = next;
      if (below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const answers = (): Answer[] =>
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Answer);
    const ends = (id: string | null): Answer[] => answers().filter((answer) => answer.id === id && answer.ok !== undefined);
    const said = (): string =>
      `SEED=${seed}, round ${round}:\n${lines.map((line) => line.toString().slice(0, 100)).join('\n')}\n→\n${text}`;
    await eventually(() => {
      for (const id of expected.keys()) assert.equal(ends(id).length, 1, `${id}: ${said()}`);
    });
    for (const [id, result] of expected) {
      const end = ends(id)[0];
      assert.equal(end?.ok, true, said());
      if ('text' in result) assert.equal(end?.result?.text, result.text, said());
      else {
        assert.equal(end?.result?.total, result.total, said());
        assert.equal(answers().flatMap((answer) => (answer.id === id ? (answer.items ?? []) : [])).length, result.total, said());
      }
    }
    // Calls that ended are canceled late, then those that still run.
    for (const id of expected.keys()) input.write(`{"id":"${id}","cancel":true}\n`);
    for (const id of waiting) input.write(`{"id":"${id}","cancel":true}\n{"id":"${id}","cancel":true}\n`);
    await eventually(() => assert.equal(seen.running, 0));
    input.end();
    await closed;
    await eventually(() => {
      const all = answers().filter(({ ok }) => ok !== undefined);
      assert.equal(all.filter(({ id }) => id === null).length, bad, `junk: ${said()}`);
      assert.equal(
        all.filter(({ id, ok }) => ok === false && id !== null && waiting.includes(id)).length,
        refused + waiting.length,
        said(),
      );
      assert.equal(all.length, expected.size + bad + refused + waiting.length, said());
    });
  }
});
