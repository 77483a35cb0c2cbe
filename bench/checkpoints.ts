// Checkpoints of a repository of 10,000 files: the first one, one of 10 changed paths, one of none; and how long they hold up the event loop.
// `node bench/checkpoints.ts [--files 10000] [--rounds 20]`

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { createSidecar } from '../src/sidecar/create-sidecar.ts';
import { median, quantile, report } from './measure.ts';

const { values } = parseArgs({ options: { files: { type: 'string', default: '10000' }, rounds: { type: 'string', default: '20' } } });
const count = Number(values.files);
const rounds = Number(values.rounds);

const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-checkpoints-'));
const root = path.join(folder, 'work');
const git = (...args: string[]): void => {
  const env = { PATH: process.env['PATH'], HOME: folder, GIT_CONFIG_NOSYSTEM: '1' };
  execFileSync('git', ['-c', 'user.name=bench', '-c', 'user.email=bench@localhost', ...args], { cwd: root, env, stdio: 'ignore' });
};
const nameOf = (index: number): string => path.join(root, `folder${index % 500}`, `file${index}.txt`);
for (let index = 0; index < count; index++) {
  if (index < 500) fs.mkdirSync(path.dirname(nameOf(index)), { recursive: true });
  fs.writeFileSync(nameOf(index), `${index}\n${'A line of a file in a benchmark.\n'.repeat(index % 100)}`);
}
git('init', '--quiet');
git('add', '-A');
git('commit', '--quiet', '-m', 'first');
// A tenth of it is new to the repository.
for (let index = 0; index < count; index += 10) fs.appendFileSync(nameOf(index), 'changed\n');

const sidecar = await createSidecar({
  workspace: root,
  state: path.join(folder, 'state'),
  port: 0,
  env: {},
  components: ['files', 'checkpoints'],
});
try {
  await sidecar.ready;
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const create = async (): Promise<number> => {
    const began = performance.now();
    await sidecar.call('checkpoints.create', { title: 'bench' });
    return performance.now() - began;
  };
  delay.enable();
  const first = await create();
  delay.disable();
  const blocked = delay.max / 1e6;
  const some: number[] = [];
  const none: number[] = [];
  for (let round = 0; round < rounds; round++) {
    for (let index = 0; index < 10; index++)
      await sidecar.call('files.write', {
        path: path.relative(root, nameOf((round * 977 + index * 131) % count)),
        text: `${round} ${index}\n`,
      });
    some.push(await create());
    none.push(await create());
  }
  console.log(
    `checkpoints: ${count} files, first ${first.toFixed(0)} ms (event loop held up to ${blocked.toFixed(0)} ms), ${rounds} rounds`,
  );
  console.log(
    `  10 changed: median ${median(some).toFixed(1)} ms, p90 ${quantile(some, 0.9).toFixed(1)}; none: ${median(none).toFixed(2)} ms, p90 ${quantile(none, 0.9).toFixed(2)}`,
  );
  report([
    { what: `checkpoint, the first of ${count} files`, unit: 'ms', ours: first, goal: '≤ 2000 ms', ok: first <= 2000 },
    { what: 'checkpoint, the first: event loop held up', unit: 'ms', ours: blocked, goal: '≤ 50 ms', ok: blocked <= 50 },
    { what: 'checkpoint of 10 changed paths', unit: 'ms', ours: median(some), goal: '≤ 30 ms', ok: median(some) <= 30 },
    { what: 'checkpoint when nothing changed', unit: 'ms', ours: median(none), goal: '≤ 2 ms', ok: median(none) <= 2 },
  ]);
} finally {
  await sidecar.stop();
  fs.rmSync(folder, { recursive: true, force: true });
}
