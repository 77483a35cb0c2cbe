import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { after, describe, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { AttackRange, rangeFolder } from '../kit/attacks/attack-range.ts';
import { eventually } from '../kit/eventually.ts';
import { buildLauncher } from '../kit/native-programs.ts';
import { requireTool } from '../kit/require-tools.ts';

const base = rangeFolder();
after(() => fs.rmSync(base, { recursive: true, force: true }));
const skip =
  process.platform === 'linux' ? requireTool('cc', 'bwrap') || buildLauncher(path.join(base, 'launcher')) : 'the launcher is for Linux';
const launcher = path.join(base, 'launcher');
const asRoot = process.getuid?.() === 0 ? skip : 'needs root';
const SLOTS_FROM = 61_000;

describe('where root runs programs, and a folder above is closed to others,', { skip: asRoot }, () => {
  /** Nobody but root passes through it. */
  function closedRange(rung: 2 | 3): AttackRange {
    const closed = path.join(base, `closed-${rung}`);
    fs.mkdirSync(closed, { mode: 0o700 });
    fs.copyFileSync(launcher, path.join(closed, 'launcher'));
    return new AttackRange(closed, rung);
  }
  const who = ['/bin/sh', '-c', 'id -u; grep ^Cap /proc/self/status; echo open > /dev/stderr; echo kept > file'] as [string, ...string[]];
  const capabilities = (stdout: string) => stdout.match(/[0-9a-f]{16}/g);

  test('a program below the highest rung stays root, without a single capability', async () => {
    const range = closedRange(2);
    try {
      const { stdout, stderr, end, folder } = await range.run(who, range.folder());
      assert.deepEqual([end.exitCode, stdout.split('\n')[0], stderr], [0, '0', 'open\n'], JSON.stringify(end));
      assert.deepEqual(capabilities(stdout), Array(5).fill('0'.repeat(16)));
      assert.equal(fs.readFileSync(path.join(folder, 'file'), 'utf8'), 'kept\n');
      await range.open();
      for (const attack of ['spies', 'signals_us', 'kernel', 'leftovers']) {
        const { breaches, stderr: said } = await range.attack(attack);
        assert.deepEqual(breaches, [], `${attack} ${said}`);
      }
    } finally {
      await range.close();
    }
  });

  test('a program on the highest rung is another user all the same', async () => {
    const range = closedRange(3);
    try {
      const { stdout, stderr, end, folder } = await range.run(who, range.folder());
      assert.deepEqual([end.exitCode, stderr], [0, 'open\n'], JSON.stringify(end));
      assert.ok(Number(stdout.split('\n')[0]) >= SLOTS_FROM, stdout);
      assert.deepEqual([fs.statSync(folder).uid, fs.statSync(path.join(folder, 'file')).uid], [0, 0], 'all of it is ours again');
    } finally {
      await range.close();
    }
  });
});

describe('where root runs programs, the folder of a program', { skip: asRoot }, () => {
  const appends = 'echo more >> old && echo new > inner/new && id -u';
  const ownersOf = (folder: string): number[] =>
    ['', 'old', 'inner', 'inner/new'].map((name) => fs.statSync(path.join(folder, name), { throwIfNoEntry: false })?.uid ?? -1);

  for (const rung of [2, 3] as const)
    for (const starts of ['server', 'program'] as const)
      test(`is its own where another one was killed with all that would have given it back, on rung ${rung} by a ${starts}`, async () => {
        const range = new AttackRange(base, rung, [], starts, launcher);
        try {
          const folder = range.folder();
          fs.mkdirSync(path.join(folder, 'inner'), { mode: 0o700 });
          fs.writeFileSync(path.join(folder, 'old'), 'old\n', { mode: 0o600 });
          // Of two that were killed: the second one while it was about to take what it had.
          for (const [name, user] of Object.entries({ '': SLOTS_FROM + 1, inner: SLOTS_FROM + 2, old: SLOTS_FROM + 3999 }))
            fs.chownSync(path.join(folder, name), user, user);
          const { end, stdout, stderr } = await range.run(['/bin/sh', '-c', appends], folder);
          assert.deepEqual([end.exitCode, stderr], [0, ''], JSON.stringify(end));
          assert.ok(Number(stdout) >= SLOTS_FROM, stdout);
          assert.deepEqual(ownersOf(folder), [0, 0, 0, 0]);
          assert.equal(fs.readFileSync(path.join(folder, 'old'), 'utf8'), 'old\nmore\n');
        } finally {
          await range.close();
        }
      });

  test('is ours again when the last of two has ended, whichever came first', async () => {
    const range = new AttackRange(base, 2, [], 'server', launcher);
    try {
      for (const [first, second] of [
        ['0.2', '0.6'],
        ['0.6', '0.2'],
      ]) {
        const folder = range.folder();
        fs.mkdirSync(path.join(folder, 'inner'));
        const early = range.run(['/bin/sh', '-c', `echo > old; sleep ${first}`], folder);
        await eventually(() => assert.ok(fs.existsSync(path.join(folder, 'old'))));
        const late = range.run(['/bin/sh', '-c', `${appends}; sleep ${second}`], folder);
        for (const { end, stderr } of await Promise.all([early, late])) assert.deepEqual([end.exitCode, stderr], [0, '']);
        assert.deepEqual(ownersOf(folder), [0, 0, 0, 0]);
      }
    } finally {
      await range.close();
    }
  });
});

describe('typing into a terminal of ours', { skip }, () => {
  /** Starts a command on a terminal, the controlling one of its session or not; prints what came of it. */
  const onTerminal = `
import fcntl, os, pty, subprocess, sys, termios
controlling, command = sys.argv[1] == 'yes', sys.argv[2:]
master, slave = pty.openpty()
def own():
    os.setsid()
    if controlling: fcntl.ioctl(0, termios.TIOCSCTTY, 0)
print(subprocess.run(command, stdin=slave, stdout=subprocess.PIPE, preexec_fn=own).stdout.decode().strip())`;
  /** `name`: the terminal, or a descriptor of it, which becomes the controlling one where that is asked for. */
  const types = `
import fcntl, os, sys, termios
def attempt(what):
    try: what()
    except OSError as error: print(error.strerror); sys.exit()
name, take = sys.argv[1:]
if take == 'take': attempt(lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
attempt(lambda: fcntl.ioctl(os.open(name, os.O_RDWR), termios.TIOCSTI, b'x'))
print('typed')`;
  const typing = (controlling: 'yes' | 'no', cage: string[], name: string, take: 'take' | 'leave'): string =>
    spawnSync('/usr/bin/python3', ['-c', onTerminal, controlling, ...cage, '/usr/bin/python3', '-c', types, name, take], {
      encoding: 'utf8',
      timeout: 20_000,
    }).stdout.trim();
  const cage = (...options: string[]): string[] => [launcher, '--cage', ...options, '--'];
  const off =
    fs.existsSync('/proc/sys/dev/tty/legacy_tiocsti') && fs.readFileSync('/proc/sys/dev/tty/legacy_tiocsti', 'utf8').trim() === '0';
  const skipOff = off ? 'this kernel refuses it to everybody' : false;

  test('works without a cage, so that the next ones mean something', { skip: skipOff }, () => {
    assert.equal(typing('yes', [], '/dev/tty', 'leave'), 'typed');
  });

  test('is held back by the session of its own alone: there is no terminal', () => {
    assert.equal(typing('yes', cage(), '/dev/tty', 'leave'), 'No such device or address');
  });

  test('is held back by the filter alone, where a program makes a terminal its own', { skip: skipOff }, () => {
    assert.equal(typing('no', cage(), '/dev/tty', 'take'), 'typed');
    assert.equal(typing('no', cage('--seccomp'), '/dev/tty', 'take'), 'Operation not permitted');
  });
});

describe('a program that waits for its order', { skip }, () => {
  const code = `
import os, sys, time
sys.stdin.buffer.raw.read(1)
for _ in range(4):
    if os.fork() == 0:
        taken = bytearray(os.urandom(1 << 20) * 48)
        time.sleep(30)
time.sleep(30)`;
  const start = (...options: string[]): ChildProcess =>
    spawn(launcher, ['--cage', '--report', '3', ...options, '--memory', String(96 << 20), '--', '/usr/bin/python3', '-c', code], {
      stdio: ['pipe', 'ignore', 'ignore', 'pipe'],
    });
  /** How often its supervisor had something to do in half a second. */
  const looks = async (child: ChildProcess): Promise<number> => {
    const count = (): number =>
      Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]);
    await wait(300);
    const before = count();
    await wait(500);
    return count() - before;
  };

  test('is looked at from then on, and not before (long form)', async () => {
    const [waiting, other] = [start('--waits'), start()];
    try {
      const [few, many] = await Promise.all([looks(waiting), looks(other)]);
      assert.ok(few <= 2 && many >= 5, `${few} looks at one that waits, ${many} at another`);
      const report = once(waiting.stdio[3] as Readable, 'data');
      waiting.stdin?.write('x');
      assert.equal((JSON.parse(String((await report)[0])) as { ended: string }).ended, 'memory');
    } finally {
      for (const child of [waiting, other]) child.kill('SIGTERM');
    }
  });
});

test('what a busy machine did not let come to its limit is tried once more, and longer, before it is said not to hold', {
  skip,
}, async () => {
  const range = new AttackRange(base, 3);
  try {
    const { sandbox } = range;
    const startAt = sandbox.startAt.bind(sandbox);
    const within: number[] = [];
    sandbox.startAt = async (rung, request) => {
      if (!request.argv.some((arg) => arg.startsWith('memory='))) return startAt(rung, request);
      within.push(request.limits.wallMs);
      const reason = within.length === 1 ? 'timeout' : 'memory';
      return { end: Promise.resolve({ reason, exitCode: null, signal: null, problem: null }) } as unknown as Awaited<
        ReturnType<typeof startAt>
      >;
    };
    const { evidence } = await sandbox.open();
    const [first = 0, second = 0] = within;
    assert.ok(second > first, within.join());
    assert.equal(evidence.find(({ protection }) => protection === 'memory')?.held, true, JSON.stringify(evidence));
  } finally {
    await range.close();
  }
});
