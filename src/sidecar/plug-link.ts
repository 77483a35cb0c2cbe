import path from 'node:path';
import { loadLinkConfig, type LinkConfig } from '../config/link-config.ts';
import type { Config } from '../config/options.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Output } from '../contract/operation.ts';
import type { system } from '../contract/system.ts';
import { nodeTimers } from '../net/timers.ts';
import { WebSockets } from '../net/websocket.ts';
import { LocalHost } from '../services/processes/local-host.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { RunHooks } from '../services/processes/run-hooks.ts';
import { FolderLock } from '../services/state/lock.ts';
import { storeLinkToken } from '../services/state/link-token.ts';
import type { State } from '../services/state/state.ts';
import { taskOperations } from '../services/tasks/operations.ts';
import { Tasks } from '../services/tasks/tasks.ts';
import { posixWords } from '../services/tasks/posix-words.ts';
import { Link, type LinkStatus } from '../transports/hub-link/link.ts';
import type { Callers } from './callers.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';

/** In the folder of results: says whose it is. Its files begin so. */
const OWNER = '.link';
/** Where the id of the token that task programs have is remembered. */
const TASK_TOKEN = 'link.taskToken';

type Token = Output<(typeof system)['tokens.list']>['tokens'][number];

/** How this sidecar stands with its hub. */
export interface SidecarLink {
  status(): LinkStatus;
  /** Called with each new state; returns the way to stop. */
  onStatus(listener: (status: LinkStatus) => void): () => void;
  /** The hub wants this sidecar started anew; called when its tasks are done. Returns the way to stop. */
  onRestart(listener: (reason: string | undefined) => void): () => void;
}

export interface PluggedLink extends SidecarLink {
  /** Absolute: the config, which may hold the agent's secret and names the program that is started, and the file of the secret. */
  readonly secretFiles: readonly string[];
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

/**
 * Makes tasks operations away, and this sidecar an agent of a hub. Throws LinkConfigError, TOO_MANY where no token can be made for the programs of
 * tasks, ALREADY_THERE where another link has the folder of results, and what that throws.
 */
export function plugLink(dependencies: LinkDependencies, config: Config & { 'link.config': string }): PluggedLink {
  const { state, processes, hooks, now, health, implementations } = dependencies;
  const link = loadLinkConfig(config['link.config'], posixWords);
  const log = agentLog(dependencies.log, link.agentId);
  for (const problem of link.warnings) log('warn', 'link.config_odd', { problem });
  // Filled when it is known where we listen; programs are started later.
  const env: Record<string, string> = {};
  const tasks = new Tasks(
    { state, host: new LocalHost(processes), processes, timers: nodeTimers, now, monotonic: () => performance.now(), log },
    tasksOptions(link, { env, hooks, folder: config.root, resultsMadeAgain: () => ownAgain() }),
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
  connection.onStatus((status) => {
    if (status.state === 'refused') tasks.refused(status.reason);
  });
  health.add(() => {
    const status = connection.status();
    const odd = Object.values(status.odd).reduce((sum, count) => sum + count, 0);
    const oddText = odd === 0 ? '' : `; ${odd} frames of the hub were unknown, broken or out of order`;
    const text = `${link.agentId} at ${link.url}: ${status.state}${'reason' in status ? `, ${status.reason}` : ''}${oddText}`;
    if (status.state !== 'refused') return { name: 'link', ok: true, text };
    return { name: 'link', ok: false, text, hint: `Put a token that holds into ${link.tokenPlace.file} and start again.` };
  });
  // Before anything is listened on: what an earlier one left holds for nobody.
  const token = taskToken(dependencies, link.agentId);
  // What one of them is done with, each would put aside as left over, also where it is the other's by now.
  let owner = FolderLock.acquire(path.join(link.resultsFolder, OWNER));
  if (!owner.held) {
    token.end();
    throw new OutriggerError(
      'ALREADY_THERE',
      `results_dir: ${link.resultsFolder} is of another link (${owner.holder}). Give each its own.`,
      {
        details: { option: 'results_dir' },
      },
    );
  }
  const ownAgain = (): void => {
    owner.release();
    owner = FolderLock.acquire(path.join(link.resultsFolder, OWNER));
    if (!owner.held) log('error', 'link.results-taken', { folder: link.resultsFolder, holder: owner.holder });
  };
  return {
    secretFiles: [link.file, link.tokenPlace.file],
    status: () => connection.status(),
    onStatus: (listener) => connection.onStatus(listener),
    onRestart: (listener) => tasks.onRestartAsked((reason) => void tasks.drain().then(() => listener(reason))),
    async start(url) {
      env['OUTRIGGER_URL'] = url;
      env['OUTRIGGER_TOKEN'] = token.secret;
      await tasks.start();
      connection.start();
    },
    async stop() {
      await tasks.stop();
      await connection.stop();
      await sockets.close(1000, 'shutdown');
      token.end();
      owner.release({ removes: true });
    },
  };
}

/** Whoever reads the logs of many agents finds the lines of one. */
export function agentLog(log: Log, agentId: string): Log {
  return (level, event, facts) => log(level, event, { agentId, ...facts });
}

function tasksOptions(
  link: LinkConfig,
  {
    env,
    hooks,
    folder,
    resultsMadeAgain,
  }: { env: Record<string, string>; hooks: RunHooks | undefined; folder: string; resultsMadeAgain: () => void },
): ConstructorParameters<typeof Tasks>[1] {
  return {
    agentId: link.agentId,
    wake: wakeOf(link),
    folder,
    resultsFolder: link.resultsFolder,
    resultsMadeAgain,
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

/**
 * For the programs of tasks: what they may do here ends with this sidecar, by `end`; where it crashes, when the next one starts. Throws
 * TOO_MANY where as many tokens are kept as may be.
 */
export function taskToken(
  { callers, state }: Pick<LinkDependencies, 'callers' | 'state'>,
  agentId: string,
): { secret: string; end: () => void } {
  const operations = callers.operations();
  const call = undefined as never;
  const name = `tasks of ${agentId}`;
  const endThose = (isIt: (token: Token) => boolean): void => {
    const { tokens } = operations['tokens.list']({}, call) as { tokens: Token[] };
    for (const { id } of tokens.filter(isIt)) {
      void operations['tokens.revoke']({ id }, call);
      // Kept for a day, as others are, those of a link that crashes again and again would soon be as many as may be.
      state.statement('DELETE FROM tokens WHERE id = ?').run(id);
    }
  };
  const left = state.get(TASK_TOKEN);
  // Versions that did not remember theirs left them without an end.
  const isLeft = ({ id, kind, access, paths, expires, ...token }: Token): boolean =>
    left === undefined
      ? token.name === name && kind === 'agent' && access === 'execute' && paths === undefined && expires === null
      : id === left;
  endThose(isLeft);
  const { id, secret } = state.transaction(() => {
    const made = operations['tokens.create']({ name, kind: 'agent', access: 'execute' }, call) as { id: string; secret: string };
    state.set(TASK_TOKEN, made.id);
    return made;
  });
  return { secret, end: () => endThose((token) => token.id === id) };
}
