// The host's side of a child, with real processes that misbehave in every way a child can.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { OutriggerError } from '../../src/contract/errors.ts';
import { openWorkspace, type OpenWorkspaceOptions, type Workspace } from '../../src/supervisor/open-workspace.ts';
import type { SidecarBinary } from '../../src/supervisor/resolve-binary.ts';
import { Supervisor, type SupervisorOptions, type SupervisorState } from '../../src/supervisor/sidecar-supervisor.ts';
import { eventually } from '../kit/eventually.ts';

const fake = path.join(import.meta.dirname, '..', 'kit', 'fake-child.mjs');

interface Supervised {
  supervisor: Supervisor;
  states: SupervisorState[];
  log: string[];
}

async function withSupervisor(
  modes: readonly string[],
  run: (supervised: Supervised) => Promise<void>,
  options: Partial<SupervisorOptions> = {},
): Promise<void> {
  const log: string[] = [];
  const states: SupervisorState[] = [];
  const supervisor = new Supervisor({
    binary: { command: process.execPath, args: [fake, ...modes], env: {}, source: 'test' },
    onLog: (line) => log.push(line),
    backoff: { baseMs: 5, maxMs: 20 },
    ...options,
  });
  supervisor.onState((state) => states.push(state));
  try {
    await run({ supervisor, states, log });
  } finally {
    await supervisor.stop();
    assert.equal(supervisor.state.name, 'stopped');
  }
}

async function failure(promise: Promise<unknown>): Promise<OutriggerError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof OutriggerError, `an OutriggerError, not ${String(error)}`);
  return error;
}

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch {
    // ESRCH: it is gone.
    return false;
  }
};

test('starts, asks with a ping before it counts as ready, and stops', async () => {
  await withSupervisor([], async ({ supervisor, states, log }) => {
    await supervisor.start('/tmp');
    await supervisor.start('/tmp');
    const { state } = supervisor;
    assert.ok(state.name === 'ready' && state.version === '9.9.9' && state.pid !== undefined && alive(state.pid));
    assert.deepEqual(await supervisor.request('echo', { a: 1 }), { a: 1 });
    await eventually(() => log.includes('fake child: started'));
    await assert.rejects(supervisor.start('/elsewhere'), TypeError);
    await supervisor.stop();
    assert.ok(!alive(state.pid));
    assert.deepEqual(
      states.map(({ name }) => name),
      ['starting', 'ready', 'stopping', 'stopped'],
    );
  });
});

test('answers find their requests, in whatever order they come', async () => {
  await withSupervisor([], async ({ supervisor }) => {
    await supervisor.start('/tmp');
    const slow = supervisor.request('slow', { ms: 80 });
    const many = await Promise.all(Array.from({ length: 200 }, (_, n) => supervisor.request('echo', n)));
    assert.deepEqual(
      many,
      Array.from({ length: 200 }, (_, n) => n),
    );
    assert.equal(await slow, 'late');
  });
});

test('junk, split characters, foreign ids and long answers are survived and counted', async () => {
  await withSupervisor(
    ['junk'],
    async ({ supervisor, log }) => {
      await supervisor.start('/tmp');
      assert.equal(await supervisor.request('split', {}), 'é日本🛟');
      assert.equal(await supervisor.request('long', { length: 90_000 }), 'x'.repeat(90_000));
      const lost = await failure(supervisor.request('long', { length: 300_000 }, { timeoutMs: 300 }));
      assert.equal(lost.reason, 'DEADLINE');
      assert.equal(await supervisor.request('echo', 'still there'), 'still there');
      // Four lines an answer (the stray one is well formed), and the long one.
      assert.ok(supervisor.junkLines >= 17, `${supervisor.junkLines}`);
      assert.ok(log.includes('stdout: Debugger attached.'));
    },
    { maxMessageBytes: 100_000 },
  );
});

test('a request ends at its time, and the child is told', async () => {
  await withSupervisor([], async ({ supervisor }) => {
    await supervisor.start('/tmp');
    assert.equal((await failure(supervisor.request('hang', {}, { timeoutMs: 30 }))).reason, 'DEADLINE');
    const controller = new AbortController();
    const hanging = failure(supervisor.request('hang', {}, { signal: controller.signal }));
    controller.abort();
    assert.equal((await hanging).reason, 'CANCELED');
    await eventually(async () => ((await supervisor.request('cancelled', {})) as string[]).length === 2);
  });
});

