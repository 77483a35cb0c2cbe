import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { threadMs } from '../../../test/kit/loop-hold.ts';
import { fails, isAlive, sh, textOf, withTable } from '../../../test/kit/process-harness.ts';
import { standStill } from '../../../test/kit/stand-still.ts';
import { code } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Item } from '../../contract/operation.ts';
import { type OutputItem, processes } from '../../contract/processes.ts';
import { terminals } from '../../contract/terminals.ts';
import { withEnvironment } from './process-facts.ts';
import type { Run, RunHooks } from './run-hooks.ts';

test('a program runs in its folder, and its output comes in order with its exit code', () =>
  withTable(async ({ stream, put }) => {
    put('sub/file');
    const { items, end } = await stream('processes.run', {
      argv: sh('pwd; ls; sleep 0.1; echo wrong >&2; sleep 0.1; echo last; exit 3'),
      path: 'sub',
    });
    assert.match(textOf(items), /\/root\/sub\nfile\nwrong\nlast\n$/);
    assert.equal(textOf(items, 'stderr'), 'wrong\n');
    assert.equal(end.ended, true);
    const { state, exitCode, reason, pid } = end.process;
    assert.deepEqual({ state, exitCode, reason, pid }, { state: 'ended', exitCode: 3, reason: 'exit', pid: undefined });
  }));

test('those who follow processes hear that one wrote something, though nothing else of it changed', (t) =>
  withTable(async ({ table, ask, at }) => {
    execFileSync('mkfifo', [at('pipe')]);
    const pipe = fs.openSync(at('pipe'), 'r+');
    t.mock.timers.enable({ apis: ['setInterval'] });
    const news: number[] = [];
    const stop = table.onNews((one) => void ('process' in one && news.push(one.process.output.stdout.end)));
    const looked = (): number[] => {
      news.length = 0;
      t.mock.timers.tick(1000);
      return [...news];
    };
    try {
      const { id } = (await ask('processes.start', { argv: ['cat', 'pipe'] })).process;
      await eventually(() => assert.deepEqual([looked(), looked()], [[], []]));
      fs.writeSync(pipe, 'said\n');
      await ask('processes.wait', { id, until: 'text', text: 'said' });
      assert.deepEqual([looked(), looked()], [[5], []]);
    } finally {
      stop();
      t.mock.timers.reset();
      fs.closeSync(pipe);
    }
  }));

test('who follows processes hears that one is gone which was forgotten while all that there are were told', () =>
  withTable(async ({ ask, stream }) => {
    const ids: string[] = [];
    for (let count = 0; count < 3; count++) {
      const { process } = await ask('processes.start', { argv: ['true'] });
      await ask('processes.wait', { id: process.id });
      ids.push(process.id);
    }
    const [first = '', second = '', third = ''] = ids;
    const known = new Set<string>();
    const left = new AbortController();
    const emit = async (item: unknown): Promise<void> => {
      const news = item as Item<(typeof processes)['processes.watch']>;
      if (known.size === 0) await ask('processes.remove', { id: second });
      if (news.type === 'process') known.add(news.process.id);
      else if (news.type === 'removed') known.delete(news.id);
      else {
        await ask('processes.remove', { id: third });
        setImmediate(() => left.abort(new OutriggerError('CANCELED', 'It is enough.')));
      }
    };
    await fails('CANCELED', stream('processes.watch', {}, { signal: left.signal, emit }));
    assert.deepEqual([...known], [first]);
  }));

test('arguments are never read by a shell', () =>
  withTable(async ({ stream, at }) => {
    const nasty = ['$(touch evil)', '; touch evil', '`touch evil`', 'a\nb', '-n', '"', "'", '|', '> evil'];
    const { items } = await stream('processes.run', { argv: ['printf', '%s|', ...nasty] });
    assert.equal(textOf(items), nasty.map((one) => `${one}|`).join(''));
    assert.ok(!fs.existsSync(at('evil')));
  }));

