import path from 'node:path';
import { loadLinkConfig, type LinkConfig } from '../config/link-config.ts';
import type { Config } from '../config/options.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { nodeTimers } from '../net/timers.ts';
import { WebSockets } from '../net/websocket.ts';
import { LocalHost } from '../services/processes/local-host.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { RunHooks } from '../services/processes/run-hooks.ts';
import { storeLinkToken } from '../services/state/link-token.ts';
import type { State } from '../services/state/state.ts';
import { taskOperations } from '../services/tasks/operations.ts';
import { Tasks } from '../services/tasks/tasks.ts';
import { posixWords } from '../services/tasks/posix-words.ts';
import { Link, type LinkStatus } from '../transports/hub-link/link.ts';
import type { Callers } from './callers.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';

/** How this sidecar stands with its hub. */
export interface SidecarLink {
  status(): LinkStatus;
  /** Called with each new state; returns the way to stop. */
  onStatus(listener: (status: LinkStatus) => void): () => void;
  /** The hub wants this sidecar started anew; called when its tasks are done. Returns the way to stop. */
  onRestart(listener: (reason: string | undefined) => void): () => void;
}

export interface PluggedLink extends SidecarLink {
  /** Takes up what is held, and dials. `url`: where this sidecar is asked. */
  start(url: string): Promise<void>;
  /** Programs of tasks are ended, what is held stays on the disk, and the hub hears a goodbye. */
  stop(): Promise<void>;
}

export interface LinkDependencies {
  state: State;
  processes: Processes;
  hooks: RunHooks | undefined;
  callers: Callers;
  dispatch: () => Dispatch;
  now: () => number;
  log: Log;
  health: Health;
  implementations: Record<string, unknown>;
}

/** Makes tasks operations away, and this sidecar an agent of a hub. Throws LinkConfigError, and what the folder of results throws. */
export function plugLink(dependencies: LinkDependencies, config: Config & { 'link.config': string }): PluggedLink {
  const { state, processes, hooks, callers, now, health, implementations } = dependencies;
  const link = loadLinkConfig(config['link.config'], posixWords);
  const log = agentLog(dependencies.log, link.agentId);
  for (const problem of link.warnings) log('warn', 'link.config_odd', { problem });
  // Filled when it is known where we listen; programs are started later.
  const env: Record<string, string> = {};
  const tasks = new Tasks(
    { state, host: new LocalHost(processes), processes, timers: nodeTimers, now, monotonic: () => performance.now(), log },
    tasksOptions(link, { env, hooks, folder: config.root }),
  );
  Object.assign(implementations, taskOperations(tasks));
  const sockets = new WebSockets();
  const connection = new Link(
    {
      sockets,
      dispatch: (request) => dependencies.dispatch()(request),
      tasks,
      timers: nodeTimers,
      now,
      monotonic: () => performance.now(),
      random: Math.random,
      log,
      storeToken: (token) => storeLinkToken(link.tokenPlace, token),
    },
    link,
  );
  health.add(() => {
    const status = connection.status();
    const odd = Object.values(status.odd).reduce((sum, count) => sum + count, 0);
    const oddText = odd === 0 ? '' : `; ${odd} frames of the hub were unknown, broken or out of order`;
    const text = `${link.agentId} at ${link.url}: ${status.state}${'reason' in status ? `, ${status.reason}` : ''}${oddText}`;
    if (status.state !== 'refused') return { name: 'link', ok: true, text };
    return { name: 'link', ok: false, text, hint: `Put a token that holds into ${link.tokenPlace.file} and start again.` };
  });
  let endToken = (): void => {};
  return {
    status: () => connection.status(),
    onStatus: (listener) => connection.onStatus(listener),
    onRestart: (listener) => tasks.onRestartAsked((reason) => void tasks.drain().then(() => listener(reason))),
    async start(url) {
      const token = taskToken(callers, link.agentId);
      endToken = token.end;
      env['OUTRIGGER_URL'] = url;
      env['OUTRIGGER_TOKEN'] = token.secret;
      await tasks.start();
      connection.start();
    },
    async stop() {
      await tasks.stop();
      await connection.stop();
      await sockets.close(1000, 'shutdown');
      endToken();
    },
  };
}

/** Whoever reads the logs of many agents finds the lines of one. */
export function agentLog(log: Log, agentId: string): Log {
  return (level, event, facts) => log(level, event, { agentId, ...facts });
}

function tasksOptions(
  link: LinkConfig,
  { env, hooks, folder }: { env: Record<string, string>; hooks: RunHooks | undefined; folder: string },
): ConstructorParameters<typeof Tasks>[1] {
  return {
    agentId: link.agentId,
    wake: wakeOf(link),
    folder,
    resultsFolder: link.resultsFolder,
    concurrency: link.concurrency,
    confirmationTimeoutMs: link.confirmationTimeoutMs,
    branches: link.branches,
    hooks,
    env,
    queueFile: path.join(path.dirname(link.file), 'queue.json'),
  };
}

/** A text is split as a shell would, with nothing of it expanded. */
export function wakeOf({ wakeCommand }: LinkConfig): readonly [string, ...string[]] | undefined {
  const [program, ...rest] = typeof wakeCommand === 'string' ? posixWords(wakeCommand) : (wakeCommand ?? []);
  return program === undefined ? undefined : [program, ...rest];
}

/** For the programs of tasks: what they may do here ends with this sidecar. */
function taskToken(callers: Callers, agentId: string): { secret: string; end: () => void } {
  const operations = callers.operations();
  const call = undefined as never;
  const { id, secret } = operations['tokens.create']({ name: `tasks of ${agentId}`, kind: 'agent', access: 'execute' }, call) as {
    id: string;
    secret: string;
  };
  return { secret, end: () => void operations['tokens.revoke']({ id }, call) };
}
