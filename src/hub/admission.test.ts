import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission } from './admission.ts';

const START = 1e12;
const HOUR_MS = 3_600_000;

test('as many as may come at once come in, and those after them are told to come one after the other', () => {
  const admission = new Admission({ perS: 10, burst: 2 }, START);
  assert.deepEqual(
    Array.from({ length: 5 }, () => admission.ask(START)),
    [0, 0, 100, 200, 300],
  );
  assert.equal(admission.ask(START + 100), 0);
  assert.equal(admission.ask(START + 100), 300, 'behind those who were told to come');
  // However long nobody came, no more than those come at once.
  assert.deepEqual(
    Array.from({ length: 3 }, () => admission.ask(START + HOUR_MS)),
    [0, 0, 100],
  );
});

test('a clock that is set back turns nobody away for it', () => {
  const admission = new Admission({ perS: 10, burst: 2 }, START);
  assert.deepEqual([admission.ask(START), admission.ask(START), admission.ask(START)], [0, 0, 100]);
  const back = START - HOUR_MS;
  assert.equal(admission.ask(back), 200, 'no time went by');
  assert.equal(admission.ask(back + 100), 0);
  assert.equal(admission.ask(back + 100), 200);
});
