import { Section } from '../changes/section.tsx';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { useClock } from '../use-clock.ts';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import { longTime, shortAge } from '../words.ts';
import { type CheckpointRow, newestRun, type RunRow, sayRun } from './checkpoint-rows.ts';

/** What can be gone back to: the newest run as a card, the rest as rows. */
export function CheckpointsSection() {
  const workbench = useWorkbench();
  const { checkpoints, checkpointActions, readOnly } = workbench;
  const { value: rows } = checkpoints.rows;
  const { value: problem } = checkpoints.problem;
  const card = newestRun(rows);
  const now = useClock(() => workbench.now());
  useWantedFocus('newest run', () => showNewestRun(workbench), checkpoints.known.value);
  // The words about git say it for both.
  if (!checkpoints.known.value || (workbench.git.missing.value && rows.length === 0)) return null;
  const others = rows.filter((row) => row !== card);
  return (
    <Section
      title="Checkpoints"
      note={rows.some(({ kind }) => kind === 'run') ? 'around each run' : ''}
      actions={
        !readOnly.value &&
        problem === undefined && (
          <button
            type="button"
            class="ib"
            aria-label="Keep a checkpoint now"
            title="Keep a checkpoint now"
            onClick={() => checkpointActions.askToKeep()}
          >
            <Icon name="plus" />
          </button>
        )
      }
    >
      {problem !== undefined && <p class="hint">{problem}</p>}
      {problem === undefined && rows.length === 0 && (
        <p class="hint">None yet. One is kept before and after each run of an agent, and whenever you ask for one.</p>
      )}
      {card !== undefined && <RunCard run={card} now={now} />}
      <ul class="list" aria-label="Checkpoints">
        {others.map((row) => (
          <Row key={row.key} row={row} now={now} />
        ))}
      </ul>
      {checkpoints.more.value && (
        <button type="button" class="btn quiet sm more-rows" data-row onClick={() => void checkpoints.loadMore()}>
          Older checkpoints
        </button>
      )}
    </Section>
  );
}

/** Where what can be done about it begins; where there is none, that is said. */
function showNewestRun({ toasts }: Workbench): void {
  const button = document.querySelector<HTMLElement>('.side .run-card button');
  if (button !== null) return button.focus();
  document.querySelector<HTMLElement>('.side [data-focus]')?.focus();
  toasts.say('No run to go back from', { text: 'The newest run of an agent or of a command stands here once there is one.' });
}

function RunCard({ run, now }: { run: RunRow; now: number }) {
  const workbench = useWorkbench();
  const { checkpointActions, readOnly } = workbench;
  const { title, actor, at, after, files, reverted } = run;
  return (
    <div class="run-card" data-testid="run-card">
      <div class="row">
        <Avatar actor={{ ...actor, kind: 'run' }} small />
        <span class="grow ell" dir="auto" title={title}>
          <b>{title}</b> <span class="faint sm">by {actor.name}</span>
        </span>
        <span class="xs faint" title={longTime(at, now)}>
          {shortAge(at, now)}
        </span>
      </div>
      <p class="sub">{sayRun(run)}</p>
      <div class="row">
        {!readOnly.value && files !== 0 && (
          <button
            type="button"
            class="btn sm"
            data-row
            title={reverted === undefined ? `Takes back what ${title} changed, and nothing else` : undefined}
            onClick={() => void checkpointActions.revert(reverted ?? run.run, reverted === undefined ? title : `the revert of ${title}`)}
          >
            <Icon name="undo" />
            {reverted === undefined ? 'Revert run, keep my edits' : 'Bring it back'}
          </button>
        )}
        {after !== undefined && (
          <button
            type="button"
            class="ib"
            aria-label={`What ${title} changed`}
            title="What changed during the run"
            onClick={() => workbench.openCheckpoint(after, title)}
          >
            <Icon name="diff" />
          </button>
        )}
      </div>
    </div>
  );
}

function Row({ row, now }: { row: CheckpointRow; now: number }) {
  const workbench = useWorkbench();
  const { checkpointActions, readOnly, tabs } = workbench;
  const { title, at, actor } = row;
  const id = row.kind === 'made' ? row.id : (row.after ?? row.before);
  /** What a restore goes back to: of a run, the folder before it. */
  const back = row.kind === 'made' ? row.id : row.before;
  const note = row.kind === 'run' ? sayRun(row) : 'Kept by hand.';
  const canRevert = row.kind === 'run' && row.after !== undefined && row.reverted === undefined && row.files !== 0;
  const active = tabs.active.value?.kind === 'checkpoint' && tabs.active.value.checkpoint === id;
  const restore = (): void => {
    if (back !== undefined) void checkpointActions.restore(back, row.kind === 'run' ? `the folder before ${title}` : title);
  };
  return (
    <li class={`tr${active ? ' on' : ''}`} data-testid="checkpoint">
      <button
        type="button"
        class="row grow open"
        data-row
        title={`${title}\n${actor.name}, ${longTime(at, now)}\n${note}`}
        onClick={() => {
          if (id !== undefined) workbench.openCheckpoint(id, title);
        }}
      >
        <Avatar actor={row.kind === 'run' && !row.byHand ? { ...actor, kind: 'run' } : actor} small />
        <span class="grow ell" dir="auto">
          {title} {row.kind === 'run' && row.after === undefined && <span class="faint sm">running</span>}
        </span>
        <span class="xs faint lines">{shortAge(at, now)}</span>
      </button>
      {!readOnly.value && (
        <span class="acts">
          {canRevert && (
            <button
              type="button"
              class="ib"
              aria-label={`Revert ${title}, keep later edits`}
              title="Revert it, keep later edits"
              onClick={() => void checkpointActions.revert(row.run, title)}
            >
              <Icon name="undo" />
            </button>
          )}
          {back !== undefined && (
            <button
              type="button"
              class="ib"
              aria-label={row.kind === 'run' ? `Restore the folder before ${title}` : `Restore ${title}`}
              title={row.kind === 'run' ? 'Restore the folder as it was before' : 'Restore the folder as it was then'}
              onClick={restore}
            >
              <Icon name="clock" />
            </button>
          )}
        </span>
      )}
    </li>
  );
}
