// Code runs against a real sidecar where things go wrong: killed, stopped, full, slow callers, many at once, sessions that end.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type Client, createClient } from '../../src/client/client.ts';
import type { CodeOutcome } from '../../src/contract/code.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { ownCodeFolder } from '../kit/code-folder.ts';
import { eventually } from '../kit/eventually.ts';
import { forgetPeak, memoryOf, noProc } from '../kit/process-memory.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';
import { withSmallDisk } from '../kit/small-disk.ts';

const needsPython = { skip: requireTool('python3') };
const needsC = { skip: requireTool('gcc') || requireTool('python3') };

/** Programs of runs that were given this mark in their environment. */
const marked = (mark: string): number[] => markedWith('MARK', (value) => value === mark);

interface Spawned {
  sidecar: SidecarProcess;
  client: Client<Operations>;
}

/** A sidecar in a process of its own, and the next one in its place; the folder of runs is `code`. */
async function withProcess(
  run: (kit: { next: () => Promise<Spawned>; code: string }) => Promise<void>,
  flags: Record<string, string> = {},
): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-code-faults-'));
  // Users of runs pass through it.
  fs.chmodSync(folder, 0o711);
  const code = path.join(folder, 'code');
  fs.mkdirSync(path.join(folder, 'work'));
  const all: Spawned[] = [];
  try {
    await run({
      code,
      next: async () => {
        const sidecar = await spawnSidecar({
          root: path.join(folder, 'work'),
          state: path.join(folder, 'state'),
          port: 0,
          flags: { components: 'files,code', 'code.folder': code, ...flags },
        });
        const spawned = { sidecar, client: createClient<Operations>({ url: sidecar.url, token: processToken }) };
        all.push(spawned);
        return spawned;
      },
    });
  } finally {
    for (const { sidecar, client } of all) {
      client.close();
      if (sidecar.child.exitCode === null && sidecar.child.signalCode === null) await sidecar.kill();
    }
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function runOn(
  client: Client<Operations>,
  input: Record<string, unknown> & { language: string; code: string },
): Promise<{ out: string; err: string; end: CodeOutcome }> {
  const stream = client.stream('code.run', input);
  const seen = { out: '', err: '' };
  for await (const item of stream) if (item.type === 'output') seen[item.stream === 'stdout' ? 'out' : 'err'] += item.text;
  return { ...seen, end: await stream.end };
}

test(
  'programs die with a sidecar that is killed; the next one cleans up, and has sessions, files, state and what was compiled',
  needsC,
  () =>
    withProcess(async ({ next, code }) => {
      const first = await next();
      const made = await runOn(first.client, { language: 'py', code: 'x = 41\nopen("out.txt", "w").write("kept")', keepState: true });
      const { session } = made.end;
      const program = '#include <stdio.h>\nint main(){puts("hi");}';
      assert.equal((await runOn(first.client, { language: 'c', code: program })).end.used.compileCache, 'miss');
      const mark = `killed-${process.pid}-${Date.now()}`;
      // What a fork got for its work is in the environment of its children alone.
      const stray = 'import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(60)';
      const starts = `import subprocess, sys, time\nsubprocess.Popen([sys.executable, "-c", ${JSON.stringify(stray)}])\ntime.sleep(60)`;
      const busy = { env: { MARK: mark }, code: starts, language: 'py' };
      const c = { env: { MARK: mark }, code: '#include <unistd.h>\nint main(){sleep(60);}', language: 'c', session };
      const gone = [busy, c].map((input) =>
        runOn(first.client, input).then(
          () => 'ended',
          () => 'lost',
        ),
      );
      await eventually(() => assert.ok(marked(mark).length >= 3), 10_000);
      await first.sidecar.kill();
      first.client.close();
      await eventually(() => assert.deepEqual(marked(mark), []));
      assert.deepEqual(await Promise.all(gone), ['lost', 'lost']);
      const second = await next();
      const info = await second.client.call('code.session', { session });
      assert.deepEqual(
        info.files.map(({ name }) => name),
        ['out.txt'],
      );
      const again = await runOn(second.client, {
        language: 'py',
        code: 'import os\nprint(x + 1, os.listdir("."))',
        keepState: true,
        session,
      });
      assert.deepEqual([again.out, again.end.used.restored], ["42 ['out.txt']\n", true], again.err);
      assert.equal((await runOn(second.client, { language: 'c', code: program })).end.used.compileCache, 'hit');
      await eventually(() =>
        assert.deepEqual(
          fs
            .readdirSync(path.join(ownCodeFolder(code), 'running'))
            .filter((name) => name.startsWith('run-') && !isInUse(path.join(ownCodeFolder(code), 'running', name))),
          [],
        ),
      );
      const known = (await second.client.call('code.sessions', {})).sessions.map(({ id }) => id);
      for (const id of known)
        assert.deepEqual(
          fs.readdirSync(path.join(ownCodeFolder(code), 'sessions', id, 'data')).filter((name) => name.startsWith('.')),
          [],
        );
      assert.equal(await second.sidecar.stop(), 0);
    }),
);

test('of one folder with two states, each used in its turn, neither takes the sessions of the other (long form)', needsPython, () =>
  withScratchFolder('code-states', async (folder, workspace) => {
    const withState = (state: string, run: (client: Client<Operations>) => Promise<void>): Promise<void> =>
      withSidecar(({ client }) => run(client), { workspace, config: { state: path.join(folder, state), components: 'files,code' } });
    const write = { language: 'py', code: 'open("out.txt", "w").write("kept")' };
    let session = '';
    await withState('one', async (client) => {
      session = (await runOn(client, write)).end.session;
    });
    await withState('two', async (client) => void (await runOn(client, write)));
    await withState('one', async (client) => {
      const { out, err } = await runOn(client, { language: 'py', code: 'print(open("out.txt").read())', session });
      assert.equal(out, 'kept\n', err);
    });
  }),
);

/** Interpreters that wait have a folder of their own. */
function isInUse(folder: string): boolean {
  return fs.existsSync('/proc/self') && markedWith('TMPDIR', (value) => value === folder).length > 0;
}

test('a stop ends runs, interpreters that wait and those that live on, and leaves no process and no folder of theirs', needsC, () =>
  withProcess(
    async ({ next, code }) => {
      const { sidecar, client } = await next();
      const mark = `stopped-${process.pid}-${Date.now()}`;
      const env = { MARK: mark };
      // What an interpreter that waited got for its work is in the environment of its children alone.
      const child = 'import signal, subprocess, time\nsubprocess.Popen(["sleep", "60"])\n';
      // What this one started is over with its run; the interpreter lives on.
      await runOn(client, { language: 'py', code: child, keepState: true, env });
      const runs = [
        `${child}while True: time.sleep(1)`,
        `${child}for n in range(1, 30):\n  try: signal.signal(n, signal.SIG_IGN)\n  except OSError: pass\ntime.sleep(60)`,
      ].map((source) =>
        runOn(client, { language: 'py', code: source, env }).then(
          ({ end }) => end.reason,
          (error: { reason?: string }) => error.reason ?? 'lost',
        ),
      );
      await eventually(() => assert.ok(marked(mark).length >= 2), 10_000);
      const begun = performance.now();
      assert.equal(await sidecar.stop(), 0);
      assert.ok(performance.now() - begun < 5000, `${performance.now() - begun} ms`);
      await Promise.all(runs);
      assert.deepEqual(marked(mark), []);
      assert.deepEqual(fs.readdirSync(path.join(ownCodeFolder(code), 'running')), []);
      const left = fs.readdirSync(path.join(ownCodeFolder(code), 'sessions'));
      assert.equal(left.length, 3, 'folders of interpreters that waited are left');
      for (const session of left) assert.deepEqual(fs.readdirSync(path.join(ownCodeFolder(code), 'sessions', session, 'data')), []);
    },
    { stopGraceMs: '300' },
  ),
);

test('what a sidecar left in a shared folder and did not come back for in a week is removed by the next one that runs code there', () =>
  withScratchFolder('code-forgotten', async (folder) => {
    const code = path.join(folder, 'code');
    const withWorkspace = (name: string, run: (client: Client<Operations>) => Promise<void>): Promise<void> => {
      const config = { components: 'files,code', state: path.join(folder, `state-${name}`), 'code.folder': code };
      return withSidecar(({ client }) => run(client), { workspace: path.join(folder, name), config });
    };
    await withWorkspace('first', (client) => client.call('code.isolation', {}).then(() => {}));
    const left = ownCodeFolder(code);
    const aWeekAgo = Date.now() / 1000 - 7 * 86_400 - 60;
    fs.mkdirSync(path.join(left, 'compiled', 'one'), { recursive: true });
    fs.utimesSync(path.join(left, '.outrigger-seen'), aWeekAgo, aWeekAgo);
    fs.mkdirSync(path.join(code, 'theirs', 'sessions'), { recursive: true });
    await withWorkspace('second', async (client) => {
      await client.call('code.isolation', {});
      await eventually(() => assert.equal(fs.existsSync(left), false));
    });
    assert.ok(fs.existsSync(path.join(code, 'theirs', 'sessions')));
    assert.equal(fs.readdirSync(code).length, 2);
    await withWorkspace('first', async (client) => {
      const { id } = await client.call('code.openSession', {});
      assert.deepEqual(
        (await client.call('code.sessions', {})).sessions.map((session) => session.id),
        [id],
      );
    });
  }));

test('two workspaces with one folder for code runs leave each other’s sessions alone, also where it is away at a start (long form)', () =>
  withScratchFolder('code-shared', async (folder) => {
    const code = path.join(folder, 'code');
    const withWorkspace = async (name: string, run: (client: Client<Operations>) => Promise<void>): Promise<void> => {
      const config = { components: 'files,code', state: path.join(folder, `state-${name}`), 'code.folder': code };
      await withSidecar(({ client }) => run(client), { workspace: path.join(folder, name), config });
    };
    const open = async (client: Client<Operations>): Promise<string> => (await client.call('code.openSession', { entity: 'one' })).id;
    const ids: Record<string, string> = {};
    for (const name of ['here', 'there']) await withWorkspace(name, async (client) => void (ids[name] = await open(client)));
    const areBack = async (): Promise<void> => {
      for (const name of ['here', 'there']) await withWorkspace(name, async (client) => assert.equal(await open(client), ids[name]));
    };
    await areBack();
    fs.renameSync(code, `${code}-away`);
    await withWorkspace('here', async (client) => {
      await assert.rejects(client.call('code.session', { session: ids.here ?? '' }), { reason: 'NO_SESSION', hint: /option code\.folder/ });
    });
    fs.rmSync(code, { recursive: true, force: true });
    fs.renameSync(`${code}-away`, code);
    await areBack();
  }));

test('on a full disk each step says so, and leaves no half file', needsC, (context) =>
  withSmallDisk(context, 6 * 1024, async (at) => {
    fs.chmodSync(at, 0o711);
    const filler = path.join(at, 'filler');
    const fill = (): void => {
      const descriptor = fs.openSync(filler, 'w');
      try {
        for (let size = 64 * 1024; size >= 512; size /= 2)
          try {
            for (;;) fs.writeSync(descriptor, Buffer.alloc(size));
          } catch {
            // Full; less may fit.
          }
      } finally {
        fs.closeSync(descriptor);
      }
    };
    await withSidecar(
      async ({ client, url, token }) => {
        const { id: session } = await client.call('code.openSession', {});
        const data = path.join(ownCodeFolder(path.join(at, 'code')), 'sessions', session, 'data');
        const put = (name: string, size: number): Promise<Response> =>
          fetch(`${url}/api/code.putFile?${new URLSearchParams({ session, name })}`, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
            body: Buffer.alloc(size, 'x'),
          });
        assert.equal((await put('small', 1000)).status, 200);
        const full = await put('big', 8 * 1024 * 1024);
        assert.deepEqual([full.status, ((await full.json()) as { reason: string }).reason], [507, 'DISK_FULL']);
        assert.deepEqual(fs.readdirSync(data), ['small']);
        // A program that fills it is told by the system, and what it wrote is given back.
        const wrote = await runOn(client, {
          language: 'py',
          session,
          code: 'import os\nopen("part", "wb").write(b"x" * 100_000)\ntry: open("rest", "wb", 0).write(b"x" * 20_000_000)\nexcept OSError as error: print(error.errno)\nos.remove("rest")',
        });
        assert.deepEqual(
          wrote.end.files.map(({ name }) => name),
          ['part'],
          wrote.err,
        );
        fill();
        // Neither the source nor a new session has room.
        await assert.rejects(runOn(client, { language: 'py', session, code: `#${'x'.repeat(100_000)}` }), { reason: 'DISK_FULL' });
        await assert.rejects(
          runOn(client, { language: 'py', code: `#${'x'.repeat(100_000)}`, files: [{ name: 'a', text: 'x'.repeat(50_000) }] }),
          { reason: 'DISK_FULL' },
        );
        assert.deepEqual(fs.readdirSync(data).sort(), ['part', 'small']);
        // Room for a source, none for what a compiler makes of it: that is the compiler's to say.
        fs.truncateSync(filler, Math.max(0, fs.statSync(filler).size - 8192));
        const compiled = await runOn(client, { language: 'c', session, code: '#include <stdio.h>\nint main(){puts("x");}' });
        assert.deepEqual([compiled.end.program, compiled.end.compile?.reason], [null, 'exit'], compiled.err);
        assert.match(compiled.err, /No space left|final close failed|cannot/);
        // What the compiler wrote goes after the answer.
        await eventually(() => assert.deepEqual(fs.readdirSync(data).sort(), ['part', 'small']));
        fs.rmSync(filler);
        // Variables that can't be written down are said, and the run is none the worse.
        const kept = await runOn(client, {
          language: 'py',
          session,
          keepState: true,
          code: 'import os\nx = os.urandom(8_000_000)\nprint(len(x))',
        });
        assert.deepEqual([kept.out, kept.end.reason], ['8000000\n', 'exit']);
        assert.match(kept.end.notes.join(), /could not be written down: .*disk is full/);
        assert.equal((await runOn(client, { language: 'c', session, code: '#include <stdio.h>\nint main(){puts("x");}' })).out, 'x\n');
        // With nothing left at all, sessions still answer and close.
        fill();
        assert.equal((await client.call('code.session', { session })).files.length, 2);
        await client.call('code.closeSession', { session });
        assert.ok(!fs.existsSync(path.dirname(data)));
      },
      { config: { components: ['files', 'code'], 'code.folder': path.join(at, 'code'), 'code.warm': '0' } },
    );
  }),
);

