// scripts/run.mjs in a small project of its own: the real script, a small program, and an npm that notes what it was asked.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

const scripts = join(import.meta.dirname, '..', '..', 'scripts');
const deadlineMs = 20_000;

const program = `
import { writeFileSync } from 'node:fs';
const [what, value] = process.argv.slice(2);
if (what === 'arguments') console.log(JSON.stringify(process.argv.slice(2)));
if (what === 'code') process.exit(Number(value));
if (what === 'die') process.kill(process.pid, value);
if (what === 'version') console.log(process.version, process.env.OUTRIGGER_PARENT_CHANNEL, process.env.NODE_COMPILE_CACHE !== undefined);
if (what === 'serve') {
  const timer = setInterval(() => {}, 1000);
  let signals = 0;
  const stop = (why) => {
    signals += 1;
    if (signals === 1) setTimeout(() => { writeFileSync('stopped', why + ' ' + signals); clearInterval(timer); process.exit(why === 'disconnect' ? 0 : 3); }, 150);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(signal, () => stop(signal));
  process.once('disconnect', () => stop('disconnect'));
  process.channel?.unref();
  console.log('serving', process.pid);
}
`;

// Does what npm does here, quickly: `ci` makes node_modules, `install` puts a "fetched" Node, which is the one that runs this test.
const npm = `
const fs = require('node:fs');
const path = require('node:path');
const args = process.argv.slice(2);
fs.appendFileSync(process.env.NPM_NOTES, JSON.stringify({ args, node: process.version, nodeEnv: process.env.NODE_ENV }) + '\\n');
if (process.env.NPM_FAILS) { console.error('npm error: no such thing'); process.exit(1); }
if (args[0] === 'ci') {
  fs.rmSync('node_modules', { recursive: true, force: true });
  fs.mkdirSync('node_modules');
  console.log('added 1 package');
}
if (args[0] === 'install') {
  const name = args[1].slice(0, args[1].lastIndexOf('@'));
  const folder = path.join(args[args.indexOf('--prefix') + 1], 'node_modules', name);
  fs.mkdirSync(path.join(folder, 'bin'), { recursive: true });
  fs.symlinkSync(process.execPath, path.join(folder, 'bin', 'node'));
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name, version: process.versions.node }));
}
`;

interface Project {
  folder: string;
  npmCalls: () => { args: string[]; node: string; nodeEnv?: string }[];
  start: (args: string[], options?: { env?: Record<string, string>; oldNode?: boolean; script?: string }) => Running;
}

interface Running {
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  ended: Promise<number | string>;
}

function project(t: TestContext, { installed = true } = {}): Project {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'outrigger run-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, 'scripts'));
  for (const name of ['run.mjs', 'outrigger.mjs', 'find-node.mjs', 'foreground.mjs', 'workbench-stamp.mjs'])
    cpSync(join(scripts, name), join(folder, 'scripts', name));
  writeFileSync(join(folder, 'program.mjs'), program);
  writeFileSync(join(folder, 'npm-cli.js'), npm);
  if (installed) {
    mkdirSync(join(folder, 'node_modules'));
  } else {
    writeFileSync(join(folder, 'package-lock.json'), '{"packages":{}}');
  }
  // Makes a recent Node say that it is an old one.
  const disguise = join(folder, 'disguise.cjs');
  writeFileSync(
    disguise,
    `if (/scripts.(run|outrigger)\\.mjs$/.test(process.argv[1])) Object.defineProperty(process.versions, 'node', { value: '20.20.0' });`,
  );
  const notes = join(folder, 'npm-notes');
  return {
    folder,
    npmCalls: () =>
      existsSync(notes)
        ? readFileSync(notes, 'utf8')
            .trim()
            .split('\n')
            .map((line) => JSON.parse(line))
        : [],
    start: (args, { env = {}, oldNode = false, script = 'run.mjs' } = {}) => {
      const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_') && name !== 'NODE_COMPILE_CACHE');
      return run(process.execPath, [...(oldNode ? ['--require', disguise] : []), join(folder, 'scripts', script), ...args], {
        cwd: folder,
        env: { ...Object.fromEntries(own), npm_execpath: join(folder, 'npm-cli.js'), NPM_NOTES: notes, ...env },
      });
    },
  };
}

