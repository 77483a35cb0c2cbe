import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { processEnvironment } from '../config/load.ts';
import { Processes } from '../services/processes/processes.ts';
import { packageFolder } from './package-folder.ts';

const identity = [
  '-c',
  'user.name=Outrigger',
  '-c',
  'user.email=outrigger@localhost',
  '-c',
  'commit.gpgsign=false',
  '-c',
  'core.hooksPath=/dev/null',
] as const;
/** Paths by commit, so that the history has something to tell. */
const commits: readonly { message: string; paths: readonly string[] }[] = [
  {
    message: 'Library loans: books, members, loans',
    paths: [
      'README.md',
      'library_loans/__init__.py',
      'library_loans/__manifest__.py',
      'library_loans/models',
      'library_loans/security',
      'library_loans/views',
    ],
  },
  { message: 'Loan widget: due dates', paths: ['packages'] },
  { message: 'Overdue report, tests and data', paths: ['.'] },
];

export interface Sample {
  folder: string;
  /** Where its state lives: beside it, to go with it. */
  state: string;
  remove(): void;
}

/** Copies the sample project to a folder of its own and makes it a repository. It goes when the sidecar stops. */
export async function copySample(): Promise<Sample> {
  const source = path.join(packageFolder(), 'examples', 'library-loans');
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-sample-'));
  const folder = path.join(scratch, 'library-loans');
  fs.cpSync(source, folder, { recursive: true });
  await commitSample(folder);
  return { folder, state: path.join(scratch, 'state'), remove: () => fs.rmSync(scratch, { recursive: true, force: true }) };
}

/** Makes the copied sample a git repository with a small history. Without git it stays a plain folder. */
async function commitSample(folder: string): Promise<void> {
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
