import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Caller } from '../contract/access.ts';
import { createDispatch, type Dispatch } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Change } from '../contract/events.ts';
import type { Table } from '../contract/operation.ts';
import { operations as ownTable } from '../contract/operations.ts';
import { closeCodes } from '../contract/wire.ts';
import { processEnvironment, type Surroundings } from '../config/load.ts';
import type { ComponentName, Config } from '../config/options.ts';
import type { Authenticate } from '../net/authenticate.ts';
import { createHttpApp } from '../net/http-app.ts';
import { Listener, urlHost } from '../net/listener.ts';
import type { OriginPolicy } from '../net/origin.ts';
import { UpgradeRouter } from '../net/upgrade.ts';
import { WebSockets } from '../net/websocket.ts';
import type { Documents } from '../services/documents/documents.ts';
import type { Search } from '../services/search/search.ts';
import { State } from '../services/state/state.ts';
import { changeOperations, fileOperations } from '../services/workspace/operations.ts';
import { createIgnore } from '../services/workspace/ignore.ts';
import { Workspace } from '../services/workspace/workspace.ts';
import { registerOperations } from '../transports/http/http.ts';
import { createWebSocketRpc } from '../transports/ws/ws.ts';
import { Processes } from '../services/processes/processes.ts';
import { Callers } from './callers.ts';
import { doctorOperation } from './doctor.ts';
import { Drain } from './drain.ts';
import { GitPulse } from './git-pulse.ts';
import { Health } from './health.ts';
import type { Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { registerPages } from './pages.ts';
import { version } from './version.ts';

export interface SidecarDependencies {
  config: Config;
  surroundings: Surroundings;
  log: Log;
  /** Operations of the host's own, beside ours: a name of ours can't be taken. */
  operations?: { table: Table; implementations: Readonly<Record<string, unknown>> };
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Folder of the built workbench. */
  workbench?: string | undefined;
  /** Switches checks off, for tests that must be seen to fail without them. */
  faults?: Faults;
  /** True: a port that is taken is no reason to fail, the next free one is used. */
  anyPort?: boolean;
}

export interface Faults {
  /** The workspace does not know its own writes again when the watch tells of them. */
  forgetWrites?: boolean;
  /** Documents believe that the file is as they left it. */
  trustState?: boolean;
}

/** A port that can't be had, or another thing of the surroundings that is missing. Exit code 69. */
export class UnavailableError extends Error {}

export interface Sidecar {
  readonly url: string;
  readonly token: string;
  /** True when configuration set the token. */
  readonly tokenWasGiven: boolean;
  readonly workspaceId: string;
  readonly stateFolder: string;
  readonly dispatch: Dispatch;
  readonly table: Table;
  /** Where the second port listens, if it does. */
  readonly socketUrl: string | undefined;
  /** Resolves when the watch knows the whole folder and documents of a crash are saved. */
  readonly ready: Promise<void>;
  onChanges(listener: (changes: readonly Change[]) => void): () => void;
  rotateToken(): string;
  /** Refuses new work, saves, ends connections with 1001, and leaves nothing behind. May be called twice. */
  stop(): Promise<void>;
}

/** Builds all parts in start order; reading this is reading the architecture. Throws UnavailableError, OutriggerError. */
export async function startSidecar(dependencies: SidecarDependencies): Promise<Sidecar> {
  const { config, log } = dependencies;
  const now = dependencies.now ?? Date.now;
  const has = (component: ComponentName): boolean => config.components.includes(component);
  const releases: { name: string; release: () => void | Promise<void> }[] = [];
  const onRelease = (name: string, release: () => void | Promise<void>): void => void releases.push({ name, release });
  const health = new Health(now);
  const metrics = new Metrics();

  try {
    // ── the folder and what is remembered of it
    const root = path.resolve(config.root);
    if (config.umask !== undefined) process.umask(Number.parseInt(config.umask, 8));
    if (!fs.existsSync(root)) throw new OutriggerError('WORKSPACE_GONE', `The folder ${root} is not there.`);
    const state = new State({
      root,
      folder: config.state,
      stateHome: dependencies.surroundings.stateHome,
      temporary: dependencies.surroundings.temporary,
    });
    onRelease('state', () => state.close());
    let stateProblem: string | undefined;
    const workspace = new Workspace(
      { state, now, onProblem: (problem) => (stateProblem = problem) },
      {
        root,
        durability: config.durability,
        keepChanges: config['changes.keep'],
        ignored: createIgnore(config['watch.ignore']),
        forgetWrites: dependencies.faults?.forgetWrites === true,
      },
    );
    onRelease('workspace', () => workspace.close());
    const readOnly = config.readOnly
      ? 'it was started read-only.'
      : state.writable
        ? undefined
        : `another sidecar (${state.holder}) holds the folder.`;
    if (readOnly === undefined) workspace.recover();
    const callers = new Callers({ state, now }, { token: config.token, owner: config.owner });
    onRelease('callers', () => callers.close());
    health.add(() => ({
      name: 'workspace',
      ok: workspace.containment.exists(),
      text: workspace.containment.exists() ? 'The folder is there.' : 'The folder is gone.',
    }));
    health.add(() => {
      if (stateProblem !== undefined)
        return { name: 'state', ok: false, text: stateProblem, hint: 'Free space where the state lives, or set the option state.' };
      return { name: 'state', ok: true, text: state.ephemeral ? 'state: ephemeral (no home that can be written)' : 'state: kept' };
    });
    if (!workspace.containment.byDescriptor) {
      health.add(() => ({
        name: 'containment',
        ok: true,
        text: 'Paths are checked by name: there is no /proc here to check opened folders by.',
      }));
    }
    if (readOnly !== undefined) health.add(() => ({ name: 'writing', ok: true, text: `Nobody can write here: ${readOnly}` }));

    const processes = new Processes({ env: processEnvironment() });
    onRelease('processes', () => processes.stop());

    // ── parts that may be left out: their modules are loaded only when they are on
    const pulse = new GitPulse();
    const implementations: Record<string, unknown> = { ...dependencies.operations?.implementations };
    const textLimit = config['limits.outputBytes'];
    Object.assign(
      implementations,
      fileOperations(workspace, { maxTextBytes: textLimit, maxUploadBytes: config['limits.uploadBytes'] }),
      changeOperations(workspace, pulse, now),
    );
    const { startWatch } = await import('./watching.ts');
    const watching = startWatch({ workspace, state, pulse, log, health }, config);
    onRelease('watch', () => watching.stop());
    let documents: Documents | undefined;
    if (has('documents')) {
      const { plugDocuments } = await import('./plug-documents.ts');
      documents = plugDocuments({ workspace, state, now, log, health, implementations }, config, {
        readOnly: readOnly !== undefined,
        trustState: dependencies.faults?.trustState === true,
      });
      onRelease('documents', () => documents?.stop());
    }
    let search: Search | undefined;
    if (has('search')) {
      const { plugSearch } = await import('./plug-search.ts');
      search = await plugSearch({ workspace, processes, documents, log, health, implementations }, config);
      onRelease('search', () => search?.stop());
    }
    if (has('git')) {
      const { plugGit } = await import('./plug-git.ts');
      plugGit({ root: workspace.root, processes, documents, health, implementations }, config);
    }

    // ── the one way in
    let stopping = false;
    const drain = new Drain();
    const table: Table = dependencies.operations === undefined ? ownTable : { ...dependencies.operations.table, ...ownTable };
    const answer = createDispatch(
      table,
      implementations,
      {
        now: () => performance.now(),
        log: ({ operation, error, ...facts }) => {
          if (table[operation]?.endless !== true) drain.ended();
          metrics.called(operation, facts.outcome, facts.durationMs);
          log(error === undefined ? 'info' : 'error', 'operation', { operation, ...facts, error });
        },
        locate: (wirePath) => workspace.realPath(wirePath),
        refuse: () => (stopping ? new OutriggerError('STOPPING', 'The sidecar is stopping.') : undefined),
      },
      {
        ceiling: () => (readOnly === undefined ? { access: 'admin', why: '' } : { access: 'read', why: readOnly }),
        maxOutputBytes: config['limits.outputBytes'],
        maxCallsPerCaller: config['limits.callsPerCaller'],
      },
    );
    // A feed has no end that could be waited for: it is told why it ends.
    const feeds = new AbortController();
    const dispatch: Dispatch = (request) => {
      if (table[request.name]?.endless === true) return answer({ ...request, signal: AbortSignal.any([request.signal, feeds.signal]) });
      drain.began();
      return answer(request);
    };

    // ── sockets, then what speaks on them
    const authenticate: Authenticate = (credentials) =>
      credentials.from === 'cookie' ? callers.byCookie(credentials.token) : callers.byToken(credentials.token);
    const onError = (error: unknown, requestId: string): void => log('error', 'http.failed', { requestId, error });
    const sockets = new WebSockets({
      pingMs: config['limits.heartbeatMs'],
      staleMs: config['limits.heartbeatMs'] * 2,
      maxConnections: config['limits.connections'],
    });
    onRelease('sockets', () => sockets.close(closeCodes.goingAway, 'The sidecar is stopping.', 1000));
    const policy = (): OriginPolicy => ({
      boundHost: config.host,
      allowedHosts: config.allowedHosts,
      allowedOrigins: config.allowedOrigins,
    });
    const access = { authenticate };
    const named = { cookieName: callers.cookieName };
    const listener = new Listener({ host: config.host, port: config.port, nextPorts: dependencies.anyPort === true ? 100 : 0 });
    const app = createHttpApp({ listener, policy, onError }, { maxInputBytes: config['limits.inputBytes'] });
    const { default: rateLimit } = await import('@fastify/rate-limit');
    await app.register(rateLimit, {
      max: config['limits.requestsPerMinute'],
      timeWindow: 60_000,
      errorResponseBuilder: () => new OutriggerError('TOO_MANY', 'Too many requests from this address.'),
    });
    registerOperations(
      app,
      { dispatch, table, ...access },
      { prefix: '/api', ...named, maxUploadBytes: config['limits.uploadBytes'], title: 'Outrigger', version },
    );
    const router = new UpgradeRouter({ policy, onError: (error, where) => log('error', 'upgrade.failed', { path: where, error }) });
    const rpc = createWebSocketRpc({ dispatch, sockets, ...access }, { ...named, limits: { maxFrameLength: config['limits.frameBytes'] } });
    router.exact('/rpc', rpc.upgrade);
    const socketRouters = [router];
    if (config.wsPort !== undefined)
      socketRouters.push(new UpgradeRouter({ policy, onError: (error, where) => log('error', 'upgrade.failed', { path: where, error }) }));
    const { createPlatxa } = await import('../adapters/platxa/platxa.ts');
    const platxa = createPlatxa(
      { dispatch, sockets, onError, ...access },
      {
        ...named,
        anonymous: config['anonymous.platxa'],
        maxMessageBytes: config['limits.frameBytes'],
        maxMessagesPerS: config['limits.jsonMessagesPerS'],
      },
    );
    platxa.routes(app);
    for (const one of socketRouters) platxa.upgrades(one);
    if (has('documents')) {
      const { routeYWebsocket } = await import('../adapters/y-websocket/y-websocket.ts');
      for (const one of socketRouters)
        routeYWebsocket(one, { dispatch, sockets, ...access }, { ...named, maxMessageBytes: config['limits.documentFrameBytes'] });
    }
    const connections = (): number => listener.connections;
    registerPages(
      app,
      {
        health,
        callers,
        authenticate,
        metrics: () =>
          metrics.text({ connections: connections(), revision: workspace.journal.revision, documents: documents?.list().length ?? 0 }),
      },
      { workbench: has('workbench') ? dependencies.workbench : undefined, secureCookie: config.tls === 'terminated' },
    );
    const { plugSystem } = await import('./plug-system.ts');
    const doctor = doctorOperation(processes, workspace.root, () => health.checks());
    plugSystem({ implementations, health, callers, workspace, state, connections, readOnly, doctor }, config);
    await app.ready();
    listener.onUpgrade(router.handle);

    // ── open the doors
    const listening = await listener.bind();
    if (!listening.ok)
      throw new UnavailableError(
        `${config.host}:${listening.port} can't be listened on (${listening.reason}). Give another port with --port, or 0 for any.`,
      );
    onRelease('listener', () => listener.close(200));
    let socketUrl: string | undefined;
    if (config.wsPort !== undefined) {
      const second = await listenForSockets(config, socketRouters[1]);
      onRelease('second listener', () => second.listener.close(200));
      socketUrl = second.url;
    }
    if (state.writable) {
      // Read by the command line of the same user.
      state.writeFile('listening.json', JSON.stringify({ url: listening.url, pid: process.pid, root }));
      onRelease('announcement', () => state.removeFile('listening.json'));
    }
    log('info', 'sidecar.listening', { url: listening.url, components: config.components, workspaceId: state.id });

    const ready = (async () => {
      await documents?.start();
      await watching.started;
      if (stopping) return;
      // Nobody waits for it: until the files are listed, a search reads them all.
      void search?.start();
      health.phase = 'ready';
      log('info', 'sidecar.ready', { durationMs: health.uptimeMs });
    })().catch((error: unknown) => {
      // Stopped before it was ready, which is no failure.
      if (stopping) return;
      log('error', 'sidecar.not-ready', { error });
      throw error;
    });
    ready.catch(() => {});

    let stopped: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      health.phase = 'stopping';
      log('info', 'sidecar.stopping', {});
      // New work is refused; what is under way may end, then it is ended.
      stopping = true;
      rpc.broadcast('closing', { graceMs: config.stopGraceMs });
      feeds.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
      await drain.empty(config.stopGraceMs);
      await documents?.stop();
      rpc.close();
      platxa.close();
      await releaseAll(releases, log);
      log('info', 'sidecar.stopped', { durationMs: health.uptimeMs });
    };

    return {
      url: listening.url,
      token: callers.mainToken,
      tokenWasGiven: callers.tokenWasGiven,
      workspaceId: state.id,
      stateFolder: state.folder,
      dispatch,
      table,
      socketUrl,
      ready,
      onChanges: (changesListener) => workspace.journal.onChanges(changesListener),
      rotateToken: () => callers.rotate(),
      stop: () => (stopped ??= stop()),
    };
  } catch (error) {
    await releaseAll(releases, log);
    throw error;
  }
}

