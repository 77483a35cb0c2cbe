// What goes wrong around programs: calls that cross each other, hosts and hooks that hang, odd input, and what programs leave behind.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { fails, hangs, isAlive, sh, soon, textOf, withTable } from '../../../test/kit/process-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Call } from '../../contract/operation.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { HostedProcess, HostExit, HostRequest, ProcessHost } from './host.ts';
import { LocalHost } from './local-host.ts';
import { withEnvironment } from './process-facts.ts';
import { Processes } from './processes.ts';
import { watchLoop } from '../../../test/kit/loop-hold.ts';

/** This machine, where each start may be looked at first. */
class WatchedHost implements ProcessHost {
  readonly name = 'local';
  readonly #local = new LocalHost(new Processes({ env: process.env }));
  readonly #before: (request: HostRequest, signal: AbortSignal | undefined) => Promise<void> | void;
  starts = 0;

  constructor(before: (request: HostRequest, signal: AbortSignal | undefined) => Promise<void> | void) {
    this.#before = before;
  }

  async start(request: HostRequest, signal?: AbortSignal): Promise<HostedProcess> {
    this.starts++;
    await this.#before(request, signal);
    return this.#local.start(request, signal);
  }

  async close(): Promise<void> {}
}

// ── calls that cross each other

test('two restarts at once make one program', () =>
  withTable(async ({ ask }) => {
    const { process } = await ask('processes.start', { argv: ['sleep', '300'] });
    await Promise.all([1, 2, 3].map(() => ask('processes.restart', { id: process.id }).catch(() => {})));
    await eventually(async () => (await ask('processes.get', { id: process.id })).state === 'running');
    assert.equal(withEnvironment(`OUTRIGGER_PROCESS=${process.id}`).length, 1);
    await ask('processes.stop', { id: process.id });
    assert.deepEqual(withEnvironment(`OUTRIGGER_PROCESS=${process.id}`), []);
  }));

test('a process that is forgotten while it is restarted leaves no program behind', () =>
  withTable(
    async ({ ask, table, stateFolder }) => {
      const { process } = await ask('processes.start', { argv: sh(`trap 'sleep 0.3; exit' TERM; sleep 300 & wait`) });
      const restarting = ask('processes.restart', { id: process.id }).then(
        () => 'restarted',
        () => 'refused',
      );
      await eventually(() => table.list().find(({ id }) => id === process.id)?.state !== 'running' || undefined).catch(() => {});
      const others = await Promise.all([1, 2, 3].map(() => ask('processes.start', { argv: ['true'] })));
      for (const { process: other } of others) await table.process(other.id).ended.catch(() => {});
      await restarting;
      const known = table.list().map(({ id }) => id);
      const left = withEnvironment(`OUTRIGGER_PROCESS=${process.id}`);
      assert.ok(known.includes(process.id) || left.length === 0, `${process.id} runs and is not in the list`);
      const spools = path.join(stateFolder, 'spools');
      assert.ok(!fs.existsSync(spools) || fs.readdirSync(spools).length <= 2 * known.length);
    },
    { keepEnded: 1 },
  ));

test('a service that can not be started again is stopped when it is told to', async () => {
  const host = new WatchedHost(async () => {
    if (host.starts > 1) throw new Error('no way');
  });
  await withTable(
    async ({ ask }) => {
      const { process } = await ask('processes.start', { argv: ['false'], restart: { when: 'always', most: 1000 } });
      await eventually(async () => (await ask('processes.get', { id: process.id })).restarts >= 1);
      const ended = await soon('the stop', ask('processes.stop', { id: process.id }));
      assert.deepEqual([ended.state, ended.reason], ['ended', 'stopped']);
    },
    { hosts: { local: host } },
  );
});

test('a service that fails to start just while it is stopped stays stopped', async () => {
  const failing = Promise.withResolvers<void>();
  const host = new WatchedHost(async () => {
    if (host.starts > 1) await failing.promise;
  });
  await withTable(
    async ({ ask }) => {
      const { process } = await ask('processes.start', { argv: ['false'], restart: { when: 'always', most: 1000 } });
      await eventually(() => host.starts === 2);
      const stopping = ask('processes.stop', { id: process.id });
      failing.reject(new Error('no way'));
      const ended = await soon('the stop', stopping);
      assert.deepEqual([ended.state, ended.reason], ['ended', 'stopped']);
    },
    { hosts: { local: host } },
  );
});

