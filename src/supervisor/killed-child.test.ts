// kill -9 at each point of a child's life, as the host sees it: whoever waits hears of it, and the next child answers.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { main } from '../../test/kit/command.ts';
import { eventually } from '../../test/kit/eventually.ts';
import { Random } from '../../test/kit/random.ts';
import { testSeed } from '../../test/kit/seed.ts';
import { launchProcess } from './child-link.ts';
import type { SidecarBinary } from './resolve-binary.ts';
import { Supervisor, type SupervisorOptions } from './sidecar-supervisor.ts';

const PATIENCE_MS = 15_000;
const fake = path.join(import.meta.dirname, '..', '..', 'test', 'kit', 'fake-child.mjs');

interface Host {
  supervisor: Supervisor;
  /** SIGKILL to the newest child. */
  kill(): void;
  pids: number[];
  log: string[];
}

async function withHost(
  binary: SidecarBinary,
  run: (host: Host) => Promise<void>,
  options: Partial<SupervisorOptions> = {},
): Promise<void> {
  const pids: number[] = [];
  const log: string[] = [];
  const { launch = launchProcess, ...rest } = options;
  const supervisor = new Supervisor({
    binary,
    backoff: { baseMs: 5, maxMs: 10 },
    maxRestarts: 1000,
    onLog: (line) => log.push(line),
    launch: (command) => {
      const child = launch(command);
      if (child.pid !== undefined) pids.push(child.pid);
      return child;
    },
    ...rest,
  });
  try {
    await run({ supervisor, kill: () => process.kill(pids.at(-1) as number, 'SIGKILL'), pids, log });
  } finally {
    await inTime('the last stop', supervisor.stop());
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
  }
}

const fakeBinary = (...modes: string[]): SidecarBinary => ({ command: process.execPath, args: [fake, ...modes], env: {}, source: 'test' });

/** How it ended; fails when it does not. */
async function inTime(says: string, promise: Promise<unknown>): Promise<string> {
  const timer = new AbortController();
  const outcome = promise.then(
    () => 'ok',
    (error: { reason?: string }) => error.reason ?? String(error),
  );
  const late = sleep(PATIENCE_MS, 'late', { signal: timer.signal }).catch(() => 'late');
  const first = await Promise.race([outcome, late]);
  timer.abort();
  assert.notEqual(first, 'late', `${says} did not end within ${PATIENCE_MS} ms`);
  return first;
}

function killNow(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
  } catch {
    // ESRCH: it ended before.
  }
}

async function readAll(items: AsyncIterable<unknown>, seen: unknown[] = []): Promise<void> {
  for await (const item of items) seen.push(item);
}

test('killed as it is spawned: the start fails, and may be tried again', async () => {
  let kills = 1;
  const launch: SupervisorOptions['launch'] = (command) => {
    const child = launchProcess(command);
    if (kills-- > 0) child.kill('SIGKILL');
    return child;
  };
  await withHost(
    fakeBinary(),
    async ({ supervisor }) => {
      assert.equal(await inTime('start', supervisor.start('/tmp')), 'CONNECTION_LOST');
      assert.equal(await inTime('a request', supervisor.request('echo', 1)), 'CONNECTION_LOST');
      assert.equal(await inTime('the second start', supervisor.start('/tmp')), 'ok');
      assert.equal(await supervisor.request('echo', 2), 2);
    },
    { launch },
  );
});

test('killed before it has answered the first ping: the start fails, and says by what', async () => {
  await withHost(fakeBinary('silent'), async ({ supervisor, kill, log }) => {
    const started = supervisor.start('/tmp');
    const refused = assert.rejects(started, /SIGKILL/);
    await eventually(() => log.includes('fake child: started'));
    kill();
    await inTime('start', refused);
  });
});

test('killed with requests and streams under way: each fails at once, and the next child is asked', async () => {
  await withHost(fakeBinary(), async ({ supervisor, kill }) => {
    await supervisor.start('/tmp');
    const seen: unknown[] = [];
    const { items, result } = supervisor.stream('count', {});
    const waiting = [
      ...Array.from({ length: 20 }, () => supervisor.request('hang', {})),
      supervisor.request('slow', { ms: 60_000 }),
      readAll(items, seen),
      result,
    ];
    for (const promise of waiting) promise.catch(() => undefined);
    await eventually(() => seen.length === 10);
    kill();
    for (const promise of waiting) assert.equal(await inTime('what was under way', promise), 'CONNECTION_LOST');
    await eventually(() => supervisor.state.name === 'ready');
    assert.equal(await supervisor.request('echo', 'again'), 'again');
  });
});

test('killed while it is asked to stop: the stop ends, and so does what was under way', async () => {
  await withHost(
    fakeBinary('ignore-sigterm'),
    async ({ supervisor, kill }) => {
      await supervisor.start('/tmp');
      const hanging = supervisor.request('hang', {});
      hanging.catch(() => undefined);
      const stopped = supervisor.stop();
      await sleep(30);
      kill();
      assert.equal(await inTime('stop', stopped), 'ok');
      assert.equal(await inTime('the request', hanging), 'STOPPING');
      assert.equal(supervisor.state.name, 'stopped');
    },
    { killAfterMs: 60_000 },
  );
});

