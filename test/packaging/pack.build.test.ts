// What is published: packed from a copy of the checkout, then used as somebody would who has never seen the sources.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { copyCheckout, runScript } from '../kit/checkout-copy.ts';
import { readDocument } from '../kit/document-socket.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { runProgram, type RunningProgram } from '../kit/running-program.ts';

const noCompiler = process.platform === 'linux' ? requireTool('gcc') : 'isolation is for Linux';
const root = join(import.meta.dirname, '..', '..');
const token = 'token-of-a-packaging-test';
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
let scratch = '';
/** The bundle alone. */
let alone = '';
/** A folder of a user's, with the package under node_modules. */
let user = '';

before(() => {
  scratch = mkdtempSync(join(tmpdir(), 'outrigger-pack-'));
  const copy = join(scratch, 'copy');
  mkdirSync(copy);
  const checkout = copyCheckout(copy, ['native', 'docs', 'README.md', 'CHANGELOG.md', 'SECURITY.md']);
  runScript(checkout, 'scripts/pack.mjs', scratch);

  alone = join(scratch, 'alone');
  cpSync(join(checkout, 'dist', 'package', 'dist'), alone, { recursive: true });
  for (const name of ['lib', 'types']) rmSync(join(alone, name), { recursive: true });

  user = join(scratch, 'user');
  mkdirSync(join(user, 'node_modules', 'outrigger'), { recursive: true });
  const unpacked = spawnSync(
    'tar',
    ['-xzf', join(scratch, `outrigger-${version}.tgz`), '--strip-components=1', '-C', join(user, 'node_modules', 'outrigger')],
    { encoding: 'utf8' },
  );
  assert.equal(unpacked.status, 0, unpacked.stderr);
  // What npm would install beside it.
  for (const name of ['zod', 'typescript', '@types', 'undici-types'])
    symlinkSync(join(root, 'node_modules', name), join(user, 'node_modules', name));
  rmSync(copy, { recursive: true });
});
after(() => rmSync(scratch, { recursive: true, force: true }));

function environment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], HOME: join(scratch, 'home'), OUTRIGGER_TOKEN: token, ...more };
}

/** Without type stripping: nothing of what is published may need it. */
function bundle(...args: string[]): string[] {
  return ['--no-experimental-strip-types', join(alone, 'outrigger.mjs'), ...args];
}

function runBundle(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const cwd = mkdtempSync(join(scratch, 'cwd-'));
  return spawnSync(process.execPath, bundle(...args), { cwd, env: environment(), encoding: 'utf8' });
}

