// From a fresh clone to a running task, on any Node >= 18: `node scripts/run.mjs <task> [args…]`.
//
// Finds or fetches a recent Node, installs the dependencies when the lockfile changed, builds the workbench when its sources
// changed, then runs the task with our stdin, stdout and stderr, passing signals on and its exit code back.
// Progress goes to stderr only: stdout belongs to the task.
//
// What the task's program can rely on: OUTRIGGER_PARENT_CHANNEL=1 is set and an IPC channel is open. SIGKILL of this process
// can't be passed on, so a program that must not outlive it ends when the channel closes:
//   if (process.env.OUTRIGGER_PARENT_CHANNEL === '1') { process.once('disconnect', stop); process.channel?.unref(); }
// Ctrl-C in a terminal reaches the program several times (the terminal, npm and this process): stopping must be idempotent.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findNode, findNpm } from './find-node.mjs';
import { exitCodeOf, foreground, handedOver } from './foreground.mjs';
import { workbenchIsFresh } from './workbench-stamp.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const toolchain = join(root, '.toolchain');
const installStamp = join(root, 'node_modules', '.outrigger-stamp');
const nativeStamp = join(toolchain, 'native-tried');
const lockFile = join(toolchain, 'setup.lock');
const lockStaleMs = 15_000;
const lockBeatMs = 2_000;
const parentPollMs = 500;

const tasks = {
  start: { program: ['src/cli/main.ts', 'start'], workbench: true },
  hub: { program: ['scripts/hub-demo.mjs'], workbench: true },
  test: { program: ['scripts/test.mjs'], workbench: true },
  'test:deep': { program: ['scripts/test.mjs', '--deep'], workbench: true },
  check: { program: ['scripts/check.mjs'] },
  bench: { program: ['bench/bench.ts'], workbench: true },
  build: { program: ['scripts/build.mjs'] },
  binary: { program: ['scripts/single-binary.mjs'] },
  images: { program: ['scripts/images.mjs'] },
  docs: { program: ['scripts/docs.mjs'] },
  format: { program: ['node_modules/@biomejs/biome/bin/biome', 'format', '--write'] },
  // A file of the caller's: relative to where the caller is.
  exec: { program: [] },
};

const { run, stop, stopSignal } = foreground();
const say = (line) => process.stderr.write(`${line}\n`);

watchParent();
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.exitCode = stopSignal() ? exitCodeOf(stopSignal()) : 1;
  if (!stopSignal()) say(error instanceof Error ? error.message : String(error));
}
// A pipe that a leftover grandchild still holds must not keep us.
process.exit();

async function main([name, ...args]) {
  const task = Object.hasOwn(tasks, name ?? '') ? tasks[name] : undefined;
  if (!task || (name === 'exec' && args.length === 0)) {
    say(`Usage: node scripts/run.mjs <${Object.keys(tasks).join('|')}> [args…]   (exec <file> [args…])`);
    return 2;
  }
  const node = await findNode({ directory: toolchain, say, run: runStep });
  await installWhenStale(node);
  if (task.workbench) await buildWorkbenchWhenStale(node);
  if (task.workbench) await buildNativeWhenStale(node);
  if (stopSignal()) return exitCodeOf(stopSignal());
  const [file, ...first] = task.program;
  return runTask(node, [...(file ? [join(root, file)] : []), ...first, ...args]);
}

function runTask(node, args) {
  const env = {
    ...process.env,
    OUTRIGGER_PARENT_CHANNEL: '1',
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compile'),
  };
  return run(node.path, args, { env, stdio: handedOver });
}

async function installWhenStale(node) {
  const hash = installHash(node);
  if (hash === undefined || readStamp() === hash) return;
  await withLock(async () => {
    if (readStamp() === hash) return;
    if (readStamp() === undefined && installedByHand()) return writeFileSync(installStamp, hash);
    say('Installing dependencies (first start only)…');
    // npm and the packages' own scripts run on the Node that will use them: an older one fails some packages' `engines`.
    const npm = findNpm(node.path);
    const env = { ...process.env, PATH: dirname(node.path) + delimiter + (process.env.PATH ?? '') };
    const args = ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'];
    const code = await runStep(npm.command, [...npm.prefix, ...args], { cwd: root, env });
    if (code !== 0) throw new Error('npm ci failed: see above. Nothing was started.');
    writeFileSync(installStamp, hash);
  });
}

