import { CutPath } from '../named-path.tsx';
import { showRun } from '../run/run-actions.ts';
import { Icon } from '../shell/icon.tsx';
import { useRowFocus } from '../use-row-focus.ts';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import type { Problem } from './problem.ts';

/** What is drawn: the rest comes as the first are mended. */
const mostRows = 300;

/** What runs and processes say is wrong, by file and line; a row leads there. */
export function ProblemsView() {
  const { problems } = useWorkbench();
  const { value: all } = problems.all;
  const rows = useRowFocus([all]);
  useWantedFocus('bottom', () => (rows.ref.current?.querySelector<HTMLElement>('[data-row]') ?? rows.ref.current)?.focus());
  const shown = all.slice(0, mostRows);
  return (
    <div class="scroll procs" tabIndex={-1} {...rows}>
      {all.length === 0 ? (
        <div class="bot-empty">
          <p>No problems.</p>
          <p class="faint sm">What runs and processes say of a line of a file stands here: errors of compilers, tests and linters.</p>
        </div>
      ) : (
        <table class="dense" aria-label="Problems">
          <thead>
            <tr>
              <th scope="col">Problem</th>
              <th scope="col">Place</th>
              <th scope="col" class="hide-m">
                From
              </th>
              <th class="acts">
                <button type="button" class="btn quiet sm" title="Until they are said again" onClick={() => problems.clear()}>
                  Clear
                </button>
              </th>
            </tr>
          </thead>
          <tbody>
            {shown.map((problem) => (
              <Row key={keyOf(problem)} problem={problem} />
            ))}
          </tbody>
        </table>
      )}
      {all.length > shown.length && <p class="hint">{count(all.length - shown.length, 'more problem')} not shown.</p>}
    </div>
  );
}

function Row({ problem }: { problem: Problem }) {
  const workbench = useWorkbench();
  const { severity, text, path, line, column, from } = problem;
  const isError = severity === 'error';
  const target = line === undefined ? undefined : column === undefined ? { line } : { line, column };
  return (
    <tr data-testid="problem">
      <td class="wide">
        <button
          type="button"
          class="row problem"
          data-row
          title={text}
          onClick={() => workbench.openFile(path, target === undefined ? {} : { target })}
        >
          <span class={isError ? 'bad' : 'warn'}>
            <Icon name={isError ? 'err' : 'warn'} />
            <span class="unseen">{isError ? 'Error: ' : 'Warning: '}</span>
          </span>
          <span class="ell" dir="auto">
            {text}
          </span>
        </button>
      </td>
      <td class="path faint place" colSpan={workbench.phone.value ? 2 : 1}>
        <span>
          <CutPath path={path} look="" />
          {line !== undefined && `:${line}`}
        </span>
      </td>
      <td class="hide-m from" colSpan={2}>
        <button type="button" class="cmd ell" title="Show what it wrote" dir="auto" onClick={() => showSource(workbench, problem)}>
          {from.kind === 'run' ? `Run of ${from.title}` : from.title}
        </button>
      </td>
    </tr>
  );
}

function showSource(workbench: ReturnType<typeof useWorkbench>, { from }: Problem): void {
  if (from.kind === 'run') showRun(workbench);
  else workbench.bottom.showLog(from.id);
}

function keyOf({ path, line, column, text, from }: Problem): string {
  return JSON.stringify([path, line, column, text, from]);
}
