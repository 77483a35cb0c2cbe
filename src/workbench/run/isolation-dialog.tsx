import { failureText } from '../failure-text.ts';
import { useEffect } from 'preact/hooks';
import { Dialog } from '../shell/dialog.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { isolationWords, sayProtection } from './run-words.ts';

/** What keeps a run apart from everything else here, line by line as it was tried out. */
export function IsolationDialog() {
  const workbench = useWorkbench();
  const { run } = workbench;
  const { value: answer } = run.isolation;
  useEffect(() => void run.want(), [run]);
  return (
    <Dialog label="Isolation" class="pop isolation" centred titled>
      <div class="scroll iso-body" tabIndex={0}>
        {answer === undefined ? (
          <p class="hint">{run.problem.value === undefined ? 'Asking what holds…' : failureText(run.problem.value)}</p>
        ) : (
          <>
            <p>
              <b class={isolationWords(answer.isolation).warn ? 'warn' : 'ok'}>{isolationWords(answer.isolation).text}</b>, rung{' '}
              {answer.isolation.rung} of 3 ({answer.isolation.name}).{' '}
              {answer.isolation.rung === 0
                ? 'Runs can read and change what the sidecar can.'
                : 'Each line was tried out on this machine, not assumed.'}
            </p>
            <ul>
              {answer.evidence.map(({ protection, held, by, tried }) => (
                <li key={protection} class="row" data-testid="evidence">
                  <span class={held ? 'ok' : 'warn'}>
                    <Icon name={held ? 'check' : 'warn'} />
                  </span>
                  <span class="grow">
                    <b>{sayProtection(protection)}</b> <span class="unseen">{held ? 'held back' : 'not held back'}: </span>
                    <span class="dim">{by}</span>
                    <span class="sm faint tried">{tried}</span>
                  </span>
                </li>
              ))}
            </ul>
            {answer.rungs.some(({ works }) => !works) && (
              <>
                <h3 class="sm dim">What does not work here</h3>
                <ul>
                  {answer.rungs
                    .filter(({ works }) => !works)
                    .map(({ rung, name, why }) => (
                      <li key={rung} class="sm">
                        Rung {rung} ({name}): {why}
                      </li>
                    ))}
                </ul>
              </>
            )}
          </>
        )}
      </div>
    </Dialog>
  );
}
