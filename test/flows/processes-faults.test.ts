// Programs, terminals and deployments against a real sidecar, where things go wrong: over the wire, killed, full, cut off.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { nativeProgram } from '../../src/services/processes/native-program.ts';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { isAlive } from '../kit/process-harness.ts';
import { forgetPeak, memoryOf, noProc } from '../kit/process-memory.ts';
import { rawSocket } from '../kit/raw-socket.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningProgram, runProgram } from '../kit/running-program.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { withSmallDisk } from '../kit/small-disk.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

const needsGit = { skip: requireTool('git') };
/** What the sidecar gives calls under way, and so the most that its stop may take. */
const GRACE_MS = 10_000;

/** Of everything that runs with a mark of one of these processes, zombies left out. */
const left = (ids: readonly string[]): number[] => markedWith('OUTRIGGER_PROCESS', (id) => ids.includes(id));

interface Answer {
  status: number;
  reason: string | undefined;
  body: Record<string, unknown>;
}

async function overHttp({ url, token }: { url: string; token: string }, name: string, input: object): Promise<Answer> {
  const response = await fetch(`${url}/api/${name}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  const body = (await response.json()) as Record<string, unknown>;
  return {
    status: response.status,
    reason: (body['error'] as { reason?: string } | undefined)?.reason ?? (body['reason'] as string),
    body,
  };
}

/** The same refusal over HTTP and over RPC. */
async function refusedOverBoth(
  running: RunningSidecar,
  token: string,
  name: keyof Operations & string,
  input: object,
  reason: string,
): Promise<void> {
  const { reason: told, body, status } = await overHttp({ url: running.url, token }, name, input);
  assert.equal(told, reason, `${name}: ${status} ${JSON.stringify(body)}`);
  assert.ok(status >= 400 && status !== 500, String(status));
  const client = createClient<Operations>({ url: running.url, token });
  try {
    const stream = client.stream(name, input as never) as AsyncIterable<unknown>;
    await assert.rejects(
      async () => stream[Symbol.asyncIterator]().next(),
      (error: unknown) => (error as { reason?: string }).reason === reason,
      `${name} over RPC`,
    );
  } finally {
    client.close();
  }
}

/** `outrigger serve`, as a person starts it. */
async function serve(folder: string, root: string, ...more: string[]): Promise<{ program: RunningProgram; url: string }> {
  const args = [main, 'serve', root, '--port', '0', '--state', path.join(folder, 'state'), '--log-level', 'info', ...more];
  const program = runProgram(process.execPath, args, { cwd: folder, env: { ...process.env, OUTRIGGER_TOKEN: processToken } });
  await program.until(/"event":"sidecar\.ready"/);
  const [, url = ''] = await program.until(/"event":"sidecar\.listening".*?"url":"([^"]+)"/);
  return { program, url };
}

/** Twenty programs of all kinds, and three terminals; gives their ids. */
async function startMany(url: string): Promise<string[]> {
  const client = createClient<Operations>({ url, token: processToken });
  const scripts = [
    'echo up; exec sleep 300',
    `trap '' TERM INT HUP; echo up; while true; do sleep 1; done`,
    'echo up; setsid sleep 300 & wait',
    'echo up; (setsid sh -c "sleep 300 & sleep 300" &) ; sleep 300',
    `trap '' TERM; echo up; yes >&2`,
  ];
  const started = await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      client.call('processes.start', { argv: ['sh', '-c', scripts[index % scripts.length] as string] }),
    ),
  );
  const shells = await Promise.all(
    [1, 2, 3].map(() => client.call('terminals.open', { argv: ['sh', '-c', 'echo up; sleep 300 & sleep 300'] })),
  );
  const ids = [...started.map(({ process: { id } }) => id), ...shells.map(({ terminal: { id } }) => id)];
  for (const id of ids) assert.ok((await client.call('processes.wait', { id, until: 'text', text: 'up' })).met);
  assert.ok(left(ids).length >= 23);
  client.close();
  return ids;
}

test('what a shell would read, options where none belong and what is too long are refused or inert, over HTTP and RPC', () =>
  withSidecar(
    async (running) => {
      const { token, client, root } = running;
      for (const module of [
        'sale;touch evil',
        '$(touch evil)',
        '`touch evil`',
        'sale\ntouch evil',
        '-d',
        '--init=evil',
        '',
        'a b',
        '../sale',
      ])
        await refusedOverBoth(running, token, 'deploy.run', { profile: 'site', parameters: { module } }, 'BAD_INPUT');
      for (const note of ['--evil', 'a\0b', '-'])
        await refusedOverBoth(running, token, 'deploy.run', { profile: 'site', parameters: { module: 'sale', note } }, 'BAD_INPUT');
      await refusedOverBoth(running, token, 'deploy.run', { profile: 'other; touch evil', parameters: {} }, 'NO_PROFILE');
      const nasty = '; touch evil $(touch evil) `touch evil`\n| touch evil > evil "\'';
      let said = '';
      const deployed = client.stream('deploy.run', { profile: 'site', parameters: { module: 'sale', note: nasty } });
      for await (const { text } of deployed) said += text;
      assert.equal((await deployed.end).deployment.state, 'succeeded');
      assert.equal(said, `sale|${nasty}|`);
      for (const name of ['processes.start', 'terminals.open'] as const) {
        await refusedOverBoth(running, token, name, { argv: ['sh\0', '-c', 'x'] }, 'BAD_INPUT');
        await refusedOverBoth(running, token, name, { argv: ['true', 'a\0b'] }, 'BAD_INPUT');
        await refusedOverBoth(running, token, name, { argv: ['true'], env: { 'A=B': 'x' } }, 'BAD_INPUT');
        await refusedOverBoth(running, token, name, { argv: ['true'], env: { A: 'x\0y' } }, 'BAD_INPUT');
        await refusedOverBoth(running, token, name, { argv: Array<string>(2001).fill('x') }, 'BAD_INPUT');
        await refusedOverBoth(running, token, name, { argv: ['true', 'x'.repeat(100_001)] }, 'BAD_INPUT');
        await refusedOverBoth(running, token, name, { argv: ['true'], path: '../..' }, 'BAD_PATH');
        await refusedOverBoth(running, token, name, { argv: ['true'], path: 'not-there' }, 'FILE_NOT_FOUND');
        await refusedOverBoth(running, token, name, { argv: ['true; touch evil'] }, 'TOOL_MISSING');
      }
      assert.ok(!fs.readdirSync(root).includes('evil'));
    },
    {
      config: {
        'deploy.profiles': JSON.stringify({
          site: {
            argv: ['sh', '-c', 'printf "%s|" "$@"', 'sh', '{module}', '{note}'],
            parameters: { module: { type: 'name' }, note: { type: 'text' } },
            before: 'none',
          },
        }),
      },
    },
  ));

test('who may look may not start, who may write neither, and whoever is limited to some paths can do none of it', () =>
  withSidecar(async (running) => {
    const { client } = running;
    const tokenOf = async (more: object): Promise<string> => (await client.call('tokens.create', { name: 'Bot', ...more } as never)).secret;
    const started = await client.call('processes.start', { argv: ['sh', '-c', 'echo seen; sleep 300'] });
    const { id } = started.process;
    const shell = await client.call('terminals.open', { argv: ['sh'] });
    const calls: [keyof Operations & string, object][] = [
      ['processes.start', { argv: ['true'] }],
      ['processes.run', { argv: ['true'] }],
      ['processes.input', { id, text: 'x' }],
      ['processes.signal', { id, signal: 'SIGKILL' }],
      ['processes.stop', { id }],
      ['processes.restart', { id }],
      ['processes.remove', { id }],
      ['terminals.open', {}],
      ['terminals.input', { id: shell.terminal.id, text: 'exit\n' }],
      ['terminals.close', { id: shell.terminal.id }],
      ['deploy.run', { profile: 'odoo', parameters: { module: 'x' } }],
      ['deploy.rollback', { to: 'd-1' }],
      ['deploy.cancel', { id: 'd-1' }],
    ];
    for (const access of ['read', 'write']) {
      const token = await tokenOf({ access });
      for (const [name, input] of calls) await refusedOverBoth(running, token, name, input, 'ACCESS_DENIED');
      const reader = running.clientOf(token);
      assert.equal((await reader.call('processes.list', {})).processes.length, 2);
      assert.equal((await reader.call('processes.wait', { id, until: 'text', text: 'seen' })).met, true);
      assert.equal((await reader.call('terminals.list', {})).terminals.length, 1);
      assert.equal((await reader.call('deploy.list', {})).deployments.length, 0);
    }
    const limited = await tokenOf({ access: 'execute', paths: ['mine'] });
    for (const [name, input] of [...calls, ['processes.list', {}] as const])
      await refusedOverBoth(running, limited, name, input, 'OUT_OF_SCOPE');
    const executor = running.clientOf(await tokenOf({ access: 'execute' }));
    assert.equal((await executor.call('processes.stop', { id })).state, 'ended');
  }));

test('variables are seen by the program alone: not in lists, errors, logs, or files that others can read', () =>
  withSidecar(async (running) => {
    const { client, log, stateFolder, url, token } = running;
    const env = { SECRET: 'never-shown-4711' };
    const { process: kept } = await client.call('processes.start', { argv: ['sleep', '300'], env, restart: { when: 'always' } });
    await client.call('terminals.open', { argv: ['sleep', '300'], env });
    await overHttp({ url, token }, 'processes.start', { argv: ['not-there'], env });
    await overHttp({ url, token }, 'processes.start', { argv: ['true'], env: { ...env, 'A=B': '' } });
    const shown = [
      await client.call('processes.list', {}),
      await client.call('terminals.list', {}),
      await client.call('processes.get', { id: kept.id }),
      log,
    ];
    assert.doesNotMatch(JSON.stringify(shown), /never-shown-4711/);
    assert.equal(fs.statSync(stateFolder).mode & 0o077, 0);
    await client.call('processes.stop', { id: kept.id });
  }));

test('sixty-four run at a time, the next one is refused over HTTP and RPC, and there is room again when one ends (long form)', () =>
  withSidecar(async (running) => {
    const { client, token } = running;
    const started = await Promise.all(Array.from({ length: 70 }, () => overHttp(running, 'processes.start', { argv: ['sleep', '300'] })));
    assert.equal(started.filter(({ status }) => status === 200).length, 64);
    for (const { status, reason } of started) assert.ok(status === 200 || reason === 'TOO_MANY_PROCESSES');
    await refusedOverBoth(running, token, 'terminals.open', {}, 'TOO_MANY_PROCESSES');
    const { processes } = await client.call('processes.list', { running: true });
    assert.equal(processes.length, 64);
    await client.call('processes.stop', { id: processes[0]?.id ?? '' });
    await client.call('terminals.open', {});
  }));

test('endless output with nobody there, and with clients that stop reading, costs bounded memory (long form)', { skip: noProc }, () =>
  withScratchFolder('faults', async (folder, root) => {
    const sidecar = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0 });
    const client = createClient<Operations>({ url: sidecar.url, token: processToken });
    try {
      const pid = sidecar.child.pid as number;
      const { process: endless } = await client.call('processes.start', { argv: ['yes', '0123456789'.repeat(10)] });
      await client.call('processes.wait', { id: endless.id, until: 'text', text: '0123' });
      const port = Number(new URL(sidecar.url).port);
      const ask = (name: string, input: object): string => {
        const body = JSON.stringify(input);
        const head = `Host: 127.0.0.1:${port}\r\nAuthorization: Bearer ${processToken}\r\nContent-Type: application/json\r\nAccept: application/x-ndjson`;
        return `POST /api/${name} HTTP/1.1\r\n${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      };
      const before = memoryOf(pid);
      forgetPeak(pid);
      const stalled = await Promise.all(
        Array.from({ length: 10 }, () => rawSocket(port, ask('processes.output', { id: endless.id, follow: true }))),
      );
      await eventually(() => stalled.every(({ received }) => received.includes('200 OK')), 10_000);
      for (const { socket } of stalled) socket.pause();
      const from = (await client.call('processes.get', { id: endless.id })).output.stdout.end;
      await eventually(async () => (await client.call('processes.get', { id: endless.id })).output.stdout.end > from + 500_000_000, 20_000);
      const { peakMb } = memoryOf(pid);
      // It answers others, and quickly.
      const begun = performance.now();
      await client.call('processes.list', {});
      const took = performance.now() - begun;
      for (const { socket } of stalled) socket.destroy();
      await client.call('processes.stop', { id: endless.id, graceMs: 0 });
      assert.ok(took < 3000, `a list took ${took} ms`);
      assert.ok(peakMb - before.residentMb < 120, `${Math.round(before.residentMb)} MB became ${Math.round(peakMb)} MB`);
    } finally {
      client.close();
      await sidecar.kill();
    }
  }),
);

