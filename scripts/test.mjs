// Runs the tests: `node scripts/test.mjs [--deep] [--name=<pattern>] [--timeout=<seconds a file>] [part of a file path…]`.
// Each file is its own process in its own process group, so that a file that hangs can be ended with everything it started.
// The last line is always `N passed, N failed` (and `, N skipped`): that is what CI reads.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, getPriority, setPriority } from 'node:os';
import { dirname, join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { testSources } from './test-sources.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const flags = process.argv.slice(2).filter((arg) => arg.startsWith('--'));
const filters = process.argv.slice(2).filter((arg) => !arg.startsWith('--'));
const deep = flags.includes('--deep');
const namePattern = valueOf('--name');
const unknown = flags.filter((flag) => flag !== '--deep' && !/^--(name|timeout)=./.test(flag));
const concurrency = deep ? 1 : Math.min(2, availableParallelism());
const fileTimeoutS = Number(valueOf('--timeout') ?? (deep ? 45 * 60 : 600));
// On a busy machine they wait longer than they work.
const buildsTakeTimes = 2;
const leftoverGraceMs = 500;
const buildEnding = '.build.test.ts';
// Their tests hold nobody to a time of less than seconds.
const patientPlaces = ['src/services/git/', 'src/services/search/'];
// At the end of a test's name: what takes long, and seldom breaks unless a test beside it does, is for `--deep`.
const longForm = '(long form)';
const patientPriority = 10; // of nice: a ninth of the processor time that the others get where they want it
const maxOutputBytes = 200_000;
// Programs that a sidecar of a test starts get such names of the environment, and few others: by its value they are found wherever they went.
const fileMark = 'XDG_OUTRIGGER_TEST';
const programMarks = ['OUTRIGGER_PROCESS', 'OUTRIGGER_TASK'];
const reporter = new URL('./test-reporter.mjs', import.meta.url).href;
const loading = new URL('./test-loading.mjs', import.meta.url);
const places = ['src', 'test', 'examples'].filter((place) => existsSync(join(root, place)));

const running = new Map(); // process id -> why it was ended, or undefined
const results = [];
let started = 0; // files so far
let stopSignal;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal));
process.once('disconnect', () => stop('SIGHUP'));
process.channel?.unref();

if (unknown.length > 0) {
  console.error(`Unknown option ${unknown.join(' ')}; there are --deep, --name=<pattern> and --timeout=<seconds>.`);
  process.exit(2);
}
const startedAt = performance.now();
const isWhole = deep || filters.length === 0;
const building = isWhole ? builtCommand() : undefined;
const stripped = isWhole && existsSync(loading) ? await testSources(root, sourceFiles(), join(root, 'dist')) : undefined;
const command = await building;
const files = testFiles();
// Beside the others, which wait for a quarter of their time, go on those that do nothing but wait, and patient ones, builds first; who has nothing
// else to do takes of the patient, too.
const idle = deep ? [] : files.filter((file) => file.endsWith('.idle.test.ts'));
const patient = deep ? [] : files.filter(isPatient).sort((a, b) => Number(isBuild(b)) - Number(isBuild(a)));
const queue = files.filter((file) => !idle.includes(file) && !patient.includes(file));
const others = async () => {
  await worker(queue);
  await worker(patient);
};
await Promise.all([...Array.from({ length: concurrency }, others), worker(idle), worker(patient)]);
if (stripped !== undefined) rmSync(stripped, { recursive: true, force: true });
report();

function valueOf(name) {
  return flags.find((flag) => flag.startsWith(`${name}=`))?.slice(name.length + 1);
}

// Tests start the command line some hundred times. The bundle starts in half the time of the sources, and is what people get; where a few files
// are run again and again it would have to be built each time.
async function builtCommand() {
  const build = join(root, 'scripts', 'build.mjs');
  if (!existsSync(build)) return undefined;
  const child = spawn(process.execPath, [build, 'bundle', '--quiet'], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`The bundle could not be built: its build ended with ${code}.`);
  return join(root, 'dist', 'outrigger.mjs');
}

