import { lookup } from 'node:dns/promises';
import fs from 'node:fs';
import type { LinkConfig } from '../config/link-config.ts';
import { processEnvironment } from '../config/load.ts';
import { OutriggerError } from '../contract/errors.ts';
import { HUB_PROTOCOL_VERSION, hubCloseCodes, MAX_HUB_FRAME_BYTES, readHubFrame } from '../contract/hub.ts';
import type { DialedSocket } from '../net/text-socket.ts';
import { type DialRefusal, WebSockets } from '../net/websocket.ts';
import { Processes } from '../services/processes/processes.ts';
import { wakeOf } from '../sidecar/plug-link.ts';
import { exitCodes } from './exit-codes.ts';
import type { Terminal } from './terminal.ts';
import { readJson } from '../core/json-text.ts';

/** Who may read the file besides its owner. */
const OTHERS = 0o077;
/** How tokens of a hub of ours begin that one enrols with. */
const ENROL_PREFIX = 'ogr_enrol_';

/**
 * Goes to the hub step by step and says each in a line: `ok`, or `!!` with what to do. It identifies without features, so that a hub asks for
 * no account of tasks, and leaves again. Gives the exit code: 1 where only the wake program is not there.
 */
export async function checkHub(config: LinkConfig, terminal: Terminal): Promise<number> {
  const say: Say = (mark, step, text) => terminal.out(`${mark}  ${step.padEnd(8)}  ${text}\n`);
  say('ok', 'config', `${config.file}: agent ${config.agentId}, hub ${config.url}`);
  for (const warning of config.warnings) say('!!', 'config', warning);
  if (othersMayRead(config.tokenPlace.file)) say('!!', 'token', `${config.tokenPlace.file} can be read by others: chmod 600 it.`);
  const canWake = checkWake(config, say);
  const reached = await reachHub(config, say);
  return reached === exitCodes.ok && !canWake ? exitCodes.failure : reached;
}

/** False where there is a wake command and its program can't be found. */
function checkWake(config: LinkConfig, say: Say): boolean {
  const [program] = wakeOf(config) ?? [];
  if (program === undefined) {
    say('!!', 'wake', 'There is no wake_command: each task will fail with no_wake_command_configured.');
    return true;
  }
  // As it will be looked for when a task comes. What a task fills in is not known yet.
  if (program.includes('${') || new Processes({ env: processEnvironment() }).find(program, { from: config.root }) !== undefined)
    return true;
  const where = program.includes('/') ? `relative to ${config.root}` : 'on PATH';
  say('!!', 'wake', `wake_command: the program ${program} is not there (${where}), or can't be started. Install it, or give its path.`);
  return false;
}

async function reachHub(config: LinkConfig, say: Say): Promise<number> {
  const { hostname } = new URL(config.url);
  try {
    const addresses = await lookup(hostname.replace(/^\[|\]$/g, ''), { all: true });
    say('ok', 'resolve', `${hostname} is ${addresses.map(({ address }) => address).join(', ')}`);
  } catch (error) {
    say(
      '!!',
      'resolve',
      `${hostname} has no address (${(error as NodeJS.ErrnoException).code ?? 'unknown'}). Check hub_url, or the network.`,
    );
    return exitCodes.unavailable;
  }

  const sockets = new WebSockets();
  try {
    const startedAt = performance.now();
    let socket: DialedSocket;
    try {
      socket = await sockets.dialText(config.url, {
        maxPayload: MAX_HUB_FRAME_BYTES,
        headers: { authorization: `Bearer ${config.token}` },
        handshakeTimeoutMs: config.timeouts.dialMs,
        ca: config.ca,
      });
    } catch (error) {
      return notReached(error, say);
    }
    say('ok', 'connect', `in ${Math.round(performance.now() - startedAt)} ms`);
    return await identify(socket, config, say);
  } finally {
    await sockets.close(1000, 'shutdown');
  }
}

type Say = (mark: 'ok' | '!!', step: string, text: string) => void;

function notReached(error: unknown, say: Say): number {
  const { status, retryAfterMs } = (error instanceof OutriggerError ? (error.details as DialRefusal | undefined) : undefined) ?? {};
  if (status === 401 || status === 403) {
    say('!!', 'connect', `The hub answered ${status}: it does not take this token. Check agent_id and token.`);
    return exitCodes.config;
  }
  const text = `${error instanceof Error ? error.message : String(error)}${hintOf(error, status)}`;
  say('!!', 'connect', retryAfterMs === undefined ? text : `${text} It asks to come back in ${Math.ceil(retryAfterMs / 1000)} s.`);
  return exitCodes.unavailable;
}

function hintOf(error: unknown, status: number | undefined): string {
  if (status === 404) return ' The path of a hub is /ws: check hub_url.';
  if (status === 421) return ' The hub does not know the name in hub_url: it has to be among its --allowed-hosts.';
  const cause = error instanceof Error ? (error.cause as NodeJS.ErrnoException | undefined) : undefined;
  return cause?.code === 'ECONNREFUSED' ? ' Is the hub running?' : '';
}

async function identify(socket: DialedSocket, config: LinkConfig, say: Say): Promise<number> {
  const answer = Promise.withResolvers<number>();
  const end = (code: number, mark: 'ok' | '!!', text: string): void => {
    clearTimeout(timer);
    say(mark, 'identify', text);
    answer.resolve(code);
  };
  const timer = setTimeout(
    () =>
      end(exitCodes.unavailable, '!!', `The hub did not answer within ${config.timeouts.identifyMs} ms. Is hub_url the address of a hub?`),
    config.timeouts.identifyMs,
  );
  let over = false;
  socket.onEnd((code, reason) => {
    if (over) return;
    over = true;
    const final = code === hubCloseCodes.auth;
    end(final ? exitCodes.config : exitCodes.unavailable, '!!', `The hub closed with ${code}${reason === '' ? '' : ` (${reason})`}.`);
  });
  socket.onText((text) => {
    const read = readHubFrame(text, readJson);
    if (over || !('frame' in read) || (read.frame.type !== 'identified' && read.frame.type !== 'error')) return;
    over = true;
    if (read.frame.type === 'identified') {
      end(exitCodes.ok, 'ok', `The hub knows this agent as ${read.frame.agent_id}.`);
      return;
    }
    const { error } = read.frame;
    if (error === 'invalid_token' && config.token.startsWith(ENROL_PREFIX))
      end(
        exitCodes.config,
        '!!',
        'This is a token to enrol with, and no secret of an agent: outrigger link --hub URL --enrol TOKEN makes it one.',
      );
    else if (error === 'invalid_token')
      end(exitCodes.config, '!!', 'The hub does not know this token. Copy it again, or have a new one made.');
    else if (error === 'token_agent_mismatch')
      end(exitCodes.config, '!!', `The token is not the one of ${config.agentId}. Check agent_id.`);
    else end(exitCodes.unavailable, '!!', `The hub answered ${error}.`);
  });
  const { agentId, token, name, capabilities } = config;
  socket.send(
    JSON.stringify({
      type: 'identify',
      agent_id: agentId,
      token,
      name,
      status: 'check',
      capabilities,
      client_type: 'check',
      protocol_version: HUB_PROTOCOL_VERSION,
    }),
  );
  return await answer.promise;
}

function othersMayRead(file: string): boolean {
  // Windows has other rights, which the mode does not tell.
  if (process.platform === 'win32') return false;
  return ((fs.statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & OTHERS) !== 0;
}