test(
  'killed with twenty programs and three terminals: the next one ends them, says they are lost, and has their output',
  { timeout: 60_000 },
  () =>
    withScratchFolder('faults', async (folder, root) => {
      const first = await serve(folder, root);
      const ids = await startMany(first.url);
      assert.equal(await first.program.stop('SIGKILL'), 'SIGKILL');
      assert.ok(left(ids).length > 0);
      const second = await serve(folder, root);
      const client = createClient<Operations>({ url: second.url, token: processToken });
      try {
        assert.deepEqual(left(ids), []);
        for (const id of ids) {
          const { state, reason, pid } = await client.call('processes.get', { id });
          assert.deepEqual({ state, reason, pid }, { state: 'ended', reason: 'lost', pid: undefined });
          const { met } = await client.call('processes.wait', { id, until: 'text', text: 'up', timeoutMs: 0 });
          assert.ok(met, `${id}: its output is kept`);
        }
        assert.equal((await client.call('terminals.list', {})).terminals.length, 3);
      } finally {
        client.close();
        assert.equal(await second.program.stop(), 0);
      }
    }),
);

test('SIGTERM with twenty programs and three terminals ends with 0 within the grace, and nothing is left', () =>
  withScratchFolder('faults', async (folder, root) => {
    const { program, url } = await serve(folder, root);
    const ids = await startMany(url);
    const begun = performance.now();
    assert.equal(await program.stop(), 0, program.output().slice(-2000));
    assert.ok(performance.now() - begun < GRACE_MS, `${Math.round(performance.now() - begun)} ms`);
    assert.deepEqual(left(ids), []);
  }));

