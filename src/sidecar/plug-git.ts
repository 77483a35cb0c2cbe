import path from 'node:path';
import type { Config } from '../config/options.ts';
import type { Documents } from '../services/documents/documents.ts';
import { AutoCommit } from '../services/git/auto-commit.ts';
import { Git } from '../services/git/git.ts';
import { gitOperations } from '../services/git/operations.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { State } from '../services/state/state.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import { editHistory } from './edit-history.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';

/** Makes the repository of the folder an operation away; documents are saved before git looks. Answers with the way to stop. */
export function plugGit(
  dependencies: {
    workspace: Workspace;
    state: State;
    processes: Processes;
    documents: Documents | undefined;
    log: Log;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
  { readOnly, secrets }: { readOnly: boolean; secrets: () => ReadonlySet<string> },
): { stop(): Promise<void> } {
  const { workspace, state, processes, documents, log, health, implementations } = dependencies;
  const git = new Git(
    {
      processes,
      flush: async () => documents?.flushUnheld(),
      holdSaves: documents === undefined ? undefined : () => documents.holdSaves(),
      still: (signal) => workspace.sides.enter('looking', { signal }),
      alone: () => workspace.standstill.begin(),
      edits: editHistory(workspace.journal),
      secrets,
    },
    {
      root: workspace.root,
      timeoutMs: config['git.timeoutMs'],
      networkTimeoutMs: config['git.networkTimeoutMs'],
      init: config['git.init'],
      name: config['git.name'],
      email: config['git.email'],
      coAuthors: config['git.coAuthors'],
      // As JSON a text takes more than its bytes: with room to spare, an answer stays below the limit of one.
      maxTextBytes: Math.floor(config['limits.outputBytes'] / 2),
      fileRemotes: config['git.fileRemotes'],
      credentialFolder: path.join(state.folder, 'git-credentials'),
    },
  );
  Object.assign(implementations, gitOperations(git));
  health.add(() => {
    if (processes.find('git') !== undefined) return { name: 'git', ok: true, text: 'The program is there.' };
    return {
      name: 'git',
      ok: false,
      text: 'The program git is not on this machine.',
      hint: 'apt-get install git, or leave git out of `components`.',
    };
  });
  if (config['git.autoCommit'] === 0 || readOnly) return { stop: () => Promise.resolve() };
  const auto = new AutoCommit(
    {
      git,
      onChanges: (listener) => workspace.journal.onChanges(listener),
      log: (event, facts) => log(event === 'git.auto-commit' ? 'info' : 'warn', event, facts),
    },
    { afterMs: config['git.autoCommit'] * 1000 },
  );
  health.add(() => {
    const { state: now } = auto;
    if (now.kind === 'waiting')
      return { name: 'auto-commit', ok: true, text: `Changes are committed after ${config['git.autoCommit']} s without one.` };
    if (now.kind === 'paused') return { name: 'auto-commit', ok: true, text: `Nothing is committed by itself: ${now.why}.` };
    return { name: 'auto-commit', ok: false, text: now.message, hint: 'It is tried again after the next change.' };
  });
  return auto;
}
