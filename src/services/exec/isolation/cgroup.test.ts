import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { type Cgroup, Cgroups } from './cgroup.ts';

const groups = Cgroups.find();
after(() => groups?.close());
const skip = groups === undefined ? 'no cgroup can be made here' : false;

test('a group has its limits, and goes', { skip }, async () => {
  const own = Cgroups.find();
  assert.ok(own !== undefined);
  const group = own.make({ memoryBytes: 64 * 1024 * 1024, processes: 5 });
  assert.ok(group !== undefined);
  const folders = group.joins.map((file) => path.dirname(file));
  assert.ok(folders.some((folder) => fs.existsSync(path.join(folder, 'pids.max'))));
  for (const folder of folders) {
    const pids = path.join(folder, 'pids.max');
    if (fs.existsSync(pids)) assert.equal(fs.readFileSync(pids, 'utf8').trim(), '5');
  }
  assert.deepEqual([group.use().outOfMemory, group.use().forksRefused, group.ranOut()], [0, 0, false]);
  await group.release();
  await own.close();
  for (const folder of folders) assert.equal(fs.existsSync(folder), false);
});

test('a group serves again for the same limits, as if it were new, and only where nothing is left in it', { skip }, async () => {
  const again = Cgroups.find();
  assert.ok(again !== undefined);
  const limits = { memoryBytes: 64 * 1024 * 1024, processes: 1 };
  const make = (other: Partial<typeof limits> = {}) => again.make({ ...limits, ...other }) ?? assert.fail('none was made');
  const join = (group: Cgroup): string => group.joins.map((file) => `echo 0 > ${file}`).join(' && ');
  const first = make();
  // A second process is refused, and 20 MiB were in it.
  spawnSync('sh', ['-c', `${join(first)}; (:)`]);
  spawnSync('sh', ['-c', `${join(first)}; exec dd if=/dev/zero of=/dev/null bs=20M count=1`]);
  const { forksRefused, memoryBytes } = first.use();
  assert.ok(forksRefused > 0 && (memoryBytes ?? 0) > 16 * 1024 * 1024, `${forksRefused} forks, ${memoryBytes} bytes`);
  await first.release();
  const other = make({ processes: 2 });
  assert.notDeepEqual(other.joins, first.joins);
  const second = make();
  assert.deepEqual(second.joins, first.joins);
  const used = second.use();
  assert.deepEqual([used.outOfMemory, used.forksRefused, second.ranOut()], [0, 0, false]);
  assert.ok((used.memoryBytes ?? 0) < 2 * 1024 * 1024, `${used.memoryBytes} bytes`);
  // Its end is the end of what its first user sees.
  assert.deepEqual(first.use(), { memoryBytes: null, outOfMemory: 0, forksRefused: 0 });
  await first.release();

  const third = make();
  assert.notDeepEqual(third.joins, second.joins, 'nobody has one that another holds');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-groups-'));
  spawnSync('sh', ['-c', `${join(third)}; exec head -c 8388608 /dev/zero > ${folder}/file`]);
  await third.release();
  for (const file of third.joins) assert.equal(fs.existsSync(file), false, 'what the kernel keeps of its file would count for the next');
  fs.rmSync(folder, { recursive: true });

  const sleeper = spawn('sh', ['-c', `${join(second)}; echo; exec sleep 60`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(sleeper.stdout, 'data');
  const going = second.release();
  assert.notDeepEqual(make().joins, second.joins, 'somebody is in it');
  sleeper.kill('SIGKILL');
  await going;
  await again.close();
});

test('a group forgets what was, where the kernel lets it, and counts on', { skip }, async () => {
  const group = groups?.make({ memoryBytes: 64 * 1024 * 1024, processes: 1 });
  assert.ok(group !== undefined);
  const join = group.joins.map((file) => `echo 0 > ${file}`).join(' && ');
  const forks = (): number => {
    const { status } = spawnSync('sh', ['-c', `${join} && (:)`]);
    assert.notEqual(status, 0, 'a second process was let through');
    return group.use().forksRefused;
  };
  const first = forks();
  assert.ok(first > 0, 'the refused fork is counted');
  const { memoryBytes } = group.use();
  group.forget();
  assert.equal(group.use().forksRefused, 0);
  assert.ok((group.use().memoryBytes ?? 0) <= (memoryBytes ?? 0));
  assert.equal(forks(), first);
  await group.release();
  assert.equal(group.use().memoryBytes, null);
});

test('groups of a sidecar that is gone are swept, those of one that lives are not', { skip }, async () => {
  const group = groups?.make({ memoryBytes: 64 * 1024 * 1024, processes: 5 });
  assert.ok(group !== undefined);
  const own = group.joins.map((file) => path.dirname(file));
  // No process has this number: it is above the most that Linux gives.
  const left = own.map((folder) => path.join(path.dirname(folder), 'outrigger-4194305-1'));
  for (const folder of left) fs.mkdirSync(folder);
  try {
    await groups?.sweep();
    for (const folder of left) assert.equal(fs.existsSync(folder), false);
    for (const folder of own) assert.equal(fs.existsSync(folder), true);
  } finally {
    for (const folder of left) if (fs.existsSync(folder)) fs.rmdirSync(folder);
    await group.release();
  }
});
