import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activityTab, changeAgainst, changeIn, diffTab, documentTab, type Tab, Tabs } from './tabs.ts';

const make = (): { tabs: Tabs; closed: string[]; ids: () => string[] } => {
  const closed: string[] = [];
  const tabs = new Tabs((tab: Tab) => closed.push(tab.id));
  return { tabs, closed, ids: () => tabs.open.value.map(({ id }) => id) };
};

test('a preview takes the place of the one before, until it is kept', () => {
  const { tabs, closed, ids } = make();
  tabs.show(documentTab('a', true));
  tabs.show(documentTab('b', true));
  assert.deepEqual([ids(), closed], [['document:b'], ['document:a']]);
  tabs.keep('document:b');
  tabs.show(documentTab('c', true));
  assert.deepEqual(ids(), ['document:b', 'document:c']);
});

test('closing the shown tab goes back to the one looked at before', () => {
  const { tabs } = make();
  for (const path of ['a', 'b', 'c']) tabs.show(documentTab(path));
  tabs.activate('document:a');
  tabs.activate('document:c');
  tabs.close('document:c');
  assert.equal(tabs.activeId.value, 'document:a');
  tabs.close('document:a');
  tabs.close('document:b');
  assert.equal(tabs.activeId.value, undefined);
});

test('tabs follow a renamed folder', () => {
  const { tabs, ids } = make();
  tabs.show(documentTab('a/x'));
  tabs.show(diffTab('a/y'));
  tabs.show(activityTab);
  tabs.activate('diff:a/y');
  tabs.moved('a', 'b');
  assert.deepEqual(ids(), ['document:b/x', 'diff:b/y', 'activity']);
  assert.equal(tabs.activeId.value, 'diff:b/y');
});

test('a file that is moved over another takes its tab', () => {
  const { tabs, ids, closed } = make();
  tabs.show(documentTab('a', true));
  tabs.show(diffTab('b'));
  tabs.show(documentTab('b'));
  tabs.moved('b', 'a');
  assert.deepEqual([ids(), tabs.activeId.value, closed], [['document:a', 'diff:a'], 'document:a', []]);
  assert.deepEqual(tabs.open.value[0], documentTab('a'), 'of a preview and one that stays, it stays');
  assert.deepEqual(tabs.recent.value, ['document:a', 'diff:a']);
  tabs.close('document:a');
  assert.deepEqual([ids(), closed.length], [['diff:a'], 1]);
});

test('a document stands beside the one in the main place; which of the two is worked in goes with what is shown', () => {
  const { tabs, ids, closed } = make();
  const places = (): unknown[] => [tabs.main.value?.id, tabs.beside.value?.id, tabs.active.value?.id];
  tabs.showBeside(documentTab('a'));
  assert.deepEqual(places(), ['document:a', undefined, 'document:a'], 'the first of all has the main place');
  tabs.showBeside(documentTab('b'));
  assert.deepEqual(places(), ['document:a', 'document:b', 'document:b']);
  tabs.show(documentTab('c', true));
  assert.deepEqual(
    [places(), ids()],
    [
      ['document:c', 'document:b', 'document:c'],
      ['document:a', 'document:b', 'document:c'],
    ],
  );
  tabs.activate('document:b');
  assert.deepEqual(places(), ['document:c', 'document:b', 'document:b']);
  // Another takes its place; it stays open.
  tabs.showBeside(documentTab('c'));
  assert.deepEqual(places(), ['document:a', 'document:c', 'document:c']);
  assert.equal(ids().length, 3);
  tabs.moved('c', 'd');
  assert.deepEqual(places(), ['document:a', 'document:d', 'document:d']);
  tabs.close('document:a');
  assert.deepEqual(places(), ['document:b', 'document:d', 'document:d']);
  tabs.close('document:b');
  assert.deepEqual(places(), ['document:d', undefined, 'document:d'], 'the last one has the main place');
  tabs.show(documentTab('e'));
  tabs.showBeside(documentTab('f'));
  tabs.close('document:f');
  assert.deepEqual(places(), ['document:e', undefined, 'document:e']);
  tabs.showBeside(documentTab('d'));
  tabs.leaveBeside();
  assert.deepEqual(
    [places(), ids()],
    [
      ['document:e', undefined, 'document:e'],
      ['document:d', 'document:e'],
    ],
  );
  tabs.showBeside(documentTab('d'));
  tabs.moved('d', 'e');
  assert.deepEqual([places(), ids()], [['document:e', undefined, 'document:e'], ['document:e']], 'moved over the other');
  assert.deepEqual(closed, ['document:a', 'document:b', 'document:f']);
});

test('a preview that is set beside stays there when another file is previewed', () => {
  const { tabs, ids } = make();
  tabs.show(documentTab('a'));
  const preview = documentTab('b', true);
  tabs.show(preview);
  tabs.showBeside(preview);
  tabs.show(documentTab('c', true));
  assert.deepEqual([tabs.main.value?.id, tabs.beside.value?.id], ['document:c', 'document:b']);
  assert.equal(ids().length, 3);
});

test('a comparison of changes says which they are, and goes with its file', () => {
  assert.deepEqual(changeIn(changeAgainst({ first: 1262, last: 1275 })), { first: 1262, last: 1275 });
  for (const other of [undefined, 'index', 'commit:1-2', 'change:1'] as const) assert.equal(changeIn(other as 'index'), undefined);
  const tabs = new Tabs(() => {});
  tabs.show(diffTab('a/x.py', undefined, changeAgainst({ first: 3, last: 4 })));
  tabs.moved('a', 'b');
  assert.equal(tabs.activeId.value, 'diff:change:3-4:b/x.py');
});