test('killed at any moment, under any calls: every promise ends, and the child after it answers', async () => {
  const seed = testSeed();
  const random = new Random(seed);
  const below = (limit: number): number => random.below(limit);
  await withHost(fakeBinary(), async ({ supervisor, pids }) => {
    const outcomes = new Map<string, number>();
    let killed: number | undefined;
    for (let round = 0; round < 12; round++) {
      const waiting: [string, Promise<unknown>][] = [];
      const wait = (says: string, promise: Promise<unknown>): void => {
        promise.catch(() => undefined);
        waiting.push([says, promise]);
      };
      wait('start', supervisor.start('/tmp'));
      // In some rounds it is there before it is killed, however slowly it starts.
      if (round % 3 === 2) await supervisor.start('/tmp').catch(() => undefined);
      const killer = setTimeout(() => killNow(pids.at(-1)), below(round % 2 === 0 ? 60 : 150));
      for (let call = 0; call < 25; call++) {
        wait('echo', supervisor.request('echo', call));
        wait('slow', supervisor.request('slow', { ms: 20 }));
        wait('hang', supervisor.request('hang', {}, { timeoutMs: 400 }));
        wait('long', supervisor.request('long', { length: 100_000 }));
        try {
          const { items, result } = supervisor.stream('count', {});
          wait('items', readAll(items));
          wait('stream', result);
        } catch (error) {
          wait('stream', Promise.reject(error as Error));
        }
        await sleep(below(10));
      }
      // A stream without an end ends with its child.
      if (below(3) === 0) wait('stop', supervisor.stop());
      else killNow((killed = pids.at(-1)));
      for (const [says, promise] of waiting) {
        const how = `${says} ${await inTime(`SEED=${seed}, round ${round}: ${says}`, promise)}`;
        outcomes.set(how, (outcomes.get(how) ?? 0) + 1);
      }
      clearTimeout(killer);
    }
    const said = JSON.stringify([...outcomes]);
    for (const how of outcomes.keys())
      assert.match(how, / (ok|CONNECTION_LOST|STARTING|STOPPING|DEADLINE|CANCELED|TOOL_MISSING|TOO_MANY)$/, `SEED=${seed}: ${said}`);
    assert.ok(outcomes.has('echo ok') && outcomes.has('items CONNECTION_LOST'), said);
    // That child had answered nobody yet perhaps, so that its end comes after all else.
    await eventually(() => supervisor.state.name !== 'ready' || supervisor.state.pid !== killed);
    await supervisor.start('/tmp').catch(() => supervisor.start('/tmp'));
    assert.equal(await supervisor.request('echo', 'last'), 'last');
  });
});

test('a real sidecar killed in the middle of a search: the stream fails, the next one finds, and no ripgrep is left (long form)', {
  skip: fs.existsSync('/proc/self/cwd') ? false : 'needs /proc',
}, async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-killed-')));
  const root = path.join(folder, 'work');
  fs.mkdirSync(root);
  // More than fits on its way. With hidden files ripgrep walks.
  for (let file = 0; file < 20; file++) fs.writeFileSync(path.join(root, `f${file}.txt`), 'a needle\n'.repeat(60_000));
  const env = { XDG_STATE_HOME: path.join(folder, 'state'), XDG_CONFIG_HOME: path.join(folder, 'config') };
  try {
    await withHost({ command: process.execPath, args: [main], env, source: 'test' }, async ({ supervisor, kill }) => {
      await supervisor.start(root);
      const { items, result } = supervisor.stream('search.text', { pattern: 'needle', hidden: true, maxResults: 1_000_000 });
      result.catch(() => undefined);
      const iterator = items[Symbol.asyncIterator]();
      assert.ok((await iterator.next()).done !== true);
      assert.ok(programsIn(root).includes('rg'), 'ripgrep waits for its reader');
      kill();
      const rest = (async () => {
        while ((await iterator.next()).done !== true);
      })();
      assert.equal(await inTime('the stream', rest), 'CONNECTION_LOST');
      assert.equal(await inTime('the result', result), 'CONNECTION_LOST');
      await eventually(() => !programsIn(root).includes('rg'));
      await eventually(() => supervisor.state.name === 'ready', 20_000);
      const { matches } = (await supervisor.request('search', { pattern: 'needle', maxResults: 5 })) as { matches: number };
      assert.equal(matches, 5);
    });
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

/** Names of the processes whose current folder that is. */
function programsIn(folder: string): string[] {
  return fs.readdirSync('/proc').flatMap((pid) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/cwd`) === folder ? [fs.readFileSync(`/proc/${pid}/comm`, 'utf8').trim()] : [];
    } catch {
      // No process, one that ended, or one of somebody else.
      return [];
    }
  });
}
