import { useSignal } from '@preact/signals';
import { useMemo } from 'preact/hooks';
import type { HubTaskInfo } from '../../contract/hub-operations.ts';
import { Icon } from '../shell/icon.tsx';
import { count } from '../words.ts';
import { isConnected } from './agent-words.ts';
import { addTask } from './fleet-actions.ts';
import { Modal } from './modal.tsx';
import { useFleet } from './use-fleet.ts';
import { useProblem } from './use-problem.ts';

const priorities: readonly HubTaskInfo['priority'][] = ['urgent', 'high', 'normal', 'low'];

/** Asks what is to be done, and what an agent must have for it. */
export function AddTaskDialog() {
  const fleet = useFleet();
  const description = useSignal('');
  const needs = useSignal('');
  const priority = useSignal<HubTaskInfo['priority']>('normal');
  const agent = useSignal('');
  const { problem, failed } = useProblem();
  const busy = useSignal(false);
  // Sent twice, as after a lost link, it is one task.
  const key = useMemo(() => `page-${[...crypto.getRandomValues(new Uint32Array(4))].map((part) => part.toString(36)).join('')}`, []);
  const wanted = [...new Set(needs.value.split(/[\s,]+/).filter((need) => need !== ''))];
  const agents = [...(fleet.agents.value?.values() ?? [])];
  const able = agents.filter(
    (one) => isConnected(one) && (agent.value === '' || one.id === agent.value) && wanted.every((need) => one.capabilities.includes(need)),
  );
  const add = async (): Promise<void> => {
    if (description.value.trim() === '') {
      problem.value = 'Say what is to be done.';
      return;
    }
    busy.value = true;
    try {
      await addTask(fleet, {
        description: description.value.trim(),
        needs: wanted,
        priority: priority.value,
        agent: agent.value === '' ? undefined : agent.value,
        key,
      });
      fleet.dialog.value = undefined;
    } catch (error) {
      failed('Not added.', error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <Modal label="Add a task">
      <h1>Add a task</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (!busy.value) void add();
        }}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
          event.preventDefault();
          if (!busy.value) void add();
        }}
      >
        <label class="lab" for="task-text">
          What is to be done
        </label>
        <textarea
          id="task-text"
          class="inp"
          rows={4}
          data-first
          value={description.value}
          aria-invalid={problem.value !== ''}
          aria-describedby={problem.value === '' ? undefined : 'task-problem'}
          onInput={(event) => (description.value = event.currentTarget.value)}
        />
        <label class="lab" for="task-needs">
          Capabilities that an agent must have
        </label>
        <input
          id="task-needs"
          class="inp"
          placeholder="None; else words like python odoo"
          autocomplete="off"
          spellcheck={false}
          value={needs.value}
          aria-describedby="task-able"
          onInput={(event) => (needs.value = event.currentTarget.value)}
        />
        <div class="pair">
          <div class="grow">
            <label class="lab" for="task-agent">
              Only this agent
            </label>
            <select id="task-agent" class="inp" value={agent.value} onChange={(event) => (agent.value = event.currentTarget.value)}>
              <option value="">Any agent</option>
              {agents
                .filter(({ secrets }) => secrets > 0)
                .map(({ id }) => (
                  <option key={id} value={id}>
                    {id}
                  </option>
                ))}
            </select>
          </div>
          <div>
            <label class="lab" for="task-priority">
              Priority
            </label>
            <select
              id="task-priority"
              class="inp"
              value={priority.value}
              onChange={(event) => (priority.value = event.currentTarget.value as HubTaskInfo['priority'])}
            >
              {priorities.map((one) => (
                <option key={one} value={one}>
                  {one}
                </option>
              ))}
            </select>
          </div>
        </div>
        <p class="sm dim" id="task-able">
          {able.length > 0
            ? `${count(able.length, 'connected agent')} can take it.`
            : 'No connected agent can take it now: it waits for one that can.'}
        </p>
        {problem.value !== '' && (
          <p class="sm bad row" role="alert" id="task-problem">
            <Icon name="err" />
            <span>{problem.value}</span>
          </p>
        )}
        <div class="btns end">
          <button type="button" class="btn" onClick={() => (fleet.dialog.value = undefined)}>
            Cancel
          </button>
          <button type="submit" class="btn pri" aria-disabled={busy.value}>
            Add task
          </button>
        </div>
      </form>
    </Modal>
  );
}
