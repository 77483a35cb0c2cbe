import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakes, fakeCaller, fakeTable } from '../../../test/kit/fake-operations.ts';
import type { JsonSchema } from '../../contract/json-schema.ts';
import { operations } from '../../contract/operations.ts';
import { isTool, McpTools } from './tools.ts';

test('bytes, streams without an end, and what is for admins are no tools', () => {
  const names = Object.entries(fakeTable).flatMap(([name, operation]) => (isTool(name, operation) ? [name] : []));
  assert.deepEqual(names, ['echo.unary', 'echo.write', 'fail.known', 'fail.unknown', 'items.count', 'slow.wait', 'big.output']);
  assert.equal(isTool('x.y', { ...fakeTable['echo.unary'], access: 'admin' }), false);
});

test('operations of a part that is off are not listed', () => {
  const { dispatch } = createFakes();
  const deps = { dispatch, table: fakeTable, caller: fakeCaller, transport: 'mcp', offers: (name: string) => name.startsWith('echo.') };
  assert.deepEqual(
    new McpTools(deps, { maxResultBytes: 1000, maxImageBytes: 1000 }).list().map(({ name }) => name),
    ['echo_unary', 'echo_write'],
  );
});

test('two operations that would have one name are an error at once', () => {
  const { dispatch } = createFakes();
  const table = { 'a.b_c': fakeTable['echo.unary'], 'a_b.c': fakeTable['echo.unary'] };
  const tools = new McpTools({ dispatch, table, caller: fakeCaller, transport: 'mcp' }, { maxResultBytes: 1000, maxImageBytes: 1000 });
  assert.throws(() => tools.list(), /a_b\.c and a\.b_c would both be the tool a_b_c/);
});

test('a program that is run may reach further than the folder, and its tool says so', () => {
  const { dispatch } = createFakes();
  const table = { 'code.run': { ...fakeTable['echo.unary'], access: 'execute' as const } };
  const [tool] = new McpTools(
    { dispatch, table, caller: fakeCaller, transport: 'mcp' },
    { maxResultBytes: 1000, maxImageBytes: 1000 },
  ).list();
  assert.deepEqual(tool?.annotations, { title: 'code.run', readOnlyHint: false, destructiveHint: false, openWorldHint: true });
});

test('schemas of tools keep to what clients and models of all kinds read; what they leave out is refused all the same', () => {
  const read = new Set([
    ...['type', 'description', 'default', 'enum', 'const', 'anyOf', 'oneOf'],
    ...['properties', 'required', 'additionalProperties', 'items', 'minItems', 'maxItems'],
    ...['minLength', 'maxLength', 'pattern', 'format', 'contentEncoding', 'minimum', 'maximum', 'exclusiveMinimum'],
  ]);
  const unread = (schema: JsonSchema | undefined, at: string): string[] => {
    if (typeof schema !== 'object') return [];
    const { properties = {}, items, anyOf = [], oneOf = [], additionalProperties } = schema;
    return [
      ...Object.keys(schema).flatMap((keyword) => (read.has(keyword) ? [] : [`${at}: ${keyword}`])),
      ...Object.entries(properties).flatMap(([name, inner]) => unread(inner, `${at}.${name}`)),
      ...[items, additionalProperties as JsonSchema | undefined, ...anyOf, ...oneOf].flatMap((inner) => unread(inner, at)),
    ];
  };
  const { dispatch } = createFakes();
  const deps = { dispatch, table: operations, caller: fakeCaller, transport: 'mcp' };
  const tools = new McpTools(deps, { maxResultBytes: 1000, maxImageBytes: 1000 }).list();
  assert.ok(tools.length > 80);
  assert.deepEqual(
    tools.flatMap(({ name, inputSchema }) => unread(inputSchema as JsonSchema, name)),
    [],
  );
  const argv = (tools.find(({ name }) => name === 'processes_run')?.inputSchema.properties as Record<string, JsonSchema>)['argv'];
  assert.deepEqual([argv?.type, argv?.items?.type, argv?.['minItems']], ['array', 'string', 1]);
  const { input } = operations['processes.run'];
  for (const given of [{ argv: [] }, { argv: [''] }, { argv: ['a'.repeat(4097)] }, { argv: ['env'], env: { 'A=B': '' } }])
    assert.equal(input.safeParse(given).success, false, JSON.stringify(given).slice(0, 60));
});
