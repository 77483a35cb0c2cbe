import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { Caller } from '../../src/contract/access.ts';
import { fromWireError, OutriggerError, type WireError } from '../../src/contract/errors.ts';
import { operations, type OperationName, type Operations } from '../../src/contract/operations.ts';
import { createJsonCodec } from '../../src/core/json-codec.ts';
import type { Peer } from '../../src/core/peer.ts';
import { nodeBase64 } from '../../src/net/base64.ts';
import { serveRpc } from '../../src/transports/rpc/rpc.ts';
import { lineSocket, serveStdio } from '../../src/transports/stdio/stdio.ts';
import { type CommandLoop, startCommandLoop } from '../kit/command-runner.ts';
import { linkToHub } from '../kit/linked-hub.ts';
import { gathered } from '../kit/parity.ts';
import { type RunningSidecar, withSidecar } from '../kit/sidecar.ts';

/** A way in: what it answers to one call, items and bytes gathered, or the error. */
interface Way {
  name: string;
  ask(operation: string, input: object): Promise<unknown>;
}

const caller: Caller = { id: 'main', name: 'owner', kind: 'person', access: 'admin', shared: true };
const refuse = (): Promise<never> => Promise.reject(new OutriggerError('NO_OPERATION', 'Nothing is offered here.'));

/** Of a run, a session or a file that is not there. */
const noId = 'AAAAAAAAAAAAAAAAAAAAA';

