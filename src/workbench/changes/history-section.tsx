import { actorNamed } from '../actor.ts';
import { nameOf } from '../file-paths.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { Meanwhile } from '../shell/meanwhile.tsx';
import { useClock } from '../use-clock.ts';
import { useWorkbench } from '../use-workbench.ts';
import { longTime, shortAge } from '../words.ts';
import { Section } from './section.tsx';

/** Commits of the branch, or of one file. */
export function HistorySection() {
  const workbench = useWorkbench();
  const { git, tabs } = workbench;
  const { value: commits } = git.log;
  const { value: path } = git.logPath;
  const now = useClock(() => workbench.now());
  return (
    <Section
      title={path === undefined ? 'History' : `History of ${nameOf(path)}`}
      actions={
        path !== undefined && (
          <button
            type="button"
            class="ib"
            aria-label="Show all commits"
            title="Show all commits"
            onClick={() => void git.showLogOf(undefined)}
          >
            <Icon name="x" />
          </button>
        )
      }
    >
      {commits.length === 0 && !git.logKnown.value && <Meanwhile text="Asking git…" />}
      {commits.length === 0 && git.logKnown.value && (
        <p class="hint">{git.logProblem.value ?? (path === undefined ? 'No commits yet.' : 'No commit has this file.')}</p>
      )}
      <ul class="list" aria-label="Commits">
        {commits.map(({ hash, author, subject, at, refs }) => (
          <li key={hash} class={`tr${tabs.activeId.value === `commit:${hash}` ? ' on' : ''}`} data-testid="commit">
            <button
              type="button"
              class="row grow open"
              data-row
              title={`${subject}\n${author.name}, ${longTime(at, now)} · ${hash.slice(0, 7)}`}
              onClick={() => workbench.openCommit(hash, subject)}
            >
              <Avatar actor={actorNamed(author.name, 'person')} small />
              <span class="grow ell" dir="auto">
                {subject}
              </span>
              {refs.length > 0 && <span class="chip refs ell">{sayRef(refs[0] ?? '')}</span>}
              <span class="xs faint">{shortAge(at, now)}</span>
            </button>
          </li>
        ))}
      </ul>
      {git.moreLog.value && (
        <button type="button" class="btn quiet sm more-rows" data-row onClick={() => void git.loadMoreLog()}>
          Older commits
        </button>
      )}
    </Section>
  );
}

function sayRef(ref: string): string {
  return ref
    .replace(/^HEAD -> /, '')
    .replace(/^refs\/(heads|remotes|tags)\//, '')
    .replace(/^tag: /, '');
}