function run(command: string, args: string[], options: { cwd: string; env: NodeJS.ProcessEnv }): Running {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
  return { child, stdout: () => stdout, stderr: () => stderr, ended: once(child, 'close').then(([code, signal]) => code ?? signal) };
}

async function eventually<Value>(what: string, probe: () => Value | undefined | false | null): Promise<Value> {
  const deadline = performance.now() + deadlineMs;
  while (performance.now() < deadline) {
    const value = probe();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`did not happen in ${deadlineMs} ms: ${what}`);
}

function servingPid(running: Running): Promise<number> {
  return eventually('the program serves', () => Number(/serving (\d+)/.exec(running.stdout())?.[1]));
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

test('arguments arrive as they are, and stdout is the program’s alone', async (t) => {
  const args = ['arguments', '/a path', '--flag', '-x=1', '--', 'it’s "quoted" $HOME', ''];
  const running = project(t, { installed: false }).start(['exec', 'program.mjs', ...args]);
  assert.equal(await running.ended, 0);
  assert.equal(running.stdout(), `${JSON.stringify(args)}\n`);
});

test('the exit code comes back', async (t) => {
  assert.equal(await project(t).start(['exec', 'program.mjs', 'code', '78']).ended, 78);
});

test('a program that a signal ended gives 128 and its number', async (t) => {
  assert.equal(await project(t).start(['exec', 'program.mjs', 'die', 'SIGKILL']).ended, 128 + 9);
});

test('the program gets a compile cache and is told about the channel', async (t) => {
  const running = project(t).start(['exec', 'program.mjs', 'version']);
  assert.equal(await running.ended, 0);
  assert.equal(running.stdout(), `${process.version} 1 true\n`);
});

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`${signal} reaches the program, which ends in its own time and way`, async (t) => {
    const { folder, start } = project(t);
    const running = start(['exec', 'program.mjs', 'serve']);
    const pid = await servingPid(running);
    for (let count = 0; count < 3; count++) running.child.kill(signal);
    assert.equal(await running.ended, 3);
    assert.match(readFileSync(join(folder, 'stopped'), 'utf8'), new RegExp(`^${signal}`));
    assert.ok(!isAlive(pid));
  });
}

test('a program that minds the channel ends when run.mjs is killed outright', async (t) => {
  const { folder, start } = project(t);
  const running = start(['exec', 'program.mjs', 'serve']);
  const pid = await servingPid(running);
  running.child.kill('SIGKILL');
  await eventually('the program ends', () => !isAlive(pid));
  assert.match(readFileSync(join(folder, 'stopped'), 'utf8'), /^disconnect/);
});

test('the program ends when npm above run.mjs is killed outright', async (t) => {
  const { folder } = project(t);
  // Stands for npm: starts run.mjs with the shell's stdio and the variable that npm sets, then waits.
  const parent = `const { spawn } = require('node:child_process');
    spawn(process.execPath, [${JSON.stringify(join(folder, 'scripts', 'run.mjs'))}, 'exec', 'program.mjs', 'serve'], { stdio: 'inherit' });`;
  writeFileSync(join(folder, 'parent.cjs'), parent);
  const env = { ...process.env, npm_lifecycle_script: 'exec node scripts/run.mjs start' };
  const running = run(process.execPath, [join(folder, 'parent.cjs')], { cwd: folder, env });
  const pid = await servingPid(running);
  running.child.kill('SIGKILL');
  await eventually('the program ends', () => !isAlive(pid));
  assert.match(readFileSync(join(folder, 'stopped'), 'utf8'), /^SIGTERM/);
});

