import fs from 'node:fs';
import path from 'node:path';
import type { Client } from '../client/client.ts';
import { loadConfig, type LoadedConfig, processEnvironment } from '../config/load.ts';
import { OutriggerError, toWireError } from '../contract/errors.ts';
import { type OperationName, operations, type Operations } from '../contract/operations.ts';
import { commaList } from '../core/comma-list.ts';
import { isoTime } from '../core/iso-time.ts';
import { UnavailableError } from '../sidecar/unavailable.ts';
import { checkFields, operationHint, operationList } from './call-input.ts';
import { CommandError, exitCodeOf, requireAddress, UsageError } from './command-error.ts';
import { connectTo, explained, findSidecar, servedFolder, stateFolders, type Target, tokenSource, withToken } from './connect.ts';
import { folderProblem, requireFile } from './local-paths.ts';
import { withProgress } from './progress.ts';
import { readMainToken } from '../sidecar/callers.ts';
import { columns, shellWord, shown, type Terminal } from './terminal.ts';

/** After Ctrl-C. */
const CLOSE_WITHIN_MS = 1000;
/** While a sidecar does not answer, where it runs now is looked up so often. */
const LOOK_EVERY_MS = 1000;

export interface RemoteFlags {
  url?: string;
  state?: string;
  tokenFile?: string;
  dir?: string;
  json?: boolean;
}

export interface CallFlags extends RemoteFlags {
  /** A hub, and the agent that is meant there. */
  via?: string;
  agent?: string;
}

/** Where a remote command looks: in the folder that is named, else in the nearest one that is served, from the current one upwards. */
interface Place {
  root: string;
  state: string | undefined;
  loaded: LoadedConfig;
  /** The folder was not named. */
  isNearest: boolean;
}

function placeOf(folder: string | undefined, { state, tokenFile }: RemoteFlags): Place {
  const flags = { ...(folder === undefined ? {} : { root: folder }), ...(tokenFile === undefined ? {} : { tokenFile }) };
  const loaded = loadConfig({ env: processEnvironment(), flags });
  const { config, sources, surroundings } = loaded;
  const root = path.resolve(config.root);
  const stateFolder = state ?? config.state;
  const isNearest = sources.root.from === 'default' && stateFolder === undefined;
  return { root: (isNearest ? servedFolder(root, surroundings) : undefined) ?? root, state: stateFolder, loaded, isNearest };
}

/** `wirePath` is what the command is about, and maybe no path of a workspace. */
async function withClient<T>(
  folder: string | undefined,
  flags: RemoteFlags,
  work: (client: Client<Operations>, target: Target) => Promise<T>,
  wirePath = '',
): Promise<T> {
  if (flags.url !== undefined) requireAddress('--url', flags.url, /^https?:$/);
  const place = placeOf(folder, flags);
  const target = targetOf(place, flags, wirePath);
  const client = connectTo(target);
  try {
    return await work(client, target);
  } catch (error) {
    throw explained(error, { url: target.url, isGiven: flags.url !== undefined, root: place.root, loaded: place.loaded });
  } finally {
    client.close();
  }
}

function targetOf({ root, state, loaded, isNearest }: Place, flags: RemoteFlags, wirePath: string): Target {
  const { token } = loaded.config;
  if (flags.url !== undefined) {
    if (token === undefined)
      throw new CommandError(
        'NO_TOKEN',
        '--url needs a token: set $OUTRIGGER_TOKEN, or name its file with --token-file.',
        '`outrigger token` prints it on the machine of that sidecar.',
      );
    return { url: flags.url, token };
  }
  const found = findSidecar(root, loaded.surroundings, state);
  if (found === undefined) {
    const instead =
      flags.dir === undefined && path.isAbsolute(wirePath) && folderProblem(wirePath) === undefined
        ? `Did you mean --dir ${shellWord(wirePath)}?`
        : `Start one: outrigger serve ${isNearest ? '.' : shellWord(root)}`;
    throw new UnavailableError(`No sidecar runs on ${root}${isNearest ? ' or above it' : ''}. ${instead}`);
  }
  return withToken(found, root, loaded);
}

