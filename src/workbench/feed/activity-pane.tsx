import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { sayActor } from '../actor.ts';
import { nameOf, parentOf, truncatePath } from '../file-paths.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { useScroll } from '../use-scroll.ts';
import { useWorkbench } from '../use-workbench.ts';
import { windowOf } from '../virtual-window.ts';
import { byteSize, clockTime, count, list } from '../words.ts';
import { type FeedLine, feedLines, type FeedRow, feedTime, headingHeight, revisionRange, rowHeight } from './feed-rows.ts';

const atTopPx = 8;
const tickMs = 10_000;

/** One stream of all changes, newest first. What comes while one reads further down waits behind a button. */
export function ActivityPane() {
  const workbench = useWorkbench();
  const { feed } = workbench;
  const scroll = useScroll();
  const now = useSignal(workbench.now());
  const held = useRef<readonly FeedRow[] | undefined>(undefined);
  const { value: rows } = feed.rows;
  const atTop = scroll.top <= atTopPx;
  if (atTop) held.current = undefined;
  else held.current ??= rows;
  const shown = held.current ?? rows;
  const waiting = held.current === undefined ? 0 : feed.revision.value - (held.current.at(-1)?.last ?? 0);
  useEffect(() => {
    const timer = setInterval(() => (now.value = workbench.now()), tickMs);
    return () => clearInterval(timer);
  }, []);
  useEffect(() => {
    now.value = workbench.now();
  }, [rows]);
  const { lines, height } = useMemo(() => feedLines(shown, now.value), [shown, now.value]);
  const { start, end } = windowOf(lines, scroll.top, scroll.height);

  const sought = feed.sought.value?.revision;
  useEffect(() => {
    if (sought === undefined) return;
    const line = lines.find((one) => one.type === 'row' && one.row.first <= sought && one.row.last >= sought);
    if (line !== undefined && scroll.box.current !== null) scroll.box.current.scrollTop = Math.max(0, line.top - headingHeight * 2);
  }, [feed.sought.value]);

  return (
    <div class="pane activity">
      {waiting > 0 && (
        <button
          type="button"
          class="btn sm news"
          onClick={() => {
            held.current = undefined;
            if (scroll.box.current !== null) scroll.box.current.scrollTop = 0;
          }}
        >
          <Icon name="up" small />
          {waiting.toLocaleString('en')} new
        </button>
      )}
      <div class="scroll" ref={scroll.box} tabIndex={0} data-focus aria-label="Activity" role="feed" aria-busy="false">
        {lines.length === 0 ? (
          <p class="hint">
            {feed.range.value.count === 0
              ? 'Nothing has changed here yet. Whoever writes a file shows up here within a second.'
              : 'Nothing here by these filters.'}
          </p>
        ) : (
          <div class="feed" role="none" style={{ height: `${height}px` }}>
            {lines.slice(start, end).map((line, index) =>
              line.type === 'heading' ? (
                // A feed holds articles only: the first of each group says the heading in its name.
                <div key={line.key} class="fh" aria-hidden="true" style={{ transform: `translateY(${line.top}px)` }}>
                  {line.text}
                </div>
              ) : (
                <Row
                  key={line.row.key}
                  row={line.row}
                  top={line.top}
                  now={now.value}
                  position={start + index + 1}
                  size={lines.length}
                  marked={sought !== undefined && line.row.first <= sought && line.row.last >= sought}
                  heading={headingAbove(lines, start + index)}
                  linked={lines[start + index + 1]?.type === 'row'}
                />
              ),
            )}
          </div>
        )}
      </div>
    </div>
  );
}

function headingAbove(lines: readonly FeedLine[], index: number): string | undefined {
  const above = lines[index - 1];
  return above?.type === 'heading' ? above.text : undefined;
}

interface RowProps {
  row: FeedRow;
  top: number;
  now: number;
  position: number;
  size: number;
  marked: boolean;
  /** Of the group that begins with this row. */
  heading: string | undefined;
  /** A row of the same group follows. */
  linked: boolean;
}

