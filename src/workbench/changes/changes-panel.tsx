import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { GitChange } from '../../contract/git.ts';
import { actorNamed } from '../actor.ts';
import { nameOf, parentOf, truncatePath } from '../file-paths.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { longTime, shortAge } from '../words.ts';
import { commitFiles, isStaged } from './commit-choice.ts';
import { letterNames, letterOf } from './git-store.ts';

const subjectRoom = 72;

export function ChangesPanel() {
  const workbench = useWorkbench();
  const { git } = workbench;
  useEffect(() => git.wantDetails(), [git]);
  const { value: status } = git.status;
  return (
    <div class="pane" role="tabpanel" aria-labelledby="rail-changes">
      <div class="sp-h">
        <h2>Source control</h2>
        <button
          type="button"
          class="ib"
          aria-label="Ask git again"
          title="Ask git again"
          data-focus={workbench.readOnly.value ? true : undefined}
          onClick={() => void git.refresh()}
        >
          <Icon name="refresh" />
        </button>
      </div>
      <div class="scroll">
        {status === undefined ? (
          <p class="hint">{git.problem.value ?? 'Asking git…'}</p>
        ) : !status.repository ? (
          <p class="hint">
            No repository here. Start one with <code>git init</code> to keep commits.
          </p>
        ) : (
          <Repository changes={status.changes} truncated={status.truncated} />
        )}
      </div>
    </div>
  );
}

function Repository({ changes, truncated }: { changes: readonly GitChange[]; truncated: boolean }) {
  const workbench = useWorkbench();
  const { git, readOnly } = workbench;
  const message = useSignal('');
  const busy = useSignal(false);
  /** Paths that were chosen by hand, against what the index says. */
  const turned = useSignal<ReadonlySet<string>>(new Set());
  const anyStaged = changes.some(isStaged);
  const included = (change: GitChange): boolean => (anyStaged ? isStaged(change) : true) !== turned.value.has(change.path);
  const inside = changes.filter(included);
  const outside = changes.filter((change) => !included(change));
  const turn = (path: string): void => {
    const next = new Set(turned.value);
    if (!next.delete(path)) next.add(path);
    turned.value = next;
  };
  const first = message.value.split('\n')[0]?.length ?? 0;

  const commit = async (): Promise<void> => {
    if (message.value.trim() === '' || inside.length === 0 || busy.value) return;
    busy.value = true;
    try {
      const answer = await workbench.client.call('git.commit', {
        message: message.value.trim(),
        ...commitFiles(changes, inside, turned.value.size > 0),
      });
      if (answer.committed) {
        message.value = '';
        turned.value = new Set();
        workbench.toasts.say(`Committed ${answer.files} ${answer.files === 1 ? 'file' : 'files'}`, {
          text: `${answer.hash?.slice(0, 7) ?? ''} ${answer.summary}`.trim(),
        });
      } else workbench.toasts.say('Nothing to commit', { text: answer.summary });
      await git.refresh();
    } catch (error) {
      workbench.toasts.fail('Not committed', error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      {!readOnly.value && (
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
            placeholder="What this changes, and why"
            value={message.value}
            onInput={(event) => (message.value = event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
                event.preventDefault();
                void commit();
              }
            }}
          />
          <div class="row xs faint with">
            <span class="grow ell">{git.status.value?.doing === undefined ? '' : `In the middle of a ${git.status.value.doing}`}</span>
            <span class={first > subjectRoom ? 'warn num' : 'num'} hidden={first < 50}>
              {first} of {subjectRoom}
            </span>
          </div>
          <button type="submit" class="btn pri wide" disabled={message.value.trim() === '' || inside.length === 0 || busy.value}>
            {changes.length === 0 ? 'Nothing to commit' : `Commit ${inside.length} ${inside.length === 1 ? 'file' : 'files'}`}
            {changes.length > 0 && <Icon name="check" />}
          </button>
        </form>
      )}
      <Section title={anyStaged || outside.length > 0 ? 'In this commit' : 'Changes'} count={inside.length}>
        {inside.map((change) => (
          <ChangeRow
            key={change.path}
            change={change}
            turn={changes.length > 1 && !readOnly.value ? () => turn(change.path) : undefined}
            included
          />
        ))}
        {changes.length === 0 && <p class="hint">Everything is committed.</p>}
      </Section>
      {outside.length > 0 && (
        <Section title="Left out" count={outside.length}>
          {outside.map((change) => (
            <ChangeRow key={change.path} change={change} turn={readOnly.value ? undefined : () => turn(change.path)} included={false} />
          ))}
        </Section>
      )}
      {truncated && <p class="hint">There are more changes than are listed here.</p>}
      <History />
    </>
  );
}

function Section({ title, count, children }: { title: string; count?: number; children: preact.ComponentChildren }) {
  const open = useSignal(true);
  return (
    <section>
      <button type="button" class="sec" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
        <Icon name={open.value ? 'down' : 'right'} small />
        <span class="grow">{title}</span>
        {count !== undefined && <span class="count">{count}</span>}
      </button>
      {open.value && <ul class="list">{children}</ul>}
    </section>
  );
}

function ChangeRow({ change, turn, included }: { change: GitChange; turn: (() => void) | undefined; included: boolean }) {
  const workbench = useWorkbench();
  const { git, tabs } = workbench;
  const letter = letterOf(change) ?? 'M';
  const lines = git.counts.value.get(change.path);
  const path = change.path.replace(/\/$/, '');
  const active = tabs.active.value?.kind === 'diff' && tabs.active.value.path === path;
  return (
    <li class={`tr${active ? ' on' : ''}`} data-testid="change" data-path={path}>
      <button
        type="button"
        class="row grow open"
        title={path}
        aria-current={active ? 'true' : undefined}
        onClick={() => workbench.openDiff(path, change.from)}
      >
        <span class="ell grow" dir="auto">
          {nameOf(path)} <span class="faint sm">{truncatePath(parentOf(path), 30)}</span>
        </span>
        {lines !== undefined && (
          <span class="xs num lines">
            <span class="pl">+{lines.added}</span> <span class="mi">−{lines.removed}</span>
          </span>
        )}
        <span class={`st ${letter}`} role="img" aria-label={letterNames[letter]}>
          {letter}
        </span>
      </button>
      {turn !== undefined && (
        <button
          type="button"
          class="ib"
          aria-label={`${included ? 'Leave out' : 'Take into the commit'}: ${path}`}
          title={included ? 'Leave out' : 'Take into the commit'}
          onClick={turn}
        >
          <Icon name={included ? 'minus' : 'plus'} />
        </button>
      )}
    </li>
  );
}

function History() {
  const workbench = useWorkbench();
  const { value: commits } = workbench.git.log;
  const now = workbench.now();
  if (commits.length === 0) return null;
  return (
    <Section title="History">
      {commits.map(({ hash, author, subject, at }) => (
        <li key={hash} class={`tr${workbench.tabs.activeId.value === `commit:${hash}` ? ' on' : ''}`} data-testid="commit">
          <button
            type="button"
            class="row grow open"
            title={`${subject}\n${author.name}, ${longTime(at, now)} · ${hash.slice(0, 7)}`}
            onClick={() => workbench.openCommit(hash, subject)}
          >
            <Avatar actor={actorNamed(author.name, 'person')} small />
            <span class="grow ell" dir="auto">
              {subject}
            </span>
            <span class="xs faint">{shortAge(at, now)}</span>
          </button>
        </li>
      ))}
    </Section>
  );
}
