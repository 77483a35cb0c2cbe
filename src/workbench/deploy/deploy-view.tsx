import { failureText } from '../failure-text.ts';
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Deployment, DeployParameter } from '../../contract/deploy.ts';
import { actorNamed } from '../actor.ts';
import { LogView } from '../processes/log-view.tsx';
import { pathSuggestions } from '../processes/path-suggestions.ts';
import { sayStarter } from '../processes/started-by.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useClock } from '../use-clock.ts';
import { useWorkbench } from '../use-workbench.ts';
import { longTime, shortAge, spentTime } from '../words.ts';
import { type Fields, fieldProblem, type FieldValue, firstFields, isNeeded, valuesOf } from './deploy-form.ts';
import type { DeployProfileInfo } from './deploy-store.ts';
import { canGoBackTo, deploymentTitle, deploymentTone, isUnderWay, outcome } from './deploy-words.ts';
import { isForInputMethod } from '../shell/keys.ts';

const tickMs = 500;
const beforeWords = {
  commit: 'What changed is committed first, and kept as a checkpoint.',
  checkpoint: 'The folder as it is now is kept as a checkpoint first.',
  none: 'Nothing is kept first: there is no way back from it.',
} as const;

/** What can be deployed, with its values, beside what was. */
export function DeployView() {
  const workbench = useWorkbench();
  const { deploys, canExecute } = workbench;
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => deploys.want(), [deploys]);
  const { value: profiles } = deploys.profiles;
  const focus = (): void => (box.current?.querySelector<HTMLElement>('[data-focus]') ?? box.current)?.focus();
  useWantedFocus('bottom', focus, profiles !== undefined);
  const { value: problem } = deploys.problem;
  if (profiles === undefined) return <p class="hint">{problem === undefined ? 'Asking what can be deployed…' : failureText(problem)}</p>;
  if (profiles.length === 0 && deploys.history.value.length === 0) return <NothingToDeploy />;
  const chosen = deploys.chosen.value === undefined ? undefined : deploys.get(deploys.chosen.value);
  return (
    <div class={`deploy${canExecute.value && profiles.length > 0 ? '' : ' alone'}`} ref={box} tabIndex={-1}>
      {canExecute.value && profiles.length > 0 && <DeployForm profiles={profiles} />}
      <div class="bot-pane">{chosen === undefined ? <History /> : <One key={chosen.id} deployment={chosen} />}</div>
    </div>
  );
}

function NothingToDeploy() {
  return (
    <div class="bot-empty">
      <p>Nothing can be deployed yet.</p>
      <p class="faint sm">
        Name a profile in the option <code>deploy.profiles</code>: the program, its arguments, and what may be chosen. docs/deploy.md shows
        one.
      </p>
    </div>
  );
}

