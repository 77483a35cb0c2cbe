import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { actorNamed } from '../actor.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';

const subjectRoom = 72;
const subjectNear = 50;
const settleMs = 300;

type Editor = Output<Operations['git.editors']>['editors'][number];

/** What the next commit says and holds: what is staged, else all. */
export function CommitForm() {
  const workbench = useWorkbench();
  const { git, gitActions, draft } = workbench;
  const { staged, changes } = git.sections.value;
  const chosen = staged.length > 0 ? staged : changes;
  const { message, amend, withOthers } = draft;
  const others = useEditors(staged.length === 0, chosen.length > 0);
  const first = message.value.split('\n')[0]?.length ?? 0;
  const isReady = amend.value ? true : message.value.trim() !== '' && chosen.length > 0;

  const commit = async (): Promise<void> => {
    if (!isReady || gitActions.busy.value) return;
    const coAuthors = withOthers.value ? others.map(({ name, email }) => ({ name, email })) : [];
    // As it is shown: what is staged, here or by others, may be another by the time that this has its turn.
    const all = staged.length === 0 && !(amend.value && changes.length === 0);
    const wish = { message: message.value, amend: amend.value, all, coAuthors };
    if (await gitActions.commit(wish)) draft.committed(wish);
  };
  const label = amend.value
    ? 'Amend the last commit'
    : chosen.length === 0
      ? 'Nothing to commit'
      : `Commit ${count(chosen.length, 'file')}`;
  return (
    <form
      class="commit"
      onSubmit={(event) => {
        event.preventDefault();
        void commit();
      }}
    >
      <textarea
        class="inp"
        rows={4}
        data-focus
        aria-label="Commit message"
        placeholder={amend.value ? 'Leave it empty to keep the message' : 'What this changes, and why'}
        value={message.value}
        onInput={(event) => (message.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          void commit();
        }}
      />
      <div class="row xs faint with">
        {others.length > 0 ? (
          <label class="row grow">
            <input
              type="checkbox"
              checked={withOthers.value}
              aria-label={`Name as co-authors: ${others.map(({ name }) => name).join(', ')}`}
              onChange={(event) => draft.setWithOthers(event.currentTarget.checked)}
            />
            <span>With</span>
            {others.slice(0, 4).map(({ name, kind }) => (
              <Avatar key={name} actor={actorNamed(name, kind)} small />
            ))}
            <span class="ell">{others.length > 4 ? `and ${others.length - 4} more` : 'as co-authors, from their edits'}</span>
          </label>
        ) : (
          <span class="grow" />
        )}
        <span class={first > subjectRoom ? 'warn num' : 'num'} hidden={first < subjectNear}>
          {first} of {subjectRoom}
        </span>
      </div>
      <button type="submit" class="btn pri wide" disabled={!isReady || gitActions.busy.value}>
        {label}
        {(chosen.length > 0 || amend.value) && <Icon name="check" />}
      </button>
    </form>
  );
}

/** Others who edited what would be committed, as the sidecar knows it: `all` that changed, or what is staged. */
function useEditors(all: boolean, isAny: boolean): readonly Editor[] {
  const { client, feed, git, me } = useWorkbench();
  const found = useSignal<readonly Editor[]>([]);
  const { value: revision } = feed.revision;
  const { value: status } = git.status;
  useEffect(() => {
    if (!isAny) return void (found.value = []);
    const canceled = new AbortController();
    const { signal } = canceled;
    const timer = setTimeout(() => {
      client.call('git.editors', { all }, { signal }).then(
        ({ editors }) => (found.value = editors),
        // Nobody is named where git can't say.
        () => undefined,
      );
    }, settleMs);
    return () => {
      clearTimeout(timer);
      canceled.abort();
    };
  }, [all, isAny, revision, status]);
  return found.value.filter(({ name }) => name !== me.value.name);
}
