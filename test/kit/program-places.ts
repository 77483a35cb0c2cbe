// For tests: a sidecar's programs beside it, and in a container of their own behind an exec agent.
import fs from 'node:fs';
import path from 'node:path';
import { buildAgent, killQuietly, withAgent } from './exec-agent.ts';
import { requireTool } from './require-tools.ts';
import { withScratchFolder } from './scratch-folder.ts';

export interface ProgramPlace {
  /** The sidecar's folder. */
  root: string;
  /** Of the program and the ledger; the programs see it as `seenAs`. */
  folder: string;
  seenAs: string;
  host: 'local' | 'app';
  flags: Record<string, string>;
  /** Ends the connection over which they were started. */
  cut?: () => void;
}

interface PlaceOfPrograms {
  /** In the title of a test. */
  where: string;
  skip: string | false;
  /** `folder` is for the sidecar's state. */
  open(run: (folder: string, place: ProgramPlace) => Promise<void>): Promise<void>;
}

const isLinux = process.platform === 'linux';

export const placesOfPrograms: readonly PlaceOfPrograms[] = [
  {
    where: '',
    skip: isLinux ? false : 'it looks for programs in /proc',
    open: (run) => withScratchFolder('programs', (folder, root) => run(folder, { root, folder, seenAs: folder, host: 'local', flags: {} })),
  },
  {
    where: ' at an exec agent',
    skip: isLinux ? requireTool('bwrap', 'cc') : 'the exec agent is for Linux',
    open: (run) =>
      withScratchFolder('programs-at-agent', async (folder) => {
        const built = path.join(folder, 'outrigger-exec-agent');
        buildAgent(built);
        await withAgent(built, (container) => {
          const { socket, tokenFile, workspace: root } = container;
          return run(folder, {
            root,
            folder: path.dirname(container.agent),
            seenAs: '/agent',
            host: 'app',
            flags: { 'processes.agents': JSON.stringify({ app: { socket, tokenFile, root: '/mnt/workspace' } }) },
            cut: () => container.connections().forEach(killQuietly),
          });
        });
      }),
  },
];

/** With the program of a model and an empty ledger, which users of another container may write, too. */
export function layOut({ folder }: ProgramPlace, program: string): { ledger: string } {
  const ledger = path.join(folder, 'ledger');
  fs.writeFileSync(path.join(folder, 'program.sh'), program);
  fs.writeFileSync(ledger, '');
  fs.chmodSync(ledger, 0o666);
  return { ledger };
}
