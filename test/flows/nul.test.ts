// Programs are given texts of a call as arguments and variables, which hold no NUL.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { type JsonSchema, operationSchema } from '../../src/contract/json-schema.ts';
import { operations } from '../../src/contract/operations.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withSidecar } from '../kit/sidecar.ts';

const families = ['git', 'processes', 'terminals', 'code', 'deploy', 'checkpoints'];

/** Texts with which a call gets as far as to its program. */
const good: Readonly<Record<string, unknown>> = {
  argv: ['true'],
  url: 'https://127.0.0.1:1/x',
  remote: 'origin',
  to: 'HEAD',
  from: 'HEAD',
  language: 'bash',
  path: 'a',
  id: 'a',
  email: 'a@b',
};

/** What is needed, at least. */
function sample(schema: JsonSchema, name = ''): unknown {
  const [first] = schema.anyOf ?? schema.oneOf ?? [];
  if (name in good) return good[name];
  if ('default' in schema) return schema['default'];
  if ('const' in schema) return schema['const'];
  if (Array.isArray(schema['enum'])) return schema['enum'][0];
  if (first !== undefined) return sample(first, name);
  if (schema.type === 'object')
    return Object.fromEntries((schema.required ?? []).map((key) => [key, sample(schema.properties?.[key] ?? {}, key)]));
  if (schema.type === 'array') return schema.items === undefined ? [] : [sample(schema.items)];
  return schema.type === 'string' ? 'a' : schema.type === 'boolean' ? false : 1;
}

/** The same once for each text in it, which is `text` there. */
function* withText(schema: JsonSchema, text: string, name = ''): Generator<unknown> {
  for (const choice of schema.anyOf ?? schema.oneOf ?? []) yield* withText(choice, text, name);
  if (schema.type === 'string' && schema['enum'] === undefined) yield text;
  if (schema.type === 'array') {
    const items = [...((schema['prefixItems'] as JsonSchema[] | undefined) ?? []), ...(schema.items === undefined ? [] : [schema.items])];
    for (const item of items) for (const value of withText(item, text)) yield [...((good[name] as unknown[] | undefined) ?? []), value];
  }
  if (typeof schema['additionalProperties'] === 'object')
    for (const value of withText(schema['additionalProperties'] as JsonSchema, text)) yield { A: value };
  const whole = sample(schema) as Record<string, unknown>;
  for (const [key, property] of Object.entries(schema.properties ?? {}))
    for (const value of withText(property, text, key)) yield { ...whole, [key]: value };
}

function prepare(root: string): void {
  const git = (...args: string[]): void => void execFileSync('git', args, { cwd: root, stdio: 'ignore' });
  fs.writeFileSync(path.join(root, 'a'), 'one\n');
  git('init', '-q');
  git('add', '--all');
  git('-c', 'user.name=Uma', '-c', 'user.email=uma@example.org', 'commit', '-qm', 'base');
  git('remote', 'add', 'origin', 'https://127.0.0.1:1/x');
}

test('a NUL in any text that may come to a program is no fault inside', { skip: requireTool('git') }, () =>
  withSidecar(
    async ({ url, token, put }) => {
      const told = new Set<string>();
      for (const [name, operation] of Object.entries(operations)) {
        if (!families.includes(name.split('.')[0] ?? '') || operation.endless === true) continue;
        const schema = operationSchema(operation, 'input') ?? {};
        for (const input of [...withText(schema, '\0'), ...withText(schema, 'a\0b')]) {
          put('a', `${told.size}\n`);
          const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
          const answer = await fetch(`${url}/api/${name}`, { method: 'POST', headers, body: JSON.stringify(input) });
          const text = await answer.text();
          assert.ok(!text.includes('"INTERNAL"'), `${name} ${JSON.stringify(input)}: ${text}`);
          told.add(`${name} ${JSON.stringify(input)}`);
        }
      }
      for (const call of [
        'git.stash {"message":"a\\u0000b"}',
        'processes.start {"argv":["true","\\u0000"]}',
        'terminals.open {"env":{"A":"\\u0000"}}',
      ])
        assert.ok(told.has(call), `${call} is not among the ${told.size} calls`);
    },
    { prepare },
  ),
);
