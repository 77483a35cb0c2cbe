import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import type { Log } from '../sidecar/log.ts';
import { guardOf, type GuardOptions, logGuard, underGuard } from './guard.ts';

const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-guard-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const place = (...parts: string[]): string => path.join(scratch, ...parts);
for (const folder of ['root', 'root/deep', 'temporary', 'cache']) fs.mkdirSync(place(folder));
fs.symlinkSync(place('root'), place('link'));
const launcher = place('launcher');
fs.writeFileSync(launcher, '', { mode: 0o755 });

const plain: GuardOptions = {
  platform: 'linux',
  folder: place('state', 'id'),
  root: place('root'),
  temporary: place('temporary'),
  compileCache: place('cache', 'guarded'),
  launcher,
};
const argvOf = (change: Partial<GuardOptions>): readonly string[] => {
  const guard = guardOf({ ...plain, ...change });
  assert.ok('argv' in guard, JSON.stringify(guard));
  return guard.argv;
};
const whyOf = (change: Partial<GuardOptions>): string => {
  const guard = guardOf({ ...plain, ...change });
  assert.ok('why' in guard, JSON.stringify(guard));
  return guard.why;
};

describe('the guard of a command', () => {
  test('lets the state folder, the temporary folder and the folder for compiled code be written', () => {
    const argv = [launcher, '--make', place('state', 'id'), '--rw', place('temporary'), '--make', place('cache', 'guarded'), '--'];
    assert.deepEqual(argvOf({}), argv);
  });

  test('does without compiled code where none is kept, and without a temporary folder that is not there', () => {
    assert.deepEqual(argvOf({ compileCache: undefined, temporary: place('gone') }), [launcher, '--make', place('state', 'id'), '--']);
  });

  test('leaves a temporary folder that holds the workspace closed, but for what the state falls back to', () => {
    const argv = argvOf({ temporary: scratch });
    assert.ok(!argv.includes(scratch), argv.join(' '));
    assert.ok(argv.includes(place('state', 'id')), argv.join(' '));
    assert.ok(argv.includes(place(`outrigger-${process.getuid?.() ?? 0}`)), argv.join(' '));
  });

  for (const { says, temporary } of [
    { says: 'lies in the workspace', temporary: place('root', 'deep') },
    { says: 'is the workspace', temporary: place('root') },
    { says: 'leads to the workspace by a symbolic link', temporary: place('link') },
  ]) {
    test(`lets nothing be written where the temporary folder ${says}`, () => {
      const argv = argvOf({ temporary });
      assert.deepEqual(argv, [launcher, '--make', place('state', 'id'), '--make', place('cache', 'guarded'), '--']);
    });
  }

  test('lets no compiled code be written into the workspace', () => {
    assert.ok(!argvOf({ compileCache: place('link', 'guarded') }).some((part) => part.startsWith(place('root'))));
  });

  for (const [says, folder] of [
    ['lies in the workspace', place('root', 'state')],
    ['holds the workspace', scratch],
    ['lies in it by a symbolic link', place('link', 'state')],
  ] as const) {
    test(`is refused where the state folder ${says}`, () => assert.match(whyOf({ folder }), /overlap/));
  }

  test('is not to be had on other systems, without a launcher, or without a workspace', () => {
    assert.match(whyOf({ platform: 'darwin' }), /this is darwin/);
    assert.match(whyOf({ launcher: place('gone') }), /was not built/);
    assert.match(whyOf({ launcher: place('root') }), /was not built/);
    assert.match(whyOf({ root: place('gone') }), /no folder/);
  });
});

describe('a process that asks for its guard', () => {
  const loaded = {
    config: { root: place('root'), state: undefined },
    surroundings: { stateHome: place('state'), temporary: place('temporary') },
  } as unknown as Parameters<typeof underGuard>[0]['loaded'];

  test('is not guarded twice', async () => {
    assert.deepEqual(await underGuard({ loaded, env: { OUTRIGGER_GUARD: 'landlock-7' }, launcher }), { guarded: true, landlock: 7 });
  });

  const linux = process.platform === 'linux' ? false : 'the launcher is for Linux';
  let fakes = 0;
  const fake = (text: string): string => {
    const file = place(`fake-${++fakes}`);
    fs.writeFileSync(file, `#!/bin/sh\n${text}\n`, { mode: 0o755 });
    return file;
  };
  const notOfThisMachine = place('other-machine');
  fs.writeFileSync(notOfThisMachine, Buffer.from('\u007fELF of another machine'), { mode: 0o755 });
  for (const { says, file, expect } of [
    { says: 'the launcher is missing', file: place('gone'), expect: /was not built/ },
    { says: 'the launcher is no program of this machine', file: notOfThisMachine, expect: /probe ended with 127|can't be started/ },
    { says: 'the probe fails', file: fake('exit 3'), expect: /probe ended with 3/ },
    { says: 'the probe says something else', file: fake('echo hello'), expect: /JSON/ },
    { says: 'the kernel has no landlock', file: fake(`echo '{"landlock": 0, "enforced": false}'`), expect: /has no landlock/ },
    { says: 'the kernel does not enforce it', file: fake(`echo '{"landlock": 4, "enforced": false}'`), expect: /ABI 4, and does not/ },
  ]) {
    test(`goes on without when ${says}`, { skip: linux }, async () => {
      const outcome = await underGuard({ loaded, env: { PATH: process.env['PATH'] }, launcher: file });
      assert.ok(!outcome.guarded);
      assert.match(outcome.why, expect);
    });
  }

  test('says once what came of it', () => {
    const lines: unknown[][] = [];
    const log: Log = (...line) => void lines.push(line);
    logGuard(log, { guarded: false, why: 'no compiler' });
    logGuard(log, { guarded: true, landlock: 7 });
    logGuard(log, { guarded: true, landlock: 2 });
    assert.deepEqual(lines, [
      ['warn', 'stdio.unguarded', { reason: 'no compiler' }],
      ['info', 'stdio.guarded', { landlock: 7, open: undefined }],
      ['info', 'stdio.guarded', { landlock: 2, open: 'truncation' }],
    ]);
  });
});
