import type { LanguageInfo } from '../../contract/code.ts';
import { nameOf } from '../file-paths.ts';
import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { sayKey } from '../shell/keys.ts';
import { shownName } from '../shown-name.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { runFile, runProblem, stopRun } from './run-actions.ts';
import { languageProblem, type RunForm } from './run-form.ts';
import { RunOptions } from './run-options.tsx';

/** How one document is run. */
export function RunFormView({ path }: { path: string }) {
  const workbench = useWorkbench();
  const { run, canExecute, phone } = workbench;
  const form = run.form(path);
  const language = run.languageFor(path);
  const problem = runProblem(workbench, path);
  const busy = run.busy.value;
  return (
    <form
      class="deploy-form run-form scroll"
      aria-label="How it is run"
      onSubmit={(event) => {
        event.preventDefault();
        if (problem === undefined && !busy) void runFile(workbench);
      }}
    >
      <div class="row">
        <span class="ell grow path" dir="auto" title={path}>
          {shownName(nameOf(path))}
        </span>
        <LanguageChoice path={path} form={form} language={language} />
      </div>
      <RunButtons path={path} problem={problem} />
      {language !== undefined && <LanguageNote language={language} />}
      {canExecute.value &&
        (phone.value ? (
          // What came of it needs the room.
          <details>
            <summary>How it is run</summary>
            <div class="run-options">
              <RunOptions path={path} form={form} language={language} />
            </div>
          </details>
        ) : (
          <RunOptions path={path} form={form} language={language} />
        ))}
    </form>
  );
}

function LanguageChoice({ path, form, language }: { path: string; form: RunForm; language: LanguageInfo | undefined }) {
  const { run } = useWorkbench();
  const { value: languages = [] } = run.languages;
  return (
    <select
      class="inp lang"
      aria-label="Language"
      data-focus={language === undefined ? true : undefined}
      value={language?.code ?? ''}
      onChange={(event) => run.setForm(path, { language: event.currentTarget.value === '' ? undefined : event.currentTarget.value })}
    >
      {language === undefined && <option value="">{form.language ?? 'Language…'}</option>}
      {languages.map((one) => (
        <option key={one.code} value={one.code}>
          {one.name}
          {one.rollout === 'off' ? ' (off)' : one.missing.length > 0 ? ' (not installed)' : ''}
        </option>
      ))}
    </select>
  );
}

function RunButtons({ path, problem }: { path: string; problem: string | undefined }) {
  const workbench = useWorkbench();
  const { run } = workbench;
  const busy = run.busy.value;
  const record = run.current.value;
  const off = busy || problem !== undefined;
  return (
    <div>
      <div class="row">
        <button
          type="submit"
          class="btn pri grow"
          data-focus
          // Not `disabled`: that would take the focus away from who pressed it.
          aria-disabled={off}
          aria-describedby={problem === undefined ? undefined : 'run-problem'}
        >
          <Icon name="run" />
          {busy ? 'Running…' : record?.path === path ? 'Run again' : 'Run'}
          <span class="key hide-m">{sayKey('Ctrl Enter', apple)}</span>
        </button>
        <button type="button" class="btn" disabled={!busy || record?.stopping.value === true} onClick={() => stopRun(workbench)}>
          <Icon name="stop" />
          {record?.stopping.value === true && busy ? 'Stopping…' : 'Stop'}
        </button>
      </div>
      {problem !== undefined && (
        <p class="sm warn run-why" id="run-problem">
          {problem}
        </p>
      )}
    </div>
  );
}

function LanguageNote({ language }: { language: LanguageInfo }) {
  const { run, toasts } = useWorkbench();
  if (language.rollout === 'canary' && language.missing.length === 0)
    return <p class="sm faint">{language.name} is on trial here: it may be switched off again.</p>;
  if (languageProblem(language) === undefined || language.rollout === 'off' || language.install === '') return null;
  const copy = (): Promise<boolean> => copyText(toasts, language.install, 'Copied the command');
  return (
    <div class="sm dim">
      <p>On the machine of the sidecar, as root (Debian):</p>
      <p class="row">
        <code class="grow install">{language.install}</code>
        <button type="button" class="ib" aria-label="Copy the command" title="Copy the command" onClick={() => void copy()}>
          <Icon name="copy" />
        </button>
        <button type="button" class="ib" aria-label="Look again" title="Look again" onClick={() => void run.askAgain()}>
          <Icon name="refresh" />
        </button>
      </p>
    </div>
  );
}
