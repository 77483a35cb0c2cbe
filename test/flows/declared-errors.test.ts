// What an operation says may go wrong is what goes wrong: clients and documents rely on it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { operations } from '../../src/contract/operations.ts';
import { withSidecar } from '../kit/sidecar.ts';

/** As long as a path of a call may be: with the workspace before it, it is longer than the system takes. */
const long = `${'d/'.repeat(2047)}d`;

function prepare(root: string): void {
  fs.writeFileSync(path.join(root, 'file'), 'text\n');
  fs.mkdirSync(path.join(root, 'folder'));
  fs.symlinkSync('nothing', path.join(root, 'dangling'));
  if (process.platform !== 'win32') execFileSync('mkfifo', [path.join(root, 'fifo')]);
}

test('what is in the way of a path is among the errors that its operation declares', { skip: process.platform === 'win32' }, () =>
  withSidecar(
    async ({ url, token }) => {
      const post = async (name: string, input: object): Promise<string> => {
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const answer = await fetch(`${url}/api/${name}`, { method: 'POST', headers, body: JSON.stringify(input) });
        return /"reason":"(\w+)"/.exec(await answer.text())?.[1] ?? String(answer.status);
      };
      const upload = async (name: string): Promise<string> => {
        const answer = await fetch(`${url}/api/files/${name}`, {
          method: 'PUT',
          headers: { authorization: `Bearer ${token}` },
          body: 'text',
        });
        return /"reason":"(\w+)"/.exec(await answer.text())?.[1] ?? String(answer.status);
      };
      const below = { path: 'file/x' };
      const edits = [{ find: 'text', replace: 'other' }];
      for (const [name, input, reason] of [
        ...(['read', 'remove', 'hash', 'download', 'outline'] as const).map((one) => [`files.${one}`, below, 'NOT_A_DIRECTORY'] as const),
        ['documents.open', below, 'NOT_A_DIRECTORY'],
        ['files.edit', { ...below, edits }, 'NOT_A_DIRECTORY'],
        ['files.edit', { path: 'folder', edits }, 'NOT_A_FILE'],
        ['files.copy', { from: 'fifo', to: 'copy' }, 'NOT_A_FILE'],
        ['files.move', { from: 'file', to: 'folder', overwrite: true }, 'NOT_A_FILE'],
        ['files.create', { path: 'dangling/x', text: '', parents: false }, 'FILE_NOT_FOUND'],
        ['files.write', { path: 'dangling/x', text: '' }, 'FILE_EXISTS'],
        ['files.upload', { path: 'dangling/x' }, 'FILE_EXISTS'],
        ['files.list', { path: long }, 'NAME_TOO_LONG'],
        ...['processes.start', 'processes.run', 'terminals.open'].map(
          (one) => [one, { argv: ['true'], path: long }, 'NAME_TOO_LONG'] as const,
        ),
      ] as const) {
        const said = 'path' in input && name === 'files.upload' ? await upload(input.path) : await post(name, input);
        assert.equal(said, reason, `${name} ${JSON.stringify(input).slice(0, 100)}`);
        assert.ok(operations[name as keyof typeof operations].errors.includes(said as never), `${name} declares no ${said}`);
      }
    },
    { prepare },
  ),
);
