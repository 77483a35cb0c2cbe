import type { GitDialog } from '../changes/git-dialog.ts';
import { errorFacts, type WorkbenchClient } from '../client-port.ts';
import type { Clash, ClashHunk } from './clash.ts';
import { wholeLines } from './whole-lines.ts';

type Shared = Pick<Clash, 'hunks' | 'total' | 'files'> & { digest: string | undefined };

/** Files whose lines are shown around what clashes. */
const mostTexts = 20;

/** What a revert answered that met them; undefined where it failed by something else. */
export function sharedIn(error: unknown): Shared | undefined {
  const { reason, details } = errorFacts(error);
  if (reason !== 'HUNKS_SHARED' || details === undefined) return undefined;
  const { shared: hunks, total, files, digest } = details as { shared: ClashHunk[]; total: number; files?: number; digest?: string };
  return { hunks, total, files: files ?? new Set(hunks.map(({ path }) => path)).size, digest };
}

/** Shows each place with the lines that it stands in. */
export async function askAboutClash(clash: Clash, client: WorkbenchClient, ask: (dialog: GitDialog) => void): Promise<void> {
  const texts = new Map<string, string>();
  for (const path of [...new Set(clash.hunks.map((hunk) => hunk.path))].slice(0, mostTexts)) {
    try {
      texts.set(path, (await client.call('files.read', { path })).text);
    } catch {
      // Gone, or no text: the parts are shown by themselves.
    }
  }
  const hunks = clash.hunks.map((hunk) => wholeLines(hunk, texts.get(hunk.path) ?? ''));
  ask({ kind: 'clash', clash: { ...clash, hunks } });
}
