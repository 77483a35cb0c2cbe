import { failureText } from '../failure-text.ts';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize, count } from '../words.ts';
import { copyLines, LogRows, useLogScroll } from './log-rows.tsx';
import { ProcessLog } from './process-log.ts';
import { isRunning } from './process-words.ts';

const drawn = (): Promise<void> => new Promise((resolve) => requestAnimationFrame(() => resolve()));

export interface LogViewProps {
  /** Of the process. */
  id: string;
  /** Buttons that stand at the end of its foot. */
  children?: preact.ComponentChildren;
}

/** What a process wrote and writes. */
export function LogView({ id, children }: LogViewProps) {
  const workbench = useWorkbench();
  const { processes } = workbench;
  const scroll = useLogScroll();
  const log = useMemo(() => new ProcessLog({ client: workbench.client, drawn }, id), [workbench, id]);
  /** The last line that was seen at the end. */
  const left = useRef(0);
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
    if (version % 20 === 0 || !log.reading.value) processes.noteRead(id, log.positions);
  }, [version, log.reading.value]);
  const toEnd = (): void => {
    scroll.following.value = true;
    scroll.box.current?.focus();
  };
  if (scroll.following.value) left.current = lastKey;
  const news = lastKey - left.current;
  return (
    <div class="log-pane">
      <LogRows
        scroll={scroll}
        rows={lines}
        dropped={log.dropped}
        version={version}
        class="log scroll"
        label={`Log of ${process?.title ?? id}`}
        takesFocus
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
      </LogRows>
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
        <button type="button" class="btn quiet sm" onClick={() => void copyLines(workbench.toasts, lines, scroll)}>
          <Icon name="copy" />
          Copy
        </button>
        {children}
      </div>
    </div>
  );
}

function emptyWords(log: ProcessLog): string {
  const { value: problem } = log.problem;
  return problem === undefined ? 'It wrote nothing.' : `The log could not be read. ${failureText(problem)}`;
}

function offsets({ positions: { stdout, stderr }, problem }: ProcessLog): string {
  if (problem.value !== undefined) return 'The log could not be read to its end.';
  const parts = [`stdout ${stdout.toLocaleString('en')}`, ...(stderr > 0 ? [`stderr ${stderr.toLocaleString('en')}`] : [])];
  return `Read to ${parts.join(' · ')}`;
}
