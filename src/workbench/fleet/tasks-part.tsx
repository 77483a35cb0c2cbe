import { useComputed } from '@preact/signals';
import type { HubTaskInfo } from '../../contract/hub-operations.ts';
import { Icon } from '../shell/icon.tsx';
import { longTime, shortAge } from '../words.ts';
import { FilterBar } from './filter-bar.tsx';
import { taskFilter, taskShortcuts } from './fleet-filter.ts';
import { shortId, taskTitle } from '../tasks/task-text.ts';
import { nextWords, taskSign } from './task-words.ts';
import { useFleet } from './use-fleet.ts';
import { RowSkeleton } from './row-skeleton.tsx';
import { type Column, VirtualTable } from './virtual-table.tsx';

/** Of what stands there when the pointer rests on it, characters. */
const TITLE_LENGTH = 500;

const columns: readonly Column<HubTaskInfo>[] = [
  { class: 'w-id', title: 'Id' },
  { class: '', title: 'Task', order: taskTitle },
  { class: 'w-state', title: 'State', order: (task) => taskSign(task).word },
  { class: 'w-name hide-m', title: 'Agent', order: ({ holder }) => holder ?? '' },
  { class: 'w-number r hide-m', title: 'Attempt', order: ({ attempt }) => attempt },
  { class: 'w-number r hide-m', title: 'Fence', order: ({ generation }) => generation },
  { class: 'w-next hide-m', title: 'Lease or result' },
  { class: 'w-age r', title: 'Age', order: ({ createdAt }) => -createdAt },
];

export function TasksPart() {
  const fleet = useFleet();
  const { tasks, taskText, shownTasks, detail, dialog } = fleet;
  const shortcuts = useComputed(() =>
    taskShortcuts.map((shortcut) => ({ ...shortcut, count: fleet.allTasks.filter(taskFilter(shortcut.text)).length })),
  );
  const add = (): void => void (dialog.value = { name: 'add' });
  const rows = shownTasks.value;
  return (
    <section class="part tasks" aria-labelledby="tasks-title" data-part="tasks">
      <FilterBar
        title="Tasks"
        id="tasks-title"
        label="Filter tasks"
        placeholder="Words, state:failed agent:fixer-01"
        text={taskText.value}
        onText={(text) => fleet.setTaskText(text)}
        shortcuts={shortcuts.value.filter(({ label, count }) => count > 0 || label === 'All' || label === 'Running' || label === 'Failed')}
      >
        <span class="grow" />
        <button type="button" class="btn" onClick={add}>
          <Icon name="plus" />
          Add a task
        </button>
      </FilterBar>
      {tasks.value === undefined ? (
        <RowSkeleton rows={5} />
      ) : tasks.value.size === 0 ? (
        <div class="nothing">
          <p class="dim">No tasks. Agents and people can add one.</p>
          <button type="button" class="btn" onClick={add}>
            <Icon name="plus" />
            Add a task
          </button>
        </div>
      ) : rows.length === 0 ? (
        <div class="nothing">
          <p class="dim">No task matches “{taskText.value.trim()}”.</p>
          <button type="button" class="btn" onClick={() => fleet.setTaskText('')}>
            Show all
          </button>
        </div>
      ) : (
        <VirtualTable
          label="Tasks"
          columns={columns}
          rows={rows}
          filter={taskText.value}
          keyOf={({ id }) => id}
          current={detail.value?.id}
          onOpen={({ id }) => fleet.show(id)}
          cells={(task, tabIndex) => <TaskCells task={task} tabIndex={tabIndex} />}
        />
      )}
    </section>
  );
}

function TaskCells({ task, tabIndex }: { task: HubTaskInfo; tabIndex: 0 | -1 }) {
  const fleet = useFleet();
  const { id, description, holder, attempt, maxAttempts, generation, createdAt, priority, state, reason } = task;
  const sign = taskSign(task);
  const { value: now } = fleet.now;
  const next = nextWords(task, now);
  return (
    <>
      <td class="w-id faint mono" title={id}>
        {shortId(id)}
      </td>
      <td class="ell">
        <span class="row">
          <button type="button" class="cmd ell" dir="auto" data-stop tabIndex={tabIndex} title={description.slice(0, TITLE_LENGTH)}>
            {taskTitle(task)}
          </button>
          {(priority === 'urgent' || priority === 'high') && <span class={`chip${priority === 'urgent' ? ' warn' : ''}`}>{priority}</span>}
        </span>
      </td>
      <td class="w-state">
        <span class={`stt ${sign.tone}`}>
          <i />
          {sign.word}
        </span>
      </td>
      <td class="w-name hide-m ell">{holder === null ? <span class="faint">none yet</span> : holder}</td>
      <td class="w-number r num hide-m" title={`${attempt} of ${maxAttempts}`}>
        {attempt === 0 ? <span class="faint">0</span> : attempt}
      </td>
      <td class="w-number r num hide-m">{generation === 0 ? '' : generation}</td>
      <td
        class={`w-next hide-m ell num ${state === 'failed' || state === 'dead' ? 'bad' : 'dim'}`}
        title={(reason ?? next).slice(0, TITLE_LENGTH)}
      >
        {next}
      </td>
      <td class="w-age r dim num" title={longTime(createdAt, now)}>
        {shortAge(createdAt, now)}
      </td>
    </>
  );
}
