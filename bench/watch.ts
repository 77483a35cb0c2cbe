// Watching a folder of 50,000 files in 5,000 directories: time from start to ready and memory, ours against chokidar, each in a process of its own, in turns;
// then our time from a write to the event at a client. `node bench/watch.ts [--rounds 5] [--directories 5000] [--files 50000] [--writes 200]`

import { type ChildProcess, execFileSync, fork } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import v8 from 'node:v8';
import vm from 'node:vm';
import { build } from 'esbuild';
import { type Client, createClient } from '../src/client/client.ts';
import type { Operations } from '../src/contract/operations.ts';
import type { Watch as OurWatch } from '../src/services/watch/watch.ts';
import { benchToken, ourProgram, startOurs } from './contenders.ts';
import { median, quantile, type Row, report } from './measure.ts';

type Contender = 'outrigger' | 'chokidar';

interface Measured {
  readyMs: number;
  /** Of the whole process; a bare one with the same Node is subtracted. */
  rssMb: number;
  bareRssMb: number;
  seen: number;
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    directories: { type: 'string', default: '5000' },
    files: { type: 'string', default: '50000' },
    writes: { type: 'string', default: '200' },
    child: { type: 'string' },
    root: { type: 'string' },
    program: { type: 'string' },
  },
});

if (values.child) await measureHere(values.child as Contender, values.root as string);
else await main();

