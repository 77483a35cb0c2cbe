import { useSignal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import type { LogLine } from '../processes/log-lines.ts';
import { Icon } from '../shell/icon.tsx';
import { useScroll } from '../use-scroll.ts';
import { useWorkbench } from '../use-workbench.ts';
import { virtualWindow } from '../virtual-window.ts';
import { count } from '../words.ts';
import type { RunRecord } from './run-record.ts';
import { stageLine } from './run-words.ts';

const rowPx = 18;
const atEndPx = 2 * rowPx;

type Row = LogLine | { key: string; heading: string };

/** What it wrote, compile and run apart, stderr marked; it follows the end, unless one has scrolled away from it. */
export function RunOutput({ record }: { record: RunRecord }) {
  const { toasts } = useWorkbench();
  const scroll = useScroll();
  const following = useSignal(true);
  void record.version.value;
  const rows = rowsOf(record);
  const length = rows.length;
  useLayoutEffect(() => {
    const { current: box } = scroll.box;
    if (box !== null && following.value) box.scrollTop = box.scrollHeight;
  }, [length, following.value]);
  const onScroll = (): void => {
    const { current: box } = scroll.box;
    if (box !== null) following.value = box.scrollTop + box.clientHeight >= box.scrollHeight - atEndPx;
  };
  const { start, end } = virtualWindow(scroll.top, scroll.height, rowPx, length);
  const dropped = record.compile.dropped + record.program.dropped;
  const lines = rows.filter((row) => 'text' in row);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(lines.map(({ text }) => text).join('\n'));
      toasts.say(`Copied ${count(lines.length, 'line')}`);
    } catch (error) {
      toasts.fail('Not copied: the browser refused it', error);
    }
  };
  return (
    <div class="log-pane">
      <div
        class="log scroll"
        ref={scroll.box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`Output of ${record.title}`}
        onScroll={onScroll}
      >
        {dropped > 0 && <p class="log-note">{count(dropped, 'earlier line')} are not held.</p>}
        {lines.length === 0 && <p class="hint">{emptyWords(record)}</p>}
        <div class="log-lines" style={{ height: `${length * rowPx}px` }}>
          <div style={{ transform: `translateY(${start * rowPx}px)` }}>
            {rows.slice(start, end).map((row, index) =>
              'heading' in row ? (
                <div key={row.key} class="ll heading">
                  {row.heading}
                </div>
              ) : (
                <div key={`${start + index}`} class={`ll ${row.stream}`}>
                  {row.stream === 'stderr' && <span class="unseen">stderr: </span>}
                  {row.text}
                </div>
              ),
            )}
          </div>
        </div>
      </div>
      {lines.length > 0 && (
        <button type="button" class="ib copy-log" aria-label="Copy the output" title="Copy the output" onClick={() => void copy()}>
          <Icon name="copy" />
        </button>
      )}
    </div>
  );
}

function emptyWords(record: RunRecord): string {
  if (record.phase.value !== 'over') return 'Nothing was written yet.';
  return record.id === undefined ? 'It did not begin.' : 'It wrote nothing.';
}

/** Where nothing was compiled, one stage needs no heading. */
function rowsOf(record: RunRecord): Row[] {
  const { value: outcome } = record.outcome;
  const compiled = record.compile.lines.length > 0 || (outcome?.compile ?? null) !== null || record.stage.value === 'compile';
  if (!compiled) return record.program.lines;
  const limits = outcome?.limits;
  const rows: Row[] = [
    { key: 'compile', heading: stageLine('Compile', outcome?.compile ?? null, limits, record.cached.value) },
    ...record.compile.lines,
  ];
  const ran = record.program.lines.length > 0 || (outcome?.program ?? null) !== null || record.stage.value === 'run';
  if (ran) rows.push({ key: 'run', heading: stageLine('Run', outcome?.program ?? null, limits, false) }, ...record.program.lines);
  return rows;
}
