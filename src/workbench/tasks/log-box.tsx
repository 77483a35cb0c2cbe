import type { ReadonlySignal } from '@preact/signals';
import type { LogLines } from '../processes/log-lines.ts';
import { copyLines, LogRows, useLogScroll } from '../processes/log-rows.tsx';
import { Icon } from '../shell/icon.tsx';
import type { Toasts } from '../shell/toasts.ts';
import { count } from '../words.ts';
import './tasks.css';

export interface TaskLog {
  readonly lines: LogLines;
  /** Raised when lines came, once a frame at most. */
  readonly logVersion: ReadonlySignal<number>;
}

export interface LogBoxProps {
  log: TaskLog;
  isLive: boolean;
  /** Said of one that is not live, where there are no lines. */
  none: string;
  toasts: Toasts;
}

/** What the program of a task wrote and writes. */
export function LogBox({ log, isLive, none, toasts }: LogBoxProps) {
  const scroll = useLogScroll();
  const { value: version } = log.logVersion;
  const { lines, dropped } = log.lines;
  return (
    <div class="blk">
      <div class="row log-title">
        <h3 class="lab">Log</h3>
        {isLive && <span class="chip live">live</span>}
        <span class="grow" />
        <span class="xs faint num">{lines.length > 0 && count(lines.length + dropped, 'line')}</span>
        {lines.length > 0 && (
          <button
            type="button"
            class="ib"
            aria-label="Copy the log"
            title="Copy the log"
            onClick={() => void copyLines(toasts, lines, scroll)}
          >
            <Icon name="copy" />
          </button>
        )}
      </div>
      <LogRows
        scroll={scroll}
        rows={lines}
        dropped={dropped}
        version={version}
        class={lines.length === 0 ? 'log log-box empty' : 'log log-box'}
        label="Log of this task"
      >
        {lines.length === 0 && <p class="dim sm">{isLive ? 'Nothing was written yet.' : none}</p>}
      </LogRows>
    </div>
  );
}
