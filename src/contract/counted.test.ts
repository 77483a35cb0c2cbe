import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ZodType } from 'zod';
import { operations } from './operations.ts';

/** Issues, each of which costs half a kilobyte, of an input that holds nothing that fits. */
function issuesOf(name: keyof typeof operations, input: object): string[] {
  const { error } = (operations[name].input as unknown as ZodType).safeParse(input);
  return (error?.issues ?? []).map(({ message }) => message);
}

const variables = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`=${at}`, at]));

test('arguments, variables and parameters are counted before one is read: of too many no more is said than that', () => {
  const argv = Array.from({ length: 5000 }, (_, at) => at);
  for (const name of ['processes.start', 'terminals.open'] as const) {
    assert.deepEqual(issuesOf(name, { argv }), ['At most 2000 arguments.']);
    assert.deepEqual(issuesOf(name, { argv: ['true'], env: variables }), ['At most 1000 variables.']);
  }
  assert.deepEqual(issuesOf('code.run', { language: 'bash', code: 'true', env: variables }), ['At most 1000 variables.']);
  assert.deepEqual(issuesOf('deploy.run', { profile: 'p', parameters: variables }), ['At most 1000 parameters.']);
});

test('as many arguments, variables and parameters as may be are read; of one more argument none is', () => {
  const env = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`v${at}`, '']));
  assert.deepEqual(issuesOf('processes.start', { argv: Array(2000).fill('a'), env }), []);
  assert.deepEqual(issuesOf('deploy.run', { profile: 'p', parameters: env }), []);
  assert.deepEqual(issuesOf('processes.start', { argv: Array(2001).fill('a') }), ['At most 2000 arguments.']);
});