async function listenForSockets(config: Config, router: UpgradeRouter | undefined): Promise<{ listener: Listener; url: string }> {
  const listener = new Listener({ host: config.host, port: config.wsPort ?? 0 });
  listener.onRequest((_request, response) => {
    response.writeHead(426, { 'content-type': 'application/json', upgrade: 'websocket', connection: 'close' });
    response.end(
      JSON.stringify({
        code: 'failed_precondition',
        reason: 'UPGRADE_REQUIRED',
        message: 'This port speaks WebSocket alone.',
        retryable: false,
      }),
    );
  });
  if (router !== undefined) listener.onUpgrade(router.handle);
  const listening = await listener.bind();
  if (!listening.ok) throw new UnavailableError(`${config.host}:${listening.port} (wsPort) can't be listened on (${listening.reason}).`);
  return { listener, url: `ws://${urlHost(config.host)}:${listening.port}` };
}

/** In the reverse order of the start; one that fails does not keep the others. */
async function releaseAll(releases: { name: string; release: () => void | Promise<void> }[], log: Log): Promise<void> {
  for (const { name, release } of releases.splice(0).reverse()) {
    try {
      await release();
    } catch (error) {
      log('error', 'sidecar.release-failed', { part: name, error });
    }
  }
}

/** A caller for the host itself: calls in the same process. */
export function hostCaller(): Caller {
  return { id: `host-${randomUUID()}`, name: 'host', kind: 'service', access: 'admin' };
}
