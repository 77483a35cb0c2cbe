// What a program moves in quick succession is told to have moved, each file once from where it was last told to be, however the looks at it fall.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { testSeed } from '../../../test/kit/seed.ts';
import { child, withWatch } from '../../../test/kit/watch-harness.ts';

const seed = testSeed();

const MOVER = `
const fs = require('node:fs');
const [root, count] = process.argv.slice(1);
for (let number = 0; number < count; number++) fs.renameSync(root + '/old/in/' + number, root + '/new/' + number);
fs.rmSync(root + '/old', { recursive: true });
`;

for (const { of, text } of [
  { of: 'files', text: (number: number) => `${number}` },
  { of: 'folders', text: (number: number) => `${number}/text` },
])
  test(`hundreds of ${of} that a program moves one after another, and then removes where they were, are told to have moved`, async () => {
    const count = 600;
    await withWatch({}, async ({ reports, write, at, watch, exact }) => {
      for (const folder of ['old/in', 'new']) fs.mkdirSync(at(folder), { recursive: true });
      for (let number = 0; number < count; number++) {
        fs.mkdirSync(path.dirname(at(`old/in/${text(number)}`)), { recursive: true });
        write(`old/in/${text(number)}`, `${number}`);
      }
      await watch.barrier();
      reports.length = 0;
      await child(MOVER, at(''), `${count}`);
      await exact();
      assert.deepEqual(
        reports.filter(({ kind, what }) => kind === 'file' && what === 'removed').map((report) => report.path),
        [],
      );
    });
  });

const folders = ['a', 'b/c', 'd/e/f', 'g', 'h/i'];

/** Files go from folder to folder and back, in bursts, and some folders with what is in them; new files are written among them. */
const WANDERER = `
const fs = require('node:fs');
const [root, count, seed, folderMoves] = process.argv.slice(1).map((text, index) => (index === 0 ? text : Number(text)));
let state = seed >>> 0;
const random = () => {
  state = (state + 0x6d2b79f5) >>> 0;
  let mixed = Math.imul(state ^ (state >>> 15), state | 1);
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
  return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
};
const below = (limit) => Math.floor(random() * limit);
const folders = ${JSON.stringify(folders)};
const places = Array.from({ length: count }, (_, file) => file % folders.length);
for (let step = 0, left = 0; step < count; step++, left--) {
  if (left <= 0) {
    left = 1 + below(30);
    for (const until = performance.now() + random() * 2.5; performance.now() < until; );
  }
  const [file, to, moved] = [below(count), below(folders.length), below(folders.length)];
  if (random() < folderMoves) {
    const place = ['', 'b/', 'd/', 'd/e/'][below(4)] + 'moved-' + step;
    try {
      fs.renameSync(root + '/' + folders[moved], root + '/' + place);
      folders[moved] = place;
    } catch {
      // Its folder went with another, or it can't go into itself.
    }
    continue;
  }
  if (random() < 0.1) fs.writeFileSync(root + '/' + folders[to] + '/new-' + step, 'new');
  fs.renameSync(root + '/' + folders[places[file]] + '/' + file, root + '/' + folders[to] + '/' + file);
  places[file] = to;
}
`;

for (const { form, rounds } of [
  { form: '', rounds: 4 },
  { form: ' (long form)', rounds: 120 },
])
  test(`files that go to and fro between folders, which move as well, are never told to be gone${form}`, async () => {
    const count = 300;
    for (let round = 0; round < rounds; round++) {
      const own = seed + round;
      await withWatch({}, async ({ reports, write, at, watch, exact }) => {
        for (const folder of folders) fs.mkdirSync(at(folder), { recursive: true });
        for (let file = 0; file < count; file++) write(`${folders[file % folders.length]}/${file}`, `${file}`);
        await watch.barrier();
        reports.length = 0;
        await child(WANDERER, at(''), `${count}`, `${own}`, round % 2 === 0 ? '0' : '0.04');
        await exact(`SEED=${own}`);
        assert.deepEqual(
          reports.filter(({ kind, what }) => kind === 'file' && what === 'removed').map((report) => report.path),
          [],
          `SEED=${own}`,
        );
      });
    }
  });
