import { howToBuild } from '../services/processes/native-program.ts';

/** Programs and packages that parts use, what is lost without them, and how to get them. `doctor` shows this table. */
export interface ToolRow {
  tool: string;
  /** A program on PATH, or an npm package that may be absent. */
  kind: 'program' | 'package';
  /** Arguments that print the version. */
  args?: readonly string[];
  lost: string;
  install: string;
}

export const tools: readonly ToolRow[] = [
  {
    tool: 'git',
    kind: 'program',
    args: ['--version'],
    lost: 'status, diff, log and commit, checkpoints and the revert of runs',
    install: 'apt-get install git',
  },
  {
    tool: '@vscode/ripgrep',
    kind: 'package',
    lost: 'fast and exact search, unless `rg` is on PATH',
    install: 'npm install @vscode/ripgrep, or apt-get install ripgrep',
  },
  { tool: 'oxc-parser', kind: 'package', lost: 'symbols and outlines of TypeScript and JavaScript', install: 'npm install oxc-parser' },
  {
    tool: 'cc',
    kind: 'program',
    args: ['--version'],
    lost: 'the launcher that keeps a read-only child process from writing by the kernel, and the exec agent and the isolation of code runs, where they are not built yet',
    install: `apt-get install gcc libc6-dev; then ${howToBuild()}`,
  },
  {
    tool: 'bwrap',
    kind: 'program',
    args: ['--version'],
    lost: 'the highest rung of isolation of code runs, where the launcher may not make namespaces itself; the others stay',
    install: 'apt-get install bubblewrap',
  },
  {
    tool: '@lydell/node-pty',
    kind: 'package',
    lost: 'terminals on this machine; programs run without one',
    install: 'npm install @lydell/node-pty',
  },
  {
    tool: '@parcel/watcher',
    kind: 'package',
    lost: 'events on macOS and Windows; the folder is polled there instead',
    install: 'npm install @parcel/watcher',
  },
];
