// `outrigger init` from the checkout; test/packaging/pack.build.test.ts type-checks and runs what it writes.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, matchesGlob, sep } from 'node:path';
import { after, test } from 'node:test';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { runProgram } from '../kit/running-program.ts';

const root = join(import.meta.dirname, '..', '..');
const scratch = mkdtempSync(join(tmpdir(), 'outrigger-init-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const files = [
  '.dockerignore',
  '.gitignore',
  'Dockerfile',
  'README.md',
  'config.json.example',
  'k8s/sidecar-pod.yaml',
  'package.json',
  'src/index.ts',
  'tsconfig.json',
];

function init(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [join(root, 'src', 'cli', 'main.ts'), 'init', ...args], { cwd: scratch, encoding: 'utf8' });
}

function filesOf(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return names
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .split(sep)
        .join('/'),
    )
    .sort();
}

test('a project is written, each file is named, and the next command is told', () => {
  const { status, stdout, stderr } = init('Über Notes');
  const folder = join(scratch, 'Über Notes');
  assert.equal(status, 0, stderr);
  assert.deepEqual(filesOf(folder), files);
  for (const file of files) assert.ok(stderr.includes(`wrote  ${join('Über Notes', file)}\n`), file);
  assert.match(stderr, /^Next: {2}cd 'Über Notes' && npm install && npm start$/m);
  assert.equal(stdout, '');
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string };
  assert.equal(manifest.name, 'u-ber-notes');
  // Of a package that is in no registry the image takes the file.
  assert.match(
    stderr,
    /a published version has to stand there, or a package beside it: `node scripts\/pack\.mjs` in the checkout makes one\.$/m,
  );
  const [, taken = ''] = /^COPY (package\.json .*) \.\/$/m.exec(readFileSync(join(folder, 'Dockerfile'), 'utf8')) ?? [];
  assert.ok(
    taken.split(' ').some((pattern) => matchesGlob('outrigger-0.1.0.tgz', pattern)),
    taken,
  );
});

test('nothing is overwritten and nothing is written where a file stands in the way, unless --force says so', () => {
  const folder = join(scratch, 'taken');
  mkdirSync(folder);
  writeFileSync(join(folder, 'README.md'), 'mine');
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  const refused = init('taken');
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /holds README\.md already.*--force/);
  assert.doesNotMatch(refused.stderr, /files\.write/);
  assert.deepEqual(filesOf(folder), ['README.md', 'notes.txt']);
  assert.equal(readFileSync(join(folder, 'README.md'), 'utf8'), 'mine');

  const forced = init('taken', '--force');
  assert.equal(forced.status, 0, forced.stderr);
  assert.match(forced.stderr, /^replaced {2}taken.README\.md$/m);
  assert.notEqual(readFileSync(join(folder, 'README.md'), 'utf8'), 'mine');
  assert.equal(readFileSync(join(folder, 'notes.txt'), 'utf8'), 'mine');
});

test('a folder that can not be made ends with 1 and says why, without a stack', () => {
  writeFileSync(join(scratch, 'file'), '');
  const { status, stderr } = init(join('file', 'below'));
  assert.equal(status, 1);
  assert.match(stderr, /below can't be written/);
  assert.doesNotMatch(stderr, /\n\s+at /);
});

test('a file where a folder of the project is to be ends with 1 and says so, without a stack, and nothing is written', () => {
  const folder = join(scratch, 'crossed');
  mkdirSync(folder);
  writeFileSync(join(folder, 'src'), 'mine');
  for (const force of [[], ['--force']]) {
    const { status, stderr } = init('crossed', ...force);
    assert.deepEqual([status, filesOf(folder)], [1, ['src']]);
    assert.match(stderr, /^outrigger: .*index\.ts can't be written: ENOTDIR: .*\n$/);
  }
});

test('a missing folder name is an error of usage', () => {
  assert.equal(init().status, 2);
});

test('what the project writes down for itself holds: options, ignored files, a name that does not shadow the package', () => {
  init('outrigger');
  const folder = join(scratch, 'outrigger');
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8');
  const { config } = loadConfig({ env: {}, file: join(folder, 'config.json.example') });
  assert.equal(config.port, 3000);
  assert.equal((JSON.parse(read('package.json')) as { name: string }).name, 'my-sidecar');
  for (const secret of ['config.json', 'queue.json', 'logs/', 'results/'])
    assert.ok(read('.gitignore').split('\n').includes(secret), secret);
  const pod = parse(read('k8s/sidecar-pod.yaml')) as { spec: { initContainers: { image: string }[] } };
  assert.equal(pod.spec.initContainers[0]?.image, 'my-sidecar:latest');
  for (const [, file = ''] of read('Dockerfile').matchAll(/^COPY (\S+)/gm)) assert.ok(existsSync(join(folder, file)), file);
});

test('a project of a checkout takes outrigger from there, type-checks and runs (long form)', async () => {
  const { stderr } = init('ours');
  assert.ok(stderr.includes(`Its package.json takes outrigger from ${root}, which is what runs here.`), stderr);
  const folder = join(scratch, 'ours');
  const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { dependencies: Record<string, string> };
  assert.equal(dependencies['outrigger'], `file:${root}`);
  // What npm does with that: a link. The others come from a registry.
  mkdirSync(join(folder, 'node_modules'));
  symlinkSync(root, join(folder, 'node_modules', 'outrigger'));
  for (const name of ['zod', '@types', 'undici-types']) symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name));
  const tsc = join(root, 'node_modules', 'typescript-7', 'bin', 'tsc');
  const checked = spawnSync(process.execPath, [tsc, '--noEmit'], { cwd: folder, encoding: 'utf8' });
  assert.equal(checked.status, 0, checked.stdout);
  const env = { PATH: process.env['PATH'], HOME: join(scratch, 'home'), WORKSPACE_PATH: folder, API_PORT: '0' };
  const program = runProgram(process.execPath, ['src/index.ts'], { env, cwd: folder });
  await program.until(/ours is served: /);
  assert.equal(await program.stop(), 0);
});
