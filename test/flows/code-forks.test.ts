// Programs in Python are forks of one interpreter, each in a cage of its own: nothing of one is left for the next, and each is as if it were
// started by itself.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import type { CodeOutcome } from '../../src/contract/code.ts';
import { pythonDriver } from '../../src/services/exec/interpreters/python-driver.ts';
import { LadderSandbox } from '../../src/services/exec/isolation/ladder.ts';
import type { Part } from '../../src/services/exec/isolation/plan.ts';
import { defaultLimits } from '../../src/services/exec/limits.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

const skip = process.platform === 'linux' ? requireTool('python3') || requireTool('cc') : 'programs are forked on Linux';

interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
}

type Run = (code: string, more?: Record<string, unknown>) => Promise<Seen>;

function withCode(work: (run: Run, running: RunningSidecar) => Promise<void>, config: Record<string, string> = {}): Promise<void> {
  return withSidecar((running) => work(runIn(running), running), { config: { components: ['files', 'code'], ...config } });
}

function runIn({ client }: RunningSidecar): Run {
  return async (code, more = {}) => {
    const stream = client.stream('code.run', { language: 'py', code, ...more });
    const seen = { out: '', err: '' };
    for await (const item of stream) if (item.type === 'output') seen[item.stream === 'stdout' ? 'out' : 'err'] += item.text;
    return { ...seen, end: await stream.end };
  };
}

/** Ids of the processes that forks come from. */
function servers(): number[] {
  return fs.readdirSync('/proc').flatMap((name) => {
    try {
      const line = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8');
      const parent = /\) \S (\d+)/.exec(fs.readFileSync(`/proc/${name}/stat`, 'utf8'))?.[1];
      return /^\d+$/.test(name) && parent === String(process.pid) && line.includes('outrigger-cage.so') ? [Number(name)] : [];
    } catch {
      return [];
    }
  });
}

