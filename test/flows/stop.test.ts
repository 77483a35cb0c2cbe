import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { WebSocket } from 'ws';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { rawSocket } from '../kit/raw-socket.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';
import { openYjsClient } from '../kit/yjs-client.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';

/** Far below the grace that the sidecar gives calls, where nothing needs it. */
const SOON_MS = 5000;

async function withProcess(
  run: (sidecar: SidecarProcess, root: string) => Promise<void>,
  flags: Record<string, string> = {},
): Promise<void> {
  await withScratchFolder('stop', async (folder, root) => {
    const sidecar = await spawnSidecar({ root, state: path.join(folder, 'state'), port: 0, flags });
    try {
      await run(sidecar, root);
    } finally {
      await sidecar.kill();
    }
  });
}

async function stopsSoon(sidecar: SidecarProcess, ms = SOON_MS): Promise<void> {
  const started = performance.now();
  assert.equal(await sidecar.stop(), 0, sidecar.log().slice(-2000));
  const took = performance.now() - started;
  assert.ok(took < ms, `it took ${Math.round(took)} ms`);
}

const header = { authorization: `Bearer ${processToken}` };
const temporaries = (root: string): string[] => fs.readdirSync(root).filter((name) => name.startsWith('.outrigger-'));

/** The command line, as a person or a pod runs it; resolves when the log says `event`. */
async function startProgram(folder: string, root: string, event: string): Promise<{ child: ChildProcess; log: () => string }> {
  const child = spawn(
    process.execPath,
    [main, 'serve', root, '--port', '0', '--state', path.join(folder, 'state'), '--log-level', 'info'],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, OUTRIGGER_TOKEN: processToken },
    },
  );
  let log = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (log += text));
  await eventually(() => log.includes(`"event":"${event}"`) || child.exitCode !== null, 20_000);
  return { child, log: () => log };
}

