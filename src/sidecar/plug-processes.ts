import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/options.ts';
import { execAgents } from '../contract/processes.ts';
import { dialUnix } from '../net/dial-unix.ts';
import { AgentHost } from '../services/processes/agent-host.ts';
import { LocalHost } from '../services/processes/local-host.ts';
import { processOperations } from '../services/processes/operations.ts';
import type { Processes } from '../services/processes/processes.ts';
import { ProcessStore } from '../services/processes/process-store.ts';
import { type HostOnWorkspace, ProcessTable } from '../services/processes/process-table.ts';
import type { RunHooks } from '../services/processes/run-hooks.ts';
import { type State, STATE_HINT } from '../services/state/state.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';
import { namedSettings } from './named-settings.ts';

/** A start waits so long for an agent whose container may be starting. */
const AGENT_PATIENCE_MS = 5000;
/** A look at the folder around a run takes as long as git does; a start does not wait longer. */
const HOOK_MS = 60_000;

/** Makes programs that people and agents start operations away. What a sidecar before this one left running is ended by `recover`. */
export function plugProcesses(
  dependencies: {
    workspace: Workspace;
    state: State;
    processes: Processes;
    hooks: RunHooks | undefined;
    now: () => number;
    log: Log;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
): ProcessTable {
  const { workspace, state, processes, hooks, now, log, health, implementations } = dependencies;
  const store = new ProcessStore({ state, onProblem: (error) => log('warn', 'process.not-stored', { error }) });
  const hosts = new Map<string, HostOnWorkspace>([['local', { host: new LocalHost(processes), root: undefined }], ...agentsOf(config)]);
  const table = new ProcessTable(
    { state, store, workspace, hosts, hooks, now, log },
    {
      maxRunning: config['processes.max'],
      keepEnded: config['processes.keep'],
      hookMs: HOOK_MS,
      output: { headBytes: config['processes.headBytes'], tailBytes: config['processes.tailBytes'] },
    },
  );
  Object.assign(implementations, processOperations(table));
  health.add(() => {
    const unstored = table.unstored();
    if (unstored === 0) return { name: 'processes', ok: true, text: 'What programs write is kept.' };
    const text = `What ${unstored === 1 ? 'one program writes' : `${unstored} programs write`} can't be kept now.`;
    return { name: 'processes', ok: false, text, hint: STATE_HINT };
  });
  return table;
}

function agentsOf(config: Config): [string, HostOnWorkspace][] {
  return Object.entries(namedSettings(config, 'processes.agents', execAgents)).map(([name, { socket, tokenFile, root }]) => {
    if (name === 'local') throw new ConfigError(['processes.agents: `local` is this machine.']);
    const host = new AgentHost({ dial: dialUnix, random: Math.random }, { name, socket, tokenFile, patienceMs: AGENT_PATIENCE_MS });
    return [name, { host, root }];
  });
}