test('a second sidecar on the folder, and one that only reads, end nothing of the first (long form)', () =>
  withSidecar(async (running) => {
    const { client, root, stateFolder } = running;
    const { process: first } = await client.call('processes.start', { argv: ['sleep', '300'] });
    await withSidecar(
      async (second) => {
        assert.deepEqual((await second.client.call('processes.list', {})).processes, []);
        await refusedOverBoth(second, second.token, 'processes.start', { argv: ['true'] }, 'READ_ONLY');
        await refusedOverBoth(second, second.token, 'deploy.run', { profile: 'odoo', parameters: { module: 'x' } }, 'READ_ONLY');
      },
      { workspace: root, config: { state: stateFolder } },
    );
    await withSidecar(async () => {}, { workspace: root, config: { readOnly: true } });
    assert.equal((await client.call('processes.get', { id: first.id })).state, 'running');
    assert.equal(left([first.id]).length, 1);
  }));

test('a viewer whose connection is cut is one no longer, and the program does not notice', () =>
  withSidecar(async ({ client, clientOf, token, url }) => {
    const { terminal } = await client.call('terminals.open', { argv: ['sh', '-c', 'while read line; do echo "got $line"; done'] });
    const cut = new WebSocket(`${url.replace('http', 'ws')}/rpc?token=${token}`);
    await new Promise((resolve) => cut.once('open', resolve));
    cut.send(JSON.stringify({ id: '1', method: 'terminals.attach', params: { id: terminal.id }, stream: true }));
    const stays = clientOf(token).stream('terminals.attach', { id: terminal.id });
    let shown = '';
    const reading = (async () => {
      for await (const item of stays) if (item.type === 'screen' || item.type === 'output') shown += item.text;
    })();
    await eventually(async () => (await client.call('terminals.list', {})).terminals[0]?.viewers.length === 2);
    cut.terminate();
    await eventually(async () => (await client.call('terminals.list', {})).terminals[0]?.viewers.length === 1);
    await client.call('terminals.input', { id: terminal.id, text: 'on\r' });
    await eventually(() => shown.includes('got on'));
    await client.call('terminals.close', { id: terminal.id });
    await reading;
  }));

