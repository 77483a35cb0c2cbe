// scripts/test.mjs decides whether everything passed, so it is shown here to notice every way in which a file can fail.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

const root = join(import.meta.dirname, '..', '..');
const begin = `import { test, describe } from 'node:test';\nimport assert from 'node:assert/strict';\nimport { spawn } from 'node:child_process';\n`;
const passing = `test('passes', () => {});\n`;

function start(t: TestContext, files: Record<string, string>, args: string[] = [], env: Record<string, string> = {}) {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'outrigger-tests-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const scripts = ['test', 'test-reporter', 'test-loading', 'test-sources'].map((name) => `scripts/${name}.mjs`);
  for (const name of [...scripts, 'test/kit/require-tools.ts', 'test/kit/tools.json']) cpSync(join(root, name), join(folder, name));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), begin + text);
  }
  const child = spawn(process.execPath, [join(folder, 'scripts', 'test.mjs'), ...args], {
    env: { ...process.env, REQUIRE_TOOLS: '0', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number, output, last: output.trimEnd().split('\n').at(-1) }));
  return { folder, child, ended };
}

async function eventually(what: string, probe: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!probe()) {
    if (performance.now() > deadline) throw new Error(`did not happen in 20 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // Nobody may be there to take a zombie's exit code.
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

const numberIn = (file: string): number => Number(readFileSync(file, 'utf8'));

test('passing files end with the counts alone on the last line', async (t) => {
  const { code, last } = await start(t, {
    'src/core/a.test.ts': passing + passing,
    'test/b.test.ts': passing,
    'examples/c.test.ts': passing,
  }).ended;
  assert.deepEqual({ code, last }, { code: 0, last: '4 passed, 0 failed' });
});

test('types are stripped once for a whole run, not in each of its files, and nothing of that is left', async (t) => {
  const text = `import { writeFileSync } from 'node:fs';
    import { typed } from './typed.ts';
    const strips = (process as any).moduleLoadList.some((name: string) => name.includes('amaro'));
    test('loads', () => writeFileSync('seen', JSON.stringify([typed, strips, process.env.TEST_STRIPPED])));`;
  const files = { 'src/a.test.ts': text, 'src/typed.ts': `export const typed: number = 3;` };
  const seen = async (...args: string[]): Promise<[number, boolean, string?]> => {
    const { folder, ended } = start(t, files, args, { TEST_STRIPPED: '', NODE_COMPILE_CACHE: '' });
    assert.equal((await ended).last, '1 passed, 0 failed');
    return JSON.parse(readFileSync(join(folder, 'seen'), 'utf8'));
  };
  const [typed, strips, stripped] = await seen();
  assert.deepEqual([typed, strips], [3, false]);
  assert.ok(stripped !== undefined && stripped !== '' && !existsSync(stripped));
  assert.deepEqual((await seen('a.test')).slice(0, 2), [3, true], 'that it is seen where it is so');
});

test('who imports node:http in a whole run gets what it has, without the client of WebSockets that Node loads for that', async (t) => {
  const text = `import { writeFileSync } from 'node:fs';
    import http, { createServer, STATUS_CODES } from 'node:http';
    const loads = (process as any).moduleLoadList.some((name: string) => name.includes('undici'));
    test('loads', () => writeFileSync('seen', JSON.stringify([createServer === http.createServer, STATUS_CODES[404], loads])));`;
  const seen = async (...args: string[]): Promise<unknown> => {
    const { folder, ended } = start(t, { 'src/a.test.ts': text }, args, { TEST_STRIPPED: '' });
    assert.equal((await ended).last, '1 passed, 0 failed');
    return JSON.parse(readFileSync(join(folder, 'seen'), 'utf8'));
  };
  assert.deepEqual(await seen(), [true, 'Not Found', false]);
  assert.deepEqual(await seen('a.test'), [true, 'Not Found', true], 'that it is seen where it is so');
});

test('builds, and then what else is patient, run beside the others, and yield to them; the others help when they are done', async (t) => {
  const isBefore = (mine: string, other: string): string => `
    import { existsSync, writeFileSync } from 'node:fs';
    import { getPriority } from 'node:os';
    test('runs beside', async () => {
      writeFileSync('${mine}', String(getPriority()));
      while (!existsSync('${other}')) await new Promise((resolve) => setTimeout(resolve, 10));
    });`;
  const others = { 'src/a.test.ts': isBefore('a', 'done'), 'src/b.test.ts': isBefore('b', 'done') };
  const builds = { 'test/c.build.test.ts': isBefore('c', 'a'), 'test/d.build.test.ts': isBefore('done', 'b') };
  const patient = { 'src/services/git/e.test.ts': isBefore('e', 'f'), 'src/services/search/f.test.ts': isBefore('f', 'e') };
  const started = start(t, { ...others, ...builds, ...patient }, ['--timeout=60']);
  const { code, last } = await started.ended;
  assert.deepEqual({ code, last }, { code: 0, last: '6 passed, 0 failed' });
  const priorities = ['a', 'b', 'c', 'done', 'e', 'f'].map((name) => numberIn(join(started.folder, name)));
  const own = getPriority();
  const lower = Math.max(own, 10);
  assert.deepEqual(priorities, [own, own, lower, lower, lower, lower]);
});

test('a failed test fails the run and is shown with its error and its output', async (t) => {
  const text = `describe('outer', () => { test('inner', () => { console.log('said'); assert.equal(1, 2); }); });`;
  const { code, last, output } = await start(t, { 'src/a.test.ts': text, 'src/b.test.ts': passing }).ended;
  assert.deepEqual({ code, last }, { code: 1, last: '1 passed, 1 failed' });
  assert.match(output, /✖ outer › inner[^]*1 !== 2[^]*said/);
});

const failures = {
  'a file that can’t be loaded': `import './missing.ts';\n${passing}`,
  'a file without a test': `console.log('nothing');`,
  'a hook that throws': `describe('suite', async () => { const { before } = await import('node:test'); before(() => { throw new Error('no'); }); test('inner', () => {}); });`,
  'a file that ends in the middle': `test('ends', () => { process.exit(0); });`,
  'a file that kills itself': `test('dies', () => { process.kill(process.pid, 'SIGKILL'); });`,
  'a rejection that nobody handles': `${passing}void Promise.reject(new Error('late'));`,
};
for (const [says, text] of Object.entries(failures)) {
  test(`${says} fails the run`, async (t) => {
    const { code, last, output } = await start(t, { 'src/a.test.ts': text }).ended;
    assert.equal(code, 1, output);
    assert.match(last ?? '', /^\d+ passed, [1-9]\d* failed$/, output);
  });
}

test('no test at all fails the run', async (t) => {
  const { code, last } = await start(t, { 'src/a.test.ts': passing }, ['nowhere']).ended;
  assert.deepEqual({ code, last }, { code: 1, last: '0 passed, 0 failed' });
});

test('parts of file names choose files, and deep files run only when asked', async (t) => {
  const files = { 'src/core/a.test.ts': passing, 'src/net/b.test.ts': passing, 'src/net/c.deep.ts': passing + passing + passing };
  assert.equal((await start(t, files, ['net/']).ended).last, '1 passed, 0 failed');
  assert.equal((await start(t, files, ['--deep']).ended).last, '3 passed, 0 failed');
});

test('long forms run when asked, with the tests that they stand among, and when they are named', async (t) => {
  const ending = ['(long', 'form)'].join(' '); // This file has none itself.
  const long = `test('goes on ${ending}', () => {});\n`;
  const files = { 'src/core/a.test.ts': passing + long, 'src/net/b.test.ts': passing, 'src/net/c.deep.ts': passing };
  const short = await start(t, files).ended;
  assert.deepEqual([short.code, short.last], [0, '2 passed, 0 failed']);
  assert.match(short.output, /^Long forms in 1 files were left to `npm run test:deep`\.$/m);
  const deep = await start(t, files, ['--deep']).ended;
  assert.equal(deep.last, '3 passed, 0 failed');
  assert.doesNotMatch(deep.output, /left to/);
  assert.equal((await start(t, files, ['--name=goes on']).ended).last, '1 passed, 0 failed');
  const failing = { 'src/a.test.ts': `${passing}test('fails ${ending}', () => assert.fail());` };
  assert.equal((await start(t, failing).ended).last, '1 passed, 0 failed');
  assert.equal((await start(t, failing, ['--deep']).ended).last, '1 passed, 1 failed');
});

test('skipped tests are counted with their reason, and a missing tool fails where tools are required', async (t) => {
  const text = `import { requireTool } from '../test/kit/require-tools.ts';\ntest('compiles', { skip: requireTool('git') }, () => {});\n`;
  const files = { 'src/a.test.ts': text + passing };
  const skipped = await start(t, files, [], { PATH: '/nowhere' }).ended;
  assert.deepEqual([skipped.code, skipped.last], [0, '1 passed, 0 failed, 1 skipped']);
  assert.match(skipped.output, /1 {2}needs git: apt-get install git {2}\(src\/a\.test\.ts\)/);
  const required = await start(t, files, [], { PATH: '/nowhere', REQUIRE_TOOLS: '1' }).ended;
  assert.equal(required.code, 1);
  assert.match(required.output, /REQUIRE_TOOLS=1 and this needs git/);
});

test('a file that hangs is ended with its children, named, and fails the run', async (t) => {
  const text = `import { writeFileSync } from 'node:fs';
    test('waits', async () => { writeFileSync('child', String(spawn('sleep', ['300']).pid)); await new Promise((resolve) => setTimeout(resolve, 300_000)); });`;
  const { folder, ended } = start(t, { 'src/a.test.ts': text }, ['--timeout=3']);
  const { code, output, last } = await ended;
  assert.deepEqual({ code, last }, { code: 1, last: '0 passed, 1 failed' });
  assert.match(output, /still ran after 3 s, in: waits/);
  await eventually('the child ends', () => !isAlive(numberIn(join(folder, 'child'))));
});

test('processes that a file leaves behind are named and ended', { skip: process.platform !== 'linux' && 'reads /proc' }, async (t) => {
  const text = `import { writeFileSync } from 'node:fs';
    test('leaves', () => { const child = spawn('sleep', ['300'], { stdio: 'ignore' }); child.unref(); writeFileSync('child', String(child.pid)); });`;
  const { folder, ended } = start(t, { 'src/a.test.ts': text });
  const { code, output } = await ended;
  assert.equal(code, 0);
  assert.match(output, /note: left processes behind, ended now: sleep 300/);
  await eventually('the child ends', () => !isAlive(numberIn(join(folder, 'child'))));
});

for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
  test(`${signal} to the runner ends the files that run and what they started`, async (t) => {
    const text = `import { writeFileSync } from 'node:fs';
      test('waits', async () => { writeFileSync('child', String(spawn('sleep', ['300']).pid)); await new Promise((resolve) => setTimeout(resolve, 300_000)); });`;
    const { folder, child, ended } = start(t, { 'src/a.test.ts': text, 'src/b.test.ts': passing });
    await eventually('the file runs', () => existsSync(join(folder, 'child')) && numberIn(join(folder, 'child')) > 0);
    assert.ok(child.kill(signal));
    const { code, last } = await ended;
    if (signal === 'SIGTERM') assert.match(`${code} ${last}`, /^1 \d passed, [1-9] failed$/);
    await eventually('the child ends', () => !isAlive(numberIn(join(folder, 'child'))));
  });
}

test('a file that tells of a test just when the runner is killed still ends what it started', async (t) => {
  // Busy until the runner is gone, so that what it tells comes before it hears of that.
  const text = `import { existsSync, writeFileSync } from 'node:fs';
    test('is busy', async (t) => {
      writeFileSync('child', String(spawn('sleep', ['300'], { stdio: 'ignore' }).pid));
      while (!existsSync('gone'));
      await t.test('inner', () => {});
      await new Promise((resolve) => setTimeout(resolve, 300_000));
    });`;
  const { folder, child, ended } = start(t, { 'src/a.test.ts': text });
  await eventually('the file runs', () => existsSync(join(folder, 'child')) && numberIn(join(folder, 'child')) > 0);
  assert.ok(child.kill('SIGKILL'));
  await once(child, 'exit');
  writeFileSync(join(folder, 'gone'), '');
  await ended;
  await eventually('the child ends', () => !isAlive(numberIn(join(folder, 'child'))));
});

test('programs of a sidecar that a file leaves, out of its group, are ended and named, and fail it; those of others are left alone', async (t) => {
  const others = spawn('sleep', ['300'], { stdio: 'ignore', detached: true, env: { ...process.env, OUTRIGGER_PROCESS: 'p-other' } });
  t.after(() => others.kill('SIGKILL'));
  // It closes what it inherited, as a daemon does.
  const leaves = (name: string, mark: string): string => `import { writeFileSync } from 'node:fs';
    test('leaves', () => {
      const env = { ...process.env, ${mark} };
      const child = spawn('sleep', ['301'], { stdio: 'ignore', detached: true, env });
      child.unref();
      writeFileSync('${name}', String(child.pid));
    });`;
  const { folder, ended } = start(t, {
    'src/a.test.ts': leaves('ours', `OUTRIGGER_PROCESS: 'p-1'`),
    'src/b.test.ts': passing,
    'src/c.test.ts': leaves('unmarked', ''),
  });
  const { code, last, output } = await ended;
  const [ours, unmarked] = ['ours', 'unmarked'].map((name) => numberIn(join(folder, name))) as [number, number];
  t.after(() => process.kill(unmarked, 'SIGKILL'));
  assert.deepEqual({ code, last }, { code: 1, last: '3 passed, 1 failed' });
  assert.match(output, new RegExp(`src/a\\.test\\.ts[^]*left programs[^\\n]*sleep 301 \\(${ours}\\)`));
  assert.ok(!isAlive(ours));
  assert.ok(isAlive(unmarked) && isAlive(others.pid as number));
});
