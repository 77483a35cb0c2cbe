import type { HubTaskDetail, HubTaskInfo } from '../../contract/hub-operations.ts';
import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { clockTime, count, longTime, shortAge } from '../words.ts';
import { type Happening, happenings, leaseLength } from './attempts.ts';
import { cancelTask, retryTask } from './fleet-actions.ts';
import { LogBox } from '../tasks/log-box.tsx';
import { TaskOutcome } from './task-outcome.tsx';
import type { TaskDetail } from './task-detail.ts';
import { firstLine, shortId, taskTitle } from '../tasks/task-text.ts';
import { isHeld, isOver, leaseWords, minutes, nextWords, soon, taskSign } from './task-words.ts';
import { useFleet } from './use-fleet.ts';

const signs: Record<Happening['tone'], string> = { plain: 'plus', running: 'run', good: 'check', bad: 'x', warn: 'warn' };

/** All of one task: how it stands, what happened to it, what its program writes and what it came to. */
export function TaskPanel({ detail }: { detail: TaskDetail }) {
  const fleet = useFleet();
  const { value: read } = detail.task;
  // What came with the news is newer than what was read.
  const news = fleet.tasks.value?.get(detail.id);
  const task = read === undefined ? undefined : { ...read, ...(news !== undefined && news.updatedAt > read.updatedAt ? news : {}) };
  const problem = detail.problem.value;
  const shown = task ?? news;
  return (
    <aside class="drw" aria-label={`Task ${shortId(detail.id)}`} data-task={detail.id} data-testid="task-panel">
      <div class="rh">
        <h2 class="ell">
          Task <span class="mono">{shortId(detail.id)}</span>
        </h2>
        <button type="button" class="ib" aria-label="Copy link" title="Copy link" onClick={() => void copyLink(fleet)}>
          <Icon name="copy" />
        </button>
        <button type="button" class="ib" aria-label="Close (Esc)" title="Close (Esc)" onClick={() => fleet.show(undefined)}>
          <Icon name="x" />
        </button>
      </div>
      <div class="scroll" tabIndex={0} role="group" aria-label="About this task">
        {problem !== undefined && (
          <p class="blk bad" role="alert">
            {problem.reason === 'NOT_FOUND'
              ? `There is no task ${detail.id} on this hub.`
              : `This task could not be read. ${problem.message}`}
          </p>
        )}
        {shown !== undefined && <Facts task={shown} detail={detail} />}
        {task !== undefined && (
          <>
            <Timeline detail={detail} task={task} />
            <LogBox
              log={detail}
              isLive={isHeld(task)}
              none={isOver(task) ? 'No log is kept of it.' : 'Nothing was written yet.'}
              toasts={fleet.toasts}
            />
            <TaskOutcome task={task} />
          </>
        )}
      </div>
    </aside>
  );
}

