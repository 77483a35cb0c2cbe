import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { isOverAfter } from '../../../test/kit/deadline.ts';
import { fails } from '../../../test/kit/workspace-harness.ts';
import { Processes } from '../processes/processes.ts';
import { plainWalk } from './catalogue.ts';
import { Ripgrep } from './ripgrep.ts';

/** `script` stands in for the program. */
async function withRipgrep(script: string, run: (ripgrep: Ripgrep) => Promise<void>): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-ripgrep-'));
  const program = path.join(root, 'rg');
  fs.writeFileSync(program, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  const processes = new Processes({ env: { PATH: process.env['PATH'] } });
  try {
    await run(new Ripgrep({ processes }, { program, root }));
  } finally {
    await processes.stop();
    fs.rmSync(root, { recursive: true, force: true });
  }
}

const query = { pattern: 'x', regex: false, caseSensitive: true, word: false, multiline: false, context: 0 };

test('a ripgrep that is killed, or fails within itself, has found nothing: the search, the list and the replacement fail', async () => {
  const { signal } = new AbortController();
  const all = async (ripgrep: Ripgrep): Promise<void> => {
    for await (const _ of ripgrep.replacements({ ...query, replace: 'y' }, ['a'], signal));
  };
  const search = (ripgrep: Ripgrep): Promise<void> =>
    ripgrep.search(query, { walk: plainWalk }, { maxLineLength: 100 }, () => Promise.resolve(true), signal);
  for (const end of ['kill -9 $$', 'exit 101'])
    await withRipgrep(`printf 'a\\0'; ${end}`, async (ripgrep) => {
      for (const work of [search, all, () => ripgrep.files(plainWalk)]) await fails('INTERNAL', () => work(ripgrep));
    });
  // Something could not be read.
  await withRipgrep(`printf 'a\\0'; exit 2`, async (ripgrep) => assert.deepEqual(await ripgrep.files(plainWalk), ['a']));
});

test('a search that is not done after ten minutes is ended', async (t) => {
  await withRipgrep('exec sleep 300', async (ripgrep) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { signal } = new AbortController();
    const search = ripgrep.search(query, { walk: plainWalk }, { maxLineLength: 100 }, () => Promise.resolve(true), signal);
    await isOverAfter(t, 600_000, search);
    await fails('PROCESS_TIMEOUT', () => search);
  });
});