// A deep run takes whole files: their tests may stand on one another.
function testFiles() {
  const isMeant = deep ? (file) => file.endsWith('.deep.ts') || (isTest(file) && hasLongForms(file)) : isTest;
  const found = sourceFiles().filter(isMeant).sort();
  return filters.length === 0 ? found : found.filter((file) => filters.some((part) => file.includes(part)));
}

function sourceFiles() {
  const skipped = new Set(['node_modules', 'fixtures', 'dist']);
  const walk = (folder) =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return skipped.has(entry.name) || entry.name.startsWith('.') ? [] : walk(path);
      return entry.name.endsWith('.ts') ? [path.split(sep).join('/')] : [];
    });
  return places.flatMap(walk);
}

function isTest(file) {
  return file.endsWith('.test.ts');
}

function isBuild(file) {
  return file.endsWith(buildEnding);
}

function isPatient(file) {
  return isBuild(file) || patientPlaces.some((place) => file.startsWith(place));
}

function hasLongForms(file) {
  return readFileSync(join(root, file), 'utf8').includes(longForm);
}

async function worker(waiting) {
  for (let file = waiting.shift(); file !== undefined && !stopSignal; file = waiting.shift()) {
    const result = await runFile(file);
    results.push(result);
    printResult(result);
  }
}

function runFile(file) {
  const result = { file, passed: 0, failed: 0, skipped: [], failures: [], notes: [], output: '', durationMs: 0 };
  const begun = performance.now();
  const open = []; // the test whose result comes next, and its parents
  const active = []; // what runs now, for files that hang
  const mark = `${process.pid}-${Date.now()}-${++started}`;
  const args = [`--test-reporter=${reporter}`, '--test-reporter-destination=stdout'];
  if (stripped !== undefined) args.push(`--import=${loading.href}`);
  if (namePattern !== undefined) args.push(`--test-name-pattern=${namePattern}`);
  else if (!deep) args.push(`--test-skip-pattern=${longForm.replace(/[()]/g, String.raw`\$&`)}$`);
  const child = spawn(process.execPath, [...args, join(root, file)], {
    cwd: root,
    env: { ...testEnvironment(), [fileMark]: mark },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'ipc'],
  });
  running.set(child.pid, undefined);
  if (!deep && isPatient(file)) yieldTo(child.pid);
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      if (result.output.length < maxOutputBytes) result.output += text;
    });
  }
  let rest = '';
  child.stdio[3].setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) take(JSON.parse(line), { result, open, active });
  });
  const timeoutS = fileTimeoutS * (isBuild(file) ? buildsTakeTimes : 1);
  const timer = setTimeout(() => endGroup(child.pid, `still ran after ${timeoutS} s`), timeoutS * 1000);
  return new Promise((resolve) => {
    const finish = async (code, signal) => {
      clearTimeout(timer);
      const why = running.get(child.pid);
      const leftover = await leftoverOf(child.pid);
      running.delete(child.pid);
      if (leftover && why === undefined) result.notes.push(`left processes behind, ended now: ${leftover}`);
      killGroup(child.pid);
      const programs = await endPrograms(mark);
      await closed(child);
      judgeExit(result, { code, signal, why, active });
      if (programs && why === undefined) failFile(result, `left programs that a sidecar had started, ended now: ${programs}`);
      result.durationMs = performance.now() - begun;
      resolve(result);
    };
    child.once('exit', finish);
    child.once('error', (error) => {
      result.output += String(error);
      void finish(1, null);
    });
  });
}

// Before it has started programs of its own, which take it over.
function yieldTo(pid) {
  try {
    setPriority(pid, Math.max(patientPriority, getPriority()));
  } catch {
    // It could not be started, or ended already.
  }
}

function testEnvironment() {
  // A developer's own settings must not decide tests, and a test that runs node:test itself must not think it is nested.
  const ours = ([name]) => !name.startsWith('OUTRIGGER_') && name !== 'NODE_TEST_CONTEXT';
  return {
    ...Object.fromEntries(Object.entries(process.env).filter(ours)),
    ...(command === undefined ? {} : { TEST_COMMAND: command }),
    ...(stripped === undefined ? {} : { TEST_STRIPPED: stripped }),
  };
}

