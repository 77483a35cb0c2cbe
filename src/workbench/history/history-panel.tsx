import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { actorNamed, sayActor } from '../actor.ts';
import { revisionRange } from '../feed/feed-rows.ts';
import { WakeOf } from '../feed/wake.tsx';
import { isAway } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { Revision } from '../shell/revision.tsx';
import { RightHead } from '../shell/right-head.tsx';
import { changeAgainst, type DiffAgainst } from '../shell/tabs.ts';
import { useClock } from '../use-clock.ts';
import { useLoaded } from '../use-loaded.ts';
import { useRowFocus } from '../use-row-focus.ts';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { longTime, shortAge } from '../words.ts';
import { type Commit, type HistoryStep, historySteps, type KeptVersions, knownChanges } from './history-steps.ts';

const mostCommits = 50;
const mostSteps = 200;
const mostVersions = 500;
const listEveryMs = 1_000;
const verbs = { created: 'created it', changed: 'changed it', moved: 'moved it', removed: 'deleted it' } as const;

/** Who changed the document and when, and what it can be compared with or restored from. */
export function HistoryPanel() {
  const workbench = useWorkbench();
  const { checkpoints, feed } = workbench;
  const box = useRef<HTMLDivElement>(null);
  const { value: path } = workbench.lastPath;
  const commits = useCommits(path);
  const kept = useVersions(path);
  useEffect(() => checkpoints.want(), [checkpoints]);
  // What is known grows: this is read so that the list does.
  const known = feed.range.value.last;
  const changes = path === undefined ? [] : knownChanges(feed.changesOf(path), kept);
  const all = path === undefined ? [] : historySteps({ changes, kept, checkpoints: checkpoints.rows.value, commits: commits ?? [] });
  const steps = all.slice(0, mostSteps);
  const rows = useRowFocus([known, checkpoints.rows.value, commits, kept]);
  const now = useClock(() => workbench.now());
  useWantedFocus('right', () => box.current?.querySelector<HTMLElement>('[data-focus]')?.focus());
  return (
    <div class="pane history" ref={box} data-testid="history">
      <RightHead takesFocus={steps.length === 0} />
      {path === undefined ? (
        <p class="hint">Open a document to see what was done with it.</p>
      ) : (
        <div class="scroll scm" {...rows}>
          <div class="history-wake">
            <WakeOf changes={changes} />
          </div>
          {steps.length === 0 && (
            <p class="hint">
              {checkpoints.known.value && commits !== undefined
                ? 'Nothing was done with it since this workspace is watched, and no checkpoint or commit has it.'
                : 'Asking what was done with it…'}
            </p>
          )}
          <ul class="list" aria-label={`History of ${nameOf(path)}`}>
            {steps.map((step, index) => (
              <Step key={step.key} step={step} path={path} now={now} isFirst={index === 0} isListed={kept !== undefined} />
            ))}
          </ul>
          {all.length > steps.length && <p class="hint">The newest {mostSteps} steps are shown.</p>}
        </div>
      )}
    </div>
  );
}

/** Commits that changed the document; none where there is no repository, undefined until that is known. */
function useCommits(path: string | undefined): readonly Commit[] | undefined {
  const { client, git } = useWorkbench();
  const found = useSignal<{ path: string; commits: readonly Commit[] } | undefined>(undefined);
  const head = git.status.value?.repository === true ? git.status.value.head : null;
  const load = async (signal: AbortSignal): Promise<void> => {
    if (path === undefined || head === null) return;
    const { commits } = await client.call('git.log', { path, count: mostCommits }, { signal });
    if (!signal.aborted) found.value = { path, commits };
  };
  const problem = useLoaded(load, {}, [path, head]);
  if (head === null) return git.status.value === undefined && git.problem.value === undefined ? undefined : [];
  if (found.value?.path === path) return found.value?.commits;
  return problem.value === undefined || isAway(problem.value) ? undefined : [];
}

/** Its changes and which of its texts are kept; asked for again as it changes. Undefined where no texts are kept, and until it is known. */
function useVersions(path: string | undefined): KeptVersions {
  const workbench = useWorkbench();
  const found = useSignal<{ path: string; kept: KeptVersions } | undefined>(undefined);
  const isOn = workbench.has('history');
  const load = async (signal: AbortSignal): Promise<void> => {
    if (path === undefined || !isOn) return;
    const kept = await workbench.client.call('history.list', { path, limit: mostVersions }, { signal });
    if (!signal.aborted) found.value = { path, kept };
  };
  useLoaded(load, { change: (change) => change.path === path, everyMs: listEveryMs }, [path, isOn]);
  return found.value?.path === path ? found.value?.kept : undefined;
}

