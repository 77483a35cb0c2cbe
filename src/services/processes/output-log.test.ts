// What becomes of the output of programs: logs that go away, readers that are slow, disks that are full.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { fails, hangs, isAlive, sh, soon, textOf, withTable } from '../../../test/kit/process-harness.ts';
import { noProc } from '../../../test/kit/process-memory.ts';
import { withSmallDisk } from '../../../test/kit/small-disk.ts';
import type { OutputItem, ProcessInfo } from '../../contract/processes.ts';

test('who follows a process that is removed hears its end, and nothing spins', () =>
  withTable(
    async ({ ask, stream, stateFolder }) => {
      const { process } = await ask('processes.start', { argv: sh('yes 0123456789 | head -c 1000000') });
      await ask('processes.wait', { id: process.id });
      const entered = Promise.withResolvers<void>();
      const go = Promise.withResolvers<void>();
      let items = 0;
      let bytes = 0;
      const reading = stream(
        'processes.output',
        { id: process.id, follow: true },
        {
          emit: async (item) => {
            const { text = '', lost = 0 } = item as OutputItem;
            bytes += text.length + lost;
            if (++items > 1000) throw new Error('it spins');
            entered.resolve();
            await go.promise;
          },
        },
      );
      await entered.promise;
      await ask('processes.remove', { id: process.id });
      go.resolve();
      const { end } = await soon('the rest of the log', reading);
      assert.equal(end.ended, true);
      assert.equal(bytes, 1_000_000);
      assert.deepEqual(fs.readdirSync(path.join(stateFolder, 'spools')), []);
    },
    { headBytes: 1000, tailBytes: 2_000_000 },
  ));

test('a log whose file was taken away is lost and counted, for who reads it and for who writes it', () =>
  withTable(async ({ ask, stream, stateFolder }) => {
    const { process } = await ask('processes.start', { argv: ['cat'], keepStdinOpen: true });
    await ask('processes.input', { id: process.id, text: 'first\n', end: true });
    await ask('processes.wait', { id: process.id });
    fs.rmSync(path.join(stateFolder, 'spools'), { recursive: true });
    const { items, end } = await soon('the log', stream('processes.output', { id: process.id }));
    assert.equal(end.ended, true);
    assert.equal(
      items.reduce((sum, { text = '', lost = 0 }) => sum + text.length + lost, 0),
      6,
    );
    // Others are started and kept all the same.
    const other = await stream('processes.run', { argv: ['echo', 'on'] });
    assert.equal(textOf(other.items), 'on\n');
  }));

test('a stream alone is read to its end, whatever the other one holds', () =>
  withTable(async ({ ask, stream }) => {
    const { process } = await ask('processes.start', { argv: sh('echo out; echo err >&2') });
    await ask('processes.wait', { id: process.id });
    const { items, end } = await stream('processes.output', { id: process.id, streams: ['stdout'] });
    assert.deepEqual([textOf(items), end.ended], ['out\n', true]);
    // A place that the log never had is its end.
    const beyond = await stream('processes.output', { id: process.id, from: { stdout: 1e6, stderr: 1e6 } });
    assert.deepEqual(beyond.end.next, { stdout: 4, stderr: 4 });
  }));

test('output that was waited for is not cut by others that end meanwhile', () =>
  withTable(
    async ({ stream, ask }) => {
      const go = Promise.withResolvers<void>();
      let got = 0;
      const slow = stream(
        'processes.run',
        { argv: sh('yes 0123456789 | head -c 300000') },
        {
          emit: async (item) => {
            got += ((item as OutputItem).text ?? '').length;
            await go.promise;
          },
        },
      );
      for (let round = 0; round < 4; round++) await ask('processes.run', { argv: ['true'] });
      go.resolve();
      const { end } = await slow;
      assert.deepEqual([got, end.process.exitCode], [300_000, 0]);
    },
    { keepEnded: 1, tailBytes: 1_000_000 },
  ));