/** Each operation, with inputs that answer and inputs that fail; `@` becomes a folder of each way's own. */
const asked: Record<OperationName, object[]> = {
  'system.info': [{}],
  'system.health': [{}],
  'system.doctor': [{}],
  'tokens.create': [
    { name: 'ci', access: 'read', paths: ['src'] },
    { name: '', access: 'read' },
  ],
  'tokens.list': [{}],
  'tokens.revoke': [{ id: 'missing' }],
  // Would cut every way at once: the tokens flow has it.
  'tokens.rotate': [],
  'files.list': [{ path: 'shared', recursive: true }, { path: 'missing' }, { path: '../x' }],
  'files.stat': [{ path: 'shared/a.txt', hash: true }, { path: 'missing' }],
  'files.read': [{ path: 'shared/a.txt' }, { path: 'shared/a.txt', tail: 1 }, { path: 'shared/bytes.bin' }, { path: 'missing' }, {}],
  'files.write': [
    { path: '@/w.txt', text: 'ünï😀\n' },
    { path: 'shared/a.txt', text: 'x', ifMatch: '"other"' },
    { path: 'shared', text: '' },
  ],
  'files.create': [{ path: '@/c.txt', text: 'c' }, { path: 'shared/a.txt' }],
  'files.edit': [
    { path: '@/w.txt', edits: [{ find: 'ünï', replace: 'uni' }] },
    { path: 'shared/a.txt', edits: [{ find: 'nowhere', replace: '' }] },
  ],
  'files.mkdir': [{ path: '@/deep/er' }],
  'files.copy': [
    { from: '@/w.txt', to: '@/copy.txt' },
    { from: 'missing', to: '@/x' },
  ],
  'files.move': [
    { from: '@/copy.txt', to: '@/moved.txt' },
    { from: '@/moved.txt', to: '@/w.txt' },
  ],
  'files.batch': [
    {
      changes: [
        { op: 'write', path: '@/new/b.txt', text: 'one\n' },
        { op: 'edit', path: '@/new/b.txt', edits: [{ find: 'one', replace: 'two' }] },
        { op: 'move', from: '@/new', to: '@/batch' },
      ],
      returnBefore: true,
    },
    {
      changes: [
        { op: 'remove', path: '@/batch/b.txt', ifMatch: '"other"' },
        { op: 'remove', path: 'missing' },
      ],
    },
  ],
  'files.upload': [{ path: '@/up.bin' }, { path: 'shared/a.txt', ifNoneMatch: '*' }],
  'files.download': [
    { path: 'shared/bytes.bin' },
    { path: 'shared/bytes.bin', range: 'bytes=1-2' },
    { path: 'shared/bytes.bin', range: 'bytes=99-' },
  ],
  'files.remove': [{ path: '@', recursive: true }, { path: 'missing' }, { path: 'shared' }],
  'changes.since': [{ limit: 1 }, { cursor: 'junk' }],
  'changes.watch': [{ cursor: 'junk' }],
  'documents.list': [{}],
  // Has no end: the parity of streams is in parity.test.ts.
  'documents.watch': [],
  'documents.open': [{ path: 'shared/a.txt' }, { path: 'shared/bytes.bin' }, { path: 'missing' }],
  'documents.flush': [{}],
  'history.list': [{ path: 'missing' }, { path: '../x' }],
  'history.read': [{ path: 'missing', revision: 1 }, { path: 'shared/a.txt' }],
  'history.restore': [{ path: 'missing', revision: 1 }],
  'history.revert': [
    { path: 'missing', revision: 1 },
    { path: 'missing', revision: 1, first: 2 },
  ],
  'search.text': [
    { pattern: 'two', path: 'shared' },
    { pattern: '(', regex: true },
    { pattern: 'x', path: 'missing' },
  ],
  'search.replace': [
    { pattern: 'two', replace: '2', path: 'shared', dryRun: true, returnBefore: true },
    { pattern: '(', regex: true, replace: '' },
    { pattern: 'x', replace: 'y', path: 'missing' },
  ],
  'search.files': [
    { query: 'ashared', path: 'shared' },
    { include: ['*.bin'], path: 'shared' },
  ],
  'search.symbols': [{ query: 'nothing' }],
  'files.outline': [{ path: 'shared/a.ts' }, { path: 'shared/a.txt' }, { path: 'missing.ts' }],
  'files.hash': [{ path: 'shared/a.txt' }, { path: 'missing' }, { path: 'shared' }],
  'index.status': [{}],
  'index.wait': [{}, { revision: 1_000_000, timeoutMs: 20 }],
  'git.status': [{}],
  'git.diff': [{}],
  'git.log': [{}],
  'git.show': [{ path: 'shared/a.txt' }],
  'processes.start': [
    { argv: [] },
    { argv: ['no-such-program'] },
    { argv: ['true'], path: 'missing' },
    { argv: ['true'], host: 'elsewhere' },
  ],
  'processes.run': [
    { argv: ['printf', 'ünï😀'] },
    { argv: ['sh', '-c', 'echo wrong >&2; exit 3'], streams: ['stderr'], encoding: 'base64' },
    { argv: ['a\0b'] },
  ],
  'processes.list': [{}],
  'processes.get': [{ id: 'missing' }],
  'processes.output': [{ id: 'missing' }, { id: 'missing', streams: [] }],
  'processes.input': [{ id: 'missing', text: 'x' }],
  'processes.signal': [
    { id: 'missing', signal: 'SIGTERM' },
    { id: 'missing', signal: 'SIGSEGV' },
  ],
  'processes.stop': [{ id: 'missing' }],
  'processes.restart': [{ id: 'missing' }],
  'processes.wait': [{ id: 'missing' }],
  'processes.remove': [{ id: 'missing' }],
  // Has no end, and nothing that it refuses.
  'processes.watch': [],
  'terminals.open': [{ argv: ['no-such-program'] }, { columns: 0 }],
  'terminals.list': [{}],
  'terminals.attach': [{ id: 'missing' }],
  'terminals.input': [{ id: 'missing', text: 'x' }],
  'terminals.resize': [{ id: 'missing', columns: 80, rows: 24 }],
  'terminals.close': [{ id: 'missing' }],
  'deploy.list': [{}],
  'deploy.run': [{ profile: 'missing' }, { profile: 'odoo', parameters: { module: '-d' } }],
  'deploy.rollback': [{ to: 'missing' }],
  'deploy.cancel': [{ id: 'missing' }],
  'deploy.follow': [{ last: -1 }],
  'code.languages': [{}],
  'code.isolation': [{}],
  'code.run': [
    // One stream each: between two pipes there is no order.
    { language: 'bash', code: 'echo "$1"; exit 3', args: ['ä'] },
    { language: 'bash', code: 'echo err >&2' },
    { language: 'missing', code: 'x' },
    { language: 'py', code: '' },
    { language: 'bash', code: 'true', session: noId },
  ],
  'code.input': [{ run: noId, text: 'x' }, { run: 'short' }],
  'code.cancel': [{ run: noId }],
  'code.openSession': [{ entity: 'parity' }, { entity: 'not one' }],
  'code.session': [{ session: noId }],
  'code.sessions': [{}],
  'code.closeSession': [{ session: noId }],
  'code.putFile': [{ session: noId, name: 'a.txt' }],
  'code.getFile': [{ session: noId, id: noId }],
  'code.removeFile': [{ session: noId, id: noId }],
  'code.getState': [{ session: noId }],
  'code.putState': [{ session: noId }],
  'code.removeState': [{ session: noId }],
  // There is no hub here; the flows of the link have one.
  'tasks.list': [{}],
  'tasks.get': [{ id: 'missing' }],
  // Has no end.
  'tasks.watch': [],
  'tasks.follow': [{ id: 'missing' }],
  'tasks.accept': [{ id: 'missing' }],
  'tasks.progress': [
    { id: 'missing', progress: 5 },
    { id: 'missing', progress: 500 },
  ],
  'tasks.log': [{ id: 'missing', text: 'x' }],
  'tasks.complete': [{ id: 'missing' }],
  'tasks.fail': [{ id: 'missing', reason: 'x' }, { id: 'missing' }],
  'tasks.cancel': [{ id: 'missing' }],
  'tasks.export': [{}],
  'checkpoints.list': [{}, { limit: 0 }],
  'checkpoints.create': [{ title: '' }, { title: 'x', paths: ['../x'] }],
  'checkpoints.diff': [{ id: 1_000_000 }],
  'checkpoints.restore': [{ id: 1_000_000 }, { id: 1, paths: ['../x'] }],
  'checkpoints.revert': [{ run: 'missing' }],
  'git.commit': [{ message: 'x' }, {}],
  'git.hunks': [{}, { commit: 'HEAD', staged: true }],
  'git.commitInfo': [{}],
  'git.editors': [{}, { limit: 0 }],
  'git.blame': [{ path: 'shared/a.txt' }],
  // Made by one way, the repository would be there for the others: the git flow has it.
  'git.init': [{ branch: '-x' }],
  'git.stage': [{}],
  'git.unstage': [{}],
  'git.restore': [{ files: [{ path: 'shared/a.txt' }] }, { files: [] }],
  'git.reset': [{}],
  'git.stashes': [{}],
  'git.stash': [{}],
  'git.branches': [{}],
  'git.branch': [{ name: 'x' }, { name: '--delete' }],
  'git.checkout': [{ to: 'main' }],
  'git.merge': [{ from: 'main' }],
  'git.rebase': [{ onto: 'main' }],
  'git.cherryPick': [{ commit: 'main' }],
  'git.revert': [{ commit: 'main' }],
  'git.continue': [{}],
  'git.abort': [{}],
  'git.tags': [{}],
  'git.tag': [{ name: 'v1' }],
  'git.remotes': [{}],
  'git.remote': [{ url: 'https://ann:pw@example.org/r.git' }],
  'git.clone': [{ url: 'ext::sh -c id', path: 'x' }, { url: 'https://example.org/r.git' }],
  'git.fetch': [{}],
  'git.pull': [{}],
  'git.push': [{}],
};

