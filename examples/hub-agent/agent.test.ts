import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { requireTool } from '../../test/kit/require-tools.ts';

test('writes its page about any folder of git, and is done as well when nothing changed', { skip: requireTool('git') }, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-hub-agent-'));
  const told: [operation: string, more: Record<string, unknown>][] = [];
  const link = createServer((request, response) => {
    void json(request).then((more) => {
      told.push([request.url ?? '', more as Record<string, unknown>]);
      response.end('{}');
    });
  }).listen(0, '127.0.0.1');
  try {
    await once(link, 'listening');
    const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' });
    git('init', '-q');
    for (const name of ['café.txt', 'a\nb.md', 'gone.txt']) fs.writeFileSync(path.join(folder, name), 'one\ntwo\n');
    git('add', '.');
    git('-c', 'user.name=A', '-c', 'user.email=a@localhost', 'commit', '-q', '-m', 'first');
    fs.rmSync(path.join(folder, 'gone.txt'));
    const taskFile = path.join(folder, '.git', 'task.json');
    fs.writeFileSync(taskFile, JSON.stringify({ id: 't-1', description: 'Count lines' }));
    const run = async (): Promise<void> => {
      const env = {
        PATH: process.env['PATH'],
        HOME: folder,
        OUTRIGGER_TASK_ID: 't-1',
        OUTRIGGER_TASK_FILE: taskFile,
        OUTRIGGER_URL: `http://127.0.0.1:${(link.address() as AddressInfo).port}`,
        OUTRIGGER_TOKEN: 'token',
      };
      await once(spawn(process.execPath, [path.join(import.meta.dirname, 'agent.mjs')], { cwd: folder, env, stdio: 'ignore' }), 'exit');
    };
    // The first page is not in the folder yet when it is counted, the second is: so the third is as the second.
    for (const files of [2, 3, 3]) {
      told.length = 0;
      await run();
      const [last, { result }] = told.at(-1) ?? ['', {}];
      assert.equal(last, '/api/tasks.complete', JSON.stringify(told));
      assert.equal((result as { files: number }).files, files);
    }
    assert.equal(git('log', '--format=%s'), 'Count lines\nCount lines\nfirst\n');
  } finally {
    link.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
