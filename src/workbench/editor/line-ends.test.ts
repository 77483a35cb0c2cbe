import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EditorState, Text } from '@codemirror/state';
import { EditorView } from '@codemirror/view';
import { lineEnds, withoutReturns } from './line-ends.ts';

const others = 'one\r\ntwo\rhalf\nthree\r\n';

function stateOf(doc: string, at = 0): EditorState {
  return EditorState.create({ doc, selection: { anchor: at }, extensions: [EditorState.allowMultipleSelections.of(true), lineEnds] });
}

test('a place in the editor is the same place in the text that is shared, whatever line ends others typed', () => {
  const typed = stateOf('').update({ changes: { from: 0, insert: others } }).state;
  for (const { doc } of [stateOf(others), typed]) {
    assert.equal(doc.length, others.length);
    assert.equal(doc.toString(), others);
    assert.equal(doc.lines, 4);
  }
});

test('what is pasted brings line feeds alone', () => {
  const state = stateOf('');
  const pasted = state.facet(EditorView.clipboardInputFilter).reduce((text, filter) => filter(text, state), others);
  assert.equal(pasted, 'one\ntwo\nhalf\nthree\n');
});

test('a caret that comes to the end of a line stands before its carriage return, and can step over it', () => {
  const headAfter = (from: number, to: number): number =>
    stateOf('one\r\ntwo\n\r', from).update({ selection: { anchor: to } }).state.selection.main.head;
  assert.equal(headAfter(0, 4), 3);
  assert.equal(headAfter(5, 4), 3);
  assert.equal(headAfter(3, 4), 4);
  assert.equal(headAfter(0, 5), 5);
  assert.equal(headAfter(0, 10), 10, 'no line feed follows');
  const { selection } = stateOf('one\r\ntwo\r\n').update({ selection: { anchor: 0, head: 9 } }).state;
  assert.deepEqual([selection.main.anchor, selection.main.head], [0, 8]);
});

test('lines are compared without the carriage returns at their ends', () => {
  assert.equal(withoutReturns(Text.of(others.split('\n'))).toString(), 'one\ntwo\rhalf\nthree\n');
  const plain = Text.of(['one', 'two']);
  assert.equal(withoutReturns(plain), plain);
});
