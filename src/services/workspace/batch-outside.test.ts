// What other programs do to the files of a batch between its plan and its end.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { files as table } from '../../contract/files.ts';
import type { Asked } from '../../contract/operation.ts';
import { fileOperations } from './operations.ts';
import { call, fails, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const MB = 1024 * 1024;

type Changes = Asked<(typeof table)['files.batch']>['changes'];

interface Facts extends Harness {
  batch(changes: Changes): Promise<unknown>;
  /** Texts of files by path; null for a folder. */
  tree(): Record<string, string | null>;
}

/** `atStep`: called before each thing that the batch changes. */
function withBatches(run: (facts: Facts) => Promise<void>, atStep: (point: string, facts: Facts) => void = () => {}): Promise<void> {
  let facts: Facts | undefined;
  const beforeStep = (point: string): void => {
    if (facts !== undefined) atStep(point, facts);
  };
  return withWorkspace(
    async (harness) => {
      const operations = fileOperations(harness.workspace, { maxTextBytes: MB, maxUploadBytes: MB });
      const { root, at, read } = harness;
      facts = {
        ...harness,
        batch: async (changes) => operations['files.batch'](table['files.batch'].input.parse({ changes }), call()),
        tree: () => {
          const names = (fs.readdirSync(root, { recursive: true }) as string[]).sort();
          return Object.fromEntries(names.map((name) => [name, fs.statSync(at(name)).isDirectory() ? null : read(name)]));
        },
      };
      await run(facts);
    },
    { beforeStep },
  );
}

describe('a batch fails and leaves all as it is', () => {
  for (const [how, changes] of [
    ['removed', [{ op: 'remove', path: 'd', recursive: false }]],
    [
      'replaced by another',
      [
        { op: 'remove', path: 'd/gone', recursive: false },
        { op: 'move', from: 'e', to: 'd', overwrite: true },
      ],
    ],
  ] as const) {
    test(`where a program puts a file into an empty folder that is to be ${how}`, () =>
      withBatches(
        async ({ batch, put, tree, told, at }) => {
          fs.mkdirSync(at('d'));
          put('e/x');
          if (changes.length > 1) put('d/gone');
          const before = tree();
          await fails('NOT_EMPTY', () => batch([...changes]), /Nothing was changed/);
          assert.deepEqual([tree(), told()], [{ ...before, 'd/theirs': 'theirs' }, []]);
        },
        (point, { put }) => {
          if (point === 'record') put('d/theirs', 'theirs');
        },
      ));
  }
});
