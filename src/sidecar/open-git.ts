import path from 'node:path';
import type { Config } from '../config/options.ts';
import type { git as table } from '../contract/git.ts';
import type { Implementations } from '../contract/operation.ts';
import type { Documents } from '../services/documents/documents.ts';
import { AutoCommit } from '../services/git/auto-commit.ts';
import { Git } from '../services/git/git.ts';
import { gitOperations } from '../services/git/operations.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { State } from '../services/state/state.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import { editHistory } from './edit-history.ts';
import type { Log } from './log.ts';

export interface OpenGitDependencies {
  workspace: Workspace;
  state: State;
  processes: Processes;
  documents: Documents | undefined;
  log: Log;
}

export interface OpenedGit {
  operations: Implementations<typeof table>;
  /** What commits by itself; undefined where nothing does. */
  auto: AutoCommit | undefined;
}

/** The repository of the folder; documents are saved before git looks. */
export function openGit(
  { workspace, state, processes, documents, log }: OpenGitDependencies,
  config: Config,
  { commitsAlone, secrets }: { commitsAlone: boolean; secrets: () => ReadonlySet<string> },
): OpenedGit {
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
  const auto = commitsAlone
    ? new AutoCommit(
        {
          git,
          onChanges: (listener) => workspace.journal.onChanges(listener),
          log: (event, facts) => log(event === 'git.auto-commit' ? 'info' : 'warn', event, facts),
        },
        { afterMs: config['git.autoCommit'] * 1000 },
      )
    : undefined;
  return { operations: gitOperations(git), auto };
}