test('SIGTERM to a real npm ends the program and leaves nothing behind', async (t) => {
  const command = (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((path) => join(path, 'npm'))
    .find((path) => existsSync(path));
  assert.ok(command !== undefined, 'npm is on PATH');
  const { folder } = project(t);
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ scripts: { start: 'exec node scripts/run.mjs exec program.mjs serve' } }));
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  const running = run(command, ['start'], { cwd: folder, env: { ...process.env, PATH: path } });
  const pid = await servingPid(running);
  running.child.kill('SIGTERM');
  await running.ended;
  await eventually('the program ends', () => !isAlive(pid));
  assert.match(readFileSync(join(folder, 'stopped'), 'utf8'), /^SIGTERM/);
});

test('the first start installs with the development packages whatever NODE_ENV says, the second does not', async (t) => {
  const { start, npmCalls, folder } = project(t, { installed: false });
  const first = start(['exec', 'program.mjs', 'version'], { env: { NODE_ENV: 'production' } });
  assert.equal(await first.ended, 0);
  assert.match(first.stderr(), /^Installing dependencies \(first start only\)…$/m);
  assert.equal(first.stdout(), `${process.version} 1 true\n`);
  assert.equal(await start(['exec', 'program.mjs', 'version']).ended, 0);
  assert.equal(npmCalls().length, 1);
  assert.deepEqual(npmCalls()[0]?.args.slice(0, 2), ['ci', '--include=dev']);
  writeFileSync(join(folder, 'package-lock.json'), '{"packages":{"node_modules/new":{}}}');
  assert.equal(await start(['exec', 'program.mjs', 'version']).ended, 0);
  assert.equal(npmCalls().length, 2, 'a changed lockfile installs again');
});

test('two first starts at once install once', async (t) => {
  const { start, npmCalls } = project(t, { installed: false });
  const both = [start(['exec', 'program.mjs', 'code', '0']), start(['exec', 'program.mjs', 'code', '0'])];
  assert.deepEqual(await Promise.all(both.map(({ ended }) => ended)), [0, 0]);
  assert.equal(npmCalls().length, 1);
});

test('a lock left by a start that died is taken over', async (t) => {
  const { start, folder, npmCalls } = project(t, { installed: false });
  mkdirSync(join(folder, '.toolchain'));
  const lock = join(folder, '.toolchain', 'setup.lock');
  writeFileSync(lock, '1');
  utimesSync(lock, new Date(0), new Date(0));
  assert.equal(await start(['exec', 'program.mjs', 'code', '0']).ended, 0);
  assert.equal(npmCalls().length, 1);
  assert.ok(!existsSync(lock));
});

test('packages that npm install put there by hand count as installed', async (t) => {
  const { start, folder, npmCalls } = project(t, { installed: false });
  const packages = { 'node_modules/a': { version: '1.0.0' } };
  const elsewhere = { 'node_modules/b-win32': { version: '1.0.0', optional: true } };
  writeFileSync(join(folder, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...packages, ...elsewhere } }));
  mkdirSync(join(folder, 'node_modules'));
  writeFileSync(join(folder, 'node_modules', '.package-lock.json'), JSON.stringify({ packages }));
  assert.equal(await start(['exec', 'program.mjs', 'code', '0']).ended, 0);
  assert.equal(npmCalls().length, 0);
});

test('when the packages can’t be installed nothing is started, and the next start tries again', async (t) => {
  const { start, npmCalls } = project(t, { installed: false });
  const failed = start(['exec', 'program.mjs', 'arguments'], { env: { NPM_FAILS: '1' } });
  assert.equal(await failed.ended, 1);
  assert.equal(failed.stdout(), '');
  assert.match(failed.stderr(), /npm error: no such thing[^]*npm ci failed/);
  assert.equal(await start(['exec', 'program.mjs', 'code', '0']).ended, 0);
  assert.equal(npmCalls().length, 2);
});

