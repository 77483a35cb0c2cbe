// A folder of 200,000 files: what one new file costs. A stand-in tells of them, so that they need not be there.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { longestTurn } from '../../../test/kit/loop-hold.ts';
import { cause, openWorkspace } from '../../../test/kit/workspace-harness.ts';
import { Processes } from '../processes/processes.ts';
import { Ripgrep } from './ripgrep.ts';
import { Search } from './search.ts';

const FILES = 200_000;
const MOST_MS = 200;
const walk = { path: '', include: [], exclude: [], hidden: false, ignored: false };
const noShell = process.platform === 'win32' && 'the stand-in is a script for a shell';

async function withMany(run: (search: Search, add: (name: string) => Promise<void>) => Promise<void>): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-many-')));
  const root = path.join(folder, 'root');
  fs.mkdirSync(path.join(root, 'all'), { recursive: true });
  const list = path.join(folder, 'list');
  fs.writeFileSync(list, Array.from({ length: FILES }, (_, number) => `./all/file${number}-of-the-folder.txt\0`).join(''));
  const program = path.join(folder, 'rg');
  fs.writeFileSync(
    program,
    `#!/bin/sh
case "$*" in *--version*) echo 'ripgrep 15.0.0'; exit;; esac
case "$*" in *--type=wanted*) ;; *) cat '${list}';; esac
for file in all/*; do [ ! -e "$file" ] || printf './%s\\0' "$file"; done\n`,
    { mode: 0o755 },
  );
  const { state, workspace } = openWorkspace(folder);
  const processes = new Processes({ env: process.env });
  const ripgrep = new Ripgrep({ processes }, { program, root });
  const nothing = (): Promise<void> => Promise.resolve();
  const search = new Search({ workspace, processes, ripgrep, flush: nothing, settled: nothing, log: () => {} });
  try {
    await search.start();
    await run(search, async (name) => void (await workspace.write(`all/${name}`, Buffer.from(''), { cause })));
  } finally {
    await search.stop();
    await processes.stop();
    workspace.close();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const { signal } = new AbortController();

for (const [who, visible] of [
  ['who sees all', undefined],
  ['who sees nearly all', (file: string) => file !== 'all/file77-of-the-folder.txt'],
] as const)
  test(`one new file among ${FILES} keeps nobody waiting when ${who} looks for paths`, { skip: noShell }, () =>
    withMany(async (search, add) => {
      const find = (query: string): ReturnType<Search['files']> => search.files({ ...walk, query, limit: 10 }, { signal, visible });
      const { files } = await find('file77-of');
      assert.equal(files[0]?.path === 'all/file77-of-the-folder.txt', visible === undefined);
      const longest = await longestTurn(async () => {
        await add('new-one.txt');
        await search.wait(undefined, 10_000, signal);
        assert.equal((await find('new-one')).files[0]?.path, 'all/new-one.txt');
      });
      assert.ok(longest < MOST_MS, `${longest} ms`);
    }),
  );
