// Status of a repository of 50,000 files, asked over the WebSocket, beside `git status --porcelain=v2` started by itself, in turns, warm. A hundred of
// the files are changed and ten are new. `node bench/git.ts [--files 50000] [--rounds 9]`

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { createClient } from '../src/client/client.ts';
import type { Operations } from '../src/contract/operations.ts';
import { benchToken, ourProgram, startOurs } from './contenders.ts';
import { median, quantile, report } from './measure.ts';

const { values } = parseArgs({ options: { files: { type: 'string', default: '50000' }, rounds: { type: 'string', default: '9' } } });
const count = Number(values.files);
const rounds = Number(values.rounds);

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-git-'));
const root = path.join(folder, 'work');
const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1', GIT_OPTIONAL_LOCKS: '0', LC_ALL: 'C' };
const git = (...args: string[]): Buffer =>
  execFileSync('git', ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], {
    cwd: root,
    env,
    maxBuffer: 2 ** 30,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const nameOf = (index: number): string => path.join(root, `folder${index % 2000}`, `file${index}.txt`);

try {
  for (let index = 0; index < count; index++) {
    if (index < 2000) fs.mkdirSync(path.dirname(nameOf(index)), { recursive: true });
    fs.writeFileSync(nameOf(index), `${index}\n`);
  }
  git('init', '--quiet');
  git('add', '--all');
  git('commit', '--quiet', '-m', 'first');
  for (let index = 0; index < 100; index++) fs.appendFileSync(nameOf((index * 499) % count), 'changed\n');
  for (let index = 0; index < 10; index++) fs.writeFileSync(path.join(root, `folder${index}`, 'new.txt'), 'new\n');
  const ours = await startOurs(folder, { root });
  const client = createClient<Operations>({ url: `http://127.0.0.1:${ours.port}`, token: benchToken });
  try {
    const timed = async (run: () => unknown): Promise<number> => {
      const began = performance.now();
      await run();
      return performance.now() - began;
    };
    // As we ask for it: every file that is not known by itself, renames found.
    const plain = (): Buffer => git('status', '--porcelain=v2', '--branch', '-z', '--untracked-files=all', '--find-renames');
    const asked = async (): Promise<void> => {
      const { changes } = await client.call('git.status', {});
      if (changes.length !== 110) throw new Error(`${changes.length} changes instead of 110`);
    };
    await asked();
    plain();
    const mine: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      mine.push(await timed(asked));
      theirs.push(await timed(plain));
    }
    // Others at work on the machine show in both alike only over many rounds; the best of each is what it takes by itself.
    const ratio = median(mine) / median(theirs);
    const [best, theirBest] = [Math.min(...mine), Math.min(...theirs)];
    console.log(`git status: ${count} files, ours ${ourProgram().says}, ${rounds} rounds in turns`);
    console.log(`  ours median ${median(mine).toFixed(1)} ms, p90 ${quantile(mine, 0.9).toFixed(1)}`);
    console.log(
      `  git  median ${median(theirs).toFixed(1)} ms, p90 ${quantile(theirs, 0.9).toFixed(1)}; ours takes ${ratio.toFixed(2)} times as long`,
    );
    console.log(`  best ours ${best.toFixed(1)} ms, git ${theirBest.toFixed(1)} ms: ${(best / theirBest).toFixed(2)}`);
    report([
      {
        what: `git.status of ${count} files, times the program`,
        unit: 'ms',
        ours: median(mine),
        peer: { name: 'git status', value: median(theirs) },
        ratio,
        goal: '≤ 1.2',
        ok: ratio <= 1.2,
      },
    ]);
  } finally {
    client.close();
    await ours.stop();
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
