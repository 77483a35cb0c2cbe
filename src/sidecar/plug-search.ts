import type { Config } from '../config/options.ts';
import type { Documents } from '../services/documents/documents.ts';
import type { Processes } from '../services/processes/processes.ts';
import { searchOperations } from '../services/search/operations.ts';
import { Ripgrep } from '../services/search/ripgrep.ts';
import { Search } from '../services/search/search.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';

/** Makes the folder searchable; documents are saved before it is searched. */
export async function plugSearch(
  dependencies: {
    workspace: Workspace;
    processes: Processes;
    documents: Documents | undefined;
    log: Log;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
): Promise<Search> {
  const { workspace, processes, documents, log, health, implementations } = dependencies;
  const program = config['search.ripgrep'] ?? (await bundledRipgrep()) ?? 'rg';
  const search = new Search({
    workspace,
    ripgrep: processes.find(program) === undefined ? undefined : new Ripgrep({ processes }, { program, root: workspace.root }),
    flush: async () => documents?.flush(''),
    log: (event, facts) => log(facts['error'] === undefined ? 'info' : 'warn', event, facts),
  });
  Object.assign(implementations, searchOperations(search, workspace));
  health.add(() => {
    const { state, problem, files, ripgrep } = search.status();
    if (problem !== undefined)
      return {
        name: 'search',
        ok: false,
        text: problem,
        hint: 'Install ripgrep: npm install @vscode/ripgrep, or apt-get install ripgrep.',
      };
    return {
      name: 'search',
      ok: true,
      text: state === 'ready' ? `ripgrep ${ripgrep}, ${files} files` : `ripgrep ${ripgrep ?? ''}, listing the folder`,
    };
  });
  return search;
}

/** The program that the optional package brings along. */
async function bundledRipgrep(): Promise<string | undefined> {
  try {
    const { rgPath } = await import('@vscode/ripgrep');
    return rgPath;
  } catch {
    // Left out at installation, or not made for this system.
    return undefined;
  }
}
