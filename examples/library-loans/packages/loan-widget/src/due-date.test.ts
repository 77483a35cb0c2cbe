import assert from 'node:assert/strict';
import { test } from 'node:test';
import { daysLeft, dueLabel, isLate } from './due-date.ts';

const loan = { book: 'The Sea Around Us', dueDate: '2026-11-20', returnedOn: null };
const at = (text: string): Date => new Date(`${text}:00`);

test('daysLeft counts whole days of the calendar', () => {
  assert.equal(daysLeft(loan, at('2026-11-17T23:59')), 3);
  assert.equal(daysLeft(loan, at('2026-11-18T00:01')), 2);
});

test('dueLabel says today on the day', () => {
  assert.equal(dueLabel(loan, at('2026-11-20T21:00')), 'today');
  assert.equal(dueLabel(loan, at('2026-11-19T08:00')), '1 day left');
  assert.equal(dueLabel(loan, at('2026-11-23T08:00')), '3 days late');
});

test('a loan that came back is never late', () => {
  assert.equal(isLate(loan, at('2026-11-20T23:59')), false);
  assert.equal(isLate(loan, at('2026-11-21T00:00')), true);
  assert.equal(isLate({ ...loan, returnedOn: '2026-11-25' }, at('2026-11-30T12:00')), false);
});
