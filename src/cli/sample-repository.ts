import { processEnvironment } from '../config/load.ts';
import { Processes } from '../services/processes/processes.ts';

const identity = ['-c', 'user.name=Outrigger', '-c', 'user.email=outrigger@localhost', '-c', 'commit.gpgsign=false', '-c', 'core.hooksPath=/dev/null'] as const;
/** Paths by commit, so that the history has something to tell. */
const commits: readonly { message: string; paths: readonly string[] }[] = [
  { message: 'Library loans: books, members, loans', paths: ['README.md', 'library_loans/__init__.py', 'library_loans/__manifest__.py', 'library_loans/models', 'library_loans/security', 'library_loans/views'] },
  { message: 'Loan widget: due dates', paths: ['packages'] },
  { message: 'Overdue report, tests and data', paths: ['.'] },
];

/** Makes the copied sample a git repository with a small history. Without git it stays a plain folder. */
export async function commitSample(folder: string): Promise<void> {
  const processes = new Processes({ env: processEnvironment() });
  if (processes.find('git') === undefined) return;
  const git = async (...args: string[]): Promise<void> => {
    await processes.run({ argv: ['git', ...identity, ...args], cwd: folder, timeoutMs: 10_000 });
  };
  await git('init', '--quiet', '--initial-branch=main');
  for (const { message, paths } of commits) {
    for (const path of paths) await git('add', '--', path);
    await git('commit', '--quiet', '--message', message);
  }
}
