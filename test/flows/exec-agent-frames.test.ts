// What comes over the agent's socket from those who have no token, and from those who have one and send what no sidecar sends.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { dialUnix } from '../../src/net/dial-unix.ts';
import { AgentConnection } from '../../src/services/processes/agent-connection.ts';
import {
  type AgentMessage,
  AgentMessageReader,
  closeOutputFrame,
  creditFrame,
  helloFrame,
  inputEndFrame,
  inputFrame,
  resizeFrame,
  signalFrame,
  startFrame,
} from '../../src/services/processes/agent-wire.ts';
import { eventually } from '../kit/eventually.ts';
import { agentVolume, type AgentVolume, below, buildAgent, hostOf, runOn } from '../kit/exec-agent.ts';
import { memoryOf } from '../kit/process-memory.ts';
import { Random } from '../kit/random.ts';
import { requireTool } from '../kit/require-tools.ts';
import { testSeed } from '../kit/seed.ts';
import { fails } from '../kit/workspace-harness.ts';

const skip = process.platform === 'linux' ? requireTool('cc') : 'the exec agent is for Linux';
const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-agent-frames-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const plain = path.join(scratch, 'plain');
const watched = path.join(scratch, 'watched');

interface RunningAgent extends AgentVolume {
  child: ChildProcess;
  token: string;
  said(): string;
}

/** Megabytes at most; nothing of one that has ended. */
function peakOf(pid: number): number[] {
  try {
    return [memoryOf(pid).peakMb].filter(Number.isFinite);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || (error as NodeJS.ErrnoException).code === 'ESRCH') return [];
    throw error;
  }
}

/** Runs with an agent that only serves; afterwards it has to end with 0 and leave nothing. */
async function withServing(built: string, run: (agent: RunningAgent) => Promise<void>, args: string[] = []): Promise<void> {
  const volume = agentVolume(built);
  const child = spawn(volume.agent, ['--socket', volume.socket, '--token-file', volume.tokenFile, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  try {
    await eventually(() => assert.match(said, /serves at/));
    await run({ ...volume, child, said: () => said, token: fs.readFileSync(volume.tokenFile, 'utf8').trim() });
    await eventually(() => assert.deepEqual(below(child.pid as number), [], 'something is left'));
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null], said);
    assert.doesNotMatch(said, /Sanitizer|runtime error/);
  } finally {
    child.kill('SIGKILL');
    volume.remove();
  }
}

/** A connection that sends what it is told, and keeps what came. */
class RawAgent {
  readonly messages: AgentMessage[] = [];
  readonly closed: Promise<void>;
  readonly socket: net.Socket;

  constructor(at: string, first?: Uint8Array) {
    this.socket = net.connect({ path: at });
    const reader = new AgentMessageReader();
    this.socket.on('data', (chunk) => this.messages.push(...reader.read(chunk)));
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => void this.socket.once('close', () => resolve()));
    if (first !== undefined) this.socket.write(first);
  }

  async until(type: AgentMessage['type']): Promise<AgentMessage> {
    await eventually(() => this.messages.some((message) => message.type === type));
    return this.messages.find((message) => message.type === type) as AgentMessage;
  }
}