function DeployForm({ profiles }: { profiles: readonly DeployProfileInfo[] }) {
  const workbench = useWorkbench();
  const { deploys } = workbench;
  const name = useSignal(workbench.layout.recall('deploy-profile') ?? '');
  const profile = profiles.find((one) => one.name === name.value) ?? (profiles[0] as DeployProfileInfo);
  const fields = useSignal<Fields>(firstFields(profile.parameters, recallFields(workbench.layout.recall(`deploy-${profile.name}`))));
  const tried = useSignal(false);
  const choose = (chosen: string): void => {
    name.value = chosen;
    tried.value = false;
    workbench.layout.remember('deploy-profile', chosen);
    const next = profiles.find((one) => one.name === chosen);
    if (next !== undefined) fields.value = firstFields(next.parameters, recallFields(workbench.layout.recall(`deploy-${chosen}`)));
  };
  const problems = Object.entries(profile.parameters).map(
    ([key, parameter]) =>
      [key, fieldProblem(parameter, fields.value[key] ?? '', parameter.default === undefined && isNeeded(key, profile.argv))] as const,
  );
  const form = useRef<HTMLFormElement>(null);
  const run = (): void => {
    tried.value = true;
    const wrong = problems.find(([, problem]) => problem !== undefined);
    if (wrong !== undefined) {
      form.current?.querySelector<HTMLElement>(`[name="${CSS.escape(wrong[0])}"]`)?.focus();
      return;
    }
    workbench.layout.remember(`deploy-${profile.name}`, JSON.stringify(fields.value));
    void deploys.run(profile.name, valuesOf(profile.parameters, fields.value));
  };
  const { value: current } = deploys.current;
  const busy = current !== undefined || deploys.asked.value;
  return (
    <form
      class="deploy-form scroll"
      ref={form}
      onSubmit={(event) => {
        event.preventDefault();
        run();
      }}
    >
      <div>
        <label class="lab" for="deploy-profile">
          What
        </label>
        <div class="row">
          <select id="deploy-profile" class="inp" data-focus value={profile.name} onChange={(event) => choose(event.currentTarget.value)}>
            {profiles.map((one) => (
              <option key={one.name} value={one.name}>
                {one.name}
              </option>
            ))}
          </select>
          <button type="submit" class="btn pri" disabled={busy}>
            <Icon name="run" />
            {busy ? 'Deploying…' : 'Deploy'}
          </button>
        </div>
        {profile.summary !== '' && <p class="sm dim">{profile.summary}</p>}
      </div>
      {Object.entries(profile.parameters).map(([key, parameter]) => (
        <Field
          key={`${profile.name}.${key}`}
          name={key}
          parameter={parameter}
          value={fields.value[key] ?? ''}
          problem={tried.value ? problems.find(([one]) => one === key)?.[1] : undefined}
          set={(value) => (fields.value = { ...fields.value, [key]: value })}
        />
      ))}
      <p class="sm faint">
        {beforeWords[profile.before]} At most {spentTime(profile.timeoutMs)}
        {profile.host === 'local' ? '.' : `, on ${profile.host}.`}
        {profile.rollback && ' A failure is followed by what went well last.'}
      </p>
      {current !== undefined && <p class="sm faint">One at a time: {deploymentTitle(current)} is under way.</p>}
    </form>
  );
}

interface FieldProps {
  name: string;
  parameter: DeployParameter;
  value: FieldValue;
  problem: string | undefined;
  set: (value: FieldValue) => void;
}

function Field({ name, parameter, value, problem, set }: FieldProps) {
  const { paths } = useWorkbench();
  useEffect(() => {
    if (parameter.type === 'path') void paths.load();
  }, [parameter.type, paths]);
  const id = `deploy-field-${name}`;
  const about = problem ?? parameter.text;
  const common = {
    id,
    name,
    'aria-invalid': problem !== undefined,
    'aria-describedby': about === undefined ? undefined : `${id}-about`,
  };
  const note = about !== undefined && (
    <p class={`sm ${problem === undefined ? 'faint' : 'bad'}`} id={`${id}-about`} role={problem === undefined ? undefined : 'alert'}>
      {about}
    </p>
  );
  if (parameter.type === 'switch')
    return (
      <div>
        <label class="row">
          <input {...common} type="checkbox" checked={value === true} onChange={(event) => set(event.currentTarget.checked)} />
          {name}
        </label>
        {note}
      </div>
    );
  const text = String(value);
  return (
    <div>
      <label class="lab" for={id}>
        {name}
      </label>
      {parameter.type === 'choice' ? (
        <select {...common} class="inp" value={text} onChange={(event) => set(event.currentTarget.value)}>
          {parameter.choices.map((choice) => (
            <option key={choice} value={choice}>
              {choice}
            </option>
          ))}
        </select>
      ) : (
        <input
          {...common}
          class="inp"
          autocomplete="off"
          spellcheck={false}
          inputMode={parameter.type === 'integer' ? 'numeric' : 'text'}
          list={parameter.type === 'path' ? `${id}-paths` : undefined}
          placeholder={parameter.default === undefined ? undefined : String(parameter.default)}
          value={text}
          onInput={(event) => set(event.currentTarget.value)}
        />
      )}
      {parameter.type === 'path' && (
        <datalist id={`${id}-paths`}>
          {pathSuggestions(paths.files.keys(), text).map((path) => (
            <option key={path} value={path} />
          ))}
        </datalist>
      )}
      {note}
    </div>
  );
}

function History() {
  const workbench = useWorkbench();
  const { deploys } = workbench;
  const { value: history } = deploys.history;
  const now = useClock(() => workbench.now());
  if (history.length === 0)
    return (
      <div class="bot-empty">
        <p>Nothing was deployed yet.</p>
      </div>
    );
  return (
    <ul class="scroll deploys" aria-label="Deployments">
      {history.map((deployment) => (
        <li key={deployment.id} class="row" data-testid="deployment">
          <Avatar actor={actorNamed(deployment.by.name, deployment.by.kind)} small />
          <button
            type="button"
            class="row grow open"
            title={`By ${sayStarter(workbench, deployment.by)}, ${longTime(deployment.startedAt, now)}: open its log`}
            onClick={() => (deploys.chosen.value = deployment.id)}
          >
            <Outcome deployment={deployment} />
            <span class="xs faint num when">{shortAge(deployment.startedAt, now)}</span>
          </button>
          <RollBack deployment={deployment} />
        </li>
      ))}
    </ul>
  );
}

