// scripts/single-binary.mjs: built from a copy of the checkout, then run where there is nothing but the one file.
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { Supervisor } from '../../src/supervisor/sidecar-supervisor.ts';
import { resolveBinary } from '../../src/supervisor/resolve-binary.ts';
import { bundleOf, copyCheckout, runScript } from '../kit/checkout-copy.ts';
import { eventually } from '../kit/eventually.ts';
import { runProgram } from '../kit/running-program.ts';

const root = path.join(import.meta.dirname, '..', '..');
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { version: string };
const token = 'token-of-the-single-binary-0123456789';
// Official builds can carry a program; a distribution's Node, linked against a library, can't.
const carries = fs.readFileSync(process.execPath).includes(`NODE_SEA_FUSE_${'fce680ab2cc467b6e072b8b5df1996b2'}`);
const skip = !carries && `${process.execPath} has no place for a program in it: take a Node from nodejs.org`;
/** A folder with a single executable to test, instead of one that is built here. */
const given = process.env['SINGLE_BINARY'];
let scratch = '';
/** What is built, where it was built. */
let dist = '';
let binary = '';

before(() => {
  scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-single-'));
  const copy = path.join(scratch, 'copy');
  fs.mkdirSync(copy);
  const checkout = copyCheckout(copy);
  fs.cpSync(path.join(root, 'native'), path.join(checkout, 'native'), { recursive: true });
  dist = bundleOf(checkout);
});
after(() => fs.rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

/** A folder of a user's, and an environment in which nothing can be found. */
function surroundings(name: string): { folder: string; env: Record<string, string>; unpacked: () => string } {
  const home = path.join(scratch, name);
  const folder = path.join(home, 'folder');
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'loans.ts'), 'export function lend(title: string) {\n  return title;\n}\n');
  const cache = path.join(home, 'cache');
  const env = { PATH: '', HOME: home, XDG_CACHE_HOME: cache, XDG_STATE_HOME: path.join(home, 'state') };
  const windows = process.platform === 'win32' ? { SystemRoot: process.env['SystemRoot'] ?? '', TEMP: os.tmpdir(), USERPROFILE: home } : {};
  const unpacked = (): string => {
    const [only, ...others] = fs.readdirSync(path.join(cache, 'outrigger', 'unpacked'));
    assert.deepEqual(others, []);
    return path.join(cache, 'outrigger', 'unpacked', only as string);
  };
  return { folder, env: { ...env, ...windows }, unpacked };
}

