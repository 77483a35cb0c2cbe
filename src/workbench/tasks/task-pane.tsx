import { failureText } from '../failure-text.ts';
import { useEffect, useMemo } from 'preact/hooks';
import type { VerificationStep } from '../../contract/hub.ts';
import type { HeldTaskInfo, PastTask } from '../../contract/tasks.ts';
import { showView } from '../commands.ts';
import { Icon } from '../shell/icon.tsx';
import { useClock } from '../use-clock.ts';
import { useWorkbench } from '../use-workbench.ts';
import { longTime, shortAge } from '../words.ts';
import { heldSentence, heldSign, pastSentence, pastSign, progressWords, verifiedWords } from './held-words.ts';
import { LogBox } from './log-box.tsx';
import type { TaskReading } from './task-reading.ts';
import { Report, Shown } from './task-report.tsx';
import { firstLine, taskName, taskTitle } from './task-text.ts';
import './tasks.css';

/** One task of the hub on this machine: how it stands, what it is to do, what its program writes and what proves its result. */
export function TaskPane({ id }: { id: string }) {
  const workbench = useWorkbench();
  const { tasks, checkpoints, toasts } = workbench;
  const reading = useMemo(() => tasks.open(id), [tasks, id]);
  useEffect(() => checkpoints.want(), [checkpoints]);
  const held = tasks.get(id);
  const past = held === undefined ? tasks.pastOf(id) : undefined;
  const description = String(reading.read.value?.assignment['description'] ?? held?.description ?? past?.description ?? '');
  const begin = firstLine(description);
  const title = taskTitle({ id, description });
  const name = taskName({ id, description });
  const sign = held !== undefined ? heldSign(held) : past !== undefined ? pastSign(past) : undefined;
  const isLive = reading.isFollowing.value && held?.recovering !== true;
  const rest = description.slice(description.indexOf(begin) + begin.length).trim();
  const { value: problem } = reading.problem;
  return (
    <div class="pane" data-testid="task-view">
      <div class="dfh">
        <h2 class="ell grow" dir="auto" title={title}>
          {title}
        </h2>
        {sign !== undefined && (
          <span class={`stt ${sign.tone}`} role="status" data-testid="task-state">
            <i />
            {sign.word}
          </span>
        )}
        <Changes id={id} generation={(held ?? past)?.generation} name={name} />
        {held !== undefined && workbench.isOwner.value && (
          <button type="button" class="btn sm lose" onClick={() => workbench.taskActions.askToCancel(id, description)}>
            Cancel task
          </button>
        )}
      </div>
      <div class="scroll task-view" tabIndex={0} data-focus role="region" aria-label={`Task: ${name}`}>
        {problem !== undefined && (
          <p class="blk bad" role="alert">
            This task could not be read. {failureText(problem)}
          </p>
        )}
        {held === undefined && past === undefined && (
          <p class="blk dim" data-testid="task-unknown">
            {tasks.present.value === undefined
              ? 'Asking for tasks…'
              : `There is no task ${id} here any more. Of those that are over, the last hundred are listed.`}
          </p>
        )}
        {(held !== undefined || past !== undefined) && (
          <div class="blk">
            {rest !== '' && <p class="more">{rest}</p>}
            {held !== undefined && <HeldFacts task={held} />}
            {past !== undefined && <PastFacts past={past} />}
          </div>
        )}
        {past?.reason !== undefined && <Shown title="Why" value={past.reason} testId="task-reason" />}
        {(held !== undefined || past !== undefined) && (
          <div class="task-parts">
            <div>
              <LogBox
                log={reading}
                isLive={isLive}
                none={held === undefined ? 'The hub has its log. Here it is kept while the task is held.' : 'Nothing was written.'}
                toasts={toasts}
              />
              <Reports reading={reading} />
            </div>
            <Assignment reading={reading} />
          </div>
        )}
      </div>
    </div>
  );
}

function HeldFacts({ task }: { task: HeldTaskInfo }) {
  const workbench = useWorkbench();
  const now = useClock(() => workbench.now());
  const { id, generation, attempts, acceptedAt, branch, progress } = task;
  return (
    <dl class="kv">
      <dt>State</dt>
      <dd>{heldSentence(task)}</dd>
      {progress !== undefined && (
        <>
          <dt>Progress</dt>
          <dd class="row" data-testid="task-progress">
            {progress.percent !== undefined && (
              <span class="bar wide" aria-hidden="true">
                <i style={{ width: `${Math.min(100, progress.percent)}%` }} />
              </span>
            )}
            <span class="num">
              {progressWords(task)} <span class="dim">{shortAge(progress.at, now)} ago</span>
            </span>
          </dd>
        </>
      )}
      <dt>Attempt</dt>
      <dd>
        {attempts === 0 ? 'none yet' : attempts}{' '}
        <span class="dim">
          {attempts === 0
            ? 'its wake program was not started'
            : attempts === 1
              ? 'start of its wake program'
              : 'starts of its wake program'}
        </span>
      </dd>
      <dt>Taken</dt>
      <dd>
        {longTime(acceptedAt, now)} <span class="dim">{shortAge(acceptedAt, now)} ago</span>
      </dd>
      {branch !== undefined && <Branch name={branch} />}
      <dt>Fence</dt>
      <dd>
        <span class="path">{generation}</span> <span class="dim">reports with an older fence are refused</span>
      </dd>
      <dt>Id</dt>
      <dd class="path">{id}</dd>
    </dl>
  );
}

