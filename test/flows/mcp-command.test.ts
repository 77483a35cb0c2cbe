import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';

const main = path.join(import.meta.dirname, '../../src/cli/main.ts');

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
