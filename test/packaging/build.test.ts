// scripts/build.mjs on a small project that has every part the real one has: what is built here runs.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { gunzipSync } from 'node:zlib';

const root = join(import.meta.dirname, '..', '..');
const version = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version as string;
const theme = `document.documentElement.dataset.theme = 'dark';`;
let folder = '';

const files = {
  'src/cli/main.ts': `import net from 'node:net';
    import zlib from 'node:zlib';
    import Fastify from 'fastify';
    import { WebSocket } from 'ws';
    import manifest from '../../package.json' with { type: 'json' };
    import { answer } from '../services/watch/watch.ts';
    const none = () => { throw new Error('there are no schemas'); };
    const app = Fastify({ schemaController: { compilersFactory: { buildValidator: none, buildSerializer: none } } });
    app.get('/', () => 'served');
    const { body } = await app.inject({ url: '/' });
    const { kit } = await import('../contract/operation-kit.ts');
    const early = ['http2', 'tls', 'zlib'].filter((name) => process.moduleLoadList.includes('NativeModule ' + name));
    const hello = await new Promise((resolve) => {
      const server = net.createServer((socket) => socket.once('data', ([first]) => {
        socket.destroy();
        server.close();
        resolve(first);
      })).listen(0, '127.0.0.1', () => new WebSocket('wss://127.0.0.1:' + server.address().port).on('error', () => {}));
    });
    console.log(JSON.stringify([manifest.version, body, await answer(), process.argv.slice(2), kit, early, zlib.crc32('abc'), hello]));`,
  'src/contract/operation-kit.ts': `export const kit = 'apart';`,
  'src/services/watch/watch.ts': `import { once } from 'node:events';
    import { Worker } from 'node:worker_threads';
    export async function answer(): Promise<string> {
      const worker = new Worker(new URL('./watch-worker.ts', import.meta.url));
      return (await once(worker, 'message'))[0] as string;
    }`,
  'src/services/watch/watch-worker.ts': `import { parentPort } from 'node:worker_threads';\nparentPort?.postMessage('worked' as string);`,
  'src/index.ts': `export { answer } from './services/watch/watch.ts';`,
  'src/workbench/index.html': `<!doctype html><title>x</title><script>${theme}</script><div id="app"></div><script type="module" src="./main.tsx"></script>`,
  'src/workbench/main.tsx': `import { render } from 'preact';
    const App = () => <button onClick={() => void import('./later.ts').then(({ later }) => later())}>go</button>;
    render(<App />, document.getElementById('app')!);`,
  'src/workbench/later.ts': `export const later = () => console.log('loaded on first use');`,
};

before(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'outrigger-build-')));
  for (const name of ['scripts', 'package.json', 'package-lock.json', 'tsconfig.json'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
});
after(() => rmSync(folder, { recursive: true, force: true }));

function node(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
  return { status, stdout, stderr };
}

test('the bundle runs without sources and packages, with its worker and its version', () => {
  const built = node('scripts/build.mjs', 'bundle');
  assert.equal(built.status, 0, built.stderr);
  const away = join(folder, 'away');
  cpSync(join(folder, 'dist'), away, { recursive: true });
  writeFileSync(join(away, 'package.json'), '{"type":"module"}');
  for (const hidden of ['src', 'node_modules']) assert.ok(!existsSync(join(away, hidden)));
  const { stdout, stderr } = node('--no-experimental-strip-types', join(away, 'outrigger.mjs'), 'a b', '--flag');
  assert.equal(stderr, '');
  // Parts of Node that packages name and a start does not need are loaded when they are used; 22 begins a handshake of TLS.
  const late = [[], 891568578, 22];
  assert.deepEqual(JSON.parse(stdout), [version, 'served', 'worked', ['a b', '--flag'], 'apart', ...late]);
  assert.match(readFileSync(join(away, 'operation-kit.mjs'), 'utf8'), /apart/);
  writeFileSync(join(away, 'host.mjs'), `import { answer } from './lib/index.mjs';\nconsole.log(await answer());`);
  const library = node(join(away, 'host.mjs'));
  assert.equal(library.stdout, 'worked\n', library.stderr);
});

test('a source file named by URL that is no worker fails the build', () => {
  const path = join(folder, 'src', 'services', 'watch', 'watch.ts');
  writeFileSync(path, files['src/services/watch/watch.ts'].replace('watch-worker.ts', 'watch.ts'));
  const built = node('scripts/build.mjs', 'bundle');
  writeFileSync(path, files['src/services/watch/watch.ts']);
  assert.notEqual(built.status, 0);
  assert.match(built.stderr, /not a worker/);
});

