import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FastifyReply } from 'fastify';
import { ConnectStream } from './connect-wire.ts';

/** How many signs of life come in a minute of silence. */
function signsOfLife(t: TestContext, keepaliveS: number | undefined): number {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let count = 0;
  const raw = { writeHead: () => raw, once: () => raw, write: () => ++count > 0, writableNeedDrain: false };
  const reply = { header: () => reply, getHeaders: () => ({}), hijack: () => undefined, raw };
  void new ConnectStream(reply as unknown as FastifyReply, keepaliveS, {});
  t.mock.timers.tick(60_000);
  t.mock.timers.reset();
  return count;
}

test('a stream says that it lives as often as asked, and more often than proxies cut what is silent', (t) => {
  assert.deepEqual(
    [10, 50, 100_000].map((seconds) => signsOfLife(t, seconds)),
    [6, 4, 4],
  );
  assert.equal(signsOfLife(t, undefined), 0);
});
