import type { Duplex } from 'node:stream';
import type { Caller } from '../contract/access.ts';
import { createDispatch, type Dispatch } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import { hubCloseCodes, MAX_HUB_FRAME_BYTES } from '../contract/hub.ts';
import { type HubOperations, hubOperations } from '../contract/hub-operations.ts';
import { closeCodes } from '../contract/wire.ts';
import type { PeerCall, PeerCallOptions } from '../core/peer.ts';
import { tokenProblem } from '../core/token-text.ts';
import type { Authenticate } from '../net/credentials.ts';
import { answerGet } from '../net/answer-get.ts';
import { createHttpApp, refuseRequests } from '../net/http-app.ts';
import { Listener, notListening } from '../net/listener.ts';
import { hostProblem, type OriginPolicy } from '../net/origin.ts';
import { nodeTimers } from '../net/timers.ts';
import { type Upgrade, UpgradeRouter } from '../net/upgrade.ts';
import { WebSockets } from '../net/websocket.ts';
import { registerOperations } from '../transports/http/http.ts';
import { createWebSocketRpc } from '../transports/ws/ws.ts';
import { Admission } from './admission.ts';
import { AgentRegistry } from './agent-registry.ts';
import { bootId, sinceBoot } from './boot-clock.ts';
import { type Bus, InProcessBus } from './bus.ts';
import { Fleet } from './fleet.ts';
import { greetAgent } from './greet-agent.ts';
import { implementHub } from './operations.ts';
import { HubFolder } from './hub-folder.ts';
import { hashSecret, sameSecret } from './secrets.ts';
import { SqliteTaskStore } from './sqlite-task-store.ts';
import { TaskLogs } from './task-logs.ts';
import type { TaskStore } from './task-store.ts';

const MAX_CALLS = 10_000;
const STOP_WITHIN_MS = 2000;
const DAY_MS = 86_400_000;
/** Between two looks at whether the databases are still met. */
const LOOK_MS = 2000;
const LOST =
  'the folder of the hub was removed or replaced while it ran, so nothing new would be kept: read what you need, and start it anew.';
const LOST_RETRY_MS = 60_000;
const AGENT_PATH = '/ws';
const PAGE_COOKIE = 'outrigger_hub';

export type HubLog = (level: 'debug' | 'info' | 'warn' | 'error', event: string, facts?: Readonly<Record<string, unknown>>) => void;

export interface HubDependencies {
  log: HubLog;
  version: string;
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic?: () => number;
  /** In place of the embedded one. */
  store?: TaskStore;
  /** In place of one within this process. */
  bus?: Bus;
  /** Routes beside the hub's own: other shapes of the same, and pages. */
  routes?(app: HubApp, parts: HubParts): void | Promise<void>;
}

/** A FastifyInstance, and `routes` may say so. Told by this alone: a program that takes the hub from the package has no types of fastify. */
export interface HubApp {
  route(options: object): unknown;
}

export interface HubParts {
  dispatch: Dispatch;
  authenticate: Authenticate;
  cookieName: string;
  /** The caller who holds the enrolment token, for nothing but to register. Throws BAD_TOKEN, BAD_INPUT, ALREADY_THERE. */
  enrol: (token: string, agent: string) => string;
  cookieFor: (token: string) => string;
  metrics: () => string;
  url: () => string;
}

export interface HubOptions {
  host: string;
  port: number;
  /** Absolute folder for the databases; made where it is not there. */
  folder: string;
  /** Of the owner; at least 16 characters. One is made and kept where it is left out. */
  token?: string | undefined;
  allowedHosts: readonly string[];
  allowedOrigins: readonly string[];
  maxAgents: number;
  /** New connections a second. */
  connectsPerS: number;
  heartbeatMs: number;
  pongTimeoutMs: number;
  leaseMs: number;
  /** Of agents that don't renew by the fence: from when they last spoke. */
  plainLeaseMs: number;
  acceptWithinMs: number;
  /** Days that tasks which succeeded or were cancelled are kept after their last change; 0: for ever. */
  keepDays: number;
  /** The same for those that failed or are dead. */
  keepFailedDays: number;
  maxInputBytes: number;
  maxOutputBytes: number;
}

export const hubDefaults: Omit<HubOptions, 'folder'> = {
  host: '127.0.0.1',
  port: 4000,
  allowedHosts: [],
  allowedOrigins: [],
  maxAgents: 20_000,
  connectsPerS: 1000,
  heartbeatMs: 30_000,
  pongTimeoutMs: 10_000,
  leaseMs: 60_000,
  plainLeaseMs: 600_000,
  acceptWithinMs: 60_000,
  keepDays: 30,
  keepFailedDays: 90,
  maxInputBytes: 16 * 1024 * 1024,
  maxOutputBytes: 64 * 1024 * 1024,
};

export interface Hub {
  readonly url: string;
  readonly token: string;
  readonly tokenWasGiven: boolean;
  readonly dispatch: Dispatch;
  /** The owner, as a caller of `dispatch`. */
  readonly owner: Caller;
  /** Calls an operation of an agent, as far as that allows it. Throws CONNECTION_LOST where it is not there, PART_OFF where it takes no calls. */
  call(agent: string, operation: string, input: unknown, options: PeerCallOptions): PeerCall;
  /** Tells agents when to come back, waits for what is under way, and leaves nothing behind. May be called twice. */
  stop(): Promise<void>;
}