describe('SIGTERM ends the sidecar with 0', () => {
  test('while it starts, with thousands of files still to look at', () =>
    withScratchFolder('stop', async (folder, root) => {
      for (let n = 0; n < 3000; n++) {
        if (n % 100 === 0) fs.mkdirSync(path.join(root, `d${n / 100}`));
        fs.writeFileSync(path.join(root, `d${Math.floor(n / 100)}`, `${n}`), '');
      }
      for (let round = 0; round < 2; round++) {
        const { child, log } = await startProgram(folder, root, 'sidecar.listening');
        child.kill('SIGTERM');
        const [code] = (await once(child, 'exit')) as [number | null];
        assert.equal(code, 0, log());
        assert.doesNotMatch(log(), /"level":"error"/);
      }
    }));

  test('when whoever read the log is gone, with what was typed saved (long form)', () =>
    withScratchFolder('stop', async (folder, root) => {
      fs.writeFileSync(path.join(root, 'a.txt'), 'text');
      const { child, log } = await startProgram(folder, root, 'sidecar.ready');
      const url = /"url":"([^"]+)"/.exec(log())?.[1] ?? '';
      const client = openYjsClient(url, { token: processToken, room: 'a.txt' });
      try {
        await client.synced();
        child.stderr?.destroy();
        // Each call is a line that nobody takes.
        for (let call = 0; call < 20; call++)
          assert.equal((await fetch(`${url}/api/files.stat?path=a.txt`, { headers: header })).status, 200);
        client.text.insert(0, 'typed ');
        await eventually(async () => (await (await fetch(`${url}/api/files/a.txt`, { headers: header })).text()).includes('typed text'));
        child.kill('SIGINT');
        const [code] = (await once(child, 'exit')) as [number | null];
        assert.equal(code, 0);
        assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'typed text');
      } finally {
        client.destroy();
        child.kill('SIGKILL');
      }
    }));

  test('when nobody reads the log any more (long form)', () =>
    withScratchFolder('stop', async (folder, root) => {
      fs.writeFileSync(path.join(root, 'a.txt'), 'text');
      const { child, log } = await startProgram(folder, root, 'sidecar.ready');
      try {
        const url = /"url":"([^"]+)"/.exec(log())?.[1] ?? '';
        child.stderr?.pause();
        const call = (): Promise<ArrayBuffer> =>
          fetch(`${url}/api/files.stat?path=a.txt`, { headers: header }).then((answer) => answer.arrayBuffer());
        // Far more than the pipe and this end of it hold.
        for (let calls = 0; calls < 4000; calls += 20) await Promise.all(Array.from({ length: 20 }, call));
        child.kill('SIGTERM');
        const [code] = (await once(child, 'exit', { signal: AbortSignal.timeout(20_000) })) as [number | null];
        assert.equal(code, 0);
      } finally {
        child.kill('SIGKILL');
      }
    }));

  test('when it comes twice', () =>
    withScratchFolder('stop', async (folder, root) => {
      const { child, log } = await startProgram(folder, root, 'sidecar.ready');
      child.kill('SIGTERM');
      child.kill('SIGINT');
      const [code] = (await once(child, 'exit')) as [number | null];
      assert.equal(code, 0, log());
      assert.equal(log().match(/"event":"sidecar\.stopped"/g)?.length, 1);
    }));

  test('in a storm of five thousand files', () =>
    withProcess(async (sidecar, root) => {
      const stopping = (n: number): Promise<number | null> | undefined => (n === 2500 ? sidecar.stop() : undefined);
      let stopped: Promise<number | null> | undefined;
      for (let n = 0; n < 5000; n++) {
        fs.writeFileSync(path.join(root, `${n}`), `${n}`);
        stopped ??= stopping(n);
        if (n % 500 === 0) await new Promise(setImmediate);
      }
      assert.equal(await stopped, 0, sidecar.log().slice(-2000));
      assert.doesNotMatch(sidecar.log(), /"level":"error"/);
    }));

  test('in a long upload, after the grace; nothing of it is left', () =>
    withProcess(
      async (sidecar, root) => {
        let over = false;
        const endless = async function* (): AsyncGenerator<Uint8Array> {
          while (!over) {
            yield Buffer.alloc(64 * 1024);
            await new Promise((resolve) => setTimeout(resolve, 5));
          }
        };
        const upload = fetch(`${sidecar.url}/api/files/big`, {
          method: 'PUT',
          headers: header,
          body: Readable.from(endless()) as unknown as BodyInit,
          duplex: 'half',
        } as RequestInit);
        const ended = upload.then(
          ({ status }) => status,
          () => 'cut',
        );
        await eventually(() => temporaries(root).length > 0);
        await stopsSoon(sidecar);
        assert.notEqual(await ended, 201);
        over = true;
        assert.deepEqual(fs.readdirSync(root), []);
      },
      { stopGraceMs: '300' },
    ));

  test('and lets a call that ends within the grace end well, while new ones are refused', () =>
    withProcess(async (sidecar, root) => {
      const gate = Promise.withResolvers<void>();
      const body = async function* (): AsyncGenerator<Uint8Array> {
        yield Buffer.from('first ');
        await gate.promise;
        yield Buffer.from('last');
      };
      const upload = fetch(`${sidecar.url}/api/files/big`, {
        method: 'PUT',
        headers: header,
        body: Readable.from(body()) as unknown as BodyInit,
        duplex: 'half',
      } as RequestInit);
      const socket = new WebSocket(`${sidecar.url.replace('http', 'ws')}/rpc?token=${processToken}`);
      await once(socket, 'open');
      await eventually(() => temporaries(root).length > 0);
      const stopped = sidecar.stop();
      await eventually(async () => assert.equal((await fetch(`${sidecar.url}/readyz`)).status, 503));
      const refused = await fetch(`${sidecar.url}/api/system.info`, { headers: header });
      assert.deepEqual([refused.status, ((await refused.json()) as { reason: string }).reason], [503, 'STOPPING']);
      const closed = once(socket, 'close') as Promise<[number]>;
      gate.resolve();
      assert.equal((await upload).status, 201);
      assert.equal(await stopped, 0);
      assert.equal((await closed)[0], 1001);
      assert.equal(fs.readFileSync(path.join(root, 'big'), 'utf8'), 'first last');
    }));

  test('with a document that is not saved: the file holds every letter, and its socket is told to come back', () =>
    withProcess(
      async (sidecar, root) => {
        fs.writeFileSync(path.join(root, 'doc.txt'), 'start\n');
        const person = openYjsClient(sidecar.url, { token: processToken, room: 'doc.txt' });
        try {
          await person.synced();
          const watching = createClient<Operations>({ url: sidecar.url, token: processToken, webSocket: undefined });
          const text = 'typed just before the end\n'.repeat(200);
          person.text.insert(person.text.length, text);
          await eventually(async () => assert.equal((await watching.call('documents.list', {})).documents[0]?.length, 6 + text.length));
          watching.close();
          assert.equal(fs.readFileSync(path.join(root, 'doc.txt'), 'utf8'), 'start\n', 'saved too soon for this test');
          await stopsSoon(sidecar);
          assert.equal(fs.readFileSync(path.join(root, 'doc.txt'), 'utf8'), `start\n${text}`);
          await eventually(() => assert.equal(person.closes[0], 1001));
        } finally {
          person.destroy();
        }
      },
      { 'documents.saveIdleMs': '60000', 'documents.saveMaxMs': '600000' },
    ));

  test('with a feed whose reader takes nothing, and one that is told why it ends (long form)', () =>
    withProcess(async (sidecar) => {
      const port = Number(new URL(sidecar.url).port);
      const ask = `POST /api/changes.watch HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${processToken}\r\nAccept: text/event-stream\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`;
      const slow = await rawSocket(port, ask);
      const reader = await rawSocket(port, ask);
      await eventually(() => assert.match(slow.received + reader.received, /ready[^]*ready/));
      slow.socket.pause();
      const client = createClient<Operations>({ url: sidecar.url, token: processToken });
      for (let n = 0; n < 1000; n += 20) {
        await Promise.all(
          Array.from({ length: 20 }, (_, index) =>
            client.call('files.write', { path: `${'a-rather-long-name-that-fills-buffers'.repeat(6)}-${index}`, text: `${n}` }),
          ),
        );
      }
      client.close();
      await stopsSoon(sidecar);
      await reader.closed;
      assert.match(reader.received, /event: error\ndata: .*STOPPING/);
      slow.socket.destroy();
    }));
});

