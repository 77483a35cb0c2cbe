import type { Config } from '../config/options.ts';
import { CheckpointRows } from '../services/checkpoints/checkpoint-rows.ts';
import { Checkpoints } from '../services/checkpoints/checkpoints.ts';
import { GitStore } from '../services/checkpoints/git-store.ts';
import { checkpointOperations } from '../services/checkpoints/operations.ts';
import { OtherHands } from '../services/checkpoints/other-hands.ts';
import { Snapshots } from '../services/checkpoints/snapshots.ts';
import type { Documents } from '../services/documents/documents.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { RunHooks } from '../services/processes/run-hooks.ts';
import type { State } from '../services/state/state.ts';
import { fileNow } from '../services/workspace/file-now.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';
import type { Watching } from './watching.ts';

export interface PluggedCheckpoints {
  /** To be called around each run that may change the folder. */
  hooks: RunHooks;
  /** To be called when the folder is watched: runs that an earlier sidecar left without an end get theirs. */
  takeUp(): void;
  stop(): Promise<void>;
}

/** Keeps the folder as it was around runs. Nothing is stored, and git is not started, before the first of them. */
export function plugCheckpoints(
  dependencies: {
    workspace: Workspace;
    state: State;
    processes: Processes;
    documents: Documents | undefined;
    watching: Pick<Watching, 'barrier'>;
    now: () => number;
    log: Log;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
  { readOnly, secrets }: { readOnly: boolean; secrets: () => ReadonlySet<string> },
): PluggedCheckpoints {
  const { workspace, state, processes, documents, watching, now, log, health, implementations } = dependencies;
  const store = new GitStore({ processes, state }, { root: workspace.root, timeoutMs: config['git.timeoutMs'], secrets });
  const hands = new OtherHands({ read: (path, maxBytes) => fileNow(workspace.containment, path, maxBytes) });
  const snapshots = new Snapshots(
    { workspace, state, store, flush: async () => documents?.flushUnheld(), settled: () => watching.barrier(), secrets },
    { maxFileBytes: config['checkpoints.maxFileBytes'] },
  );
  const checkpoints = new Checkpoints(
    {
      workspace,
      store,
      snapshots,
      hands,
      rows: new CheckpointRows({ state }),
      now,
      log: (event, facts) => log('info', event, facts),
    },
    {
      keep: config['checkpoints.keep'],
      keepDays: config['checkpoints.keepDays'],
      maxTextBytes: config['limits.outputBytes'],
      writable: !readOnly && state.writable,
    },
  );
  const stopWitness = workspace.onAbout((path) => hands.about(path));
  const stopChanges = workspace.journal.onChanges((changes) => hands.changed(changes));
  Object.assign(implementations, checkpointOperations(checkpoints));
  health.add(() => {
    if (processes.find('git') === undefined)
      return { name: 'checkpoints', ok: true, text: 'There are none: the program git is not on this machine. Runs start without.' };
    return { name: 'checkpoints', ok: true, text: store.says === undefined ? 'None was needed yet.' : `They are kept ${store.says}.` };
  });
  return {
    hooks: checkpoints,
    takeUp: () => {
      // Where it fails, whoever asks next tries again.
      checkpoints.takeUp().catch((error: unknown) => log('warn', 'checkpoints.not-taken-up', { error }));
    },
    async stop() {
      await checkpoints.stop();
      stopChanges();
      stopWitness();
    },
  };
}
