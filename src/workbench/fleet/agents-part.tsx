import type { HubAgentInfo } from '../../contract/hub-operations.ts';
import { Icon } from '../shell/icon.tsx';
import { longTime } from '../words.ts';
import { taskTitle } from '../tasks/task-text.ts';
import { agentLabels, agentLoad, agentSign, lastSeen } from './agent-words.ts';
import { FilterBar } from './filter-bar.tsx';
import { rotateSecret } from './fleet-actions.ts';
import { agentFilter, agentShortcuts } from './fleet-filter.ts';

import { useFleet } from './use-fleet.ts';
import { type Column, VirtualTable } from './virtual-table.tsx';
import { RowSkeleton } from './row-skeleton.tsx';

/** Of an agent's labels; the rest is in the title. */
const SHOWN_LABELS = 4;
/** Of what stands there when the pointer rests on it, characters. */
const TITLE_LENGTH = 500;

const columns: readonly Column<HubAgentInfo>[] = [
  { class: 'w-name', title: 'Agent', order: ({ id }) => id },
  { class: 'w-state', title: 'State', order: (agent) => agentSign(agent).word },
  { class: 'w-labels hide-m', title: 'Labels' },
  { class: 'w-load hide-m', title: 'Load', order: ({ tasks }) => tasks.length },
  { class: '', title: 'Current work' },
  { class: 'w-age r hide-m', title: 'Last seen', order: ({ lastSeen: at }) => at ?? 0 },
  { class: 'w-acts', title: 'Actions', unseen: true },
];

export function AgentsPart() {
  const fleet = useFleet();
  const { agents, agentText, shownAgents, dialog } = fleet;
  const all = [...(agents.value?.values() ?? [])];
  const rows = shownAgents.value;
  return (
    <section class="part" aria-labelledby="agents-title" data-part="agents">
      <FilterBar
        title="Agents"
        id="agents-title"
        label="Filter agents"
        placeholder="Name or label, e.g. label:python"
        text={agentText.value}
        onText={(text) => fleet.setAgentText(text)}
        shortcuts={agentShortcuts.map((shortcut) => ({ ...shortcut, count: all.filter(agentFilter(shortcut.text)).length }))}
      />
      {agents.value === undefined ? (
        <RowSkeleton rows={3} />
      ) : all.length === 0 ? (
        <div class="nothing">
          <p class="dim">No agents yet. Enrol one to run tasks on another machine.</p>
          <button type="button" class="btn" onClick={() => (dialog.value = { name: 'enrol' })}>
            <Icon name="key" />
            Enrol an agent
          </button>
        </div>
      ) : rows.length === 0 ? (
        <div class="nothing">
          <p class="dim">No agent matches “{agentText.value.trim()}”.</p>
          <button type="button" class="btn" onClick={() => fleet.setAgentText('')}>
            Show all
          </button>
        </div>
      ) : (
        <VirtualTable
          label="Agents"
          columns={columns}
          rows={rows}
          filter={agentText.value}
          keyOf={({ id }) => id}
          cells={(agent, tabIndex) => <AgentCells agent={agent} tabIndex={tabIndex} />}
        />
      )}
    </section>
  );
}

function AgentCells({ agent, tabIndex }: { agent: HubAgentInfo; tabIndex: 0 | -1 }) {
  const fleet = useFleet();
  const { id, name, tasks, since, version, address } = agent;
  const sign = agentSign(agent);
  const labels = agentLabels(agent);
  const { taken, room } = agentLoad(agent);
  const { value: now } = fleet.now;
  const facts = [
    name === id ? '' : name,
    version === null ? '' : `version ${version}`,
    address === null ? '' : `from ${address}`,
    since === null ? '' : `since ${longTime(since, now)}`,
  ].filter((fact) => fact !== '');
  return (
    <>
      <td class="w-name ell">
        <button
          type="button"
          class="cmd ell strong"
          data-stop
          tabIndex={tabIndex}
          title={[`Show the tasks of ${id}`, ...facts].join('\n')}
          onClick={() => fleet.setTaskText(`agent:${id}`)}
        >
          {id}
        </button>
      </td>
      <td class="w-state">
        <span class={`stt ${sign.tone}`}>
          <i />
          {sign.word}
        </span>
      </td>
      <td class="w-labels hide-m ell" title={labels.join(', ')}>
        {labels.slice(0, SHOWN_LABELS).map((label) => (
          <span key={label} class="lb">
            {label}
          </span>
        ))}
        {labels.length > SHOWN_LABELS && <span class="xs faint">+{labels.length - SHOWN_LABELS}</span>}
      </td>
      <td class="w-load hide-m">
        {sign.tone !== 'revoked' && sign.tone !== 'offline' && (
          <span class="row">
            <span class={taken > 0 && taken >= room ? 'bar full' : 'bar'} aria-hidden="true">
              <i style={{ width: `${room === 0 ? 0 : Math.round((taken / room) * 100)}%` }} />
            </span>
            <span class="xs dim num">
              {taken} / {room}
            </span>
          </span>
        )}
      </td>
      <td class="ell">
        <CurrentWork agent={agent} tabIndex={tabIndex} />
      </td>
      <td class="w-age r hide-m dim num">{lastSeen(agent, now)}</td>
      <td class="w-acts">
        {agent.secrets > 0 && (
          <span class="acts">
            <button
              type="button"
              class="ib"
              aria-label={`New secret for ${id}`}
              title="New secret"
              tabIndex={tabIndex}
              onClick={() => void rotateSecret(fleet, id)}
            >
              <Icon name="refresh" />
            </button>
            <button
              type="button"
              class="ib"
              aria-label={`Revoke ${id}`}
              title="Revoke"
              tabIndex={tabIndex}
              onClick={() => (fleet.dialog.value = { name: 'revoke', agent: id, tasks: tasks.length })}
            >
              <Icon name="off" />
            </button>
          </span>
        )}
      </td>
    </>
  );
}

function CurrentWork({ agent: { state, tasks }, tabIndex }: { agent: HubAgentInfo; tabIndex: 0 | -1 }) {
  const fleet = useFleet();
  const [first] = tasks;
  if (first === undefined) return <span class="faint">{state === 'offline' ? 'no link' : 'idle'}</span>;
  const task = fleet.tasks.value?.get(first.id);
  return (
    <span class="row">
      <button
        type="button"
        class="cmd link ell"
        tabIndex={tabIndex}
        dir="auto"
        title={task?.description.slice(0, TITLE_LENGTH)}
        onClick={() => fleet.show(first.id)}
      >
        {taskTitle(task ?? { id: first.id, description: '' })}
      </button>
      {tasks.length > 1 && <span class="xs faint">+{tasks.length - 1}</span>}
    </span>
  );
}
