import { currentBranch } from './branches.ts';
import type { Git } from './git.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { checkName } from './revision.ts';

/** Makes a repository where there is none. Throws GIT_OUTSIDE inside of a larger one: it would become a stranger there. */
export async function init(
  git: Git,
  { branch }: { branch?: string | undefined },
  signal?: AbortSignal,
): Promise<{ created: boolean; branch: string | null }> {
  if (branch !== undefined) checkName('branch', branch);
  return git.writing(signal, async () => {
    const found = await git.find(signal);
    if (found.kind === 'repository' && found.repository.prefix.length > 0)
      throw new OutriggerError('GIT_OUTSIDE', 'init: the workspace lies inside of a larger repository already.');
    if (found.kind === 'none')
      await git.write('init', ['init', '--quiet', ...(branch === undefined ? [] : [`--initial-branch=${branch}`])], { signal });
    return { created: found.kind === 'none', branch: (await currentBranch(git, await git.repository(signal), signal)) ?? null };
  });
}