test('stopping a service that is just ended at its time limit holds', () =>
  withTable(async ({ ask }) => {
    const { process } = await ask('processes.start', {
      argv: sh(`trap '' TERM; echo up; sleep 300`),
      timeoutMs: 300,
      restart: { when: 'always', most: 1000 },
    });
    await eventually(async () => (await ask('processes.get', { id: process.id })).output.stdout.end > 0);
    // Between SIGTERM and SIGKILL of the limit.
    await new Promise((resolve) => setTimeout(resolve, 300));
    const ended = await soon('the stop', ask('processes.stop', { id: process.id, graceMs: 60_000 }), 10_000);
    assert.equal(ended.state, 'ended');
    assert.deepEqual(withEnvironment(`OUTRIGGER_PROCESS=${process.id}`), []);
  }));

test('a patient stop does not make the time limit longer, nor that of an impatient one', () =>
  withTable(async ({ ask }) => {
    const argv = sh(`trap '' TERM; echo up; while true; do sleep 1; done`);
    const { process } = await ask('processes.start', { argv });
    await ask('processes.wait', { id: process.id, until: 'text', text: 'up' });
    const begun = performance.now();
    await Promise.all([
      ask('processes.stop', { id: process.id, graceMs: 200 }),
      ask('processes.stop', { id: process.id, graceMs: 60_000 }),
    ]);
    assert.ok(performance.now() - begun < 4000);
  }));

// ── hosts and hooks that hang

test('a start that hangs in its host is given up when it is stopped', async () => {
  const host = new WatchedHost(
    (_request, signal) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
  );
  await withTable(
    async ({ ask, table }) => {
      const starting = ask('processes.start', { argv: ['sleep', '300'], tag: 'slow' });
      starting.catch(() => {});
      await eventually(() => host.starts === 1);
      await soon('the stop', ask('processes.stop', { id: 'slow' }));
      await soon(
        'the start',
        starting.catch(() => {}),
      );
      assert.deepEqual(
        table.list().filter(({ state }) => state !== 'ended'),
        [],
      );
    },
    { hosts: { local: host } },
  );
});

test('a stop in the very moment in which a program was started is not lost', async () => {
  for (let turns = 0; turns < 4; turns++) {
    const started = Promise.withResolvers<HostedProcess>();
    const exit = Promise.withResolvers<HostExit>();
    const hosted: HostedProcess = {
      pid: 1,
      stdout: new PassThrough(),
      stderr: new PassThrough(),
      exit: exit.promise,
      write: async () => {},
      endInput: () => {},
      resize: () => {},
      signal: (name) => {
        if (name === 'SIGKILL') exit.resolve({ exitCode: null, exitSignal: name });
      },
    };
    const host: ProcessHost = { name: 'slow', start: () => started.promise, close: async () => {} };
    await withTable(
      async ({ ask, table }) => {
        const starting = ask('processes.start', { argv: ['x'], tag: 'slow', host: 'slow' });
        starting.catch(() => {});
        await eventually(() => table.list().length === 1);
        await new Promise((resolve) => setTimeout(resolve, 20));
        const stopped = started.promise.then(async () => {
          for (let turn = 0; turn < turns; turn++) await Promise.resolve();
          await table.process('slow').stop(50);
        });
        started.resolve(hosted);
        try {
          await soon(`the stop after ${turns} turns`, stopped, 1500);
          assert.equal(table.get('slow').state, 'ended');
        } finally {
          exit.resolve({ exitCode: 0, exitSignal: null });
        }
      },
      { hosts: { slow: host } },
    );
  }
});

test('a look at the folder that hangs before a start keeps nobody from stopping it, and hanging after the end is not waited for', async () => {
  const seen: string[] = [];
  const hooks = {
    before: async ({ title }: { title: string }) => {
      seen.push(`before ${title}`);
      if (title === 'hangs') await hangs;
    },
    after: async () => {
      await hangs;
    },
  };
  await withTable(
    async ({ ask }) => {
      const starting = ask('processes.start', { argv: ['sleep', '300'], title: 'hangs', tag: 'first', checkpoint: true });
      await eventually(() => seen.length === 1);
      const stopped = await soon('the stop', ask('processes.stop', { id: 'first' }));
      assert.deepEqual([stopped.state, stopped.reason, stopped.pid], ['ended', 'stopped', undefined]);
      await soon('the start', starting);
      const late = await soon(
        'the start without a look',
        ask('processes.start', { argv: ['echo', 'a'], title: 'hangs', checkpoint: true }),
      );
      const waited = await soon('the end', ask('processes.wait', { id: late.process.id }));
      assert.equal(waited.process.exitCode, 0);
      await soon('a stop of what ended', ask('processes.stop', { id: late.process.id }));
    },
    { hooks, hookMs: 300 },
  );
});

