import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Random } from '../../../test/kit/random.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
import { testSeed } from '../../../test/kit/seed.ts';
import { isGitName } from './git-names.ts';

const skip = requireTool('git') || process.platform === 'win32';

test('the names that git’s index takes are told from those that it passes over', { skip }, () => {
  const seed = testSeed();
  const random = new Random(seed);
  const parts = [
    '.',
    'g',
    'G',
    'i',
    'T',
    't',
    '~',
    '1',
    '~1',
    ' ',
    ':',
    '\\',
    '\u200c',
    '\u202e',
    '\u2069',
    '\ufeff',
    'ı',
    'x',
    '.git',
    'git~1',
  ];
  const any = (): string => Array.from({ length: 1 + random.below(4) }, () => random.of(parts)).join('');
  const drawn = Array.from({ length: 3000 }, () => (random.below(3) === 0 ? `${any()}/${any()}` : any()));
  const made = [
    '.GIT',
    '.Git/config',
    'a/.gIT',
    'git~1',
    'GIT~1/x',
    '.git ',
    '.git . /x',
    '.git:x',
    'a\\.git',
    '.g\u200cit',
    '\ufeff.git',
    '.gitx',
    'git~2',
    'x.git',
  ];
  const names = [...new Set([...made, ...drawn])].filter((name) => name.split('/').every((part) => part !== '.' && part !== '..'));
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-git-names-'));
  const git = (args: string[], input = ''): string =>
    spawnSync('git', ['-c', 'core.protectHFS=true', '-c', 'core.protectNTFS=true', ...args], { cwd: folder, encoding: 'utf8', input })
      .stderr;
  try {
    git(['init', '--quiet']);
    const said = git(['update-index', '--force-remove', '-z', '--stdin'], names.map((name) => `${name}\0`).join(''));
    const passedOver = Array.from(said.matchAll(/^Ignoring path (.*)$/gm), ([, name]) => name);
    assert.ok(passedOver.length > made.length, said);
    assert.deepEqual(names.filter(isGitName), passedOver, `SEED=${seed}`);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