test('the environment is small, and what is given comes on top and is shown to nobody', () =>
  withTable(async ({ stream, table }) => {
    process.env['OUTRIGGER_TOKEN'] = 'secret-of-ours';
    try {
      const { items, end } = await stream('processes.run', { argv: ['env'], env: { GIVEN: 'as-it-is' } });
      assert.match(textOf(items), /^GIVEN=as-it-is$/m);
      assert.match(textOf(items), /^PATH=/m);
      assert.doesNotMatch(textOf(items), /secret-of-ours/);
      assert.doesNotMatch(JSON.stringify([end, table.list()]), /as-it-is/);
    } finally {
      delete process.env['OUTRIGGER_TOKEN'];
    }
  }));

test('one waits a while, and the process lives on; another limit ends it', () =>
  withTable(async ({ stream, ask }) => {
    const script = sh('echo begin; sleep 30');
    const first = await stream('processes.run', { argv: script, waitMs: 300 });
    assert.equal(textOf(first.items), 'begin\n');
    assert.deepEqual([first.end.ended, first.end.process.state], [false, 'running']);
    const started = performance.now();
    const second = await stream('processes.run', { argv: script, timeoutMs: 300 });
    assert.deepEqual([second.end.process.reason, second.end.process.exitSignal], ['timeout', 'SIGTERM']);
    assert.ok(performance.now() - started < 3000);
    const stopped = await ask('processes.stop', { id: first.end.process.id });
    assert.deepEqual([stopped.state, stopped.reason], ['ended', 'stopped']);
  }));

test('a program that ended in its time while this process stood still has not met its limit', () =>
  withTable(async ({ ask }) => {
    const { process: started } = await ask('processes.start', { argv: sh('sleep 0.1'), timeoutMs: 600 });
    standStill(900);
    const { process: ended } = await ask('processes.wait', { id: started.id, until: 'exit' });
    assert.deepEqual([ended.reason, ended.exitCode], ['exit', 0]);
  }));

test('what was waited for, and came in time while this process stood still, has come', () =>
  withTable(async ({ ask, stream }) => {
    const { process: started } = await ask('processes.start', { argv: sh('echo begun; sleep 0.1; echo done') });
    const waiting = ask('processes.wait', { id: started.id, until: 'text', text: 'done', timeoutMs: 600 });
    standStill(900);
    assert.equal((await waiting).met, true);
    const running = stream('processes.run', { argv: sh('sleep 0.1'), waitMs: 600, tag: 'run' });
    await eventually(() => ask('processes.wait', { id: 'run', until: 'exit', timeoutMs: 1 }));
    standStill(900);
    assert.equal((await running).end.ended, true);
  }));

test('a program that ignores SIGTERM, and its children that hold the output, are gone soon after the limit', () =>
  withTable(async ({ stream, at }) => {
    const script = `trap '' TERM INT HUP; (trap '' TERM; echo $$ > child; exec sleep 300) & setsid sh -c 'trap "" TERM; echo $$ > far; sleep 300' & sleep 0.2; cat far; wait; sleep 300`;
    const started = performance.now();
    const { end } = await stream('processes.run', { argv: sh(script), timeoutMs: 600 });
    assert.equal(end.process.reason, 'timeout');
    assert.ok(performance.now() - started < 5000);
    for (const name of ['child', 'far']) assert.ok(!isAlive(Number(fs.readFileSync(at(name), 'utf8'))), name);
    assert.deepEqual(withEnvironment(`OUTRIGGER_PROCESS=${end.process.id}`), []);
  }));

test('the end of a program is the end of what it left in its group', () =>
  withTable(async ({ stream, at }) => {
    const { end } = await stream('processes.run', { argv: sh('sleep 300 & echo $! > child; echo done') });
    assert.equal(end.process.exitCode, 0);
    await eventually(() => !isAlive(Number(fs.readFileSync(at('child'), 'utf8'))));
  }));

