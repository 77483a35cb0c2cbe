import type { Git } from './git.ts';
import { identity } from './identity.ts';
import { checkName, checkRevision } from './revision.ts';

export interface TagRequest {
  action: 'create' | 'delete';
  name: string;
  at: string;
  message?: string | undefined;
}

/** One that is there already is not replaced: GIT_FAILED. */
export async function tag(
  git: Git,
  { action, name, at, message }: TagRequest,
  signal?: AbortSignal,
): Promise<{ name: string; hash: string }> {
  checkName('tag', name);
  checkRevision(at);
  return git.writing(signal, async () => {
    const repository = await git.repository(signal);
    if (action === 'delete') {
      const hash = await git.commitOf(repository, `refs/tags/${name}`, `the tag ${name}`, signal);
      await git.write('tag', ['tag', '--delete', '--', name], { signal });
      return { name, hash };
    }
    const hash = await git.commitOf(repository, at, at, signal);
    const how = message === undefined ? ['--no-sign'] : ['--annotate', '--cleanup=whitespace', '--file=-'];
    const env = message === undefined ? {} : await identity(git, undefined, signal);
    await git.write('tag', ['tag', ...how, '--', name, hash], { signal, env, stdin: message ?? '' });
    return { name, hash };
  });
}