function take(event, { result, open, active }) {
  if (event.type === 'began') {
    active.push(event);
    return;
  }
  if (event.type === 'ended') {
    const index = active.findIndex(({ name, nesting }) => name === event.name && nesting === event.nesting);
    if (index >= 0) active.splice(index, 1);
    return;
  }
  if (event.type === 'start') {
    open[event.nesting] = event.name;
    open.length = event.nesting + 1;
    return;
  }
  const path = [...open.slice(0, event.nesting), event.name].join(' › ');
  if (event.type === 'fail' && !event.byChildren) result.failures.push({ path, error: event.error ?? '' });
  if (event.suite) return;
  // node:test gives an empty string where no reason was written.
  if (event.skip !== undefined || event.todo !== undefined) result.skipped.push({ path, reason: reasonOf(event) });
  else if (event.type === 'pass') result.passed += 1;
  else result.failed += 1;
}

function reasonOf({ skip, todo }) {
  const reason = skip ?? todo;
  return typeof reason === 'string' && reason !== '' ? reason : 'no reason given';
}

// A file can fail without a failed test: it did not load, ended early, hung, or holds no test at all.
function judgeExit(result, { code, signal, why, active }) {
  const names = active.map(({ name }) => name).join(' › ');
  const where = active.length > 0 ? `, in: ${names}` : ', after its tests: something keeps the process alive';
  if (why !== undefined) return failFile(result, why + where);
  if (stopSignal) return;
  if (result.failures.length > result.failed) result.failed = result.failures.length;
  if (code !== 0 && result.failed === 0) return failFile(result, `ended with ${signal ?? `exit code ${code}`} and no failed test`);
  const ran = result.passed + result.failed + result.skipped.length;
  if (ran === 0 && namePattern === undefined) failFile(result, 'has no tests');
}

function failFile(result, error) {
  result.failed += 1;
  result.failures.push({ path: '(the file)', error });
}

function endGroup(pid, why) {
  running.set(pid, why);
  killGroup(pid);
}

function killGroup(pid) {
  try {
    if (process.platform === 'win32') process.kill(pid, 'SIGKILL');
    else process.kill(-pid, 'SIGKILL');
  } catch {
    // Nothing is left of it.
  }
}

async function leftoverOf(group) {
  const deadline = performance.now() + leftoverGraceMs;
  let names = membersOf(group);
  while (names.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    names = membersOf(group);
  }
  return names.join(', ');
}

// Linux only; elsewhere the group is killed all the same, without being named.
function membersOf(group) {
  if (!groupExists(group)) return [];
  return runningWhere((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(pgrp) === group && state !== 'Z';
  }).map(nameOf);
}

// What sidecars of one test file started and left, in whatever group: ended, and named. Linux only.
async function endPrograms(mark) {
  const find = () =>
    runningWhere((pid) => {
      const environment = `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`;
      return environment.includes(`\0${fileMark}=${mark}\0`) && programMarks.some((name) => environment.includes(`\0${name}=`));
    });
  const deadline = performance.now() + leftoverGraceMs;
  let pids = find();
  while (pids.length > 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    pids = find();
  }
  const names = pids.map(nameOf).join(', ');
  for (const until = performance.now() + leftoverGraceMs; pids.length > 0 && performance.now() < until; pids = find()) {
    for (const pid of pids) killOne(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return names;
}

function runningWhere(isMeant) {
  if (!existsSync('/proc/self/stat')) return [];
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && isMeant(pid);
    } catch {
      // It ended while we looked, or is another user's.
      return false;
    }
  });
}

function nameOf(pid) {
  try {
    return `${readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').join(' ').trim().slice(0, 120)} (${pid})`;
  } catch {
    return `(${pid})`;
  }
}

function killOne(pid) {
  try {
    process.kill(Number(pid), 'SIGKILL');
  } catch {
    // It ended meanwhile.
  }
}