test('of endless output the start and the end are kept, with nobody there, and what is between is counted', () =>
  withTable(
    async ({ ask, stream }) => {
      const { process } = await ask('processes.start', { argv: sh('echo first; yes 0123456789 | head -c 5000000; echo; echo last') });
      await ask('processes.wait', { id: process.id });
      const { items, end } = await stream('processes.output', { id: process.id });
      const text = textOf(items);
      assert.ok(text.startsWith('first\n0123456789\n') && text.endsWith('last\n'), text.slice(-50));
      const total = end.process.output.stdout;
      assert.equal(total.end, 5_000_000 + 'first\n\nlast\n'.length);
      assert.equal(text.length, 1000 + 5000);
      assert.equal(total.lost, total.end - 6000);
      assert.equal(
        items.reduce((sum, { lost = 0 }) => sum + lost, 0),
        total.lost,
      );
    },
    { headBytes: 1000, tailBytes: 5000 },
  ));

test('a reader that is slow gets what is still kept, and holds nothing back', () =>
  withTable(
    async ({ ask, stream }) => {
      const { process } = await ask('processes.start', { argv: sh('yes 0123456789 | head -c 20000000') });
      let slow = 0;
      const reading = stream(
        'processes.output',
        { id: process.id, follow: true },
        {
          emit: async (item) => {
            const { text = '', lost = 0 } = item as OutputItem;
            slow += text.length + lost;
            await new Promise((resolve) => setTimeout(resolve, 20));
          },
        },
      );
      const ended = await ask('processes.wait', { id: process.id });
      assert.equal(ended.met, true);
      const { end } = await reading;
      assert.equal(slow, 20_000_000);
      assert.equal(end.next.stdout, 20_000_000);
    },
    { headBytes: 1000, tailBytes: 100_000 },
  ));

test('who waits for a program gets all that it writes, however slow they are, and holds it back', () =>
  withTable(
    async ({ stream }) => {
      let got = 0;
      const { end } = await stream(
        'processes.run',
        { argv: sh('yes 0123456789 | head -c 3000000; echo end >&2') },
        {
          emit: async (item) => {
            const { text = '', lost } = item as OutputItem;
            assert.equal(lost, undefined);
            got += text.length;
            await new Promise((resolve) => setTimeout(resolve, 10));
          },
        },
      );
      assert.equal(got, 3_000_004);
      assert.equal(end.process.exitCode, 0);
    },
    { headBytes: 1000, tailBytes: 2_000_000 },
  ));

test('who waits for a program gets its last output, also when it ended long before they read on', async () => {
  for (const terminal of [undefined, { columns: 80, rows: 24 }])
    await withTable(
      async ({ stream }) => {
        const items: OutputItem[] = [];
        await stream(
          'processes.run',
          { argv: sh('head -c 600000 /dev/zero | tr "\\0" x; sleep 0.3; echo the end'), ...(terminal && { terminal }) },
          {
            emit: async (item) => {
              items.push(item as OutputItem);
              if (items.length === 1) await new Promise((resolve) => setTimeout(resolve, 2000));
            },
          },
        );
        assert.match(textOf(items), /^x{600000}the end\r?\n$/);
      },
      { headBytes: 1000, tailBytes: 2_000_000 },
    );
});

test('who stops waiting does not hold a program back any more', () =>
  withTable(
    async ({ stream, ask }) => {
      const { end } = await stream(
        'processes.run',
        { argv: ['yes', '0123456789'], waitMs: 300 },
        { emit: () => new Promise((resolve) => setTimeout(resolve, 100)) },
      );
      assert.equal(end.ended, false);
      const { id } = end.process;
      const { end: from } = (await ask('processes.get', { id })).output.stdout;
      await eventually(async () => (await ask('processes.get', { id })).output.stdout.end > from + 30_000_000);
      await ask('processes.stop', { id, graceMs: 0 });
    },
    { headBytes: 1000, tailBytes: 2_000_000 },
  ));