test(
  'a caller that reads slowly holds its program back, and costs the sidecar little (long form)',
  { skip: needsPython.skip || noProc },
  () =>
    withProcess(async ({ next }) => {
      const { sidecar, client } = await next();
      await runOn(client, { language: 'py', code: 'print(1)' });
      const pid = sidecar.child.pid as number;
      const before = memoryOf(pid).residentMb;
      forgetPeak(pid);
      const gone = new AbortController();
      const response = await fetch(`${sidecar.url}/api/code.run`, {
        method: 'POST',
        signal: gone.signal,
        headers: { authorization: `Bearer ${processToken}`, 'content-type': 'application/json', accept: 'application/x-ndjson' },
        body: JSON.stringify({
          language: 'py',
          code: 'import os\nfor n in range(300):\n  os.write(1, b"x" * 1_000_000)\n  open("written", "w").write(str(n))\nprint("end")',
          limits: { outputBytes: 16 * 1024 * 1024, wallMs: 20_000 },
        }),
      });
      const reader = response.body?.getReader();
      const first = new TextDecoder().decode((await reader?.read())?.value);
      const session = /"session":"(\w+)"/.exec(first)?.[1] ?? '';
      await new Promise((resolve) => setTimeout(resolve, 1500));
      // It got no further than what lies in the pipes between.
      assert.equal((await client.call('code.sessions', {})).sessions.find(({ id }) => id === session)?.id, session);
      assert.ok(memoryOf(pid).peakMb < before + 40, `${before} MB became ${memoryOf(pid).peakMb} MB`);
      // It is there again for those who read, up to the limit.
      let length = 0;
      let end = '';
      for (let part = await reader?.read(); part?.done === false; part = await reader?.read()) {
        length += part.value.length;
        end = (end + new TextDecoder().decode(part.value)).slice(-5000);
      }
      assert.ok(length > 16 * 1024 * 1024, `${length} bytes came`);
      assert.match(end, /"reason":"output"/);
      assert.ok(memoryOf(pid).peakMb < before + 80, `${before} MB became ${memoryOf(pid).peakMb} MB`);
      gone.abort();
    }),
);

