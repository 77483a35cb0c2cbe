import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { eventually } from '../kit/eventually.ts';
import { main } from '../kit/command.ts';

test('outrigger mcp is started by the official client, reads, searches and writes as far as it may, and ends with its client', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-mcp-'));
  const root = path.join(folder, 'work');
  fs.mkdirSync(root);
  fs.writeFileSync(path.join(root, 'a.txt'), 'needle\n');
  const connect = async (...more: string[]): Promise<{ client: Client; transport: StdioClientTransport }> => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [main, 'mcp', root, '--state', path.join(folder, 'state'), ...more],
      env: { PATH: process.env['PATH'] ?? '', HOME: folder },
      stderr: 'ignore',
    });
    const client = new Client({ name: 'test', version: '1' });
    await client.connect(transport);
    return { client, transport };
  };
  try {
    const { client, transport } = await connect();
    const found = await client.callTool({ name: 'search_text', arguments: { pattern: 'needle' } });
    assert.match(JSON.stringify(found.structuredContent), /a\.txt/);
    const written = await client.callTool({ name: 'files_write', arguments: { path: 'b.txt', text: 'by an agent\n' } });
    assert.notEqual(written.isError, true, JSON.stringify(written));
    assert.equal(fs.readFileSync(path.join(root, 'b.txt'), 'utf8'), 'by an agent\n');
    const { pid } = transport;
    assert.ok(pid);
    await client.close();
    assert.throws(() => process.kill(pid, 0), 'the process is gone');

    const reader = await connect('--access', 'read');
    const { tools } = await reader.client.listTools();
    assert.ok(tools.some(({ name }) => name === 'files_read') && !tools.some(({ name }) => name === 'files_write'));
    const refused = await reader.client.callTool({ name: 'files_write', arguments: { path: 'c.txt', text: '' } });
    assert.equal(refused.isError, true);
    assert.equal(fs.existsSync(path.join(root, 'c.txt')), false);
    await reader.client.close();
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('who comes to a folder that another sidecar serves is told why it only reads (long form)', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-mcp-second-'));
  fs.mkdirSync(path.join(folder, 'work'));
  const open = async (): Promise<Client> => {
    const args = [main, 'mcp', path.join(folder, 'work'), '--state', path.join(folder, 'state')];
    const client = new Client({ name: 'test', version: '1' });
    const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }));
    return client;
  };
  const first = await open();
  const second = await open();
  try {
    assert.doesNotMatch(first.getInstructions() ?? '', /Nothing can be written/);
    assert.match(second.getInstructions() ?? '', /Nothing can be written or run here: another sidecar \(.*\) holds the folder\.$/);
  } finally {
    await second.close();
    await first.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

interface Host {
  child: ChildProcessWithoutNullStreams;
  /** Resolves with the exit code. */
  exit: Promise<number | null>;
  send(message: object): void;
  /** The line that answers the request with this id. */
  answer(id: number): Promise<string>;
  log(): string;
  root: string;
}

/** A host that speaks the protocol by hand, initialized; what is left is ended after `run`. */
async function withHost(run: (host: Host) => Promise<void>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-mcp-'));
  const root = path.join(folder, 'work');
  fs.mkdirSync(root);
  const env = { PATH: process.env['PATH'] ?? '', HOME: folder };
  const child = spawn(process.execPath, [main, 'mcp', root, '--state', path.join(folder, 'state')], { env });
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  let said = '';
  let logged = '';
  child.stdout.on('data', (chunk: Buffer) => void (said += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (logged += chunk.toString()));
  child.stdin.on('error', () => undefined);
  const send = (message: object): void => void child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
  const answer = async (id: number): Promise<string> => {
    const found = (): string | undefined => said.split('\n').find((line) => line.includes(`"id":${id}`) && line.endsWith('}'));
    await eventually(() => found() !== undefined, 10_000);
    return found() as string;
  };
  try {
    send({
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } },
    });
    await answer(1);
    send({ method: 'notifications/initialized' });
    await run({ child, exit, send, answer, log: () => logged, root });
  } finally {
    child.kill('SIGKILL');
    await exit;
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const toolCall = (id: number, name: string, input: object): object => ({ id, method: 'tools/call', params: { name, arguments: input } });

function isGone(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

for (const gone of ['stdout', 'all three'] as const) {
  test(`a host whose ${gone} is gone while an answer is on its way leaves no child process and no lock behind`, async () => {
    await withHost(async ({ child, exit, send, answer, log, root }) => {
      send(toolCall(2, 'processes_start', { argv: ['sleep', '987'] }));
      const [, pid] = /"pid":(\d+)/.exec(await answer(2)) ?? assert.fail('no pid');
      send(toolCall(3, 'files_list', {}));
      child.stdout.destroy();
      if (gone === 'all three') child.stderr.destroy();
      child.stdin.end();
      try {
        assert.equal(await exit, 0);
        assert.ok(isGone(Number(pid)), 'the child process runs on');
        assert.equal(fs.existsSync(path.join(root, '..', 'state', 'lock.holder')), false);
        if (gone === 'stdout') assert.match(log(), /sidecar\.stopped/);
      } finally {
        if (!isGone(Number(pid))) process.kill(Number(pid), 'SIGKILL');
      }
    });
  });
}

for (const how of ['end', 'SIGTERM'] as const) {
  test(`it ends by ${how} though its host has left answers unread (long form)`, async () => {
    await withHost(async ({ child, exit, send, log, root }) => {
      fs.writeFileSync(path.join(root, 'a.txt'), 'x'.repeat(900_000));
      child.stdout.removeAllListeners('data').pause();
      for (let id = 2; id < 6; id++) send({ id, method: 'resources/read', params: { uri: 'workspace:///a.txt' } });
      await eventually(() => assert.ok(log().split('files.read').length > 4), 10_000);
      if (how === 'end') child.stdin.end();
      else child.kill('SIGTERM');
      await eventually(() => child.exitCode !== null || child.signalCode !== null, 8000);
      assert.equal(await exit, 0);
    });
  });
}

test('a message as long as the body of a call may be is taken; a longer one ends it, and the log says why (long form)', async () => {
  await withHost(async ({ exit, send, answer, log, root }) => {
    send(toolCall(2, 'files_write', { path: 'big.csv', text: 'x'.repeat(2_000_000) }));
    assert.doesNotMatch(await answer(2), /"isError":true/);
    assert.equal(fs.statSync(path.join(root, 'big.csv')).size, 2_000_000);
    send(toolCall(3, 'files_write', { path: 'big.csv', text: 'x'.repeat(16 * 1024 * 1024) }));
    assert.equal(await exit, 0);
    assert.match(log(), /"level":"warn".*"event":"mcp\.failed".*exceeded maximum size of 16777216 bytes/);
  });
});