test('every operation answers alike over HTTP, RPC, stdio, the hub link and the command line', () =>
  withSidecar(async (running) => {
    running.put('shared/a.txt', 'one\ntwo\n');
    running.put('shared/a.ts', 'export function one() {}\n');
    running.put('shared/bytes.bin', Buffer.from([0, 1, 2, 255]));
    await withWays(running, async (ways) => {
      for (const name of Object.keys(asked) as OperationName[]) {
        for (const input of asked[name]) {
          const answers = await Promise.all(ways.map(async (way, index) => plain(await outcome(way, name, place(input, index)), index)));
          for (const [index, answer] of answers.entries()) {
            assert.deepEqual(answer, answers[0], `${name} ${JSON.stringify(input)} over ${ways[index]?.name} and ${ways[0]?.name}`);
          }
        }
      }
    });
  }));

async function outcome(way: Way, name: string, input: object): Promise<unknown> {
  try {
    return { answer: await way.ask(name, input) };
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
    return { error: { code: error.code, reason: error.reason, message: error.message, details: error.details } };
  }
}

const folderOf = (index: number): string => `own${index}`;

function place(input: object, index: number): object {
  return JSON.parse(JSON.stringify(input).replaceAll('"@', `"${folderOf(index)}`)) as object;
}

// Facts that differ from call to call, whatever the way: times, memory, numbers of revisions, and what is made at random.
const passing =
  /^(revision|cursor|at|modified|created|expires|id|secret|uptimeMs|elapsedMs|memoryBytes|connections|changes|tokens|checks|limits|startedAt|startedBy|endedAt|request_?id|caller|documents|processes|terminals|deployments|run|session|sessions|wallMs|cpuMs|queuedMs|createdAt|expiresAt|evidence|why)$/i;

