import fs from 'node:fs';
import path from 'node:path';
import type { Client } from '../client/client.ts';
import { loadConfig, processEnvironment } from '../config/load.ts';
import { OutriggerError, toWireError } from '../contract/errors.ts';
import { type OperationName, operations, type Operations } from '../contract/operations.ts';
import { UnavailableError } from '../sidecar/unavailable.ts';
import { connectTo, findSidecar, stateFolders } from './connect.ts';
import { readMainToken } from '../sidecar/callers.ts';
import { exitCodes } from './exit-codes.ts';
import { columns, type Terminal } from './terminal.ts';

export interface RemoteFlags {
  url?: string;
  state?: string;
  dir?: string;
  json?: boolean;
}

export interface CallFlags extends RemoteFlags {
  /** A hub, and the agent that is meant there. */
  via?: string;
  agent?: string;
}

async function withClient<T>(folder: string | undefined, flags: RemoteFlags, work: (client: Client<Operations>) => Promise<T>): Promise<T> {
  const { config, surroundings } = loadConfig({ env: processEnvironment(), flags: folder === undefined ? {} : { root: folder } });
  const root = path.resolve(config.root);
  let target: { url: string; token: string } | undefined;
  if (flags.url !== undefined) {
    if (config.token === undefined)
      throw new OutriggerError('NO_TOKEN', '--url needs a token in $OUTRIGGER_TOKEN or $OUTRIGGER_TOKEN_FILE.');
    target = { url: flags.url, token: config.token };
  } else {
    target = findSidecar(root, surroundings, flags.state ?? config.state);
    if (target !== undefined && config.token !== undefined) target = { ...target, token: config.token };
  }
  if (target === undefined) throw new UnavailableError(`No sidecar runs on ${root}. Start one: outrigger serve ${flags.dir ?? '.'}`);
  const client = connectTo(target);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Prints items as they come, one JSON value a line, then the answer. */
export async function runCall(name: string, text: string, flags: CallFlags, terminal: Terminal): Promise<void> {
  try {
    await callOnce(name, text, flags, terminal);
  } catch (error) {
    if (flags.json !== true || !(error instanceof OutriggerError)) throw error;
    // Who asked for JSON reads errors as JSON, too.
    terminal.err(`${JSON.stringify(toWireError(error))}\n`);
    process.exitCode = error.code === 'unavailable' ? exitCodes.unavailable : exitCodes.failure;
  }
}

async function callOnce(name: string, text: string, flags: CallFlags, terminal: Terminal): Promise<void> {
  const input = parseInput(text === '-' ? fs.readFileSync(0, 'utf8') : text);
  if (flags.via !== undefined) {
    if (flags.agent === undefined) throw new OutriggerError('BAD_INPUT', '--via needs --agent: the hub knows several.');
    const operation = Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined;
    const body = operation !== undefined && 'body' in operation ? await readStdin() : undefined;
    const { callVia } = await import('./hub.ts');
    return callVia(name, input, { ...flags, url: flags.via, agent: flags.agent, body }, terminal, writeOut);
  }
  await withClient(flags.dir, flags, async (client) => {
    const print = (value: unknown): void => terminal.out(`${JSON.stringify(value, null, flags.json === true ? undefined : 2)}\n`);
    const operation = Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined;
    if (operation !== undefined && 'item' in operation) {
      const stream = client.stream(name as 'files.list', input as never);
      for await (const item of stream) print(flags.json === true ? { item } : item);
      const end = await stream.end;
      print(flags.json === true ? { end } : end);
    } else if (operation !== undefined && 'bytes' in operation) {
      const { bytes } = await client.download(name as 'files.download', input as never);
      for await (const chunk of bytes) await writeOut(chunk);
    } else if (operation !== undefined && 'body' in operation)
      print(await client.upload(name as 'files.upload', input as never, await readStdin()));
    else print(await client.call(name as 'system.info', input as never));
  });
}

export async function runList(wirePath: string, flags: RemoteFlags & { recursive?: boolean }, terminal: Terminal): Promise<void> {
  await withClient(flags.dir, flags, async (client) => {
    const stream = client.stream('files.list', { path: wirePath, recursive: flags.recursive === true, limit: 1_000_000 });
    const rows: string[][] = [];
    for await (const entry of stream) {
      if (flags.json === true) terminal.out(`${JSON.stringify(entry)}\n`);
      else
        rows.push([
          entry.kind === 'file' ? String(entry.size) : '-',
          new Date(entry.modified).toISOString().slice(0, 19).replace('T', ' '),
          printable(entry.path) + (entry.kind === 'directory' ? '/' : ''),
        ]);
    }
    await stream.end;
    terminal.out(columns(rows));
  });
}

export async function runCat(wirePath: string, flags: RemoteFlags, terminal: Terminal): Promise<void> {
  await withClient(flags.dir, flags, async (client) => {
    if (flags.json === true) terminal.out(`${JSON.stringify(await client.call('files.read', { path: wirePath }))}\n`);
    else terminal.out((await client.call('files.read', { path: wirePath })).text);
  });
}

export async function runPut(
  wirePath: string,
  file: string | undefined,
  flags: RemoteFlags & { ifMatch?: string },
  terminal: Terminal,
): Promise<void> {
  await withClient(flags.dir, flags, async (client) => {
    const body =
      file === undefined
        ? await readStdin()
        : await fs.openAsBlob(file).then((blob) => blob.arrayBuffer().then((buffer) => new Uint8Array(buffer)));
    const written = await client.upload(
      'files.upload',
      { path: wirePath, ...(flags.ifMatch === undefined ? {} : { ifMatch: flags.ifMatch }) },
      body,
    );
    if (flags.json === true) terminal.out(`${JSON.stringify(written)}\n`);
    else terminal.err(`${written.changed ? 'wrote' : 'unchanged'} ${printable(wirePath)}, ${written.size} bytes, r${written.revision}\n`);
  });
}

export async function runWatch(flags: RemoteFlags & { cursor?: string }, terminal: Terminal): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => controller.abort();
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  await withClient(flags.dir, flags, async (client) => {
    for await (const item of client.watchChanges(flags.cursor, { signal: controller.signal })) {
      if (flags.json === true) terminal.out(`${JSON.stringify(item)}\n`);
      else if (item.type === 'change') {
        const who = item.cause.who?.map(({ name }) => name).join(', ') ?? item.cause.kind;
        terminal.out(
          `r${item.revision}  ${item.what.padEnd(7)}  ${printable(item.from === undefined ? item.path : `${item.from} → ${item.path}`)}  ${terminal.dim(who)}\n`,
        );
      } else if (item.type === 'resync') terminal.err(`resync: ${item.reason}\n`);
    }
  });
}

