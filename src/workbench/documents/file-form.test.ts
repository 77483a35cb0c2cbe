import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inForm } from './file-form.ts';

test('a text gets the line ends and the mark of its file', () => {
  assert.equal(inForm('one\ntwo\n', { eol: 'crlf', bom: true }), '\uFEFFone\r\ntwo\r\n');
  assert.equal(inForm('one\r\ntwo\n', { eol: 'crlf', bom: false }), 'one\r\ntwo\r\n', 'also where some stand in it');
  assert.equal(inForm('one\r\ntwo', { eol: 'cr', bom: false }), 'one\rtwo');
  assert.equal(inForm('one\n'), 'one\n', 'of whose file nothing is known');
});
