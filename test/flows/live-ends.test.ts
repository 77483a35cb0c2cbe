// Live interpreters against a real sidecar: what a run started is ended with it, what it took is measured, and its limits are its own.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import { test } from 'node:test';
import type { CodeOutcome } from '../../src/contract/code.ts';
import { AttackRange, attackLimits, rangeFolder } from '../kit/attacks/attack-range.ts';
import { mutantLauncher } from '../kit/attacks/mutant-launcher.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withSidecar } from '../kit/sidecar.ts';

const skip = process.platform === 'linux' ? requireTool('python3') : 'there is isolation on Linux alone';
const ENDED = 'Programs that the code had started were ended with the run.';
const MEBIBYTE = 1024 * 1024;
const isRoot = process.getuid?.() === 0;
/** Nobody, and no other test's: the kernel counts what a user runs wherever it runs. */
const STRANGER = 65_531;
const rungs = ['namespaces', 'landlock'] as const;
/** Needs `os` and `time`. */
const moreThan20 = `refused = 0
for _ in range(40):
  try:
    if os.fork() == 0:
      time.sleep(5)
      os._exit(0)
  except OSError:
    refused += 1
time.sleep(0.2)
print(refused > 0)`;

interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
  /** Programs that were there when the answer came, and not before the run. */
  left: string[];
}

type Run = (language: string, code: string, more?: Record<string, unknown>) => Promise<Seen>;

function withLive(rung: (typeof rungs)[number], work: (run: Run) => Promise<void>): Promise<void> {
  return withSidecar(
    async ({ client }) => {
      const run: Run = async (language, code, more = {}) => {
        const before = below();
        const stream = client.stream('code.run', { language, code, keepState: true, ...more });
        const text = { stdout: '', stderr: '' };
        for await (const item of stream) if (item.type === 'output') text[item.stream] += item.text;
        const end = await stream.end;
        assert.equal(end.isolation.name, rung);
        // What makes the cage of a run that was ended takes some ms more.
        const left = [...below()].flatMap(([pid, name]) => (before.has(pid) || name.startsWith('outrigger-') ? [] : [name]));
        return { end, out: text.stdout, err: text.stderr, left };
      };
      await work(run);
    },
    { config: { components: ['files', 'code'], 'code.isolation': rung, 'code.warm': '0' } },
  );
}

interface Facts {
  parent: number;
  name: string;
  isAlive: boolean;
  cpu: number;
}

