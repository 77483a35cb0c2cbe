// For tests: everything a sidecar does, again and again by many who come and go, and what it holds each time when all of them are gone.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type Client, createClient } from '../../src/client/client.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { withEnvironment } from '../../src/services/processes/process-facts.ts';
import { isPassingName } from '../../src/core/passing-name.ts';
import { eventually } from './eventually.ts';
import type { Random } from './random.ts';
import { childrenOf, memoryOf } from './process-memory.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';
import { openYjsClient } from './yjs-client.ts';

/** Small, so that everything that is bounded has reached its bound after a few turns. */
const flags = {
  'documents.unloadMs': '300',
  'processes.keep': '5',
  'processes.tailBytes': '65536',
  'checkpoints.keep': '10',
  'changes.keep': '500',
  'deploy.keep': '5',
  'code.sessionMs': '2000',
  'code.cacheBytes': '1048576',
  'limits.requestsPerMinute': '10000000',
};

const profile = { argv: ['sh', '-c', 'echo deployed; exit $1', 'sh', '{code}'], parameters: { code: { type: 'integer' } } };

const mcpHeaders = {
  authorization: `Bearer ${processToken}`,
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

export interface Held {
  /** Of V8 after a full collection, of the main thread. */
  heapMb: number;
  residentMb: number;
  threads: number;
  /** By what they are, e.g. `socket`. */
  descriptors: Record<string, number>;
  children: string[];
  stateMb: number;
  stateFiles: number;
}

export class Soak {
  readonly #random: Random;
  readonly #root: string;
  readonly #state: string;
  readonly #mark: string;
  #sidecar: SidecarProcess | undefined;
  #client: Client<Operations> | undefined;
  #inspector = '';
  #count = 0;
  readonly #visited = new Map<string, number>();
  readonly #refused = new Map<string, number>();

  constructor(random: Random, folder: string) {
    this.#random = random;
    this.#root = path.join(folder, 'work');
    this.#state = path.join(folder, 'state');
    this.#mark = path.basename(folder);
    fs.mkdirSync(path.join(this.#root, 'src'), { recursive: true });
    for (let n = 0; n < 50; n++) fs.writeFileSync(this.#at(`src/file-${n}.ts`), `export const value${n} = ${n};\n`.repeat(20));
    this.#git('init', '-q', '-b', 'main');
    this.#git('config', 'user.name', 'Soak');
    this.#git('config', 'user.email', 'soak@example.org');
    this.#git('add', '.');
    this.#git('commit', '-q', '-m', 'begin');
  }

  get #pid(): number {
    return this.#sidecar?.child.pid as number;
  }

  get #url(): string {
    return this.#sidecar?.url as string;
  }

  get #calls(): Client<Operations> {
    assert.ok(this.#client !== undefined);
    return this.#client;
  }

  /** Visits by kind. */
  get visited(): ReadonlyMap<string, number> {
    return this.#visited;
  }

  /** Calls that other visits were in the way of, by kind and reason. */
  get refused(): ReadonlyMap<string, number> {
    return this.#refused;
  }

  async start(): Promise<void> {
    const before = process.env['NODE_OPTIONS'];
    process.env['NODE_OPTIONS'] = '--inspect=127.0.0.1:0';
    try {
      this.#sidecar = await spawnSidecar({
        root: this.#root,
        state: this.#state,
        port: 0,
        flags: { ...flags, 'deploy.profiles': JSON.stringify({ plain: profile }) },
      });
    } finally {
      if (before === undefined) delete process.env['NODE_OPTIONS'];
      else process.env['NODE_OPTIONS'] = before;
    }
    this.#inspector = /Debugger listening on (ws:\S+)/.exec(this.#sidecar.log())?.[1] ?? '';
    this.#client = createClient<Operations>({ url: this.#url, token: processToken });
  }

  async stop(): Promise<void> {
    this.#client?.close();
    assert.equal(await this.#sidecar?.stop(), 0);
  }

  /** At the end of a test that failed, else without effect. */
  async kill(): Promise<void> {
    this.#client?.close();
    const child = this.#sidecar?.child;
    if (child?.exitCode === null && child.signalCode === null) await this.#sidecar?.kill();
  }

  /** So many visits, four at a time, each of a kind by chance. */
  async turn(visits: number): Promise<void> {
    const left = Array.from({ length: visits }, (_, n) => n);
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (left.pop() !== undefined) await this.#visit();
      }),
    );
  }

  /** What is held when everybody is gone and what was open is put away. */
  async held(): Promise<Held> {
    await eventually(async () => assert.deepEqual((await this.#calls.call('documents.list', {})).documents, []), 20_000);
    await sleep(1500);
    const heapMb = await this.#heapMb();
    return {
      heapMb,
      residentMb: memoryOf(this.#pid).residentMb,
      threads: fs.readdirSync(`/proc/${this.#pid}/task`).length,
      descriptors: this.#descriptors(),
      children: childrenOf(this.#pid)
        .map(({ name }) => name)
        .sort(),
      ...this.#stored(),
    };
  }

  /** After its end: no temporary file of its own, and no program of anybody. */
  assertTidy(): void {
    const left = fs.readdirSync(this.#root, { recursive: true, encoding: 'utf8' }).filter((name) => isPassingName(path.basename(name)));
    assert.deepEqual(left, []);
    assert.deepEqual(withEnvironment(`MARK=${this.#mark}`), []);
  }

  async #visit(): Promise<void> {
    const visits = {
      typing: () => this.#typing(),
      files: () => this.#files(),
      renames: () => this.#renames(),
      batch: () => this.#batch(),
      bytes: () => this.#bytes(),
      outside: () => this.#outside(),
      runs: () => this.#runs(),
      sessions: () => this.#sessions(),
      processes: () => this.#processes(),
      terminals: () => this.#terminals(),
      searches: () => this.#searches(),
      git: () => this.#gitCalls(),
      checkpoints: () => this.#checkpoints(),
      deployments: () => this.#deployments(),
      tokens: () => this.#tokens(),
      followers: () => this.#followers(),
      mcp: () => this.#mcp(),
      wrong: () => this.#wrong(),
    };
    const name = this.#random.of(Object.keys(visits) as (keyof typeof visits)[]);
    this.#visited.set(name, (this.#visited.get(name) ?? 0) + 1);
    try {
      await visits[name]();
    } catch (error) {
      if (!(error instanceof OutriggerError) || error.reason === 'INTERNAL') throw new Error(`In ${name}`, { cause: error });
      const refusal = `${name} ${error.reason}`;
      this.#refused.set(refusal, (this.#refused.get(refusal) ?? 0) + 1);
    }
  }

  #some(): string {
    return `src/file-${this.#random.below(50)}.ts`;
  }

  #new(): string {
    return `new/${++this.#count}-${this.#random.below(1e9).toString(36)}`;
  }

  async #typing(): Promise<void> {
    const room = this.#random.below(3) > 0 ? this.#some() : `${this.#new()}.md`;
    const people = Array.from({ length: 1 + this.#random.below(3) }, (_, n) =>
      openYjsClient(this.#url, { token: processToken, room, name: `person ${n}` }),
    );
    try {
      await people[0]?.synced();
      for (let edits = 5 + this.#random.below(20); edits > 0; edits--) {
        const { text } = this.#random.of(people);
        const at = this.#random.below(text.length + 1);
        if (text.length > 4000) text.delete(0, 2000);
        else text.insert(at, `line ${edits} ${'x'.repeat(this.#random.below(60))}\n`);
        if (this.#random.below(8) === 0) this.#random.of(people).cut();
        await sleep(this.#random.below(20));
      }
      if (this.#random.below(2) === 0) await this.#calls.call('documents.flush', {});
    } finally {
      for (const person of people) person.destroy();
    }
    if (room.startsWith('new/')) {
      await sleep(this.#random.below(800));
      await this.#calls.call('files.remove', { path: room });
    }
  }

  async #files(): Promise<void> {
    const at = this.#new();
    await this.#calls.call('files.write', { path: `${at}/a.txt`, text: 'one\ntwo\n' });
    await this.#calls.call('files.edit', { path: `${at}/a.txt`, edits: [{ find: 'two', replace: 'three' }] });
    await this.#calls.call('files.copy', { from: `${at}/a.txt`, to: `${at}/b.txt` });
    await this.#calls.call('files.move', { from: `${at}/a.txt`, to: `${at}/c.txt` });
    await this.#calls.call('files.list', { path: '', recursive: true });
    await this.#calls.call('files.remove', { path: at, recursive: true });
  }

  async #renames(): Promise<void> {
    const from = `${this.#new()}.md`;
    const to = `${this.#new()}.md`;
    await this.#calls.call('files.write', { path: from, text: 'text\n' });
    const person = openYjsClient(this.#url, { token: processToken, room: from, name: 'somebody' });
    try {
      await person.synced();
      // A checkpoint that somebody restores takes it away.
      if (fs.existsSync(this.#at(from))) fs.renameSync(this.#at(from), this.#at(to));
      for (let n = 0; n < 10; n++) {
        person.text.insert(0, 'a');
        await sleep(20);
      }
    } finally {
      person.destroy();
    }
    await sleep(1000);
    fs.rmSync(this.#at(from), { force: true });
    fs.rmSync(this.#at(to), { force: true });
  }

  async #batch(): Promise<void> {
    const at = this.#new();
    const { undo } = await this.#calls.call('files.batch', {
      changes: [
        { op: 'write', path: `${at}/a`, text: 'a' },
        { op: 'write', path: `${at}/b`, text: 'b' },
        { op: 'move', from: `${at}/a`, to: `${at}/c` },
      ],
      returnBefore: true,
    });
    if (undo !== undefined) await this.#calls.call('files.batch', { changes: undo });
    fs.rmSync(this.#at(at), { recursive: true, force: true });
  }

  async #bytes(): Promise<void> {
    const to = `${this.#new()}.bin`;
    const bytes = Buffer.alloc(this.#random.below(3_000_000), 7);
    if (this.#random.below(4) === 0) {
      const half = AbortSignal.timeout(1 + this.#random.below(10));
      await this.#calls.upload('files.upload', { path: to }, bytes, { signal: half }).catch(() => undefined);
      fs.rmSync(this.#at(to), { force: true });
      return;
    }
    await this.#calls.upload('files.upload', { path: to }, bytes);
    const download = await this.#calls.download('files.download', { path: to });
    let seen = 0;
    for await (const chunk of download.bytes) {
      seen += chunk.length;
      if (this.#random.below(10) === 0) break;
    }
    assert.ok(seen <= bytes.length);
    await this.#calls.call('files.remove', { path: to });
  }

  async #outside(): Promise<void> {
    const at = this.#at(this.#new());
    for (let n = 0; n < 20; n++) fs.mkdirSync(path.join(at, `folder-${n}`, 'deep'), { recursive: true });
    for (let n = 0; n < 200; n++) fs.writeFileSync(path.join(at, `folder-${n % 20}`, `file-${n}`), `content ${n}`);
    await sleep(this.#random.below(300));
    fs.rmSync(at, { recursive: true, force: true });
  }

  async #runs(): Promise<void> {
    const [language, code] = this.#random.of([
      ['py', 'print(1)'],
      ['js', 'console.log(1)'],
      ['ts', 'console.log(1 as number)'],
      ['bash', 'echo 1; exit 3'],
      ['py', 'open("out.txt", "w").write("x"); raise SystemExit(1)'],
      ['py', 'while True: pass'],
      ['c', `int main(void) { return ${this.#random.below(20)}; }`],
    ] as const);
    const signal = this.#random.below(4) === 0 ? AbortSignal.timeout(this.#random.below(300)) : undefined;
    await this.#calls
      .call('code.run', { language, code, env: { MARK: this.#mark }, limits: { wallMs: 400 } }, signal === undefined ? {} : { signal })
      .catch((error: unknown) => {
        if (signal?.aborted !== true) throw error;
      });
  }

  async #sessions(): Promise<void> {
    const { id: session } = await this.#calls.call('code.openSession', {});
    await this.#calls.call('code.run', { language: 'py', code: 'a = 1\nopen("f", "w").write("x" * 1000)', session, keepState: true });
    await this.#calls.call('code.run', { language: 'py', code: 'print(a)', session, keepState: true });
    if (this.#random.below(2) === 0) await this.#calls.call('code.closeSession', { session });
  }

  async #processes(): Promise<void> {
    const { process: started } = await this.#calls.call('processes.start', {
      argv: this.#random.of([['seq', '1', '20000'], ['sh', '-c', 'sleep 60 & echo hello; exit 3'], ['cat'], ['sleep', '60']]),
      keepStdinOpen: true,
      env: { MARK: this.#mark },
    });
    const gone = new AbortController();
    const followed = (async () => {
      for await (const item of this.#calls.stream('processes.output', { id: started.id, follow: true }, { signal: gone.signal }))
        if (item === undefined) break;
    })().catch(() => undefined);
    await sleep(this.#random.below(100));
    if (this.#random.below(2) === 0) gone.abort();
    await this.#calls.call('processes.stop', { id: started.id, graceMs: 100 });
    gone.abort();
    await followed;
    if (this.#random.below(2) === 0) await this.#calls.call('processes.remove', { id: started.id });
  }

  async #terminals(): Promise<void> {
    const { terminal } = await this.#calls.call('terminals.open', { argv: ['sh'], env: { MARK: this.#mark } });
    const gone = new AbortController();
    const viewers = Array.from({ length: 1 + this.#random.below(3) }, async () => {
      for await (const item of this.#calls.stream('terminals.attach', { id: terminal.id }, { signal: gone.signal }))
        if (item.type === 'title') break;
    });
    const ended = Promise.allSettled(viewers);
    await this.#calls.call('terminals.input', { id: terminal.id, text: 'seq 1 3000\n' });
    await this.#calls.call('terminals.resize', { id: terminal.id, columns: 100, rows: 30 });
    await sleep(this.#random.below(150));
    if (this.#random.below(2) === 0) gone.abort();
    await this.#calls.call('terminals.close', { id: terminal.id });
    gone.abort();
    await ended;
  }

  async #searches(): Promise<void> {
    await this.#calls.call('search.text', { pattern: `value${this.#random.below(50)}` });
    await this.#calls.call('search.text', { pattern: 'v.*1;', regex: true });
    await this.#calls.call('search.files', { query: 'file1' });
    await this.#calls.call('search.symbols', { query: 'value' });
    await this.#calls.call('files.outline', { path: this.#some() });
    await this.#calls.call('files.hash', { path: this.#some() });
    const stream = this.#calls.stream('search.text', { pattern: 'export' });
    stream.end.catch(() => undefined);
    for await (const item of stream) if (item !== undefined) break;
  }

  async #gitCalls(): Promise<void> {
    const file = this.#some();
    await this.#calls.call('files.write', { path: file, text: `export const changed = ${this.#random.below(1e6)};\n` });
    await this.#calls.call('git.status', {});
    await this.#calls.call('git.diff', {});
    await this.#calls.call('git.commit', { message: `change ${++this.#count}` });
    await this.#calls.call('git.log', { count: 5 });
    await this.#calls.call('git.blame', { path: file });
    // Another visit may have taken back both.
    await this.#calls.call('git.reset', { to: 'HEAD~1', mode: 'hard' });
  }

  async #checkpoints(): Promise<void> {
    await this.#calls.call('files.write', { path: this.#some(), text: `changed ${this.#random.below(1e6)}\n` });
    const { id } = await this.#calls.call('checkpoints.create', { title: 'soak' });
    await this.#calls.call('checkpoints.list', {});
    await this.#calls.call('checkpoints.diff', { id });
    await this.#calls.call('checkpoints.restore', { id });
  }

  async #deployments(): Promise<void> {
    await this.#calls.call('deploy.run', { profile: 'plain', parameters: { code: this.#random.below(2) } });
  }

  async #tokens(): Promise<void> {
    const token = await this.#calls.call('tokens.create', { name: 'guest', access: 'write', expiresInS: 3600 });
    const guest = createClient<Operations>({ url: this.#url, token: token.secret });
    await guest.call('files.list', {});
    const person = openYjsClient(this.#url, { token: token.secret, room: this.#some() });
    await person.synced();
    await this.#calls.call('tokens.revoke', { id: token.id });
    await sleep(50);
    person.destroy();
    guest.close();
  }

  async #followers(): Promise<void> {
    const gone = new AbortController();
    const other = createClient<Operations>({ url: this.#url, token: processToken });
    const followed = Promise.allSettled([
      (async () => {
        for await (const change of other.watchChanges(undefined, { signal: gone.signal })) if (change === undefined) break;
      })(),
      (async () => {
        for await (const item of other.stream('documents.watch', {}, { signal: gone.signal })) if (item === undefined) break;
      })(),
      (async () => {
        for await (const item of other.stream('processes.watch', {}, { signal: gone.signal })) if (item === undefined) break;
      })(),
      (async () => {
        const answer = await fetch(`${this.#url}/api/changes.watch`, {
          method: 'POST',
          headers: { ...mcpHeaders, accept: 'text/event-stream' },
          body: '{}',
          signal: gone.signal,
        });
        for await (const chunk of answer.body ?? []) if (chunk === undefined) break;
      })(),
    ]);
    await sleep(100 + this.#random.below(400));
    if (this.#random.below(2) === 0) other.close();
    gone.abort();
    await followed;
    other.close();
    const raw = new WebSocket(`${this.#url.replace('http', 'ws')}/ws/doc/${this.#some()}?token=${processToken}`);
    raw.on('error', () => undefined);
    await sleep(this.#random.below(40));
    raw.terminate();
  }

  async #mcp(): Promise<void> {
    const ask = (body: object, more: Record<string, string> = {}): Promise<Response> =>
      fetch(`${this.#url}/mcp`, { method: 'POST', headers: { ...mcpHeaders, ...more }, body: JSON.stringify({ jsonrpc: '2.0', ...body }) });
    const opened = await ask({
      id: 1,
      method: 'initialize',
      params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'soak', version: '1' } },
    });
    await opened.text();
    const session = opened.headers.get('mcp-session-id');
    assert.ok(session !== null, `${opened.status}`);
    const mine = { 'mcp-session-id': session, 'mcp-protocol-version': '2025-06-18' };
    await (await ask({ method: 'notifications/initialized' }, mine)).text();
    await (await ask({ id: 2, method: 'tools/list' }, mine)).text();
    await (await ask({ id: 3, method: 'tools/call', params: { name: 'files_list', arguments: {} } }, mine)).text();
    await (await fetch(`${this.#url}/mcp`, { method: 'DELETE', headers: { ...mcpHeaders, ...mine } })).text();
  }

  /** What nobody is to ask. */
  async #wrong(): Promise<void> {
    for (const [method, at, body] of [
      ['POST', '/api/files.read', '{"path":"../../etc/passwd"}'],
      ['POST', '/api/files.read', '{"path":'],
      ['POST', '/api/no.such', '{}'],
      ['GET', '/no/such/page', undefined],
    ] as const) {
      const answer = await fetch(`${this.#url}${at}`, { method, headers: mcpHeaders, ...(body === undefined ? {} : { body }) });
      await answer.text();
      assert.ok(answer.status >= 400 && answer.status < 500, `${at} ${answer.status}`);
    }
    const stranger = await fetch(`${this.#url}/api/files.list`, { method: 'POST', body: '{}' });
    await stranger.text();
    const socket = new WebSocket(`${this.#url.replace('http', 'ws')}/ws/doc/x?token=wrong-token-0123456789`);
    socket.on('error', () => undefined);
    await sleep(30);
    socket.terminate();
  }

  #at(name: string): string {
    return path.join(this.#root, name);
  }

  #git(...args: string[]): void {
    execFileSync('git', args, { cwd: this.#root, stdio: 'ignore' });
  }

  #descriptors(): Record<string, number> {
    const folder = `/proc/${this.#pid}/fd`;
    const counts: Record<string, number> = {};
    for (const entry of fs.readdirSync(folder)) {
      let target: string;
      try {
        target = fs.readlinkSync(path.join(folder, entry));
      } catch {
        continue;
      }
      const kind = target.startsWith('/') ? target.replace(path.dirname(this.#root), '').replace(/\d+/g, 'N') : target.replace(/:.*/, '');
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
    return counts;
  }

  #stored(): { stateMb: number; stateFiles: number } {
    let bytes = 0;
    let files = 0;
    for (const entry of fs.readdirSync(this.#state, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      files++;
      bytes += fs.statSync(path.join(entry.parentPath, entry.name), { throwIfNoEntry: false })?.size ?? 0;
    }
    return { stateMb: bytes / 2 ** 20, stateFiles: files };
  }

  /** Over the protocol of V8's inspector: collects all garbage, then asks how much is left. */
  async #heapMb(): Promise<number> {
    const socket = new WebSocket(this.#inspector);
    const answers = new Map<number, (result: unknown) => void>();
    socket.on('message', (data) => {
      const { id, result } = JSON.parse(String(data)) as { id: number; result: unknown };
      answers.get(id)?.(result);
    });
    const ask = (id: number, method: string): Promise<unknown> =>
      new Promise((resolve) => {
        answers.set(id, resolve);
        socket.send(JSON.stringify({ id, method }));
      });
    await once(socket, 'open');
    try {
      await ask(1, 'HeapProfiler.collectGarbage');
      await ask(2, 'HeapProfiler.collectGarbage');
      return ((await ask(3, 'Runtime.getHeapUsage')) as { usedSize: number }).usedSize / 2 ** 20;
    } finally {
      socket.terminate();
    }
  }
}