test('where the disk is full a program runs to its end, and the answer and the health say what is lost', async (context) => {
  await withSmallDisk(context, 6 * 1024, (at) =>
    withSidecar(
      async ({ client }) => {
        const { process: cat } = await client.call('processes.start', { argv: ['cat'], keepStdinOpen: true });
        await client.call('processes.input', { id: cat.id, text: 'before\n' });
        await client.call('processes.wait', { id: cat.id, until: 'text', text: 'before' });
        const ballast = path.join(at, 'ballast');
        assert.throws(() => fs.writeFileSync(ballast, Buffer.alloc(8_000_000)), /ENOSPC/);
        await client.call('processes.input', { id: cat.id, text: 'x'.repeat(200_000) });
        await eventually(async () => (await client.call('processes.get', { id: cat.id })).output.stdout.lost > 100_000);
        const { checks } = await client.call('system.health', {});
        const [said] = checks.filter(({ name }) => name === 'processes');
        assert.deepEqual([said?.ok, /can't be kept/.test(said?.text ?? '')], [false, true]);
        const { process: other } = await client.call('processes.run', { argv: ['sh', '-c', 'exit 3'] });
        assert.equal(other.exitCode, 3);
        fs.rmSync(ballast);
        await client.call('processes.input', { id: cat.id, text: 'after\n', end: true });
        const { process: ended } = await client.call('processes.wait', { id: cat.id });
        assert.deepEqual([ended.exitCode, ended.output.stdout.end], [0, 200_013]);
      },
      { config: { state: path.join(at, 'state'), components: ['processes'] }, mayLogErrors: true },
    ),
  );
});

/** A repository whose commits take as long as a hook wants, and a profile that commits. */
function slowRepository(root: string): void {
  const git = (...args: string[]): void =>
    void execFileSync('git', ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org', ...args], { cwd: root });
  git('init', '-q', '-b', 'main');
  fs.writeFileSync(path.join(root, 'file'), 'one\n');
  git('add', '-A');
  git('commit', '-q', '-m', 'one');
  fs.writeFileSync(path.join(root, 'file'), 'two\n');
  const hook = path.join(root, '.git', 'hooks', 'pre-commit');
  fs.mkdirSync(path.dirname(hook), { recursive: true });
  fs.writeFileSync(hook, '#!/bin/sh\necho hook >> .git/hook-ran\nsleep 60\n', { mode: 0o755 });
}

test(
  'git and its hooks that a sidecar which was killed left running are gone once the next one that may write has begun, whatever parts are on',
  { skip: needsGit.skip || noProc, timeout: 60_000 },
  () =>
    withScratchFolder('faults', async (folder, root) => {
      slowRepository(root);
      const hook = path.join(root, '.git', 'hooks', 'pre-commit');
      const seen = path.join(folder, 'seen');
      // One helper stays in the group, and one leaves it for good, as after any commit.
      const script = `setsid sleep 60 >/dev/null 2>&1 & daemon=$!; sleep 60 & echo $$ $! $daemon > '${seen}'; wait $!`;
      fs.writeFileSync(hook, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
      const first = await serve(folder, root, '--components', 'documents,git');
      void overHttp({ url: first.url, token: processToken }, 'git.commit', { message: 'two', all: true }).catch(() => {});
      await eventually(() => fs.existsSync(seen) && fs.readFileSync(seen, 'utf8').endsWith('\n'), 10_000);
      const [hookPid = 0, helper = 0, daemon = 0] = fs.readFileSync(seen, 'utf8').trim().split(' ').map(Number);
      const others = await serve(folder, root, '--components', 'documents,git');
      assert.ok([hookPid, helper, daemon].every(isAlive), 'a second sidecar, which only reads, ends nothing of the first');
      assert.equal(await others.program.stop(), 0);
      await first.program.stop('SIGKILL');
      // The launcher needs no second one for that.
      if (nativeProgram('outrigger-launcher') !== undefined)
        await eventually(() => assert.deepEqual([hookPid, helper, daemon].filter(isAlive), [daemon]));
      const second = await serve(folder, root, '--components', 'documents,git');
      try {
        assert.deepEqual([hookPid, helper, daemon].filter(isAlive), [daemon]);
        fs.rmSync(hook);
        const { status, body } = await overHttp({ url: second.url, token: processToken }, 'git.commit', { message: 'two', all: true });
        assert.equal(status, 200, JSON.stringify(body));
      } finally {
        assert.equal(await second.program.stop(), 0);
        process.kill(daemon, 'SIGKILL');
      }
    }),
);

const site = { site: { argv: ['touch', 'deployed'], before: 'commit' } };

test(
  'a sidecar that stops while a deployment commits ends in time, deploys nothing, and the next one knows (long form)',
  { ...needsGit, timeout: 60_000 },
  () =>
    withScratchFolder('faults', async (folder, root) => {
      slowRepository(root);
      const setup = {
        root,
        state: path.join(folder, 'state'),
        port: 0,
        flags: { 'deploy.profiles': JSON.stringify(site) },
      };
      const first = await spawnSidecar(setup);
      const client = createClient<Operations>({ url: first.url, token: processToken });
      const running = client.call('deploy.run', { profile: 'site', parameters: {} }).then(
        ({ deployment }) => deployment,
        (error: unknown) => error,
      );
      await eventually(() => fs.existsSync(path.join(root, '.git', 'hook-ran')), 10_000);
      const begun = performance.now();
      assert.equal(await first.stop(), 0, first.log().slice(-2000));
      assert.ok(performance.now() - begun < GRACE_MS + 2000, `${Math.round(performance.now() - begun)} ms`);
      await running;
      client.close();
      assert.ok(!fs.existsSync(path.join(root, 'deployed')));
      assert.ok(!fs.existsSync(path.join(root, '.git', 'index.lock')), 'git left no lock');
      const second = await spawnSidecar(setup);
      const again = createClient<Operations>({ url: second.url, token: processToken });
      try {
        const { deployments } = await again.call('deploy.list', {});
        assert.equal(deployments.length, 1);
        const [{ state, reason, process: program }] = deployments as [(typeof deployments)[number]];
        assert.deepEqual([state, reason, program], ['failed', 'stopped', null]);
      } finally {
        again.close();
        await second.kill();
      }
    }),
);

test('who stops reading the log of Odoo keeps no deployment waiting, and costs bounded memory (long form)', { skip: noProc }, () =>
  withScratchFolder('faults', async (folder, root) => {
    const command = path.join(folder, 'odoo');
    fs.writeFileSync(
      command,
      '#!/bin/sh\nyes "2026-11-20 12:00:00,000 1 INFO odoo a line of the log of a module" | head -c 200000000\necho last\n',
      { mode: 0o755 },
    );
    const sidecar = await spawnSidecar({
      root,
      state: path.join(folder, 'state'),
      port: 0,
      flags: { 'odoo.command': command, components: 'processes,deploy' },
    });
    const client = createClient<Operations>({ url: sidecar.url, token: processToken });
    try {
      const pid = sidecar.child.pid as number;
      const socket = new WebSocket(`${sidecar.url.replace('http', 'ws')}/logs/odoo?token=${processToken}`);
      await new Promise((resolve) => socket.once('open', resolve));
      let lines = 0;
      socket.on('message', () => {
        if (++lines === 10) socket.pause();
      });
      const before = memoryOf(pid);
      forgetPeak(pid);
      const { body } = await overHttp({ url: sidecar.url, token: processToken }, 'deploy.run', {
        profile: 'odoo',
        parameters: { module: 'sale' },
      });
      assert.ok(JSON.stringify(body).length > 0);
      await eventually(async () => (await client.call('deploy.list', {})).deployments[0]?.state === 'succeeded', 20_000);
      const { peakMb } = memoryOf(pid);
      socket.terminate();
      assert.ok(peakMb - before.residentMb < 120, `${Math.round(before.residentMb)} MB became ${Math.round(peakMb)} MB`);
    } finally {
      client.close();
      await sidecar.kill();
    }
  }),
);
