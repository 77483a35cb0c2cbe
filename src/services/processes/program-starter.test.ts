import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { buildLauncher } from '../../../test/kit/native-programs.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import { standStill } from '../../../test/kit/stand-still.ts';
import type { OutriggerError } from '../../contract/errors.ts';
import { Processes, type RunRequest } from './processes.ts';
import { ProgramStarter } from './program-starter.ts';
import type { ProgramRequest, StartedProgram } from './started-program.ts';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-starter-'));
const launcher = path.join(folder, 'launcher');
after(() => fs.rmSync(folder, { recursive: true, force: true }));
const skip = buildLauncher(launcher);

const shell = (script: string, more: Partial<ProgramRequest> = {}): ProgramRequest => ({
  file: '/bin/sh',
  argv: ['sh', '-c', script],
  cwd: '/',
  env: { PATH: '/usr/bin:/bin' },
  ...more,
});

async function outcomeOf(program: StartedProgram): Promise<{ stdout: string; stderr: string; exit: unknown }> {
  const texts = ['', ''];
  const ends = [program.stdout, program.stderr].map((output, at) => {
    output.on('data', (bytes) => {
      texts[at] += bytes.toString('latin1');
    });
    return new Promise<void>((resolve) => output.once('close', resolve));
  });
  const [exit] = await Promise.all([program.exit, ...ends]);
  return { stdout: texts[0] as string, stderr: texts[1] as string, exit };
}

/** The process that starts programs for `starter`, once it does; 0 while programs are started from this one. */
async function serverOf(starter: ProgramStarter): Promise<number> {
  const program = await starter.start(shell('echo $PPID'));
  program.stdin.end();
  const { stdout } = await outcomeOf(program);
  return Number(stdout) === process.pid ? 0 : Number(stdout);
}

/** Of all that runs here. */
function commandLines(): string {
  return fs
    .readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      } catch {
        // It ended meanwhile.
        return '';
      }
    })
    .join('\n');
}

const ways: [name: string, make: () => Promise<ProgramStarter>][] = [
  ['from this process', async () => new ProgramStarter()],
  [
    'by a small one',
    async () => {
      const starter = new ProgramStarter({ launcher });
      assert.notEqual(await serverOf(starter), 0);
      return starter;
    },
  ],
];