function installHash(node) {
  const lock = join(root, 'package-lock.json');
  if (!existsSync(lock)) return undefined;
  const runtime = `${Number.parseInt(node.version, 10)} ${process.platform} ${process.arch}`;
  return createHash('sha256').update(readFileSync(lock)).update(runtime).digest('hex');
}

function readStamp() {
  return existsSync(installStamp) ? readFileSync(installStamp, 'utf8') : undefined;
}

// A contributor's own `npm install` of this very lockfile counts: npm notes what it installed in node_modules/.package-lock.json.
function installedByHand() {
  const note = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(note)) return false;
  const { packages: installed } = JSON.parse(readFileSync(note, 'utf8'));
  const { packages: locked } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const same = ([path, entry]) => installed[path]?.version === entry.version;
  const isForElsewhere = ([path, entry]) => installed[path] === undefined && entry.optional === true;
  return Object.entries(locked).every((entry) => entry[0] === '' || same(entry) || isForElsewhere(entry));
}

async function buildWorkbenchWhenStale(node) {
  if (workbenchIsFresh(root)) return;
  await withLock(async () => {
    if (workbenchIsFresh(root)) return;
    say('Building the workbench (its sources changed)…');
    const code = await runStep(node.path, [join(root, 'scripts', 'build.mjs'), 'workbench', '--quiet'], { cwd: root });
    if (code !== 0) throw new Error('The workbench could not be built: see above.');
  });
}

// The programs in C: tried once for each state of their sources, as not every machine has a compiler, and nothing needs them to start.
async function buildNativeWhenStale(node) {
  const folder = join(root, 'native');
  if (process.platform !== 'linux' || !existsSync(folder)) return;
  const times = readdirSync(folder).map((name) => Math.round(statSync(join(folder, name)).mtimeMs));
  const state = () => `${Math.max(...times)} ${existsSync(join(root, 'dist', 'bin', 'outrigger-launcher'))}`;
  const isTried = () => existsSync(nativeStamp) && readFileSync(nativeStamp, 'utf8') === state();
  if (isTried()) return;
  await withLock(async () => {
    if (isTried()) return;
    await runStep(node.path, [join(root, 'scripts', 'native.mjs')], { cwd: root });
    writeFileSync(nativeStamp, state());
  });
}

// Two starts of one checkout at once must not install or build over each other. The holder keeps touching the file; one that
// stopped touching it is gone (a process id would say nothing about a holder in another container).
async function withLock(action) {
  mkdirSync(toolchain, { recursive: true });
  let waiting = false;
  while (!tryLock()) {
    if (!waiting) say('Another start is preparing this checkout; waiting for it…');
    waiting = true;
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (stopSignal()) throw new Error('stopped');
  }
  const beat = setInterval(() => {
    const now = new Date();
    if (existsSync(lockFile)) utimesSync(lockFile, now, now);
  }, lockBeatMs);
  try {
    await action();
  } finally {
    clearInterval(beat);
    rmSync(lockFile, { force: true });
  }
}

function tryLock() {
  try {
    writeFileSync(lockFile, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
    const age = Date.now() - (statSync(lockFile, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
    if (age > lockStaleMs) rmSync(lockFile, { force: true });
    return false;
  }
}

/** Runs a step of the preparation: it has no stdin and its stdout is not the task's. */
async function runStep(command, args, { cwd, env = process.env }) {
  const code = await run(command, args, { cwd, env, stdio: ['ignore', 'ignore', 'inherit'] });
  if (stopSignal()) throw new Error('stopped');
  return code;
}

// npm passes SIGTERM on, but a killed npm says nothing. Only under npm: from a shell, outliving the parent may be intended (nohup).
function watchParent() {
  if (!process.env.npm_lifecycle_script?.includes('scripts/run.mjs')) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    stop('SIGTERM');
  }, parentPollMs);
  timer.unref();
}
