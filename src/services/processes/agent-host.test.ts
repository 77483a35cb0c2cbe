import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Duplex, duplexPair } from 'node:stream';
import { after, describe, test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { withTable } from '../../../test/kit/process-harness.ts';
import { fails } from '../../../test/kit/workspace-harness.ts';
import { AgentHost } from './agent-host.ts';

// The agent itself is in test/flows/exec-agent.test.ts; here are others in its place, which do what it does not.
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-agent-host-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const tokenFile = path.join(scratch, 'token');
fs.writeFileSync(tokenFile, 'a token of the test\n');

const frames = {
  greeting: Buffer.from('01000000410000000001', 'hex'),
  welcome: Buffer.from('04000000420000000040000000', 'hex'),
  noRoom: Buffer.from('01000000430000000003', 'hex'),
  started: Buffer.from('04000000440100000001000000', 'hex'),
  exited: Buffer.concat([Buffer.from('180000004a01000000', 'hex'), Buffer.alloc(24)]),
  outputEnds: Buffer.from('0100000047010000000101000000470100000002', 'hex'),
  tooLong: Buffer.from('ffffffff4600000000', 'hex'),
};
const request = { argv: ['true'] as [string], cwd: '/', env: {} };

interface Fake {
  host: AgentHost;
  /** The agent's side of each connection so far, with what came over it. */
  dialled: { side: Duplex; heard: () => Buffer }[];
}

/** `answer` is what the agent does with a connection; an Error is how dialling fails. */
function fake(
  answer: (side: Duplex, attempt: number) => Error | undefined,
  options: { patienceMs?: number; tokenFile?: string } = {},
): Fake {
  const dialled: Fake['dialled'] = [];
  const dial = (): Promise<Duplex> => {
    const [ours, side] = duplexPair();
    let heard = Buffer.alloc(0);
    side.on('data', (chunk: Buffer) => (heard = Buffer.concat([heard, chunk])));
    side.on('end', () => side.end());
    side.on('error', () => {});
    dialled.push({ side, heard: () => heard });
    const problem = answer(side, dialled.length);
    return problem === undefined ? Promise.resolve(ours) : Promise.reject(problem);
  };
  const host = new AgentHost(
    { dial, random: () => 0.5 },
    { name: 'app', socket: '/agent/socket', tokenFile, patienceMs: 1000, ...options },
  );
  return { host, dialled };
}

const refused = (): Error => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

describe('a host', () => {
  test('tries again, at growing intervals, until its patience is over, and starts afresh at the next call', async () => {
    const { host, dialled } = fake(refused, { patienceMs: 400 });
    await fails('HOST_UNAVAILABLE', () => host.start(request), /"app" can't be used at \/agent\/socket: ECONNREFUSED/);
    const attempts = dialled.length;
    assert.ok(attempts >= 3 && attempts <= 6, `${attempts} attempts`);
    await fails('HOST_UNAVAILABLE', () => host.start(request));
    assert.ok(dialled.length > attempts);
    await host.close();
  });

  test('waits for a token that is not there yet, and says so when it never comes', async () => {
    const absent = path.join(scratch, 'absent');
    const { host, dialled } = fake(() => undefined, { tokenFile: absent, patienceMs: 100 });
    await fails('HOST_UNAVAILABLE', () => host.start(request), /ENOENT/);
    assert.equal(dialled.length, 0);
    await host.close();
  });

  test('shares one connection between starts that come together, refused once for want of room', async () => {
    const { host, dialled } = fake((side, attempt) => {
      side.write(Buffer.concat([frames.greeting, attempt === 1 ? frames.noRoom : frames.welcome]));
      return undefined;
    });
    const both = [host.start(request), host.start(request)];
    await eventually(() => assert.equal(dialled[1]?.heard().includes('true'), true));
    dialled[1]?.side.write(Buffer.concat([frames.started, Buffer.from('04000000440200000002000000', 'hex')]));
    assert.deepEqual(
      (await Promise.all(both)).map(({ pid }) => pid),
      [1, 2],
    );
    assert.equal(dialled.length, 2);
    await host.close();
  });

  test('gives an agent up that sends junk, and says that programs are lost', async () => {
    const { host, dialled } = fake((side) => {
      side.write(frames.welcome);
      return undefined;
    });
    const starting = host.start(request);
    await eventually(() => assert.equal(dialled[0]?.heard().includes('true'), true));
    dialled[0]?.side.write(frames.started);
    const program = await starting;
    dialled[0]?.side.write(frames.tooLong);
    assert.deepEqual(await program.exit, { exitCode: null, exitSignal: null, lost: true });
    await host.close();
  });

  test('calls what ended lost where the agent goes before all of its output came', async () => {
    for (const [came, reason] of [
      [frames.exited, 'lost'],
      [Buffer.concat([frames.outputEnds, frames.exited]), 'exit'],
    ] as const) {
      const { host, dialled } = fake((side) => {
        side.write(frames.welcome);
        return undefined;
      });
      await withTable(
        async ({ ask }) => {
          const running = ask('processes.run', { argv: ['true'], host: 'app' });
          await eventually(() => assert.equal(dialled[0]?.heard().includes('true'), true));
          dialled[0]?.side.write(Buffer.concat([frames.started, came]));
          setTimeout(() => dialled[0]?.side.write(frames.tooLong), 20);
          const { process: ended } = await running;
          assert.deepEqual([ended.reason, ended.exitCode], [reason, 0]);
        },
        { hosts: { app: host } },
      );
    }
  });

  test('gives an agent up that sends more than it was given credit for', async () => {
    const { host, dialled } = fake((side) => {
      side.write(frames.welcome);
      return undefined;
    });
    const starting = host.start(request);
    await eventually(() => assert.equal(dialled[0]?.heard().includes('true'), true));
    dialled[0]?.side.write(frames.started);
    const program = await starting;
    // Nobody reads, so nothing may come: a program behind an honest agent would be held back.
    const piece = Buffer.concat([Buffer.from('01800000460100000001', 'hex'), Buffer.alloc(32_768)]);
    for (let sent = 0; sent < 40; sent++) dialled[0]?.side.write(piece);
    assert.deepEqual(await program.exit, { exitCode: null, exitSignal: null, lost: true });
    assert.ok(program.stdout.readableLength < 1024 * 1024);
    await host.close();
  });

  test('does not wait for an agent that never answers, once it is closed', async () => {
    const { host, dialled } = fake(() => undefined, { patienceMs: 60_000 });
    const starting = fails('STOPPING', () => host.start(request));
    await eventually(() => dialled.length === 1);
    await host.close();
    await starting;
    await fails('STOPPING', () => host.start(request));
    await host.close();
  });

  test('lets one caller go that is not waiting any more, and keeps the attempt for the others', async () => {
    const { host, dialled } = fake(() => undefined);
    const controller = new AbortController();
    const leaving = host.start(request, controller.signal);
    const staying = host.start(request);
    await eventually(() => dialled.length === 1);
    controller.abort(new Error('gone'));
    await assert.rejects(leaving, /gone/);
    const [only] = dialled;
    only?.side.write(frames.welcome);
    await eventually(() => assert.equal(only?.heard().includes('true'), true));
    only?.side.write(frames.started);
    assert.equal((await staying).pid, 1);
    await host.close();
  });
});
