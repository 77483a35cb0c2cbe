import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Change } from '../../contract/events.ts';
import { actorNamed } from '../actor.ts';
import { historySteps } from './history-steps.ts';

const ada = actorNamed('Ada', 'person');
const change = (revision: number, at: number, what: Change['what'] = 'changed'): Change => ({
  type: 'change',
  revision,
  cursor: `e-${revision}`,
  path: 'a.py',
  kind: 'file',
  what,
  before: null,
  after: null,
  cause: { kind: 'document', who: [{ name: 'Ada', kind: 'person' }] },
  at,
});

test('changes, checkpoints and commits of a document stand in one list, newest first', () => {
  const commit = { hash: 'c0ffee', at: 50_000 } as Parameters<typeof historySteps>[0]['commits'][number];
  const steps = historySteps({
    changes: [change(1, 10_000), change(2, 20_000), change(3, 900_000)],
    checkpoints: [
      { kind: 'run', key: 'r1', run: '1', title: 'npm test', at: 70_000, actor: ada, byHand: false, before: 4, after: 5, ...uncounted },
      { kind: 'made', key: 'c3', id: 3, title: 'Works', at: 30_000, actor: ada },
    ],
    commits: [commit],
  });
  assert.deepEqual(
    steps.map((step) => (step.kind === 'checkpoint' ? `${step.title} (${step.id})` : step.key)),
    ['r3', 'Before npm test (4)', 'c0ffee', 'Works (3)', 'r1'],
  );
});

test('a checkpoint from before the document was made says nothing of it', () => {
  const steps = historySteps({
    changes: [change(1, 10_000, 'created')],
    checkpoints: [{ kind: 'made', key: 'c1', id: 1, title: 'Before it', at: 5_000, actor: ada }],
    commits: [],
  });
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ['change'],
  );
});

const uncounted = { files: null, edited: undefined, reverted: undefined } as const;
