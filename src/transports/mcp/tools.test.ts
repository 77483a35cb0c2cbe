import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFakes, fakeCaller, fakeTable } from '../../../test/kit/fake-operations.ts';
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
