import type { GitChange, git as table } from '../../contract/git.ts';
import type { Implementations } from '../../contract/operation.ts';
import type { Git } from './git.ts';
import type { StatusEntry } from './parse-status.ts';

export function gitOperations(git: Git): Implementations<typeof table> {
  return {
    'git.status': async ({ ignored, limit }, call) => {
      const status = await git.status(ignored, call.signal);
      if (status === undefined) return { repository: false, branch: null, head: null, changes: [], truncated: false };
      const { branch, head, upstream, ahead, behind, doing, entries, cut } = status;
      const visible = entries.filter((entry) => call.visible(entry.path.shown));
      return {
        repository: true,
        branch,
        head,
        ...(upstream === undefined ? {} : { upstream }),
        ...(ahead === undefined ? {} : { ahead }),
        ...(behind === undefined ? {} : { behind }),
        ...(doing === undefined ? {} : { doing }),
        changes: visible.slice(0, limit).map((entry) => changeOf(entry, call.visible)),
        truncated: cut || visible.length > limit,
      };
    },
    'git.diff': (input, call) => git.diff(input, call.signal),
    'git.log': (input, call) => git.log(input, call.signal),
    'git.show': (input, call) => git.show(input, call.signal),
    'git.commit': ({ message, paths, all, author }, call) => git.commit({ message, paths, all, author }, call.signal),
  };
}

function changeOf(entry: StatusEntry, visible: (path: string) => boolean): GitChange {
  const { path, from, staged, unstaged, submodule } = entry;
  const change: GitChange = { path: path.shown, staged, unstaged };
  if (from !== undefined && visible(from.shown)) change.from = from.shown;
  if (submodule) change.submodule = true;
  if (path.raw) change.raw = true;
  return change;
}