interface StepProps {
  step: HistoryStep;
  path: string;
  now: number;
  isFirst: boolean;
  /** It is known which texts are kept. */
  isListed: boolean;
}

function Step({ step, path, now, isFirst, isListed }: StepProps) {
  const workbench = useWorkbench();
  const { checkpointActions, historyActions, readOnly, tabs } = workbench;
  const { actor, words, mark } = sayStep(step);
  const mine = workbench.isMe(actor);
  const run = actor.kind === 'run' ? workbench.activity.runNames.value.get(actor.name.replace(/^Run /, '')) : undefined;
  const who = mine ? 'You' : (run ?? sayActor(actor));
  const text = step.kind === 'change' ? `${who.charAt(0).toUpperCase()}${who.slice(1)} ${words}` : words;
  const against = againstOf(step, isListed || !workbench.has('history'));
  const restores = step.kind === 'change' ? step.restores : undefined;
  const canRestore = (step.kind === 'checkpoint' || restores !== undefined) && !readOnly.value;
  const isShown = against !== undefined && tabs.activeId.value === `diff:${against}:${path}`;
  const what = against === undefined ? 'See it in Activity' : step.kind === 'checkpoint' ? 'Compare with now' : 'See what it changed';
  const age = <span class={canRestore ? 'xs faint num lines' : 'xs faint num'}>{shortAge(step.at, now)}</span>;
  return (
    <li class={`tr${isShown ? ' on' : ''}`} data-testid="history-step" data-kind={step.kind}>
      <button
        type="button"
        class="row grow open"
        data-row
        data-focus={isFirst ? true : undefined}
        title={`${text}\n${sayActor(actor)}, ${longTime(step.at, now)}\n${what}`}
        onClick={() => {
          if (against !== undefined) workbench.openDiff(path, undefined, against);
          else if (step.kind === 'change') workbench.goToRevision(step.row.last);
        }}
      >
        <Avatar actor={actor} small />
        <span class={isListed && against === undefined ? 'grow ell faint' : 'grow ell'} dir="auto">
          {text}
        </span>
        {mark !== undefined && <span class="rev">{mark}</span>}
        {step.kind !== 'change' && age}
      </button>
      {step.kind === 'change' && (
        <>
          <Revision number={step.row.last} text={revisionRange(step.row)} />
          {age}
        </>
      )}
      {restores !== undefined && canRestore && (
        <span class="acts">
          <button
            type="button"
            class="ib"
            aria-label={`Restore ${nameOf(path)} ${restores.side === 'after' ? 'as of' : 'as it was before'} r${restores.revision}`}
            title={restores.side === 'after' ? 'Restore this document as it was then' : 'Bring this document back'}
            onClick={() => void historyActions.restore(path, restores)}
          >
            <Icon name="undo" />
          </button>
        </span>
      )}
      {step.kind === 'checkpoint' && canRestore && (
        <span class="acts">
          <button
            type="button"
            class="ib"
            aria-label={`Restore ${nameOf(path)} as it was: ${step.title}`}
            title="Restore this document as it was then"
            onClick={() => void checkpointActions.restore(step.id, `${nameOf(path)} as it was: ${step.title}`, [path])}
          >
            <Icon name="undo" />
          </button>
        </span>
      )}
    </li>
  );
}

/** What it can be compared with; undefined for a change whose texts are not kept. Until that is known, the comparison says so where they are not. */
function againstOf(step: HistoryStep, isKnown: boolean): DiffAgainst | undefined {
  if (step.kind === 'checkpoint') return `checkpoint:${step.id}`;
  if (step.kind === 'commit') return `commit:${step.key}`;
  const { row, canCompare } = step;
  return (isKnown ? canCompare : row.kind === 'file' && row.what !== 'moved') ? changeAgainst(row) : undefined;
}

function sayStep(step: HistoryStep) {
  if (step.kind === 'change') {
    const { actor, what } = step.row;
    return { actor, words: verbs[what], mark: undefined };
  }
  if (step.kind === 'commit')
    return { actor: actorNamed(step.commit.author.name, 'person'), words: step.commit.subject, mark: step.commit.hash.slice(0, 7) };
  return { actor: step.row.actor, words: step.title, mark: undefined };
}