function groupExists(group) {
  try {
    process.kill(-group, 0);
    return true;
  } catch {
    return false;
  }
}

// Output may still be in the pipes when the process is gone; a process that left the group may hold them open for ever.
function closed(child) {
  return new Promise((resolve) => {
    if (child.stdout.closed && child.stderr.closed && child.stdio[3].closed) return resolve();
    const timer = setTimeout(resolve, leftoverGraceMs);
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function stop(signal) {
  stopSignal ??= signal;
  for (const pid of running.keys()) endGroup(pid, `ended by ${signal}`);
}

function printResult({ file, passed, failed, skipped, failures, notes, output, durationMs }) {
  const counts = `${passed} passed${failed ? `, ${failed} failed` : ''}${skipped.length ? `, ${skipped.length} skipped` : ''}`;
  console.log(`${failed ? 'FAIL' : 'ok  '} ${seconds(durationMs).padStart(7)}  ${file}  (${counts})`);
  for (const note of notes) console.log(`     note: ${note}`);
  for (const { path, error } of failures) console.log(`\n  ✖ ${path}\n${indent(error)}\n`);
  if (output !== '' && (failed > 0 || files.length === 1)) console.log(`  output of ${file}:\n${indent(output.trimEnd())}\n`);
}

function report() {
  const sum = (pick) => results.reduce((total, result) => total + pick(result), 0);
  const passed = sum((result) => result.passed);
  const failed = sum((result) => result.failed) + (stopSignal ? 1 : 0);
  const skipped = results.flatMap(({ file, skipped: of }) => of.map((skip) => ({ file, ...skip })));
  if (results.length > 1) {
    printTable('Parts', parts());
    const slowest = results.toSorted((a, b) => b.durationMs - a.durationMs).slice(0, 10);
    printTable(
      'Slowest files',
      slowest.map(({ file, durationMs }) => [file, durationMs]),
    );
  }
  if (skipped.length > 0) {
    const byReason = Map.groupBy(skipped, ({ reason }) => reason);
    console.log('\nSkipped');
    for (const [reason, of] of byReason)
      console.log(`  ${String(of.length).padStart(4)}  ${reason}  (${[...new Set(of.map(({ file }) => file))].join(', ')})`);
  }
  const long = deep || namePattern !== undefined ? [] : files.filter(hasLongForms);
  if (long.length > 0) console.log(`\nLong forms in ${long.length} files were left to \`npm run test:deep\`.`);
  if (failed > 0) {
    console.log('\nFailed');
    for (const { file, failures } of results) for (const { path } of failures) console.log(`  ${file}: ${path}`);
  }
  if (files.length === 0) console.log(filters.length > 0 ? `No test file matches ${filters.join(', ')}.` : 'There are no test files.');
  if (stopSignal) console.log(`Stopped by ${stopSignal}: ${files.length - results.length} files were not run.`);
  console.log(`\n${files.length} files in ${seconds(performance.now() - startedAt)}`);
  console.log(`${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ''}`);
  process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
}

// src/services/git/git.test.ts belongs to src/services/git, test/flows/x.test.ts to test/flows.
function parts() {
  const depth = (file) =>
    file.startsWith('src/services/') || file.startsWith('src/transports/') || file.startsWith('src/adapters/') ? 3 : 2;
  const partOf = ({ file }) => file.split('/').slice(0, -1).slice(0, depth(file)).join('/');
  const groups = [...Map.groupBy(results, partOf)];
  return groups.map(([part, of]) => [part, of.reduce((total, { durationMs }) => total + durationMs, 0)]).sort(([, a], [, b]) => b - a);
}

function printTable(title, rows) {
  console.log(`\n${title}`);
  for (const [label, durationMs] of rows) console.log(`  ${seconds(durationMs).padStart(8)}  ${label}`);
}

function seconds(durationMs) {
  return `${(durationMs / 1000).toFixed(2)} s`;
}

function indent(text) {
  return text.replace(/^/gm, '    ');
}