/** A token of an agent's, which can be ended. */
function tokenOf(id: string): { caller: Call['caller']; end: () => void; listeners: () => number } {
  const ended = new AbortController();
  return {
    caller: { id, name: id, kind: 'agent', access: 'execute', ended: ended.signal },
    end: () => ended.abort(new OutriggerError('TOKEN_REVOKED', 'That token was revoked.')),
    listeners: () => getEventListeners(ended.signal, 'abort').length,
  };
}

for (const name of ['processes.start', 'processes.run'] as const)
  test(`${name}: a token that ends before there is a program is the end of the start, and later it is not`, async () => {
    const looked = Promise.withResolvers<void>();
    let looks = 0;
    const before = (): Promise<void> => {
      looks++;
      return looked.promise;
    };
    const host = new WatchedHost(() => {});
    await withTable(
      async ({ ask, stream, table }) => {
        const bot = tokenOf('bot');
        const starting = stream(name, { argv: ['sleep', '300'], tag: 'bot' }, { caller: bot.caller });
        await eventually(() => looks === 1);
        bot.end();
        await fails('TOKEN_REVOKED', soon('the start', starting));
        await fails('TOKEN_REVOKED', soon('the next', stream(name, { argv: ['sleep', '300'] }, { caller: bot.caller })));
        assert.deepEqual([table.list(), bot.listeners(), looks], [[], 0, 1]);
        looked.resolve();
        await new Promise((resolve) => setTimeout(resolve, 50));
        assert.equal(host.starts, 0);

        const other = tokenOf('other');
        const service = { argv: sh('sleep 0.2; exit 1'), tag: 'service', restart: { when: 'always' }, waitMs: 100 };
        await stream(name, service, { caller: other.caller });
        assert.deepEqual([table.get('service').state, other.listeners()], ['running', 0]);
        other.end();
        await eventually(() => table.get('service').restarts >= 1 && table.get('service').state === 'running');
        await ask('processes.stop', { id: 'service' });
      },
      { hooks: { before, after: async () => {} }, hosts: { local: host } },
    );
  });

test('a start that several asked for by its tag goes on while the token of one of them holds', async () => {
  let looked = Promise.withResolvers<void>();
  await withTable(
    async ({ ask, stream, table }) => {
      const spec = { argv: ['sleep', '300'], tag: 'dev', checkpoint: true };
      const start = (caller: Call['caller']): Promise<{ existed: boolean; process: ProcessInfo }> =>
        stream('processes.start', spec, { caller }).then(({ end }) => end);
      const [one, two] = [tokenOf('one'), tokenOf('two')];
      const first = start(one.caller);
      await eventually(() => table.list().length === 1);
      const second = await start(two.caller);
      assert.deepEqual([second.existed, second.process.state], [true, 'starting']);
      one.end();
      looked.resolve();
      assert.equal((await soon('the start', first)).process.id, second.process.id);
      assert.equal(table.get(second.process.id).state, 'running');
      assert.deepEqual([one.listeners(), two.listeners()], [0, 0]);
      await ask('processes.stop', { id: 'dev' });

      looked = Promise.withResolvers();
      const [three, four] = [tokenOf('three'), tokenOf('four')];
      const given = fails('TOKEN_REVOKED', start(three.caller));
      await eventually(() => table.get('dev').state === 'starting');
      const { id } = (await start(four.caller)).process;
      three.end();
      four.end();
      // In the very turn in which it is given up: what follows is a start of its own.
      const fresh = ask('processes.start', spec);
      await soon('the end of the start', given);
      await fails('NO_PROCESS', ask('processes.get', { id }));
      looked.resolve();
      assert.deepEqual([(await fresh).existed, table.get('dev').state], [false, 'running']);
      assert.deepEqual([three.listeners(), four.listeners()], [0, 0]);
    },
    { hooks: { before: () => looked.promise, after: async () => {} } },
  );
});