test('a source file that takes names from a part of Node that is loaded late fails the build', () => {
  const file = join(folder, 'src', 'cli', 'early.ts');
  const command = join(folder, 'src', 'cli', 'main.ts');
  writeFileSync(file, `import { crc32 } from 'node:zlib';\nconsole.log(crc32(''));\n`);
  writeFileSync(command, `import './early.ts';\n${files['src/cli/main.ts']}`);
  const built = node('scripts/build.mjs', 'bundle');
  writeFileSync(command, files['src/cli/main.ts']);
  assert.notEqual(built.status, 0);
  assert.match(built.stderr, /src\/cli\/early\.ts takes names from node:zlib/);
});

test('a source file that takes names from a package when it is first used fails the build', () => {
  const file = join(folder, 'src', 'cli', 'later.ts');
  const command = join(folder, 'src', 'cli', 'main.ts');
  writeFileSync(file, `const { send } = await import('@fastify/send');\nconsole.log(send);\n`);
  writeFileSync(command, `import './later.ts';\n${files['src/cli/main.ts']}`);
  const built = node('scripts/build.mjs', 'bundle');
  writeFileSync(command, files['src/cli/main.ts']);
  assert.notEqual(built.status, 0);
  assert.match(built.stderr, /src\/cli\/later\.ts takes names from @fastify\/send/);
});

test('the workbench is built with hashed assets, lazy parts and the hash of its theme script', () => {
  const built = node('scripts/build.mjs', 'workbench');
  assert.equal(built.status, 0, built.stderr);
  assert.match(built.stdout, /workbench: \d+\.\d kB gz at once, 1 files on first use/);
  const page = join(folder, 'dist', 'workbench');
  const html = readFileSync(join(page, 'index.html'), 'utf8');
  const scripts = readdirSync(join(page, 'assets')).filter((name) => name.endsWith('.js'));
  assert.equal(scripts.length, 2);
  const [entry] = scripts.filter((name) => html.includes(`src="./assets/${name}"`));
  assert.match(entry ?? '', /^index-[\w-]{8}\.js$/);
  assert.doesNotMatch(readFileSync(join(page, 'assets', entry ?? ''), 'utf8'), /loaded on first use/);
  const [unpacked, packed] = ['', '.gz'].map((ending) => readFileSync(join(page, 'assets', `${entry}${ending}`)));
  assert.deepEqual(gunzipSync(packed as Buffer), unpacked, 'as it is sent to who can unpack it');
  assert.ok(html.includes(`<script>${theme}</script>`));
  const { scriptHashes } = JSON.parse(readFileSync(join(page, 'csp.json'), 'utf8'));
  assert.deepEqual(scriptHashes, [`sha256-${createHash('sha256').update(theme).digest('base64')}`]);
});

test('a first visit that would load too much fails the build and leaves the page as it was', () => {
  const page = join(folder, 'dist', 'workbench', 'index.html');
  const before = readFileSync(page, 'utf8');
  let text = '';
  for (let index = 0; index < 8_000; index++) text += createHash('sha256').update(String(index)).digest('hex');
  const main = join(folder, 'src', 'workbench', 'main.tsx');
  writeFileSync(main, `${files['src/workbench/main.tsx']}\nconsole.log('${text}');`);
  const built = node('scripts/build.mjs', 'workbench');
  writeFileSync(main, files['src/workbench/main.tsx']);
  assert.notEqual(built.status, 0);
  assert.match(built.stderr, /A first visit would load \d+\.\d kB gz; the limit is 200/);
  assert.equal(readFileSync(page, 'utf8'), before);
  assert.deepEqual(
    readdirSync(join(folder, 'dist')).filter((name) => name.startsWith('.workbench-')),
    [],
  );
});

test('a second inline script fails the build', () => {
  const index = join(folder, 'src', 'workbench', 'index.html');
  writeFileSync(index, `${files['src/workbench/index.html']}<script>console.log(1)</script>`);
  const built = node('scripts/build.mjs', 'workbench');
  writeFileSync(index, files['src/workbench/index.html']);
  assert.notEqual(built.status, 0);
  assert.match(built.stderr, /2 inline scripts/);
});
