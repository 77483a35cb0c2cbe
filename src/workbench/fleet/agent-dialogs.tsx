import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { count } from '../words.ts';
import { revokeAgent } from './fleet-actions.ts';
import { Modal } from './modal.tsx';
import { useFleet } from './use-fleet.ts';

export function RevokeDialog({ agent, tasks }: { agent: string; tasks: number }) {
  const fleet = useFleet();
  const close = (): void => void (fleet.dialog.value = undefined);
  return (
    <Modal label={`Revoke ${agent}`}>
      <h1>Revoke {agent}?</h1>
      <p class="dim">
        Its secrets end and its connection is cut.{' '}
        {tasks > 0 && `${count(tasks, 'task')} that it has ${tasks === 1 ? 'goes' : 'go'} to others; what it still reports is refused. `}
        To come back it has to be enrolled again.
      </p>
      <div class="btns end">
        <button type="button" class="btn" data-first onClick={close}>
          Keep it
        </button>
        <button
          type="button"
          class="btn lose"
          onClick={() => {
            close();
            void revokeAgent(fleet, agent);
          }}
        >
          Revoke {agent}
        </button>
      </div>
    </Modal>
  );
}

/** A secret that could not be delivered: shown once, for a person to carry. */
export function SecretDialog({ agent, token }: { agent: string; token: string }) {
  const fleet = useFleet();
  const copy = (): Promise<boolean> => copyText(fleet.toasts, token, 'Copied the secret');
  return (
    <Modal label={`A new secret for ${agent}`}>
      <h1>A new secret for {agent}</h1>
      <p class="dim">
        It could not be sent to the agent, so put it into <code>token</code> of its <code>config.json</code>. It is shown only now; the old
        one holds until this one is used.
      </p>
      <div class="out cmd-box">
        <code class="grow" data-testid="secret">
          {token}
        </code>
        <button type="button" class="ib" data-first aria-label="Copy secret" title="Copy secret" onClick={() => void copy()}>
          <Icon name="copy" />
        </button>
      </div>
      <div class="btns end">
        <button type="button" class="btn pri" onClick={() => (fleet.dialog.value = undefined)}>
          Done
        </button>
      </div>
    </Modal>
  );
}