function Outcome({ deployment }: { deployment: Deployment }) {
  const workbench = useWorkbench();
  const tick = useSignal(0);
  const underWay = isUnderWay(deployment);
  useEffect(() => {
    if (!underWay) return;
    const timer = setInterval(() => (tick.value += 1), tickMs);
    return () => clearInterval(timer);
  }, [underWay]);
  void tick.value;
  return (
    <span class="row grow">
      <span class={`stt ${deploymentTone(deployment)}`}>
        <i />
      </span>
      <b class="ell">{deploymentTitle(deployment)}</b>
      <span class="ell grow" data-testid="outcome">
        {outcome(deployment, workbench.now())}
      </span>
      {deployment.rollbackOf !== undefined && <span class="chip hide-m">after a failure</span>}
    </span>
  );
}

/** Asks once, and says what it does. */
function RollBack({ deployment, named = false }: { deployment: Deployment; named?: boolean }) {
  const workbench = useWorkbench();
  const { layout, deploys, toasts, canExecute } = workbench;
  if (!canExecute.value || !canGoBackTo(deployment, deploys.history.value)) return null;
  const rollBack = (): void => {
    // The message that had the focus is gone.
    layout.wantsFocus.value = 'bottom';
    void deploys.rollBack(deployment);
  };
  const ask = (): void => {
    toasts.say(`Roll back to ${deploymentTitle(deployment)}?`, {
      text: `The folder becomes what it was ${longTime(deployment.startedAt, workbench.now())}, and that is deployed again. The folder as it is now stays as a checkpoint.`,
      actions: [{ label: 'Roll back', run: rollBack }],
    });
    requestAnimationFrame(() => document.querySelector<HTMLElement>('.toast:last-child button')?.focus());
  };
  return (
    <button type="button" class="btn quiet sm" aria-label={`Roll back to ${deploymentTitle(deployment)}`} onClick={ask}>
      <Icon name="undo" />
      {named ? 'Roll back to this' : 'Roll back'}
    </button>
  );
}

/** One deployment with its log. */
function One({ deployment }: { deployment: Deployment }) {
  const workbench = useWorkbench();
  const { deploys, canExecute, processes } = workbench;
  const back = (): void => {
    deploys.chosen.value = undefined;
    requestAnimationFrame(() => document.querySelector<HTMLElement>('.deploys .open')?.focus());
  };
  const { by, process, startedAt } = deployment;
  return (
    <div
      class="bot-pane"
      onKeyDown={(event) => {
        if (isForInputMethod(event) || event.key !== 'Escape' || event.defaultPrevented) return;
        event.preventDefault();
        back();
      }}
    >
      <div class="log-head">
        <button type="button" class="ib" aria-label="All deployments (Esc)" title="All deployments (Esc)" onClick={back}>
          <Icon name="back" />
        </button>
        <span role="status" class="row grow">
          <Outcome deployment={deployment} />
        </span>
        <span class="faint sm ell hide-m">
          {sayStarter(workbench, by)}, {longTime(startedAt, workbench.now())}
        </span>
        {canExecute.value && isUnderWay(deployment) && (
          <button type="button" class="btn sm" onClick={() => void deploys.cancel(deployment.id)}>
            Cancel
          </button>
        )}
        <RollBack deployment={deployment} named />
      </div>
      {process === null ? (
        <p class="hint">
          {isUnderWay(deployment) ? 'The folder is being kept; then its program starts.' : 'Its program was never started.'}
        </p>
      ) : processes.get(process) === undefined ? (
        <p class="hint">Its log is not kept any more.</p>
      ) : (
        <LogView key={process} id={process} />
      )}
    </div>
  );
}

function recallFields(text: string | null): Fields {
  try {
    const kept: unknown = JSON.parse(text ?? '{}');
    return typeof kept === 'object' && kept !== null ? (kept as Fields) : {};
  } catch {
    // Written by another version, or by hand.
    return {};
  }
}
