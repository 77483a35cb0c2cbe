import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { LanguageInfo } from '../../contract/code.ts';
import { pathSuggestions } from '../processes/path-suggestions.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import { argumentsOf, limitNames, limitProblem, type RunForm, sayLimits } from './run-form.ts';
import { isForInputMethod } from '../shell/keys.ts';

/** What is given to a run: its arguments and input, limits, files beside it, and its session. */
export function RunOptions({ path, form, language }: { path: string; form: RunForm; language: LanguageInfo | undefined }) {
  const { run } = useWorkbench();
  const set = (change: Partial<RunForm>): void => run.setForm(path, change);
  const split = argumentsOf(form.args);
  const argsProblem = 'problem' in split ? split.problem : undefined;
  return (
    <>
      <div>
        <label class="lab" for="run-args">
          Arguments
        </label>
        <input
          id="run-args"
          class="inp mono"
          autocomplete="off"
          spellcheck={false}
          value={form.args}
          aria-invalid={argsProblem !== undefined}
          aria-describedby={argsProblem === undefined ? undefined : 'run-args-problem'}
          onInput={(event) => set({ args: event.currentTarget.value })}
        />
        {argsProblem !== undefined && (
          <p class="sm bad" id="run-args-problem" role="alert">
            {argsProblem}
          </p>
        )}
      </div>
      <details>
        <summary>
          Standard input <span class="faint">{form.stdin === '' ? 'empty' : count(form.stdin.split('\n').length, 'line')}</span>
        </summary>
        <textarea
          class="inp mono"
          rows={3}
          aria-label="Standard input"
          spellcheck={false}
          value={form.stdin}
          onInput={(event) => set({ stdin: event.currentTarget.value })}
        />
      </details>
      <Limits form={form} language={language} set={set} />
      <FilesAlong path={path} form={form} set={set} />
      <label class="row">
        <input type="checkbox" checked={form.network} onChange={(event) => set({ network: event.currentTarget.checked })} />
        Network
        <span class="faint sm">{form.network ? 'it may reach other machines' : 'off'}</span>
      </label>
      {language?.keepsState === true && (
        <label class="row">
          <input type="checkbox" checked={form.keepState} onChange={(event) => set({ keepState: event.currentTarget.checked })} />
          Keep variables
          <span class="faint sm">for the next run</span>
        </label>
      )}
      <SessionRow />
    </>
  );
}

function Limits({ form, language, set }: { form: RunForm; language: LanguageInfo | undefined; set: (change: Partial<RunForm>) => void }) {
  const { run } = useWorkbench();
  const usual = run.current.value?.outcome.value?.limits;
  const wrong = limitNames.some(({ field, whole }) => limitProblem(form.limits[field], whole) !== undefined);
  const times = [
    language === undefined || language.timeMultiplier === 1 ? '' : `time × ${language.timeMultiplier}`,
    language === undefined || language.memoryMultiplier === 1 ? '' : `memory × ${language.memoryMultiplier}`,
  ].filter((part) => part !== '');
  return (
    <details>
      <summary>
        Limits <span class={wrong ? 'bad' : 'faint'}>{sayLimits(form.limits)}</span>
      </summary>
      <div class="run-limits">
        {limitNames.map(({ field, label, whole, usual: usualOf }) => {
          const problem = limitProblem(form.limits[field], whole);
          return (
            <div key={field}>
              <label class="lab" for={`run-${field}`}>
                {label}
              </label>
              <input
                id={`run-${field}`}
                class="inp num"
                inputMode="decimal"
                autocomplete="off"
                value={form.limits[field]}
                placeholder={usual === undefined || form.limits[field] !== '' ? 'usual' : String(usualOf(usual))}
                aria-invalid={problem !== undefined}
                aria-describedby={problem === undefined ? undefined : `run-${field}-problem`}
                onInput={(event) => set({ limits: { ...form.limits, [field]: event.currentTarget.value } })}
              />
              {problem !== undefined && (
                <p class="sm bad" id={`run-${field}-problem`} role="alert">
                  {problem}
                </p>
              )}
            </div>
          );
        })}
      </div>
      {times.length > 0 && language !== undefined && (
        <p class="sm faint">
          {language.name} has {times.join(' and ')}.
        </p>
      )}
    </details>
  );
}

function FilesAlong({ path, form, set }: { path: string; form: RunForm; set: (change: Partial<RunForm>) => void }) {
  const { paths } = useWorkbench();
  const text = useSignal('');
  const field = useRef<HTMLInputElement>(null);
  const open = useSignal(false);
  useEffect(() => {
    if (open.value) void paths.load();
  }, [open.value, paths]);
  const sought = text.value.trim();
  const known = paths.files.has(sought);
  const add = (): void => {
    if (known && sought !== path && !form.files.includes(sought)) set({ files: [...form.files, sought] });
    if (known) text.value = '';
    field.current?.focus();
  };
  return (
    <details onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>
        Files beside it <span class="faint">{form.files.length === 0 ? 'none' : count(form.files.length, 'file')}</span>
      </summary>
      <ul>
        {form.files.map((file) => (
          <li key={file} class="row">
            <span class="ell grow path" dir="auto" title={file}>
              {file}
            </span>
            <button
              type="button"
              class="ib"
              aria-label={`Leave out ${file}`}
              title="Leave out"
              onClick={() => {
                set({ files: form.files.filter((one) => one !== file) });
                field.current?.focus();
              }}
            >
              <Icon name="x" />
            </button>
          </li>
        ))}
      </ul>
      <div class="row">
        <input
          class="inp mono grow"
          ref={field}
          aria-label="File of the workspace"
          placeholder="a path of the workspace"
          autocomplete="off"
          spellcheck={false}
          list="run-paths"
          value={text.value}
          onInput={(event) => (text.value = event.currentTarget.value)}
          onKeyDown={(event) => {
            if (isForInputMethod(event) || event.key !== 'Enter') return;
            event.preventDefault();
            add();
          }}
        />
        <button type="button" class="btn" disabled={!known} onClick={add}>
          Add
        </button>
      </div>
      <datalist id="run-paths">
        {open.value &&
          pathSuggestions(paths.files.keys(), text.value)
            .filter((one) => paths.files.has(one))
            .map((one) => <option key={one} value={one} />)}
      </datalist>
      {sought !== '' && !known && paths.entries.value !== undefined && <p class="sm faint">No file has this path.</p>}
    </details>
  );
}

function SessionRow() {
  const { run } = useWorkbench();
  const { value: session } = run.session;
  return (
    <p class="row sm dim">
      <span class="ell grow" title={session === undefined ? undefined : `Session ${session}`}>
        {session === undefined ? 'A new session begins with the next run.' : 'Files and kept variables live on.'}
      </span>
      {session !== undefined && (
        <button type="button" class="btn quiet sm" disabled={run.busy.value} onClick={() => run.newSession()}>
          New session
        </button>
      )}
    </p>
  );
}