describe('the single executable', { skip }, () => {
  before(() => {
    const folder = path.resolve(given ?? path.join(scratch, 'alone'));
    if (given === undefined) {
      const said = runScript(path.dirname(dist), 'scripts/single-binary.mjs', folder, '--no-build');
      assert.match(said, new RegExp(`outrigger ${version} in node [^]*MB, of which \\d+ files of ours`));
    }
    const [name, ...others] = fs.readdirSync(folder);
    assert.deepEqual(others, [], 'one file and nothing else');
    binary = path.join(folder, name as string);
  });

  async function ask(child: ChildProcessWithoutNullStreams, lines: readonly object[]): Promise<Map<string, Record<string, unknown>>> {
    const answers = new Map<string, Record<string, unknown>>();
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const parts = (rest + text).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) {
        const message = JSON.parse(line) as { id: string; result?: Record<string, unknown> };
        if (message.result !== undefined) answers.set(message.id, message.result);
        else assert.fail(line);
      }
    });
    for (const line of lines) child.stdin.write(`${JSON.stringify(line)}\n`);
    await eventually(() => assert.equal(answers.size, lines.length), 20_000);
    return answers;
  }

  test('answers over stdio in an empty place, with ripgrep, symbols and its guard, and ends with its input', async () => {
    const { folder, env, unpacked } = surroundings('stdio');
    const cwd = path.join(scratch, 'stdio', 'empty');
    fs.mkdirSync(cwd);
    const child = spawn(binary, ['stdio', '--root', folder, '--log-level', 'info'], { cwd, env, stdio: 'pipe' });
    let log = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    try {
      const answers = await ask(child, [
        { id: '1', method: 'ping', params: {} },
        { id: '2', method: 'readFile', params: { path: 'loans.ts' } },
        { id: '3', method: 'search', params: { pattern: 'return title' } },
        { id: '4', method: 'outline', params: { path: 'loans.ts' } },
      ]);
      assert.equal(answers.get('1')?.['version'], version);
      assert.match(String(answers.get('2')?.['text']), /^export function lend/);
      assert.match(JSON.stringify(answers.get('3')), /"path":"loans.ts".*"line":2/);
      assert.match(JSON.stringify(answers.get('4')), /"name":"lend"/, 'the native parser came along');
      const exit = once(child, 'exit');
      child.stdin.end();
      assert.deepEqual(await exit, [0, null], log);
    } finally {
      child.kill('SIGKILL');
    }
    if (process.platform === 'linux' && fs.existsSync(path.join(dist, 'bin', 'outrigger-launcher')))
      assert.match(log, /stdio\.guarded|landlock, or has it switched off|does not enforce/);
    assert.doesNotMatch(log, /ripgrep/i, 'ripgrep came along');
    assert.ok(fs.existsSync(path.join(unpacked(), 'dist', 'outrigger.mjs')));
    assert.deepEqual(fs.readdirSync(cwd), []);
    assert.deepEqual(fs.readdirSync(folder), ['loans.ts']);
  });

  test('serves over HTTP, with the watcher in its worker thread, and stops at SIGTERM', async () => {
    const { folder, env } = surroundings('serve');
    const cwd = path.join(scratch, 'serve');
    const program = runProgram(binary, ['serve', folder, '--port', '0'], { cwd, env: { ...env, OUTRIGGER_TOKEN: token } });
    try {
      const [, url = ''] = await program.until(/Open\s+(http:\/\/[^\s/]+)/);
      const get = async (operation: string): Promise<unknown> =>
        (await fetch(`${url}/api/${operation}`, { headers: { authorization: `Bearer ${token}` } })).json();
      assert.equal(((await get('files.read?path=loans.ts')) as { size: number }).size, 56);
      // A cursor of before the folder was listed for the first time is answered with resync.
      await eventually(async () => assert.equal((await fetch(`${url}/readyz`)).status, 200));
      const { cursor } = (await get('changes.since')) as { cursor: string };
      fs.writeFileSync(path.join(folder, 'later.txt'), 'seen\n');
      await eventually(
        async () => assert.match(JSON.stringify(await get(`changes.since?cursor=${encodeURIComponent(cursor)}`)), /later\.txt/),
        10_000,
      );
    } finally {
      assert.equal(await program.stop(), process.platform === 'win32' ? 'SIGTERM' : 0, program.output());
    }
  });

  test('runs JavaScript by the Node of the system, or says that there is none (long form)', {
    skip: process.platform !== 'linux',
  }, async () => {
    const { folder, env } = surroundings('code');
    const program = runProgram(binary, ['serve', folder, '--port', '0'], { cwd: folder, env: { ...env, OUTRIGGER_TOKEN: token } });
    try {
      const [, url = ''] = await program.until(/Open\s+(http:\/\/[^\s/]+)/);
      const response = await fetch(`${url}/api/code.run`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ language: 'js', code: "console.log('hello');\n" }),
      });
      const answer = await response.text();
      const hasNode = ['/usr/local/bin/node', '/usr/bin/node'].some((file) => fs.existsSync(file));
      assert.match(answer, hasNode ? /"text":"hello\\n"/ : /TOOL_MISSING[^]*nodejs/);
    } finally {
      await program.stop();
    }
  });

  test('its doctor finds the optional packages that are installed here', async () => {
    const { folder, env } = surroundings('doctor');
    const doctor = runProgram(binary, ['doctor'], { cwd: folder, env });
    await doctor.ended;
    for (const name of ['@vscode/ripgrep', 'oxc-parser', '@parcel/watcher'])
      if (fs.existsSync(path.join(root, 'node_modules', name))) assert.match(doctor.output(), new RegExp(`${name} +\\d[^\\n]*bundled`));
  });

  test('notices files that were changed since they were unpacked, runs none of them and mends them (long form)', async () => {
    const { folder, env, unpacked } = surroundings('damaged');
    const versionSaid = async (): Promise<string> => {
      const program = runProgram(binary, ['--version'], { cwd: folder, env });
      assert.equal(await program.ended, 0, program.output());
      return program.output().trim();
    };
    assert.equal(await versionSaid(), version);
    const main = path.join(unpacked(), 'dist', 'outrigger.mjs');
    const whole = fs.readFileSync(main);
    fs.writeFileSync(main, "console.log('somebody else’s program');\n");
    const planted = path.join(unpacked(), 'node_modules', 'undici');
    fs.mkdirSync(planted, { recursive: true });
    assert.equal(await versionSaid(), version);
    assert.deepEqual(fs.readFileSync(main), whole);
    assert.ok(!fs.existsSync(planted));
  });

  test('is found in the resources of a packaged program and started by the supervisor', async () => {
    const { folder, env } = surroundings('packaged');
    const resources = path.join(scratch, 'resources');
    fs.mkdirSync(path.join(resources, 'sidecar'), { recursive: true });
    fs.linkSync(binary, path.join(resources, 'sidecar', path.basename(binary)));
    const found = resolveBinary({ env: {}, resourcesPath: resources });
    assert.equal(found?.source, 'packaged');
    assert.deepEqual([found.args, found.env], [[], {}]);
    const supervisor = new Supervisor({ binary: found, env });
    try {
      await supervisor.start(folder);
      assert.match(JSON.stringify(await supervisor.request('search', { pattern: 'lend' })), /loans\.ts/);
    } finally {
      await supervisor.stop();
    }
  });
});

