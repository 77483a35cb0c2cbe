import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useHeld } from '../use-held.ts';
import { useScroll } from '../use-scroll.ts';
import { useWorkbench } from '../use-workbench.ts';
import { windowOf } from '../virtual-window.ts';
import { type ActivityItem, heldActivity } from './activity-items.ts';
import { ChangeArticle } from './change-article.tsx';
import { DeedArticle } from './deed-article.tsx';
import type { ArticlePlace } from './feed-article.tsx';
import { type FeedLine, feedLines, headingHeight } from './feed-rows.ts';

const atTopPx = 8;
const tickMs = 10_000;

/** One stream of all that was done here, newest first. What comes while one reads further down, or is at a row, waits behind a button. */
export function ActivityPane() {
  const workbench = useWorkbench();
  const { feed, activity } = workbench;
  const scroll = useScroll();
  const now = useSignal(workbench.now());
  const somebody = useHeld('article');
  const { value: items } = activity.items;
  const { value: filter } = feed.filter;
  const { value: seeks } = feed.sought;
  const held = useRef<{ items: readonly ActivityItem[]; at: number; of: readonly unknown[] } | undefined>(undefined);
  // What comes before all of it has is part of it, and what is asked for is shown at once.
  const isHeld = activity.known.value && (scroll.top > atTopPx || somebody.value);
  if (!isHeld || held.current?.of[0] !== filter || held.current.of[1] !== seeks) held.current = undefined;
  if (isHeld) held.current ??= { items, at: now.value, of: [filter, seeks] };
  const { shown, waiting } = held.current === undefined ? { shown: items, waiting: 0 } : heldActivity(held.current.items, items);
  // A heading that comes moves what is below it.
  const groupedAt = held.current?.at ?? now.value;
  useEffect(() => activity.want(), [activity]);
  useEffect(() => {
    const timer = setInterval(() => (now.value = workbench.now()), tickMs);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    now.value = workbench.now();
  }, [items]);
  const { lines, height } = useMemo(() => feedLines(shown, groupedAt), [shown, groupedAt]);
  const { start, end } = windowOf(lines, scroll.top, scroll.height);

  const sought = seeks?.revision;
  useEffect(() => {
    if (sought === undefined) return;
    const line = lines.find((one) => one.type === 'row' && holds(one.row, sought));
    if (line !== undefined && scroll.box.current !== null) scroll.box.current.scrollTop = Math.max(0, line.top - headingHeight * 2);
  }, [seeks]);

  return (
    <div class="pane activity">
      {waiting > 0 && (
        <button
          type="button"
          class="btn sm news"
          data-testid="news"
          onClick={() => {
            held.current = undefined;
            if (scroll.box.current === null) return;
            scroll.box.current.scrollTop = 0;
            // The button goes.
            scroll.box.current.focus({ preventScroll: true });
          }}
        >
          <Icon name="up" small />
          {waiting.toLocaleString('en')} new
        </button>
      )}
      {/* A feed has to hold an article. */}
      <div
        class="scroll"
        ref={scroll.box}
        tabIndex={0}
        data-focus
        aria-label="Activity"
        {...somebody.on}
        {...(lines.length === 0
          ? { role: 'region', 'aria-busy': activity.known.value ? 'false' : 'true' }
          : { role: 'feed', 'aria-busy': 'false' })}
      >
        {lines.length === 0 ? (
          <p class="hint">{emptyWords(activity.known.value, feed.range.value.count + activity.deeds.value.length > 0)}</p>
        ) : (
          <div class="feed" role="none" style={{ height: `${height}px` }}>
            {lines.slice(start, end).map((line, index) =>
              line.type === 'heading' ? (
                // A feed holds articles only: the first of each group says the heading in its name.
                <div
                  key={line.key}
                  class="fh"
                  aria-hidden="true"
                  style={{ transform: `translateY(${line.top}px)`, height: `${headingHeight}px` }}
                >
                  {line.text}
                </div>
              ) : (
                <Article
                  key={line.row.key}
                  item={line.row}
                  now={now.value}
                  place={{
                    top: line.top,
                    position: start + index + 1,
                    size: lines.length,
                    heading: headingAbove(lines, start + index),
                    linked: lines[start + index + 1]?.type === 'row',
                    marked: sought !== undefined && holds(line.row, sought),
                  }}
                />
              ),
            )}
          </div>
        )}
      </div>
    </div>
  );
}

function emptyWords(isKnown: boolean, isFiltered: boolean): string {
  if (!isKnown) return 'Asking what was done here…';
  return isFiltered
    ? 'Nothing here by these filters.'
    : 'Nothing has happened here yet. Whoever writes a file, commits or starts a process shows up here within a second.';
}

function holds(item: ActivityItem, revision: number): boolean {
  return item.kind === 'files' && item.row.first <= revision && item.row.last >= revision;
}

function headingAbove(lines: readonly FeedLine<ActivityItem>[], index: number): string | undefined {
  const above = lines[index - 1];
  return above?.type === 'heading' ? above.text : undefined;
}

function Article({ item, place, now }: { item: ActivityItem; place: ArticlePlace; now: number }) {
  return item.kind === 'files' ? (
    <ChangeArticle row={item.row} place={place} now={now} />
  ) : (
    <DeedArticle deed={item} place={place} now={now} />
  );
}