async function main(): Promise<void> {
  const rows: Row[] = [];
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-bench-watch-'));
  try {
    const root = path.join(folder, 'tree');
    const counts = makeTree(root, Number(values.directories), Number(values.files));
    console.log(`${counts.files} files in ${counts.directories} directories, Node ${process.version}, ${os.availableParallelism()} cores`);
    const program = await bundleWatch(path.join(folder, 'program'));
    const results: Record<Contender, Measured[]> = { outrigger: [], chokidar: [] };
    for (let round = 0; round < Number(values.rounds); round++) {
      // The order alternates, so that neither always runs on the warmer machine.
      const order: Contender[] = round % 2 === 0 ? ['outrigger', 'chokidar'] : ['chokidar', 'outrigger'];
      for (const contender of order) {
        const measured = await measureInChild(contender, root, program);
        results[contender].push(measured);
        console.log(`round ${round + 1} ${contender}: ready ${measured.readyMs.toFixed(0)} ms, RSS ${measured.rssMb.toFixed(0)} MB`);
      }
    }
    const of = (contender: Contender, key: keyof Measured): number => median(results[contender].map((measured) => measured[key]));
    const own = (contender: Contender): number => median(results[contender].map((measured) => measured.rssMb - measured.bareRssMb));
    console.log('\nmedian               outrigger   chokidar   ratio');
    const row = (name: string, ours: number, theirs: number): void => {
      console.log(
        `${name.padEnd(20)} ${ours.toFixed(1).padStart(9)} ${theirs.toFixed(1).padStart(10)} ${(theirs / ours).toFixed(1).padStart(7)}`,
      );
    };
    row('start → ready, ms', of('outrigger', 'readyMs'), of('chokidar', 'readyMs'));
    row('RSS, MB', of('outrigger', 'rssMb'), of('chokidar', 'rssMb'));
    row('RSS above bare, MB', own('outrigger'), own('chokidar'));
    const compare = (what: string, unit: string, ours: number, theirs: number, goal: number): Row => {
      const ratio = theirs / ours;
      return { what, unit, ours, peer: { name: 'chokidar', value: theirs }, ratio, goal: `≥ ${goal}`, ok: ratio >= goal };
    };
    rows.push(
      compare('watch: start to ready', 'ms', of('outrigger', 'readyMs'), of('chokidar', 'readyMs'), 20),
      compare('watch: memory above a bare process', 'MB', own('outrigger'), own('chokidar'), 8),
    );
    rows.push(...(await measureLatency(folder, root, Number(values.writes))));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
  report(rows);
}

/** Ten files a directory, directories five deep at most, sizes as in source trees. */
function makeTree(root: string, directories: number, files: number): { directories: number; files: number } {
  fs.mkdirSync(root);
  const made = [root];
  for (let index = 1; index < directories; index++) {
    const parent = made[Math.floor((index - 1) / 8)] as string;
    const directory = path.join(parent, `directory-${index}`);
    fs.mkdirSync(directory);
    made.push(directory);
  }
  for (let index = 0; index < files; index++) {
    fs.writeFileSync(path.join(made[index % made.length] as string, `module-${index}.ts`), `export const value = ${index};\n`);
  }
  return { directories: made.length, files };
}

/** The watch alone: its own side with types stripped, in one file, and its thread as it stands in the bundle. */
async function bundleWatch(outdir: string): Promise<string> {
  const project = path.join(import.meta.dirname, '..');
  execFileSync(process.execPath, [path.join(project, 'scripts', 'build.mjs'), 'bundle']);
  const worker = pathToFileURL(path.join(project, 'dist', 'watch-worker.mjs'));
  await build({
    entryPoints: [path.join(project, 'src', 'services', 'watch', 'watch.ts')],
    outdir,
    bundle: true,
    format: 'esm',
    platform: 'node',
    outExtension: { '.js': '.mjs' },
    plugins: [
      {
        name: 'worker',
        setup: ({ onLoad }) =>
          onLoad({ filter: /watch\/watch\.ts$/ }, ({ path: file }) => ({
            contents: fs.readFileSync(file, 'utf8').replace("'./watch-worker.ts'", JSON.stringify(worker)),
            loader: 'ts',
          })),
      },
    ],
  });
  return path.join(outdir, 'watch.mjs');
}

function measureInChild(contender: Contender, root: string, program: string): Promise<Measured> {
  return new Promise((resolve, reject) => {
    const child: ChildProcess = fork(import.meta.filename, ['--child', contender, '--root', root, '--program', program], {
      execArgv: [],
    });
    let measured: Measured | null = null;
    child.on('message', (message) => {
      measured = message as Measured;
      child.kill();
    });
    child.once('exit', (code, signal) => (measured ? resolve(measured) : reject(new Error(`${contender} ended with ${code ?? signal}`))));
  });
}

async function measureHere(contender: Contender, root: string): Promise<void> {
  // Node takes the types out of this file by a WebAssembly program, which threads of its own go on compiling for a while: none of either.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const bareRssMb = process.memoryUsage.rss() / 2 ** 20;
  let readyMs: number;
  let seen: number;
  if (contender === 'outrigger') {
    const { Watch } = (await import(values.program as string)) as { Watch: typeof OurWatch };
    const watch = new Watch({ log: { info() {}, warn() {}, error: console.error } }, { root });
    const started = performance.now();
    const { files, directories } = await watch.start();
    readyMs = performance.now() - started;
    seen = files + directories;
  } else {
    const { watch } = await import('chokidar');
    const started = performance.now();
    const watcher = watch(root, { ignoreInitial: true });
    await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
    readyMs = performance.now() - started;
    seen = Object.values(watcher.getWatched()).reduce((sum, names) => sum + names.length, 0);
  }
  // Ours looks at the files after it is ready. What was garbage of the start is not counted, on either side; the worker's own heap is as it is.
  await new Promise((resolve) => setTimeout(resolve, 2000));
  collectGarbage();
  const measured: Measured = { readyMs, rssMb: process.memoryUsage.rss() / 2 ** 20, bareRssMb, seen };
  process.send?.(measured);
  setInterval(() => {}, 1000);
}

/** As --expose-gc gives it. With a flag of V8 at the start Node would not use what it has compiled of itself: a thread would start 30 ms later. */
function collectGarbage(): void {
  v8.setFlagsFromString('--expose-gc');
  (vm.runInNewContext('gc') as () => void)();
}

/** From a write of another program to the event at a client: the sidecar is a process of its own, the client hears over its WebSocket. */
async function measureLatency(folder: string, root: string, writes: number): Promise<Row[]> {
  const ours = await startOurs(folder, { root });
  console.log(`write → event at a client: ours ${ourProgram().says}`);
  const client = createClient<Operations>({ url: `http://127.0.0.1:${ours.port}`, token: benchToken });
  try {
    return await latencies(client, root, writes);
  } finally {
    client.close();
    await ours.stop();
  }
}

async function latencies(client: Client<Operations>, root: string, writes: number): Promise<Row[]> {
  const waiting = new Map<string, { size: number; done: () => void }>();
  const events = client.stream('changes.watch', {});
  void (async () => {
    for await (const item of events) {
      if (!('path' in item)) continue;
      const expected = waiting.get(item.path);
      if (expected !== undefined && item.size === expected.size) expected.done();
    }
  })().catch(() => undefined);
  // The stream stands when the first answer came.
  await client.call('system.health', {});
  const time = async (name: string, size: number, write: () => void): Promise<number> => {
    const reported = new Promise<void>((done) => waiting.set(name, { size, done }));
    const started = performance.now();
    write();
    await reported;
    waiting.delete(name);
    return performance.now() - started;
  };
  const renamed: number[] = [];
  const inPlace: number[] = [];
  for (let index = 0; index < writes; index++) {
    const size = 100 + index;
    const content = 'x'.repeat(size);
    const target = path.join(root, 'saved.ts');
    renamed.push(
      await time('saved.ts', size, () => {
        fs.writeFileSync(`${target}~`, content);
        fs.renameSync(`${target}~`, target);
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, 30));
    inPlace.push(await time('written.ts', size, () => fs.writeFileSync(path.join(root, 'written.ts'), content)));
  }
  console.log('\nwrite → event, ms          p50       p99');
  for (const [name, times] of [['rename into place', renamed] as const, ['write in place', inPlace] as const]) {
    console.log(`${name.padEnd(20)} ${quantile(times, 0.5).toFixed(2).padStart(9)} ${quantile(times, 0.99).toFixed(2).padStart(9)}`);
  }
  console.log('(a write in place waits until the file stood still for settleMs, 50)\n');
  const within = (what: string, times: number[], most: number): Row => {
    const ours = median(times);
    return { what: `watch: ${what} to event at a client, p50`, unit: 'ms', ours, goal: `≤ ${most} ms`, ok: ours <= most };
  };
  return [within('rename', renamed, 10), within('write in place', inPlace, 70)];
}