function Facts({ task, detail }: { task: HubTaskInfo; detail: TaskDetail }) {
  const fleet = useFleet();
  const { value: now } = fleet.now;
  const { id, description, holder, attempt, maxAttempts, generation, needs, priority, deadline, runAt, createdBy, createdAt, cancelBy } =
    task;
  const sign = taskSign(task);
  const begin = firstLine(description);
  const more = description.slice(description.indexOf(begin) + begin.length).trim();
  const canRetry = task.state === 'failed' || task.state === 'dead' || task.state === 'cancelled';
  return (
    <div class="blk">
      <p class="what" dir="auto">
        {taskTitle(task)}
      </p>
      {more !== '' && (
        <p class="more dim" dir="auto">
          {more}
        </p>
      )}
      <dl class="kv">
        <dt>State</dt>
        <dd>
          <span class={`stt ${sign.tone}`} data-testid="task-state">
            <i />
            {sign.word}
          </span>{' '}
          {task.state !== 'running' && <span class="dim">{nextWords(task, now)}</span>}
        </dd>
        <dt>Agent</dt>
        <dd>
          {holder ?? 'none yet'}{' '}
          <span class="dim">{attempt === 0 ? `${count(maxAttempts, 'attempt')} at most` : `attempt ${attempt} of ${maxAttempts}`}</span>
        </dd>
        {task.state === 'running' && <Lease task={task} detail={detail} />}
        {task.state === 'running' && task.progress !== null && (
          <>
            <dt>Progress</dt>
            <dd class="num">
              {[task.progress.percent === null ? '' : `${Math.round(task.progress.percent)} %`, task.progress.text ?? '']
                .filter((part) => part !== '')
                .join(' · ')}{' '}
              <span class="dim">{shortAge(task.progress.at, now)} ago</span>
            </dd>
          </>
        )}
        <dt>Fence</dt>
        <dd>
          <span class="path">{generation}</span>{' '}
          <span class="dim">{generation === 0 ? 'grows with each grant' : 'reports with an older fence are refused'}</span>
        </dd>
        <dt>Asks for</dt>
        <dd>
          {needs.length === 0 ? (
            <span class="dim">nothing special</span>
          ) : (
            needs.map((need) => (
              <span key={need} class="lb">
                {need}
              </span>
            ))
          )}
        </dd>
        <dt>Priority</dt>
        <dd>{priority}</dd>
        {deadline !== null && !isOver(task) && (
          <>
            <dt>Deadline</dt>
            <dd>{soon(deadline, now)}</dd>
          </>
        )}
        {task.state === 'scheduled' && runAt > now && (
          <>
            <dt>Starts</dt>
            <dd>{soon(runAt, now)}</dd>
          </>
        )}
        {task.after.length > 0 && (
          <>
            <dt>After</dt>
            <dd>
              {task.after.map((other) => (
                <button key={other} type="button" class="cmd link mono" title={other} onClick={() => fleet.show(other)}>
                  {shortId(other)}
                </button>
              ))}
            </dd>
          </>
        )}
        <dt>Asked by</dt>
        <dd>
          {createdBy} <span class="dim">{longTime(createdAt, now)}</span>
        </dd>
        <dt>Id</dt>
        <dd class="path">{id}</dd>
      </dl>
      {(!isOver(task) || canRetry) && (
        <div class="row task-acts">
          {!isOver(task) && cancelBy === null && (
            <button type="button" class="btn sm lose" onClick={() => void cancelTask(fleet, id)}>
              Cancel task
            </button>
          )}
          {canRetry && (
            <button type="button" class="btn sm" onClick={() => void retryTask(fleet, id)}>
              <Icon name="refresh" small />
              Queue it again
            </button>
          )}
        </div>
      )}
    </div>
  );
}

/** The time that its agent has left, as a bar of the time that it got. */
function Lease({ task: { leaseUntil }, detail }: { task: HubTaskInfo; detail: TaskDetail }) {
  const { value: now } = useFleet().now;
  if (leaseUntil === null) return null;
  const whole = leaseLength(detail.entries.value);
  const left = Math.max(0, leaseUntil - now);
  const part = whole === undefined ? (left > 0 ? 1 : 0) : Math.min(1, left / whole);
  return (
    <>
      <dt>Lease</dt>
      <dd class="row">
        <span class={part < 0.25 ? 'bar wide low' : 'bar wide'} aria-hidden="true">
          <i style={{ width: `${Math.round(part * 100)}%` }} />
        </span>
        <span class="num" data-testid="lease">
          {leaseWords(leaseUntil, now)}
          {whole !== undefined && left > 0 && <span class="dim"> of {minutes(whole)}</span>}
        </span>
      </dd>
    </>
  );
}

function Timeline({ detail, task }: { detail: TaskDetail; task: HubTaskDetail }) {
  const told = happenings(detail.entries.value, task);
  return (
    <div class="blk">
      <h3 class="lab">Attempts</h3>
      <ol class="tl" data-testid="timeline">
        {told.map(({ key, title, text, tone, at }) => (
          <li key={key}>
            <span class={`nd ${tone}`} aria-hidden="true">
              <Icon name={signs[tone]} small />
            </span>
            <div class="grow">
              <div class="row">
                <b class="grow">{title}</b>
                <time class="xs faint num" dateTime={new Date(at).toISOString()} title={new Date(at).toLocaleString('en')}>
                  {clockTime(at)}
                </time>
              </div>
              {text !== '' && <p class="sm dim">{text}</p>}
            </div>
          </li>
        ))}
      </ol>
    </div>
  );
}

function copyLink({ toasts }: ReturnType<typeof useFleet>): Promise<boolean> {
  return copyText(toasts, location.href, 'Copied the link to this task');
}
