import { useLayoutEffect } from 'preact/hooks';
import type { HeldTaskInfo, PastTask } from '../../contract/tasks.ts';
import { Section } from '../changes/section.tsx';
import { useClock } from '../use-clock.ts';
import { useRowFocus } from '../use-row-focus.ts';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { longTime } from '../words.ts';
import { awayWords, heldNote, heldSentence, heldSign, hubWords, pastNote, pastSentence, pastSign } from './held-words.ts';
import { type TaskSign, taskTitle } from './task-text.ts';
import './tasks.css';

/** What a hub gave to this machine, and what became of it. */
export function TasksPanel() {
  const { tasks } = useWorkbench();
  const { value: held } = tasks.held;
  const { value: past } = tasks.past;
  const { value: hub } = tasks.hub;
  const list = useRowFocus([held, past]);
  const isKnown = tasks.present.value !== undefined;
  const focus = (): void => list.ref.current?.querySelector<HTMLElement>('[data-focus]')?.focus();
  useWantedFocus('side', focus);
  // While they are asked for the sentence that says so may have it, and goes when they come.
  useLayoutEffect(() => {
    if (isKnown && document.activeElement === document.body) focus();
  }, [isKnown]);
  return (
    <div class="pane" role="tabpanel" aria-labelledby="rail-tasks">
      <div class="sp-h">
        <h2>Tasks</h2>
      </div>
      <div class="scroll" {...list}>
        {hub?.connected === false && (
          <p class="hint task-away" data-testid="hub-away">
            {awayWords(
              hub,
              held.some(({ recovering }) => recovering),
            )}
          </p>
        )}
        {held.length + past.length === 0 ? (
          <p class="hint" data-testid="no-tasks" tabIndex={-1} data-focus>
            {tasks.present.value === false
              ? 'No tasks: this folder has no link to a hub. `outrigger serve --link-config` makes one.'
              : hub === undefined
                ? 'Asking for tasks…'
                : `No tasks. Agents and people add them at the hub; what it gives to ${hub.agent} shows here.`}
          </p>
        ) : (
          <>
            <Section title="Held" count={held.length}>
              {held.length === 0 && <p class="hint">Nothing is held now.</p>}
              <ul class="task-rows" aria-label="Tasks that are held">
                {held.map((task, index) => (
                  <HeldRow key={task.id} task={task} isFirst={index === 0} />
                ))}
              </ul>
            </Section>
            {past.length > 0 && (
              <Section title="Over" count={past.length}>
                <ul class="task-rows" aria-label="Tasks that are over">
                  {past.map((one, index) => (
                    <PastRow key={`${one.id} ${one.generation} ${one.at}`} past={one} isFirst={held.length === 0 && index === 0} />
                  ))}
                </ul>
              </Section>
            )}
          </>
        )}
      </div>
      {hub !== undefined && (
        <div class="sr-sum" role="status" data-testid="tasks-hub">
          <span class="grow ell" title={hubWords(hub)}>
            {hubWords(hub)}
          </span>
        </div>
      )}
    </div>
  );
}

function HeldRow({ task, isFirst }: { task: HeldTaskInfo; isFirst: boolean }) {
  const workbench = useWorkbench();
  const now = useClock(() => workbench.now());
  const { id, description, branch, acceptedAt } = task;
  const more = [`Taken ${longTime(acceptedAt, now)}`, ...(branch === undefined ? [] : [`Branch ${branch}`])];
  return (
    <Row
      id={id}
      description={description}
      sign={heldSign(task)}
      note={heldNote(task, now)}
      more={[heldSentence(task), ...more]}
      isFirst={isFirst}
      percent={task.progress?.percent}
    />
  );
}

function PastRow({ past, isFirst }: { past: PastTask; isFirst: boolean }) {
  const workbench = useWorkbench();
  const now = useClock(() => workbench.now());
  const { id, description, at } = past;
  return (
    <Row
      id={id}
      description={description}
      sign={pastSign(past)}
      note={pastNote(past, now)}
      more={[pastSentence(past), longTime(at, now)]}
      isFirst={isFirst}
    />
  );
}

interface RowProps {
  id: string;
  description: string;
  sign: TaskSign;
  note: string;
  /** Said when the pointer rests on it. */
  more: readonly string[];
  isFirst: boolean;
  percent?: number | undefined;
}

function Row({ id, description, sign, note, more, isFirst, percent }: RowProps) {
  const workbench = useWorkbench();
  const title = taskTitle({ id, description });
  const isShown = workbench.tabs.activeId.value === `task:${id}`;
  return (
    <li class={`tr task-row${isShown ? ' on' : ''}`} data-testid="task" data-task={id}>
      <button
        type="button"
        class="grow open"
        data-row
        data-focus={isFirst ? true : undefined}
        title={[title, ...more].join('\n')}
        aria-current={isShown ? 'true' : undefined}
        onClick={() => workbench.openTask(id, title)}
      >
        <span class="ell" dir="auto">
          {title}
        </span>
        <span class="row xs faint num">
          <span class={`stt ${sign.tone}`}>
            <i />
            {sign.word}
          </span>{' '}
          <span class="ell">· {note}</span>
        </span>
        {percent !== undefined && (
          <span class="bar" aria-hidden="true">
            <i style={{ width: `${Math.min(100, percent)}%` }} />
          </span>
        )}
      </button>
    </li>
  );
}
