import { failureText } from '../failure-text.ts';
import { useSignal } from '@preact/signals';
import { type ErrorFacts, errorFacts } from '../client-port.ts';
import { Dialog } from '../shell/dialog.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { pathSuggestions } from './path-suggestions.ts';
import { splitCommand } from './split-command.ts';

const restarts = [
  ['never', 'Never'],
  ['on-failure', 'When it fails'],
  ['always', 'Always'],
] as const;
const tagPattern = /^[\w.:@/-]{1,200}$/;

/** Starts a program: its words as they are typed, or read by a shell when that is chosen. */
export function StartDialog() {
  const workbench = useWorkbench();
  const { bottom, programs, paths } = workbench;
  const command = useSignal('');
  const inShell = useSignal(false);
  const folder = useSignal('');
  const tag = useSignal('');
  const restart = useSignal<(typeof restarts)[number][0]>('never');
  const tried = useSignal(false);
  const busy = useSignal(false);
  const failure = useSignal<ErrorFacts | undefined>(undefined);
  const split = splitCommand(command.value);
  const problem = inShell.value
    ? command.value.trim() === ''
      ? 'Name a program.'
      : undefined
    : 'problem' in split
      ? split.problem
      : undefined;
  const tagProblem = tag.value === '' || tagPattern.test(tag.value) ? undefined : 'Letters, digits and _ . : @ / - only.';
  const sign = !inShell.value && 'argv' in split ? split.shellSign : undefined;
  const folders = pathSuggestions(paths.files.keys(), folder.value, 'folders');
  const start = async (): Promise<void> => {
    tried.value = true;
    if (problem !== undefined || tagProblem !== undefined || busy.value) return;
    const argv = inShell.value ? ['sh', '-c', command.value.trim()] : 'argv' in split ? split.argv : [];
    busy.value = true;
    failure.value = undefined;
    try {
      const process = await programs.start({
        argv: argv as [string, ...string[]],
        path: folder.value.trim().replace(/^\/+|\/+$/g, ''),
        restart: { when: restart.value },
        ...(tag.value === '' ? {} : { tag: tag.value }),
        ...(inShell.value ? { title: command.value.trim().slice(0, 500) } : {}),
      });
      bottom.showLog(process.id);
      workbench.overlay.value = undefined;
    } catch (error) {
      failure.value = errorFacts(error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog label="Start a process" class="pop start" titled>
      <form
        class="start-form"
        onSubmit={(event) => {
          event.preventDefault();
          void start();
        }}
      >
        <label class="lab" for="start-command">
          Command
        </label>
        <input
          id="start-command"
          class="inp mono"
          data-first
          autocomplete="off"
          spellcheck={false}
          placeholder={inShell.value ? 'make build && ./server' : 'node server.js --port 3000'}
          value={command.value}
          aria-invalid={tried.value && problem !== undefined}
          aria-describedby="start-how"
          onInput={(event) => (command.value = event.currentTarget.value)}
        />
        <p
          class={tried.value && problem !== undefined ? 'sm bad' : 'sm faint'}
          id="start-how"
          role={tried.value && problem !== undefined ? 'alert' : undefined}
        >
          {tried.value && problem !== undefined
            ? problem
            : sign !== undefined
              ? `No shell reads it: “${sign}” is given to the program as it is. Choose “In a shell” if it shall mean something.`
              : inShell.value
                ? 'sh reads it: variables, pipes and wildcards mean what they mean there.'
                : 'Split at spaces; quotes keep words together. No shell reads it.'}
        </p>
        <div class="row wrap">
          <Choice
            label="How it is read"
            value={inShell.value ? 'shell' : 'plain'}
            choices={[
              ['plain', 'As typed'],
              ['shell', 'In a shell'],
            ]}
            pick={(value) => (inShell.value = value === 'shell')}
          />
        </div>
        <div class="two">
          <div>
            <label class="lab" for="start-folder">
              Folder
            </label>
            <input
              id="start-folder"
              class="inp"
              list="start-folders"
              autocomplete="off"
              spellcheck={false}
              placeholder="The top folder"
              value={folder.value}
              onInput={(event) => (folder.value = event.currentTarget.value)}
            />
            <datalist id="start-folders">
              {folders.map((path) => (
                <option key={path} value={path} />
              ))}
            </datalist>
          </div>
          <div>
            <label class="lab" for="start-tag">
              Tag <span class="faint">(one of a tag at a time)</span>
            </label>
            <input
              id="start-tag"
              class="inp"
              autocomplete="off"
              spellcheck={false}
              placeholder="none"
              value={tag.value}
              aria-invalid={tagProblem !== undefined}
              aria-describedby={tagProblem === undefined ? undefined : 'start-tag-problem'}
              onInput={(event) => (tag.value = event.currentTarget.value)}
            />
            {tagProblem !== undefined && (
              <p class="sm bad" id="start-tag-problem">
                {tagProblem}
              </p>
            )}
          </div>
        </div>
        <div>
          <span class="lab">Start again after it ended</span>
          <Choice label="Start again after it ended" value={restart.value} choices={restarts} pick={(value) => (restart.value = value)} />
        </div>
        {failure.value !== undefined && (
          <p class="bad" role="alert">
            Not started. {failureText(failure.value)}
          </p>
        )}
        <div class="row end">
          <button type="button" class="btn" onClick={() => (workbench.overlay.value = undefined)}>
            Cancel
          </button>
          <button type="submit" class="btn pri" disabled={busy.value}>
            {busy.value ? 'Starting…' : 'Start'}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function Choice<Value extends string>({
  label,
  value,
  choices,
  pick,
}: {
  label: string;
  value: Value;
  choices: readonly (readonly [Value, string])[];
  pick: (value: Value) => void;
}) {
  return (
    <div class="seg" role="group" aria-label={label}>
      {choices.map(([one, text]) => (
        <button key={one} type="button" aria-pressed={one === value} onClick={() => pick(one)}>
          {text}
        </button>
      ))}
    </div>
  );
}
