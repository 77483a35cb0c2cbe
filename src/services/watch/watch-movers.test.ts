// What a program moves in quick succession is told to have moved, each file once from where it was last told to be, however the looks at it fall.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
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

const program = path.join(import.meta.dirname, '../../../test/kit/wandering-program.ts');
const folders = ['a', 'b/c', 'd/e/f', 'g', 'h/i'];

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
        await promisify(execFile)(process.execPath, [program, at(''), `${count}`, `${own}`, round % 2 === 0 ? '0' : '4', ...folders]);
        await exact(`SEED=${own}`);
        assert.deepEqual(
          reports.filter(({ kind, what }) => kind === 'file' && what === 'removed').map((report) => report.path),
          [],
          `SEED=${own}`,
        );
      });
    }
  });