function plain(value: unknown, index: number): unknown {
  const text = JSON.stringify(value, (key, part: unknown) => (passing.test(key) ? typeof part : part));
  return JSON.parse(text.replaceAll(folderOf(index), '@')) as unknown;
}

async function withWays(running: RunningSidecar, run: (ways: Way[]) => Promise<void>): Promise<void> {
  const { url, token, sidecar, root } = running;
  const http = createClient<Operations>({ url, token, webSocket: undefined });
  const rpc = createClient<Operations>({ url, token });
  const toChild = new PassThrough();
  const fromChild = new PassThrough();
  const child = serveStdio({ dispatch: sidecar.dispatch, input: toChild, output: fromChild, caller });
  const hostSocket = lineSocket(fromChild, toChild, { maxLineBytes: 1e8, drainMs: 0, idle: () => Promise.resolve() });
  const limits = { maxFrameLength: 1e8 };
  const host = serveRpc(hostSocket, {
    dispatch: refuse,
    codec: createJsonCodec<WireError>(nodeBase64),
    caller,
    transport: 'host',
    connectionId: 'host',
    idPrefix: 'h',
    limits,
  });

  const linked = await linkToHub(sidecar.dispatch);
  const commands = startCommandLoop({ cwd: root, env: { PATH: process.env['PATH'], HOME: root, OUTRIGGER_TOKEN: token } });
  try {
    await run([
      { name: 'HTTP', ask: (name, input) => askClient(http, name as OperationName, input) },
      { name: 'RPC', ask: (name, input) => askClient(rpc, name as OperationName, input) },
      { name: 'stdio', ask: (name, input) => askPeer(host, name as OperationName, input) },
      { name: 'the hub link', ask: (name, input) => askPeer(linked.peer, name as OperationName, input) },
      { name: 'the command line', ask: (name, input) => askCommand(name as OperationName, input, { commands, url }) },
    ]);
  } finally {
    http.close();
    rpc.close();
    child.close();
    hostSocket.close(0, 'over');
    await linked.close();
    await commands.close();
  }
}

type AnyClient = ReturnType<typeof createClient<Operations>>;

async function askClient(client: AnyClient, name: OperationName, input: object): Promise<unknown> {
  const operation = operations[name];
  if ('bytes' in operation) {
    const { output, bytes } = await client.download(name as 'files.download', input as never);
    assert.equal(output.path, (input as { path: string }).path);
    return { bytes: [...(await gathered(bytes))] };
  }
  if ('body' in operation) return client.upload(name as 'files.upload', input as never, Uint8Array.of(1, 2, 3));
  if (!('item' in operation)) return client.call(name as 'system.info', input as never);
  const stream = client.stream(name as 'files.list', input as never);
  const items: unknown[] = [];
  for await (const item of stream) items.push(item);
  return { ...(await stream.end), items };
}

async function askPeer(peer: Pick<Peer<WireError>, 'call'>, name: OperationName, input: object): Promise<unknown> {
  const operation = operations[name];
  if ('body' in operation) {
    const body = (async function* () {
      yield Uint8Array.of(1, 2, 3);
    })();
    return peer.call(name, input, { body }).result;
  }
  const call = peer.call(name, input, { stream: 'item' in operation || 'bytes' in operation });
  if ('bytes' in operation) {
    const bytes = [...(await gathered(call.bytes))];
    await call.result;
    return { bytes };
  }
  if (!('item' in operation)) return call.result;
  const items: unknown[] = [];
  for await (const item of call.items) items.push(item);
  return { ...((await call.result) as object), items };
}

interface CommandTarget {
  commands: CommandLoop;
  url: string;
}

/** `outrigger call`, whose errors are a line for people: the reason is found by its message. */
async function askCommand(name: OperationName, input: object, { commands, url }: CommandTarget): Promise<unknown> {
  const { code, out, err } = await commands.run(['call', name, JSON.stringify(input), '--json', '--url', url], Uint8Array.of(1, 2, 3));
  if (code !== 0) throw fromWireError(JSON.parse(err.split('\n')[0] ?? '') as WireError);
  if ('bytes' in operations[name]) return { bytes: [...out] };
  const lines = out.toString().trim().split('\n');
  if (!('item' in operations[name])) return JSON.parse(lines[0] ?? '') as unknown;
  const values = lines.map((line) => JSON.parse(line) as { item?: unknown; end?: object });
  return { ...values.at(-1)?.end, items: values.slice(0, -1).map(({ item }) => item) };
}
