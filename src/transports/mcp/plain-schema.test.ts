import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonSchema } from '../../contract/json-schema.ts';
import { plainSchema } from './plain-schema.ts';

const text: JsonSchema = { type: 'string' };

test('a list whose first items are of their own is one of what holds for all', () => {
  const cases: [given: JsonSchema, plain: JsonSchema][] = [
    [
      { prefixItems: [{ ...text, minLength: 1, pattern: 'a' }], items: { ...text, pattern: 'a' }, minItems: 1 },
      { items: { ...text, pattern: 'a' }, minItems: 1 },
    ],
    [
      { prefixItems: [text, { type: 'integer' }], minItems: 2 },
      { items: { anyOf: [text, { type: 'integer' }] }, minItems: 2 },
    ],
    [{ prefixItems: [text] }, { items: text }],
    [{ prefixItems: [{ prefixItems: [text] }] }, { items: { items: text } }],
  ];
  for (const [given, plain] of cases) assert.deepEqual(plainSchema({ type: 'array', ...given }), { type: 'array', ...plain });
});

test('names of properties go, wherever they stand, and all else stays', () => {
  const named: JsonSchema = { type: 'object', propertyNames: { pattern: '^a' }, additionalProperties: text };
  const { propertyNames: _, ...plain } = named;
  const nested = (inner: JsonSchema): JsonSchema => ({
    type: 'object',
    properties: {
      own: inner,
      list: { type: 'array', items: inner, maxItems: 3 },
      some: { anyOf: [inner, text] },
      one: { oneOf: [text, inner] },
    },
    required: ['own'],
    additionalProperties: inner,
  });
  const given = nested(named);
  assert.deepEqual(plainSchema(given), nested(plain));
  assert.deepEqual(given, nested(named), 'what was given stays as it was');
  assert.deepEqual(plainSchema({ ...nested(text), additionalProperties: false }), { ...nested(text), additionalProperties: false });
});
