import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { after, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { guardOf } from '../../src/cli/guard.ts';

const checkout = path.join(import.meta.dirname, '../..');
const main = path.join(checkout, 'src/cli/main.ts');
const guardModule = pathToFileURL(path.join(checkout, 'src/cli/guard.ts')).href;
const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-launcher-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const launcher = path.join(scratch, 'outrigger-launcher');
const unbuilt = build();
const probed = unbuilt === false ? probe() : undefined;
const skip =
  unbuilt !== false ? unbuilt : probed?.enforced === true ? false : missing(`needs a kernel with landlock: ${JSON.stringify(probed)}`);
const skipTruncate =
  skip !== false ? skip : (probed?.landlock ?? 0) >= 3 ? false : `landlock ABI ${probed?.landlock} leaves truncation open`;

let folders = 0;
/** A folder to guard with something in it, and one beside it that is let through. */
function twoFolders(): { root: string; open: string } {
  const folder = path.join(scratch, String(++folders));
  const root = path.join(folder, 'root');
  const open = path.join(folder, 'open');
  fs.mkdirSync(path.join(root, 'sub/empty'), { recursive: true });
  fs.mkdirSync(open);
  fs.writeFileSync(path.join(root, 'a.txt'), 'text of a\n');
  fs.writeFileSync(path.join(root, 'sub/b.txt'), 'text of b\n');
  fs.writeFileSync(path.join(open, 'mine.txt'), 'mine\n');
  return { root, open };
}

/** Runs a program of Node in the launcher, without it where nothing is given; what it throws ends it with 9 and the code on stdout. */
function inside(given: readonly string[] | undefined, program: string, ...args: string[]): { status: number | null; said: string } {
  const code = `import fs from 'node:fs'; import { spawnSync } from 'node:child_process'; const [root, open] = process.argv.slice(1);
    try { ${program} } catch (error) { console.log(error.code ?? error.message); process.exit(9); }`;
  const node = [process.execPath, '--input-type=module', '-e', code, ...args];
  const [file, ...rest] = given === undefined ? node : [launcher, ...given, '--', ...node];
  const { status, stdout, stderr } = spawnSync(file as string, rest, { encoding: 'utf8', timeout: 20_000 });
  return { status, said: (stdout + stderr).trim() };
}

/** What is below a folder, with contents, kinds and modes: it stays the same where nothing was written. */
function contentsOf(folder: string): string[] {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .map((entry) => {
      const file = path.join(entry.parentPath, entry.name);
      return `${file} ${fs.lstatSync(file).mode} ${entry.isFile() ? fs.readFileSync(file, 'utf8') : ''}`;
    })
    .sort();
}

describe('the launcher refuses, below a folder that is not let through,', () => {
  const attempts: { says: string; program: string; code?: string; skip?: string | false }[] = [
    { says: 'to write a file', program: `fs.writeFileSync(root + '/a.txt', 'x')` },
    { says: 'to append to a file', program: `fs.appendFileSync(root + '/a.txt', 'x')` },
    { says: 'to make a file', program: `fs.writeFileSync(root + '/sub/new.txt', 'x', { flag: 'wx' })` },
    { says: 'to shorten a file by its path', program: `fs.truncateSync(root + '/a.txt', 1)` },
    {
      says: 'to empty a file by opening it',
      program: `fs.openSync(root + '/a.txt', fs.constants.O_RDONLY | fs.constants.O_TRUNC)`,
      skip: skipTruncate,
    },
    { says: 'to remove a file', program: `fs.unlinkSync(root + '/a.txt')` },
    { says: 'to remove a folder', program: `fs.rmdirSync(root + '/sub/empty')` },
    { says: 'to rename a file in its folder', program: `fs.renameSync(root + '/a.txt', root + '/c.txt')` },
    { says: 'to move a file into another folder of it', program: `fs.renameSync(root + '/a.txt', root + '/sub/a.txt')` },
    { says: 'to move a file out', program: `fs.renameSync(root + '/a.txt', open + '/a.txt')` },
    { says: 'to move a file in', program: `fs.renameSync(open + '/mine.txt', root + '/mine.txt')` },
    { says: 'to move a file over another', program: `fs.renameSync(open + '/mine.txt', root + '/a.txt')` },
    { says: 'to make a folder', program: `fs.mkdirSync(root + '/new')` },
    { says: 'to make a symbolic link', program: `fs.symlinkSync('a.txt', root + '/link')` },
    { says: 'to make a hard link in it', program: `fs.linkSync(open + '/mine.txt', root + '/hard.txt')` },
    { says: 'to make a hard link to it elsewhere', program: `fs.linkSync(root + '/a.txt', open + '/hard.txt')`, code: 'EXDEV' },
    { says: 'to copy a file in', program: `fs.copyFileSync(open + '/mine.txt', root + '/copy.txt')` },
    {
      says: 'to write through a symbolic link that leads there',
      program: `fs.symlinkSync(root + '/a.txt', open + '/way'); fs.writeFileSync(open + '/way', 'x')`,
    },
    { says: 'to write through a path with two dots', program: `fs.writeFileSync(open + '/../root/a.txt', 'x')` },
    {
      says: 'to make a socket',
      program: `const net = await import('node:net'); await new Promise((ok, no) => net.createServer().on('error', no).listen(root + '/s', ok)); process.exit(0)`,
    },
  ];
  for (const attempt of attempts) {
    test(attempt.says, { skip: attempt.skip ?? skip }, () => {
      const { root, open } = twoFolders();
      const before = contentsOf(root);
      const refused = inside(['--rw', open], attempt.program, root, open);
      assert.equal(refused.status, 9, refused.said);
      assert.match(refused.said, attempt.code === undefined ? /^(EACCES|EXDEV)$/ : new RegExp(`^${attempt.code}$`));
      assert.deepEqual(contentsOf(root), before);
      // Without the launcher the same program does it: what was refused is a real attempt.
      const free = twoFolders();
      const untouched = contentsOf(path.dirname(free.root));
      assert.deepEqual(inside(undefined, attempt.program, free.root, free.open), { status: 0, said: '' });
      assert.notDeepEqual(contentsOf(path.dirname(free.root)), untouched);
    });
  }

  test('to a program that a program starts', { skip }, () => {
    const { root, open } = twoFolders();
    const before = contentsOf(root);
    const refused = inside(
      ['--rw', open],
      `const tried = spawnSync('sh', ['-c', 'echo x > "$0/new.txt"; echo x > "$1/new.txt"', root, open]); console.log(tried.status);`,
      root,
      open,
    );
    assert.equal(refused.status, 0, refused.said);
    assert.deepEqual(contentsOf(root), before);
    assert.equal(fs.readFileSync(path.join(open, 'new.txt'), 'utf8'), 'x\n');
  });

  test('to a program that asks for more by starting the launcher again', { skip }, () => {
    const { root } = twoFolders();
    const again = inside([], `console.log(spawnSync(open, ['--rw', root, '--', 'mkdir', root + '/new']).status)`, root, launcher);
    assert.equal(again.said, '1');
    assert.ok(!fs.existsSync(path.join(root, 'new')));
  });
});

describe('the launcher lets through', () => {
  test('reading, listing and running', { skip }, () => {
    const { root } = twoFolders();
    const program = `console.log(fs.readFileSync(root + '/a.txt', 'utf8').trim(), fs.readdirSync(root).length, spawnSync('true').status)`;
    assert.deepEqual(inside([], program, root), { status: 0, said: 'text of a 2 0' });
  });

  test('every kind of writing below a folder that was named', { skip }, () => {
    const { open } = twoFolders();
    const program = `const at = (name) => root + '/' + name; fs.mkdirSync(at('d')); fs.writeFileSync(at('d/f'), 'long'); fs.truncateSync(at('d/f'), 1);
      fs.renameSync(at('d/f'), at('f')); fs.symlinkSync('f', at('l')); fs.linkSync(at('f'), at('h')); fs.unlinkSync(at('l')); fs.rmdirSync(at('d'));`;
    assert.deepEqual(inside(['--rw', open], program, open), { status: 0, said: '' });
    assert.deepEqual(fs.readdirSync(open).sort(), ['f', 'h', 'mine.txt']);
    assert.equal(fs.readFileSync(path.join(open, 'h'), 'utf8'), 'l');
  });

  test('a single file that was named, and not the one beside it', { skip }, () => {
    const { root } = twoFolders();
    const program = `fs.writeFileSync(root + '/a.txt', 'new'); fs.writeFileSync(root + '/sub/b.txt', 'new')`;
    assert.deepEqual(inside(['--rw', path.join(root, 'a.txt')], program, root), { status: 9, said: 'EACCES' });
    assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'new');
    assert.equal(fs.readFileSync(path.join(root, 'sub/b.txt'), 'utf8'), 'text of b\n');
  });

  test('a folder that it has to make first, for this user alone', { skip }, () => {
    const { root } = twoFolders();
    const made = path.join(root, 'state/one/two');
    assert.deepEqual(inside(['--make', made], `fs.writeFileSync(root + '/f', 'x')`, made), { status: 0, said: '' });
    assert.equal(fs.statSync(path.join(root, 'state')).mode & 0o777, 0o700);
    assert.deepEqual(inside(['--make', path.join(root, 'a.txt/no')], `process.exit(0)`), { status: 0, said: '' });
  });

  test('the devices that keep nothing', { skip }, () => {
    assert.deepEqual(inside([], `fs.writeFileSync('/dev/null', 'x'); fs.accessSync('/dev/zero')`), { status: 0, said: '' });
  });
});

