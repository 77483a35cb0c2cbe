import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DocumentInfo } from '../../contract/documents.ts';
import { saveWords, UnsavedEdits } from './save-state.ts';

const info = (state: DocumentInfo['state'], revision = 7): DocumentInfo => ({
  path: 'a',
  connections: 1,
  people: [],
  state,
  etag: null,
  revision,
  length: 0,
  eol: 'lf',
  bom: false,
});

test('word of a save does not cover what was typed while it was on its way', () => {
  const edits = new UnsavedEdits();
  edits.edited(0);
  edits.edited(1000);
  edits.heard(info('unsaved', 1), 1100);
  edits.heard(info('saved', 2), 1200);
  assert.equal(edits.count, 1);
  edits.heard(info('unsaved', 2), 1400);
  edits.heard(info('saved', 3), 1600);
  assert.equal(edits.count, 0);
});

test('a saved state from before the edit says nothing of it', () => {
  const edits = new UnsavedEdits();
  edits.heard(info('saved', 5), 0);
  edits.edited(10);
  edits.heard(info('saved', 5), 1000);
  assert.equal(edits.count, 1);
});

test('a sync tells how many edits had waited, and none waits after it', () => {
  const edits = new UnsavedEdits();
  for (let at = 0; at < 27; at += 1) edits.edited(at);
  assert.equal(edits.synced(), 27);
  assert.equal(edits.count, 0);
});

test('edits stay counted while the last word is that they are not saved, also when the link was away', () => {
  for (const state of ['conflict', 'failed'] as const) {
    const edits = new UnsavedEdits();
    edits.edited(0);
    edits.heard(info(state), 100);
    edits.quiet(10_000);
    assert.deepEqual([edits.synced(), edits.count], [0, 1]);
    edits.heard(info('saved', 8), 20_000);
    assert.equal(edits.count, 0);
  }
  const edits = new UnsavedEdits();
  edits.edited(0);
  edits.heard(info('unsaved'), 100);
  edits.quiet(10_000);
  assert.equal(edits.count, 1);
  edits.heard(info('deleted'), 11_000);
  edits.quiet(11_000);
  assert.equal(edits.count, 0);
});

test('the breadcrumb says where the edits are', () => {
  const facts = { online: true, edits: 0, info: info('saved', 1284), offline: false, readOnly: false };
  assert.equal(saveWords(facts), 'Saved · r1284');
  assert.equal(saveWords({ ...facts, edits: 1 }), 'Saving…');
  assert.equal(saveWords({ ...facts, online: false, edits: 3 }), '3 edits wait');
  assert.equal(saveWords({ ...facts, online: false, offline: true, edits: 27 }), '27 edits kept here');
  assert.equal(saveWords({ ...facts, info: info('failed') }), 'Not saved');
  assert.equal(saveWords({ ...facts, readOnly: true }), 'Read only · r1284');
  assert.equal(saveWords({ ...facts, readOnly: true, edits: 2 }), '2 edits not sent');
});
