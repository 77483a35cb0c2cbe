import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { OutriggerError } from '../../contract/errors.ts';
import type { JsonSchema } from '../../contract/json-schema.ts';
import { exactSchema, refuseUnknown } from './exact-input.ts';

const text: JsonSchema = { type: 'string' };
const form = (op: string, more: Record<string, JsonSchema>): JsonSchema => ({
  type: 'object',
  properties: { op: { const: op }, path: text, ...more },
  required: ['op', 'path'],
});
const schema = exactSchema({
  type: 'object',
  properties: {
    path: text,
    ifMatch: text,
    env: { type: 'object', additionalProperties: text },
    loose: { type: 'object', properties: { a: text }, additionalProperties: {} },
    steps: { type: 'array', items: { oneOf: [form('remove', { recursive: text }), form('make', {})] } },
    either: { anyOf: [text, { type: 'object', properties: { a: text } }] },
  },
});

const problem = (input: unknown): string => {
  try {
    refuseUnknown('tool', input, schema);
    return '';
  } catch (error) {
    return (error as OutriggerError).message;
  }
};

describe('what a tool knows is passed, and what is wrong in another way is left to others', () => {
  for (const input of [
    {},
    { path: 5, ifMatch: null },
    { env: { ANY: 'x' }, loose: { a: '1', b: '2' } },
    { steps: [{ op: 'remove', path: 'a', recursive: true }, { op: 'none', other: 1 }, 'text'] },
    { either: 'text' },
    { either: { a: '1' } },
    [],
    null,
  ])
    test(JSON.stringify(input), () => assert.equal(problem(input), ''));
});

describe('what it does not know is named, and so is what is known there, nearest first', () => {
  for (const [input, says] of [
    [{ if_match: 'x' }, 'tool takes no "if_match"; it takes ifMatch, path, env, loose, steps, either.'],
    [{ path: 'a', __proto__x: 1 }, 'tool takes no "__proto__x"; it takes path, ifMatch, env, loose, steps, either.'],
    [
      {
        steps: [
          { op: 'make', path: 'a' },
          { op: 'make', path: 'a', recursive: true },
        ],
      },
      'tool takes no "steps.1.recursive"; it takes op, path.',
    ],
    [{ either: { b: 1 } }, 'tool takes no "either.b"; it takes a.'],
  ] as const)
    test(JSON.stringify(input), () => assert.equal(problem(input), says));
});

test('a schema leaves no room for other names, except where it says so itself', () => {
  const { loose, env, steps } = schema.properties ?? {};
  assert.equal(schema['additionalProperties'], false);
  assert.deepEqual([loose?.['additionalProperties'], env?.['additionalProperties']], [{}, text]);
  assert.deepEqual(
    steps?.items?.oneOf?.map((one) => one['additionalProperties']),
    [false, false],
  );
});