/** Prints items as they come, one JSON value a line, then the answer. */
export async function runCall(name: string, text: string, flags: CallFlags, terminal: Terminal): Promise<void> {
  try {
    await callOnce(name, text, flags, terminal);
  } catch (thrown) {
    const error =
      thrown instanceof OutriggerError && thrown.reason === 'NO_OPERATION'
        ? new CommandError('NO_OPERATION', thrown.message, operationHint(name), thrown)
        : thrown;
    if (flags.json !== true) throw error;
    const told = error instanceof UnavailableError ? new CommandError('CONNECTION_LOST', error.message, '', error) : error;
    if (!(told instanceof OutriggerError)) throw told;
    // Who asked for JSON reads errors as JSON, too.
    terminal.err(`${JSON.stringify(toWireError(told))}\n`);
    process.exitCode = exitCodeOf(told);
  }
}

/** All operations that a sidecar has by itself; those of a host's own stand in its /openapi.json. */
export function listOperations(flags: CallFlags, terminal: Terminal): void {
  terminal.out(operationList(flags.json === true));
}

async function callOnce(name: string, text: string, flags: CallFlags, terminal: Terminal): Promise<void> {
  if ((flags.via === undefined) !== (flags.agent === undefined)) throw new UsageError('--via and --agent need each other.');
  const operation = Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined;
  const hasBody = operation !== undefined && 'body' in operation;
  if (text === '-' && hasBody) throw new UsageError(`${name} takes its body from standard input: give its input as an argument.`);
  const input = parseInput(text === '-' ? utf8(await readStdin(terminal)) : text);
  await checkFields(name, input);
  if (flags.via !== undefined && flags.agent !== undefined) {
    requireAddress('--via', flags.via, /^(https?|wss?):$/);
    const body = hasBody ? await readStdin(terminal) : undefined;
    const { callVia } = await import('./hub.ts');
    return callVia(name, input, { ...flags, url: flags.via, agent: flags.agent, body }, terminal, writeOut);
  }
  await withClient(flags.dir, flags, async (client) => {
    const print = (value: unknown): Promise<void> => writeText(`${JSON.stringify(value, null, flags.json === true ? undefined : 2)}\n`);
    if (operation !== undefined && 'item' in operation) {
      const stream = client.stream(name as 'files.list', input as never);
      for await (const item of stream) await print(flags.json === true ? { item } : item);
      const end = await stream.end;
      await print(flags.json === true ? { end } : end);
    } else if (operation !== undefined && 'bytes' in operation) {
      const { bytes } = await client.download(name as 'files.download', input as never);
      // What is shown on the terminal itself needs no word beside it.
      const shown = process.stdout.isTTY ? bytes : withProgress(bytes, name, undefined, terminal);
      for await (const chunk of shown) await writeOut(chunk);
    } else if (hasBody)
      await print(
        await client.upload(name as 'files.upload', input as never, withProgress(stdinBytes(terminal), name, undefined, terminal)),
      );
    else await print(await client.call(name as 'system.info', input as never));
  });
}

export async function runList(wirePath: string, flags: RemoteFlags & { recursive?: boolean }, terminal: Terminal): Promise<void> {
  await withClient(
    flags.dir,
    flags,
    async (client) => {
      const stream = client.stream('files.list', { path: wirePath, recursive: flags.recursive === true, limit: 1_000_000 });
      const rows: string[][] = [];
      for await (const entry of stream) {
        if (flags.json === true) await writeText(`${JSON.stringify(entry)}\n`);
        else
          rows.push([
            entry.kind === 'file' ? String(entry.size) : '-',
            isoTime(entry.modified)?.slice(0, 19).replace('T', ' ') ?? '-',
            shown(entry.path) + (entry.kind === 'directory' ? '/' : ''),
          ]);
      }
      await stream.end;
      terminal.out(columns(rows));
    },
    wirePath,
  );
}

