import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import { eventually } from '../../test/kit/eventually.ts';
import { OutriggerError } from '../contract/errors.ts';
import { CheckpointStore } from './checkpoints/checkpoint-store.ts';
import type { WorkbenchClient } from './client-port.ts';
import { DeployStore } from './deploy/deploy-store.ts';
import type { Toasts } from './shell/toasts.ts';

test('that the sidecar stops is no failure of what is listed: it is asked for when the link is back', async (context) => {
  const live = signal(true);
  let stops = true;
  let asked = 0;
  const stopping = new OutriggerError('STOPPING', 'The sidecar is stopping.');
  const call = (): Promise<unknown> => {
    asked++;
    return stops ? Promise.reject(stopping) : Promise.resolve({ checkpoints: [], more: false, profiles: [], deployments: [] });
  };
  const client = { call } as unknown as WorkbenchClient;
  const checkpoints = new CheckpointStore(client, live);
  const other = { client, live, processes: { programs: signal([]) }, toasts: {} as Toasts, now: () => 0, isSeen: () => true };
  const deploys = new DeployStore(other);
  const cases = [
    { name: 'checkpoints', store: checkpoints, isKnown: () => checkpoints.known.value },
    { name: 'deployments', store: deploys, isKnown: () => deploys.profiles.value !== undefined },
  ];
  for (const { name, store, isKnown } of cases)
    await context.test(name, async () => {
      [live.value, stops, asked] = [true, true, 0];
      store.want();
      await eventually(() => asked === 1);
      await store.refresh();
      assert.deepEqual([store.problem.value, isKnown()], [undefined, false]);
      [live.value, stops] = [false, false];
      live.value = true;
      await eventually(isKnown);
    });
});