/** Opens the store and the doors of a hub. Throws OutriggerError, BAD_INPUT for a token that nobody could come in with, TOO_MANY where the port is taken, and what `routes` throws; nothing stays open then. */
export async function startHub(dependencies: HubDependencies, options: HubOptions): Promise<Hub> {
  const opened: (() => void | Promise<void>)[] = [];
  try {
    return await open(dependencies, options, opened);
  } catch (error) {
    for (const close of opened.toReversed()) await close();
    throw error;
  }
}

/** `opened`: how to close what was opened so far. */
async function open(dependencies: HubDependencies, options: HubOptions, opened: (() => void | Promise<void>)[]): Promise<Hub> {
  const { log, version } = dependencies;
  const { now = Date.now, monotonic = sinceBoot } = dependencies;
  const problem = options.token === undefined ? undefined : tokenProblem(options.token);
  if (problem !== undefined) throw new OutriggerError('BAD_INPUT', `The token ${problem}`);
  const folder = new HubFolder(options.folder);
  const registry = new AgentRegistry({ file: folder.database('agents.db'), now });
  opened.push(() => registry.close());
  const store =
    dependencies.store ??
    new SqliteTaskStore({
      file: folder.database('tasks.db'),
      now,
      monotonic,
      boot: dependencies.monotonic === undefined ? bootId() : undefined,
      random: Math.random,
      acceptMs: options.acceptWithinMs,
      keep: { doneMs: options.keepDays * DAY_MS, failedMs: options.keepFailedDays * DAY_MS },
      followed: (task) => fleet.changed(task),
      clockSet: (byMs) => log('warn', 'hub.clock-set', { byMs }),
    });
  opened.push(() => store.close());
  const token = options.token ?? folder.token();
  const bus = dependencies.bus ?? new InProcessBus(nodeTimers);
  const logs = new TaskLogs(bus, now);
  const fleet = new Fleet(
    {
      store,
      bus,
      registry,
      logs,
      timers: nodeTimers,
      now,
      monotonic,
      log,
      // Agents are called, and call nothing here.
      dispatch: ({ name }) => Promise.reject(new OutriggerError('NO_OPERATION', `Agents call nothing of the hub: ${name}.`)),
    },
    options,
  );

  let stopping = false;
  let lost = false;
  const dispatch = createDispatch<HubOperations>(
    hubOperations,
    implementHub({ store, registry, fleet, logs, now, monotonic, version }),
    {
      now: () => performance.now(),
      log: ({ error, ...facts }) => log(error === undefined ? 'debug' : 'error', 'operation', { ...facts, error }),
      refuse: () => (stopping ? new OutriggerError('STOPPING', 'The hub is stopping.') : undefined),
    },
    {
      ceiling: () => (lost ? { access: 'read', why: LOST } : { access: 'admin', why: '' }),
      maxOutputBytes: options.maxOutputBytes,
      maxCallsPerCaller: MAX_CALLS,
    },
  );
  const owner: Caller = { id: 'owner', name: 'owner', kind: 'person', access: 'admin', shared: true };
  const cookieFor = (given: string): string => hashSecret(`page ${given}`);
  const authenticate: Authenticate = (credentials) => {
    const given = credentials.token;
    if (given === undefined || given === '') throw new OutriggerError('NO_TOKEN', 'The hub needs a token.');
    if (credentials.from === 'cookie') {
      if (sameSecret(given, cookieFor(token))) return owner;
      throw new OutriggerError('BAD_TOKEN', 'The login of this page does not hold any more.', {
        hint: 'Log in again with the token of the hub.',
      });
    }
    if (sameSecret(given, token)) return owner;
    const holder = registry.holderOf(given);
    // What an agent may ask is what AgentCom lets it: tasks, and who is there.
    if (holder !== undefined) {
      const { agent, ended } = holder;
      return { id: `agent ${agent}`, name: agent, kind: 'agent', access: 'write', ended };
    }
    const hint = 'The hub prints its token at its start; an agent has the secret that it was registered with.';
    throw new OutriggerError('BAD_TOKEN', 'That token does not hold here.', { hint });
  };

  const policy = (): OriginPolicy => ({
    boundHost: options.host,
    allowedHosts: options.allowedHosts,
    allowedOrigins: options.allowedOrigins,
  });
  const onError = (error: unknown, where: string): void => log('error', 'hub.failed', { where, error });
  const sockets = new WebSockets({
    pingMs: options.heartbeatMs,
    // An agent's own pings are life; this finds the half-open ones of those who never ping.
    staleMs: options.heartbeatMs * 2 + options.pongTimeoutMs,
    maxConnections: options.maxAgents,
  });
  opened.push(() => sockets.close(closeCodes.goingAway, 'not started', 0));
  const listener = new Listener({ host: options.host, port: options.port, maxConnections: options.maxAgents + 1000 });
  const app = createHttpApp({ listener, policy, onError }, { maxInputBytes: options.maxInputBytes });
  const named = { cookieName: PAGE_COOKIE };
  registerOperations(
    app,
    { dispatch, table: hubOperations, authenticate },
    { prefix: '/api', ...named, maxUploadBytes: Number.MAX_SAFE_INTEGER, title: 'Outrigger hub', version },
  );
  const router = new UpgradeRouter({ policy, onError });
  const admission = new Admission({ perS: options.connectsPerS, burst: options.connectsPerS }, performance.now());
  const agents = (upgrade: Upgrade): void => {
    const waitMs = admission.ask(performance.now());
    if (lost) return refuse(upgrade, LOST_RETRY_MS);
    if (waitMs > 0 || stopping) return refuse(upgrade, stopping ? 1000 : waitMs);
    const address = upgrade.request.socket.remoteAddress ?? null;
    greetAgent(sockets.acceptText(upgrade, { maxPayload: MAX_HUB_FRAME_BYTES }), address, { fleet, timers: nodeTimers, log });
  };
  router.exact(AGENT_PATH, agents);
  const rpc = createWebSocketRpc({ dispatch, sockets, authenticate }, named);
  router.exact('/rpc', rpc.upgrade);
  for (const path of [AGENT_PATH, '/rpc']) refuseRequests(app, path);
  let url = '';
  answerGet(app, '/healthz', (_request, reply) =>
    reply
      .header('cache-control', 'no-store')
      .status(lost ? 503 : 200)
      .send({ status: lost ? 'lost' : stopping ? 'stopping' : 'ok' }),
  );
  const counts = (): Record<string, number> => ({ ...store.counts() });
  const metrics = (): string =>
    [
      '# TYPE outrigger_hub_agents gauge',
      `outrigger_hub_agents{state="online"} ${fleet.online}`,
      '# TYPE outrigger_hub_tasks gauge',
      ...Object.entries(counts()).map(([state, count]) => `outrigger_hub_tasks{state="${state}"} ${count}`),
      '# TYPE outrigger_hub_memory_bytes gauge',
      `outrigger_hub_memory_bytes ${process.memoryUsage.rss()}`,
      '',
    ].join('\n');
  await dependencies.routes?.(app, {
    dispatch,
    authenticate,
    ...named,
    enrol: (given, agent) => {
      if (lost) throw new OutriggerError('READ_ONLY', `No agent is enrolled: ${LOST}`);
      const secret = registry.enrolled(given, agent);
      fleet.agentChanged(agent);
      return secret;
    },
    cookieFor,
    metrics,
    url: () => url,
  });
  await app.ready();
  listener.onUpgrade((request, socket, head) => {
    const isAgent = request.url?.split('?')[0] === AGENT_PATH;
    // To a link 403 would be a refused secret, which is final.
    if (isAgent && hostProblem(request.headers, policy()) !== undefined) misdirected(socket);
    else router.handle(request, socket, head);
  });
  const listening = await listener.bind();
  if (!listening.ok) throw new OutriggerError('TOO_MANY', notListening(options.host, listening, '--port'));
  url = listening.url;
  fleet.start();
  folder.announce(url);
  // Agents keep the results that nobody took; what is in the databases can still be read.
  const look = (): void => {
    if (lost || folder.isMet) return;
    lost = true;
    log('error', 'hub.lost', { folder: options.folder, reason: LOST });
    fleet.stop(LOST_RETRY_MS);
  };
  const looking = setInterval(look, LOOK_MS).unref();
  log('info', 'hub.listening', { url });

  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    stopping = true;
    clearInterval(looking);
    // In another's folder stands where another listens.
    if (folder.isMet) folder.leave();
    if (!lost) fleet.stop(1000);
    bus.close();
    rpc.close();
    await sockets.close(hubCloseCodes.restart, 'the hub is stopping', 500);
    await listener.close(STOP_WITHIN_MS);
    await store.close();
    registry.close();
    log('info', 'hub.stopped', {});
  };
  return {
    url,
    token,
    tokenWasGiven: options.token !== undefined,
    dispatch,
    owner,
    call: (agent, operation, input, given) => fleet.call(agent, operation, input, given),
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Before the handshake: it costs nothing, and says when to come back. */
function refuse({ socket }: Upgrade, afterMs: number): void {
  const retry = [`Retry-After: ${Math.max(1, Math.ceil(afterMs / 1000))}`, `Outrigger-Retry-After-Ms: ${afterMs}`];
  answer(socket, '503 Service Unavailable', { error: 'too_many_connections', retry_after_ms: afterMs }, retry);
}

/** The name by which it was reached is none of the hub's. */
function misdirected(socket: Duplex): void {
  socket.on('error', () => socket.destroy());
  answer(socket, '421 Misdirected Request', { error: 'unknown_host' });
}

function answer(socket: Duplex, status: string, said: object, headers: readonly string[] = []): void {
  const body = JSON.stringify(said);
  socket.once('finish', () => socket.destroy());
  socket.end(
    [
      `HTTP/1.1 ${status}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      ...headers,
      '',
      body,
    ].join('\r\n'),
  );
}
