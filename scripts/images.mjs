// `npm run images [name…]`: builds the image of the sidecar, and on it those of the languages, by docker, podman or buildah, whichever is there and works. In each
// one `outrigger languages --count` has to answer. With BASE_IMAGE set, the first one is built on that.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { containerfiles } from './containerfiles.mjs';

const root = join(import.meta.dirname, '..');
const known = Object.keys(containerfiles());
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  console.error(`There is no image called ${unknown.join(', ')}; there are ${known.join(', ')}.`);
  process.exit(2);
}
// `version` asks docker's daemon too: a client alone builds nothing.
const engine = ['docker', 'podman', 'buildah'].find((name) => spawnSync(name, ['version'], { stdio: 'ignore' }).status === 0);
if (engine === undefined) {
  console.error('Needs docker, podman or buildah: apt-get install podman');
  process.exit(1);
}

run(process.execPath, [join(root, 'scripts', 'build.mjs'), '--quiet']);
const base = process.env['BASE_IMAGE'];
build('outrigger', join(root, 'deploy', 'Dockerfile'), base === undefined ? [] : ['--build-arg', `BASE_IMAGE=${base}`]);
for (const name of wanted.length > 0 ? wanted : known) {
  const tag = `outrigger-${name}`;
  build(tag, join(root, 'deploy', 'images', `${name}.Containerfile`), [
    '--build-arg',
    `OUTRIGGER_IMAGE=${engine === 'docker' ? '' : 'localhost/'}outrigger`,
  ]);
  console.log(`${tag}: ${count(tag)} languages`);
}

function build(tag, file, more) {
  run(engine, [engine === 'buildah' ? 'bud' : 'build', ...more, '--file', file, '--tag', tag, root]);
}

function count(tag) {
  const command = ['outrigger', 'languages', '--count'];
  if (engine !== 'buildah') return run(engine, ['run', '--rm', '--entrypoint', '/usr/bin/env', tag, ...command], 'pipe').trim();
  const container = run('buildah', ['from', tag], 'pipe').trim();
  try {
    return run('buildah', ['run', container, '--', ...command], 'pipe').trim();
  } finally {
    run('buildah', ['rm', container], 'pipe');
  }
}

function run(command, args, stdout = 'inherit') {
  const { status, error, stdout: text } = spawnSync(command, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'], encoding: 'utf8' });
  if (status === 0) return text;
  console.error(`${command} ${args.join(' ')}: ${error?.message ?? `ended with ${status}`}`);
  process.exit(1);
}
