// For tests of checkpoints: a sidecar on a folder with a repository, and runs that are nothing but a function between the hooks.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Cause } from '../../src/contract/events.ts';
import { eventually } from './eventually.ts';
import { openYjsClient, type YjsClient } from './yjs-client.ts';
import { type RunningSidecar, type SidecarSetup, withSidecar } from './sidecar.ts';

export const agent: Cause = { kind: 'run', who: [{ name: 'agent', kind: 'agent' }] };

export interface CheckpointRuns extends RunningSidecar {
  git(...args: string[]): string;
  /** Calls the hooks around `work`; `id` names the run. */
  run(id: string, work: () => Promise<void> | void): Promise<void>;
  open(room: string): Promise<YjsClient>;
  remove(name: string): void;
  has(name: string): boolean;
}

export interface CheckpointSetup extends Omit<SidecarSetup, 'prepare'> {
  files?: Record<string, string | Buffer>;
  /** none: the folder is no repository; empty: one without commits. */
  repository?: 'committed' | 'empty' | 'none';
  prepare?: (root: string) => void;
}

/** git as a user has it who has no config. */
export function gitIn(folder: string, ...args: string[]): string {
  return execFileSync('git', ['-c', 'user.name=Pia', '-c', 'user.email=pia@example.com', '-c', 'protocol.file.allow=always', ...args], {
    cwd: folder,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export function putIn(root: string, name: string, content: string | Buffer): void {
  fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
  fs.writeFileSync(path.join(root, name), content);
}

export async function withCheckpoints(setup: CheckpointSetup, work: (runs: CheckpointRuns) => Promise<void>): Promise<void> {
  const { files = {}, repository = 'committed', prepare, ...rest } = setup;
  await withSidecar(
    async (running) => {
      const { root, sidecar } = running;
      const clients: YjsClient[] = [];
      const hooks = sidecar.runHooks;
      assert.ok(hooks !== undefined);
      try {
        await work({
          ...running,
          git: (...args) => gitIn(root, ...args),
          run: async (id, inside) => {
            const run = { id, title: `Run ${id}`, cause: { ...agent, id } };
            await hooks.before(run);
            await inside();
            await hooks.after(run);
          },
          open: async (room) => {
            const client = openYjsClient(running.url, { token: running.token, room });
            clients.push(client);
            await client.synced();
            return client;
          },
          remove: (name) => fs.rmSync(path.join(root, name), { recursive: true }),
          has: (name) => fs.existsSync(path.join(root, name)),
        });
      } finally {
        for (const client of clients) client.destroy();
      }
    },
    {
      ...rest,
      config: { components: ['files', 'documents', 'checkpoints'], 'documents.saveIdleMs': '50', ...rest.config },
      prepare: (root) => {
        for (const [name, content] of Object.entries(files)) putIn(root, name, content);
        if (repository !== 'none') gitIn(root, 'init', '--quiet', '-b', 'main');
        if (repository === 'committed') {
          gitIn(root, 'add', '-A');
          gitIn(root, 'commit', '--quiet', '--allow-empty', '-m', 'first');
        }
        prepare?.(root);
      },
    },
  );
}

/** The same in each kind of folder: a run that changes, makes and removes a file, looked at and taken back. */
export async function goesThere({ client, run, put, file, remove, has }: CheckpointRuns): Promise<void> {
  await run('1', () => {
    put('a.txt', 'RUN\n');
    put('made.txt', 'made\n');
    remove('b.txt');
  });
  const { checkpoints } = await client.call('checkpoints.list', {});
  assert.deepEqual(
    checkpoints.map(({ point, run: of, files, edited, title }) => ({ point, of, files, edited, title })),
    [
      { point: 'after', of: '1', files: 3, edited: 0, title: 'Run 1' },
      { point: 'before', of: '1', files: null, edited: undefined, title: 'Run 1' },
    ],
  );
  const diff = await client.call('checkpoints.diff', { id: checkpoints[0]?.id ?? 0 });
  assert.deepEqual(diff.files, [
    { path: 'a.txt', added: 1, removed: 1 },
    { path: 'b.txt', added: 0, removed: 1 },
    { path: 'made.txt', added: 1, removed: 0 },
  ]);
  assert.match(diff.patch, /-a\n\+RUN/);
  put('a.txt', 'RUN\nmine\n');
  await eventually(async () => assert.equal((await client.call('checkpoints.list', {})).checkpoints[0]?.edited, 1));
  assert.equal((await client.call('checkpoints.diff', { id: checkpoints[0]?.id ?? 0, against: 'now' })).fileCount, 1);
  await client.call('checkpoints.revert', { run: '1' });
  assert.deepEqual([file('a.txt'), file('b.txt'), has('made.txt')], ['a\nmine\n', 'b\n', false]);
  const restored = await client.call('checkpoints.restore', { id: checkpoints[0]?.id ?? 0, paths: ['a.txt', 'b.txt'] });
  assert.deepEqual([file('a.txt'), has('b.txt'), has('made.txt')], ['RUN\n', false, false]);
  await client.call('checkpoints.revert', { run: restored.undo ?? '' });
  assert.deepEqual([file('a.txt'), file('b.txt')], ['a\nmine\n', 'b\n']);
}

export const plain = { 'a.txt': 'a\n', 'b.txt': 'b\n', '.gitignore': 'ignored\n', ignored: 'not stored\n' };
