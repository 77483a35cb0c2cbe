import type { Config } from '../config/options.ts';
import type { Documents } from '../services/documents/documents.ts';
import { Git } from '../services/git/git.ts';
import { gitOperations } from '../services/git/operations.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { Health } from './health.ts';

/** Makes the repository of the folder an operation away; documents are saved before git looks. */
export function plugGit(
  dependencies: {
    root: string;
    processes: Processes;
    documents: Documents | undefined;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
): void {
  const { root, processes, documents, health, implementations } = dependencies;
  const git = new Git(
    { processes, flush: async () => documents?.flush('') },
    {
      root,
      timeoutMs: config['git.timeoutMs'],
      init: config['git.init'],
      name: config['git.name'],
      email: config['git.email'],
      // As JSON a text takes more than its bytes: with room to spare, an answer stays below the limit of one.
      maxTextBytes: Math.floor(config['limits.outputBytes'] / 2),
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
}
