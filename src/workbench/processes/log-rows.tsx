import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { copyText } from '../shell/copy-text.ts';
import type { Toasts } from '../shell/toasts.ts';
import { type Scroll, useScroll } from '../use-scroll.ts';
import { virtualWindow } from '../virtual-window.ts';
import { count } from '../words.ts';
import type { LogLine } from './log-lines.ts';

const ROW_PX = 18;
const AT_END_PX = 2 * ROW_PX;

export type LogRow = LogLine | { heading: string };

export interface LogScroll extends Scroll {
  /** Whether it stays at the end as rows come: until one scrolls away from there. */
  following: Signal<boolean>;
}

export function useLogScroll(): LogScroll {
  const following = useSignal(true);
  return { ...useScroll(), following };
}

export interface LogRowsProps {
  scroll: LogScroll;
  rows: readonly LogRow[];
  /** How many went at the start until now. */
  dropped: number;
  /** Differs when something came. */
  version: number;
  class: string;
  label: string;
  takesFocus?: boolean;
  /** What a line is shown as; its text when left out. */
  show?: (text: string) => ComponentChildren;
  /** Stands above the rows, or instead of them. */
  children?: ComponentChildren;
}

/** The rows of a log in a box that scrolls, stderr marked; only those in sight are drawn. What one reads stays in place when older rows go. */
export function LogRows({ scroll, rows, dropped, version, class: className, label, takesFocus, show, children }: LogRowsProps) {
  const { box, following } = scroll;
  const droppedBefore = useRef(0);
  /** Where it was put at the end; undefined while it does not stay there. */
  const end = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    const { current } = box;
    if (current === null) return;
    // Somebody scrolled away, and the event is still to come.
    if (end.current !== undefined && current.scrollTop < end.current && !isAtEnd(current)) following.value = false;
    const gone = dropped - droppedBefore.current;
    droppedBefore.current = dropped;
    if (following.value) current.scrollTop = current.scrollHeight;
    else if (gone > 0) current.scrollTop -= gone * ROW_PX;
    end.current = following.value ? current.scrollTop : undefined;
  }, [version, following.value, rows.length]);
  const { start, end: last } = virtualWindow(scroll.top, scroll.height, ROW_PX, rows.length);
  return (
    <div
      class={className}
      ref={box}
      tabIndex={0}
      role="log"
      aria-live="off"
      aria-label={label}
      data-focus={takesFocus}
      onScroll={({ currentTarget }) => {
        following.value = isAtEnd(currentTarget);
        if (following.value) end.current = currentTarget.scrollTop;
      }}
    >
      {children}
      <div class="log-lines" style={{ height: `${rows.length * ROW_PX}px` }}>
        <div style={{ transform: `translateY(${start * ROW_PX}px)` }}>
          {rows.slice(start, last).map((row, index) => (
            <Row key={dropped + start + index} row={row} show={show} />
          ))}
        </div>
      </div>
    </div>
  );
}

function isAtEnd({ scrollTop, clientHeight, scrollHeight }: Element): boolean {
  return scrollTop + clientHeight >= scrollHeight - AT_END_PX;
}

function Row({ row, show }: { row: LogRow; show: LogRowsProps['show'] }) {
  if ('heading' in row) return <div class="ll heading">{row.heading}</div>;
  return (
    <div class={`ll ${row.stream}`}>
      {row.stream === 'stderr' && <span class="unseen">stderr: </span>}
      {show === undefined ? row.text : show(row.text)}
    </div>
  );
}

/** What is selected in the box, else all lines that are held. */
export async function copyLines(toasts: Pick<Toasts, 'say' | 'fail'>, lines: readonly LogLine[], { box }: LogScroll): Promise<void> {
  const selection = getSelection();
  const selected = selection !== null && box.current?.contains(selection.anchorNode) === true ? selection.toString() : '';
  if (selected === '') await copyText(toasts, lines.map(({ text }) => text).join('\n'), `Copied ${count(lines.length, 'line')}`);
  else await copyText(toasts, selected, 'Copied what is selected');
}
