import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Keep } from './client-port.ts';
import { ThemeChoice } from './theme-choice.ts';

/** Outside of a browser the system asks for light colours. */
function choiceOf(kept: Map<string, string>): ThemeChoice {
  const keep: Keep = {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
  };
  return new ThemeChoice(keep);
}

test('a switch is to the other colours; where the system asks for those nothing is chosen any more', () => {
  const kept = new Map<string, string>();
  const choice = choiceOf(kept);
  assert.deepEqual([choice.chosen.value, choice.isDark.value], [undefined, false]);
  choice.switch();
  assert.deepEqual([choice.chosen.value, choice.isDark.value, [...kept.values()]], ['dark', true, ['dark']]);
  assert.equal(choiceOf(kept).chosen.value, 'dark');
  choice.switch();
  assert.deepEqual([choice.chosen.value, choice.isDark.value, kept.size], [undefined, false, 0]);
});

test('what another tab of the browser chooses holds here, too; what else it stores does not matter', () => {
  const choice = choiceOf(new Map([['outrigger.theme', 'odd']]));
  assert.equal(choice.chosen.value, undefined);
  choice.stored({ key: 'outrigger.theme', newValue: 'dark' });
  assert.equal(choice.chosen.value, 'dark');
  choice.stored({ key: 'outrigger.name', newValue: null });
  assert.equal(choice.chosen.value, 'dark');
  // All of it was forgotten.
  choice.stored({ key: null, newValue: null });
  assert.equal(choice.chosen.value, undefined);
});
