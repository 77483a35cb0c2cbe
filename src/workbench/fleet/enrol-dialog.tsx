import { useSignal } from '@preact/signals';
import type { HubAgentInfo } from '../../contract/hub-operations.ts';
import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { isConnected } from './agent-words.ts';
import { enrolCommand } from './enrol-command.ts';
import { Modal } from './modal.tsx';
import { minutes } from './task-words.ts';
import { useFleet } from './use-fleet.ts';
import { useProblem } from './use-problem.ts';

const idPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MINUTE_S = 60;
const spans = [
  { label: '15 minutes', seconds: 15 * MINUTE_S },
  { label: '1 hour', seconds: 60 * MINUTE_S },
  { label: '1 day', seconds: 24 * 60 * MINUTE_S },
  { label: '7 days', seconds: 7 * 24 * 60 * MINUTE_S },
];

interface Enrolment {
  agent: string | undefined;
  token: string;
  expires: number;
  asked: number;
  /** Agents that were there before. */
  known: ReadonlySet<string>;
}

/** Makes a token for one agent, says the command for the other machine, and waits for it. */
export function EnrolDialog() {
  const fleet = useFleet();
  const agent = useSignal('');
  const seconds = useSignal(spans[0]?.seconds ?? MINUTE_S);
  const { problem, failed } = useProblem();
  const made = useSignal<Enrolment | undefined>(undefined);
  const make = async (): Promise<void> => {
    const id = agent.value.trim();
    const known = fleet.agents.value ?? new Map<string, HubAgentInfo>();
    if (id !== '' && !idPattern.test(id)) {
      problem.value = 'Use letters, digits, dot, dash and underscore, with a letter or a digit first.';
      return;
    }
    if ((known.get(id)?.secrets ?? 0) > 0) {
      problem.value = `There is an agent ${id} already. Give it a new secret, or revoke it first.`;
      return;
    }
    problem.value = '';
    try {
      const input = { expiresInS: seconds.value, ...(id === '' ? {} : { agent: id }) };
      const { token, expires } = await fleet.client.call('agents.enrol', input);
      made.value = { agent: id === '' ? undefined : id, token, expires, asked: fleet.now.value, known: new Set(known.keys()) };
    } catch (error) {
      failed('No token was made.', error);
    }
  };
  return (
    <Modal label="Enrol an agent">
      <h1>Enrol an agent</h1>
      {made.value === undefined ? (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            void make();
          }}
        >
          <p class="dim">You get one command for the other machine. Its token works once.</p>
          <div class="pair">
            <div class="grow">
              <label class="lab" for="enrol-agent">
                Agent id
              </label>
              <input
                id="enrol-agent"
                class="inp"
                data-first
                placeholder="The name of the machine"
                autocomplete="off"
                spellcheck={false}
                value={agent.value}
                aria-invalid={problem.value !== ''}
                aria-describedby={problem.value === '' ? undefined : 'enrol-problem'}
                onInput={(event) => (agent.value = event.currentTarget.value)}
              />
            </div>
            <div>
              <label class="lab" for="enrol-span">
                Works for
              </label>
              <select
                id="enrol-span"
                class="inp"
                value={seconds.value}
                onChange={(event) => (seconds.value = Number(event.currentTarget.value))}
              >
                {spans.map((span) => (
                  <option key={span.seconds} value={span.seconds}>
                    {span.label}
                  </option>
                ))}
              </select>
            </div>
          </div>
          {problem.value !== '' && (
            <p class="sm bad row" role="alert" id="enrol-problem">
              <Icon name="err" />
              <span>{problem.value}</span>
            </p>
          )}
          <div class="btns end">
            <button type="button" class="btn" onClick={() => (fleet.dialog.value = undefined)}>
              Cancel
            </button>
            <button type="submit" class="btn pri">
              Make the command
            </button>
          </div>
        </form>
      ) : (
        <Made enrolment={made.value} again={() => (made.value = undefined)} />
      )}
    </Modal>
  );
}

function Made({ enrolment, again }: { enrolment: Enrolment; again: () => void }) {
  const fleet = useFleet();
  const { agent, token, expires, asked, known } = enrolment;
  const command = enrolCommand({ hub: fleet.hubAddress, token, agent });
  const arrived = [...(fleet.agents.value?.values() ?? [])].find((one) => {
    if (!isConnected(one)) return false;
    return agent === undefined ? !known.has(one.id) : one.id === agent && (one.since ?? 0) >= asked - 1000;
  });
  const left = expires - fleet.now.value;
  const copy = (): Promise<boolean> => copyText(fleet.toasts, command, 'Copied the command');
  return (
    <>
      <p class="dim">
        Run this in the folder that the agent is to work in, where Outrigger is installed. It writes a <code>config.json</code> there and
        starts the link.
      </p>
      <div class="out cmd-box">
        <code class="grow" data-testid="enrol-command">
          {command}
        </code>
        <button type="button" class="ib" data-first aria-label="Copy command" title="Copy command" onClick={() => void copy()}>
          <Icon name="copy" />
        </button>
      </div>
      <div class="row sm waiting">
        <p class="grow" role="status" data-testid="enrol-state">
          {arrived !== undefined ? (
            <span class="stt online">
              <i />
              {arrived.id} is connected
            </span>
          ) : left > 0 ? (
            <span class="stt draining">
              <i />
              Waiting for {agent ?? 'the agent'} to dial in
            </span>
          ) : (
            <span class="stt failed">
              <i />
              The token has run out
            </span>
          )}
        </p>
        {arrived === undefined && left > 0 && (
          <span class="dim num" role="timer">
            {minutes(left)} left
          </span>
        )}
      </div>
      <p class="sm dim">
        What starts a program for a task (<code>wake_command</code>), capabilities, and what this hub may call there (<code>allow</code>)
        stand in that file.
      </p>
      <div class="btns end">
        {arrived === undefined && left <= 0 && (
          <button type="button" class="btn" onClick={again}>
            Make another
          </button>
        )}
        <button type="button" class="btn pri" onClick={() => (fleet.dialog.value = undefined)}>
          Done
        </button>
      </div>
    </>
  );
}
