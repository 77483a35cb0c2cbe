import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Keep } from '../client-port.ts';
import { Preferences } from './preferences.ts';

function preferencesOf(kept: Map<string, string>): Preferences {
  const keep: Keep = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  return new Preferences(keep);
}
const all = ({ codeSize, wrap, indentWidth }: Preferences): unknown[] => [codeSize.value, wrap.value, indentWidth.value];

test('what is preferred is kept; taken back, nothing of it is', () => {
  const kept = new Map<string, string>();
  const preferences = preferencesOf(kept);
  assert.deepEqual(all(preferences), ['usual', undefined, undefined]);
  preferences.set('code-size', 'large');
  preferences.set('wrap', 'no');
  preferences.set('indent', '8');
  assert.deepEqual(all(preferences), ['large', false, 8]);
  assert.deepEqual(all(preferencesOf(kept)), ['large', false, 8]);
  for (const name of ['code-size', 'wrap', 'indent'] as const) preferences.set(name, undefined);
  assert.deepEqual([all(preferences), kept.size], [['usual', undefined, undefined], 0]);
});

test('what another tab prefers holds here, too; what makes no sense is as if nothing was', () => {
  const preferences = preferencesOf(
    new Map([
      ['outrigger.code-size', 'vast'],
      ['outrigger.indent', '3'],
      ['outrigger.wrap', 'maybe'],
    ]),
  );
  assert.deepEqual(all(preferences), ['usual', undefined, undefined]);
  preferences.stored({ key: 'outrigger.wrap', newValue: 'yes' });
  preferences.stored({ key: 'outrigger.indent', newValue: '2' });
  preferences.stored({ key: 'outrigger.theme', newValue: 'dark' });
  assert.deepEqual(all(preferences), ['usual', true, 2]);
  // All of it was forgotten.
  preferences.stored({ key: null, newValue: null });
  assert.deepEqual(all(preferences), ['usual', undefined, undefined]);
});
