// Lints everything, and proves that the rules that need types work: a fixture with a floating promise must be reported.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const rule = 'typescript(no-floating-promises)';
const fixtures = 'test/fixtures/';
const places = process.argv.length > 2 ? process.argv.slice(2) : ['src', 'test', 'bench', 'examples', 'scripts'];

const linted = oxlint(['--format=stylish', `--ignore-pattern=${fixtures}`, '--no-error-on-unmatched-pattern', ...places]);
const fixture = oxlint(['--format=json', join(fixtures, 'floating-promise', 'floating-promise.ts')]);
const reported = JSON.parse(fixture.stdout).diagnostics.some(({ code }) => code === rule);

if (linted.status !== 0) console.log(`${linted.stdout}${linted.stderr}`.trim());
if (!reported) console.log(`${rule} did not report ${fixtures}floating-promise: type-aware rules do not run.\n${fixture.stderr}`);
if (linted.status === 0 && reported) console.log('nothing is found; the floating promise of the fixture is reported');
process.exitCode = linted.status === 0 && reported ? 0 : 1;

function oxlint(args) {
  const { error, ...result } = spawnSync(process.execPath, [join(root, 'node_modules', 'oxlint', 'bin', 'oxlint'), ...args], {
    cwd: root,
    env: process.stdout.isTTY ? process.env : { ...process.env, NO_COLOR: '1' },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error) throw error;
  return result;
}
