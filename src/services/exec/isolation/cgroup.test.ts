import assert from 'node:assert/strict';
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