test("the seed's error codes become ours, unknown ones INTERNAL", async () => {
  await withSupervisor([], async ({ supervisor }) => {
    await supervisor.start('/tmp');
    const reasons = await Promise.all(
      ['invalid_path', 'not_found', 'timeout', 'binary', 'too_large', 'unheard_of'].map(
        async (code) => (await failure(supervisor.request('fail', { code }))).reason,
      ),
    );
    assert.deepEqual(reasons, ['BAD_PATH', 'FILE_NOT_FOUND', 'DEADLINE', 'NOT_TEXT', 'OUTPUT_TOO_LARGE', 'INTERNAL']);
    assert.equal((await failure(supervisor.request('no-such', {}))).reason, 'NO_OPERATION');
  });
});

test('a child that can not be started, dies first or never answers fails the start at once, and says why', async () => {
  await withSupervisor(
    [],
    async ({ supervisor }) => {
      const error = await failure(supervisor.start('/tmp'));
      assert.equal(error.reason, 'TOOL_MISSING');
      assert.match(error.message, /no-such-program/);
      assert.match((await failure(supervisor.request('echo', 1))).message, /call start\(\) to try again/);
    },
    { binary: { command: '/no-such-program', args: [], env: {}, source: 'test' } },
  );
  await withSupervisor(['die-at-start=the library is missing'], async ({ supervisor }) => {
    const error = await failure(supervisor.start('/tmp'));
    assert.match(error.message, /exit code 3.*the library is missing/);
    assert.equal(supervisor.state.name, 'failed');
  });
  await withSupervisor(
    ['silent'],
    async ({ supervisor }) => {
      assert.equal((await failure(supervisor.start('/tmp'))).reason, 'DEADLINE');
    },
    { readyTimeoutMs: 200 },
  );
});

test('a child that is slow to start is waited for, and requests fail until it is ready', async () => {
  await withSupervisor(['slow-start=150'], async ({ supervisor }) => {
    assert.match((await failure(supervisor.request('echo', 1))).message, /call start\(\) first/);
    const started = supervisor.start('/tmp');
    await eventually(() => supervisor.state.name === 'starting');
    assert.equal((await failure(supervisor.request('echo', 1))).reason, 'STARTING');
    await started;
    assert.equal(await supervisor.request('echo', 1), 1);
  });
});

test('a crash fails what was under way, is said with its cause, and is followed by a new child', async () => {
  await withSupervisor([], async ({ supervisor, states }) => {
    await supervisor.start('/tmp');
    const first = supervisor.state;
    const hanging = failure(supervisor.request('hang', {}));
    assert.match((await failure(supervisor.request('crash-before-answer', {}))).message, /signal SIGKILL/);
    assert.equal((await hanging).reason, 'CONNECTION_LOST');
    await eventually(() => supervisor.state.name === 'ready');
    assert.ok(first.name === 'ready' && supervisor.state.name === 'ready' && supervisor.state.pid !== first.pid);
    assert.equal(await supervisor.request('crash-after-answer', {}), 'last', 'an answer that came before the end counts');
    await eventually(() => states.some(({ name }) => name === 'waiting') && supervisor.state.name === 'ready');
    assert.equal(await supervisor.request('echo', 'again'), 'again');
  });
});