async function withProgram(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  cwd: string,
  use: (program: RunningProgram) => Promise<void>,
): Promise<number | string> {
  const program = runProgram(command, args, { env, cwd });
  try {
    await use(program);
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${program.output()}`, { cause: error });
  } finally {
    if (program.child.exitCode === null) await program.stop();
  }
  return program.child.exitCode ?? program.child.signalCode ?? 'unknown';
}

function workspace(): string {
  const folder = mkdtempSync(join(scratch, 'workspace-'));
  writeFileSync(join(folder, 'poem.txt'), 'the sea\n');
  return folder;
}

async function call(url: string, operation: string, input: unknown): Promise<Record<string, unknown>> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(`${url}/api/${operation}`, { method: 'POST', headers, body: JSON.stringify(input) });
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()) as Record<string, unknown>;
}

test('the bundle alone in a folder serves, shows the page, watches, opens a document and ends with 0 on SIGTERM', async () => {
  assert.ok(!existsSync(join(alone, 'node_modules')) && !existsSync(join(alone, 'package.json')));
  const folder = workspace();
  const code = await withProgram(process.execPath, bundle('serve', folder, '--port', '0'), environment(), alone, async (program) => {
    const [, url = ''] = await program.until(/"url":"(http:[^"]+)"/);
    await program.until(/sidecar\.ready/);
    assert.equal((await fetch(`${url}/readyz`)).status, 200);
    const page = await fetch(url);
    assert.match(await page.text(), /<script type="module"/);
    const { cursor } = await call(url, 'system.info', {});
    writeFileSync(join(folder, 'written outside.txt'), 'x');
    await eventually(async () => {
      const { changes } = (await call(url, 'changes.since', { cursor })) as { changes: { path: string }[] };
      return changes.some(({ path }) => path === 'written outside.txt');
    });
    assert.equal(await readDocument(`${url.replace('http', 'ws')}/ws/doc/poem.txt`, token), 'the sea\n');
    const { status, checks } = (await call(url, 'system.health', {})) as { status: string; checks: { name: string; ok: boolean }[] };
    assert.equal(status, 'ok', JSON.stringify(checks));
    assert.equal(await program.stop(), 0);
  });
  assert.equal(code, 0);
});

test('the bundle alone tells its version, its options and what this machine lacks', () => {
  const said = runBundle('--version');
  assert.deepEqual([said.status, said.stdout, said.stderr], [0, `${version}\n`, '']);
  const options = JSON.parse(runBundle('config', '--json').stdout) as { key: string; value: unknown }[];
  assert.ok(options.some(({ key, value }) => key === 'token' && value === '(set, not shown)'));
  const doctor = runBundle('doctor', '--json');
  const { tools } = JSON.parse(doctor.stdout) as { tools: { tool: string; found: boolean; lost?: string }[] };
  const watcher = tools.find(({ tool }) => tool === '@parcel/watcher');
  assert.equal(watcher?.found, false, 'there are no packages beside the bundle');
  assert.match(watcher?.lost ?? '', /polled/);
  assert.equal(doctor.status, 1);
});

test('the package holds the code that it runs as a checkout does, says how else, and has the pages that it names', {
  skip: noCompiler,
}, async () => {
  const place = join(user, 'node_modules', 'outrigger');
  for (const name of ['docs/code.md', 'SECURITY.md', 'CHANGELOG.md', 'native/launcher.c', 'scripts/native.mjs'])
    assert.ok(existsSync(join(place, name)), name);
  const command = [join(place, 'scripts', 'outrigger.mjs'), 'serve', '--port', '0'];
  const isolation = async (program: RunningProgram): Promise<{ rung: number; launcher: boolean }> => {
    const [, url = ''] = await program.until(/"url":"(http:[^"]+)"/);
    const { isolation, evidence } = await call(url, 'code.isolation', {});
    return { rung: (isolation as { rung: number }).rung, launcher: !JSON.stringify(evidence).includes('There is no launcher') };
  };
  const folder = workspace();
  await withProgram(process.execPath, [...command, folder], environment(), user, async (program) => {
    const found = await isolation(program);
    assert.ok(found.launcher && found.rung > 0, JSON.stringify(found));
    assert.doesNotMatch(program.output(), /nothing holds the code/);
  });
  const native = join(place, 'dist', `bin-${process.platform}-${process.arch}`);
  renameSync(native, `${native}-away`);
  await withProgram(process.execPath, [...command, folder], environment(), user, async (program) => {
    assert.deepEqual(await isolation(program), { rung: 0, launcher: false });
    const [, script = ''] = await program.until(/nothing holds the code that runs here: there is no launcher, node (\S+) builds it/);
    assert.equal(realpathSync(script), realpathSync(join(place, 'scripts', 'native.mjs')));
    assert.equal(spawnSync(process.execPath, [script], { encoding: 'utf8' }).status, 0);
  });
  await withProgram(process.execPath, [...command, folder], environment(), user, async (program) =>
    assert.ok((await isolation(program)).rung > 0),
  );
  rmSync(join(place, 'dist', 'bin'), { recursive: true });
  renameSync(`${native}-away`, native);
});

test('the command of the package serves, its page too, and its sample project starts', async () => {
  const command = join(user, 'node_modules', 'outrigger', 'scripts', 'outrigger.mjs');
  assert.equal(spawnSync(process.execPath, [command, '--version'], { encoding: 'utf8', env: environment() }).stdout, `${version}\n`);
  const code = await withProgram(process.execPath, [command, 'start', '--port', '0'], environment(), user, async (program) => {
    const [, url = ''] = await program.until(/"url":"(http:[^"]+)"/);
    const { count } = (await call(url, 'files.list', {})) as { count: number };
    assert.ok(count > 0);
    const page = await (await fetch(url)).text();
    const assets = [...page.matchAll(/="\.\/(assets\/[^"]+)"/g)].map(([, asset = '']) => asset);
    assert.ok(assets.length > 1, page);
    for (const asset of assets) assert.equal((await fetch(new URL(asset, url))).status, 200, asset);
    assert.equal(await program.stop(), 0);
  });
  assert.equal(code, 0);
});

test('a host that has the package opens a folder by the sidecar in it', () => {
  const host = join(user, 'host.mjs');
  writeFileSync(
    host,
    `import { openWorkspace } from 'outrigger/supervisor';
    const workspace = await openWorkspace({ root: process.argv[2] });
    console.log(JSON.stringify({ backend: workspace.backend, text: (await workspace.readFile('poem.txt')).text }));
    await workspace.close();`,
  );
  const ran = spawnSync(process.execPath, [host, workspace()], { cwd: user, env: environment(), encoding: 'utf8' });
  assert.equal(ran.status, 0, ran.stderr);
  assert.deepEqual(JSON.parse(ran.stdout), { backend: 'sidecar', text: 'the sea\n' });
});

test('a project of a package that npm took from a file takes it from there too, and from a registry else', () => {
  const command = join(user, 'node_modules', 'outrigger', 'scripts', 'outrigger.mjs');
  const lock = join(user, 'node_modules', '.package-lock.json');
  const dependency = (resolved: string): string | undefined => {
    writeFileSync(lock, JSON.stringify({ packages: { 'node_modules/outrigger': { version, resolved } } }));
    const { status, stderr } = spawnSync(process.execPath, [command, 'init', 'made', '--force'], {
      cwd: user,
      env: environment(),
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    const made = JSON.parse(readFileSync(join(user, 'made', 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
    const said = /takes outrigger from (\S+),/.exec(stderr)?.[1];
    const { outrigger } = made.dependencies;
    assert.equal(said, outrigger?.startsWith('file:') === true ? outrigger.slice('file:'.length) : undefined);
    return outrigger;
  };
  assert.equal(dependency('https://registry.invalid/outrigger.tgz'), `^${version}`);
  assert.equal(dependency('file:../outrigger.tgz'), `file:${join(scratch, 'outrigger.tgz')}`);
  for (const made of [lock, join(user, 'made')]) rmSync(made, { recursive: true });
});

test('the package holds no sources, no tests and nothing but what it needs', () => {
  const folder = join(user, 'node_modules', 'outrigger');
  assert.deepEqual(
    readdirSync(folder)
      .filter((name) => !/^(LICENSE|README\.md|CHANGELOG\.md|SECURITY\.md)$/.test(name))
      .sort(),
    ['dist', 'docs', 'examples', 'native', 'package.json', 'scripts'],
  );
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  assert.deepEqual(
    names.filter((name) => /(?<!\.d)\.tsx?$|\.(test|deep)\./.test(name) && !name.startsWith('examples')),
    [],
  );
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
    dependencies: object;
  };
  assert.deepEqual(Object.keys(manifest.dependencies), ['zod']);
  for (const target of Object.values(manifest.exports)) {
    for (const file of typeof target === 'string' ? [target] : Object.values(target)) assert.ok(existsSync(join(folder, file)), file);
  }
});

test('the declarations name no package that is not there: they hold where a project has those of libraries checked', () => {
  const project = mkdtempSync(join(user, 'checked-'));
  const { exports } = JSON.parse(readFileSync(join(user, 'node_modules', 'outrigger', 'package.json'), 'utf8')) as { exports: object };
  const entries = Object.keys(exports).filter((name) => !name.endsWith('.json'));
  const lines = entries.map((name, at) => `export * as entry${at} from '${join('outrigger', name)}';\n`);
  writeFileSync(join(project, 'use.mts'), lines.join(''));
  const check = (...flags: string[]): { status: number | null; stdout: string } => {
    const tsc = join(user, 'node_modules', 'typescript', 'bin', 'tsc');
    const all = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2024', '--types', 'node', ...flags, 'use.mts'];
    return spawnSync(process.execPath, [tsc, ...all], { cwd: project, encoding: 'utf8' });
  };
  for (const flags of [
    ['--module', 'nodenext'],
    ['--module', 'esnext', '--moduleResolution', 'bundler'],
  ]) {
    const { status, stdout } = check(...flags);
    assert.equal(status, 0, stdout);
  }
  rmSync(project, { recursive: true });
});

test('the client and the contract need nothing of Node: browsers take them as they are', () => {
  const folder = join(user, 'node_modules', 'outrigger', 'dist', 'lib');
  const seen = new Set(['client.mjs', 'contract.mjs']);
  const outside = new Set<string>();
  for (const name of seen) {
    const text = readFileSync(join(folder, name), 'utf8');
    for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?"([^",\n]+)"/g)) {
      if (specifier.startsWith('./')) seen.add(specifier.slice(2));
      else outside.add(specifier);
    }
    assert.doesNotMatch(text, /\bBuffer\.|(?<!globalThis\.)\bprocess\b(\.[\w$]|\[)/, name);
  }
  assert.deepEqual([...outside], ['zod']);
  assert.ok(seen.size > 2, 'parts are shared, and were looked at');
});

test('a written project type-checks against the package, runs, and answers its own operation', async () => {
  const project = join(user, 'my project');
  const command = join(user, 'node_modules', 'outrigger', 'scripts', 'outrigger.mjs');
  const written = spawnSync(process.execPath, [command, 'init', project], { encoding: 'utf8', env: environment() });
  assert.equal(written.status, 0, written.stderr);
  const { dependencies } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  assert.equal(dependencies['outrigger'], `^${version}`);

  // The check sees the package's types: a wrong field is found in a second source, and nothing in what was written.
  const right = readFileSync(join(project, 'src', 'index.ts'), 'utf8');
  const wrong = join(project, 'src', 'wrong.ts');
  writeFileSync(wrong, right.replace('{ path }, { signal });', '{ file: path }, { signal });'));
  const tsc = join(user, 'node_modules', 'typescript', 'bin', 'tsc');
  const checked = spawnSync(process.execPath, [tsc, '--noEmit'], { cwd: project, encoding: 'utf8' });
  rmSync(wrong);
  assert.match(checked.stdout, /^src\/wrong\.ts.*'file' does not exist/);
  assert.doesNotMatch(checked.stdout, /^(?!src\/wrong\.ts|\s|$)/m);

  writeFileSync(join(project, 'config.json'), readFileSync(join(project, 'config.json.example')));
  const code = await withProgram(
    process.execPath,
    ['src/index.ts'],
    environment({ WORKSPACE_PATH: workspace(), API_PORT: '0' }),
    project,
    async (program) => {
      const [, url = ''] = await program.until(/is served: (\S+)\/\?token=/);
      const response = await fetch(`${url}/api/lines/poem.txt`, { headers: { authorization: `Bearer ${token}` } });
      assert.deepEqual(await response.json(), { lines: 1 });
      const missing = await fetch(`${url}/api/lines/gone.txt`, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(missing.status, 404, 'errors of the sidecar pass through an operation of the host');
      assert.equal(await program.stop(), 0);
    },
  );
  assert.equal(code, 0);
});