describe('the launcher says', () => {
  const run = (...args: string[]) => spawnSync(launcher, args, { encoding: 'utf8' });

  test('with 127 that a program is not there, with 126 that it can not be run', { skip }, () => {
    const gone = run('--', path.join(scratch, 'gone'));
    assert.equal(gone.status, 127);
    assert.match(gone.stderr, /^outrigger-launcher: can't run .*gone: No such file or directory\n$/);
    const folder = run('--', scratch);
    assert.equal(folder.status, 126);
    assert.match(folder.stderr, /^outrigger-launcher: can't run .*: Permission denied\n$/);
  });

  test('with 125 what is wrong with its own part', { skip }, () => {
    const gone = run('--rw', path.join(scratch, 'gone'), '--', 'true');
    assert.equal(gone.status, 125);
    assert.match(gone.stderr, /^outrigger-launcher: can't open .*gone: No such file or directory\n$/);
    for (const args of [[], ['--'], ['--rw'], ['--rw', '/', 'true'], ['true'], ['--ro', '/', '--', 'true']]) {
      const wrong = run(...args);
      assert.equal(wrong.status, 125, args.join(' '));
      assert.match(wrong.stderr, /^usage: /);
    }
  });

  test('nothing of its own besides, and ends with the code or the signal of the program', { skip }, () => {
    const ended = run('--', 'sh', '-c', 'exit 42');
    assert.deepEqual([ended.status, ended.stdout, ended.stderr], [42, '', '']);
    assert.equal(run('--', 'sh', '-c', 'kill -TERM $$').signal, 'SIGTERM');
  });

  test('in one line of JSON what the kernel does', { skip }, () => {
    const { status, stdout } = run('--probe');
    assert.equal(status, 0);
    assert.match(stdout, /^\{"landlock": \d+, "enforced": true\}\n$/);
    assert.deepEqual(JSON.parse(run('--', launcher, '--probe').stdout), { ...probed, enforced: true });
  });
});

describe('a process under its guard', () => {
  /** A program that asks for its guard, then says what it sees of itself. */
  const program = `import fs from 'node:fs';
    const { underGuard } = await import(${JSON.stringify(guardModule)});
    const [root, state, temporary, launcher] = process.argv.slice(2);
    const first = process.env.FIRST_ID ?? (process.env.FIRST_ID = String(process.pid));
    const surroundings = { stateHome: state, temporary };
    const outcome = await underGuard({ loaded: { config: { root }, surroundings }, env: process.env, launcher });
    let wrote = true;
    try { fs.writeFileSync(root + '/new.txt', 'x'); } catch (error) { wrote = error.code; }
    fs.writeFileSync(temporary + '/new.txt', 'x');
    process.on('SIGTERM', () => process.exit(6));
    console.log(JSON.stringify({ outcome, wrote, same: first === String(process.pid), execArgv: process.execArgv, state: fs.readdirSync(state + '/outrigger').length }));
    process.stdin.resume().on('data', (text) => process.stdout.write(text)).on('end', () => { process.exitCode = 5; });`;
  const start = (root: string, open: string): ChildProcessWithoutNullStreams => {
    const file = path.join(open, 'program.mjs');
    fs.writeFileSync(file, program);
    const state = path.join(open, 'state');
    fs.mkdirSync(state);
    fs.mkdirSync(path.join(open, 'temporary'));
    return spawn(process.execPath, ['--stack-size=900', file, root, state, path.join(open, 'temporary'), launcher], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  };
  const expected = {
    outcome: { guarded: true, landlock: probed?.landlock },
    wrote: 'EACCES',
    same: true,
    execArgv: ['--stack-size=900'],
    state: 1,
  };

  test('is the same process, with the same streams, and ends with its own code', { skip }, async () => {
    const { root, open } = twoFolders();
    const child = start(root, open);
    // Written before it is started again: nothing of it is lost.
    child.stdin.end('first line\n');
    let [said, complained] = ['', ''];
    child.stdout.on('data', (text) => (said += text));
    child.stderr.on('data', (text) => (complained += text));
    const [code] = (await once(child, 'close')) as [number];
    const [line = '', ...rest] = said.split('\n');
    assert.deepEqual(JSON.parse(line), expected);
    assert.deepEqual(rest, ['first line', '']);
    assert.equal(complained, '');
    assert.equal(code, 5);
  });

  test('gets the signals that are sent to the one that was started', { skip }, async () => {
    const { root, open } = twoFolders();
    const child = start(root, open);
    await once(createInterface({ input: child.stdout }), 'line');
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [6, null]);
  });
});

test('the child process of a desktop host answers under its guard, searches and asks git', { skip }, async () => {
  const { root, open } = twoFolders();
  const state = path.join(open, 'state', 'outrigger', 'id');
  const temporary = path.join(open, 'temporary');
  fs.mkdirSync(temporary);
  const hasGit = spawnSync('git', ['--version']).status === 0;
  if (hasGit) execFileSync('git', ['init', '-q', root]);
  const guard = guardOf({ platform: 'linux', folder: state, root, temporary, launcher });
  assert.ok('argv' in guard);
  const [file, ...prefix] = guard.argv as [string, ...string[]];
  const before = contentsOf(root);
  const child = spawn(file, [...prefix, process.execPath, main, 'stdio', '--root', root, '--state', state], {
    env: { PATH: process.env['PATH'], HOME: open, TMPDIR: temporary, OUTRIGGER_GUARD: `landlock-${probed?.landlock}` },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const questions = [
    { method: 'readFile', params: { path: 'a.txt' } },
    { method: 'index.wait' },
    { method: 'search', params: { pattern: 'text of' } },
    ...(hasGit ? [{ method: 'git.status' }] : []),
  ];
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  for (const [id, question] of questions.entries()) {
    child.stdin.write(`${JSON.stringify({ id: String(id), params: {}, ...question })}\n`);
    const { value } = await answers.next();
    assert.equal((JSON.parse(value as string) as { ok: boolean }).ok, true, `${question.method}: ${value}`);
  }
  child.stdin.end();
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  assert.deepEqual(contentsOf(root), before);
});

describe('the build of the launcher', () => {
  const copy = (): string => {
    const folder = path.join(scratch, `checkout-${++folders}`);
    const sources = fs.readdirSync(path.join(checkout, 'native')).filter((name) => name === 'launcher.c' || name.endsWith('.h'));
    for (const file of ['scripts/native.mjs', ...sources.map((name) => `native/${name}`)]) {
      fs.mkdirSync(path.join(folder, path.dirname(file)), { recursive: true });
      fs.copyFileSync(path.join(checkout, file), path.join(folder, file));
    }
    return folder;
  };
  const run = (folder: string, env: NodeJS.ProcessEnv = process.env) => {
    const { status, stdout } = spawnSync(process.execPath, ['scripts/native.mjs'], { cwd: folder, env, encoding: 'utf8' });
    return { status, lines: stdout.split('\n').filter(Boolean) };
  };
  const linux = process.platform === 'linux' ? false : 'the launcher is for Linux';

  test('makes a program, and nothing more until the source changes', { skip: unbuilt }, () => {
    const folder = copy();
    const file = path.join(folder, 'dist/bin/outrigger-launcher');
    assert.deepEqual(run(folder).lines.length, 2);
    assert.deepEqual(fs.readdirSync(path.dirname(file)).sort(), ['outrigger-cage.so', 'outrigger-launcher']);
    fs.accessSync(file, fs.constants.X_OK);
    const { ino } = fs.statSync(file);
    assert.deepEqual(run(folder), { status: 0, lines: [] });
    assert.equal(fs.statSync(file).ino, ino);
    const later = new Date(Date.now() + 60_000);
    fs.utimesSync(path.join(folder, 'native/launcher.c'), later, later);
    assert.equal(run(folder).lines.length, 2);
  });

  test('says in a line for each what is lost without a compiler, or with one that can not, and fails nothing', { skip: linux }, () => {
    const folder = copy();
    const none = run(folder, { PATH: path.join(folder, 'native') });
    assert.equal(none.status, 0);
    assert.match(none.lines.join('\n'), /^native: no C compiler on PATH \(cc, gcc, clang\); [^\n]+$/);
    fs.mkdirSync(path.join(folder, 'bin'));
    fs.writeFileSync(path.join(folder, 'bin/cc'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const unable = run(folder, { PATH: `${path.join(folder, 'bin')}${path.delimiter}${process.env['PATH']}` });
    assert.equal(unable.status, 0);
    const [launcher = '', library = '', ...rest] = unable.lines;
    assert.match(launcher, /^native: .*cc could not build the launcher; .+$/);
    assert.match(library, /^native: .*cc could not build the library of cages; .+$/);
    assert.deepEqual(rest, []);
  });

  test('does nothing, and says nothing, where the sources are not', () => {
    const folder = copy();
    fs.rmSync(path.join(folder, 'native'), { recursive: true });
    assert.deepEqual(run(folder), { status: 0, lines: [] });
  });
});

/** False when it was built, else why not, for `skip`. */
function build(): string | false {
  if (process.platform !== 'linux') return 'the launcher is for Linux';
  const compiler = ['cc', 'gcc', 'clang'].find((name) => spawnSync(name, ['--version']).status === 0);
  if (compiler === undefined) return missing('needs a C compiler: apt-get install gcc libc6-dev');
  execFileSync(compiler, ['-O2', '-Wall', '-Wextra', '-Werror', path.join(checkout, 'native/launcher.c'), '-o', launcher]);
  return false;
}

function probe(): { landlock: number; enforced: boolean } {
  return JSON.parse(execFileSync(launcher, ['--probe'], { encoding: 'utf8' })) as { landlock: number; enforced: boolean };
}

/** As test/kit/require-tools.ts: where nothing may be skipped, the file fails. */
function missing(reason: string): string {
  if (process.env['REQUIRE_TOOLS'] === '1') throw new Error(`REQUIRE_TOOLS=1 and this ${reason}`);
  return reason;
}
