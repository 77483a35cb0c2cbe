import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Refusals } from './refusals.ts';

const START = 1_000_000;

test('ten wrong secrets for one agent are answered, then that address has to wait for the rest of the minute, and no other', () => {
  const refusals = new Refusals();
  const says = (address: string | null, agent: string, now = START): string => refusals.wrong(address, agent, now).is;
  for (let count = 0; count < 10; count++) assert.equal(says('a', 'one'), 'answer');
  assert.deepEqual(refusals.wrong('a', 'one', START + 20_000), { is: 'wait', ms: 40_000 });
  assert.equal(says('b', 'one'), 'answer');
  assert.equal(says('a', 'two'), 'answer');
  assert.equal(says('a', 'one', START + 59_999), 'wait');
  assert.equal(says('a', 'one', START + 60_000), 'answer');
  // A clock that is set back makes nobody wait for long.
  assert.equal(says('a', 'one', START), 'answer');
});

test('an address that tries on and on at any agents is not answered any more, until the next minute', () => {
  const refusals = new Refusals();
  for (let count = 0; count < 100; count++) assert.equal(refusals.wrong('a', `agent-${count}`, START).is, 'answer');
  assert.equal(refusals.wrong('a', 'another', START + 59_999).is, 'silence');
  assert.equal(refusals.wrong(null, 'another', START).is, 'answer');
  assert.equal(refusals.wrong('a', 'another', START + 60_000).is, 'answer');
});

test('of ten thousand addresses it is known what they tried, and of those the last', () => {
  const refusals = new Refusals();
  const exhaust = (address: string): void => {
    for (let count = 0; count < 10; count++) refusals.wrong(address, 'one', START);
  };
  exhaust('first');
  exhaust('second');
  for (let count = 0; count < 9_998; count++) refusals.wrong(`address-${count}`, 'one', START);
  assert.equal(refusals.wrong('first', 'one', START).is, 'wait', 'ten thousand are known');
  refusals.wrong('one more', 'one', START);
  assert.equal(refusals.wrong('second', 'one', START).is, 'answer', 'it came longest ago');
  assert.equal(refusals.wrong('first', 'one', START).is, 'wait');
});
