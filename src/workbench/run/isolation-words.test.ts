import assert from 'node:assert/strict';
import { test } from 'node:test';
import { code, rungName } from '../../contract/code.ts';
import { sayProtection, sayRung } from './isolation-words.ts';

const protections = code['code.isolation'].output.shape.isolation.shape.holds.element.options;

test('each protection and each rung is told in words of its own, without the names of what does it', () => {
  const told = [
    ...protections.flatMap((protection) => [true, false].map((held) => sayProtection({ protection, held }).text)),
    ...rungName().options.map(sayRung),
  ];
  assert.equal(new Set(told).size, protections.length * 2 + rungName().options.length);
  for (const text of told) assert.doesNotMatch(text, /seccomp|landlock|namespace|cgroup|RLIMIT|\bE[A-Z]{3,}/);
});

test('what was not held back is never told as if it were', () => {
  assert.deepEqual(sayProtection({ protection: 'network', held: true }), {
    name: 'Network',
    text: 'A run can’t connect to anything on this machine.',
  });
  for (const protection of protections) {
    assert.match(sayProtection({ protection, held: false }).text, /^A run can /);
    assert.doesNotMatch(sayProtection({ protection, held: true }).text, /^A run can /);
  }
});