test('the table stops although programs can not be ended (long form)', async () => {
  const host: ProcessHost = {
    name: 'deaf',
    start: async () => ({
      pid: 1,
      stdout: Object.assign(new (await import('node:stream')).PassThrough(), {}),
      stderr: undefined,
      write: async () => {},
      endInput: () => {},
      signal: () => {},
      resize: () => {},
      exit: hangs,
    }),
    close: async () => {},
  };
  const begun = performance.now();
  await soon(
    'the stop of the table',
    withTable(async ({ ask }) => void (await ask('processes.start', { argv: ['x'], host: 'deaf' })), { hosts: { deaf: host } }),
    15_000,
  );
  assert.ok(performance.now() - begun < 12_000);
});

test('a service whose host comes late is started when it is there', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-processes-')));
  try {
    let id = '';
    await withTable(
      async ({ ask }) => {
        ({ id } = (await ask('processes.start', { argv: ['sleep', '300'], restart: { when: 'always' } })).process);
      },
      { folder },
    );
    const host = new WatchedHost(() => {
      if (host.starts < 2) throw new Error('not there yet');
    });
    await withTable(
      async ({ ask }) => {
        await eventually(async () => (await ask('processes.get', { id })).state === 'running');
      },
      { folder, hosts: { local: host } },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

// ── what is given

test('what the kernel would not take is refused in words', () =>
  withTable(async ({ ask, table }) => {
    await fails('BAD_INPUT', ask('processes.start', { argv: ['true', 'ü'.repeat(90_000)] }));
    await fails('BAD_INPUT', ask('processes.start', { argv: ['true', ...Array.from({ length: 1999 }, () => 'x'.repeat(5000))] }));
    await fails('BAD_INPUT', ask('processes.start', { argv: ['true'], env: { A: 'ü'.repeat(90_000) } }));
    assert.deepEqual(table.list(), []);
  }));

test('two thousand arguments, a long one, and names of all kinds come through as they are', () =>
  withTable(async ({ stream, put, at }) => {
    const many = Array.from({ length: 1997 }, (_, index) => `a${index}`);
    const counted = await stream('processes.run', { argv: ['sh', '-c', 'echo $#', ...many] });
    assert.equal(textOf(counted.items), '1996\n');
    const long = await stream('processes.run', { argv: ['sh', '-c', 'printf %s "$1" | wc -c', 'sh', 'x'.repeat(100_000)] });
    assert.equal(textOf(long.items).trim(), '100000');
    const folder = 'mäppchen 😀/-n $(x);\n';
    put(`${folder}/run ☃.sh`, '#!/bin/sh\npwd\nprintf "%s|" "$@"\n');
    fs.chmodSync(at(`${folder}/run ☃.sh`), 0o755);
    const named = await stream('processes.run', { argv: ['./run ☃.sh', 'ärger', '--', "it's"], path: folder });
    assert.equal(textOf(named.items), `${at(folder)}\närger|--|it's|`);
  }));

test('the list stays small, however long the command lines are', () =>
  withTable(async ({ ask }) => {
    for (let index = 0; index < 5; index++)
      await ask('processes.start', { argv: ['sh', '-c', 'sleep 300', ...Array<string>(9).fill('x'.repeat(100_000))] });
    const { processes } = await ask('processes.list', {});
    assert.equal(processes.length, 5);
    assert.ok(JSON.stringify(processes).length < 50_000, `${JSON.stringify(processes).length} characters`);
    assert.ok(processes[0]?.argv[0] === 'sh' && processes[0].argv[2] === 'sleep 300');
    const again = await ask('processes.restart', { id: processes[0]?.id ?? '' });
    const commandLine = fs.readFileSync(`/proc/${again.pid}/cmdline`, 'utf8');
    assert.equal(commandLine.length, 'sh\0-c\0sleep 300\0'.length + 9 * 100_001);
  }));

test('input that nobody reads stays small, also when those who gave it leave', () =>
  withTable(async ({ ask, stream, table, put }) => {
    const argv = sh('until [ -e read-now ]; do sleep 0.05; done; wc -c');
    const { process: started } = await ask('processes.start', { argv, keepStdinOpen: true });
    const gave = await Promise.all(
      Array.from({ length: 60 }, async () => {
        const leaving = new AbortController();
        const giving = stream('processes.input', { id: started.id, text: 'x'.repeat(1_000_000) }, { signal: leaving.signal });
        setTimeout(() => leaving.abort(new Error('left')), 30);
        return giving.then(
          () => 1,
          () => 0,
        );
      }),
    );
    assert.ok(gave.every((one) => one === 0));
    put('read-now');
    await ask('processes.input', { id: started.id, text: 'end', end: true });
    await table.process(started.id).ended;
    const count = Number(textOf((await stream('processes.output', { id: started.id })).items));
    assert.ok(count < 3_000_000, `${count} bytes were taken of those who had left`);
  }));

test('the end of the input comes after what waits before it, and nothing is taken after it', () =>
  withTable(async ({ ask, stream }) => {
    const { process } = await ask('processes.start', { argv: sh('sleep 0.5; wc -c'), keepStdinOpen: true });
    const { id } = process;
    const gave = [ask('processes.input', { id, text: 'a'.repeat(1_000_000) }), ask('processes.input', { id, text: 'b'.repeat(1000) })];
    const left = new AbortController();
    const ending = stream('processes.input', { id, end: true }, { signal: left.signal });
    left.abort(new Error('left'));
    await assert.rejects(ending, /left/);
    // The end that was called off never came.
    gave.push(ask('processes.input', { id, text: 'c' }), ask('processes.input', { id, text: 'dd', end: true }));
    await fails('BAD_INPUT', ask('processes.input', { id, text: 'lost' }));
    assert.deepEqual(
      (await Promise.all(gave)).map(({ bytes }) => bytes),
      [1_000_000, 1000, 1, 2],
    );
    await ask('processes.input', { id, end: true });
    assert.equal(Number(textOf((await stream('processes.output', { id, follow: true })).items)), 1_001_003);
    const { process: closed } = await ask('processes.start', { argv: sh('sleep 0.3; wc -c'), stdin: 'given' });
    await fails('BAD_INPUT', ask('processes.input', { id: closed.id, text: 'lost' }));
    assert.equal(Number(textOf((await stream('processes.output', { id: closed.id, follow: true })).items)), 5);
  }));

test('in a terminal the end of a file comes after a paste, and what is typed after it is taken', () =>
  withTable(async ({ ask, stream, table }) => {
    const script = 'stty raw -echo; echo ready; sleep 0.5; head -c 300002 | od -An -v -tx1 -w1 | grep -nv 61';
    const terminal = { columns: 80, rows: 24 };
    const { process } = await table.start({
      argv: ['sh', '-c', script],
      path: '',
      env: {},
      terminal,
      checkpoint: false,
      startedBy: { name: 'Ada', kind: 'person' },
    });
    const { id } = process;
    await eventually(async () => textOf((await stream('processes.output', { id })).items).includes('ready'));
    await Promise.all([
      ask('processes.input', { id, text: 'a'.repeat(300_000) }),
      ask('processes.input', { id, end: true }),
      ask('processes.input', { id, text: 'z' }),
    ]);
    const said = textOf((await stream('processes.output', { id, follow: true })).items);
    assert.match(said, /300001: 04\s+300002: 7a/);
  }));

test('a program that closes its input and output early is heard to its end', () =>
  withTable(async ({ ask, stream }) => {
    const { process } = await ask('processes.start', { argv: sh('exec <&- >&- 2>&-; sleep 0.4; exit 7'), keepStdinOpen: true });
    for (let round = 0; round < 5; round++)
      await soon(
        'input that nobody takes',
        ask('processes.input', { id: process.id, text: 'x'.repeat(500_000) }).catch(() => {}),
      );
    assert.equal((await ask('processes.wait', { id: process.id })).process.exitCode, 7);
    assert.deepEqual((await stream('processes.output', { id: process.id })).items, []);
  }));

// ── what is left

test('a program that left its group is ended with the sidecar, also when what started it ended long before', async () => {
  let far = 0;
  try {
    await withTable(
      async ({ stream, ask, at }) => {
        await stream('processes.run', { argv: sh('setsid sleep 300 > /dev/null 2>&1 & echo $! > far; sleep 0.1') });
        far = Number(fs.readFileSync(at('far'), 'utf8'));
        assert.ok(isAlive(far), 'it goes on after a normal end');
        for (let round = 0; round < 3; round++) await ask('processes.run', { argv: ['true'] });
      },
      { keepEnded: 1 },
    );
    assert.ok(!isAlive(far));
  } finally {
    if (far > 0 && isAlive(far)) process.kill(far, 'SIGKILL');
  }
});

test('stopping a process that ended already ends what it left behind', () =>
  withTable(async ({ stream, ask, at }) => {
    const { end } = await stream('processes.run', { argv: sh('setsid sleep 300 > /dev/null 2>&1 & echo $! > far; sleep 0.1') });
    const far = Number(fs.readFileSync(at('far'), 'utf8'));
    assert.ok(isAlive(far));
    await ask('processes.stop', { id: end.process.id });
    assert.ok(!isAlive(far));
  }));

test('a stop while the last output of a program is waited for ends what it left behind', () =>
  withTable(async ({ ask, at }) => {
    const { process } = await ask('processes.start', { argv: sh('setsid sleep 300 & echo $! > far; sleep 0.2') });
    await eventually(() => fs.existsSync(at('far')) && fs.readFileSync(at('far'), 'utf8').endsWith('\n'));
    const far = Number(fs.readFileSync(at('far'), 'utf8'));
    // Past the wait for its group, within that for its output.
    await new Promise((resolve) => setTimeout(resolve, 550));
    assert.equal((await ask('processes.get', { id: process.id })).state, 'running');
    await ask('processes.stop', { id: process.id });
    assert.ok(!isAlive(far));
  }));

test('children that fork on and on, each out of its group, are ended all, and the sidecar answers meanwhile', () =>
  withTable(async ({ ask, at }) => {
    // Thirty at a time, each of which starts the next one and ends, three hundred times.
    const relay = 'printf x >> steps; sleep 0.01; [ $1 -gt 300 ] || setsid sh -c "$0" "$0" $(($1 + 1)) > /dev/null 2>&1 &';
    const { process } = await ask('processes.start', {
      argv: ['sh', '-c', 'for i in $(seq 30); do setsid sh -c "$1" "$1" 0 & done; sleep 300', 'sh', relay],
    });
    await eventually(() => fs.statSync(at('steps')).size > 300);
    const loop = watchLoop();
    const begun = performance.now();
    await soon('the end of all', ask('processes.stop', { id: process.id, graceMs: 0 }), 10_000);
    const longest = loop.stop();
    const steps = fs.statSync(at('steps')).size;
    assert.deepEqual(withEnvironment(`OUTRIGGER_PROCESS=${process.id}`), []);
    assert.ok(performance.now() - begun < 5000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    assert.equal(fs.statSync(at('steps')).size, steps, 'none that nobody saw goes on');
    assert.ok(longest < 500, `the loop stood still for ${longest} ms`);
  }));

test('a service whose folder is moved away waits for it, and runs again when it is back', () =>
  withTable(async ({ ask, put, at }) => {
    put('home/file');
    const { process } = await ask('processes.start', { argv: ['sleep', '300'], path: 'home', restart: { when: 'always', most: 1000 } });
    fs.renameSync(at('home'), at('away'));
    await ask('processes.signal', { id: process.id, signal: 'SIGKILL' });
    let waiting: ProcessInfo | undefined;
    await eventually(async () => {
      waiting = await ask('processes.get', { id: process.id });
      return waiting.problem !== undefined;
    });
    assert.match(waiting?.problem ?? '', /home/);
    fs.renameSync(at('away'), at('home'));
    await eventually(async () => (await ask('processes.get', { id: process.id })).state === 'running', 10_000);
  }));

test('a program goes on in a folder that is removed, and ends as ever', () =>
  withTable(async ({ ask, put, at }) => {
    put('gone/file');
    const { process } = await ask('processes.start', { argv: sh('read line; exit 5'), path: 'gone', keepStdinOpen: true });
    fs.rmSync(at('gone'), { recursive: true });
    await ask('processes.input', { id: process.id, text: 'on\n' });
    assert.equal((await ask('processes.wait', { id: process.id })).process.exitCode, 5);
    await fails('FILE_NOT_FOUND', ask('processes.restart', { id: process.id }));
  }));

test('waiting leaves nothing behind when it is over', () =>
  withTable(async ({ ask }) => {
    const { process: ended } = await ask('processes.start', { argv: ['true'] });
    await ask('processes.wait', { id: ended.id });
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    globalThis.gc?.();
    const before = timers();
    for (let round = 0; round < 200; round++) await ask('processes.wait', { id: ended.id, timeoutMs: 86_400_000 });
    assert.ok(timers() - before < 5, `${timers() - before} timers more`);
  }));
