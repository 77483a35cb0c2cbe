import path from 'node:path';
import { type Client, createClient } from '../client/client.ts';
import type { HubOperations } from '../contract/hub-operations.ts';
import { OutriggerError } from '../contract/errors.ts';
import { allowedHostProblem, allowedOriginProblem } from '../core/allowed-names.ts';
import { commaList } from '../core/comma-list.ts';
import { isLoopback } from '../core/loopback.ts';
import { tokenProblem } from '../core/token-text.ts';
import { type OperationName, operations } from '../contract/operations.ts';
import { readHub } from '../hub/hub-folder.ts';
import { registerAgentCom } from '../adapters/agentcom/agentcom.ts';
import { processEnvironment, readSurroundings, type Surroundings } from '../config/load.ts';
import { type Hub, hubDefaults, type HubOptions, type HubParts, startHub } from '../hub/hub.ts';
import { registerHubPages } from '../hub/pages.ts';
import { createLog, type LogLevel } from '../sidecar/log.ts';
import { UnavailableError } from '../sidecar/unavailable.ts';
import { version } from '../sidecar/version.ts';
import { workbenchFolder } from '../sidecar/workbench-folder.ts';
import { CommandError, requireAddress, UsageError } from './command-error.ts';
import { exitCodes } from './exit-codes.ts';
import { giveBackWhenIdle } from '../services/watch/give-back.ts';
import { columns, shown, type Terminal } from './terminal.ts';

const signals: readonly NodeJS.Signals[] = [
  'SIGTERM',
  'SIGINT',
  'SIGHUP',
  ...(process.platform === 'win32' ? (['SIGBREAK'] as const) : []),
];
const TOKEN_VARIABLE = 'OUTRIGGER_HUB_TOKEN';
const WAIT_LOOK_MS = 200;
/** In a shorter one a link whose connection was lost is not back in time. */
const MIN_LEASE_MS = 3000;
/** Who waits for a task gives a hub so long to come back. */
const AWAY_MS = 10 * 60_000;
/**
 * What a fleet that came back took is given back once it is in. Heartbeats of 9,000 are 2 % of the time, and are no work; collecting stops everything
 * for 20 ms a thousand agents, which agents that speak every 30 s do not notice.
 */
const GIVE_BACK = { quietLooks: 5, idleShare: 0.05, maxHeapBytes: 512 * 1024 * 1024, worthBytes: 32 * 1024 * 1024, keepsCode: true };
/** A century: whoever wants more wants 0, for ever. */
const MAX_KEEP_DAYS = 36_525;

export interface HubCallFlags {
  url?: string;
  state?: string;
  json?: boolean;
}

export interface HubFlags {
  host: string;
  port: string;
  state?: string;
  allowedHosts?: string;
  allowedOrigins?: string;
  heartbeatMs: string;
  leaseMs: string;
  acceptMs: string;
  keepDays: string;
  keepFailedDays: string;
  logLevel?: LogLevel;
}

/** Serves a hub until a signal says stop. Throws UnavailableError where its port or folder can't be had. */
export async function serveHub(flags: HubFlags, terminal: Terminal): Promise<void> {
  const options = hubOptions(flags);
  // A person reads the lines below, not JSON.
  const level = flags.logLevel ?? (terminal.interactive ? 'warn' : 'info');
  const log = createLog({ 'log.level': level, 'log.names': 'outrigger' }, (line) => terminal.log(line));
  const stopAsked = Promise.withResolvers<void>();
  for (const signal of signals) process.on(signal, stopAsked.resolve);
  let hub: Hub | undefined;
  let endGivingBack: (() => void) | undefined;
  try {
    hub = await openHub(options, log);
    printBanner(hub, options, terminal);
    endGivingBack = giveBackWhenIdle(GIVE_BACK);
    await stopAsked.promise;
  } finally {
    endGivingBack?.();
    try {
      await hub?.stop();
    } finally {
      // Not before: a second signal would end the program amid the stop.
      for (const signal of signals) process.off(signal, stopAsked.resolve);
    }
  }
}