test('offsets go on where a reader left, and characters are never cut', () =>
  withTable(async ({ ask, stream }) => {
    const { process } = await ask('processes.start', {
      argv: sh(
        `printf 'a\\303'; sleep 0.15; echo between >&2; sleep 0.15; printf '\\244\\360\\237'; sleep 0.15; printf '\\230\\200z\\377\\303'`,
      ),
    });
    const { items, end } = await stream('processes.output', { id: process.id, follow: true });
    assert.equal(textOf(items, 'stdout'), 'aä😀z\ufffd\ufffd');
    assert.equal(textOf(items, 'stderr'), 'between\n');
    assert.equal(end.next.stdout, 10);
    const rest = await stream('processes.output', { id: process.id, from: { stdout: 7, stderr: 0 }, streams: ['stdout'] });
    assert.equal(textOf(rest.items), 'z\ufffd\ufffd');
    const bytes = await stream('processes.output', { id: process.id, encoding: 'base64', streams: ['stdout'], maxBytes: 2 });
    assert.deepEqual(
      [Buffer.from(bytes.items[0]?.base64 ?? '', 'base64'), bytes.end.next.stdout, bytes.end.ended],
      [Buffer.from([97, 0xc3]), 2, false],
    );
    const last = await stream('processes.output', { id: process.id, last: 3, streams: ['stdout'] });
    assert.equal(textOf(last.items), 'z\ufffd\ufffd');
  }));

test('a reader of text gets past a character whose rest is not kept, while the program runs', () =>
  withTable(
    async ({ ask, stream, table }) => {
      const { process } = await ask('processes.start', {
        argv: sh('i=0; while [ $i -lt 300 ]; do printf xx界; i=$((i+1)); done; exec sleep 300'),
      });
      const { log } = table.process(process.id);
      await eventually(() => log.end.stdout === 1500);
      const { items, end } = await stream('processes.output', { id: process.id });
      assert.deepEqual(end.next, { stdout: 1500, stderr: 0 });
      assert.equal(textOf(items).slice(0, 39), `${'xx界'.repeat(12)}xx\ufffd`);
      assert.equal(
        items.reduce((sum, { lost = 0 }) => sum + lost, 0),
        log.lost.stdout,
      );
    },
    { headBytes: 64, tailBytes: 256 },
  ));

test('input is given at once, or piece by piece until its end', () =>
  withTable(async ({ ask, stream }) => {
    const at_once = await stream('processes.run', { argv: ['cat'], stdin: 'grüße\n' });
    assert.equal(textOf(at_once.items), 'grüße\n');
    const none = await stream('processes.run', { argv: ['cat'] });
    assert.equal(none.end.process.exitCode, 0);
    const { process } = await ask('processes.start', { argv: ['cat'], keepStdinOpen: true });
    await ask('processes.input', { id: process.id, text: 'one\n' });
    assert.equal((await ask('processes.wait', { id: process.id, until: 'text', text: 'one\n' })).met, true);
    await ask('processes.input', { id: process.id, base64: Buffer.from('two\n').toString('base64'), end: true });
    assert.equal((await ask('processes.wait', { id: process.id })).process.exitCode, 0);
    assert.equal(textOf((await stream('processes.output', { id: process.id })).items), 'one\ntwo\n');
    await fails('PROCESS_ENDED', ask('processes.input', { id: process.id, text: 'three' }));
  }));

test('who gives input to a program that does not read can leave', () =>
  withTable(async ({ ask, stream }) => {
    const { process } = await ask('processes.start', { argv: ['sleep', '30'], keepStdinOpen: true });
    const leaving = new AbortController();
    const giving = stream('processes.input', { id: process.id, text: 'x'.repeat(1_000_000) }, { signal: leaving.signal });
    const gone = new OutriggerError('CANCELED', 'gone');
    setTimeout(() => leaving.abort(gone), 50);
    await assert.rejects(giving, gone);
  }));

test('what ended is not started again while another runs under its tag', () =>
  withTable(async ({ ask, table }) => {
    const first = await ask('processes.run', { argv: ['true'], tag: 'dev' });
    const second = await ask('processes.start', { argv: ['sleep', '30'], tag: 'dev' });
    await fails('PROCESS_RUNNING', ask('processes.restart', { id: first.process.id }));
    assert.deepEqual(
      table.list().map(({ id, state }) => [id, state]),
      [
        [second.process.id, 'running'],
        [first.process.id, 'ended'],
      ],
    );
    await ask('processes.restart', { id: second.process.id, graceMs: 0 });
    await ask('processes.stop', { id: second.process.id, graceMs: 0 });
    assert.equal((await ask('processes.restart', { id: first.process.id })).id, first.process.id);
  }));