test('two who wait for one program: the fast one does not take the output from the slow one', () =>
  withTable(
    async ({ stream }) => {
      const request = { argv: sh('sleep 0.2; yes 0123456789 | head -c 6000000'), tag: 'one' };
      const reader = (ms: number): { lost: number; got: number; emit: (item: unknown) => Promise<void> } => {
        const seen = {
          lost: 0,
          got: 0,
          emit: async (item: unknown) => {
            const { text = '', lost = 0 } = item as OutputItem;
            seen.got += text.length;
            seen.lost += lost;
            if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
          },
        };
        return seen;
      };
      const [fast, slow] = [reader(0), reader(8)];
      await Promise.all([stream('processes.run', request, { emit: fast.emit }), stream('processes.run', request, { emit: slow.emit })]);
      assert.deepEqual([fast.got, fast.lost, slow.got, slow.lost], [6_000_000, 0, 6_000_000, 0]);
    },
    { headBytes: 1000, tailBytes: 1_000_000 },
  ));

test('who waits only a while holds the program back no longer, though they do not read', () =>
  withTable(
    async ({ stream, ask }) => {
      const leaving = new AbortController();
      const stalled = stream(
        'processes.run',
        { argv: sh('yes 0123456789 | head -c 30000000'), waitMs: 300, tag: 'stalled' },
        { emit: () => hangs, signal: leaving.signal },
      );
      stalled.catch(() => {});
      await eventually(async () => (await ask('processes.list', {})).processes.length === 1);
      assert.equal((await ask('processes.wait', { id: 'stalled', timeoutMs: 10_000 })).process.exitCode, 0);
    },
    { headBytes: 1000, tailBytes: 1_000_000 },
  ));

test('who follows with `hold` makes the program wait and misses nothing, until they leave; who may only read can not', () =>
  withTable(
    async ({ ask, stream }) => {
      const total = 3_000_000;
      const flood = sh(`read go; yes 0123456789 | head -c ${total}`);
      await ask('processes.start', { argv: flood, keepStdinOpen: true, tag: 'flood' });
      const follow = { id: 'flood', follow: true, hold: true };
      const caller = { id: 'r', name: 'Ria', kind: 'person', access: 'read' } as const;
      await fails('ACCESS_DENIED', stream('processes.output', follow, { caller }));
      const seen = { bytes: 0, lost: 0, items: 0 };
      const leaving = new AbortController();
      const stalled = stream('processes.output', follow, { emit: () => hangs, signal: leaving.signal });
      const read = stream('processes.output', follow, {
        emit: async (item) => {
          const { text = '', lost = 0 } = item as OutputItem;
          seen.bytes += text.length;
          seen.lost += lost;
          if (seen.items++ % 4 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
        },
      });
      await ask('processes.input', { id: 'flood', text: 'go\n', end: true });
      // The one that stands still holds it for the other as well.
      await eventually(async () => assert.ok((await ask('processes.get', { id: 'flood' })).output.stdout.end > 0));
      assert.equal((await ask('processes.wait', { id: 'flood', timeoutMs: 300 })).met, false);
      leaving.abort();
      stalled.catch(() => {});
      await read;
      assert.deepEqual([seen.bytes, seen.lost], [total, 0]);
    },
    { headBytes: 1000, tailBytes: 400_000 },
  ));

test('a program that ended while somebody holds its last output back can be stopped', () =>
  withTable(
    async ({ stream, ask, table }) => {
      const reading = Promise.withResolvers<void>();
      let isReading = false;
      const run = stream(
        'processes.run',
        { argv: sh('head -c 600000 /dev/zero; sleep 0.2; echo the end'), tag: 'held' },
        {
          emit: () => {
            isReading = true;
            return reading.promise;
          },
        },
      );
      try {
        await eventually(() => isReading);
        const { pid = 0 } = table.get('held');
        await eventually(() => !isAlive(pid));
        await new Promise((resolve) => setTimeout(resolve, 1000));
        assert.equal(table.get('held').state, 'running');
        await soon('the stop', ask('processes.stop', { id: 'held', graceMs: 100 }), 2000);
      } finally {
        reading.resolve();
        await run;
      }
    },
    { headBytes: 1000, tailBytes: 2_000_000 },
  ));

test('the last output of a program in a terminal that ended while it was held back is read, or given up at a stop', { skip: noProc }, () =>
  withTable(
    async ({ table, at, ask }) => {
      const holder = {};
      /** One that ended when its terminal took no more; gives how many times 1000 bytes that took. */
      const ended = async (tag: string): Promise<number> => {
        const script = `read go; n=0; while :; do printf %01000d 0; n=$((n+1)); echo $n > ${tag}; done`;
        const { process } = await table.start({
          ...{ argv: ['sh', '-c', script], path: '', env: {}, checkpoint: false, tag },
          terminal: { columns: 80, rows: 24 },
          startedBy: { name: 'Ada', kind: 'person' },
        });
        const said = (): number => (fs.existsSync(at(tag)) ? Number(fs.readFileSync(at(tag), 'utf8')) : 0);
        table.process(tag).hold(holder);
        await table.process(tag).write(Buffer.from('\n'));
        for (let before = 0, same = 0; same < 20; before = said()) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          same = before > 0 && said() === before ? same + 1 : 0;
        }
        table.process(tag).signal('SIGKILL');
        await eventually(() => !isAlive(process.pid as number));
        // So long after the end of its program a terminal was closed, whatever was in it.
        await new Promise((resolve) => setTimeout(resolve, 400));
        return said();
      };
      const taken = await ended('held');
      assert.equal(table.get('held').state, 'running');
      table.process('held').letGo(holder);
      await soon('the end', table.process('held').ended);
      const { exitSignal, output } = table.get('held');
      assert.equal(exitSignal, 'SIGKILL');
      assert.ok(output.stdout.end >= 1000 * taken, `${1000 * taken} bytes became ${output.stdout.end}`);
      await ended('stopped');
      await soon('the stop', ask('processes.stop', { id: 'stopped', graceMs: 100 }), 2000);
    },
    { tailBytes: 2_000_000 },
  ),
);