test('fifty runs at once, of which four may run, all end right, and leave no process and no stray folder (long form)', needsPython, () =>
  withProcess(
    async ({ next, code }) => {
      const { client, sidecar } = await next();
      const all = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          runOn(client, {
            language: ['py', 'bash', 'js'][index % 3] as string,
            code: [`print(${index})`, `echo ${index}`, `console.log(${index})`][index % 3] as string,
          }),
        ),
      );
      assert.deepEqual(
        all.map(({ out, end }) => [out, end.reason, end.exitCode]),
        Array.from({ length: 50 }, (_, index) => [`${index}\n`, 'exit', 0]),
      );
      assert.equal(new Set(all.map(({ end }) => end.session)).size, 50);
      assert.ok(all.some(({ end }) => end.queuedMs > 0));
      assert.equal(await sidecar.stop(), 0);
      assert.equal(fs.readdirSync(path.join(ownCodeFolder(code), 'sessions')).length, 50);
    },
    { 'code.atOnce': '4' },
  ),
);

test(
  'sessions end after their life time with their folders, though nobody asks, and never with a run or an interpreter at work in them (long form)',
  needsPython,
  () =>
    withProcess(
      async ({ next, code }) => {
        const { client, sidecar } = await next();
        const folders = (): string[] => (fs.existsSync(code) ? fs.readdirSync(path.join(ownCodeFolder(code), 'sessions')) : []);
        await runOn(client, { language: 'bash', code: 'echo x > file' });
        const long = runOn(client, { language: 'bash', code: 'sleep 2.5; echo y > late; ls' });
        await eventually(() => assert.equal(folders().length, 2));
        await eventually(() => assert.equal(folders().length, 1), 5000);
        const { out, end } = await long;
        assert.deepEqual([out.split('\n').includes('late'), end.files.map(({ name }) => name)], [true, ['late']]);
        await runOn(client, { language: 'py', code: 'import time\ntime.sleep(1.5)', keepState: true });
        // The interpreter that lived on goes with its session.
        await eventually(() => assert.deepEqual(folders(), []), 8000);
        // Also those of an earlier life.
        await runOn(client, { language: 'bash', code: 'echo x > file' });
        await sidecar.kill();
        assert.equal(folders().length, 1);
        const again = await next();
        await eventually(() => assert.deepEqual(folders(), []), 8000);
        assert.equal(await again.sidecar.stop(), 0);
      },
      { 'code.sessionMs': '1000', 'code.warm': '0' },
    ),
);

