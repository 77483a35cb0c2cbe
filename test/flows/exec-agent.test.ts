import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { eventually } from '../kit/eventually.ts';
import { agentVolume, appUser, buildAgent, heard, hostOf, runOn, sharedGroup, textOf, withAgent } from '../kit/exec-agent.ts';
import { memoryOf } from '../kit/process-memory.ts';
import { requireTool } from '../kit/require-tools.ts';
import { fails } from '../kit/workspace-harness.ts';

const skip = process.platform === 'linux' ? requireTool('bwrap', 'cc') : 'the exec agent is for Linux';
const needsRoot = process.getuid?.() === 0 ? false : 'only root can play several users';
const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-agent-build-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const built = path.join(scratch, 'outrigger-exec-agent');
const here = (name: string): string => pathToFileURL(path.join(import.meta.dirname, '../../src', name)).href;

describe('in a container with a root, processes and a user of its own, and no Node,', { skip }, () => {
  before(() => buildAgent(built));

  test('programs run there, as its user, on the workspace that both see', async () => {
    await withAgent(built, async ({ host, workspace }) => {
      const found = await runOn(
        host,
        ['sh', '-c', 'id -u; command -v node || echo no node; cat /proc/1/comm; echo $FROM_THE_CONTAINER $MORE; umask'],
        {
          env: { MORE: 'as well' },
        },
      );
      assert.equal(found.stderr, '');
      assert.deepEqual(found.stdout.split('\n'), [String(appUser), 'no node', 'outrigger-exec-', 'yes as well', fileMask(), '']);
      assert.equal(fs.existsSync('/mnt/workspace'), false, 'it sees another root than we do');
      const name = 'übung 文件';
      await runOn(host, ['sh', '-c', 'mkdir "$0" && cd "$0" && cat > here', name], { cwd: '/mnt/workspace', input: 'ein Wort' });
      assert.equal(fs.readFileSync(path.join(workspace, name, 'here'), 'utf8'), 'ein Wort');
      assert.equal((await runOn(host, ['cat', 'here'], { cwd: `/mnt/workspace/${name}` })).stdout, 'ein Wort');
      if (needsRoot === false) assert.equal(fs.statSync(path.join(workspace, name)).uid, appUser);
    });
  });

  test('exit codes, signals and what it cost are told', async () => {
    await withAgent(built, async ({ host }) => {
      for (const code of [0, 7, 255]) assert.equal((await runOn(host, ['sh', '-c', `exit ${code}`])).exitCode, code);
      const killed = await runOn(host, ['sh', '-c', 'kill -USR1 $$']);
      assert.deepEqual([killed.exitCode, killed.exitSignal, killed.lost], [null, 'SIGUSR1', undefined]);
      const busy = await runOn(host, ['sh', '-c', 'sh -c "i=0; while [ \\$i -lt 200000 ]; do i=\\$((i+1)); done"; true']);
      assert.ok((busy.cpuMs ?? 0) >= 20, `the tree took ${busy.cpuMs} ms`);
      assert.ok((busy.maxRssBytes ?? 0) > 500_000);
      const program = await host.start({
        argv: ['sh', '-c', 'trap "exit 3" INT; echo up; while :; do sleep 0.01; done'],
        cwd: '/',
        env: {},
      });
      await heard(program.stdout).until(/up/);
      program.signal('SIGINT');
      assert.equal((await program.exit).exitCode, 3);
      // One that is gone is no error.
      program.signal('SIGTERM');
    });
  });

  test('what can not be started says why', async () => {
    await withAgent(built, async ({ host, workspace }) => {
      fs.writeFileSync(path.join(workspace, 'script'), 'echo no first line\n', { mode: 0o755 });
      fs.writeFileSync(path.join(workspace, 'plain'), 'no program');
      fs.writeFileSync(path.join(workspace, 'orphan'), '#!/no/such/program\n', { mode: 0o755 });
      const start = (argv: [string, ...string[]], cwd = '/') => host.start({ argv, cwd, env: {} });
      await fails('TOOL_MISSING', () => start(['no-such-program']), /no-such-program is not in that container/);
      await fails('TOOL_MISSING', () => start(['/mnt/workspace/orphan']), /or what its first line names/);
      await fails('TOOL_MISSING', () => start(['/mnt/workspace/script']), /ENOEXEC/);
      await fails('FILE_PERMISSION', () => start(['/mnt/workspace/plain']), /EACCES/);
      fs.mkdirSync(path.join(workspace, 'closed'), { mode: 0 });
      const onPath = (file: string) =>
        host.start({ argv: [file], cwd: '/', env: { PATH: '/mnt/workspace/closed:/mnt/workspace::.:/usr/bin' } });
      await fails('FILE_PERMISSION', () => onPath('plain'));
      await fails('TOOL_MISSING', () => onPath('no-such-program'));
      fs.rmdirSync(path.join(workspace, 'closed'));
      await fails('FILE_NOT_FOUND', () => start(['true'], '/no/folder'), /no\/folder.*ENOENT/);
      await fails('BAD_INPUT', () => start(['echo', 'a\0b']));
      await fails('BAD_INPUT', () => start(['true'], 'relative'));
      await fails('BAD_INPUT', () => start(['echo', 'x'.repeat(1024 * 1024)]));
      // Longer than any other frame, and as long as the kernel lets one argument be.
      const long = 'ä'.repeat(60_000);
      assert.equal((await runOn(host, ['sh', '-c', 'printf %s "$0$1$2"', long, long, long])).stdout, long + long + long);
    });
  });

  test('input comes whole at the pace of the program, and is dropped when nobody reads it', async () => {
    await withAgent(built, async ({ host, connections }) => {
      const text = 'Zeile für Zeile\n'.repeat(200_000);
      const counted = await runOn(host, ['sh', '-c', 'sleep 0.2; wc -c; cat'], { input: text });
      assert.equal(Number(counted.stdout), Buffer.byteLength(text));
      const deaf = await host.start({ argv: ['sleep', '1000'], cwd: '/', env: {} });
      let taken = false;
      const write = deaf.write(Buffer.alloc(4 * 1024 * 1024)).then(() => (taken = true));
      await runOn(host, ['true']);
      assert.equal(taken, false, 'there is no room for so much');
      assert.ok(memoryOf(connections()[0] as number).peakMb < 3);
      deaf.signal('SIGKILL');
      await write;
      const closed = await host.start({ argv: ['sh', '-c', 'exec <&-; echo closed; sleep 1000'], cwd: '/', env: {} });
      await heard(closed.stdout).until(/closed/);
      await closed.write(Buffer.alloc(1024 * 1024));
      closed.signal('SIGKILL');
      await closed.exit;
    });
  });

  test('a slow reader holds a program of 100 MB back, and neither the agent nor we grow', async () => {
    await withAgent(built, async ({ host, pid, connections }) => {
      const size = 100_000_000;
      const program = await host.start({ argv: ['head', '-c', String(size), '/dev/zero'], cwd: '/', env: {} });
      let ended = false;
      void program.exit.then(() => (ended = true));
      let read = 0;
      let most = 0;
      for await (const chunk of program.stdout) {
        read += (chunk as Buffer).length;
        most = Math.max(most, program.stdout.readableLength);
        if (read < 2_000_000) await new Promise((resolve) => setTimeout(resolve, 20));
        if (read < 90_000_000) assert.equal(ended, false);
      }
      assert.equal(read, size);
      assert.equal((await program.exit).exitCode, 0);
      assert.ok(most <= 512 * 1024, `${most} bytes waited here`);
      for (const one of [pid, ...connections()]) assert.ok(memoryOf(one).peakMb < 3, `${memoryOf(one).peakMb} MB`);
    });
  });

  test('a terminal has a size that changes, shows both streams as one, takes a signal by its key and the end of input', async () => {
    await withAgent(built, async ({ host }) => {
      const env = { TERM: 'xterm' };
      const program = await host.start({
        argv: ['sh', '-c', 'trap "stty size" WINCH; trap "echo interrupted" INT; stty size; tty >&2; while :; do sleep 0.02; done'],
        cwd: '/',
        env,
        terminal: { columns: 91, rows: 17 },
      });
      assert.equal(program.stderr, undefined);
      const { until } = heard(program.stdout);
      await until(/17 91\r\n\/dev\/pts\/\d/);
      program.resize({ columns: 132, rows: 43 });
      await until(/43 132/);
      await program.write(Buffer.of(3));
      await until(/interrupted/);
      program.signal('SIGKILL');
      assert.equal((await program.exit).exitSignal, 'SIGKILL');
      const reader = await runOn(host, ['cat'], { env, terminal: { columns: 80, rows: 24 }, input: 'ä line\n' });
      assert.match(reader.stdout, /ä line\r\nä line\r\n/);
      assert.equal(reader.exitCode, 0);
    });
  });

  test('a terminal that is let go of hangs up', async () => {
    await withAgent(built, async ({ host }) => {
      const program = await host.start({ argv: ['sleep', '1000'], cwd: '/', env: {}, terminal: { columns: 80, rows: 24 } });
      program.stdout.destroy();
      assert.equal((await program.exit).exitSignal, 'SIGHUP');
    });
  });

  test('who holds the output open after the end of a program is reached by a signal, and ends', async () => {
    await withAgent(built, async ({ host, programs }) => {
      const program = await host.start({ argv: ['sh', '-c', 'sleep 1000 & echo started'], cwd: '/', env: {} });
      const output = textOf(program.stdout);
      assert.equal((await program.exit).exitCode, 0);
      await eventually(() =>
        assert.deepEqual(
          programs().map(({ name }) => name),
          ['sleep'],
        ),
      );
      program.signal('SIGKILL');
      assert.equal(await output, 'started\n');
      await eventually(() => assert.deepEqual(programs(), []));
      // The same where nothing is held but the place in the group.
      const quiet = await host.start({ argv: ['sh', '-c', 'sleep 1000 > /dev/null 2>&1 & echo started'], cwd: '/', env: {} });
      assert.equal(await textOf(quiet.stdout), 'started\n');
      await quiet.exit;
      quiet.signal('SIGKILL');
      await eventually(() => assert.deepEqual(programs(), []));
    });
  });

  const stubborn = `trap "" TERM HUP; sleep 1001 & (setsid sh -c 'trap "" TERM HUP; (sleep 1002 &) ; exec sleep 1003' > /dev/null 2>&1 &) ; echo up; while :; do sleep 0.05; done`;

  test('close ends all that was started, deaf to SIGTERM, forked twice or in a session of its own', async () => {
    await withAgent(built, async ({ host, programs }) => {
      const program = await host.start({ argv: ['sh', '-c', stubborn], cwd: '/', env: {} });
      await heard(program.stdout).until(/up/);
      await eventually(() => ['1001', '1002', '1003'].every((time) => programs().some(({ pid }) => argumentsOf(pid).includes(time))));
      const gentle = await host.start({
        argv: ['sh', '-c', 'trap "exit 9" TERM; echo up; while :; do sleep 0.02; done'],
        cwd: '/',
        env: {},
      });
      await heard(gentle.stdout).until(/up/);
      const begun = performance.now();
      await host.close();
      assert.ok(performance.now() - begun < 2000);
      assert.deepEqual([(await program.exit).exitSignal, (await gentle.exit).exitCode], ['SIGKILL', 9]);
      // What served the connection ends with it, and is the agent itself; it, and those that ended, may still have to be waited for.
      assert.deepEqual(
        programs().filter(({ state, name }) => state !== 'Z' && name !== 'outrigger-exec-'),
        [],
      );
      await eventually(() => assert.deepEqual(programs(), []));
      await fails('STOPPING', () => host.start({ argv: ['true'], cwd: '/', env: {} }));
    });
  });

  test('a sidecar that is killed leaves nothing running, and another one is not touched', async () => {
    await withAgent(built, async ({ host, programs, connections, socket, tokenFile }) => {
      const other = await host.start({ argv: ['cat'], cwd: '/', env: {} });
      const code = `const { AgentHost } = await import(${JSON.stringify(here('services/processes/agent-host.ts'))});
        const { dialUnix } = await import(${JSON.stringify(here('net/dial-unix.ts'))});
        const [socket, tokenFile, program] = process.argv.slice(1);
        const host = new AgentHost({ dial: dialUnix, random: Math.random }, { name: 'app', socket, tokenFile, patienceMs: 1000 });
        const started = await host.start({ argv: ['sh', '-c', program], cwd: '/', env: {} });
        started.stdout.pipe(process.stdout);`;
      const sidecar = spawn(process.execPath, ['--input-type=module', '-e', code, socket, tokenFile, stubborn], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await heard(sidecar.stdout).until(/up/);
      await eventually(() => assert.ok(programs().length >= 5, JSON.stringify(programs())));
      assert.equal(connections().length, 2);
      sidecar.kill('SIGKILL');
      await once(sidecar, 'exit');
      await eventually(() =>
        assert.deepEqual(
          programs().map(({ name }) => name),
          ['cat'],
        ),
      );
      assert.equal(connections().length, 1);
      await other.write(Buffer.from('still here'));
      other.endInput();
      assert.equal(await textOf(other.stdout), 'still here');
    });
  });

  test('two sidecars at once have programs of their own and share the limit of the agent', async () => {
    await withAgent(
      built,
      async ({ host, programs, ...volume }) => {
        const second = hostOf(volume);
        const start = (on: typeof host) => on.start({ argv: ['sleep', '1000'], cwd: '/', env: {} });
        const [first] = [await start(host), await start(host), await start(second)];
        await fails('TOO_MANY_PROCESSES', () => start(second));
        await fails('TOO_MANY_PROCESSES', () => start(host));
        first?.signal('SIGKILL');
        first?.stdout.resume();
        first?.stderr?.resume();
        await first?.exit;
        await eventually(() => start(second));
        await second.close();
        // The process that served its connection goes a moment after that.
        await eventually(() => assert.equal(programs().length, 1));
        // What the second one had is free again.
        await start(host);
        await start(host);
      },
      { args: ['--max-processes', '3'] },
    );
  });

  test('a storm of forks stays within the tasks that are allowed, and is over when the connection is', { skip: needsRoot }, async () => {
    await withAgent(
      built,
      async ({ host, programs }) => {
        const storm = 'while :; do setsid sh -c "sleep 1000 & sleep 1000 & wait" > /dev/null 2>&1 & done';
        await host.start({ argv: ['sh', '-c', storm], cwd: '/', env: {} });
        await eventually(() => assert.ok(programs().length > 20));
        assert.ok(programs().length < 120, `${programs().length} processes`);
        await host.close();
        await eventually(() => assert.deepEqual(programs(), []));
      },
      { args: ['--max-tasks', '100'] },
    );
  });

  test('killed, it ends what it started; started again, it is found again', async () => {
    const volume = agentVolume(built);
    const args = ['--socket', volume.socket, '--token-file', volume.tokenFile];
    const spawnAgent = () => spawn(volume.agent, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let agent = spawnAgent();
    const host = hostOf(volume, 2000);
    try {
      const program = await host.start({ argv: ['sh', '-c', 'echo before; exec sleep 1004'], cwd: '/', env: {} });
      const { text, until } = heard(program.stdout);
      await until(/before/);
      agent.kill('SIGKILL');
      // The process of the connection outlives it long enough to end what it started, and to say so.
      assert.equal((await program.exit).exitSignal, 'SIGTERM');
      await eventually(() => program.stdout.readableEnded);
      assert.equal(text(), 'before\n');
      await program.write(Buffer.from('nobody'));
      program.signal('SIGTERM');
      assert.throws(() => process.kill(program.pid, 0), { code: 'ESRCH' });
      const impatient = hostOf(volume, 100);
      const none = await fails(
        'HOST_UNAVAILABLE',
        () => impatient.start({ argv: ['true'], cwd: '/', env: {} }),
        /"app" can't be used at .*: ECONNREFUSED/,
      );
      assert.equal(none.retryable, true);
      const restarted = runOn(host, ['echo', 'again']);
      agent = spawnAgent();
      assert.equal((await restarted).stdout, 'again\n');
    } finally {
      await host.close();
      agent.kill('SIGTERM');
      await once(agent, 'exit');
      volume.remove();
    }
  });

  test('as process 1 it dies with all of the container, and what ran there is lost', async () => {
    await withAgent(built, async ({ host, pid, programs, ended }) => {
      const program = await host.start({ argv: ['sh', '-c', stubborn], cwd: '/', env: {} });
      await heard(program.stdout).until(/up/);
      const running = programs();
      process.kill(pid, 'SIGKILL');
      assert.equal((await program.exit).lost, true);
      await ended;
      await eventually(() => assert.ok(running.every((one) => !fs.existsSync(`/proc/${one.pid}`))));
    });
  });

  for (const [which, exitSignal] of [
    ['connections', undefined],
    ['keepers', 'SIGKILL'],
  ] as const)
    test(`where ${which === 'connections' ? 'a connection’s process' : 'the one that keeps it'} is killed all that was started ends, and the host connects again`, async () => {
      await withAgent(
        built,
        async (container) => {
          const { host, programs, keepers } = container;
          const program = await host.start({ argv: ['sh', '-c', stubborn], cwd: '/', env: {} });
          await heard(program.stdout).until(/up/);
          await eventually(() => ['1001', '1002', '1003'].every((time) => programs().some(({ pid }) => argumentsOf(pid).includes(time))));
          const again = { argv: ['sleep', '1000'], cwd: '/', env: {} } as const;
          const gentle = await host.start({ ...again, argv: ['sh', '-c', 'echo up; exec sleep 1000'] });
          gentle.stderr?.resume();
          await heard(gentle.stdout).until(/up/);
          process.kill(container[which]()[0] as number, 'SIGKILL');
          const { exitSignal: how, lost } = await program.exit;
          assert.deepEqual([how, lost], exitSignal === undefined ? [null, true] : [exitSignal, undefined]);
          await eventually(() => assert.deepEqual([...programs(), ...keepers()], []));
          // That the connection ended is heard a moment later.
          await eventually(() => host.start(again));
          await host.start(again);
          // All connections share the limit, and what was killed counts no more, and no less.
          const other = hostOf(container);
          await other.start(again);
          await fails('TOO_MANY_PROCESSES', () => other.start(again));
          await other.close();
        },
        { args: ['--max-processes', '3'] },
      );
    });

  test('a connection’s process and the one that keeps it are stopped by no program for more than a moment', {
    timeout: 20_000,
  }, async () => {
    await withAgent(built, async ({ host, programs, connections, keepers }) => {
      const program = await host.start({ argv: ['sh', '-c', 'echo up; exec sleep 1000'], cwd: '/', env: {} });
      await heard(program.stdout).until(/up/);
      for (const pid of [...connections(), ...keepers()]) process.kill(pid, 'SIGSTOP');
      assert.equal((await runOn(host, ['echo', 'here'])).stdout, 'here\n');
      program.signal('SIGKILL');
      assert.equal((await program.exit).exitSignal, 'SIGKILL');
      for (const pid of [...keepers(), ...connections()]) process.kill(pid, 'SIGSTOP');
      await host.close();
      await eventually(() => assert.deepEqual([...programs(), ...connections(), ...keepers()], []));
    });
  });

  test('the call that starts a program can be canceled, before there is an agent and while it starts', async () => {
    const volume = agentVolume(built);
    const absent = hostOf(volume, 60_000);
    const reason = new Error('not wanted any more');
    try {
      const controller = new AbortController();
      const waiting = absent.start({ argv: ['true'], cwd: '/', env: {} }, controller.signal);
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(waiting, reason);
    } finally {
      await absent.close();
      volume.remove();
    }
    await withAgent(built, async ({ host, programs }) => {
      await runOn(host, ['true']);
      const controller = new AbortController();
      const starting = host.start({ argv: ['sleep', '1000'], cwd: '/', env: {} }, controller.signal);
      setImmediate(() => controller.abort(reason));
      // It may have started already.
      await starting.then(
        (program) => program.signal('SIGKILL'),
        (error: unknown) => assert.equal(error, reason),
      );
      await eventually(() => assert.deepEqual(programs(), []));
    });
  });

  test('zombies are reaped, those too that programs and the wrapped program leave behind', async () => {
    const leaves = 'for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 0.05 &) ; done';
    await withAgent(
      built,
      async ({ host, programs, said }) => {
        await eventually(() => assert.match(said(), /app is up/));
        await runOn(host, ['sh', '-c', `${leaves}; sleep 0.2`]);
        await eventually(() =>
          assert.deepEqual(
            programs().filter(({ name, state }) => state === 'Z' || name !== 'cat'),
            [],
          ),
        );
        assert.equal(programs().length, 1, 'the wrapped program');
      },
      { wrap: ['sh', '-c', `${leaves}; echo app is up; mkfifo /tmp/never; exec cat /tmp/never`] },
    );
  });

  test('the wrapped program gets SIGTERM, its exit code is the container’s, and what was started beside it ends', async () => {
    await withAgent(
      built,
      async ({ host, pid, said, ended }) => {
        await eventually(() => assert.match(said(), /app of user 101/));
        const program = await host.start({ argv: ['sh', '-c', stubborn], cwd: '/', env: {} });
        await heard(program.stdout).until(/up/);
        process.kill(pid, 'SIGTERM');
        assert.equal(await ended, 42);
        assert.match(said(), /last words/);
        await program.exit;
      },
      { wrap: ['sh', '-c', 'trap "echo last words; exit 42" TERM; echo app of user $(id -u); while :; do sleep 0.02; done'] },
    );
  });

  test('a wrapped program that a signal ends, and one that can not be run, end the container as a shell would say', async () => {
    const volume = agentVolume(built);
    const wrapped = (...program: string[]) =>
      spawnSync(volume.agent, ['--socket', volume.socket, '--token-file', volume.tokenFile, '--', ...program]).status;
    try {
      assert.equal(wrapped('sh', '-c', 'kill -9 $$'), 137);
      assert.equal(wrapped('sh', '-c', 'exit 5'), 5);
      assert.equal(wrapped('no-such-program'), 127);
      assert.equal(wrapped('/dev/null'), 126);
      assert.equal(fs.existsSync(volume.socket), false);
    } finally {
      volume.remove();
    }
  });

  test('a socket that nobody listens on is replaced; a live one, and what is no socket, stays', async () => {
    await withAgent(built, async ({ agent, socket, tokenFile, host, pid }) => {
      const start = (at: string) => spawnSync(agent, ['--socket', at, '--token-file', tokenFile], { encoding: 'utf8' });
      const second = start(socket);
      assert.equal(second.status, 125);
      assert.match(second.stderr, /another agent serves/);
      assert.equal((await runOn(host, ['echo', 'the first'])).stdout, 'the first\n');
      const file = path.join(path.dirname(socket), 'a file');
      fs.writeFileSync(file, 'kept');
      assert.match(start(file).stderr, /no socket is there, and it stays/);
      assert.equal(fs.readFileSync(file, 'utf8'), 'kept');
      assert.match(start(path.join(path.dirname(socket), 'x'.repeat(120))).stderr, /too long/);
      process.kill(pid, 'SIGKILL');
      await eventually(() => assert.equal(spawnSync(agent, ['--probe', '--socket', socket]).status, 1));
      const third = spawn(agent, ['--socket', socket, '--token-file', tokenFile], { stdio: 'ignore' });
      await eventually(() =>
        assert.equal(
          execFileSync(agent, ['--probe', '--socket', socket], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
          '{"protocol": 1}\n',
        ),
      );
      third.kill('SIGTERM');
      assert.deepEqual(await once(third, 'exit'), [0, null]);
      assert.equal(fs.existsSync(socket), false);
    });
  });

  test('an init container with nothing in it but the agent can copy it and make the token', () => {
    const volume = agentVolume(built);
    try {
      const inEmptyRoot = (...args: string[]) =>
        execFileSync('bwrap', [
          '--unshare-pid',
          '--unshare-net',
          '--proc',
          '/proc',
          '--ro-bind',
          built,
          '/agent',
          '--bind',
          path.dirname(volume.agent),
          '/volume',
          '/agent',
          ...args,
        ]);
      // What one left that was killed half way: in a container the next one has the same number.
      const folder = path.dirname(volume.agent);
      const halves = ['copy', 'other'].flatMap((name) => Array.from({ length: 9 }, (_, pid) => `${name}.${pid + 1}`));
      for (const name of halves) fs.writeFileSync(path.join(folder, name), 'half');
      inEmptyRoot('--copy-to', '/volume/copy', '--make-token', '/volume/other');
      for (const name of halves) fs.rmSync(path.join(folder, name));
      const copy = path.join(path.dirname(volume.agent), 'copy');
      assert.deepEqual(fs.readFileSync(copy), fs.readFileSync(built));
      assert.equal(fs.statSync(copy).mode & 0o777, 0o755);
      assert.ok(fs.statSync(copy).size < 1_000_000);
      const token = path.join(path.dirname(volume.agent), 'other');
      const first = fs.readFileSync(token, 'utf8');
      assert.match(first, /^[0-9a-f]{64}\n$/);
      assert.notEqual(first, fs.readFileSync(volume.tokenFile, 'utf8'));
      assert.equal(fs.statSync(token).mode & 0o777, 0o640);
      inEmptyRoot('--make-token', '/volume/other');
      assert.equal(fs.readFileSync(token, 'utf8'), first, 'a token that is there stays');
      assert.deepEqual(fs.readdirSync(path.dirname(volume.agent)).sort(), ['copy', 'other', 'outrigger-exec-agent', 'token']);
    } finally {
      volume.remove();
    }
  });

  test('the socket is open to the group of the volume alone', { skip: needsRoot }, async () => {
    await withAgent(built, async ({ socket, folder }) => {
      fs.chmodSync(folder, 0o755);
      const { mode, uid, gid } = fs.statSync(socket);
      assert.deepEqual([mode & 0o777, uid, gid], [0o660, appUser, sharedGroup]);
      const probe = (group: number) =>
        spawnSync(path.join(folder, 'agent/outrigger-exec-agent'), ['--probe', '--socket', socket], { uid: 10_001, gid: group }).status;
      assert.equal(probe(sharedGroup), 0);
      assert.equal(probe(10_001), 1);
    });
  });
});

function argumentsOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    // It ended meanwhile.
    return '';
  }
}

/** As `umask` says it. */
function fileMask(): string {
  return process.umask().toString(8).padStart(4, '0');
}