test('a tag finds the process that runs, and nothing is started twice', () =>
  withTable(async ({ ask }) => {
    const first = await ask('processes.start', { argv: ['sleep', '30'], tag: 'dev' });
    const second = await ask('processes.start', { argv: ['sleep', '30'], tag: 'dev' });
    assert.deepEqual([first.existed, second.existed, second.process.id], [false, true, first.process.id]);
    await ask('processes.stop', { id: 'dev' });
    const third = await ask('processes.start', { argv: ['sleep', '30'], tag: 'dev' });
    assert.deepEqual([third.existed, third.process.id === first.process.id], [false, false]);
    assert.equal((await ask('processes.get', { id: 'dev' })).id, third.process.id);
  }));

test('who starts a tag that is just restarted gets that one', async () => {
  let restarting = false;
  await withTable(
    async ({ ask, table }) => {
      const spec = { argv: ['sleep', '30'], tag: 'dev', checkpoint: true };
      const { process } = await ask('processes.start', spec);
      restarting = true;
      const restart = ask('processes.restart', { id: 'dev' });
      await eventually(() => table.get(process.id).state === 'ended');
      const again = await ask('processes.start', spec);
      await restart;
      assert.deepEqual([again.existed, again.process.id, again.process.state], [true, process.id, 'running']);
      assert.equal(table.list().length, 1);
      // One that can't be started again makes way.
      const failing = ask('processes.restart', { id: 'dev' });
      await eventually(() => table.get(process.id).state === 'ended');
      const fresh = ask('processes.start', spec);
      await ask('processes.stop', { id: process.id });
      await fails('PROCESS_ENDED', failing);
      assert.equal((await fresh).existed, false);
    },
    { hooks: { before: async () => {}, after: () => new Promise((resolve) => setTimeout(resolve, restarting ? 500 : 0)) } },
  );
});

test('a text in the output, a port and the end can be waited for, and what can not come is said at once', () =>
  withTable(async ({ ask }) => {
    const script = `require('node:http').createServer().listen(0, '127.0.0.1', function () { console.log('listening on ' + this.address().port); });`;
    const { process: server } = await ask('processes.start', { argv: [process.execPath, '-e', script] });
    assert.equal((await ask('processes.wait', { id: server.id, until: 'text', text: 'listening on' })).met, true);
    const { met, process: there } = await ask('processes.wait', { id: server.id, until: 'port' });
    assert.equal(met, true);
    assert.equal(there.ports[0]?.address, '127.0.0.1');
    assert.equal((await ask('processes.wait', { id: server.id, until: 'text', text: 'never', timeoutMs: 100 })).met, false);
    const waiting = ask('processes.wait', { id: server.id, until: 'text', text: 'never', timeoutMs: 60_000 });
    await ask('processes.signal', { id: server.id, signal: 'SIGKILL' });
    assert.equal((await waiting).met, false);
    const ended = await ask('processes.wait', { id: server.id });
    assert.deepEqual([ended.met, ended.process.reason, ended.process.exitSignal], [true, 'signal', 'SIGKILL']);
  }));

test('a text is found wherever the pieces of the output end, and takes no longer where the output repeats itself', () =>
  withTable(
    async ({ ask }) => {
      const halves = await ask('processes.start', {
        argv: sh(String.raw`printf 'gr\303'; sleep 0.2; printf '\274ss'; sleep 0.2; printf 'e da'; sleep 30`),
      });
      for (const text of ['grüsse da', 'üss', 'e'])
        assert.equal((await ask('processes.wait', { id: halves.process.id, until: 'text', text })).met, true, text);
      assert.equal((await ask('processes.wait', { id: halves.process.id, until: 'text', text: 'gr\ufffd', timeoutMs: 50 })).met, false);
      const { process } = await ask('processes.start', { argv: sh(`head -c 4000000 /dev/zero | tr '\\0' a`) });
      await ask('processes.wait', { id: process.id });
      const started = threadMs();
      assert.equal(
        (await ask('processes.wait', { id: process.id, until: 'text', text: `${'a'.repeat(500)}b${'a'.repeat(499)}` })).met,
        false,
      );
      const took = Math.round(threadMs() - started);
      console.log(`1,000 characters in 4 MB of output: ${took} ms`);
      // By Buffer.includes it is more than half a second.
      assert.ok(took < 250, `${took} ms`);
    },
    { tailBytes: 4_000_000 },
  ));

