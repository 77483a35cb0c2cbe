// The ways by which a limited caller asks a sidecar, and what it hears by feeds.
import { Readable } from 'node:stream';
import { PassThrough } from 'node:stream';
import { Client as McpClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { WebSocket } from 'ws';
import { type Client, createClient } from '../../src/client/client.ts';
import { OutriggerError, type WireError } from '../../src/contract/errors.ts';
import { operations, type OperationName, type Operations } from '../../src/contract/operations.ts';
import { createJsonCodec } from '../../src/core/json-codec.ts';
import { nodeBase64 } from '../../src/net/base64.ts';
import { serveRpc } from '../../src/transports/rpc/rpc.ts';
import { isTool, toolName } from '../../src/transports/mcp/tools.ts';
import { lineSocket, serveStdio } from '../../src/transports/stdio/stdio.ts';
import type { LimitedCaller, Side } from './limited-world.ts';
import { gathered } from './parity.ts';

/** A call whose token ends has no answer, and the official client waits for one. What isolates code is tried for up to 6 s on a busy machine. */
const MCP_ANSWER_MS = 20_000;
const UPLOADED = Buffer.from('uploaded needle\n');
/** Headers that say something of the answer; the others are of the connection. */
const toldHeaders = [
  'etag',
  'content-type',
  'content-range',
  'location',
  'retry-after',
  'last-modified',
  'x-revision',
  'x-cursor',
  'allow',
];

/** What came of a call: compared between the sides. */
export type Outcome = Record<string, unknown>;

export interface Way {
  name: string;
  takes(name: OperationName): boolean;
  ask(name: OperationName, input: object): Promise<Outcome>;
}

export interface LimitedWays {
  ways: Way[];
  http(method: string, target: string, body?: string | Buffer, headers?: Record<string, string>): Promise<Outcome>;
  mcp: McpClient;
  /** By the name of the feed: what came since it was asked last, in order. */
  heard: Map<string, unknown[]>;
  close(): Promise<void>;
}

export async function openWays(side: Side, caller: LimitedCaller): Promise<LimitedWays> {
  const { running, token } = side;
  const { url } = running;
  const http = async (method: string, target: string, body?: string | Buffer, headers: Record<string, string> = {}): Promise<Outcome> => {
    const response = await fetch(url + target, {
      ...{ method, redirect: 'manual', ...(body === undefined ? {} : { body: body as string }) },
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    const told = Object.fromEntries(
      toldHeaders.flatMap((header) => (response.headers.has(header) ? [[header, response.headers.get(header)]] : [])),
    );
    const text = await response.text();
    let value: unknown = text;
    try {
      value = JSON.parse(text);
    } catch {
      // Bytes of a file, or a page.
    }
    return { status: response.status, headers: told, value };
  };
  const json = { 'content-type': 'application/json' };
  const isEndless = (name: OperationName): boolean => 'endless' in operations[name];
  const hasBody = (name: OperationName): boolean => 'body' in operations[name];
  const query = (input: object): string =>
    new URLSearchParams(Object.entries(input).map(([key, value]) => [key, String(value)])).toString();
  const isFlat = (input: object): boolean => Object.values(input).every((value) => typeof value !== 'object');
  const client = createClient<Operations>({ url, token });
  const stdio = openStdio(side, caller);
  const mcp = new McpClient({ name: 'tests', version: '1.0.0' });
  await mcp.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  );

  const ways: Way[] = [
    {
      name: 'POST',
      takes: () => true,
      ask: (name, input) =>
        hasBody(name)
          ? http('POST', `/api/${name}?${query(input)}`, UPLOADED, { 'content-type': 'application/octet-stream' })
          : http('POST', `/api/${name}`, JSON.stringify(input), json),
    },
    {
      name: 'GET',
      takes: (name) => operations[name].access === 'read' && !isEndless(name) && !hasBody(name),
      ask: (name, input) =>
        isFlat(input) ? http('GET', `/api/${name}?${query(input)}`) : http('POST', `/api/${name}`, JSON.stringify(input), json),
    },
    { name: 'RPC', takes: () => true, ask: (name, input) => outcome(() => askClient(client, name, input)) },
    { name: 'stdio', takes: (name) => !isEndless(name), ask: (name, input) => outcome(() => stdio.ask(name, input)) },
    {
      name: 'MCP',
      takes: (name) => isTool(name, operations[name]),
      ask: async (name, input) => {
        const { structuredContent, content, isError } = await mcp.callTool(
          { name: toolName(name), arguments: { ...input } },
          { timeout: MCP_ANSWER_MS },
        );
        return { isError: isError === true, value: structuredContent, text: structuredContent === undefined ? content : undefined };
      },
    },
  ];

  const heard = new Map<string, unknown[]>(['RPC', 'SSE', 'documents', 'platxa', 'MCP'].map((name) => [name, []]));
  const left = new AbortController();
  const hear = (feed: string, item: unknown): void => void heard.get(feed)?.push(item);
  const listening = [
    follow(client.stream('changes.watch', { git: false }, { signal: left.signal }), (item) => hear('RPC', item)),
    follow(client.stream('documents.watch', {}, { signal: left.signal }), (item) => hear('documents', item)),
    followEvents(`${url}/api/changes.watch?git=false`, token, left.signal, (item) => hear('SSE', item)),
  ];
  const socket = new WebSocket(`${url.replace('http', 'ws')}/?token=${token}`);
  socket.on('message', (data: Buffer) => hear('platxa', JSON.parse(data.toString()) as unknown));
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('open', resolve).once('close', resolve));
  mcp.setNotificationHandler('notifications/resources/updated', ({ params }) => hear('MCP', params.uri));
  for (const uri of ['pub/a.txt', 'pub/out/target.txt', 'priv/target.txt', 'pub/made.txt', 'mark'].map((name) => `workspace:///${name}`))
    await mcp.subscribeResource({ uri }).catch(() => undefined);

  return {
    ways,
    http,
    mcp,
    heard,
    async close() {
      left.abort();
      socket.close();
      await mcp.close();
      client.close();
      stdio.close();
      await Promise.all(listening);
    },
  };
}

/** Errors as they are told. */
async function outcome(run: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { answer: await run() };
  } catch (error) {
    if (!(error instanceof OutriggerError)) throw error;
    const { code, reason, message, details } = error;
    return { code, reason, message, details };
  }
}

