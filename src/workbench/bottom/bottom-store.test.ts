import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signal } from '@preact/signals';
import { memoryKeep } from '../shell/keep.ts';
import { Layout } from '../shell/layout.ts';
import { BottomStore, terminalOf, terminalTab } from './bottom-store.ts';

const keep = () =>
  memoryKeep(() => {
    throw new Error('no storage');
  });

test('height, tab and whether it is open are kept for the workspace', () => {
  const kept = keep();
  const make = (workspace: string): BottomStore => {
    const layout = new Layout(kept);
    layout.forWorkspace(workspace);
    const store = new BottomStore(layout, signal(false));
    store.recall();
    return store;
  };
  const first = make('a');
  assert.deepEqual([first.open.value, first.height.value, first.tab.value], [false, 212, 'processes']);
  first.show(terminalTab('t1'));
  first.setHeight(300, 800);
  const again = make('a');
  assert.deepEqual([again.open.value, again.height.value, again.tab.value], [true, 300, 'terminal:t1']);
  assert.equal(terminalOf(again.tab.value), 't1');
  again.hide();
  assert.equal(make('a').open.value, false);
  assert.equal(make('b').height.value, 212);
});

test('the height stays between 96 and 60 % of the room', () => {
  const store = new BottomStore(new Layout(keep()), signal(false));
  store.setHeight(10, 800);
  assert.equal(store.height.value, 96);
  store.setHeight(900, 800);
  assert.equal(store.height.value, 480);
  store.setHeight(900, 100);
  assert.equal(store.height.value, 96);
});

test('on a phone it is a pane of its own', () => {
  const layout = new Layout(keep());
  const store = new BottomStore(layout, signal(true));
  store.show('deploy');
  assert.equal(layout.pane.value, 'bottom');
  assert.deepEqual([store.shown.value, store.open.value], [true, false]);
  store.hide();
  assert.deepEqual([store.shown.value, layout.pane.value], [false, 'main']);
});
