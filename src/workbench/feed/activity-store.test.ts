import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import { eventually } from '../../../test/kit/eventually.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { GitStore } from '../changes/git-store.ts';
import { CheckpointStore } from '../checkpoints/checkpoint-store.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { DeployStore } from '../deploy/deploy-store.ts';
import { ProcessStore } from '../processes/process-store.ts';
import type { Toasts } from '../shell/toasts.ts';
import { ActivityStore } from './activity-store.ts';
import { FeedStore } from './feed-store.ts';

const answers = {
  'changes.since': { changes: [], cursor: 'epoch-0' },
  'git.status': { repository: true, head: 'a', branch: 'main', changes: [], conflicts: [], stashes: 0 },
  'git.log': { commits: [], more: false },
  'checkpoints.list': { checkpoints: [], more: false },
  'deploy.list': { profiles: [], deployments: [] },
  'processes.watch': { type: 'ready' },
};
type Name = keyof typeof answers;

/** All that is told as activity, by a sidecar that answers each thing when it is let to. */
function slowActivity(): { activity: ActivityStore; answer: (name: Name) => void; refuse: (name: Name) => void } {
  const gates = new Map(Object.keys(answers).map((name) => [name as Name, Promise.withResolvers<unknown>()]));
  const call = (name: Name): Promise<unknown> | undefined => gates.get(name)?.promise;
  const stream = async function* (name: Name): AsyncGenerator<unknown> {
    yield await call(name);
    await new Promise(() => {});
  };
  const client = { call, stream } as unknown as WorkbenchClient;
  const now = (): number => 0;
  const feed = new FeedStore(client);
  const git = new GitStore(client);
  const live = signal(true);
  const checkpoints = new CheckpointStore(client, live);
  const processes = new ProcessStore({ client, now });
  const deploys = new DeployStore({ client, processes, live, toasts: {} as Toasts, now, isSeen: () => true });
  const activity = new ActivityStore({ client, feed, git, checkpoints, processes, deploys, live, seenAs: (actor) => actor });
  void feed.load();
  void git.refresh();
  processes.start();
  return {
    activity,
    answer: (name) => gates.get(name)?.resolve(answers[name]),
    refuse: (name) => gates.get(name)?.reject(new OutriggerError('PART_OFF', `${name} belongs to a part that is switched off here.`)),
  };
}

test('that nothing was done is known when all that could tell of it has answered, and not before', async (t) => {
  for (const last of Object.keys(answers) as Name[]) {
    const { activity, answer } = slowActivity();
    t.after(activity.want());
    for (const name of Object.keys(answers) as Name[]) if (name !== last) answer(name);
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    assert.equal(activity.known.value, false, last);
    answer(last);
    await eventually(() => assert.equal(activity.known.value, true, last));
  }
});

test('what is switched off is not waited for', async (t) => {
  const { activity, answer, refuse } = slowActivity();
  t.after(activity.want());
  answer('changes.since');
  for (const name of ['git.status', 'checkpoints.list', 'deploy.list', 'processes.watch'] as const) refuse(name);
  await eventually(() => assert.equal(activity.known.value, true));
});
