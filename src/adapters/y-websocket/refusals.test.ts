import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { closeCodes } from '../../contract/wire.ts';
import { withSidecar } from '../../../test/kit/sidecar.ts';
import { Refusals } from './refusals.ts';

test('who asks at once again for what is refused for good, as providers before y-websocket 3.1 do without end, is told so later each time', () =>
  withSidecar(async ({ put, url, token, client }) => {
    put('binary', Buffer.from([65, 0, 66]));
    put('other', Buffer.from([65, 0, 66]));
    const { secret } = await client.call('tokens.create', { name: 'another', access: 'write' });
    const refused = async (room: string, who = token): Promise<number> => {
      const asked = performance.now();
      const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws/doc/${room}?token=${who}`);
      const [code] = await once(socket, 'close');
      assert.equal(code, closeCodes.unsupported);
      return performance.now() - asked;
    };
    await refused('binary');
    for (let times = 0; times < 2; times++) assert.ok((await refused('binary')) >= 2400);
    // Nobody else waits for that.
    assert.ok((await refused('other')) < 2400);
    assert.ok((await refused('binary', secret)) < 2400);
  }));

test('a thousand refusals are remembered, the last ones', async () => {
  const refusals = new Refusals();
  const { signal } = new AbortController();
  const takes = async (what: string): Promise<number> => {
    const asked = performance.now();
    await refusals.due(what, signal);
    return performance.now() - asked;
  };
  for (let i = 0; i <= 1000; i++) await refusals.due(`${i}`, signal);
  const [first, second] = await Promise.all([takes('0'), takes('2')]);
  assert.ok(first < 1000);
  assert.ok(second >= 2400);
});