test('on a full disk a program goes on, what is lost is counted, and the log goes on when there is room again', async (context) => {
  await withSmallDisk(context, 1024, (at) =>
    withTable(
      async ({ ask, stream, stateFolder }) => {
        const { process } = await ask('processes.start', { argv: ['cat'], keepStdinOpen: true });
        await ask('processes.input', { id: process.id, text: 'before\n' });
        await ask('processes.wait', { id: process.id, until: 'text', text: 'before' });
        const ballast = path.join(at, 'ballast');
        assert.throws(() => fs.writeFileSync(ballast, Buffer.alloc(4_000_000)), /ENOSPC/);
        await ask('processes.input', { id: process.id, text: 'x'.repeat(500_000) });
        const inBetween = await eventuallyEnd(ask, process.id, 500_007);
        assert.ok(inBetween.output.stdout.lost > 300_000, JSON.stringify(inBetween.output));
        // Another one can be started, whose log there is no room for.
        const other = await stream('processes.run', { argv: sh('exit 4') });
        assert.equal(other.end.process.exitCode, 4);
        fs.rmSync(ballast);
        await ask('processes.input', { id: process.id, text: '\nafter\n', end: true });
        const { process: ended } = await ask('processes.wait', { id: process.id });
        const { items, end } = await stream('processes.output', { id: process.id });
        assert.match(textOf(items), /^before\n[^]*\nafter\n$/);
        assert.equal(end.next.stdout, 500_014);
        assert.equal(
          items.reduce((sum, { text = '', lost = 0 }) => sum + text.length + lost, 0),
          500_014,
        );
        assert.ok(ended.output.stdout.lost > 0);
        assert.ok(fs.existsSync(stateFolder));
      },
      { folder: at, onProblem: () => {}, tailBytes: 2_000_000 },
    ),
  );
});

async function eventuallyEnd(
  ask: (name: 'processes.get', input: { id: string }) => Promise<ProcessInfo>,
  id: string,
  end: number,
): Promise<ProcessInfo> {
  let info = await ask('processes.get', { id });
  await eventually(async () => {
    info = await ask('processes.get', { id });
    return info.output.stdout.end === end;
  });
  return info;
}