describe('a program that is a fork', { skip }, () => {
  test('finds nothing in its memory of those before it and beside it', () =>
    withCode(async (run) => {
      const marks = ['alpha', 'beta'].map((word) => `${word}-${Math.random().toString(36).slice(2)}-mark`);
      const first = await run('import sys\nprint(sys.argv)', { args: [marks[0]], env: { MARK: marks[1] } });
      assert.equal(first.end.used.interpreter, 'warm');
      // Orders that come together are read together.
      const [server = 0] = servers();
      process.kill(server, 'SIGSTOP');
      setTimeout(() => process.kill(server, 'SIGCONT'), 300);
      const { session } = first.end;
      const beside = run('import time\ntime.sleep(2)', { args: [marks[0]], env: { MARK: marks[1] }, session });
      // Backwards, in memory that is read backwards: so they are nowhere of our own making.
      const backwards = (text = ''): string => [...text].reverse().join('');
      const looking = await run(`
here = 'this stands here'
wanted = [text.encode() for text in ${JSON.stringify([session, ...marks, 'this stands here'].map(backwards))}]
found, size = set(), 0
with open('/proc/self/maps') as maps, open('/proc/self/mem', 'rb', 0) as memory:
    for line in maps.read().splitlines():
        span, rights = line.split()[:2]
        start, end = (int(number, 16) for number in span.split('-'))
        if 'r' not in rights or start >= 1 << 63 or '[v' in line:
            continue
        try:
            memory.seek(start)
            piece = memory.read(end - start)[::-1]
        except OSError:
            continue
        size += len(piece)
        found.update(number for number, text in enumerate(wanted) if text in piece)
print(size > 5000000, sorted(found))
`);
      await beside;
      assert.deepEqual([looking.err, looking.out, looking.end.used.interpreter], ['', 'True [3]\n', 'warm']);
    }));

  test('has the descriptors, paths, modules, variables and rights of one that was started by itself (long form)', async () => {
    const code = `
import os, resource, signal, site, stat, sys, threading
descriptors = {name: stat.S_IFMT(os.fstat(int(name)).st_mode) for name in '012'}
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
rights = {name: status[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp', 'Groups', 'SigBlk', 'SigIgn')}
limits = {name: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name.startswith('RLIMIT_')}
same_user = len(set(os.getresuid() + os.getresgid())) == 1
print(sys.path, sys.argv, sys.flags, descriptors, rights, limits, same_user, os.getcwd(), sorted(os.environ.items()), sys.stdout.encoding, sys.stdin.seekable(),
      sys.stdout.line_buffering, sys.stdout.write_through, site.getusersitepackages(), __name__, __file__, os.getpid() == os.getsid(0), threading.active_count(),
      'ctypes' in sys.modules, 'struct' in sys.modules, oct(os.umask(0)), open('/proc/self/cgroup').read().count('outrigger'), os.path.exists('/proc/1/root/etc'), sep='\\n')
`;
    const more = { args: ['one', 'zwei ä'], env: { OWN: 'ä b', PATH: '/usr/bin' }, stdin: 'input' };
    let cold: Seen | undefined;
    await withCode(async (run) => (cold = await run(code, more)).end && undefined, { 'code.warm': '0' });
    await withCode(async (run) => {
      const forked = await run(code, more);
      assert.deepEqual([cold?.end.used.interpreter, forked.end.used.interpreter], ['cold', 'warm']);
      assert.equal(cold?.err, '');
      assert.equal(forked.out, cold?.out);
      assert.equal(forked.err, '');
      const open = await run(
        "import os\nprint(sorted(os.listdir('/proc/self/fd')), os.readlink('/proc/self/fd/3').split(':')[0], os.get_inheritable(3))",
      );
      // The pipe by which it says how it ends; 4 is the folder that is being read.
      assert.equal(open.out, "['0', '1', '2', '3', '4'] pipe False\n");
    });
  });

  test('finds its own modules, whatever the interpreter needed before it', () =>
    withCode(async (run) => {
      const files = ['ctypes', 'struct', 'site', 'json'].map((name) => ({ name: `${name}.py`, text: "value = 'own'\n" }));
      const own = await run('import ctypes, struct, json\nprint(ctypes.value, struct.value, json.value)', { files });
      assert.equal(own.out, 'own own own\n', own.err);
      const real = await run('import ctypes, struct\nprint(ctypes.CDLL(None).abs(-7), struct.calcsize("i"))');
      assert.deepEqual([real.out, real.end.used.interpreter], ['7 4\n', 'warm'], real.err);
    }));

  test('ends when it ends, not when a child of its own does that went on as a fork (long form)', () =>
    withCode(async (run) => {
      const forks = await run(
        "import os, time\nif os.fork() == 0: print('child', flush=True)\nelse:\n    time.sleep(0.5)\n    print('parent')\n    os.wait()",
      );
      assert.deepEqual([forks.out, forks.end.exitCode], ['child\nparent\n', 0], forks.err);
      const raised = await run(
        'import os, sys\nif os.fork() == 0: sys.exit(3)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))\nsys.exit(4)',
      );
      assert.deepEqual([raised.out, raised.end.exitCode], ['3\n', 4]);
      // What it says of its end in place of the driver is its own affair.
      const early = await run("import os, time\nprint('x' * 200_000, flush=True)\nos.write(3, bytes([9]))\ntime.sleep(20)\nprint('later')");
      assert.deepEqual([early.out.length, early.end.reason, early.end.exitCode], [200_001, 'exit', 9]);
      const closed = await run("import os\nos.closerange(3, 100)\nfile = open('file', 'w')\nprint(file.fileno())");
      assert.deepEqual([closed.out, closed.end.exitCode, closed.end.files[0]?.size], ['3\n', 0, 0], closed.err);
    }));

  test('is counted, and limited, as one that was started by itself (long form)', () =>
    withCode(async (run) => {
      const busy = await run(
        'import time\nuntil = time.process_time() + 0.2\nwhile time.process_time() < until: pass\nheld = bytearray(60_000_000)',
      );
      assert.ok(
        (busy.end.program?.cpuMs ?? 0) >= 200 && (busy.end.program?.memoryBytes ?? 0) >= 60_000_000,
        JSON.stringify(busy.end.program),
      );
      const [memory, time, many] = await Promise.all([
        run('held = [b"x" * 1_000_000 for _ in range(400)]', { limits: { memoryBytes: 100_000_000 } }),
        run('while True: pass', { limits: { wallMs: 300 } }),
        run('import os, time\nfor _ in range(60):\n    if os.fork() == 0: time.sleep(5); os._exit(0)', { limits: { processes: 10 } }),
      ]);
      assert.deepEqual([memory.end.reason, time.end.reason], ['memory', 'timeout'], memory.err);
      assert.ok(many.end.reason === 'processes' || many.err.includes('BlockingIOError'), JSON.stringify(many.end));
    }));

  test('ends with the process that it came from, and the next one comes from another (long form)', () =>
    withCode(async (run) => {
      assert.equal((await run('print(1)')).end.used.interpreter, 'warm');
      const running = run('import time\nprint("up", flush=True)\ntime.sleep(60)', { limits: { wallMs: 50_000 } });
      await new Promise((resolve) => setTimeout(resolve, 500));
      const [server] = servers();
      assert.ok(server !== undefined);
      process.kill(server, 'SIGKILL');
      const { end } = await running;
      assert.notEqual(end.reason, 'exit');
      const next = await run('print(2)');
      assert.equal(next.out, '2\n');
      await eventually(async () => assert.equal((await run('print(3)')).end.used.interpreter, 'warm'));
      assert.notEqual(servers()[0], server);
    }));

  test('is none where it would own the interpreter that it is a fork of', {
    skip: process.getuid?.() === 0 ? false : 'needs root',
  }, async () => {
    const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-forks-'));
    fs.chmodSync(scratch, 0o711);
    const processes = new Processes({ env: process.env });
    const forks = async (without: readonly Part[]): Promise<boolean> => {
      const dependencies = {
        launcher: path.join(import.meta.dirname, '../../dist/bin/outrigger-launcher'),
        find: (program: string, options: { from: string; searchPath: string | undefined }) => processes.find(program, options),
        searchPath: process.env['PATH'],
        now: () => performance.now(),
        log: () => {},
      };
      const sandbox = new LadderSandbox(dependencies, { scratch, without });
      const folder = fs.mkdtempSync(path.join(scratch, 'run-'));
      const ending = new AbortController();
      const request = {
        ...{ argv: ['/usr/bin/python3'] as [string], env: {}, folder, readable: [], limits: defaultLimits, memoryMethod: 'tree' as const },
        ...{ network: false, keepStdinOpen: true, signal: ending.signal, onOutput: () => {} },
      };
      try {
        const program = await sandbox.fork(request, { argv: ['/usr/bin/python3', '-c', pythonDriver], env: {}, later: {}, mark: 'one' });
        ending.abort();
        await program?.gone;
        return program !== undefined;
      } finally {
        await sandbox.stop();
      }
    };
    try {
      // Root that stays root owns it.
      assert.deepEqual([await forks([]), await forks(['user'])], [true, false]);
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  });

  test('loads nothing outside of its cage that somebody could have put there', () =>
    withCode(async (run) => {
      await run('print(1)');
      const [server = 0] = servers();
      const environment = fs.readFileSync(`/proc/${server}/environ`, 'utf8').split('\0');
      assert.ok(environment.includes('HOME=/nonexistent'), environment.join(' '));
      assert.ok(!environment.some((entry) => entry.startsWith('PYTHONPATH=')));
      assert.equal(fs.readlinkSync(`/proc/${server}/cwd`), '/');
      // Nothing of ours is open there but its streams, its orders and where the streams of its cages come to.
      const open = fs.readdirSync(`/proc/${server}/fd`).map((name) => fs.readlinkSync(`/proc/${server}/fd/${name}`).split(':')[0]);
      assert.deepEqual(
        open
          .filter((what) => what !== 'socket')
          .map((what) => what?.replace(/^\/.*outrigger-fork-.*$/, 'cages'))
          .toSorted((one, other) => String(one).localeCompare(String(other))),
        ['anon_inode', 'cages'],
      );
    }));
});
