// A checkout that touches many files while a sidecar serves the folder: what is searched right after it is what ripgrep finds.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { rgLines, type TextQuery } from './rg-lines.ts';
import { withSidecar } from './sidecar.ts';

const run = promisify(execFile);

const queries: TextQuery[] = [
  { pattern: 'marker of main' },
  { pattern: 'marker of other' },
  { pattern: 'unique-main-7-' },
  { pattern: 'unique-other-1[0-3]-', regex: true },
  { pattern: 'MOVED', caseSensitive: false, word: true },
  { pattern: 'stays' },
];

/** `files` are changed by each checkout, a tenth of them besides moved, and as many come or go. */
export async function checkoutsAreSearched(files: number): Promise<void> {
  const git = (root: string, ...args: string[]): Promise<unknown> =>
    run('git', ['-c', 'core.fsync=none', '-c', 'gc.auto=0', '-c', 'user.name=Pia', '-c', 'user.email=pia@example.org', ...args], {
      cwd: root,
    });
  const write = (root: string, branch: string): void => {
    for (let number = 0; number < files; number++) {
      const folder = path.join(root, `d${number % 40}`);
      fs.mkdirSync(folder, { recursive: true });
      const rare = number % 50 === 0 ? `marker of ${branch}\n` : '';
      fs.writeFileSync(path.join(folder, `f${number}.txt`), `unique-${branch}-${number}-\n${rare}this stays\n${'more text '.repeat(20)}\n`);
      if (number % 10 !== 0) continue;
      fs.mkdirSync(path.join(root, branch), { recursive: true });
      fs.writeFileSync(path.join(root, branch, `moved${number}.txt`), `this was moved ${number}\n${'and is else the same '.repeat(9)}\n`);
    }
    fs.writeFileSync(path.join(root, '.gitignore'), branch === 'main' ? '*.log\n' : '*.log\nd3\n');
  };
  await withSidecar(
    async ({ client, root }) => {
      await client.call('index.wait', {});
      const engines: string[] = [];
      for (const branch of ['other', 'main']) {
        await git(root, 'checkout', '-q', branch);
        await client.call('index.wait', {});
        for (const query of queries) {
          const stream = client.stream('search.text', query);
          const lines: string[] = [];
          for await (const file of stream)
            for (const { line, ranges } of file.lines) lines.push(`${file.path}:${line} ${JSON.stringify(ranges)}`);
          assert.deepEqual(lines.sort(), rgLines(root, query), `${branch}: ${JSON.stringify(query)}`);
          engines.push((await stream.end).engine);
        }
      }
      assert.ok(engines.filter((engine) => engine === 'index').length > engines.length / 2, engines.join(' '));
    },
    {
      prepare: async (root) => {
        await git(root, 'init', '-q', '-b', 'main');
        for (const branch of ['main', 'other']) {
          if (branch === 'other') {
            await git(root, 'checkout', '-q', '-b', 'other');
            fs.rmSync(path.join(root, 'main'), { recursive: true });
          }
          write(root, branch);
          await git(root, 'add', '-f', '.');
          await git(root, 'commit', '-q', '-m', branch);
        }
        await git(root, 'checkout', '-q', 'main');
      },
    },
  );
}
