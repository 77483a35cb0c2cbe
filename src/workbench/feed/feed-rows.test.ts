import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileChange, typedBy } from '../../../test/kit/file-change.ts';
import type { Change } from '../../contract/events.ts';
import { feedLines, foldChange, foldChanges, groupOf, matchesFilter, revisionRange, noFilter } from './feed-rows.ts';

const start = new Date(2026, 10, 20, 12, 0).getTime();
let revision = 0;
function change(seconds: number, path: string, name = 'guest', more: Partial<Change> = {}): Change {
  revision += 1;
  return fileChange({
    revision,
    at: start + seconds * 1000,
    path,
    cause: name === 'outside' ? { kind: 'outside' } : typedBy(name),
    ...more,
  });
}

test('neighbouring revisions of one actor in one file within two minutes are one row', () => {
  const first = change(0, 'a.py');
  const rows = foldChanges([first, change(60, 'a.py'), change(179, 'a.py'), change(300, 'a.py')]);
  assert.deepEqual(
    rows.map((row) => revisionRange(row)),
    [`r${first.revision}–r${first.revision + 2}`, `r${first.revision + 3}`],
  );
});

test('a call that takes back the one before it is a row of its own: restored, undone and done again', () => {
  const byCall = (seconds: number, before: string, after: string): Change =>
    change(seconds, 'a.py', 'guest', { before, after, cause: { kind: 'connection', who: [{ name: 'guest', kind: 'person' }] } });
  const changes = [byCall(0, 'v', 'w'), byCall(10, 'w', 'x'), byCall(20, 'x', 'w'), byCall(30, 'w', 'x'), byCall(40, 'x', 'y')];
  const ranges = foldChanges(changes).map(({ first, last }) => last - first + 1);
  assert.deepEqual(ranges, [2, 1, 2]);
  // A program that goes to and fro would be a row each time.
  const outside = changes.map((one): Change => ({ ...one, cause: { kind: 'outside' } }));
  assert.equal(foldChanges(outside).length, 1);
});

test('restores to different texts are rows of their own, whoever left these and in however many changes', () => {
  const byCall = (seconds: number, before: string, after: string, path = 'a.py'): Change =>
    change(seconds, path, 'guest', { before, after, cause: { kind: 'connection', who: [{ name: 'guest', kind: 'person' }] } });
  const typed = [change(0, 'a.py', 'lead', { before: 't', after: 'u' }), change(1, 'a.py', 'lead', { before: 'u', after: 'v' })];
  const changes = [...typed, byCall(500, 'v', 't'), byCall(510, 't', 'u'), byCall(520, 'u', 'v'), byCall(530, 'v', 'new')];
  assert.deepEqual(
    foldChanges(changes).map(({ first, last }) => last - first + 1),
    [2, 1, 1, 2],
  );
  const copied = [byCall(1000, 'new', 'x'), byCall(1000.1, 'none', 'x', 'b.py'), byCall(1000.2, 'none', 'x', 'c.py')];
  assert.equal(foldChanges(copied).length, 1, 'of files that are made alike in one step, none is a restore');
});

test('another actor, another file or a rename in between begins a new row', () => {
  const rows = foldChanges([
    change(0, 'a.py'),
    change(10, 'a.py', 'lead'),
    change(20, 'a.py'),
    change(30, 'b.py'),
    change(40, 'c.py', 'guest', { what: 'moved', from: 'b.py' }),
    change(50, 'c.py'),
  ]);
  assert.equal(rows.length, 6);
});

test('files changed in one step are one row that names them all', () => {
  const rows = foldChanges([
    change(0, 'a', 'outside'),
    change(0.1, 'b', 'outside'),
    change(0.2, 'c', 'outside', { what: 'removed' }),
    change(9, 'd', 'outside'),
  ]);
  assert.deepEqual(
    rows.map(({ paths }) => paths),
    [['a', 'b', 'c'], ['d']],
  );
});

test('a file that is made and then filled was made', () => {
  const rows = foldChanges([change(0, 'n.py', 'guest', { what: 'created' }), change(5, 'n.py')]);
  assert.deepEqual([rows.length, rows[0]?.what], [1, 'created']);
});

test('a folded row keeps its key, so that the page moves nothing', () => {
  const rows = foldChanges([change(0, 'a.py')]);
  const key = rows[0]?.key;
  assert.equal(foldChange(rows, change(1, 'a.py')), true);
  assert.equal(rows[0]?.key, key);
  assert.equal(foldChange(rows, change(2, 'b.txt', 'lead')), false);
});

test('two who type in one document at once are both named', () => {
  const both = {
    cause: {
      kind: 'document',
      who: [
        { name: 'guest', kind: 'person' },
        { name: 'fixer', kind: 'agent' },
      ],
    },
  } as const;
  const [row] = foldChanges([change(0, 'a.py'), change(1, 'a.py', 'guest', both as unknown as Partial<Change>)]);
  assert.deepEqual(
    row?.others.map(({ name }) => name),
    ['fixer'],
  );
});

test('rows stand under Now, Last hour, Earlier today, Yesterday and the day', () => {
  const noon = new Date(2026, 10, 20, 12).getTime();
  const table: [number, string][] = [
    [noon - 30_000, 'Now'],
    [noon - 600_000, 'Last hour'],
    [noon - 4 * 3_600_000, 'Earlier today'],
    [noon - 13 * 3_600_000, 'Yesterday'],
    [noon - 3 * 86_400_000, 'Tuesday'],
    [noon - 20 * 86_400_000, 'Saturday, October 31'],
    [noon - 365 * 86_400_000, 'November 20, 2025'],
  ];
  for (const [at, expected] of table) assert.equal(groupOf(at, noon), expected);
  const { lines, height } = feedLines(foldChanges([change(-7200, 'old'), change(0, 'new')]), start);
  assert.deepEqual(
    lines.map((line) => (line.type === 'heading' ? line.text : line.row.path)),
    ['Now', 'new', 'Earlier today', 'old'],
  );
  assert.equal(height, 2 * 34 + 2 * 52);
});

test('a filter by who and where leaves out the rest', () => {
  const filter = { ...noFilter, without: new Set(['outside']), where: 'models/', since: start };
  assert.equal(matchesFilter(change(1, 'x/models/a.py'), filter), true);
  assert.equal(matchesFilter(change(1, 'x/models/a.py', 'outside'), filter), false);
  assert.equal(matchesFilter(change(1, 'views/a.py'), filter), false);
  assert.equal(matchesFilter(change(-1, 'models/a.py'), filter), false);
});

test('rows of many days stand under the heading that each has by itself, also when the clock was set back', () => {
  const noon = new Date(2026, 10, 20, 12).getTime();
  const rows = Array.from({ length: 400 }, (_, index) => ({ at: noon - (400 - index) * 1_700_000 }));
  rows.splice(200, 0, { at: noon - 5000 }, { at: noon - 90 * 86_400_000 });
  let heading = '';
  for (const line of feedLines(rows, noon).lines) {
    if (line.type === 'heading') heading = line.text;
    else assert.equal(heading, groupOf(line.row.at, noon));
  }
});