function PastFacts({ past }: { past: PastTask }) {
  const workbench = useWorkbench();
  const now = useClock(() => workbench.now());
  const { id, generation, at, verification } = past;
  return (
    <dl class="kv">
      <dt>State</dt>
      <dd>{pastSentence(past)}</dd>
      <dt>Ended</dt>
      <dd>
        {longTime(at, now)} <span class="dim">{shortAge(at, now)} ago</span>
      </dd>
      {verification !== undefined && (
        <>
          <dt>Verified</dt>
          <dd>{verifiedWords(verification)}</dd>
        </>
      )}
      <dt>Fence</dt>
      <dd class="path">{generation}</dd>
      <dt>Id</dt>
      <dd class="path">{id}</dd>
    </dl>
  );
}

/** Leads to source control, where the folder is on it; else to the branches. */
function Branch({ name }: { name: string }) {
  const workbench = useWorkbench();
  const isHere = workbench.git.status.value?.branch === name;
  const open = (): void => {
    if (isHere) showView(workbench, 'changes');
    else workbench.overlay.value = { name: 'git', dialog: { kind: 'branches' } };
  };
  return (
    <>
      <dt>Branch</dt>
      <dd>
        <button type="button" class="cmd link path" title={isHere ? 'Show source control' : 'Show branches'} onClick={open}>
          {name}
        </button>{' '}
        {isHere && <span class="dim">the folder is on it</span>}
      </dd>
    </>
  );
}

/** What differs since before its program was started; there where checkpoints are kept around it. */
function Changes({ id, generation, name }: { id: string; generation: number | undefined; name: string }) {
  const workbench = useWorkbench();
  const row = workbench.checkpoints.rows.value.find((one) => one.kind === 'run' && one.run === `task-${id}-${generation}`);
  const checkpoint = row?.kind === 'run' ? (row.after ?? row.before) : undefined;
  if (checkpoint === undefined) return null;
  return (
    <button type="button" class="btn sm" onClick={() => workbench.openCheckpoint(checkpoint, `Task ${name}`)}>
      <Icon name="diff" />
      Changes
    </button>
  );
}

function Reports({ reading }: { reading: TaskReading }) {
  const reports = reading.read.value?.reports ?? [];
  return (
    <>
      {reports.map((report) => (
        <Report
          key={report.run_number}
          title={reports.length === 1 ? 'Verification' : `Verification ${report.run_number}`}
          report={report}
        />
      ))}
    </>
  );
}

/** What it is to do, as the hub told it. */
function Assignment({ reading }: { reading: TaskReading }) {
  const { value: read } = reading.read;
  if (read === undefined) return null;
  const criteria = (read.assignment['success_criteria'] ?? []) as string[];
  const steps = (read.assignment['verification_steps'] ?? []) as VerificationStep[];
  const metadata = (read.assignment['metadata'] ?? {}) as Record<string, unknown>;
  const hasMetadata = Object.keys(metadata).length > 0;
  if (criteria.length + steps.length === 0 && !hasMetadata) return null;
  return (
    <div data-testid="assignment">
      {criteria.length > 0 && (
        <div class="blk">
          <h3 class="lab">Done when</h3>
          <ul class="task-list">
            {criteria.map((text, index) => (
              <li key={index}>{text}</li>
            ))}
          </ul>
        </div>
      )}
      {steps.length > 0 && (
        <div class="blk">
          <h3 class="lab">Proved by</h3>
          <ul class="task-list">
            {steps.map((step, index) => (
              <li key={index}>
                {step.description !== undefined && <span>{step.description} </span>}
                <span class="faint sm">{step.type.replaceAll('_', ' ')}</span>{' '}
                <code class="path">{[step.target ?? []].flat().join(' ')}</code>
              </li>
            ))}
          </ul>
        </div>
      )}
      {hasMetadata && <Shown title="Metadata" value={metadata} testId="task-metadata" />}
    </div>
  );
}