function factsOf(pid: number): Facts | undefined {
  try {
    const { fields, name, isLeaving } = statOf(`/proc/${pid}/stat`);
    const [, parent = ''] = fields;
    // The first thread may have ended, and others go on.
    const isAlive =
      !isLeaving ||
      fs.readdirSync(`/proc/${pid}/task`).some((thread) => thread !== String(pid) && isRunning(`/proc/${pid}/task/${thread}/stat`));
    return { parent: Number(parent), name, isAlive, cpu: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined;
  }
}

function statOf(file: string): { fields: string[]; name: string; isLeaving: boolean } {
  const stat = fs.readFileSync(file, 'utf8');
  const at = stat.lastIndexOf(')');
  const fields = stat.slice(at + 2).split(' ');
  // Flag 4: it is on its way out in the kernel.
  const isLeaving = 'ZX'.includes(fields[0] ?? '') || (Number(fields[6]) & 4) !== 0;
  return { fields, name: stat.slice(stat.indexOf('(') + 1, at), isLeaving };
}

function isRunning(file: string): boolean {
  try {
    return !statOf(file).isLeaving;
  } catch {
    // It ended between the two looks.
    return false;
  }
}

/** Everything that runs below this process, as the sidecar does, by its number. */
function below(): Map<number, string> {
  const all = new Map<number, Facts>();
  for (const name of fs.readdirSync('/proc')) {
    const facts = /^\d+$/.test(name) ? factsOf(Number(name)) : undefined;
    if (facts !== undefined) all.set(Number(name), facts);
  }
  const isBelow = (pid: number): boolean => {
    const parent = all.get(pid)?.parent ?? 0;
    return parent === process.pid || (parent > 1 && isBelow(parent));
  };
  return new Map([...all].flatMap(([pid, { name, isAlive }]) => (isAlive && isBelow(pid) ? [[pid, name] as const] : [])));
}

/** Ticks of the processor that all below took so far. */
function ticks(): number {
  return [...below().keys()].reduce((sum, pid) => sum + (factsOf(pid)?.cpu ?? 0), 0);
}

const quietly = 'stdin=-3, stdout=-3, stderr=-3';
/** Of each, nothing is to be left. `x` is 1 before. */
const starts: { says: string; language: 'py' | 'js'; code: string; needsShared?: true }[] = [
  {
    says: 'a program in a session of its own',
    language: 'py',
    code: `import subprocess\nsubprocess.Popen(["sleep", "30"], start_new_session=True, ${quietly})\nx += 1`,
  },
  {
    says: 'a daemon of a double fork, which ignores all signals and has another name',
    language: 'py',
    code: `import ctypes, os, signal, time
r, w = os.pipe()
if os.fork() == 0:
  os.setsid()
  if os.fork() == 0:
    for n in range(1, 65):
      try: signal.signal(n, signal.SIG_IGN)
      except (OSError, ValueError): pass
    ctypes.CDLL(None).prctl(15, b"kworker/0:1", 0, 0, 0)
    os.write(w, b"x")
    while True: pass
  os._exit(0)
os.wait()
os.read(r, 1)
x += 1`,
  },
  {
    says: 'programs that were stopped',
    language: 'py',
    code: `import os, signal, subprocess
for _ in range(3): os.kill(subprocess.Popen(["sleep", "30"], ${quietly}).pid, signal.SIGSTOP)
x += 1`,
  },
  {
    says: 'a program whose first thread has ended',
    language: 'py',
    code: `import ctypes, os, threading, time
r, w = os.pipe()
if os.fork() == 0:
  def go_on():
    time.sleep(0.05)
    os.write(w, b"x")
    while True: time.sleep(0.01)
  threading.Thread(target=go_on, daemon=True).start()
  ctypes.CDLL(None).syscall(60 if os.uname().machine == "x86_64" else 93, 0)
os.read(r, 1)
x += 1`,
  },
  {
    says: 'a daemon that forks on and on and is always another',
    language: 'py',
    code: `import os
if os.fork() == 0:
  os.setsid()
  while True:
    if os.fork(): os._exit(0)
x += 1`,
  },
  {
    says: 'children that fork on and on',
    language: 'py',
    code: `import os, time
if os.fork() == 0:
  os.setsid()
  while True:
    try: os.fork()
    except OSError: pass
time.sleep(0.2)
x += 1`,
  },
  {
    says: 'programs that wake all that was stopped, and fork',
    language: 'py',
    code: `import os, signal, time
for _ in range(3):
  if os.fork() == 0:
    os.setsid()
    signal.signal(signal.SIGCONT, signal.SIG_IGN)
    while True:
      try: os.kill(-1, signal.SIGCONT)
      except OSError: pass
      try:
        if os.fork(): os._exit(0)
      except OSError: pass
time.sleep(0.1)
x += 1`,
  },
  {
    says: 'a pool of processes that is kept in a variable',
    language: 'py',
    // Its locks lie in /dev/shm.
    needsShared: true,
    code: 'import math, multiprocessing\npool = multiprocessing.get_context("fork").Pool(3)\nx += sum(pool.map(int, ["0", "1"]))',
  },
  {
    says: 'what was started before it failed',
    language: 'py',
    code: `import subprocess\nsubprocess.Popen(["sleep", "30"], ${quietly})\nx += 1\nraise KeyError("k")`,
  },
  {
    says: 'a detached program',
    language: 'js',
    code: 'require("child_process").spawn("sleep", ["30"], { detached: true, stdio: "ignore" }).unref(); x += 1; undefined',
  },
  {
    says: 'programs that nobody listens to',
    language: 'js',
    code: `for (const stdio of ["pipe", "ignore", "inherit"]) require("child_process").spawn("sleep", ["30"], { stdio }).on("error", () => {}); x += 1; undefined`,
  },
  {
    says: 'a shell that leaves one behind, deaf to signals',
    language: 'js',
    code: `require("child_process").execSync("trap '' HUP INT TERM; setsid sh -c 'trap \\"\\" HUP INT TERM; while :; do sleep 1; done' <&- >&- 2>&- &"); x += 1; undefined`,
  },
];

for (const rung of rungs)
  test(`on the rung ${rung}:`, { skip }, (context) =>
    withLive(rung, async (run) => {
      for (const { says, language, code } of starts.filter(({ needsShared }) => needsShared !== true || rung === 'namespaces'))
        await context.test(`${says} ends with its run (${language}), and the variables live on`, async () => {
          const limits = { processes: 40 };
          const { session } = (await run(language, language === 'py' ? 'x = 1' : 'var x = 1;', { limits })).end;
          const { end, err, left } = await run(language, code, { session, limits });
          assert.deepEqual([end.reason, left, end.notes.includes(ENDED)], ['exit', [], true], `${err} ${end.notes.join()}`);
          const next = await run(language, language === 'py' ? 'print(x)' : 'console.log(x)', { session, limits });
          assert.deepEqual([next.out, next.end.used.interpreter], ['2\n', 'live'], next.err);
        });

      await context.test(
        'a run that started nothing, or waited for what it started, has no note, nor one whose programs ended by themselves',
        async () => {
          const { session, notes } = (await run('py', 'import subprocess, time\nx = 1')).end;
          const waited = await run('py', 'print(subprocess.run(["echo", "hi"], capture_output=True).stdout)', { session });
          const gone = await run('py', `time.child = subprocess.Popen(["true"], ${quietly})\ntime.sleep(0.3)`, { session });
          const after = await run('py', 'print(time.child.wait())', { session });
          assert.deepEqual([notes, waited.end.notes, waited.out, after.out, after.end.notes], [[], [], "b'hi\\n'\n", '0\n', []]);
          assert.deepEqual(
            gone.end.notes.filter((note) => note === ENDED),
            [],
          );
        },
      );

      await context.test(
        'code in JavaScript waits for programs that it listens to, and for those that end by themselves meanwhile',
        async () => {
          const { out, end, err } = await run(
            'js',
            `const { exec, spawn } = require("child_process");
exec("sleep 0.6; echo exec", (_, said) => console.log(said.trim()));
spawn("sh", ["-c", "sleep 0.1; echo piped"]).stdout.pipe(process.stdout);
(async () => { for await (const part of spawn("sh", ["-c", "sleep 1.1; echo read"]).stdout) console.log(String(part).trim()); })();
const late = spawn("sh", ["-c", "sleep 1.6"]);
setTimeout(() => late.on("exit", (code) => console.log("late", code)), 300);
undefined`,
          );
          assert.deepEqual([out, end.exitCode, end.notes.includes(ENDED)], ['piped\nexec\nread\nlate 0\n', 0, false], err);
        },
      );

      await context.test(
        'threads that go on after the answer take no time, start nothing that stays, and go on with the next run (long form)',
        async () => {
          const forks = `import os, threading, time
count = 0
def go_on():
  global count
  while True:
    count += 1
    if count % 50 == 0 and os.fork() == 0:
      while True: pass
    time.sleep(0.001)
threading.Thread(target=go_on, daemon=True).start()
def burn():
  while True: pass
threading.Thread(target=burn, daemon=True).start()
def now(): return count`;
          const { session } = (await run('py', forks)).end;
          const before = below();
          await new Promise((resolve) => setTimeout(resolve, 300));
          const [names, taken] = [[...below().keys()], ticks()];
          await new Promise((resolve) => setTimeout(resolve, 500));
          assert.deepEqual([...below().keys()], names);
          assert.ok(ticks() - taken <= 2, `${ticks() - taken} ticks`);
          assert.ok(names.length <= before.size, `${names.length} of ${before.size}`);
          const next = await run('py', 'a = now()\ntime.sleep(0.2)\nprint(now() > a)', { session });
          assert.deepEqual([next.out, next.end.used.interpreter], ['True\n', 'live'], next.err);
        },
      );

      await context.test('a fork that the code does not end is no second interpreter', async () => {
        const { session } = (await run('py', 'import os\nx = 1')).end;
        for (let round = 0; round < 5; round++) {
          const { end, left } = await run('py', 'child = os.fork()\nx += 1', { session });
          assert.deepEqual([end.reason, end.exitCode, left], ['exit', 0, []], end.notes.join());
        }
        const { out, end } = await run('py', 'print(x)', { session });
        assert.deepEqual([out, end.used.interpreter], ['6\n', 'live']);
      });

      await context.test('what a run took of processor and memory is its own, with that of what it started', async () => {
        // Other work of the machine makes each step dearer: what a program itself says it took is what ours is held against.
        const burn = (ms: number): string => `while time.process_time() - t < ${ms / 1000}: pass`;
        const begin = 't = time.process_time()';
        const say = 'print(round((time.process_time() - t) * 1000))';
        const first = await run('py', 'import subprocess, sys, time\nx = 1');
        const { session } = first.end;
        const taken = ({ end }: Seen): [number, number] => [end.program?.cpuMs ?? -1, (end.program?.memoryBytes ?? -1) / MEBIBYTE];
        const near = (ms: number, { out }: Seen): void => {
          const own = Number(out);
          assert.ok(own >= 300 && ms >= own - 50 && ms < own + 150, `${ms} ms, by its own account ${own} ms`);
        };
        const [startMs, startMiB] = taken(first);
        assert.ok(startMs > 1 && startMs < 1000 && startMiB > 3 && startMiB < 90, `${startMs} ms, ${startMiB} MiB`);
        const busy = await run('py', `${begin}\nbig = b"x" * ${100 * MEBIBYTE}\n${burn(300)}\ndel big\n${say}`, { session });
        const [busyMs, busyMiB] = taken(busy);
        near(busyMs, busy);
        assert.ok(busyMiB > 100 && busyMiB < 200, `${busyMiB} MiB`);
        const [quietMs, quietMiB] = taken(await run('py', 'x += 1', { session }));
        assert.ok(quietMs >= 0 && quietMs < 150 && quietMiB > 3 && quietMiB < 90, `${quietMs} ms, ${quietMiB} MiB`);
        const program = JSON.stringify(`import time\nt = 0\n${burn(300)}\n${say}`);
        const child = await run('py', `print(subprocess.check_output([sys.executable, "-c", ${program}], text=True))`, { session });
        near(taken(child)[0], child);
        const stray = `import os\nif os.fork() == 0:\n  os.setsid()\n  while True: pass\ntime.sleep(0.4)`;
        const [strayMs] = taken(await run('py', stray, { session }));
        assert.ok(strayMs >= 30 && strayMs < 900, `${strayMs} ms`);
        const [lastMs] = taken(await run('py', 'x += 1', { session }));
        assert.ok(lastMs < 150, `${lastMs} ms`);
        const js = await run(
          'js',
          'let c; do { for (let n = 0; n < 1e5; n++); c = process.cpuUsage(); } while (c.user + c.system < 300_000);',
        );
        const [jsMs, jsMiB] = taken(js);
        assert.ok(jsMs >= 250 && jsMs < 1500 && jsMiB > 10, `${jsMs} ms, ${jsMiB} MiB`);
      });

      await context.test(
        'the limit of processor time holds for each run by itself, and another one needs no other interpreter (long form)',
        async () => {
          const { session } = (await run('py', 'import time\nx = 1')).end;
          const burn = (ms: number): string => `t = time.process_time()\nwhile time.process_time() - t < ${ms / 1000}: pass\nx += 1`;
          for (let round = 0; round < 3; round++) {
            const { end } = await run('py', burn(300), { session, limits: { cpuMs: 500 } });
            assert.deepEqual([end.reason, end.used.interpreter, end.notes], ['exit', 'live', []]);
          }
          const more = await run('py', burn(700), { session });
          assert.deepEqual([more.end.reason, more.end.used.interpreter], ['exit', 'live']);
          const limits = { cpuMs: 500, wallMs: 8000 };
          for (const [language, code] of [
            ['py', 'while True: pass'],
            ['js', 'for (;;);'],
            ['py', 'import os\nos.fork()\nwhile True: pass'],
          ] as const) {
            const { end, left } = await run(language, code, { ...(language === 'py' ? { session } : {}), limits });
            assert.deepEqual([end.reason, end.exitCode, end.program?.limit, left], ['cpu', 124, { name: 'cpuMs', value: 500 }, []]);
            assert.ok((end.program?.cpuMs ?? 0) >= 450 && (end.program?.cpuMs ?? 0) < 900, `${end.program?.cpuMs} ms`);
            assert.ok((end.program?.wallMs ?? 0) < 4000, `${end.program?.wallMs} ms`);
          }
          const { out } = await run('py', 'print(x)', { session });
          assert.equal(out, '5\n');
        },
      );

      await context.test('the limit of processes is named by the run that met it', async () => {
        const limits = { processes: 20 };
        const { session } = (await run('py', 'import os, time', { limits })).end;
        const met = await run('py', moreThan20, { session, limits });
        assert.deepEqual(
          [met.out, met.end.reason, met.end.program?.limit, met.left],
          ['True\n', 'exit', { name: 'processes', value: 20 }, []],
        );
        const next = await run('py', 'time.sleep(0.1)', { session, limits });
        assert.deepEqual([next.end.program?.limit, next.end.used.interpreter], [null, 'live']);
      });

      await context.test('an interpreter that rests is continued for what comes, and ended with its session', async () => {
        const before = below();
        for (const language of ['py', 'js']) {
          const { session } = (await run(language, language === 'py' ? 'x = 0' : 'var x = 0;')).end;
          for (const ms of [0, 10, 30, 100]) {
            await new Promise((resolve) => setTimeout(resolve, ms));
            const { end } = await run(language, 'x += 1', { session });
            assert.deepEqual([end.used.interpreter, end.exitCode], ['live', 0]);
          }
        }
        // Those of earlier sessions may have made room for it.
        assert.ok([...below().keys()].some((pid) => !before.has(pid)));
      });
    }),
  );

test('programs of two sidecars are no user together, and take none of the processes of the other', {
  skip: skip || (isRoot ? false : 'needs root'),
}, async () => {
  const limits = { processes: 20 };
  await withLive('landlock', (runOne) =>
    withLive('landlock', async (runOther) => {
      const who = 'import os, time; print(os.getuid())';
      const [one, other] = [await runOne('py', who, { limits }), await runOther('py', who, { limits })];
      assert.notEqual(one.out, other.out);
      const { session } = one.end;
      const met = await runOne('py', moreThan20, { session, limits });
      assert.deepEqual([met.out, met.end.program?.limit], ['True\n', { name: 'processes', value: 20 }]);
      const { out } = await runOther('py', 'print(os.getuid())', { session: other.end.session, limits });
      assert.equal(out, other.out);
    }),
  );
});

test('one whose parent ends while it is looked for is found, and ended (long form)', {
  skip: skip || (isRoot ? false : 'needs root'),
}, async () => {
  const base = rangeFolder();
  const range = new AttackRange(base, 2, [], 'server', await mutantLauncher(base, 'looksSlowly'));
  try {
    const said = Promise.withResolvers<void>();
    const program = await range.sandbox.startAt(2, {
      argv: [
        '/usr/bin/python3',
        '-c',
        `import os, sys, time
input()
if os.fork() == 0:
  os.setsid()
  time.sleep(0.02)
  if os.fork() == 0: time.sleep(30)
  os._exit(0)
print(flush=True)
sys.stdin.read()`,
      ],
      env: { PATH: '/usr/bin:/bin' },
      folder: range.folder(),
      readable: [],
      limits: { ...attackLimits, wallMs: 20_000 },
      memoryMethod: 'tree',
      network: false,
      keepStdinOpen: true,
      waits: true,
      signal: new AbortController().signal,
      onOutput: () => {},
    });
    program.begin?.({ wallMs: 20_000, outputBytes: MEBIBYTE, cpuMs: 5000 }, () => said.resolve());
    await program.write(Buffer.from('\n'));
    await said.promise;
    program.rest?.();
    const use = await program.settle?.();
    program.endInput();
    assert.equal((await program.end).exitCode, 0);
    assert.equal(use?.ended, 1);
  } finally {
    await range.close();
    fs.rmSync(base, { recursive: true, force: true });
  }
});

test('nothing is left of any of them', { skip }, () => eventually(() => assert.deepEqual([...below().values()], []), 3000));

test('for a user without any privilege all of that is so as well (long form)', {
  skip: skip || (isRoot ? false : 'needs root'),
}, async () => {
  const env = { ...process.env, HOME: '/nonexistent' };
  const child = spawn(process.execPath, ['--test-reporter=tap', import.meta.filename], {
    uid: STRANGER,
    gid: STRANGER,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (bytes) => {
    said += bytes;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(code, 0, said);
  assert.match(said, /^# skipped 2$/m);
});
