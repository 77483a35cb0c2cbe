// In a machine with a volume of the network: what a sidecar does on a mounted folder, while another machine (the folder that is served) changes files as well. Fails, or says `done`.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { processToken, spawnSidecar } from './sidecar-process.ts';
import { openYjsClient } from './yjs-client.ts';

const [mounted = '', served = '', state = ''] = process.argv.slice(2);
const WITHIN_MS = 60_000;
const file = (name: string): string => fs.readFileSync(path.join(mounted, name), 'utf8');
const put = (name: string, text: string): void => fs.writeFileSync(path.join(mounted, name), text);
const step = (what: string): void => console.log(`${Math.round(process.uptime())} s  ${what}`);

fs.mkdirSync(path.join(mounted, 'dir'));
put('dir/a.txt', 'one\n');
let sidecar = await spawnSidecar({ root: mounted, state, port: 0 });
const client = createClient<Operations>({ url: sidecar.url, token: processToken });
const { cursor } = await client.call('changes.since', {});

step('writes on a condition');
let { etag } = await client.call('files.write', { path: 'b.txt', text: 'one\n' });
for (const text of ['two\n', 'three\n']) {
  ({ etag } = await client.call('files.write', { path: 'b.txt', text, ifMatch: etag }));
  assert.equal(file('b.txt'), text);
}
await client.call('files.edit', { path: 'b.txt', edits: [{ find: 'three', replace: 'four' }], ifMatch: etag });
assert.equal(file('b.txt'), 'four\n');

step('typing, and a kill in the middle');
const person = openYjsClient(sidecar.url, { token: processToken, room: 'dir/a.txt' });
await person.synced();
for (let word = 0; word < 20; word++) {
  person.text.insert(person.text.length, `${word} `);
  await new Promise((resolve) => setTimeout(resolve, 100));
  if (word !== 10) continue;
  await sidecar.kill();
  sidecar = await spawnSidecar({ root: mounted, state, port: Number(new URL(sidecar.url).port) });
}
const typed = `one\n${Array.from({ length: 20 }, (_, word) => `${word} `).join('')}`;
await eventually(() => assert.equal(file('dir/a.txt'), typed), WITHIN_MS);

step('what the other machine writes, and renames');
fs.writeFileSync(path.join(served, 'dir/a.txt'), `theirs\n${typed}`);
await eventually(() => assert.equal(person.text.toString(), `theirs\n${typed}`), WITHIN_MS);
fs.renameSync(path.join(served, 'dir/a.txt'), path.join(served, 'dir/c.txt'));
await eventually(async () => {
  const { documents } = await client.call('documents.list', {});
  assert.deepEqual(
    documents.map((document) => document.path),
    ['dir/c.txt'],
  );
}, WITHIN_MS);
person.text.insert(0, 'ours\n');
await eventually(() => assert.equal(file('dir/c.txt'), `ours\ntheirs\n${typed}`), WITHIN_MS);
assert.deepEqual(await names('dir'), ['c.txt']);

step('a folder that is removed just after a save');
person.destroy();
await client.call('files.remove', { path: 'dir', recursive: true });
assert.deepEqual(fs.readdirSync(mounted), ['b.txt']);
const { changes } = await client.call('changes.since', { cursor });
assert.ok(changes.length > 5);
assert.deepEqual(
  changes.filter((change) => change.path.includes('.nfs')),
  [],
);
assert.doesNotMatch(sidecar.log(), /documents\.save-failed/);
client.close();
assert.equal(await sidecar.stop(), 0);
assert.deepEqual(fs.readdirSync(mounted), ['b.txt']);
console.log('done');

async function names(folder: string): Promise<string[]> {
  return (await client.call('files.list', { path: folder })).items.map(({ name }) => name);
}
