import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { builtinModules } from 'node:module';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { framed } from './marks.ts';
import { nodeDriver } from './node-driver.ts';

interface Ran {
  stdout: string;
  stderr: string;
  status: number | null;
}

/** What the driver says to orders that came before it began. */
function driven(orders: readonly Buffer[], cwd: string): Ran {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', nodeDriver], {
    cwd,
    input: Buffer.concat(orders),
    encoding: 'utf8',
  });
  return { stdout, stderr, status };
}

function withFolder(work: (folder: string) => void): void {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-driver-'));
  try {
    work(folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const programs: Record<string, string> = {
  'names of Node': `console.log(${JSON.stringify([...builtinModules, 'module', 'exports', 'require', '__filename', '__dirname'])}.filter((name) => name in globalThis))`,
  'what is global': `console.log(Object.keys(globalThis), crypto.subtle !== undefined, crypto === require('node:crypto').webcrypto)`,
  'what is global in a module': `import fs from 'node:fs'; await 0;
for (const name of Object.getOwnPropertyNames(globalThis).sort()) console.log(name, typeof globalThis[name]);
console.log(typeof require, typeof module, typeof exports, typeof __filename, typeof path)`,
  'what is global later': `setTimeout(() => console.log('module' in globalThis, 'require' in globalThis), 5)`,
  arguments: 'console.log(process.argv.slice(2), process.argv.length, process.execArgv, typeof process._eval, require.main === module)',
  'an undeclared name': `try { path.join('a') } catch (error) { console.log(error.message) }`,
  'a worker of a cluster': `const cluster = require('node:cluster');
if (cluster.isPrimary) cluster.fork().on('exit', (code) => console.log('ended', code)); else { console.log('worker', process.execArgv); process.exit(4); }`,
  'a child': `const { fork } = require('node:child_process');
if (process.argv[2] === 'child') console.log('child', process.argv.length, typeof os); else fork(__filename, ['child']).on('exit', (code) => console.log('ended', code));`,
  'a thread': `const { Worker, isMainThread } = require('node:worker_threads');
if (isMainThread) new Worker(__filename).on('exit', (code) => console.log('ended', code)); else console.log('thread', typeof os, typeof require);`,
};

for (const [says, program] of Object.entries(programs))
  test(`a program of an interpreter that waited sees what one does that was started for it: ${says}`, () =>
    withFolder((folder) => {
      const file = path.join(folder, 'code.js');
      fs.writeFileSync(file, program);
      const { stdout, stderr, status } = spawnSync(process.execPath, [file, 'one', '-two'], { cwd: folder, encoding: 'utf8' });
      const warm = driven([framed({ run: file, args: ['one', '-two'], env: {} })], folder);
      assert.deepEqual(warm, { stdout, stderr, status });
    }));

test('a mark that is too long to be written at once is told in parts, each of which is not', () =>
  withFolder((folder) => {
    const token = 'a'.repeat(24);
    const texts = ['', 'a'.repeat(3900), 'a'.repeat(4060), 'a'.repeat(9000), 'ä"\\\n'.repeat(3000), '😀'.repeat(3000)];
    const keep = { most: 1_000_000, unasked: 2_000_000 };
    const code = `let text; for (text of ${JSON.stringify(texts)}) display({ 'text/plain': text }); text`;
    const order = framed({ code, file: path.join(folder, 'code.js'), args: [], stdin: '', env: {}, keep });
    const { stdout } = driven([framed({ live: token }), order], folder);
    assert.match(stdout, /^[\x00-\x7f]*$/);
    const marks = stdout.split('\u001e').filter((one) => one !== '');
    let joined = '';
    let parts = 0;
    const told: { display?: Record<string, string>; state?: string }[] = [];
    for (const mark of marks) {
      assert.ok(mark.startsWith(token) && mark.length + 2 <= 4096, `${mark.length}`);
      const one = JSON.parse(mark.slice(token.length)) as { part?: string; last?: true };
      if (one.part === undefined) told.push(one as object);
      else {
        assert.ok(one.part !== '');
        parts++;
        joined += one.part;
        if (one.last !== true) continue;
        told.push(JSON.parse(joined) as object);
        joined = '';
      }
    }
    assert.deepEqual(
      told.slice(0, texts.length).map(({ display }) => display?.['text/plain']),
      texts,
    );
    assert.ok(parts > 10 && joined === '');
    assert.ok((told.at(-1)?.state?.length ?? 0) > 0);
  }));

test('code that ended its output leaves the next one an output, whatever it ended it by', () =>
  withFolder((folder) => {
    const token = 'a'.repeat(24);
    const codes = [
      'process.NAME.end("last\\n");',
      'process.NAME.destroy();',
      'process.NAME.destroy(new Error("gone"));',
      'const { pipeline, Readable } = require("node:stream"); pipeline(Readable.from(["last\\n"]), process.NAME, () => {});',
    ];
    for (const [name, log] of [
      ['stdout', 'log'],
      ['stderr', 'error'],
    ] as const)
      for (const code of codes) {
        const ending = code.replace('NAME', name);
        const printing = `process.${name}.on('error', () => {}).write('first '); console.${log}('next', process.${name}.fd);`;
        const keep = { most: 1_000_000, unasked: 2_000_000 };
        const orders = [ending, printing, ending, printing, printing].map((one) =>
          framed({ code: one, file: path.join(folder, 'code.js'), args: [], stdin: '', env: {}, keep }),
        );
        const ran = driven([framed({ live: token }), ...orders], folder);
        const said = ran[name].replaceAll(/\x1e[^\x1e]*\x1e/g, '').replaceAll(/^Error: gone\n( .*\n)*/gm, '');
        const line = `first next ${name === 'stdout' ? 1 : 2}\n`;
        const last = code.includes('last') ? 'last\n' : '';
        assert.equal(said, last + line + last + line + line, ending);
      }
  }));