test('between requests a killed child is noticed, and while it is down requests fail at once with what happens next', async () => {
  await withSupervisor(
    [],
    async ({ supervisor }) => {
      await supervisor.start('/tmp');
      const { state } = supervisor;
      assert.ok(state.name === 'ready' && state.pid !== undefined);
      process.kill(state.pid, 'SIGKILL');
      await eventually(() => supervisor.state.name === 'waiting');
      const error = await failure(supervisor.request('readFile', { path: 'a' }));
      assert.match(error.message, /^readFile can't be asked now: .*SIGKILL.* started again in \d+ ms \(restart 1 of 5\)/);
      assert.equal(error.retryable, true);
    },
    { backoff: { baseMs: 60_000, maxMs: 60_000 }, random: () => 0.9 },
  );
});

test('restarts have an end, and dying before ready counts', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-supervisor-'));
  const starts = path.join(folder, 'starts');
  try {
    await withSupervisor(
      [`starts=${starts}`, 'die-after-starts=2'],
      async ({ supervisor, states }) => {
        await supervisor.start('/tmp');
        await failure(supervisor.request('exit', { code: 1 }));
        await eventually(() => supervisor.state.name === 'ready');
        await failure(supervisor.request('exit', { code: 1 }));
        await eventually(() => supervisor.state.name === 'failed');
        // The first two lived; two more restarts died at once.
        assert.equal(fs.readFileSync(starts, 'utf8').split('\n').length - 1, 4);
        assert.deepEqual(
          states.filter((state) => state.name === 'waiting').map((state) => state.restarts),
          [1, 2, 3],
        );
        assert.match((await failure(supervisor.request('echo', 1))).message, /started again 3 times/);
      },
      { maxRestarts: 3 },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a child that hangs is replaced after it left a ping unanswered', async () => {
  await withSupervisor(
    ['deaf-after=2'],
    async ({ supervisor, states }) => {
      await supervisor.start('/tmp');
      assert.equal(await supervisor.request('echo', 1), 1);
      assert.equal((await failure(supervisor.request('echo', 2, { timeoutMs: 50 }))).reason, 'DEADLINE');
      await eventually(() => states.filter(({ name }) => name === 'ready').length === 2);
      assert.equal(await supervisor.request('echo', 3), 3);
    },
    { pulseTimeoutMs: 50 },
  );
});

test('a child that closes its stdout and lives on is no child', async () => {
  await withSupervisor(['close-stdout'], async ({ supervisor, states }) => {
    await supervisor.start('/tmp');
    await eventually(() => states.some(({ name }) => name === 'waiting'));
  });
});

test('a child that ignores SIGTERM is killed when its time is over, and pending requests end before that', async () => {
  await withSupervisor(
    ['ignore-sigterm'],
    async ({ supervisor }) => {
      await supervisor.start('/tmp');
      const { state } = supervisor;
      assert.ok(state.name === 'ready' && state.pid !== undefined);
      const hanging = failure(supervisor.request('hang', {}));
      const begun = performance.now();
      await Promise.all([supervisor.stop(), supervisor.stop()]);
      assert.ok(performance.now() - begun >= 150);
      assert.equal((await hanging).reason, 'STOPPING');
      assert.ok(!alive(state.pid));
    },
    { killAfterMs: 200 },
  );
});

test('stopping while it starts, or while it waits to restart, leaves nothing behind', async () => {
  await withSupervisor(['silent'], async ({ supervisor }) => {
    const started = failure(supervisor.start('/tmp'));
    await eventually(() => supervisor.state.name === 'starting');
    await supervisor.stop();
    assert.equal((await started).reason, 'STOPPING');
    assert.equal(supervisor.state.name, 'stopped');
  });
  await withSupervisor(
    [],
    async ({ supervisor, states }) => {
      await supervisor.start('/tmp');
      await failure(supervisor.request('exit', { code: 0 }));
      await eventually(() => supervisor.state.name === 'waiting');
      await supervisor.stop();
      const { length } = states;
      await new Promise((resolve) => setTimeout(resolve, 80));
      assert.equal(states.length, length);
      await supervisor.start('/tmp');
      assert.equal(await supervisor.request('echo', 1), 1);
    },
    { backoff: { baseMs: 50, maxMs: 50 }, random: () => 0.9 },
  );
});

test('a request too long for the child fails here, and items stream', async () => {
  await withSupervisor(
    [],
    async ({ supervisor }) => {
      await supervisor.start('/tmp');
      assert.equal((await failure(supervisor.request('echo', 'x'.repeat(2000)))).reason, 'INPUT_TOO_LARGE');
      const seen: unknown[] = [];
      for await (const item of supervisor.stream('count', {}).items) {
        seen.push(item);
        if (seen.length === 10) break;
      }
      assert.deepEqual(seen, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    },
    { maxRequestLength: 1000 },
  );
});

async function withWorkspace(
  options: Omit<OpenWorkspaceOptions, 'root'>,
  run: (workspace: Workspace, warnings: readonly string[]) => Promise<void>,
): Promise<void> {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-workspace-'));
  fs.writeFileSync(path.join(root, 'a.txt'), 'text');
  const warnings: string[] = [];
  try {
    const workspace = await openWorkspace({ ...options, root, onWarning: (message) => warnings.push(message) });
    try {
      await run(workspace, warnings);
    } finally {
      await workspace.close();
    }
    await assert.rejects(workspace.readFile('a.txt'), { reason: 'STOPPING' });
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

const fakeBinary = (...modes: string[]): SidecarBinary => ({
  command: process.execPath,
  args: [fake, ...modes],
  env: {},
  source: 'test',
});
const quick = { backoff: { baseMs: 5, maxMs: 20 } };

test('without a sidecar that answers, Node reads the folder, after one warning that says why', async () => {
  const ofAnotherPackage = { platform: process.platform, execPath: process.execPath, electron: false, resourcesPath: undefined };
  const cases: [Omit<OpenWorkspaceOptions, 'root'>, RegExp][] = [
    [{ binary: { env: {}, runtime: ofAnotherPackage } }, /No sidecar was found/],
    [{ binary: { env: { SCAFFA_SIDECAR_PATH: '/no/such/file' } } }, /SCAFFA_SIDECAR_PATH names \/no\/such\/file/],
    [{ binary: { command: '/no-such-program', args: [], env: {}, source: 'test' } }, /can't be started/],
    [{ binary: fakeBinary('die-at-start=broken') }, /exit code 3.*broken/],
    [{ binary: fakeBinary('silent'), supervisor: { readyTimeoutMs: 150 } }, /did not answer within 150 ms/],
  ];
  for (const [options, expected] of cases) {
    await withWorkspace(options, async (workspace, warnings) => {
      assert.equal(workspace.backend, 'node');
      for (let n = 0; n < 3; n++) assert.equal((await workspace.readFile('a.txt')).text, 'text');
      assert.deepEqual((await workspace.glob('*.txt')).paths, ['a.txt']);
      assert.equal((await workspace.search({ pattern: 'tex' })).files.length, 1);
      assert.equal(warnings.length, 1, warnings.join(' | '));
      assert.match(warnings[0] as string, expected);
    });
  }
});

test('crashes below the cap are bridged by Node without a word, those beyond it with one warning', async () => {
  await withWorkspace({ binary: fakeBinary(), supervisor: { ...quick, maxRestarts: 2 } }, async (workspace, warnings) => {
    const supervisor = workspace.supervisor as Supervisor;
    for (let crash = 1; crash <= 3; crash++) {
      await eventually(() => supervisor.state.name === 'ready');
      assert.equal(workspace.backend, 'sidecar');
      const events: string[] = [];
      const watch = workspace.watch('*', (event) => events.push(event.what));
      await failure(supervisor.request('exit', { code: 1 }));
      await eventually(() => supervisor.state.name !== 'ready');
      assert.equal((await workspace.readFile('a.txt')).text, 'text');
      assert.equal(warnings.length, crash === 3 ? 1 : 0);
      if (crash === 3) await eventually(() => events.includes('resync'));
      watch.dispose();
    }
    assert.equal(workspace.backend, 'node');
    for (let n = 0; n < 3; n++) assert.equal((await workspace.stat('a.txt')).exists, true);
    assert.match(warnings.join(), /started again 2 times.*Node alone from now on/);
  });
});

test('a question that the sidecar leaves unanswered is answered by Node, with one warning for all of them', async () => {
  await withWorkspace(
    { binary: fakeBinary('deaf-after=1'), supervisor: { ...quick, requestTimeoutMs: 50, pulseTimeoutMs: 5000 } },
    async (workspace, warnings) => {
      assert.equal(workspace.backend, 'sidecar');
      for (let n = 0; n < 3; n++) assert.equal((await workspace.readFile('a.txt')).text, 'text');
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] as string, /did not answer readFile in time/);
      await assert.rejects(workspace.readFile('a.txt', { signal: AbortSignal.abort() }), { reason: 'CANCELED' });
    },
  );
});

test("edits are the host's own, and apply whoever reads", async () => {
  const journalFolder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-journal-'));
  try {
    await withWorkspace({ binary: { env: {} }, edits: { journalFolder } }, async (workspace) => {
      const { sha256 } = await workspace.hashFile('a.txt');
      const edit = {
        kind: 'text',
        filePath: 'a.txt',
        expectedSha256: sha256,
        edits: [{ range: { start: 0, end: 1 }, newText: 'T' }],
      } as const;
      assert.equal((await workspace.applyEdits([edit])).ok, true);
      assert.equal((await workspace.readFile('a.txt')).text, 'Text');
      const again = await workspace.applyEdits([edit]);
      assert.ok(!again.ok && again.error.code === 'conflict');
    });
  } finally {
    fs.rmSync(journalFolder, { recursive: true, force: true });
  }
});
