import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ZodType } from 'zod';
import { operations } from './operations.ts';

/** With what they must have. */
const narrowing = {
  'git.stage': {},
  'git.unstage': {},
  'git.commit': { message: 'm' },
  'checkpoints.restore': { id: 1 },
  'search.replace': { pattern: 'a', replace: 'b' },
} as const;

describe('an operation that changes less where it is told what', () => {
  for (const [name, input] of Object.entries(narrowing))
    test(`${name} refuses a field that it does not know`, () => {
      const schema = operations[name as keyof typeof narrowing].input as unknown as ZodType;
      assert.deepEqual(schema.safeParse(input).error?.issues ?? [], []);
      const { error } = schema.safeParse({ ...input, mistyped: ['one'] });
      assert.deepEqual(
        error?.issues.map(({ code }) => code),
        ['unrecognized_keys'],
      );
    });
});
