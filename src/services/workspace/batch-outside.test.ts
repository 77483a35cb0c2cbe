// What other programs do to the files of a batch between its plan and its end.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { files as table } from '../../contract/files.ts';
import type { Asked } from '../../contract/operation.ts';
import { hashBytes } from './content.ts';
import { fileOperations } from './operations.ts';
import { call, fails, type Harness, withWorkspace } from '../../../test/kit/workspace-harness.ts';

const MB = 1024 * 1024;
const etag = (text: string): string => `"${hashBytes(text)}"`;
const onLinux = process.platform === 'linux' ? {} : { skip: 'the calls are those of Linux' };

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

  for (const [op, name] of [
    ['write', 'linkSync'],
    ['remove', 'renameSync'],
  ] as const) {
    test(`where a program writes to a file at the very moment of its ${op}`, onLinux, (t) =>
      withBatches(async ({ batch, put, tree, told }) => {
        put('a', 'old');
        const real = fs[name].bind(fs);
        t.mock.method(fs, name, (from: string, to: string) => {
          t.mock.reset();
          put('a', 'theirs');
          real(from, to);
        });
        const change = op === 'write' ? ({ op, path: 'a', text: 'new' } as const) : ({ op, path: 'a' } as const);
        await fails('BUSY_FILE', () => batch([{ ...change, ifMatch: etag('old') }]), /Nothing was changed/);
        assert.deepEqual([tree(), told()], [{ a: 'theirs' }, []]);
      }),
    );
  }

  test('also where a program that had a removed file open has written to it since', () => {
    let log = -1;
    let steps = 0;
    return withBatches(
      async ({ batch, put, at, tree }) => {
        put('log', 'lines');
        log = fs.openSync(at('log'), 'a');
        try {
          const changes = [{ op: 'remove', path: 'log' } as const, { op: 'write', path: 'a', text: 'a' } as const];
          await fails('DISK_FULL', () => batch(changes), /Nothing was changed/);
          assert.deepEqual(tree(), { log: 'lines and more' });
        } finally {
          fs.closeSync(log);
        }
      },
      (point) => {
        if (!point.startsWith('step') || ++steps < 2) return;
        fs.writeSync(log, ' and more');
        throw Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
      },
    );
  });
});
