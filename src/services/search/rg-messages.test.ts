import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSeed } from '../../../test/kit/seed.ts';
import { RgMessages, type RgMessageText } from './rg-messages.ts';

interface Message {
  lines: { text: string };
  line_number: number;
  submatches: { match: { text: string }; start: number }[];
}

function numbers(seed: number): (limit: number) => number {
  let state = seed | 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

const letters = ['a', 'b', '"', '\\', '\n', '\t', '\u0001', 'é', '人', '🙂', '{', '}', '[', ']', ',', '\\"'];

test('messages come out whole however the bytes are cut; of long ones strings and lists are the beginnings, and nothing else is lost', () => {
  const seed = testSeed();
  const below = numbers(seed);
  let shortenedStrings = 0;
  let shortenedLists = 0;
  for (let round = 0; round < 400; round++) {
    const limits = { maxBytes: 200, maxStringBytes: 12 + below(110), maxListBytes: 1 + below(300) };
    const text = (length: number): string => Array.from({ length }, () => letters[below(letters.length)]).join('');
    const sent = Array.from({ length: 1 + below(5) }, (): Message => {
      const submatches = Array.from({ length: below(9) }, (_, start) => ({ match: { text: text(below(20)) }, start }));
      return { lines: { text: text(below(150)) }, line_number: below(1000), submatches };
    });
    const bytes = Buffer.from(sent.map((message) => `${JSON.stringify(message)}\n`).join(''));
    const messages = new RgMessages(limits);
    const came: RgMessageText[] = [];
    for (let at = 0; at < bytes.length; ) {
      const next = at + 1 + below(round % 2 === 0 ? 10 : 500);
      came.push(...messages.push(bytes.subarray(at, next)));
      at = next;
    }
    assert.equal(came.length, sent.length, `SEED=${seed}`);
    for (const [index, { json, shortened }] of came.entries()) {
      const whole = sent[index] as Message;
      const length = Buffer.byteLength(JSON.stringify(whole));
      assert.equal(shortened, length > limits.maxBytes, `SEED=${seed}: ${length} bytes`);
      const got = JSON.parse(json) as Message;
      if (!shortened) assert.deepEqual(got, whole, `SEED=${seed}`);
      assert.equal(got.line_number, whole.line_number);
      const isBeginning = (part: string, of: string): void => {
        assert.ok(of.startsWith(part), `SEED=${seed}: ${JSON.stringify(part)} of ${JSON.stringify(of)}`);
        if (part.length === of.length) return;
        shortenedStrings++;
        const kept = Buffer.byteLength(JSON.stringify(part)) - 2;
        assert.ok(kept >= limits.maxStringBytes && kept <= limits.maxStringBytes + 6, `SEED=${seed}: ${kept} of ${limits.maxStringBytes}`);
      };
      isBeginning(got.lines.text, whole.lines.text);
      for (const [number, { match, start }] of got.submatches.entries()) {
        assert.equal(start, number);
        isBeginning(match.text, (whole.submatches[number] as Message['submatches'][number]).match.text);
      }
      if (got.submatches.length === whole.submatches.length) continue;
      shortenedLists++;
      assert.ok(Buffer.byteLength(JSON.stringify(got.submatches)) > limits.maxListBytes - 40, `SEED=${seed}`);
    }
  }
  assert.ok(shortenedStrings > 100 && shortenedLists > 100, `${shortenedStrings} strings and ${shortenedLists} lists were shortened`);
});

test('what is held of a message has a bound, however long it is', () => {
  const messages = new RgMessages({ maxBytes: 1000, maxStringBytes: 1000, maxListBytes: 1000 });
  const held = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().arrayBuffers;
  };
  const before = held();
  messages.push(Buffer.from('{"text":"'));
  for (let chunk = 0; chunk < 2000; chunk++) messages.push(Buffer.alloc(64 * 1024, 'x'));
  messages.push(Buffer.from('","list":['));
  for (let chunk = 0; chunk < 200; chunk++) messages.push(Buffer.from('{"start":1},'.repeat(5000)));
  const [message] = messages.push(Buffer.from('{}],"last":true}\n'));
  const { text, list, last } = JSON.parse(message?.json ?? '') as { text: string; list: unknown[]; last: boolean };
  assert.deepEqual([text.length, last], [1000, true]);
  assert.ok(list.length < 200, `${list.length} elements`);
  assert.ok(held() - before < 100 * 1024 * 1024, `${(held() - before) / 1024 / 1024} MB`);
});