export async function runCat(wirePath: string, flags: RemoteFlags, terminal: Terminal): Promise<void> {
  await withClient(
    flags.dir,
    flags,
    async (client) => {
      if (flags.json === true) terminal.out(`${JSON.stringify(await client.call('files.read', { path: wirePath }))}\n`);
      else terminal.out((await client.call('files.read', { path: wirePath })).text);
    },
    wirePath,
  ).catch((error: unknown) => {
    if (!(error instanceof OutriggerError) || error.reason !== 'NOT_TEXT') throw error;
    const where = Object.entries({ dir: flags.dir, url: flags.url }).flatMap(([flag, value]) =>
      value === undefined ? [] : ` --${flag} ${shellWord(value)}`,
    );
    const download = `As bytes: outrigger call files.download ${shellWord(JSON.stringify({ path: wirePath }))}${where.join('')} > file`;
    throw new CommandError('NOT_TEXT', error.message, download, error);
  });
}

export async function runPut(
  wirePath: string,
  file: string | undefined,
  flags: RemoteFlags & { ifMatch?: string },
  terminal: Terminal,
): Promise<void> {
  if (file !== undefined) requireFile(file);
  await withClient(
    flags.dir,
    flags,
    async (client) => {
      const body =
        file === undefined
          ? withProgress(stdinBytes(terminal), wirePath, undefined, terminal)
          : withProgress(fs.createReadStream(file), wirePath, fs.statSync(file).size, terminal);
      const written = await client.upload(
        'files.upload',
        { path: wirePath, ...(flags.ifMatch === undefined ? {} : { ifMatch: flags.ifMatch }) },
        body,
      );
      if (flags.json === true) terminal.out(`${JSON.stringify(written)}\n`);
      else terminal.err(`${written.changed ? 'wrote' : 'unchanged'} ${shown(written.path)}, ${written.size} bytes, r${written.revision}\n`);
    },
    wirePath,
  );
}

export async function runWatch(flags: RemoteFlags & { cursor?: string }, terminal: Terminal): Promise<void> {
  const controller = new AbortController();
  const stop = (): void => {
    controller.abort();
    // A sidecar that does not answer does not close its side either.
    setTimeout(() => process.exit(), CLOSE_WITHIN_MS).unref();
  };
  process.once('SIGINT', stop);
  process.once('SIGTERM', stop);
  let { cursor } = flags;
  let isLost = false;
  const follow = async (client: Client<Operations>, target: Target): Promise<boolean> => {
    client.connection.on('state', ({ name }) => {
      const isTrying = name === 'reconnecting' || name === 'offline';
      if (isLost ? name !== 'live' : !isTrying) return;
      isLost = !isLost;
      terminal.err(isLost ? 'lost: the sidecar does not answer; trying again\n' : 'back: the sidecar answers again\n');
    });
    const moved = new AbortController();
    const looking = setInterval(() => {
      if (isLost && flags.url === undefined && hasMoved(target, flags)) moved.abort();
    }, LOOK_EVERY_MS);
    try {
      for await (const item of client.watchChanges(cursor, { signal: AbortSignal.any([controller.signal, moved.signal]) })) {
        ({ cursor } = item);
        if (flags.json === true) await writeText(`${JSON.stringify(item)}\n`);
        else if (item.type === 'change') {
          const who = item.cause.who?.map(({ name }) => name).join(', ') ?? item.cause.kind;
          await writeText(
            `r${item.revision}  ${item.what.padEnd(7)}  ${shown(item.from === undefined ? item.path : `${item.from} → ${item.path}`)}  ${terminal.dim(shown(who))}\n`,
          );
        } else if (item.type === 'resync') terminal.err(`resync: ${item.reason}\n`);
      }
    } finally {
      clearInterval(looking);
    }
    return moved.signal.aborted;
  };
  let goesOn = await withClient(flags.dir, flags, async (client, target) => {
    // One that is lost is waited for; one that was never there is a mistake.
    const isThere = await client.call('system.info', {}, { signal: controller.signal }).catch((error: unknown) => {
      if (!controller.signal.aborted) throw error;
    });
    return isThere !== undefined && (await follow(client, target));
  });
  // It runs again, at another address.
  while (goesOn && !controller.signal.aborted) goesOn = await withClient(flags.dir, flags, follow);
}

