import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LanguageInfo } from '../../contract/code.ts';
import { argumentsOf, firstForm, languageOf, languageProblem, limitProblem, limitsOf, sayLimits } from './run-form.ts';

const language = (code: string, extension: string, more: Partial<LanguageInfo> = {}): LanguageInfo => ({
  code,
  name: code,
  aliases: [],
  extension,
  file: `code.${extension}`,
  compiled: false,
  image: 'all',
  timeMultiplier: 1,
  memoryMultiplier: 1,
  rollout: 'enabled',
  missing: [],
  install: '',
  keepsState: false,
  sample: '',
  ...more,
});
const languages = [
  language('py', 'py', { aliases: ['python'] }),
  language('bash', 'sh', { aliases: ['sh'] }),
  language('f90', 'f90', { aliases: ['fortran'] }),
];

test('the language of a file is the one of its ending, in any case; a name without one has none', () => {
  const of = (path: string) => languageOf(path, languages)?.code;
  assert.deepEqual(['a/b.py', 'B.PY', 'run.sh', 'x.f90', 'py', 'a.py/notes', 'x.toml'].map(of), [
    'py',
    'py',
    'bash',
    'f90',
    undefined,
    undefined,
    undefined,
  ]);
});

test('a language that is off or not installed says so, with what is missing', () => {
  assert.equal(languageProblem(language('py', 'py')), undefined);
  assert.match(languageProblem(language('Rust', 'rs', { missing: ['rustc'] })) ?? '', /^Rust is not installed: rustc is missing\.$/);
  assert.match(languageProblem(language('D', 'd', { missing: ['ldc2', 'mold'] })) ?? '', /ldc2, mold are missing/);
  assert.match(languageProblem(language('PHP', 'php', { rollout: 'off', missing: ['php'] })) ?? '', /switched off/);
});

test('arguments are split as a command is, without a program', () => {
  assert.deepEqual(argumentsOf(''), { args: [] });
  assert.deepEqual(argumentsOf('  --by week "a b" \'\''), { args: ['--by', 'week', 'a b', ''] });
  assert.ok('problem' in argumentsOf('"open'));
});

test('limits are asked for in the units of the contract; empty fields are left to the sidecar', () => {
  assert.deepEqual(limitsOf(firstForm.limits), {});
  assert.deepEqual(limitsOf({ seconds: '1,5', memoryMib: '256', outputKib: '64', processes: '8' }), {
    wallMs: 1500,
    memoryBytes: 256 * 1024 * 1024,
    outputBytes: 64 * 1024,
    processes: 8,
  });
  assert.deepEqual(
    ['', ' 3 ', '0', '-1', 'x', '1.5'].map((text) => limitProblem(text, true) === undefined),
    [true, true, false, false, false, false],
  );
  assert.equal(limitProblem('0.5', false), undefined);
  assert.equal(sayLimits(firstForm.limits), 'as the sidecar sets them');
  assert.equal(sayLimits({ ...firstForm.limits, seconds: '5', memoryMib: '64' }), '5 s · 64 MiB');
});
