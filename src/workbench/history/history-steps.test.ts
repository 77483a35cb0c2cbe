import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileChange } from '../../../test/kit/file-change.ts';
import type { Change } from '../../contract/events.ts';
import { actorNamed } from '../actor.ts';
import { historySteps, type KeptVersions, knownChanges } from './history-steps.ts';

const ada = actorNamed('Ada', 'person');
const change = (revision: number, at: number, what: Change['what'] = 'changed'): Change => fileChange({ revision, at, what });

test('changes, checkpoints and commits of a document stand in one list, newest first', () => {
  const commit = { hash: 'c0ffee', at: 50_000 } as Parameters<typeof historySteps>[0]['commits'][number];
  const steps = historySteps({
    kept: undefined,
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
    kept: undefined,
    changes: [change(1, 10_000, 'created')],
    checkpoints: [{ kind: 'made', key: 'c1', id: 1, title: 'Before it', at: 5_000, actor: ada }],
    commits: [],
  });
  assert.deepEqual(
    steps.map(({ kind }) => kind),
    ['change'],
  );
});

const version = (revision: number, at: number, more: Partial<NonNullable<KeptVersions>['versions'][number]> = {}) => {
  const { path, what, cause } = change(revision, at);
  return { revision, at, path, what, before: null, after: null, cause, kept: true, keptBefore: true, ...more };
};

function textsOf(changes: readonly Change[], kept: KeptVersions) {
  return historySteps({ changes: knownChanges(changes, kept), kept, checkpoints: [], commits: [] }).map((step) =>
    step.kind === 'change' ? [step.key, step.canCompare, step.restores?.side] : [],
  );
}

test('changes can be compared where both their texts are kept, and all but the newest restored where the one after them is', () => {
  const changes = [change(1, 0, 'created'), change(2, 400_000), change(3, 410_000), change(4, 800_000), change(5, 1_200_000)];
  const kept = (more: Parameters<typeof version>[2], created: Parameters<typeof version>[2] = {}): KeptVersions => ({
    more: false,
    versions: [
      version(4, 800_000),
      version(3, 410_000, more),
      version(2, 400_000, { kept: false }),
      version(1, 0, { what: 'created', keptBefore: false, ...created }),
    ],
  });
  // The fifth has just come.
  const newest = ['r5', true, undefined];
  assert.deepEqual(textsOf(changes, kept({})), [newest, ['r4', true, 'after'], ['r2', true, 'after'], ['r1', true, 'after']]);
  assert.deepEqual(textsOf(changes, kept({ kept: false }, { kept: false })), [
    newest,
    ['r4', true, 'after'],
    ['r2', false, undefined],
    ['r1', false, undefined],
  ]);
  const unknown = textsOf(changes, undefined);
  assert.deepEqual(new Set(unknown.map(([, canCompare, side]) => `${canCompare} ${side}`)), new Set(['false undefined']));
});

test('a file that is gone can hold again what it held at its end', () => {
  const changes = [change(1, 0), change(2, 500_000, 'removed')];
  const versions = [version(2, 500_000, { what: 'removed', kept: false }), version(1, 0, { keptBefore: false })];
  assert.deepEqual(textsOf(changes, { versions, more: false }), [
    ['r2', true, 'before'],
    ['r1', false, 'after'],
  ]);
});

test('what the sidecar lists is told with what came since, and nothing of another file that had the name before', () => {
  const listed = [version(5, 900, { what: 'moved', from: 'old.py' }), version(3, 300, { path: 'old.py' })];
  const fed = [change(1, 100), change(4, 400), change(5, 900), change(6, 950)];
  const revisions = (kept: KeptVersions): number[] => knownChanges(fed, kept).map(({ revision }) => revision);
  assert.deepEqual(revisions({ versions: listed, more: false }), [3, 5, 6]);
  assert.deepEqual(revisions({ versions: listed, more: true }), [1, 3, 5, 6]);
  assert.deepEqual(revisions({ versions: [], more: false }), [1, 4, 5, 6]);
  assert.deepEqual(revisions(undefined), [1, 4, 5, 6]);
});

test('restores that the sidecar lists are steps of their own, as those that the feed told', () => {
  const cause: Change['cause'] = { kind: 'connection', who: [{ name: 'Ada', kind: 'person' }] };
  const typed = [version(1, 0, { before: 't', after: 'u' }), version(2, 1_000, { before: 'u', after: 'v' })];
  const restored = [version(3, 2_000, { before: 'v', after: 't', cause }), version(4, 3_000, { before: 't', after: 'u', cause })];
  const versions = [...typed, ...restored].toReversed();
  assert.deepEqual(
    textsOf([], { versions, more: false }).map(([key]) => key),
    ['r4', 'r3', 'r1'],
  );
});

const uncounted = { files: null, edited: undefined, reverted: undefined } as const;
