import type { LogLine } from '../processes/log-lines.ts';
import { copyLines, type LogRow, LogRows, useLogScroll } from '../processes/log-rows.tsx';
import { nameOf } from '../file-paths.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import { codePlaceIn } from './code-places.ts';
import type { RunRecord } from './run-record.ts';
import { stageLine } from './run-words.ts';

/** What it wrote, compile and run apart. */
export function RunOutput({ record }: { record: RunRecord }) {
  const { toasts } = useWorkbench();
  const scroll = useLogScroll();
  const { value: version } = record.version;
  const rows = rowsOf(record);
  const dropped = record.compile.dropped + record.program.dropped;
  const lines = rows.filter((row): row is LogLine => 'text' in row);
  return (
    <div class="log-pane">
      <LogRows
        scroll={scroll}
        rows={rows}
        dropped={dropped}
        version={version}
        class="log scroll"
        label={`Output of ${record.title}`}
        show={(text) => <Line text={text} record={record} />}
      >
        {dropped > 0 && <p class="log-note">{count(dropped, 'earlier line')} are not held.</p>}
        {lines.length === 0 && <p class="hint">{emptyWords(record)}</p>}
      </LogRows>
      {lines.length > 0 && (
        <button
          type="button"
          class="ib copy-log"
          aria-label="Copy the output"
          title="Copy the output"
          onClick={() => void copyLines(toasts, lines, scroll)}
        >
          <Icon name="copy" />
        </button>
      )}
    </div>
  );
}

/** A place of the code that a line names leads there. */
function Line({ text, record }: { text: string; record: RunRecord }) {
  const workbench = useWorkbench();
  const place = codePlaceIn(text);
  if (place === undefined) return <>{text}</>;
  const line = record.firstLine + place.line - 1;
  // Of a selection the indent that its lines share was left out.
  const column = record.firstLine === 1 ? place.column : undefined;
  const target = column === undefined ? { line } : { line, column };
  return (
    <>
      {text.slice(0, place.start)}
      <button
        type="button"
        class="code-place"
        title={`Go to line ${line} of ${nameOf(record.path)}`}
        onClick={() => workbench.openFile(record.path, { target })}
      >
        {text.slice(place.start, place.end)}
      </button>
      {text.slice(place.end)}
    </>
  );
}

function emptyWords(record: RunRecord): string {
  if (record.phase.value !== 'over') return 'Nothing was written yet.';
  return record.id === undefined ? 'It did not begin.' : 'It wrote nothing.';
}

/** Where nothing was compiled, one stage needs no heading. */
function rowsOf(record: RunRecord): LogRow[] {
  const { value: outcome } = record.outcome;
  const compiled = record.compile.lines.length > 0 || (outcome?.compile ?? null) !== null || record.stage.value === 'compile';
  if (!compiled) return record.program.lines;
  const limits = outcome?.limits;
  const rows: LogRow[] = [
    { heading: stageLine('Compile', outcome?.compile ?? null, limits, record.cached.value) },
    ...record.compile.lines,
  ];
  const ran = record.program.lines.length > 0 || (outcome?.program ?? null) !== null || record.stage.value === 'run';
  if (ran) rows.push({ heading: stageLine('Run', outcome?.program ?? null, limits, false) }, ...record.program.lines);
  return rows;
}