test('a session holds so much and no more, of runs and of uploads, until something is removed', needsPython, () =>
  withSidecar(
    async ({ client, url, token }) => {
      const most = 4 * 1024 * 1024;
      const met = { name: 'sessionBytes', value: most };
      const put = (session: string, name: string, bytes: number): Promise<unknown> =>
        client.upload('code.putFile', { session, name }, Buffer.alloc(bytes, 'x'));
      const writes = (count: number): string =>
        `import os\nfor n in range(${count}): open(os.urandom(4).hex(), "wb").write(bytes(1 << 20))\nprint("all")`;
      const first = await runOn(client, { language: 'py', code: writes(3), entity: 'full' });
      assert.deepEqual([first.out, first.end.program?.limit, first.end.notes], ['all\n', null, []]);
      const { session } = first.end;
      await put(session, 'fits', 500_000);
      await assert.rejects(put(session, 'more', 1_000_000), { reason: 'SESSION_FULL', message: /more.*4194304/ });
      // The same name again counts once.
      await put(session, 'fits', 500_001);
      for (const keepState of [false, true]) {
        const { end } = await runOn(client, { language: 'py', code: writes(30), session, keepState });
        assert.deepEqual([end.exitCode === 0, end.program?.limit], [false, met], JSON.stringify(end));
        assert.match(end.notes.join(' '), /The session holds 4194304 bytes/);
        // As much as is written between two looks at most.
        const looks = await runOn(client, { language: 'py', code: writes(1), session });
        assert.deepEqual([looks.out, looks.end.program?.limit], ['', met]);
      }
      await assert.rejects(runOn(client, { language: 'py', code: '1', session, files: [{ name: 'x', text: 'x' }] }), {
        reason: 'SESSION_FULL',
      });
      const form = new FormData();
      form.append('file', new Blob(['x']), 'small.txt');
      form.append('entity_id', 'full');
      const refused = await fetch(`${url}/v1/upload`, { method: 'POST', headers: { authorization: `Bearer ${token}` }, body: form });
      assert.deepEqual([refused.status, ((await refused.json()) as { error_type: string }).error_type], [413, 'resource_exhausted']);
      const removed = await runOn(client, { language: 'bash', code: 'rm -r *; echo $?', session });
      assert.equal(removed.out, '0\n');
      const after = await runOn(client, { language: 'py', code: writes(2), session });
      assert.deepEqual([after.out, after.end.program?.limit, after.end.notes], ['all\n', null, []]);
      for (const { id } of after.end.files) await client.call('code.removeFile', { session, id });
      await put(session, 'again', 3_900_000);
    },
    { config: { components: ['files', 'code'], 'code.sessionBytes': String(4 * 1024 * 1024) } },
  ),
);