test('what can not be started is an error and no process; a folder outside is refused', () =>
  withTable(async ({ ask, table, at, outside }) => {
    await fails('TOOL_MISSING', ask('processes.start', { argv: ['no-such-program'] }));
    await fails('FILE_NOT_FOUND', ask('processes.start', { argv: ['true'], path: 'nowhere' }));
    fs.symlinkSync(outside, at('link'));
    await fails('PATH_ESCAPES', ask('processes.start', { argv: ['true'], path: 'link' }));
    fs.writeFileSync(at('plain'), 'text', { mode: 0o644 });
    await fails('FILE_PERMISSION', ask('processes.start', { argv: ['./plain'] }));
    await fails('BAD_INPUT', ask('processes.start', { argv: ['true'], host: 'elsewhere' }));
    await fails('NO_PROCESS', ask('processes.get', { id: 'p-0' }));
    assert.deepEqual(table.list(), []);
  }));

test('a program is given 1,000 variables; one more is refused wherever one is started', () =>
  withTable(async ({ stream }) => {
    const env = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`VARIABLE_${at}`, `${at}`]));
    const { items } = await stream('processes.run', { argv: sh('env | grep -c ^VARIABLE_'), env });
    assert.equal(textOf(items), '1000\n');
    const more = { ...env, OTHER: '' };
    for (const { input, given } of [
      { input: processes['processes.start'].input, given: { argv: ['true'] } },
      { input: processes['processes.run'].input, given: { argv: ['true'] } },
      { input: terminals['terminals.open'].input, given: {} },
      { input: code['code.run'].input, given: { language: 'bash', code: 'true' } },
    ]) {
      assert.ok(input.safeParse({ ...given, env }).success);
      assert.match(String(input.safeParse({ ...given, env: more }).error), /At most 1000 variables/);
    }
  }));

test('there is an end to how many run, and to how many are remembered', () =>
  withTable(
    async ({ ask, stateFolder }) => {
      const running = await Promise.all([1, 2].map(() => ask('processes.start', { argv: ['sleep', '30'] })));
      await fails('TOO_MANY_PROCESSES', ask('processes.start', { argv: ['true'] }));
      await fails('PROCESS_RUNNING', ask('processes.remove', { id: running[0]?.process.id ?? '' }));
      await ask('processes.stop', { id: running[0]?.process.id ?? '', graceMs: 0 });
      for (let round = 0; round < 5; round++) {
        const { process } = await ask('processes.start', { argv: sh('echo out; echo err >&2') });
        await ask('processes.wait', { id: process.id });
      }
      const { processes } = await ask('processes.list', {});
      assert.deepEqual(processes.map(({ state }) => state).sort(), ['ended', 'ended', 'ended', 'running']);
      await ask('processes.remove', { id: processes[0]?.id ?? '' });
      assert.equal((await ask('processes.list', {})).processes.length, 3);
      assert.equal(fs.readdirSync(path.join(stateFolder, 'spools')).length, 4);
    },
    { maxRunning: 2, keepEnded: 3 },
  ));

test('a service is started again when it ends, until it is stopped or fails too often', () =>
  withTable(async ({ ask, stream }) => {
    const { process } = await ask('processes.start', { argv: sh('echo up; exit 1'), restart: { when: 'on-failure', most: 2 } });
    const ended = await ask('processes.wait', { id: process.id });
    assert.deepEqual([ended.process.restarts, ended.process.exitCode, ended.process.state], [2, 1, 'ended']);
    assert.equal(textOf((await stream('processes.output', { id: process.id })).items), 'up\nup\nup\n');
    const good = await ask('processes.start', { argv: ['true'], restart: { when: 'on-failure' } });
    assert.equal((await ask('processes.wait', { id: good.process.id })).process.restarts, 0);
    const always = await ask('processes.start', { argv: ['sleep', '300'], restart: { when: 'always' } });
    await ask('processes.signal', { id: always.process.id, signal: 'SIGKILL' });
    await eventually(
      async () =>
        (await ask('processes.get', { id: always.process.id })).restarts === 1 &&
        (await ask('processes.get', { id: always.process.id })).state === 'running',
    );
    const stopped = await ask('processes.stop', { id: always.process.id });
    assert.deepEqual([stopped.state, stopped.reason], ['ended', 'stopped']);
    const again = await ask('processes.restart', { id: always.process.id });
    assert.equal(again.state, 'running');
  }));