describe('without the token', { skip }, () => {
  before(() => buildAgent(plain));

  test('nothing is answered but no: a wrong one, one that begins or ends like it, none, another version', async () => {
    await withServing(plain, async ({ socket, token, tokenFile, folder, said }) => {
      const other = helloFrame(token);
      other[9] = 99;
      for (const [first, refusal] of [
        [helloFrame('f'.repeat(64)), 'wrong-token'],
        [helloFrame(token.slice(0, -1)), 'wrong-token'],
        [helloFrame(`${token}0`), 'wrong-token'],
        [helloFrame(`${token}\0`), 'wrong-token'],
        [helloFrame(''), 'wrong-token'],
        [other, 'other-protocol'],
        [startFrame(1, { argv: ['true'], cwd: '/', env: {} }), 'bad-frame'],
        [Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'bad-frame'],
        [Buffer.alloc(9, 255), 'bad-frame'],
      ] as const) {
        const raw = new RawAgent(socket, first);
        await raw.closed;
        assert.deepEqual(
          raw.messages,
          [
            { type: 'greeting', protocol: 1 },
            { type: 'refused', refusal },
          ],
          String(first),
        );
      }
      assert.equal(said().match(/refused/g)?.length, 1, 'who is refused does not fill the log');
      const wrong = path.join(folder, 'wrong');
      fs.writeFileSync(wrong, 'a token of another agent');
      await fails(
        'HOST_UNAVAILABLE',
        () => hostOf({ socket, tokenFile: wrong }, 60_000).start({ argv: ['true'], cwd: '/', env: {} }),
        /it takes another token/,
      );
      // Both read it anew each time.
      fs.writeFileSync(tokenFile, 'another token of this agent\n');
      const host = hostOf({ socket, tokenFile });
      assert.equal((await runOn(host, ['echo', 'changed'])).stdout, 'changed\n');
      await host.close();
      fs.writeFileSync(tokenFile, 'short');
      const raw = new RawAgent(socket, helloFrame('short'));
      await raw.closed;
      assert.deepEqual(raw.messages.at(-1), { type: 'refused', refusal: 'no-token-file' });
    });
  });

  test('who is slow or silent is cut off, and holds up those who come meanwhile for a moment alone (long form)', async () => {
    await withServing(plain, async ({ socket, token, tokenFile, child }) => {
      const hello = helloFrame(token);
      const slow = Array.from({ length: 12 }, (_, at) => new RawAgent(socket, hello.subarray(0, at * 4)));
      const drip = setInterval(() => slow.forEach((raw, at) => raw.socket.writable && at > 6 && raw.socket.write(Buffer.of(0))), 100);
      try {
        await slow[0]?.until('greeting');
        const host = hostOf({ socket, tokenFile });
        assert.equal((await runOn(host, ['echo', 'served'])).stdout, 'served\n');
        await host.close();
        await Promise.all(slow.map(({ closed }) => closed));
        assert.ok(slow.every(({ messages }) => !messages.some(({ type }) => type === 'welcome')));
        assert.ok(memoryOf(child.pid as number).peakMb < 3);
      } finally {
        clearInterval(drip);
        for (const { socket: one } of slow) one.destroy();
      }
    });
  });

  test('more connections than it takes are refused until one ends', async () => {
    await withServing(plain, async ({ socket, token }) => {
      const open: AgentConnection[] = [];
      const one = async (): Promise<AgentConnection> =>
        AgentConnection.open(await dialUnix(socket, AbortSignal.timeout(5000)), token, AbortSignal.timeout(5000));
      for (let at = 0; at < 16; at++) open.push(await one());
      await assert.rejects(one, /as many connections as it takes/);
      await open.pop()?.end();
      await eventually(async () => open.push(await one()));
      await Promise.all(open.map((connection) => connection.end()));
    });
  });
});

