import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useScroll } from '../use-scroll.ts';
import { useWorkbench } from '../use-workbench.ts';
import { virtualWindow } from '../virtual-window.ts';
import { byteSize, count } from '../words.ts';
import type { LogLine } from './log-lines.ts';
import { ProcessLog } from './process-log.ts';
import { isRunning } from './process-words.ts';

const rowPx = 18;
const atEndPx = 2 * rowPx;

const drawn = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));

export interface LogViewProps {
  /** Of the process. */
  id: string;
  /** Buttons that stand at the end of its foot. */
  children?: preact.ComponentChildren;
}

/** What a process wrote and writes. Follows the end, unless one has scrolled away from it. */
export function LogView({ id, children }: LogViewProps) {
  const workbench = useWorkbench();
  const { processes } = workbench;
  const scroll = useScroll();
  const log = useMemo(() => new ProcessLog({ client: workbench.client, drawn }, id), [workbench, id]);
  const following = useSignal(true);
  /** The last line that was there when one scrolled away. */
  const left = useRef(0);
  const dropped = useRef(0);
  useEffect(() => {
    log.start();
    return () => {
      processes.noteRead(id, log.positions);
      log.stop();
    };
  }, [log]);
  const process = processes.get(id);
  const again = !log.reading.value && log.problem.value === undefined && process !== undefined && isRunning(process);
  useEffect(() => {
    if (again) log.start();
  }, [again]);

  const { value: version } = log.version;
  const { lines } = log;
  const lastKey = lines.at(-1)?.key ?? -1;
  useLayoutEffect(() => {
    const { current: box } = scroll.box;
    if (box === null) return;
    const gone = log.dropped - dropped.current;
    dropped.current = log.dropped;
    if (following.value) box.scrollTop = box.scrollHeight;
    else if (gone > 0) box.scrollTop -= gone * rowPx;
    if (version % 20 === 0 || !log.reading.value) processes.noteRead(id, log.positions);
  }, [version, following.value, log.reading.value]);
  const onScroll = (): void => {
    const { current: box } = scroll.box;
    if (box === null) return;
    const atEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - atEndPx;
    if (following.peek() && !atEnd) left.current = lastKey;
    following.value = atEnd;
  };
  const toEnd = (): void => {
    following.value = true;
    scroll.box.current?.focus();
  };
  const news = following.value ? 0 : lastKey - left.current;
  const { start, end } = virtualWindow(scroll.top, scroll.height, rowPx, lines.length);
  return (
    <div class="log-pane">
      <div
        class="log scroll"
        ref={scroll.box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label={`Log of ${process?.title ?? id}`}
        data-focus
        onScroll={onScroll}
      >
        {log.earlier.value > 0 && (
          <p class="log-note">
            {byteSize(log.earlier.value)} of earlier output are not shown.{' '}
            <button type="button" onClick={() => log.startAtBeginning()}>
              Show from the start
            </button>
          </p>
        )}
        {lines.length === 0 && (
          <p class="hint">{log.reading.value ? (version === 0 ? 'Reading the log…' : 'Nothing was written yet.') : emptyWords(log)}</p>
        )}
        <div class="log-lines" style={{ height: `${lines.length * rowPx}px` }}>
          <div style={{ transform: `translateY(${start * rowPx}px)` }}>
            {lines.slice(start, end).map((line) => (
              <Line key={line.key} line={line} />
            ))}
          </div>
        </div>
      </div>
      {news > 0 && (
        <button type="button" class="btn sm news" onClick={toEnd}>
          <Icon name="down" small />
          {count(news, 'new line')}
        </button>
      )}
      <div class="log-foot xs faint num">
        <span class="ell grow" data-testid="log-offsets">
          {offsets(log)}
          {!log.reading.value && log.problem.value === undefined && ' · at its end'}
        </span>
        <button type="button" class="btn quiet sm" onClick={() => void copy(workbench.toasts, lines, scroll.box.current)}>
          <Icon name="copy" />
          Copy
        </button>
        {children}
      </div>
    </div>
  );
}

function Line({ line: { stream, text } }: { line: LogLine }) {
  return (
    <div class={`ll ${stream}`}>
      {stream === 'stderr' && <span class="unseen">stderr: </span>}
      {text}
    </div>
  );
}

function emptyWords(log: ProcessLog): string {
  const { value: problem } = log.problem;
  return problem === undefined ? 'It wrote nothing.' : `The log could not be read. ${problem.hint ?? problem.message}`;
}

function offsets({ positions: { stdout, stderr }, problem }: ProcessLog): string {
  if (problem.value !== undefined) return 'The log could not be read to its end.';
  const parts = [`stdout ${stdout.toLocaleString('en')}`, ...(stderr > 0 ? [`stderr ${stderr.toLocaleString('en')}`] : [])];
  return `Read to ${parts.join(' · ')}`;
}

/** What is selected in the log, else all lines that are held. */
async function copy(
  toasts: { say: (title: string) => unknown; fail: (title: string, error: unknown) => unknown },
  lines: readonly LogLine[],
  box: Element | null,
): Promise<void> {
  const selection = getSelection();
  const selected = selection !== null && box?.contains(selection.anchorNode) === true ? selection.toString() : '';
  try {
    await navigator.clipboard.writeText(selected === '' ? lines.map(({ text }) => text).join('\n') : selected);
    toasts.say(selected === '' ? `Copied ${count(lines.length, 'line')}` : 'Copied what is selected');
  } catch (error) {
    toasts.fail('Not copied: the browser refused it', error);
  }
}
