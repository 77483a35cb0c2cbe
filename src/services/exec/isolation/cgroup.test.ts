import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { after, test } from 'node:test';
import { Cgroups } from './cgroup.ts';

const groups = Cgroups.find();
after(() => groups?.close());
const skip = groups === undefined ? 'no cgroup can be made here' : false;

test('a group has its limits, and goes', { skip }, async () => {
  const group = groups?.make({ memoryBytes: 64 * 1024 * 1024, processes: 5 });
  assert.ok(group !== undefined);
  const folders = group.joins.map((file) => path.dirname(file));
  assert.ok(folders.some((folder) => fs.existsSync(path.join(folder, 'pids.max'))));
  for (const folder of folders) {
    const pids = path.join(folder, 'pids.max');
    if (fs.existsSync(pids)) assert.equal(fs.readFileSync(pids, 'utf8').trim(), '5');
  }
  assert.deepEqual([group.use().outOfMemory, group.use().forksRefused, group.ranOut()], [0, 0, false]);
  await group.remove();
  for (const folder of folders) assert.equal(fs.existsSync(folder), false);
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
  await group.remove();
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
    await group.remove();
  }
});