describe('with the token', { skip }, () => {
  before(() => {
    buildAgent(plain);
    if (hasSanitizers()) buildAgent(watched, ['-O1', '-g', '-fsanitize=address,undefined', '-fno-sanitize-recover=all']);
    else buildAgent(watched);
  });

  const request = { argv: ['cat'] as [string], cwd: '/', env: {} };
  const start = startFrame(1, request) as Buffer;
  const faults: [string, Buffer[]][] = [
    ['a frame of an unknown type', [typed(77, Buffer.alloc(0))]],
    ['a second hello', [helloFrame('once more')]],
    ['a frame that is too long', [typed(3, Buffer.alloc(64 * 1024 + 1))]],
    ['a start that is too long', [typed(2, Buffer.alloc(1024 * 1024 + 1))]],
    ['a start without its strings', [typed(2, Buffer.from([0, 0, 0, 0, 0, 9, 0, 0, 0, 47, 0]))]],
    ['a start with more strings than it says', [typed(2, Buffer.concat([start.subarray(9), Buffer.from('more\0')]))]],
    ['a start without a program', [typed(2, Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 0, 47, 0]))]],
    ['a start in a folder that is not absolute', [typed(2, Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 0, 46, 0, 97, 0]))]],
    ['a number that is taken', [start, start]],
    ['input beyond its credit', [start, ...Array.from({ length: 9 }, () => inputFrame(1, Buffer.alloc(60_000)))]],
    ['credit without a bound', [start, creditFrame(1, 1, 16 * 1024 * 1024), creditFrame(1, 1, 1)]],
    ['credit for a stream that is none', [start, creditFrame(1, 3 as 1, 1)]],
    ['a signal that is none', [start, signalFrame(1, 0)]],
    ['a signal with something behind it', [start, typed(5, Buffer.of(15, 15), 1)]],
  ];
  for (const [says, frames] of faults) {
    test(`${says} ends the connection and its programs, and nobody else’s`, async () => {
      await withServing(plain, async ({ socket, token, tokenFile, child }) => {
        const host = hostOf({ socket, tokenFile });
        await runOn(host, ['true']);
        const raw = new RawAgent(socket, helloFrame(token));
        await raw.until('welcome');
        raw.socket.write(
          Buffer.concat(
            says.startsWith('input') ? [startFrame(1, { ...request, argv: ['sleep', '1000'] }) as Buffer, ...frames.slice(1)] : frames,
          ),
        );
        await raw.closed;
        assert.deepEqual(raw.messages.at(-1), { type: 'refused', refusal: 'bad-frame' });
        assert.equal((await runOn(host, ['echo', 'unharmed'])).stdout, 'unharmed\n');
        await host.close();
        await eventually(() => assert.deepEqual(below(child.pid as number), []));
      });
    });
  }

  test('a reader that takes nothing while it asks for much holds itself up, and nothing grows', async () => {
    await withServing(plain, async ({ socket, token, child }) => {
      const raw = new RawAgent(socket, helloFrame(token));
      await raw.until('welcome');
      raw.socket.pause();
      const absent = { argv: ['no-such-program'] as [string], cwd: '/', env: {} };
      const loud = { argv: ['head', '-c', '100000000', '/dev/zero'] as [string, ...string[]], cwd: '/', env: {} };
      // No credit before all have been asked for: a first one's output may fill the way, and nothing after it would be read.
      for (let id = 1; id <= 40; id++) raw.socket.write(startFrame(id, loud) as Buffer);
      for (let id = 1; id <= 40; id++) raw.socket.write(creditFrame(id, 1, 16 * 1024 * 1024));
      for (let id = 41; id <= 20_000; id++) raw.socket.write(startFrame(id, absent) as Buffer);
      await eventually(() => assert.equal(below(child.pid as number).filter(({ name }) => name === 'head').length, 40), 20_000);
      // Those that could not become a program end meanwhile; what serves the connection stays.
      const own = below(child.pid as number).filter(({ name }) => name !== 'head');
      const peaks = own.flatMap(({ pid }) => peakOf(pid));
      assert.notEqual(peaks.length, 0);
      assert.ok(Math.max(...peaks) < 4, `${peaks.join(', ')} MB`);
      raw.socket.destroy();
    });
  });

  test('random frames, whole and cut, sane and not, neither crash it nor leak nor hang it', (context) => sendRandom(context, 20));

  test('nor do those of sixty connections (long form)', (context) => sendRandom(context, 60));

  async function sendRandom(context: TestContext, rounds: number): Promise<void> {
    const random = new Random(testSeed());
    if (!hasSanitizers()) context.diagnostic('this compiler has no sanitizers: crashes are found, errors of memory may not be');
    await withServing(watched, async ({ socket, token, tokenFile, said }) => {
      for (let round = 0; round < rounds; round++) {
        const raw = new RawAgent(socket, helloFrame(token));
        await raw.until('welcome');
        const bytes = Buffer.concat(framesOf(random, 1 + random.below(80)));
        for (let at = 0; at < bytes.length; ) {
          const size = random.of([1, 7, 100, 5000, 70_000]);
          if (raw.socket.writable) raw.socket.write(bytes.subarray(at, at + size));
          at += size;
          if (random.below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
        }
        if (random.below(2) === 0) raw.socket.end();
        else raw.socket.destroy();
        await raw.closed;
        assert.doesNotMatch(said(), /Sanitizer|runtime error/);
      }
      const host = hostOf({ socket, tokenFile });
      assert.equal((await runOn(host, ['cat'], { input: 'alive' })).stdout, 'alive');
      await host.close();
    });
  }
});