export interface TokenFlags extends RemoteFlags {
  rotate?: boolean;
  create?: string;
  access?: 'read' | 'write' | 'execute' | 'admin';
  paths?: string;
  expires?: string;
  list?: boolean;
  revoke?: string;
}

export async function runToken(folder: string | undefined, flags: TokenFlags, terminal: Terminal): Promise<void> {
  if (flags.create !== undefined) {
    const { create: name, access = 'read', paths, expires } = flags;
    const input = {
      name,
      access,
      ...(paths === undefined ? {} : { paths: paths.split(',') }),
      ...(expires === undefined ? {} : { expiresInS: Number(expires) }),
    };
    await withClient(folder, flags, async (client) => terminal.out(`${(await client.call('tokens.create', input)).secret}\n`));
  } else if (flags.revoke !== undefined) {
    const { revoke: id } = flags;
    await withClient(folder, flags, async (client) => {
      const { revoked } = await client.call('tokens.revoke', { id });
      terminal.err(revoked ? `revoked ${id}\n` : `${id} was revoked already\n`);
    });
  } else if (flags.list === true) {
    await withClient(folder, flags, async (client) => {
      const { tokens } = await client.call('tokens.list', {});
      terminal.out(
        columns(
          tokens.map((token) => [
            token.id,
            token.name,
            token.access,
            token.paths?.join(',') ?? 'all',
            token.revoked ? 'revoked' : token.expires === null ? 'holds' : `until ${new Date(token.expires).toISOString()}`,
          ]),
        ),
      );
    });
  } else if (flags.rotate === true) {
    await withClient(folder, flags, async (client) => terminal.out(`${(await client.call('tokens.rotate', {})).secret}\n`));
  } else {
    const { config, surroundings } = loadConfig({ env: processEnvironment(), flags: folder === undefined ? {} : { root: folder } });
    if (config.token !== undefined) throw new OutriggerError('BAD_INPUT', 'The token is set by configuration, and is not shown.');
    const token = stateFolders(path.resolve(config.root), surroundings, flags.state ?? config.state)
      .map(readMainToken)
      .find((found) => found !== undefined);
    if (token === undefined) throw new UnavailableError(`No sidecar has run on ${path.resolve(config.root)} yet, so there is no token.`);
    terminal.out(`${token}\n`);
  }
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new OutriggerError('BAD_INPUT', `The input is not JSON: ${(error as Error).message}`);
  }
}

/** Names may hold anything but NUL and a slash; a terminal must not obey them. */
function printable(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, (character) => JSON.stringify(character).slice(1, -1));
}

async function readStdin(): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function writeOut(chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => process.stdout.write(chunk, (error) => (error ? reject(error) : resolve())));
}