for (const [name, make] of ways)
  describe(`a program that is started ${name}`, { skip }, () => {
    const withStarter = async (work: (starter: ProgramStarter) => Promise<void>): Promise<void> => {
      const starter = await make();
      try {
        await work(starter);
      } finally {
        starter.close();
      }
    };

    test('has its name, arguments, folder, environment and streams, and nothing else of ours', () =>
      withStarter(async (starter) => {
        const script = 'printf "%s|" "$0" "$@"; pwd; env | sort; ls /proc/self/fd | tr "\\n" " "; cat; echo problem >&2; exit 7';
        const program = await starter.start({
          file: '/bin/sh',
          argv: ['another name', '-c', script, 'zero', '', 'two words', 'ö\n💡'],
          cwd: '/usr',
          env: { PATH: '/usr/bin:/bin', EMPTY: '', ODD: 'a=b c' },
        });
        program.stdin.end('what it reads');
        const { stdout, stderr, exit } = await outcomeOf(program);
        const text = Buffer.from(stdout, 'latin1').toString();
        assert.match(text, /^zero\|\|two words\|ö\n💡\|\/usr\n/);
        const variables = text.split('\n').filter((line) => /^[\w.]+=/.test(line) && !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
        assert.deepEqual(variables.sort(), ['EMPTY=', 'ODD=a=b c', 'PATH=/usr/bin:/bin']);
        // One is the folder that is listed. What this process was given by others, Node hands on.
        const others = spawnSync('/bin/ls', ['/proc/self/fd']).stdout.toString().split('\n');
        const [, open = ''] = /\n([\d ]+) what it reads$/.exec(text) ?? [];
        assert.deepEqual(open.split(' ').slice(0, 3), ['0', '1', '2']);
        assert.deepEqual(
          open.split(' ').filter((descriptor) => !others.includes(descriptor)),
          [],
        );
        assert.deepEqual([stderr, exit], ['problem\n', { exitCode: 7, exitSignal: null }]);
        const named = await starter.start({
          ...shell('tr "\\0" " " < /proc/$$/cmdline'),
          argv: ['its-name', '-c', 'cat /proc/$$/cmdline'],
        });
        named.stdin.end();
        assert.ok((await outcomeOf(named)).stdout.startsWith('its-name\0'));
      }));

    test('leads a group and a session, blocks and ignores no signal, and is told of by its own number', () =>
      withStarter(async (starter) => {
        const program = await starter.start(shell('cat /proc/$$/stat; read line'));
        let text = '';
        program.stdout.on('data', (bytes) => {
          text += bytes.toString();
        });
        await eventually(() => text.includes('\n'));
        const [pid, , , , group, session] = text
          .replace(/\(.*\)/, 'name')
          .split(' ')
          .map(Number);
        assert.deepEqual([pid, group, session], [program.pid, program.pid, program.pid]);
        assert.equal(program.hasEnded, false);
        program.stdin.end();
        assert.deepEqual([(await program.exit).exitCode, program.hasEnded], [1, true]);
        const status = await starter.start({ file: '/bin/grep', argv: ['grep', '^Sig', '/proc/self/status'], cwd: '/', env: {} });
        const { stdout } = await outcomeOf(status);
        assert.match(stdout, /SigBlk:\s0+\nSigIgn:\s0+\n/);
      }));

    test('takes and gives megabytes whole, and is held back by who does not read', () =>
      withStarter(async (starter) => {
        const sent = Buffer.alloc(3_000_000, 'a line of some length\n');
        const program = await starter.start({ file: '/bin/cat', argv: ['cat'], cwd: '/', env: {} });
        program.stdin.end(sent);
        const came = createHash('sha256');
        let bytes = 0;
        program.stdout.on('data', (chunk) => {
          bytes += chunk.length;
          came.update(chunk);
          program.stdout.pause();
          setTimeout(() => program.stdout.resume(), 1);
        });
        await Promise.all([program.exit, new Promise<void>((resolve) => program.stdout.once('close', resolve))]);
        assert.deepEqual([bytes, came.digest('hex')], [sent.length, createHash('sha256').update(sent).digest('hex')]);
      }));

    test('loses nothing when it is over before anybody listens, also many at once', () =>
      withStarter(async (starter) => {
        const texts = await Promise.all(
          Array.from({ length: 60 }, async (_, number) => {
            const { stdout, exit } = await starter.start(shell(`head -c 30000 /dev/zero; echo ${number}`));
            await exit;
            await new Promise((resolve) => setTimeout(resolve, number % 7));
            let text = '';
            stdout.on('data', (bytes) => {
              text += bytes.toString();
            });
            await new Promise<void>((resolve) => stdout.once('close', resolve));
            return text.slice(30_000);
          }),
        );
        assert.deepEqual(
          texts,
          Array.from({ length: 60 }, (_, number) => `${number}\n`),
        );
      }));

    test('hears signals with all of its group, and none when it is over', () =>
      withStarter(async (starter) => {
        const program = await starter.start(shell('trap "echo heard; exit 5" USR1; (trap "" USR1; echo ready; sleep 300) & wait'));
        let text = '';
        program.stdout.on('data', (bytes) => {
          text += bytes.toString();
        });
        await eventually(() => text.includes('ready'));
        program.signal('SIGUSR1');
        assert.deepEqual(await program.exit, { exitCode: 5, exitSignal: null });
        // The one it started holds its output until it is ended, too.
        const closed = new Promise<void>((resolve) => program.stdout.once('close', resolve));
        program.signal('SIGKILL');
        await closed;
        const killed = await starter.start(shell('sleep 300'));
        killed.signal('SIGKILL');
        assert.deepEqual(await killed.exit, { exitCode: null, exitSignal: 'SIGKILL' });
        for (const one of [program, killed]) one.signal('SIGTERM');
      }));

    test('leaves no descriptor, whatever it wrote to its input and whoever goes on to hold that', () =>
      withStarter(async (starter) => {
        const descriptors = (): number => fs.readdirSync('/proc/self/fd').length;
        const run = async (script: string): Promise<void> => {
          const program = await starter.start(shell(script));
          program.stdin.write(Buffer.alloc(1_000_000));
          await outcomeOf(program);
        };
        for (let count = 0; count < 5; count++) await run('true');
        const before = descriptors();
        for (let count = 0; count < 10; count++) {
          await run('exec 0<&-; echo done');
          await run('exec 3<&0; (sleep 3 <&3 >/dev/null 2>&1) & exit 0');
        }
        // Streams for programs that are yet to come are made meanwhile; of each of those twenty one would be left.
        await eventually(() => descriptors() < before + 10, 2500);
      }));

    test('starts among a hundred, however busy this process is', () =>
      withStarter(async (starter) => {
        const busy = setInterval(() => {
          for (const until = performance.now() + 25; performance.now() < until; );
        }, 1);
        const texts = await Promise.all(
          Array.from({ length: 100 }, async (_, number) => (await outcomeOf(await starter.start(shell(`echo ${number}`)))).stdout),
        );
        clearInterval(busy);
        assert.deepEqual(
          texts,
          Array.from({ length: 100 }, (_, number) => `${number}\n`),
        );
      }));

    test('is refused with the word of the system', () =>
      withStarter(async (starter) => {
        const script = path.join(folder, 'no-first-line');
        fs.writeFileSync(script, 'echo run by a shell\n', { mode: 0o755 });
        const refused: [Partial<ProgramRequest>, string][] = [
          [{ file: '/no/such' }, 'ENOENT'],
          [{ cwd: '/no/such' }, 'ENOENT'],
          [{ file: '/etc/passwd' }, 'EACCES'],
          [{ file: '/etc' }, 'EACCES'],
          [{ argv: ['sh', 'x'.repeat(200_000)] }, 'E2BIG'],
          [{ argv: ['sh', 'a\0b'] }, 'ERR_INVALID_ARG_VALUE'],
          [{ env: { NAME: 'a\0b' } }, 'ERR_INVALID_ARG_VALUE'],
        ];
        for (const [more, code] of refused)
          await assert.rejects(starter.start(shell('exit 0', more)), { code }, JSON.stringify(more).slice(0, 80));
        const program = await starter.start({ file: script, argv: [script], cwd: '/', env: {} });
        assert.equal((await outcomeOf(program)).stdout, 'run by a shell\n');
      }));
  });

describe('what starts programs', { skip }, () => {
  test('is there for the first program, and ends with its starter', async () => {
    const starter = new ProgramStarter({ launcher });
    const server = await serverOf(starter);
    assert.notEqual(server, 0);
    assert.equal(await serverOf(starter), server);
    starter.close();
    await eventually(() => !fs.existsSync(`/proc/${server}`));
    assert.equal(await serverOf(starter), 0);
  });

  test('gives programs pipes: their streams can be opened by their names, again and again, by whatever they start', async () => {
    const starter = new ProgramStarter({ launcher });
    const script = `
      read -r line < /dev/stdin; echo "read $line" > /dev/stdout; echo problem > /dev/stderr; cat /dev/stdin | tee /proc/self/fd/2
      sh -c 'echo of a child >> /dev/fd/1'; python3 -c 'open("/dev/stdout", "w").write("of python"); open("/dev/stderr", "a").write("!")'`;
    const program = await starter.start(shell(script));
    program.stdin.end('one\ntwo\n');
    assert.deepEqual(await outcomeOf(program), {
      stdout: 'read one\ntwo\nof a child\nof python',
      stderr: 'problem\ntwo\n!',
      exit: { exitCode: 0, exitSignal: null },
    });
    starter.close();
  });

  test('is replaced when somebody ends it; what it had started is ended and says so', async () => {
    const starter = new ProgramStarter({ launcher });
    let first = 0;
    await eventually(async () => {
      first = await serverOf(starter);
      return first !== 0;
    });
    const program = await starter.start(shell('sleep 300'));
    const outcome = outcomeOf(program);
    process.kill(first, 'SIGKILL');
    assert.deepEqual(await outcome, { stdout: '', stderr: '', exit: { exitCode: null, exitSignal: 'SIGKILL' } });
    assert.ok(program.hasEnded);
    await eventually(() => !fs.existsSync(`/proc/${program.pid}`));
    await eventually(async () => ![0, first].includes(await serverOf(starter)));
    starter.close();
  });

  test('is outlived by nothing that it started, also where whoever it works for does not hear of its end', async () => {
    const sidecar = `
      import { ProgramStarter } from ${JSON.stringify(path.join(import.meta.dirname, 'program-starter.ts'))};
      const starter = new ProgramStarter({ launcher: ${JSON.stringify(launcher)} });
      const told = async (script) => {
        const program = await starter.start({ file: '/bin/sh', argv: ['sh', '-c', script], cwd: '/', env: {} });
        return await new Promise((resolve) => program.stdout.on('data', (bytes) => resolve(String(bytes).trim())));
      };
      let server = process.pid;
      while (server === process.pid) server = Number(await told('echo $PPID'));
      console.log(server, await told('echo $$; exec sleep 300'));`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', sidecar], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [line] = (await once(child.stdout, 'data')) as [Buffer];
      const [server, program] = String(line).split(' ').map(Number) as [number, number];
      child.kill('SIGSTOP');
      process.kill(server, 'SIGKILL');
      await eventually(() => !fs.existsSync(`/proc/${program}/exe`), 3000);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('is not taken for one that hangs where this process stood still', async () => {
    const processes = new Processes({ env: process.env, launcher });
    await eventually(async () => (await serverOf(processes.starter)) !== 0);
    const running: Promise<string>[] = [];
    // Each as far as so many turns bring it.
    for (let turn = 0; turn < 6; turn++) {
      const program = processes.run({ argv: ['echo', 'ran'], cwd: '/', timeoutMs: 20_000 });
      running.push(program.then(({ stdout }) => stdout.toString(), String));
      await new Promise(setImmediate);
    }
    standStill(5300);
    assert.deepEqual(
      await Promise.all(running),
      running.map(() => 'ran\n'),
    );
    await processes.stop();
  });

  test('that hangs keeps no limit, no cancellation and no stop from being kept', async () => {
    const processes = new Processes({ env: process.env, launcher });
    let server = 0;
    await eventually(async () => {
      server = await serverOf(processes.starter);
      return server !== 0;
    });
    const request = (timeoutMs: number): RunRequest => ({ argv: ['sleep', '300'], cwd: '/', timeoutMs });
    const limited = processes.run(request(900));
    const another = processes.run(request(60_000));
    const endings = [limited, another].map((running) => running.catch((error: OutriggerError) => error.reason));
    await new Promise((resolve) => setTimeout(resolve, 300));
    process.kill(server, 'SIGSTOP');
    try {
      assert.equal(await endings[0], 'PROCESS_TIMEOUT');
      const abort = new AbortController();
      const begin = performance.now();
      const canceled = processes.run({ ...request(60_000), argv: ['sleep', '300.25'], signal: abort.signal });
      setTimeout(() => abort.abort(), 100);
      await assert.rejects(canceled, { reason: 'CANCELED' });
      assert.ok(performance.now() - begin < 3000);
      await processes.stop();
      assert.equal(typeof (await endings[1]), 'object');
    } finally {
      process.kill(server, 'SIGCONT');
    }
    // It goes on where it stopped, with an order that nobody waits for any more.
    await eventually(() => !fs.existsSync(`/proc/${server}`));
    await eventually(() => !commandLines().includes('sleep 300.25 '));
  });

  test('runs a program with all of its input or not at all, where this process has no descriptors left', () => {
    const program = `
      import fs from 'node:fs';
      import { Processes } from ${JSON.stringify(path.join(import.meta.dirname, 'processes.ts'))};
      const processes = new Processes({ env: process.env, launcher: ${JSON.stringify(launcher)} });
      const parent = async () => Number((await processes.run({ argv: ['sh', '-c', 'echo $PPID'], cwd: '/', timeoutMs: 5000 })).stdout);
      while ((await parent()) === process.pid) await new Promise((resolve) => setTimeout(resolve, 20));
      const outcomes = new Set();
      const taken = [];
      for (;;) try { taken.push(fs.openSync('/dev/null')); } catch { break; }
      const run = async (number) => {
        const file = ${JSON.stringify(folder)} + '/input-' + number;
        const argv = ['sh', '-c', 'echo began > "$0"; cat >> "$0"', file];
        const outcome = await processes.run({ argv, cwd: '/', stdin: 'INPUT', timeoutMs: 5000 }).then(() => 'ran', ({ reason }) => reason);
        outcomes.add(outcome + ': ' + (fs.statSync(file, { throwIfNoEntry: false })?.size ?? 'nothing'));
      };
      // Eight have their streams ahead; what those leave, the next ones may have.
      for (let number = 0; number < 60; number += 20) {
        await Promise.all(Array.from({ length: 20 }, (_, more) => run(number + more)));
        for (const descriptor of taken.splice(-7)) fs.closeSync(descriptor);
      }
      for (const descriptor of taken) fs.closeSync(descriptor);
      await processes.stop();
      console.log(JSON.stringify([...outcomes].sort()));`;
    const { stdout, stderr, status } = spawnSync(
      'sh',
      ['-c', 'ulimit -n 200; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', program],
      { encoding: 'utf8', timeout: 60_000 },
    );
    const whole = 'began\nINPUT'.length;
    assert.deepEqual([stdout, status], [`["TOO_MANY_PROCESSES: nothing","ran: ${whole}"]\n`, 0], stderr);
  });

  test('that is ended while it starts a program is no reason to start it twice', async () => {
    const starter = new ProgramStarter({ launcher });
    let server = 0;
    await eventually(async () => {
      server = await serverOf(starter);
      return server !== 0;
    });
    process.kill(server, 'SIGSTOP');
    const starting = starter.start(shell('exit 0'));
    process.kill(server, 'SIGKILL');
    await assert.rejects(starting, { code: 'EAGAIN' });
    starter.close();
  });

  test('is not needed: where it can not be, programs are started from here', async () => {
    for (const program of ['/no/such', '/bin/true']) {
      const starter = new ProgramStarter({ launcher: program });
      for (let count = 0; count < 3; count++) assert.equal(await serverOf(starter), 0);
      starter.close();
    }
  });
});
