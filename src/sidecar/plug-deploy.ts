import { randomUUID } from 'node:crypto';
import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/options.ts';
import { type DeployParameter, type DeployProfile, deployProfiles } from '../contract/deploy.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Call } from '../contract/operation.ts';
import { Deployments, type DeployPorts } from '../services/deploy/deployments.ts';
import { DeployStore } from '../services/deploy/deploy-store.ts';
import { deployOperations } from '../services/deploy/operations.ts';
import { profileProblem } from '../services/deploy/plan-argv.ts';
import type { StartedBy } from '../services/processes/process-spec.ts';
import type { ProcessTable } from '../services/processes/process-table.ts';
import type { State } from '../services/state/state.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Log } from './log.ts';
import { namedSettings } from './named-settings.ts';

/** Files that a message names. */
const MAX_NAMED = 5;
/** A module of Odoo, as Odoo itself takes its names. */
const moduleName: DeployParameter = { type: 'name', pattern: '[a-z_][a-z0-9_]*', text: 'Technical name of the module.' };

export interface DeployDependencies {
  workspace: Workspace;
  state: State;
  runs: ProcessTable;
  now: () => number;
  log: Log;
  /** Of the operations so far: commits and checkpoints are made with them. */
  implementations: Record<string, unknown>;
}

/** Makes deployments operations away. Throws ConfigError for a profile that can't be. */
export function plugDeploy({ workspace, state, runs, now, log, implementations }: DeployDependencies, config: Config): Deployments {
  const store = new DeployStore(
    { state, onProblem: (error) => log('warn', 'deploy.not-stored', { error }) },
    { keep: config['deploy.keep'] },
  );
  const deployments = new Deployments(
    { processes: runs, store, ports: portsOf(implementations, workspace), now, log },
    { profiles: new Map([...odooProfiles(config), ...ownProfiles(config)]), keep: config['deploy.keep'] },
  );
  Object.assign(implementations, deployOperations(deployments));
  return deployments;
}

function odooProfiles(config: Config): [string, DeployProfile][] {
  const profile = (flag: string, summary: string): DeployProfile => ({
    summary,
    argv: [config['odoo.command'], '-c', config['odoo.config'], flag, '{module}', '--stop-after-init'],
    parameters: { module: moduleName },
    path: '',
    env: {},
    host: config['odoo.host'],
    timeoutMs: config['odoo.timeoutMs'],
    before: 'commit',
    rollback: config['odoo.rollback'],
  });
  return [
    ['odoo', profile('-u', 'Update a module in Odoo')],
    ['odoo-install', profile('-i', 'Install a module in Odoo')],
  ];
}

function ownProfiles(config: Config): [string, DeployProfile][] {
  return Object.entries(namedSettings(config, 'deploy.profiles', deployProfiles)).map(([name, profile]) => {
    const problem = profileProblem(profile);
    if (problem !== undefined) throw new ConfigError([`deploy.profiles: ${name}: ${problem}`]);
    return [name, profile];
  });
}

type AnyOperation = (input: unknown, call: Call) => Promise<Record<string, unknown>>;

/** Git and checkpoints as far as they are on. */
function portsOf(implementations: Record<string, unknown>, workspace: Workspace): DeployPorts {
  const operation = (name: string): AnyOperation | undefined => implementations[name] as AnyOperation | undefined;
  const [commit, status, create, restore] = ['git.commit', 'git.status', 'checkpoints.create', 'checkpoints.restore'].map(operation);
  return {
    commit:
      commit === undefined
        ? undefined
        : async (message, by, signal) => {
            try {
              const { hash } = await commit({ message, all: true }, callOf(by, signal));
              if (typeof hash === 'string') return hash;
              const { head } = (await status?.({ ignored: false, limit: 1 }, callOf(by, signal))) ?? {};
              return typeof head === 'string' ? head : undefined;
            } catch (error) {
              if (error instanceof OutriggerError && error.reason === 'NO_REPOSITORY') return undefined;
              throw error;
            }
          },
    checkpoint:
      create === undefined ? undefined : async (title, by, signal) => (await create({ title }, callOf(by, signal)))['id'] as number,
    restore:
      restore === undefined
        ? undefined
        : async (id, by, signal) => {
            for (const dryRun of [true, false])
              refuseSkipped((await restore({ id, dryRun }, callOf(by, signal)))['files'] as RestoredFile[]);
          },
    find: (path) => {
      if (workspace.entry(path) === undefined) throw new OutriggerError('FILE_NOT_FOUND', `${path} is not there.`);
    },
  };
}

interface RestoredFile {
  path: string;
  did: string;
  why?: string;
}

/** Throws where not all of the folder is, or would be, what it was. */
function refuseSkipped(files: readonly RestoredFile[]): void {
  const left = files.filter(({ did }) => did === 'skipped');
  if (left.length === 0) return;
  const named = left.slice(0, MAX_NAMED).map(({ path, why }) => `${path} (${why})`);
  const more = left.length - named.length;
  throw new OutriggerError(
    'BAD_INPUT',
    `The folder can't be made what it was: left as they are would be ${named.join(', ')}${more === 0 ? '' : ` and ${more} more`}.`,
  );
}

/** Who deploys, commits. */
function callOf(by: StartedBy, signal: AbortSignal): Call {
  return {
    signal,
    caller: { id: `deploy-${by.name}`, name: by.name, kind: by.kind, access: 'execute' },
    requestId: randomUUID(),
    emit: () => {},
    body: (async function* () {})(),
    channel: undefined,
    visible: () => true,
    visibleAt: () => true,
    reaches: () => true,
    confirmScope: () => {},
  };
}
