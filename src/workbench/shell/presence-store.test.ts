import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import type { Item } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { actorNamed } from '../actor.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { PresenceStore } from './presence-store.ts';

type News = Item<Operations['documents.watch']>;

/** As the sidecar tells it: that there is a beginning, then all that is open. */
const begins: News = { changed: [], closed: [] };
const open = (...paths: string[]): News => ({
  changed: paths.map((path, index) => ({
    ...{ path, connections: 1, state: 'saved', etag: null, revision: 1, length: 1, eol: 'lf', bom: false },
    people: [{ client: index, name: `in ${path}`, kind: 'person' }],
  })),
  closed: [],
});

test('who left while the link was away is no longer here when it is back', async () => {
  const feeds = [[begins, open('a.txt', 'b.txt')], [begins, open('b.txt')], [begins]];
  let cut: () => void = () => {};
  const stream = (_name: string, _input: object, { onResume }: { onResume?: () => unknown } = {}) =>
    (async function* () {
      for (;;) {
        yield* feeds.shift() ?? [];
        await new Promise<void>((resolve) => (cut = resolve));
        onResume?.();
      }
    })();
  const store = new PresenceStore({ stream } as unknown as WorkbenchClient, signal(actorNamed('me', 'person')), signal(new Set()));
  store.start();
  const here = (): string[] => store.others.value.map(({ actor }) => actor.name);
  await eventually(() => assert.deepEqual(here(), ['in a.txt', 'in b.txt']));
  cut();
  await eventually(() => assert.deepEqual(here(), ['in b.txt']), 2000);
  cut();
  await eventually(() => assert.deepEqual(here(), []), 2000);
});
