// What a link makes of how the hub greets it, on one clock.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock, fakeWorld, linkOptions } from '../../test/kit/link-harness.ts';
import { greetAgent } from './greet-agent.ts';

test('a link whose identify does not come through is not refused for good: it tries again', async () => {
  const link = fakeWorld({ timeouts: { ...linkOptions.timeouts, identifyMs: 60_000 } });
  const hub = new FakeClock();
  link.link.start();
  const socket = await link.open();
  const none = (): void => {};
  const stalled = { buffered: 0, send: none, onDrain: none, onText: none, onBad: none, onClose: none, pause: none, resume: none };
  const admit = (): never => assert.fail('It said nothing.');
  greetAgent({ ...stalled, close: (code, reason) => socket.end(code, reason) }, null, {
    fleet: { admit, left: none },
    timers: hub.timers,
    log: none,
  });
  await hub.advance(9999);
  assert.equal(link.link.status().state, 'identifying');
  await hub.advance(1);
  assert.equal(link.link.status().state, 'waiting');
  await link.link.stop();
});