// Electron's program is a Node with more in it: here a Node that ends at once, in each of its processes, where the environment does not
// say that it is wanted as Node. ELECTRON_RUN_AS_NODE is what real Electron asks for, and opens a window without.
test('a bundle in the resources is run by the Node of Electron, down to the process that its guard starts (long form)', async () => {
  const { folder, env } = surroundings('electron');
  const electron = path.join(scratch, 'electron', path.basename(process.execPath));
  fs.copyFileSync(process.execPath, electron, fs.constants.COPYFILE_FICLONE);
  const asked = path.join(scratch, 'electron', 'asked.mjs');
  fs.writeFileSync(
    asked,
    `import { isMainThread } from 'node:worker_threads';
    const right = process.env.ELECTRON_RUN_AS_NODE === '1';
    if (isMainThread) console.error('started', process.execPath, process.env.OUTRIGGER_GUARD === undefined ? 'plain' : 'guarded', right);
    if (!right) process.exit(64);`,
  );
  const resources = path.join(scratch, 'electron', 'resources');
  fs.mkdirSync(resources);
  fs.cpSync(dist, path.join(resources, 'sidecar'), { recursive: true });
  const runtime = { platform: process.platform, execPath: electron, electron: true, resourcesPath: resources };
  const found = resolveBinary({ env: {}, runtime });
  assert.ok(found !== undefined);
  assert.deepEqual(found.args, [path.join(resources, 'sidecar', 'outrigger.mjs')]);
  const around = { ...env, NODE_OPTIONS: `--import=${pathToFileURL(asked).href}` };
  const log: string[] = [];
  const supervisor = new Supervisor({ binary: found, env: around, onLog: (line) => log.push(line) });
  try {
    await supervisor.start(folder);
    assert.match(JSON.stringify(await supervisor.request('search', { pattern: 'lend' })), /loans\.ts/);
  } finally {
    await supervisor.stop();
  }
  const guarded = log.some((line) => line.includes('"stdio.guarded"'));
  assert.deepEqual(
    log.filter((line) => line.startsWith('started')),
    ['plain', ...(guarded ? ['guarded'] : [])].map((how) => `started ${electron} ${how} true`),
  );
  const unasked = new Supervisor({ binary: { ...found, env: {} }, env: around });
  await assert.rejects(unasked.start(folder), /exit code 64/);
  await unasked.stop();
});
