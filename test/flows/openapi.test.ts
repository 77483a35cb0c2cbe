// What /openapi.json says is what is answered: programs are generated from it.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/client/validators/ajv';
import { withSidecar } from '../kit/sidecar.ts';

type Schema = Parameters<AjvJsonSchemaValidator['getValidator']>[0];

interface Document {
  paths: Record<
    string,
    Record<string, { parameters?: object[]; responses: Record<string, { content?: Record<string, { schema: Schema }> }> }>
  >;
  components: { schemas: Record<string, object> };
}

const validator = new AjvJsonSchemaValidator();

/** Throws where the document declares no such answer. */
async function check(document: Document, [method, route]: readonly [string, string], answer: Response): Promise<unknown> {
  const text = await answer.text();
  const what = `${method} ${route} ${answer.status} ${text.slice(0, 200)}`;
  const declared = document.paths[`/api/${route}`]?.[method]?.responses[answer.status];
  assert.ok(declared, `${what} is declared`);
  if (text === '') return undefined;
  const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
  const schema = (declared.content?.[type] ?? declared.content?.['*/*'])?.schema;
  assert.ok(schema, `${what} has the declared type`);
  if (type !== 'application/json') return text;
  const whole = { ...schema, components: document.components };
  const { valid, errorMessage } = validator.getValidator(whole)(JSON.parse(text));
  assert.ok(valid, `${what}: ${errorMessage}`);
  return JSON.parse(text);
}

test('the document declares the answers that come, in every status, with the items of streams', () =>
  withSidecar(
    async ({ url, token }) => {
      const authorization = `Bearer ${token}`;
      const document = (await (await fetch(`${url}/openapi.json`, { headers: { authorization } })).json()) as Document;
      const ask = async (method: string, route: string, to: string, init: RequestInit = {}): Promise<[number, unknown]> => {
        const headers = { authorization, ...init.headers };
        const answer = await fetch(`${url}/api/${to}`, { ...init, method: method.toUpperCase(), headers });
        return [answer.status, await check(document, [method, route], answer)];
      };
      const post = async (name: string, input: object): Promise<[number, unknown]> =>
        ask('post', name, name, { headers: { 'content-type': 'application/json' }, body: JSON.stringify(input) });

      const [, ran] = await post('processes.run', { argv: ['node', '--version'] });
      const { id } = (ran as { process: { id: string } }).process;
      for (const [name, input, status] of [
        ['files.list', {}, 200],
        ['search.text', { pattern: 'hello' }, 200],
        ['code.run', { language: 'bash', code: 'echo x' }, 200],
        ['processes.output', { id }, 200],
        ['files.hash', { path: 'a.txt' }, 200],
        ['files.hash', { path: '../a.txt' }, 400],
        ['tasks.list', {}, 501],
      ] as const)
        assert.equal((await post(name, input))[0], status, name);
      assert.equal((await ask('get', 'changes.watch', 'changes.watch'))[0], 400);
      for (const status of [201, 200]) assert.equal((await ask('put', 'files/{path}', 'files/b', { body: String(status) }))[0], status);
      for (const [headers, status] of [
        [{}, 200],
        [{ range: 'bytes=0-1' }, 206],
        [{ 'if-none-match': '*' }, 304],
        [{ 'if-match': '"x"' }, 412],
        [{ 'if-modified-since': new Date().toUTCString() }, 304],
        [{ 'if-unmodified-since': 'Thu, 01 Jan 2015 00:00:00 GMT' }, 412],
      ] as const)
        assert.equal((await ask('get', 'files/{path}', 'files/a.txt', { headers }))[0], status);

      // An object in a query is JSON; by `schema` alone its properties would be parameters of their own.
      const from = document.paths['/api/processes.output']?.['get']?.parameters?.find((one) => 'name' in one && one.name === 'from');
      assert.deepEqual(Object.keys((from as { content?: object } | undefined)?.content ?? {}), ['application/json']);
    },
    { prepare: (root) => fs.writeFileSync(path.join(root, 'a.txt'), 'hello\n') },
  ));