test('around the runs of agents others may look, and a failure of theirs keeps nothing', async () => {
  const seen: string[] = [];
  const hooks: RunHooks = {
    before: async ({ title }: Run) => void seen.push(`before ${title}`),
    after: async ({ title, cause }: Run) => {
      seen.push(`after ${title} of ${cause.who?.[0]?.name}`);
      throw new Error('no room');
    },
  };
  await withTable(
    async ({ stream, ask }) => {
      await stream('processes.run', { argv: ['true'] });
      const caller = { id: 'b', name: 'bot', kind: 'agent', access: 'execute' } as const;
      const { end } = await stream('processes.run', { argv: ['echo', 'a b'] }, { caller });
      assert.equal(end.process.exitCode, 0);
      await ask('processes.stop', { id: end.process.id });
      assert.deepEqual(seen, ['before echo "a b"', 'after echo "a b" of bot']);
    },
    { hooks },
  );
});

test('output and facts outlive the sidecar; who was to run always runs again, and nothing of the others is left', async () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join('/tmp', 'outrigger-processes-')));
  try {
    let ids: string[] = [];
    await withTable(
      async ({ ask }) => {
        const ended = await ask('processes.start', { argv: ['echo', 'kept'] });
        await ask('processes.wait', { id: ended.process.id });
        const plain = await ask('processes.start', { argv: ['sleep', '300'] });
        const always = await ask('processes.start', { argv: sh('echo up; exec sleep 300'), restart: { when: 'always' } });
        await ask('processes.wait', { id: always.process.id, until: 'text', text: 'up' });
        ids = [ended, plain, always].map(({ process }) => process.id);
      },
      { folder },
    );
    await withTable(
      async ({ ask, stream }) => {
        const [ended, plain, always] = ids as [string, string, string];
        assert.equal(textOf((await stream('processes.output', { id: ended })).items), 'kept\n');
        assert.deepEqual((await ask('processes.get', { id: plain })).reason, 'stopped');
        await eventually(async () => textOf((await stream('processes.output', { id: always })).items) === 'up\nup\n');
        assert.equal((await ask('processes.get', { id: always })).state, 'running');
      },
      { folder },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a storm of children ends with the process, and others are served meanwhile', () =>
  withTable(async ({ ask, stream }) => {
    const storm = await ask('processes.start', {
      argv: sh('echo go; while true; do sleep 100 & c=$((c+1)); [ $c -gt 400 ] && wait; done'),
    });
    await ask('processes.wait', { id: storm.process.id, until: 'text', text: 'go' });
    const started = performance.now();
    const other = await stream('processes.run', { argv: ['echo', 'served'] });
    assert.equal(textOf(other.items), 'served\n');
    await ask('processes.stop', { id: storm.process.id, graceMs: 100 });
    assert.ok(performance.now() - started < 5000);
    await eventually(() => withEnvironment(`OUTRIGGER_PROCESS=${storm.process.id}`).length === 0);
  }));

test('a program on a terminal sees one, with its size', () =>
  withTable(async ({ table, stream }) => {
    const { process } = await table.start({
      argv: ['sh', '-c', 'test -t 1 && stty size; read line; echo "got $line"; stty size'],
      path: '',
      env: {},
      terminal: { columns: 100, rows: 30 },
      checkpoint: false,
      startedBy: { name: 'Ada', kind: 'person' },
    });
    const managed = table.process(process.id);
    await eventually(() => managed.log.end.stdout > 0);
    managed.resize({ columns: 120, rows: 40 });
    await managed.write(Buffer.from('hallo\r'));
    await managed.ended;
    assert.match(textOf((await stream('processes.output', { id: process.id })).items), /30 100\r\nhallo\r\ngot hallo\r\n40 120\r\n$/);
  }));