function Row({ row, top, now, position, size, marked, heading, linked }: RowProps) {
  const workbench = useWorkbench();
  const { actor, path, paths } = row;
  const mine = workbench.isMe(actor);
  const typing = row.causeKind === 'document' && now - row.at < 15_000;
  const open = (): void => {
    if (row.what !== 'removed' && row.kind !== 'directory') workbench.openFile(path);
    else void workbench.tree.reveal(parentOf(path));
  };
  return (
    <article
      class={`fr${marked ? ' on' : ''}${linked ? ' linked' : ''}`}
      style={{ transform: `translateY(${top}px)`, height: `${rowHeight}px` }}
      aria-posinset={position}
      aria-setsize={size}
      aria-label={`${heading === undefined ? '' : `${heading}: `}${sayActor(actor)}, ${path}, ${revisionRange(row)}`}
      data-testid="activity-row"
      data-path={path}
    >
      <Avatar actor={actor} />
      <div class="what">
        <div class="ell" dir="auto">
          <b>{mine ? 'you' : sayActor(actor)}</b>
          {row.others.length > 0 && <> and {list(row.others.map((other) => (workbench.isMe(other) ? 'you' : sayActor(other))))}</>}{' '}
          {verb(row, typing, mine || row.others.length > 0)}{' '}
          <button type="button" class="path" title={path} onClick={open}>
            {truncatePath(path, workbench.phone.value ? 22 : 60)}
          </button>
          {row.what === 'moved' && row.from !== undefined && (
            <>
              {' '}
              from <span class="path">{parentOf(row.from) === parentOf(path) ? nameOf(row.from) : truncatePath(row.from, 40)}</span>
            </>
          )}
          {paths.length > 1 && ` and ${count(paths.length - 1, 'more file')}`}
        </div>
        <div class="sub ell">{about(row)}</div>
      </div>
      <span class="acts">
        {row.what !== 'removed' && row.kind === 'file' && (
          <>
            <button type="button" class="btn quiet sm" onClick={open}>
              <Icon name="jump" />
              Jump
            </button>
            {workbench.git.letters.value.has(path) && (
              <button type="button" class="btn quiet sm" onClick={() => workbench.openDiff(path)}>
                <Icon name="diff" />
                Compare
              </button>
            )}
          </>
        )}
      </span>
      <button type="button" class="rev hide-m" title={`Revision ${revisionRange(row)}`} onClick={() => workbench.goToRevision(row.last)}>
        {revisionRange(row)}
      </button>
      <time class="when num" dateTime={new Date(row.at).toISOString()} title={clockTime(row.at)}>
        {feedTime(row.at, now)}
      </time>
    </article>
  );
}

function verb({ what, causeKind, from, path }: FeedRow, typing: boolean, plural: boolean): string {
  if (what === 'created') return 'created';
  if (what === 'removed') return 'deleted';
  if (what === 'moved') return from !== undefined && parentOf(from) === parentOf(path) ? 'renamed' : 'moved';
  if (causeKind === 'outside') return 'changed';
  if (causeKind === 'document') return typing ? `${plural ? 'are' : 'is'} typing in` : 'edited';
  return 'wrote';
}

function about(row: FeedRow): string {
  if (row.note !== undefined) return row.note;
  if (row.paths.length > 1) return list(row.paths.map(nameOf), 4);
  const size = row.size === undefined || row.kind !== 'file' || row.what === 'removed' ? '' : byteSize(row.size);
  const how = {
    document: row.what === 'changed' ? 'In the editor' : 'From the editor',
    outside: row.what === 'removed' ? 'Another program removed it' : 'Another program wrote it',
    connection: row.what === 'moved' ? 'Open documents followed' : row.what === 'removed' ? 'Over the API' : 'Over the API',
    run: 'By the program it ran',
    task: 'For the task',
    sidecar: 'By the sidecar itself',
  }[row.causeKind];
  return [how, size].filter((part) => part !== '').join(' · ');
}