/** Mostly what a sidecar might send, about programs that were asked for just before, so that frames meet. Some of it is junk at its end. */
function framesOf(random: Random, count: number): Buffer[] {
  let last = 0;
  return Array.from({ length: count }, (_, at) => {
    if (at === 0 || random.below(5) === 0) return anyStart(random, ++last);
    return anyFrame(random, Math.max(1, last - random.below(3)), at > count / 2 && random.below(20) === 0);
  });
}

function anyStart(random: Random, id: number): Buffer {
  const programs: [string, ...string[]][] = [
    ['true'],
    ['cat'],
    ['no-such-program'],
    ['head', '-c', '300000', '/dev/zero'],
    ['sh', '-c', 'trap "" TERM; sleep 0.05; echo x; (sleep 0.1 &)'],
    ['sh', '-c', 'exec >&- 2>&-; sleep 0.02'],
    ['sleep', '30'],
  ];
  const terminal = random.below(3) === 0 ? { columns: random.below(300), rows: random.below(90) } : undefined;
  return startFrame(id, { argv: random.of(programs), cwd: random.of(['/', '/', '/tmp', '/none']), env: { A: 'b' }, terminal }) as Buffer;
}

function anyFrame(random: Random, id: number, junk: boolean): Buffer {
  const stream = random.of([1, 2] as const);
  if (junk) return random.of([badStart, badInput, anyBytes])(random, id);
  switch (random.below(7)) {
    case 0:
      return inputFrame(id, Buffer.alloc(random.of([0, 1, 400, 10_000])));
    case 1:
      return random.below(4) === 0 ? inputEndFrame(id) : inputFrame(id, Buffer.from('a line\n'));
    case 2:
      return signalFrame(id, random.of([1, 2, 9, 15, 18, 19, 28]));
    case 3:
      return resizeFrame(id, { columns: random.below(70_000), rows: random.below(500) });
    case 4:
      return random.below(3) === 0 ? closeOutputFrame(id, stream) : creditFrame(id, stream, 1);
    default:
      return creditFrame(id, stream, random.of([0, 1, 1000, 300_000]));
  }
}

function badStart(random: Random, id: number): Buffer {
  const frame = startFrame(id + 100, { argv: ['cat', 'x'], cwd: '/', env: { A: 'b' } }) as Buffer;
  for (let change = 0; change < 3; change++) frame[9 + random.below(frame.length - 9)] = random.below(256);
  return frame;
}

function badInput(_random: Random, id: number): Buffer {
  return Buffer.concat(Array.from({ length: 4 }, () => inputFrame(id, Buffer.alloc(60_000))));
}

function anyBytes(random: Random, id: number): Buffer {
  return typed(random.below(256), Buffer.from(Array.from({ length: random.below(40) }, () => random.below(256))), id);
}

function typed(type: number, payload: Buffer, id = 0): Buffer {
  const head = Buffer.alloc(9);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt8(type, 4);
  head.writeUInt32LE(id, 5);
  return Buffer.concat([head, payload]);
}

function hasSanitizers(): boolean {
  const file = path.join(scratch, 'sanitized');
  const build = spawnSync('cc', ['-fsanitize=address,undefined', '-x', 'c', '-', '-o', file], { input: 'int main(void) { return 0; }\n' });
  return build.status === 0 && spawnSync(file).status === 0;
}
