import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Deployment } from '../../contract/deploy.ts';
import { fileChange } from '../../../test/kit/file-change.ts';
import type { Change } from '../../contract/events.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { Commit } from '../changes/git-store.ts';
import type { RunRow } from '../checkpoints/checkpoint-rows.ts';
import { type Deed, type DeedSources, deedsOf, heldActivity, matchesDeed, mergeActivity } from './activity-items.ts';
import { deedWords } from './deed-words.ts';
import { foldChanges, noFilter } from './feed-rows.ts';

const now = 100_000;
const kept = { stdout: { end: 0, lost: 0 }, stderr: { end: 0, lost: 0 } };

const commit = (hash: string, at: number, name = 'Ada'): Commit => ({
  hash,
  parents: [],
  author: { name, email: `${name}@example.org` },
  // The end of that second.
  at: at - 999,
  subject: `Subject of ${hash}`,
  body: '',
  refs: [],
});

const program = (id: string, facts: Partial<ProcessInfo> = {}): ProcessInfo => ({
  id,
  title: `sh ${id}`,
  argv: ['sh', id],
  path: 'scripts',
  host: 'local',
  state: 'ended',
  startedBy: { name: 'fixer', kind: 'agent' },
  startedAt: 1000,
  endedAt: 4200,
  exitCode: 0,
  reason: 'exit',
  restarts: 0,
  restart: 'never',
  output: kept,
  ports: [],
  ...facts,
});

const run = (id: string, facts: Partial<RunRow> = {}): RunRow => ({
  kind: 'run',
  key: `r${id}`,
  run: id,
  title: `sh ${id}`,
  at: 4300,
  actor: { key: 'agent:fixer', kind: 'agent', name: 'fixer' },
  byHand: false,
  before: 1,
  after: 2,
  files: 3,
  edited: 0,
  reverted: undefined,
  ...facts,
});

const deployment = (id: string, facts: Partial<Deployment> = {}): Deployment => ({
  id,
  profile: 'odoo',
  parameters: { module: 'loans' },
  by: { name: 'Ada', kind: 'person' },
  state: 'succeeded',
  startedAt: 1000,
  endedAt: 3500,
  commit: 'abcdef1234567890',
  checkpoint: null,
  process: null,
  ...facts,
});

const change = (revision: number, at: number, path = 'a.py'): Change => fileChange({ revision, at, path });

const deeds = (sources: Partial<DeedSources>, seenAs: Parameters<typeof deedsOf>[1] = (actor) => actor): Deed[] =>
  deedsOf({ commits: [], checkpoints: [], programs: [], deployments: [], ...sources }, seenAs);

test('what was done is told once each: a run with its checkpoints, a deployment with its program and its checkpoint', () => {
  const made = (id: number) => ({ kind: 'made', key: `c${id}`, id, title: `made ${id}`, at: 10 + id, actor: run('x').actor }) as const;
  const told = deeds({
    commits: [commit('b', 50), commit('a', 5)],
    programs: [program('p1'), program('p2', { tag: 'deploy:d1' }), program('p3', { state: 'running' })],
    checkpoints: [run('p1'), run('p2'), made(7), made(8), run('gone'), run('revert-01234567', { byHand: true, at: 9000 })],
    deployments: [deployment('d1', { process: 'p2', checkpoint: 7 })],
  });
  assert.deepEqual(
    told.map(({ key, at }) => `${key} ${at}`),
    [
      'commit a 5',
      'checkpoint 8 18',
      'commit b 50',
      'run p3 1000',
      'deploy d1 3500',
      'run p1 4200',
      'run gone 4300',
      'run revert-01234567 9000',
    ],
  );
  assert.equal(new Set(told.map(({ key }) => key)).size, told.length);
});

