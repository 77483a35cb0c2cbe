import assert from 'node:assert/strict';
import { test } from 'node:test';
import { OutriggerError } from '../../contract/errors.ts';
import { actorNamed } from '../actor.ts';
import { firstOtherLine, notKept, notKeptHere, sayMeanwhile, sayWhoDid } from './history-words.ts';

test('a text that is not kept is named by its file, its change and its side', () => {
  const lost = new OutriggerError('VERSION_NOT_KEPT', 'What models/loan.py held before r1262 is not kept.');
  assert.equal(notKept('models/loan.py', lost), 'what loan.py held before r1262 is not kept');
  const unknown = new OutriggerError('VERSION_NOT_KEPT', 'r9 is no change of loan.py, or of longer ago than changes are kept.');
  assert.equal(notKept('loan.py', unknown), 'what loan.py held then is not kept');
  assert.match(
    notKeptHere('models/loan.py', lost),
    /^What loan\.py held before r1262 is not kept, so there is nothing to compare\. Its checkpoints/,
  );
  const off = new OutriggerError('PART_OFF', 'history.list belongs to a part that is switched off here.');
  assert.match(notKeptHere('loan.py', off), /^This sidecar keeps no texts of changes\./);
});

test('a restore that came too late says what was chosen, and who did what meanwhile', () => {
  const facts = { path: 'models/loan.py', chosen: 1275, who: 'guest', how: 'typed', line: 27 } as const;
  assert.equal(sayMeanwhile(facts), 'You chose r1275; guest typed in line 27 after that. Nothing was written.');
  assert.match(sayMeanwhile({ ...facts, who: undefined }), /; line 27 was edited after that\./);
  assert.match(sayMeanwhile({ ...facts, how: 'wrote', line: undefined }), /; guest changed loan\.py after that\./);
  assert.match(sayMeanwhile({ ...facts, how: 'removed' }), /; guest deleted it after that\./);
});

test('the first line that differs is found, at the ends too', () => {
  const table: [string, string, number | undefined][] = [
    ['a\nb\n', 'a\nb\n', undefined],
    ['a\nb\n', 'a\nB\n', 2],
    ['a\n', 'a\nb\n', 2],
    ['a\nb\n', 'a\n', 2],
    ['', 'a', 1],
  ];
  for (const [before, after, line] of table) assert.equal(firstOtherLine(before, after), line, JSON.stringify([before, after]));
});

test('whose change is taken back is said without the kind of who it was', () => {
  const ada = actorNamed('Ada', 'person');
  const isMe = ({ key }: typeof ada): boolean => key === ada.key;
  assert.equal(sayWhoDid(ada, isMe), 'you');
  assert.equal(sayWhoDid(actorNamed('fixer', 'agent'), isMe), 'fixer');
  assert.equal(sayWhoDid({ key: 'outside', kind: 'outside', name: 'Outside' }, isMe), 'another program');
});