test('an old Node fetches a recent one, also when two start at once, and the next start finds it', async (t) => {
  const { start, folder, npmCalls } = project(t);
  const both = [1, 2].map(() => start(['exec', 'program.mjs', 'version'], { oldNode: true }));
  assert.deepEqual(await Promise.all(both.map(({ ended }) => ended)), [0, 0], both.map(({ stderr }) => stderr()).join('\n'));
  for (const { stdout } of both) assert.equal(stdout(), `${process.version} 1 true\n`);
  const [call] = npmCalls();
  assert.match(call?.args[1] ?? '', /^node-.*@24$/);
  assert.ok(call?.args.includes('--ignore-scripts'));
  assert.ok(!JSON.stringify(call).includes('registry'), 'npm’s own settings say where packages come from');
  assert.deepEqual(readdirSync(join(folder, '.toolchain')), [`node-${process.versions.node}`]);
  const calls = npmCalls().length;
  assert.equal(await start(['exec', 'program.mjs', 'version'], { oldNode: true }).ended, 0);
  assert.equal(npmCalls().length, calls);
});

test('an old Node without a way to fetch says what to do', async (t) => {
  const running = project(t).start(['exec', 'program.mjs', 'version'], { oldNode: true, env: { NPM_FAILS: '1' } });
  assert.equal(await running.ended, 1);
  assert.match(running.stderr(), /Outrigger needs Node 24 or later; this is 20\.20\.0/);
});

test('a task that does not exist is a usage error that names those that do', async (t) => {
  const running = project(t).start(['strat']);
  assert.equal(await running.ended, 2);
  assert.match(running.stderr(), /Usage: .*start\|hub\|test/);
});

test('start builds the workbench when its sources changed, and passes its arguments on', async (t) => {
  const { folder, start } = project(t);
  for (const path of ['src/cli', 'src/workbench']) mkdirSync(join(folder, path), { recursive: true });
  writeFileSync(join(folder, 'src', 'cli', 'main.ts'), `console.log(JSON.stringify(process.argv.slice(2)) as string);`);
  writeFileSync(join(folder, 'src', 'workbench', 'index.html'), '<p>');
  const build = `import { appendFileSync } from 'node:fs';
    import { workbenchSources, writeWorkbenchStamp } from './workbench-stamp.mjs';
    console.log('building');
    appendFileSync('builds', process.argv.slice(2).join() + ' ');
    writeWorkbenchStamp(process.cwd(), workbenchSources(process.cwd()));`;
  writeFileSync(join(folder, 'scripts', 'build.mjs'), build);
  const begin = async () => {
    const running = start(['start', '/path', '--port', '0']);
    assert.equal(await running.ended, 0, running.stderr());
    assert.equal(running.stdout(), '["start","/path","--port","0"]\n');
    return readFileSync(join(folder, 'builds'), 'utf8');
  };
  assert.equal(await begin(), 'workbench,--quiet ');
  writeFileSync(join(folder, 'src', 'workbench', 'tree.test.ts'), '');
  utimesSync(join(folder, 'src', 'workbench', 'index.html'), 1, 1);
  assert.equal(await begin(), 'workbench,--quiet ', 'a test and a new time are no change');
  writeFileSync(join(folder, 'src', 'workbench', 'index.html'), '<b>');
  assert.equal(await begin(), 'workbench,--quiet workbench,--quiet ');
});

for (const oldNode of [false, true]) {
  test(`the published command runs the bundle on ${oldNode ? 'a Node that it fetches when the running one is old' : 'the running Node'}`, async (t) => {
    const { folder, start, npmCalls } = project(t);
    mkdirSync(join(folder, 'dist'));
    writeFileSync(join(folder, 'dist', 'outrigger.mjs'), `console.log(JSON.stringify(process.argv.slice(2))); process.exitCode = 69;`);
    const running = start(['serve', 'a b', '--json'], { script: 'outrigger.mjs', oldNode, env: { XDG_CACHE_HOME: join(folder, 'cache') } });
    assert.equal(await running.ended, 69, running.stderr());
    assert.equal(running.stdout(), '["serve","a b","--json"]\n');
    assert.equal(npmCalls().length, oldNode ? 1 : 0);
    assert.equal(existsSync(join(folder, 'cache', 'outrigger', 'toolchain', `node-${process.versions.node}`)), oldNode);
  });
}
