import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as later } from 'node:timers/promises';
import { eventually } from '../kit/eventually.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

interface Upload {
  /** One that goes on until it is ended. */
  request: http.ClientRequest;
  /** The status, and the reason of an error. */
  answer: Promise<[status: number | undefined, reason: string | undefined]>;
}

function upload({ url }: RunningSidecar, token: string, method: string, target: string): Upload {
  const request = http.request(`${url}${target}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' },
  });
  const answer = new Promise<[number | undefined, string | undefined]>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString()));
      response.on('end', () => resolve([response.statusCode, (JSON.parse(text) as { reason?: string }).reason]));
    });
  });
  return { request, answer };
}

/** How many files at and below a folder are written and not yet in their places. */
function temporaries(folder: string): number {
  return (fs.readdirSync(folder, { recursive: true }) as string[]).filter((name) => /(^|\/)\.outrigger-[^/]*\.tmp$/.test(name)).length;
}

describe('an upload whose body still comes', () => {
  test('ends at once with its token, and nothing of it is kept (long form)', { timeout: 60_000 }, (t) =>
    withScratchFolder('token-ends', (folder) =>
      withSidecar(
        async (running) => {
          const { client, file, put, root, token, url } = running;
          put('open.txt', 'before\n');
          put('plain.txt', 'before\n');
          const person = openYjsClient(url, { token, room: 'open.txt' });
          t.after(() => person.destroy());
          await person.synced();
          const session = (await client.call('code.openSession', {})).id;
          const bot = await client.call('tokens.create', { name: 'Bot', kind: 'agent', access: 'execute' });
          const targets = [
            ['PUT', '/api/files/open.txt'],
            ['PUT', '/api/files/plain.txt'],
            ['POST', `/api/code.putFile?session=${session}&name=a.txt`],
            ['POST', `/api/code.putState?session=${session}`],
          ] as const;
          const uploads = targets.map(([method, target]) => upload(running, bot.secret, method, target));
          for (const { request } of uploads) request.write('the first half, ');
          await eventually(() => assert.deepEqual([temporaries(root), temporaries(folder)], [1, 2]), 5000);
          await client.call('tokens.revoke', { id: bot.id });
          assert.deepEqual(
            await Promise.race([Promise.all(uploads.map(({ answer }) => answer)), later(5000, 'too late', { ref: false })]),
            targets.map(() => [401, 'TOKEN_REVOKED']),
          );
          assert.deepEqual([temporaries(root), temporaries(folder)], [0, 0]);
          for (const { request } of uploads) request.on('error', () => {}).end('and the other');
          const { files, state } = await client.call('code.session', { session });
          assert.deepEqual([file('open.txt'), file('plain.txt'), person.text.toString()], ['before\n', 'before\n', 'before\n']);
          assert.deepEqual([files, state], [[], null]);
        },
        { config: { 'code.folder': folder } },
      ),
    ),
  );

  test(
    'into an open document does not lead its caller out of its paths, whatever takes the place of a folder meanwhile',
    {
      skip: process.platform === 'win32',
      timeout: 60_000,
    },
    (t) =>
      withSidecar(
        async (running) => {
          const { client, clientOf, file, root, token, url } = running;
          const limited = await client.call('tokens.create', { name: 'limited', access: 'write', paths: ['pub'] });
          const mine = clientOf(limited.secret);
          const own = openYjsClient(url, { token: limited.secret, room: 'pub/d/key' });
          t.after(() => own.destroy());
          await own.synced();
          const { request, answer } = upload(running, limited.secret, 'PUT', '/api/files/pub/d/key');
          await new Promise<void>((resolve) => void request.write('by the ', () => resolve()));
          // The body is being read when this is answered, on another connection.
          await mine.call('files.read', { path: 'pub/d/key' });
          await mine.call('files.move', { from: 'pub/d', to: 'pub/away' });
          await mine.call('files.move', { from: 'pub/box/up', to: 'pub/d' });
          assert.equal(fs.readlinkSync(path.join(root, 'pub/d')), '../others');
          // Somebody with the whole workspace has it open by that name.
          const other = openYjsClient(url, { token, room: 'pub/d/key' });
          t.after(() => other.destroy());
          await other.synced();
          assert.equal(other.text.toString(), 'of others\n');
          request.end('limited one\n');
          assert.deepEqual(await answer, [403, 'OUT_OF_SCOPE']);
          assert.deepEqual([other.text.toString(), file('others/key')], ['of others\n', 'of others\n']);
        },
        {
          prepare: (root) => {
            for (const [name, text] of [
              ['pub/d/key', 'mine\n'],
              ['pub/others/key', 'shared\n'],
              ['others/key', 'of others\n'],
            ] as const) {
              fs.mkdirSync(path.dirname(path.join(root, name)), { recursive: true });
              fs.writeFileSync(path.join(root, name), text);
            }
            fs.mkdirSync(path.join(root, 'pub/box'));
            // From where it lies next it leads out of `pub`.
            fs.symlinkSync('../others', path.join(root, 'pub/box/up'));
          },
        },
      ),
  );
});