test('too many files and folders too deep in one another end a run, and its answer says which it was', () =>
  withSidecar(
    async ({ client, url, token }) => {
      const flood = 'for i in $(seq 20); do mkdir $i; for n in $(seq 1000); do : > $i/$n; done; done; while :; do :; done';
      const deep = 'for i in $(seq 120); do mkdir d; cd d; done; while :; do :; done';
      for (const [code, name, value, says] of [
        [flood, 'newFiles', 10_000, 'it made too many files, the limit is 10000'],
        [deep, 'folderDepth', 100, 'it made folders too deep in one another, the limit is 100'],
      ] as const) {
        const { end } = await runOn(client, { language: 'bash', code });
        assert.deepEqual([end.reason, end.program?.limit], ['disk', { name, value }]);
        const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
        const answer = await fetch(`${url}/v1/exec`, { method: 'POST', headers, body: JSON.stringify({ lang: 'bash', code }) });
        assert.match(((await answer.json()) as { stderr: string }).stderr, new RegExp(says));
      }
    },
    { config: { components: ['files', 'code'] } },
  ));

test('what a session may hold is bounded: files, their size, what one run gives back, and sessions', needsPython, () =>
  withSidecar(
    async ({ client }) => {
      const run = (code: string, more: Record<string, unknown> = {}): ReturnType<typeof runOn> =>
        runOn(client, { language: 'py', code, ...more });
      const made = await run('for n in range(9): open(f"f{n}", "w").write("x")\nopen("big", "wb").write(b"x" * 5000)');
      assert.deepEqual([made.end.files.map(({ name }) => name), made.end.omittedFiles], [['f0', 'f1', 'f2'], 7]);
      const { session } = made.end;
      await run('for n in range(9): open(f"f{n}", "w").write("xx")', { session });
      assert.deepEqual(
        (await client.call('code.session', { session })).files.map(({ size }) => size),
        [2, 2, 2],
      );
      await run('1', { session, files: [{ name: 'last', text: '' }] });
      await assert.rejects(run('1', { session, files: [{ name: 'more', text: '' }] }), { reason: 'TOO_MANY_SESSION_FILES' });
      await assert.rejects(run('1', { files: [{ name: 'big', text: 'x'.repeat(2000) }] }), { reason: 'INPUT_TOO_LARGE' });
      // Runs that leave nothing behind take no room from others.
      for (let index = 0; index < 5; index++) assert.equal((await run('print(1)')).out, '1\n');
      await run('open("a", "w")');
      await assert.rejects(
        run('open("a", "w")', { entity: 'third' }).then(() => run('1')),
        { reason: 'TOO_MANY_SESSIONS' },
      );
    },
    {
      config: {
        components: ['files', 'code'],
        'code.sessionFiles': '4',
        'code.producedFiles': '3',
        'code.fileBytes': '1024',
        'code.sessions': '3',
      },
    },
  ),
);
