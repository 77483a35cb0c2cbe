import { useEffect, useRef } from 'preact/hooks';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { RunFormView } from './run-form-view.tsx';
import { RunResult } from './run-result.tsx';
import { accessProblem } from './run-words.ts';

/** How the document is run, beside what came of the last run. */
export function RunView() {
  const workbench = useWorkbench();
  const { run, link } = workbench;
  const box = useRef<HTMLDivElement>(null);
  const live = link.live.value;
  useEffect(() => {
    if (live) void run.want();
  }, [run, live]);
  const ready = run.languages.value !== undefined || run.problem.value !== undefined;
  const focus = (): void => (box.current?.querySelector<HTMLElement>('[data-focus]') ?? box.current)?.focus();
  useWantedFocus('bottom', focus, ready);
  const { value: path } = run.target;
  const record = run.shown.value;
  return (
    <div class={`deploy run${path === undefined ? ' alone' : ''}`} ref={box} tabIndex={-1}>
      {path !== undefined && <RunFormView key={path} path={path} />}
      <div class="bot-pane">{record === undefined ? <NothingHasRun path={path} /> : <RunResult record={record} />}</div>
    </div>
  );
}

function NothingHasRun({ path }: { path: string | undefined }) {
  const { readOnly, canExecute } = useWorkbench();
  const access = accessProblem(readOnly.value, canExecute.value);
  return (
    <div class="bot-empty">
      <p>Nothing has run yet.</p>
      <p class="faint sm">
        {access ?? (path === undefined ? 'Open a file to run it.' : 'Ctrl Enter runs this file, Ctrl Shift Enter what is selected in it.')}
      </p>
    </div>
  );
}
