import { useEffect } from 'preact/hooks';
import type { IsolationEvidence } from '../../contract/code.ts';
import { failureText } from '../failure-text.ts';
import { Dialog } from '../shell/dialog.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { sayProtection, sayRung } from './isolation-words.ts';
import { isolationWords } from './run-words.ts';

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
              {answer.isolation.rung} of 3: {sayRung(answer.isolation.name)}.{' '}
              {answer.isolation.rung === 0
                ? 'They can read and change what the sidecar can.'
                : 'Each line was tried out on this machine, not assumed.'}
            </p>
            <ul>
              {answer.evidence.map((one) => (
                <Evidence key={one.protection} one={one} />
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
                        Rung {rung}, where {sayRung(name)}. <span class="dim">{why}</span>
                      </li>
                    ))}
                </ul>
              </>
            )}
            <details>
              <summary class="sm">Details</summary>
              <dl class="sm" aria-label="How each was tried">
                {answer.evidence.map((one) => (
                  <div key={one.protection}>
                    <dt>
                      {sayProtection(one).name}: {one.by}
                    </dt>
                    <dd class="faint">{one.tried}</dd>
                  </div>
                ))}
              </dl>
            </details>
          </>
        )}
      </div>
    </Dialog>
  );
}

function Evidence({ one }: { one: IsolationEvidence }) {
  const { held } = one;
  const { name, text } = sayProtection(one);
  return (
    <li class="row" data-testid="evidence">
      <span class={held ? 'ok' : 'warn'}>
        <Icon name={held ? 'check' : 'warn'} />
      </span>
      <span class="grow">
        <b>{name}</b> <span class="unseen">{held ? 'held back' : 'not held back'}: </span>
        <span class="dim">{text}</span>
      </span>
    </li>
  );
}
