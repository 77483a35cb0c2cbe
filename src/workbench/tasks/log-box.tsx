import { type ReadonlySignal, useSignal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useScroll } from '../use-scroll.ts';
import { virtualWindow } from '../virtual-window.ts';
import { count } from '../words.ts';
import type { LogLines } from '../processes/log-lines.ts';
import type { Toasts } from '../shell/toasts.ts';
import './tasks.css';

const ROW_PX = 18;
const AT_END_PX = 2 * ROW_PX;

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

/** What the program of a task wrote and writes. Follows the end, unless one has scrolled away from it. */
export function LogBox({ log, isLive, none, toasts }: LogBoxProps) {
  const scroll = useScroll();
  const following = useSignal(true);
  const { value: version } = log.logVersion;
  const { lines, dropped } = log.lines;
  useLayoutEffect(() => {
    const { current: box } = scroll.box;
    if (box !== null && following.value) box.scrollTop = box.scrollHeight;
  }, [version, following.value, lines.length]);
  const { start, end } = virtualWindow(scroll.top, scroll.height, ROW_PX, lines.length);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(lines.map(({ text }) => text).join('\n'));
      toasts.say(`Copied ${count(lines.length, 'line')}`);
    } catch (error) {
      toasts.fail('Not copied: the browser refused it', error);
    }
  };
  return (
    <div class="blk">
      <div class="row log-title">
        <h3 class="lab">Log</h3>
        {isLive && <span class="chip live">live</span>}
        <span class="grow" />
        <span class="xs faint num">{lines.length > 0 && count(lines.length + dropped, 'line')}</span>
        {lines.length > 0 && (
          <button type="button" class="ib" aria-label="Copy the log" title="Copy the log" onClick={() => void copy()}>
            <Icon name="copy" />
          </button>
        )}
      </div>
      <div
        class={lines.length === 0 ? 'log log-box empty' : 'log log-box'}
        ref={scroll.box}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-label="Log of this task"
        onScroll={(event) => {
          const { scrollTop, clientHeight, scrollHeight } = event.currentTarget;
          following.value = scrollTop + clientHeight >= scrollHeight - AT_END_PX;
        }}
      >
        {lines.length === 0 ? (
          <p class="dim sm">{isLive ? 'Nothing was written yet.' : none}</p>
        ) : (
          <div class="log-lines" style={{ height: `${lines.length * ROW_PX}px` }}>
            <div style={{ transform: `translateY(${start * ROW_PX}px)` }}>
              {lines.slice(start, end).map(({ key, stream, text }) => (
                <div key={key} class={`ll ${stream}`}>
                  {stream === 'stderr' && <span class="unseen">stderr: </span>}
                  {text}
                </div>
              ))}
            </div>
          </div>
        )}
      </div>
    </div>
  );
}