test('each is said with who, what and how it went', () => {
  const table: [Partial<DeedSources>, string, string][] = [
    [{ commits: [commit('abcdef1234', 5)] }, 'committed Subject of abcdef1234', 'abcdef1 · a.py, b.py and c.py'],
    [{ programs: [program('x')] }, 'ran sh x', 'exited 0 after 3.2 s'],
    [
      { programs: [program('x')], checkpoints: [run('x')] },
      'ran sh x',
      'exited 0 after 3.2 s · Changed 3 files. Nobody has edited them since.',
    ],
    [{ programs: [program('x', { exitCode: 2 })] }, 'ran sh x', 'exited 2 after 3.2 s'],
    [{ programs: [program('x', { state: 'running' })] }, 'runs sh x', 'running for 3.2 s'],
    [{ programs: [program('x', { reason: 'failed' })] }, 'ran sh x', 'not started'],
    [{ checkpoints: [run('gone')] }, 'ran sh gone', 'Changed 3 files. Nobody has edited them since.'],
    [
      { checkpoints: [run('r', { byHand: true, title: 'Revert of sh x' })] },
      'reverted sh x',
      'Changed 3 files. Nobody has edited them since.',
    ],
    [
      { checkpoints: [run('r', { byHand: true, title: 'Restore of checkpoint 4', reverted: 'y' })] },
      'restored checkpoint 4',
      'It was taken back.',
    ],
    [
      { checkpoints: [run('r', { byHand: true, files: 0, title: 'Revert of Revert of sh x' })] },
      'brought back sh x',
      'It changed nothing.',
    ],
    [
      { checkpoints: [run('r', { byHand: true, files: 0, title: 'Revert of Restore of checkpoint 4' })] },
      'reverted the restore of checkpoint 4',
      'It changed nothing.',
    ],
    [
      { checkpoints: [run('r', { byHand: true, files: 0, title: 'Revert of Revert of Revert of Restore of checkpoint 4' })] },
      'brought back the revert of the restore of checkpoint 4',
      'It changed nothing.',
    ],
    [{ deployments: [deployment('d')] }, 'deployed odoo loans', 'succeeded in 2.5 s, commit abcdef1'],
    [
      { deployments: [deployment('d', { state: 'failed', error: 'odoo ended with exit code 1.' })] },
      'deployed odoo loans',
      'failed: odoo ended with exit code 1',
    ],
    [
      { deployments: [deployment('d', { state: 'failed', reason: 'stopped', error: 'odoo was stopped.' })] },
      'deployed odoo loans',
      'stopped after 2.5 s',
    ],
    [{ deployments: [deployment('d', { rollbackOf: 'c' })] }, 'deployed again odoo loans', 'succeeded in 2.5 s, commit abcdef1'],
  ];
  for (const [sources, what, note] of table) {
    const [deed] = deeds(sources);
    const words = deedWords(deed as Deed, now, { names: ['a.py', 'lib/b.py', 'c.py'], more: false });
    assert.deepEqual([`${words.verb} ${words.what}`, words.note.replace('running for 1 min 39 s', 'running for 3.2 s')], [what, note]);
  }
  const [made] = deeds({ commits: [commit('abcdef1234', 5)] });
  const note = (names: string[], more = false): string => deedWords(made as Deed, now, { names, more }).note;
  assert.equal(deedWords(made as Deed, now).note, 'abcdef1', 'while its files are not known');
  assert.equal(note([]), 'abcdef1 · no files');
  assert.equal(note(['a', 'b', 'c', 'd']), 'abcdef1 · 4 files');
  assert.equal(note(['a'], true), 'abcdef1 · more than 1 file');
});

test('a run that failed stands out, and one that was stopped does not', () => {
  const tone = (facts: Partial<ProcessInfo>): string => deedWords(deeds({ programs: [program('x', facts)] })[0] as Deed, now).tone;
  assert.deepEqual(
    [tone({ exitCode: 1 }), tone({ reason: 'timeout' }), tone({ reason: 'stopped' }), tone({})],
    ['bad', 'bad', 'plain', 'plain'],
  );
});

test('commits of one second stand in the order of the branch, which is told from the newest on', () => {
  const told = deeds({ commits: ['c', 'b', 'a'].map((hash) => commit(hash, 1999)) });
  assert.deepEqual(
    told.map(({ key }) => key),
    ['commit a', 'commit b', 'commit c'],
  );
});

test('who is the reader is shown as such', () => {
  const me = { key: 'person:Me', kind: 'person', name: 'Me' } as const;
  const [one] = deeds({ programs: [program('x')] }, (actor) => (actor.key === 'agent:fixer' ? me : actor));
  assert.equal(one?.actor, me);
});

test('filters leave out by who, by kind, by when, and by where as far as that is known', () => {
  const all = deeds({ commits: [commit('a', 5000)], programs: [program('x')], deployments: [deployment('d')] });
  const files = (hash: string) => (hash === 'a' ? { names: ['models/loan.py'], more: false } : undefined);
  const left = (filter: Partial<typeof noFilter>): string[] =>
    all.filter((deed) => matchesDeed(deed, { ...noFilter, ...filter }, files)).map(({ kind }) => kind);
  assert.deepEqual(left({}), ['deploys', 'runs', 'commits']);
  assert.deepEqual(left({ without: new Set(['agent:fixer']) }), ['deploys', 'commits']);
  assert.deepEqual(left({ withoutKinds: new Set(['commits', 'deploys']) }), ['runs']);
  assert.deepEqual(left({ since: 4000 }), ['runs', 'commits']);
  assert.deepEqual(left({ where: 'models/' }), ['commits']);
  assert.deepEqual(left({ where: 'scripts' }), ['runs']);
  assert.deepEqual(left({ where: 'loans' }), ['deploys']);
});

test('changes and deeds are one stream by time', () => {
  const rows = foldChanges([change(1, 1000, 'a'), change(2, 4200, 'b'), change(3, 9000, 'c')]);
  const items = mergeActivity(rows, deeds({ commits: [commit('z', 1), commit('y', 9500)], programs: [program('x')] }));
  assert.deepEqual(
    items.map(({ key }) => key),
    ['commit z', 'r1', 'r2', 'run x', 'r3', 'commit y'],
  );
});

test('while somebody reads further down nothing moves: what is new is counted, and a run that ends says so in its place', () => {
  const before = mergeActivity(foldChanges([change(1, 1000)]), deeds({ programs: [program('x', { state: 'running' })] }));
  const now = mergeActivity(
    foldChanges([change(1, 1000), change(2, 2000), change(3, 200_000, 'b')]),
    deeds({ programs: [program('x')], commits: [commit('y', 9500)] }),
  );
  const { shown, waiting } = heldActivity(before, now);
  assert.deepEqual(
    shown.map(({ key, at }) => `${key} ${at}`),
    ['r1 1000', 'run x 1000'],
  );
  const [, ended] = shown;
  assert.equal(ended?.kind === 'runs' && ended.process?.state, 'ended');
  // Two more changes and a commit; the run was there.
  assert.equal(waiting, 3);
  assert.deepEqual(heldActivity(now, now).waiting, 0);
});
