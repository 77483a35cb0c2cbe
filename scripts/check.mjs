// All checks that need no running program: `node scripts/check.mjs [name of a part…]`. Every part runs even when one fails.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const concurrency = 2;
const generated = join(root, 'scripts', 'docs.mjs');

const parts = [
  { name: 'lint', args: ['scripts/lint.mjs'] },
  // More checkers than one look at what they share once each: twice the processor time, and no sooner done beside other work.
  { name: 'types', args: ['node_modules/typescript-7/bin/tsc', '--noEmit', '--checkers', '1', '-p', 'tsconfig.json'] },
  { name: 'format', args: ['node_modules/@biomejs/biome/bin/biome', 'format', '--reporter=summary'], hint: 'npm run format' },
  { name: 'boundaries', args: ['--test', '--test-reporter=dot', 'test/boundaries.test.ts'] },
  { name: 'unused', args: ['node_modules/knip/bin/knip.js', '--no-progress', '--no-config-hints', '--reporter=compact'] },
  ...(existsSync(generated) ? [{ name: 'generated', args: ['scripts/docs.mjs', '--check'], hint: 'npm run docs' }] : []),
];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !parts.some((part) => part.name === name));
if (unknown.length > 0) {
  console.error(`There is no check called ${unknown.join(', ')}; there are ${parts.map(({ name }) => name).join(', ')}.`);
  process.exit(2);
}
const queue = parts.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
const startedAt = performance.now();
const children = new Set();
const results = [];
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
process.once('disconnect', () => stop('SIGHUP'));
process.channel?.unref();

await Promise.all(Array.from({ length: concurrency }, worker));
const failed = results.filter(({ code }) => code !== 0).map(({ name }) => name);
const total = seconds(performance.now() - startedAt);
console.log(
  `\n${results.length - failed.length} checks passed, ${failed.length} failed in ${total}${failed.length > 0 ? `: ${failed.join(', ')}` : ''}`,
);
process.exitCode = failed.length > 0 ? 1 : 0;

async function worker() {
  for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
    const result = await runPart(part);
    results.push(result);
    console.log(`${result.code === 0 ? 'ok  ' : 'FAIL'} ${seconds(result.durationMs).padStart(8)}  ${part.name}`);
    if (result.code === 0) continue;
    console.log(result.output.trim().replace(/^/gm, '    '));
    if (part.hint) console.log(`    To mend it: ${part.hint}`);
  }
}

function runPart({ name, args }) {
  const begun = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    children.add(child);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      children.delete(child);
      resolve({ name, code: code ?? 1, output, durationMs: performance.now() - begun });
    });
  });
}

function stop(signal) {
  queue.length = 0;
  for (const child of children) child.kill(signal);
}

function seconds(durationMs) {
  return `${(durationMs / 1000).toFixed(1)} s`;
}