/** A hub with all shapes that it speaks. */
export function openHub(options: HubOptions, log: ReturnType<typeof createLog>): Promise<Hub> {
  const routes = (app: Parameters<typeof registerAgentCom>[0], parts: HubParts): void => {
    registerAgentCom(app, parts, parts);
    registerHubPages(app, parts, { folder: workbenchFolder() });
  };
  return startHub({ log, version, routes }, options).catch((error: unknown) => {
    throw new UnavailableError(whyNotOpen(error, options.folder));
  });
}

function whyNotOpen(error: unknown, folder: string): string {
  const { code, message } = error instanceof Error ? (error as NodeJS.ErrnoException) : { code: undefined, message: String(error) };
  if (/database is locked/.test(message))
    return `Another hub has the folder ${folder}. Stop that one, or name another folder with --state.`;
  if (code === 'EEXIST' || code === 'ENOTDIR') return `--state ${folder} is no folder. Name a folder; one that is not there is made.`;
  return error instanceof OutriggerError || code === undefined ? message : `--state ${folder} can't be used: ${message}`;
}

function hubOptions(flags: HubFlags): HubOptions {
  const { host, port, state, allowedHosts, allowedOrigins, heartbeatMs, leaseMs, acceptMs } = flags;
  const env = processEnvironment();
  const surroundings = readSurroundings(env);
  const token = env[TOKEN_VARIABLE];
  const problem = token === undefined ? undefined : tokenProblem(token);
  if (problem !== undefined)
    throw new OutriggerError('BAD_INPUT', `${TOKEN_VARIABLE} ${problem}`, { hint: '', details: { option: TOKEN_VARIABLE } });
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) throw new UsageError(`--port ${port} is no port.`);
  const lease = milliseconds('--lease-ms', leaseMs);
  if (lease < MIN_LEASE_MS)
    throw new UsageError(
      `--lease-ms ${leaseMs} is less than ${MIN_LEASE_MS} ms: a link that lost its connection would not be back in time.`,
    );
  return {
    ...hubDefaults,
    host,
    port: Number(port),
    folder: hubFolder(state, surroundings),
    ...(token === undefined ? {} : { token }),
    heartbeatMs: milliseconds('--heartbeat-ms', heartbeatMs),
    leaseMs: lease,
    acceptWithinMs: milliseconds('--accept-ms', acceptMs),
    keepDays: days('--keep-days', flags.keepDays),
    keepFailedDays: days('--keep-failed-days', flags.keepFailedDays),
    allowedHosts: listOf('--allowed-hosts', allowedHosts, allowedHostProblem),
    allowedOrigins: listOf('--allowed-origins', allowedOrigins, allowedOriginProblem),
  };
}

function milliseconds(flag: string, text: string): number {
  if (!/^[1-9]\d{1,7}$/.test(text)) throw new UsageError(`${flag} ${text} is no number of milliseconds from 10 on.`);
  return Number(text);
}

function days(flag: string, text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > MAX_KEEP_DAYS)
    throw new UsageError(`${flag} ${text} is no number of days from 0 (for ever) to ${MAX_KEEP_DAYS}.`);
  return Number(text);
}

function listOf(flag: string, text: string | undefined, problemOf: (part: string) => string | undefined): string[] {
  const parts = commaList(text ?? '');
  const problem = parts.flatMap((part) => problemOf(part) ?? []).at(0);
  if (problem !== undefined) throw new UsageError(`${flag}: ${problem}`);
  return parts;
}

