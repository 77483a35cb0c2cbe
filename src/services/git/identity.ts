import type { Person } from './edit-history.ts';
import type { Git } from './git.ts';

/** Environment that names who writes, only where nothing of the user's does. Nothing is ever put into a config. */
export async function identity(git: Git, author: Person | undefined, signal: AbortSignal | undefined): Promise<Record<string, string>> {
  const [hasAuthor, hasCommitter] = await Promise.all([
    author === undefined ? isNamed(git, 'AUTHOR', signal) : false,
    isNamed(git, 'COMMITTER', signal),
  ]);
  const { name, email } = author ?? git.options;
  return {
    ...(hasAuthor ? {} : { GIT_AUTHOR_NAME: name, GIT_AUTHOR_EMAIL: email }),
    ...(hasCommitter ? {} : { GIT_COMMITTER_NAME: git.options.name, GIT_COMMITTER_EMAIL: git.options.email }),
  };
}

/** Who would be named in the next commit: the author, and the user who commits. */
export async function writers(git: Git, author: Person | undefined, signal: AbortSignal | undefined): Promise<Person[]> {
  const env = await identity(git, author, signal);
  const people = await Promise.all(
    (['AUTHOR', 'COMMITTER'] as const).map(async (which) => {
      const { stdout } = await git.run('commit', ['var', `GIT_${which}_IDENT`], { signal, env });
      const [, name = '', email = ''] = /^(.*) <(.*)> \d+ [+-]\d+\n$/s.exec(stdout.toString()) ?? [];
      return { name, email };
    }),
  );
  return people.filter(({ name }) => name !== '');
}

async function isNamed(git: Git, which: 'AUTHOR' | 'COMMITTER', signal: AbortSignal | undefined): Promise<boolean> {
  // Without this git makes a name of the login and the host.
  const args = ['-c', 'core.hooksPath=/dev/null', '-c', 'user.useConfigOnly=true', 'var', `GIT_${which}_IDENT`];
  return (await git.run('commit', args, { signal })).exitCode === 0;
}
