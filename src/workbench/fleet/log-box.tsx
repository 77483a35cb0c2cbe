import { useSignal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useScroll } from '../use-scroll.ts';
import { virtualWindow } from '../virtual-window.ts';
import { count } from '../words.ts';
import type { TaskDetail } from './task-detail.ts';
import { useFleet } from './use-fleet.ts';

const ROW_PX = 18;
const AT_END_PX = 2 * ROW_PX;

/** What the program of a task wrote and writes. Follows the end, unless one has scrolled away from it. */
export function LogBox({ detail, isLive }: { detail: TaskDetail; isLive: boolean }) {
  const { toasts } = useFleet();
  const scroll = useScroll();
  const following = useSignal(true);
  const { value: version } = detail.logVersion;
  const { lines } = detail.lines;
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
        <span class="xs faint num">{lines.length > 0 && count(lines.length + detail.lines.dropped, 'line')}</span>
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
          <p class="dim sm">{isLive ? 'Nothing was written yet.' : 'No log is kept of it.'}</p>
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