function printBanner(hub: Hub, { host, folder }: HubOptions, terminal: Terminal): void {
  const lines = [
    '',
    `  ${terminal.bold('Outrigger hub')} listens on ${hub.url}, and keeps its tasks in ${folder}`,
    '',
    hub.tokenWasGiven ? '  Token    the one that you set' : `  ${terminal.bold('Token')}    ${hub.token}`,
    `  ${terminal.bold('Page')}     ${hub.url}/${hub.tokenWasGiven ? '' : `?token=${encodeURIComponent(hub.token)}`}`,
    `  Agents   ${hub.url.replace(/^http/, 'ws')}/ws   (a secret for one: outrigger hub register NAME, or POST ${hub.url}/api/agents.register)`,
    `  API      ${hub.url}/openapi.json   (Authorization: Bearer <token>)`,
    '',
  ];
  if (!isLoopback(host))
    lines.push(
      `  ${terminal.bold('Warning')}  ${host} is reachable from the network over plain HTTP: secrets travel in clear. Put TLS before it.`,
      '',
    );
  terminal.err(`${lines.join('\n')}\n`);
}

function hubFolder(state: string | undefined, { stateHome, temporary }: Surroundings): string {
  return path.resolve(state ?? path.join(stateHome ?? temporary, 'outrigger', 'hub'));
}

/**
 * A client of a hub: of the one that is named, or of this user's own. Its token comes from the environment, or from the folder of this user's hub.
 * Throws UnavailableError.
 */
export async function withHubClient<T>(flags: HubCallFlags, work: (client: Client<HubOperations>) => Promise<T>): Promise<T> {
  if (flags.url !== undefined) requireAddress('--url', flags.url, /^(https?|wss?):$/);
  const env = processEnvironment();
  const known = readHub(hubFolder(flags.state, readSurroundings(env)));
  const url = flags.url ?? known.url;
  const token = env[TOKEN_VARIABLE] ?? known.token;
  if (url === undefined) throw new UnavailableError('No hub of yours runs here. Start one (outrigger hub), or name one with --url.');
  if (token === undefined) throw new UnavailableError(`The token of the hub is not known: set ${TOKEN_VARIABLE}.`);
  const client = createClient<HubOperations>({ url: url.replace(/^ws/, 'http').replace(/\/ws$/, ''), token, server: 'hub' });
  try {
    return await work(client);
  } catch (error) {
    if (error instanceof OutriggerError && error.reason === 'BAD_TOKEN')
      throw new CommandError(
        'BAD_TOKEN',
        error.message,
        `${TOKEN_VARIABLE} has to hold the token that this hub printed at its start.`,
        error,
      );
    // One that it was told by the hub, of somebody else, stays as it is.
    if (!(error instanceof OutriggerError) || error.reason !== 'CONNECTION_LOST' || !/^The hub /.test(error.message)) throw error;
    throw new UnavailableError(`The hub at ${url} does not answer: is the hub running?`);
  } finally {
    client.close();
  }
}

/** Prints a token with which one agent can make itself known. */
export async function enrolAgent(agent: string | undefined, flags: HubCallFlags & { expires?: string }, terminal: Terminal): Promise<void> {
  await withHubClient(flags, async (client) => {
    const seconds = flags.expires === undefined ? {} : { expiresInS: Number(flags.expires) };
    const { token, expires } = await client.call('agents.enrol', { ...(agent === undefined ? {} : { agent }), ...seconds });
    terminal.out(`${token}\n`);
    terminal.err(`It holds until ${new Date(expires).toISOString()}, for one agent.\n`);
  });
}

/** Makes an agent known and prints its secret. */
export async function registerAgent(agent: string, flags: HubCallFlags, terminal: Terminal): Promise<void> {
  await withHubClient(flags, async (client) => terminal.out(`${(await client.call('agents.register', { agent })).token}\n`));
}

