// Lints everything, and proves that the rules that need types work: a fixture with a floating promise must be reported.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ESLint } from 'eslint';

const root = dirname(import.meta.dirname);
const rule = '@typescript-eslint/no-floating-promises';
const problems = [];

// typescript-eslint needs the compiler's JavaScript API, which TypeScript 7 does not have: it must find 6.
const compiler = createRequire(fileURLToPath(import.meta.resolve('typescript-eslint'))).resolve('typescript/package.json');
const { version } = JSON.parse(readFileSync(compiler, 'utf8'));
if (!version.startsWith('6.')) problems.push(`typescript-eslint found TypeScript ${version}; it needs 6.`);

const eslint = new ESLint({ cwd: root, errorOnUnmatchedPattern: false });
const results = await eslint.lintFiles(
  process.argv.length > 2 ? process.argv.slice(2) : ['src', 'test', 'bench', 'examples', 'scripts', '*.mjs'],
);
const found = results.reduce((sum, { errorCount, warningCount }) => sum + errorCount + warningCount, 0);
if (found > 0) problems.push((await eslint.loadFormatter('stylish')).format(results).trim());

const fixture = await new ESLint({ cwd: root, ignore: false }).lintFiles(['test/fixtures/floating-promise/floating-promise.ts']);
const reported = fixture.flatMap(({ messages }) => messages).some(({ ruleId }) => ruleId === rule);
if (!reported) problems.push(`${rule} did not report test/fixtures/floating-promise: type-aware rules do not run.`);

console.log(problems.length > 0 ? problems.join('\n\n') : `${results.length} files; the floating promise of the fixture is reported`);
process.exitCode = problems.length > 0 ? 1 : 0;
