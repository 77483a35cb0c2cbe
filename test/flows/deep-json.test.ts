// JSON that is nested too deep to be written again is refused where it comes in, whatever the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { closeCodes } from '../../src/contract/wire.ts';
import { awarenessMessage, step1Message } from '../../src/services/documents/sync-protocol.ts';
import { eventually } from '../kit/eventually.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

/** Fits into each limit of size. */
const deep = `${'['.repeat(7000)}${']'.repeat(7000)}`;

async function openSocket(address: string): Promise<{ socket: WebSocket; heard: string[]; closes: number[] }> {
  const socket = new WebSocket(address);
  const heard: string[] = [];
  const closes: number[] = [];
  socket.on('message', (data: Buffer) => heard.push(data.toString()));
  socket.on('close', (code) => closes.push(code));
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return { socket, heard, closes };
}

test('a body, a frame or a message that is nested deeper than 500 levels is a mistake of who sent it', () =>
  withSidecar(async ({ url, token, client }) => {
    const post = async (at: string, body: string): Promise<{ status: number; text: string }> => {
      const headers = {
        authorization: `Bearer ${token}`,
        'x-api-key': token,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      };
      const answer = await fetch(url + at, { method: 'POST', headers, body });
      return { status: answer.status, text: await answer.text() };
    };
    for (const [at, body, status] of [
      ['/api/files.stat', `{"path":${deep}}`, 400],
      ['/api/files.write', `{"path":"a.txt","text":"","metadata":${deep}}`, 400],
      ['/exec', `{"code":"1","lang":"js","args":${deep}}`, 400],
      [
        '/mcp',
        `{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{"a":${deep}},"clientInfo":{"name":"x","version":"1"}}}`,
        400,
      ],
    ] as const) {
      const answer = await post(at, body);
      assert.equal(answer.status, status, `${at}: ${answer.text}`);
    }
    assert.match((await post('/api/files.stat', `{"path":${deep}}`)).text, /nested deeper than 500 levels/);
    const { socket, heard } = await openSocket(`${url.replace('http', 'ws')}/rpc?token=${token}`);
    socket.send(`{"id":"1","method":"files.stat","params":{"path":${deep}}}`);
    await eventually(() => assert.match(heard.join(), /BAD_FRAME/));
    socket.close();
    assert.equal((await client.call('files.stat', { path: 'none' })).exists, false);
  }));

test('a presence state that is nested too deep ends who says it, whoever else is in the document', () =>
  withSidecar(async ({ url, token, client, put }) => {
    put('a.txt', 'text\n');
    const { secret } = await client.call('tokens.create', { name: 'reader', access: 'read', paths: ['a.txt'] });
    const address = url.replace('http', 'ws');
    const platxa = await openSocket(`${address}/?token=${token}`);
    platxa.socket.send(JSON.stringify({ type: 'sync', docName: 'a.txt', payload: {} }));
    const person = openYjsClient(url, { token, room: 'a.txt' });
    await person.synced();
    const reader = await openSocket(`${address}/ws/doc/a.txt?token=${secret}`);
    reader.socket.send(awarenessMessage([{ client: 7, clock: 1, state: deep }]));
    reader.socket.send(step1Message(Uint8Array.of(0)));
    await eventually(() => assert.deepEqual(reader.closes, [closeCodes.badMessage]));
    person.text.insert(0, 'more ');
    await eventually(async () => assert.equal((await client.call('files.read', { path: 'a.txt' })).text, 'more text\n'));
    platxa.socket.send(`{"type":"presence","docName":"a.txt","messageId":5,"payload":{"state":{"a":${deep}}}}`);
    await eventually(() => assert.match(platxa.heard.join(), /"type":"error"[^}]*BAD_FRAME/));
    assert.deepEqual([platxa.closes, person.closes], [[], []]);
    person.destroy();
    platxa.socket.close();
  }));
