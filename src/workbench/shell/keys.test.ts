import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandsKeys, isKey, sayKey } from './keys.ts';

const press = (key: string, modifiers: string[] = [], code = '') => ({
  key,
  code,
  ctrlKey: modifiers.includes('ctrl'),
  metaKey: modifiers.includes('meta'),
  altKey: modifiers.includes('alt'),
  shiftKey: modifiers.includes('shift'),
});

test('a key is known by its modifiers, all of them', () => {
  assert.equal(isKey('Ctrl P', press('p', ['ctrl']), false), true);
  assert.equal(isKey('Ctrl P', press('P', ['ctrl', 'shift']), false), false);
  assert.equal(isKey('Ctrl Shift P', press('P', ['ctrl', 'shift']), false), true);
  assert.equal(isKey('Ctrl P', press('p', ['meta']), false), false);
  assert.equal(isKey('Ctrl P', press('p', ['meta']), true), true);
  assert.equal(isKey('Shift F6', press('F6', ['shift']), false), true);
  assert.equal(isKey('F6', press('F6', ['shift']), false), false);
});

test('Alt and a letter is known by its place where Alt writes something else', () => {
  assert.equal(isKey('Alt W', press('∑', ['alt'], 'KeyW'), true), true);
  assert.equal(isKey('Alt ,', press('≤', ['alt'], 'Comma'), true), true);
});

test('a letter is the one that the key writes, on any keyboard, and its place is asked for where it writes none of the Latin ones', () => {
  assert.equal(isKey('Ctrl Shift Z', press('Z', ['ctrl', 'shift'], 'KeyY'), false), true, 'German');
  assert.equal(isKey('Ctrl Shift Y', press('Z', ['ctrl', 'shift'], 'KeyY'), false), false, 'German');
  assert.equal(isKey('Ctrl B', press('x', ['ctrl'], 'KeyB'), false), false, 'Dvorak');
  assert.equal(isKey('Ctrl B', press('и', ['ctrl'], 'KeyB'), false), true, 'Russian');
});

test('the question mark needs no Shift of its own', () => {
  assert.equal(isKey('?', press('?', ['shift']), false), true);
});

test('keys are shown as the system writes them', () => {
  assert.equal(sayKey('Ctrl Shift P', true), '⌘⇧P');
  assert.equal(sayKey('Ctrl Shift P', false), 'Ctrl Shift P');
});

test('no key is told of that the browser keeps for itself', () => {
  const linux = 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0';
  const safari = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15';
  assert.deepEqual(commandsKeys(linux), ['F1']);
  assert.deepEqual(commandsKeys(safari), ['Ctrl Shift P', 'F1']);
});