async function follow(items: AsyncIterable<unknown>, hear: (item: unknown) => void): Promise<void> {
  try {
    for await (const item of items) hear(item);
  } catch {
    // The end of the feed.
  }
}

async function followEvents(url: string, token: string, signal: AbortSignal, hear: (item: unknown) => void): Promise<void> {
  try {
    const { body } = await fetch(url, { headers: { authorization: `Bearer ${token}`, accept: 'text/event-stream' }, signal });
    let text = '';
    for await (const chunk of Readable.fromWeb(body as never)) {
      text += (chunk as Buffer).toString();
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const data = /^data: (.*)$/m.exec(text.slice(0, end))?.[1];
        if (data !== undefined) hear(JSON.parse(data));
        text = text.slice(end + 2);
      }
    }
  } catch {
    // The end of the feed.
  }
}

async function askClient(client: Client<Operations>, name: OperationName, input: object): Promise<unknown> {
  const operation = operations[name];
  if ('body' in operation) return client.upload(name as 'files.upload', input as never, UPLOADED);
  if ('bytes' in operation) {
    const { output, bytes } = await client.download(name as 'files.download', input as never);
    return { output, bytes: Buffer.from(await gathered(bytes)).toString('latin1') };
  }
  if (!('item' in operation)) return client.call(name as 'system.info', input as never);
  const stream = client.stream(name as 'files.list', input as never);
  const items: unknown[] = [];
  for await (const item of stream) items.push(item);
  return { ...(await stream.end), items };
}

/** A host's side of a child whose caller is limited. */
function openStdio(
  { running: { sidecar } }: Side,
  limited: LimitedCaller,
): { ask: (name: OperationName, input: object) => Promise<unknown>; close: () => void } {
  const caller = { id: 'limited', name: 'limited', kind: 'agent', access: limited.access, paths: limited.paths } as const;
  const toChild = new PassThrough();
  const fromChild = new PassThrough();
  const child = serveStdio({ dispatch: sidecar.dispatch, input: toChild, output: fromChild, caller });
  const hostSocket = lineSocket(fromChild, toChild, { maxLineBytes: 1e8, drainMs: 0, idle: () => Promise.resolve() });
  const host = serveRpc(hostSocket, {
    dispatch: () => Promise.reject(new OutriggerError('NO_OPERATION', 'Nothing is offered here.')),
    codec: createJsonCodec<WireError>(nodeBase64),
    ...{ caller, transport: 'host', connectionId: 'host', idPrefix: 'h', limits: { maxFrameLength: 1e8 } },
  });
  return {
    async ask(name, input) {
      const operation = operations[name];
      if ('body' in operation) return host.call(name, input, { body: Readable.from([UPLOADED]) }).result;
      const call = host.call(name, input, { stream: 'item' in operation || 'bytes' in operation });
      if ('bytes' in operation) {
        const bytes = Buffer.from(await gathered(call.bytes)).toString('latin1');
        return { output: await call.result, bytes };
      }
      if (!('item' in operation)) return call.result;
      const items: unknown[] = [];
      for await (const item of call.items) items.push(item);
      return { ...((await call.result) as object), items };
    },
    close() {
      child.close();
      hostSocket.close(0, 'over');
    },
  };
}