/** Queues one task and prints its id; with `wait` it stays until the task is over. */
export async function addTask(
  description: string,
  flags: HubCallFlags & { agent?: string; needs?: string; priority?: string; wait?: boolean },
  terminal: Terminal,
): Promise<void> {
  await withHubClient(flags, async (client) => {
    const task = {
      description,
      ...(flags.agent === undefined ? {} : { agent: flags.agent }),
      ...(flags.needs === undefined ? {} : { needs: commaList(flags.needs) }),
      ...(flags.priority === undefined ? {} : { priority: flags.priority as 'normal' }),
    };
    const { tasks } = await client.call('tasks.create', { tasks: [task] });
    const id = tasks[0]?.id ?? '';
    terminal.out(`${id}\n`);
    if (flags.wait !== true) return;
    const { state, result, reason } = await untilOver(client, id, terminal);
    terminal.out(`${state}${reason === null ? '' : `: ${reason}`}\n`);
    if (result !== null) terminal.out(`${JSON.stringify(result, null, 2)}\n`);
    if (state !== 'succeeded') process.exitCode = exitCodes.failure;
  });
}

/** The task is kept by the hub, which may be started anew meanwhile. Throws what the call throws when it has been away for too long. */
async function untilOver(
  client: Client<HubOperations>,
  id: string,
  terminal: Terminal,
): Promise<{ state: string; result: unknown; reason: string | null }> {
  let awaySince: number | undefined;
  for (;;) {
    try {
      const task = await client.call('tasks.get', { id });
      awaySince = undefined;
      if (['succeeded', 'failed', 'cancelled', 'dead'].includes(task.state)) return task;
    } catch (error) {
      if (!(error instanceof OutriggerError) || !['CONNECTION_LOST', 'STOPPING', 'STARTING'].includes(error.reason)) throw error;
      if (awaySince === undefined) terminal.err('The hub does not answer; it is asked again until it does.\n');
      awaySince ??= performance.now();
      if (performance.now() - awaySince > AWAY_MS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, WAIT_LOOK_MS));
  }
}

/** Shows who is there and what is to be done. */
export async function showFleet(flags: HubCallFlags, terminal: Terminal): Promise<void> {
  await withHubClient(flags, async (client) => {
    const [{ agents }, { tasks }] = await Promise.all([client.call('agents.list', {}), client.call('tasks.list', { limit: 20 })]);
    if (flags.json === true) {
      terminal.out(`${JSON.stringify({ agents, tasks })}\n`);
      return;
    }
    terminal.out(
      columns([
        ['AGENT', 'STATE', 'TASKS', 'CAPABILITIES'],
        ...agents.map((agent) => [agent.id, agent.state, String(agent.tasks.length), shown(agent.capabilities.join(','))]),
      ]),
    );
    terminal.out('\n');
    terminal.out(
      columns([
        ['TASK', 'STATE', 'ATTEMPT', 'HOLDER', 'DESCRIPTION'],
        ...tasks.map((task) => [
          task.id,
          task.state,
          `${task.attempt}/${task.maxAttempts}`,
          task.holder ?? '-',
          shown(task.description.split('\n')[0]?.slice(0, 60) ?? ''),
        ]),
      ]),
    );
  });
}

/** Calls an operation of an agent over the hub, as `outrigger call` does with a sidecar that is near. */
export async function callVia(
  name: string,
  input: unknown,
  flags: HubCallFlags & { agent: string; body?: Uint8Array | undefined },
  terminal: Terminal,
  writeOut: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const operation = Object.hasOwn(operations, name) ? operations[name as OperationName] : undefined;
  const { agent } = flags;
  await withHubClient(flags, async (client) => {
    const print = (value: unknown): void => terminal.out(`${JSON.stringify(value, null, flags.json === true ? undefined : 2)}\n`);
    if (operation !== undefined && 'bytes' in operation) {
      const { bytes } = await client.download('agents.read', { agent, operation: name, input });
      for await (const chunk of bytes) await writeOut(chunk);
    } else if (flags.body !== undefined) {
      const { output } = await client.upload('agents.call', { agent, operation: name, input }, flags.body);
      print(output);
    } else {
      const stream = client.stream('agents.call', { agent, operation: name, input });
      for await (const item of stream) print(flags.json === true ? { item } : item);
      const { output } = await stream.end;
      print(flags.json === true ? { end: output } : output);
    }
  });
}