test('a part that is switched off is not loaded, opens nothing and answers so', () =>
  withScratchFolder('stop', async (folder, root) => {
    const loaded = path.join(folder, 'loaded');
    const hooks = `import { registerHooks } from 'node:module'; import fs from 'node:fs';
      registerHooks({ load: (url, context, next) => { fs.appendFileSync(${JSON.stringify(loaded)}, url + '\\n'); return next(url, context); } });`;
    const start = async (components: string): Promise<{ modules: string; refused: unknown }> => {
      fs.writeFileSync(loaded, '');
      const before = process.env['NODE_OPTIONS'];
      process.env['NODE_OPTIONS'] = `--import=data:text/javascript,${encodeURIComponent(hooks)}`;
      const sidecar = await spawnSidecar({
        root,
        state: path.join(folder, 'state'),
        port: 0,
        flags: { components },
        fromSources: true,
      }).finally(() => {
        if (before === undefined) delete process.env['NODE_OPTIONS'];
        else process.env['NODE_OPTIONS'] = before;
      });
      const answers = await Promise.all(
        ['documents.list', 'git.status'].map(
          async (name) => ((await (await fetch(`${sidecar.url}/api/${name}`, { headers: header })).json()) as { reason?: string }).reason,
        ),
      );
      assert.equal(await sidecar.stop(), 0);
      return { modules: fs.readFileSync(loaded, 'utf8'), refused: answers };
    };
    const all = await start('files,documents,git');
    assert.deepEqual(all.refused, [undefined, undefined]);
    for (const part of ['services/documents/', 'node_modules/yjs/', 'services/git/', 'adapters/y-websocket/'])
      assert.ok(all.modules.includes(part), part);
    const few = await start('files');
    assert.deepEqual(few.refused, ['PART_OFF', 'PART_OFF']);
    const unwanted = /services\/(documents|git)\/|node_modules\/(yjs|lib0|y-protocols)\/|adapters\/y-websocket\//;
    assert.deepEqual(
      few.modules.split('\n').filter((url) => unwanted.test(url)),
      [],
    );
  }));
