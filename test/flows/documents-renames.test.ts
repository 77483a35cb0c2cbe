// A file that another program renames, itself and with its folders, at moments of its own while people type in it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from '../kit/eventually.ts';
import { Random } from '../kit/random.ts';
import { testSeed } from '../kit/seed.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const program = path.join(import.meta.dirname, '../kit/renaming-program.ts');
const seed = testSeed();

function typedThroughout(what: 'files' | 'folders', number: number, everyMs: number, count: number): Promise<void> {
  return withSidecar(
    async ({ url, token, root, client, put, file }) => {
      put('d/a.txt', '');
      await client.call('index.wait', {});
      const people = [0, 1].map(() => openYjsClient(url, { token, room: 'd/a.txt' }));
      try {
        for (const person of people) await person.synced();
        const [typing, reading] = people as [(typeof people)[0], (typeof people)[0]];
        const random = new Random(number);
        let at: string | undefined;
        const renaming = promisify(execFile)(process.execPath, [
          program,
          root,
          'd/a.txt',
          what,
          `${everyMs}`,
          `${count}`,
          `${number}`,
        ]).then(({ stdout }) => {
          at = stdout;
        });
        let typed = '';
        for (let word = 0; at === undefined; word++) {
          typing.text.insert(typing.text.length, `${word} `);
          typed += `${word} `;
          await Promise.race([renaming, new Promise((resolve) => setTimeout(resolve, 5 + random.below(25)))]);
        }
        const place = at;
        await eventually(async () => {
          const { documents } = await client.call('documents.list', {});
          assert.deepEqual(
            documents.map(({ path: where, state }) => [where, state]),
            [[place, 'saved']],
            `SEED=${number}`,
          );
          assert.equal(file(place), typed, `SEED=${number}`);
        });
        for (const { text } of [typing, reading]) assert.equal(text.toString(), typed, `SEED=${number}`);
        const files = fs.readdirSync(root, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
        assert.deepEqual(
          files.map((entry) => path.relative(root, path.join(entry.parentPath, entry.name))),
          [place],
          `SEED=${number}`,
        );
      } finally {
        for (const person of people) person.destroy();
      }
    },
    { config: { 'documents.saveIdleMs': '15', 'documents.saveMaxMs': '80' } },
  );
}

test(`what is typed stands there once, in one file, however a program renames that (SEED=${seed})`, () =>
  typedThroughout('files', seed, 120, 30));

for (let round = 0; round < 6; round++)
  test(`two hundred renames of a file and its folders in ten seconds lose and double nothing (SEED=${seed + round}) (long form)`, () =>
    typedThroughout('folders', seed + round, 50, 200));