/** Whether the folder has a sidecar again that is not where the one before was. Where that can't be told now, as its configuration is being written, it is looked for again. */
function hasMoved(target: Target, flags: RemoteFlags): boolean {
  try {
    const { root, state, loaded } = placeOf(flags.dir, flags);
    const found = findSidecar(root, loaded.surroundings, state);
    return found !== undefined && found.url !== target.url;
  } catch {
    return false;
  }
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

export async function runToken(named: string | undefined, flags: TokenFlags, terminal: Terminal): Promise<void> {
  if (named !== undefined && flags.dir !== undefined) throw new UsageError('Name the folder once: as an argument, or with --dir.');
  requireOneWish(flags);
  const folder = named ?? flags.dir;
  if (flags.create !== undefined) {
    const { create: name, access = 'read', paths, expires } = flags;
    const input = {
      name,
      access,
      ...(paths === undefined ? {} : { paths: pathsIn(paths) }),
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
            shown(token.name),
            token.access,
            shown(token.paths?.join(',') ?? 'all'),
            token.revoked ? 'revoked' : token.expires === null ? 'holds' : `until ${new Date(token.expires).toISOString()}`,
          ]),
        ),
      );
    });
  } else if (flags.rotate === true) {
    await withClient(folder, flags, async (client) => terminal.out(`${(await client.call('tokens.rotate', {})).secret}\n`));
  } else {
    const { root, state, loaded } = placeOf(folder, flags);
    if (loaded.config.token !== undefined) {
      const source = tokenSource(loaded) ?? 'configuration';
      const hint = `It comes from ${source}. Without that, the token kept for the folder is printed.`;
      throw new CommandError('BAD_INPUT', 'The token is set by configuration, and is not shown.', hint);
    }
    const token = stateFolders(root, loaded.surroundings, state)
      .map(readMainToken)
      .find((found) => found !== undefined);
    const running = token === undefined ? findSidecar(root, loaded.surroundings, state) : undefined;
    if (running !== undefined) withToken(running, root, loaded);
    if (token === undefined) throw new UnavailableError(`No sidecar has run on ${root} yet, so there is no token.`);
    terminal.out(`${token}\n`);
  }
}

/** Throws UsageError: who limits a token must not be given one that may do all, and who replaces it must not be left with the old one. */
function requireOneWish(flags: TokenFlags): void {
  const limit = (['access', 'paths', 'expires'] as const).find((name) => flags[name] !== undefined);
  if (limit !== undefined && flags.create === undefined) throw new UsageError(`--${limit} is for a new token, which needs --create.`);
  const [wish, other] = (['create', 'rotate', 'list', 'revoke'] as const).filter((name) => flags[name] !== undefined);
  if (other !== undefined) throw new UsageError(`--${wish} and --${other} do not go together.`);
}

/** Nothing between commas is no path: it would be the whole folder, which nobody means who limits a token. Throws UsageError. */
function pathsIn(text: string): string[] {
  const paths = commaList(text);
  if (paths.length === 0) throw new UsageError('--paths: no path is named.');
  return paths;
}

function parseInput(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`The input is not JSON: ${(error as Error).message}`);
  }
}

/** Throws UsageError: what is read in another way would be written into files so. */
function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError('Standard input is not UTF-8.');
  }
}

async function readStdin(terminal: Terminal): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stdinBytes(terminal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function stdinBytes(terminal: Terminal): AsyncIterable<Uint8Array> {
  if (process.stdin.isTTY) terminal.err('Reading from the terminal; Ctrl-D ends.\n');
  return process.stdin as AsyncIterable<Uint8Array>;
}

/** Resolves when it is taken: what comes faster than it is read waits where it comes from. */
function writeText(text: string): Promise<void> {
  return writeOut(Buffer.from(text));
}

function writeOut(chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => process.stdout.write(chunk, (error) => (error ? reject(error) : resolve())));
}
