import fs from 'node:fs';
import path from 'node:path';
import type { Config } from '../config/options.ts';
import type { search as table } from '../contract/search.ts';
import type { Implementations } from '../contract/operation.ts';
import type { Documents } from '../services/documents/documents.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { IndexPlace } from '../services/search/indexed-search.ts';
import { searchOperations } from '../services/search/operations.ts';
import { Ripgrep } from '../services/search/ripgrep.ts';
import { Search } from '../services/search/search.ts';
import { FolderLock } from '../services/state/lock.ts';
import type { State } from '../services/state/state.ts';
import type { FilesBatch } from '../services/workspace/operations.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import { indexThreads, memoryHere, throwIfTooLarge } from './index-memory.ts';
import type { Log } from './log.ts';
import type { Watching } from './watching.ts';

export interface OpenSearchDependencies {
  workspace: Workspace;
  state: State;
  processes: Processes;
  documents: Documents | undefined;
  watching: Pick<Watching, 'barrier'>;
  /** Where the sidecar's own secrets lie, relative to the workspace. */
  secrets: () => ReadonlySet<string>;
  log: Log;
  /** The operation that replaces in many files at once. */
  batch: FilesBatch;
}

/** The search of a folder, its documents saved before it is searched; nothing is listed before its `start`. */
export async function openSearch(
  { workspace, state, processes, documents, watching, secrets, log, batch }: OpenSearchDependencies,
  config: Config,
  memoryBytes = memoryHere(),
): Promise<{ search: Search; operations: Implementations<typeof table> }> {
  const program = config['search.ripgrep'] ?? (await bundledRipgrep()) ?? 'rg';
  const { root } = workspace;
  const ripgrep =
    processes.find(program) === undefined ? undefined : new Ripgrep({ processes }, { program, root, unwatched: config['watch.ignore'] });
  const search = new Search(
    {
      workspace,
      processes,
      ripgrep,
      flush: async () => documents?.flushUnheld(),
      settled: (paths) => watching.barrier(paths),
      log: (event, facts) => log(facts['error'] === undefined ? 'info' : 'warn', event, facts),
    },
    {
      index: config['search.index']
        ? {
            threads: indexThreads(memoryBytes),
            throwIfTooLarge: (files) => throwIfTooLarge(memoryBytes, files),
            open: () => indexPlace(state),
          }
        : undefined,
    },
  );
  return { search, operations: searchOperations({ search, ripgrep, workspace, secrets }, batch) };
}

/** Of several sidecars of one folder one keeps the index; the others have their own for as long as they run. */
function indexPlace(state: State): IndexPlace {
  state.throwIfLost('The index');
  const lock = FolderLock.acquire(path.join(state.folder, 'search.lock'));
  return { folder: state.partFolder('search', lock.held), kept: lock.held, release: () => lock.release() };
}

/** The program that came along: beside the bundle in an image, else with the optional package. */
async function bundledRipgrep(): Promise<string | undefined> {
  const beside = path.join(import.meta.dirname, 'bin', process.platform === 'win32' ? 'rg.exe' : 'rg');
  if (fs.existsSync(beside)) return beside;
  try {
    const { rgPath } = await import('@vscode/ripgrep');
    return rgPath;
  } catch {
    // Left out at installation, or not made for this system.
    return undefined;
  }
}
