import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reason, withClient } from '../../test/kit/client.ts';
import { eventually } from '../../test/kit/eventually.ts';
import { fakeCaller, type FakeTable } from '../../test/kit/fake-operations.ts';
import { withFakeSidecar } from '../../test/kit/fake-sidecar.ts';
import type { Caller } from '../contract/access.ts';
import type { Client } from './client.ts';

const token = 'token-of-several-people-0123456789';
const callers: Record<string, Caller> = { [token]: { ...fakeCaller, id: 'several', name: 'owner', shared: true } };

async function who(client: Client<FakeTable>): Promise<string> {
  return (await client.call('echo.unary', {})).who;
}

for (const [over, options] of [
  ['the WebSocket', {}],
  ['HTTP alone', { webSocket: undefined }],
] as const) {
  test(`who holds a token with others is told of by the own name, over ${over}; who has one alone, by that of the token`, () =>
    withFakeSidecar(
      async ({ url, seen }) => {
        await withClient(
          url,
          async (client) => {
            assert.equal(await who(client), 'Zoë 한');
            client.setName('  Ben\u0000\n');
            assert.equal(await who(client), 'Ben');
            client.setName('🙂'.repeat(90));
            assert.equal(await who(client), '🙂'.repeat(80));
            client.setName('\u200b \n');
            assert.equal(await who(client), 'owner');
            client.setName('\ud800');
            assert.equal(await who(client), '\ufffd');
            client.setName(undefined);
            assert.equal(await who(client), 'owner');
          },
          { ...options, token, name: 'Zoë 한' },
        );
        await withClient(url, async (client) => assert.equal(await who(client), 'Tester'), { ...options, name: 'Ada' });
        assert.deepEqual(new Set(seen.log.map(({ caller }) => caller)), new Set(['owner', 'Tester']), 'the log names tokens');
      },
      { callers },
    ));
}

test('a name is said again when the connection is another one', () =>
  withFakeSidecar(
    async ({ url }) => {
      const opened: WebSocket[] = [];
      class Seen extends WebSocket {
        constructor(...given: ConstructorParameters<typeof WebSocket>) {
          super(...given);
          opened.push(this);
        }
      }
      await withClient(
        url,
        async (client) => {
          assert.equal(await who(client), 'Ada');
          opened[0]?.close();
          await eventually(() => assert.equal(opened.length, 2));
          await client.connection.whenLive({ patient: true });
          assert.equal(await who(client), 'Ada');
        },
        { token, name: 'Ada', webSocket: Seen as never },
      );
    },
    { callers },
  ));

test('what is no name is refused', () =>
  withFakeSidecar(
    async ({ url }) => {
      await withClient(
        url,
        async (client) => {
          const peer = await client.connection.whenLive({ patient: true });
          for (const params of [undefined, {}, { name: 7 }, ['Ada']])
            assert.equal(await reason(peer.call('rpc.name', params).result), 'BAD_INPUT');
          assert.deepEqual(await peer.call('rpc.name', { name: 'Ada' }).result, { name: 'Ada' });
        },
        { token },
      );
      const headers = { authorization: `Bearer ${token}`, 'outrigger-name': '%E0%A4%A' };
      assert.equal((await fetch(`${url}/api/echo.unary`, { headers })).status, 400);
    },
    { callers },
  ));
