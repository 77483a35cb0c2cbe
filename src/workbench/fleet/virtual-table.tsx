import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { useScroll } from '../use-scroll.ts';
import { keptTop } from './kept-place.ts';
import { scrollToShow, virtualWindow } from '../virtual-window.ts';

export interface Column<Row> {
  /** Of its cells too. */
  class: string;
  title: string;
  /** Said, not shown. */
  unseen?: boolean;
  /** What rows are put in order by; left out where the order would say nothing. */
  order?: (row: Row) => string | number;
}

/** fixer-2 before fixer-10. */
const collator = new Intl.Collator('en', { numeric: true });

export interface VirtualTableProps<Row> {
  label: string;
  columns: readonly Column<Row>[];
  /** In the order that they have until another is asked for. */
  rows: readonly Row[];
  keyOf: (row: Row) => string;
  /** The cells of a row. What takes the focus in it is `data-stop`, with this tabIndex. */
  cells: (row: Row, tabIndex: 0 | -1) => ComponentChildren;
  /** Of the row that is shown elsewhere. */
  current?: string | undefined;
  onOpen?: (row: Row) => void;
  /** What the rows were chosen by: with another one they are seen from the first. */
  filter: string;
}

/**
 * A table of which only what can be seen is drawn. Arrows, Home, End, Page Up and Page Down move through its rows. What one reads stays in place when rows
 * come and go above it, and so does the row that has the focus.
 */
export function VirtualTable<Row>({ label, columns, rows: given, keyOf, cells, current, onOpen, filter }: VirtualTableProps<Row>) {
  const scroll = useScroll();
  const sort = useSignal<{ title: string; down: boolean } | undefined>(undefined);
  const { value: sorted } = sort;
  const rows = useMemo(() => inOrder(given, columns.find(({ title }) => title === sorted?.title)?.order, sorted?.down), [given, sorted]);
  // Up, down, and as it was.
  const sortBy = (title: string): void => {
    if (sort.value?.title !== title) sort.value = { title, down: false };
    else sort.value = sort.value.down ? undefined : { title, down: true };
  };
  const cursor = useSignal<string | undefined>(undefined);
  const wanted = useRef<string | undefined>(undefined);
  const rowPx = rowHeight();
  const shown = useRef({ rows, sorted, filter });
  const before = shown.current;
  const { box } = scroll;
  const { top: told, height } = scroll;
  // Where it is now: the event that tells so may be still to come.
  let top = box.current?.scrollTop ?? told;
  if (before.filter !== filter || before.sorted !== sorted) top = 0;
  else if (before.rows !== rows) {
    const hasFocus = box.current?.querySelector('tbody')?.contains(document.activeElement) === true;
    const focused = hasFocus ? cursor.value : undefined;
    top = keptTop({ keys: before.rows.map(keyOf), top, height, rowPx, isSorted: sorted !== undefined, focused }, rows.map(keyOf));
  }
  useLayoutEffect(() => {
    const isOther = before.rows !== rows || before.sorted !== sorted || before.filter !== filter;
    shown.current = { rows, sorted, filter };
    if (isOther && box.current !== null && box.current.scrollTop !== top) box.current.scrollTop = top;
  });
  const { start, end } = virtualWindow(top, height, rowPx, rows.length);
  const drawn = rows.slice(start, end);
  const stop = drawn.some((row) => keyOf(row) === cursor.value) ? cursor.value : drawn[0] === undefined ? undefined : keyOf(drawn[0]);
  useLayoutEffect(() => {
    if (wanted.current === undefined) return;
    const row = scroll.box.current?.querySelector(`[data-row="${CSS.escape(wanted.current)}"] [data-stop]`);
    if (!(row instanceof HTMLElement)) return;
    wanted.current = undefined;
    row.focus({ preventScroll: true });
  });
  const onKeyDown = (event: KeyboardEvent): void => {
    const { current: box } = scroll.box;
    if (box === null || !(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.altKey) return;
    const from = event.target.closest('[data-row]')?.getAttribute('data-row');
    const at = rows.findIndex((row) => keyOf(row) === from);
    if (at < 0) return;
    const head = box.querySelector('thead')?.clientHeight ?? 0;
    const page = Math.max(1, Math.floor((box.clientHeight - head) / rowPx) - 1);
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    const to = steps[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const index = Math.max(0, Math.min(rows.length - 1, to));
    const key = keyOf(rows[index] as Row);
    wanted.current = key;
    box.scrollTop = scrollToShow(box.scrollTop, box.clientHeight - head, index * rowPx, rowPx);
    cursor.value = key;
    box.querySelector<HTMLElement>(`[data-row="${CSS.escape(key)}"] [data-stop]`)?.focus({ preventScroll: true });
  };
  return (
    <div class="scroll fleet-rows" ref={scroll.box} onKeyDown={onKeyDown}>
      <table aria-label={label} aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {columns.map((column) => (
              <th
                key={column.title}
                scope="col"
                class={column.class}
                aria-sort={sorted?.title === column.title ? (sorted.down ? 'descending' : 'ascending') : undefined}
              >
                {column.unseen === true ? (
                  <span class="unseen">{column.title}</span>
                ) : column.order === undefined ? (
                  column.title
                ) : (
                  <button type="button" class="sort" onClick={() => sortBy(column.title)}>
                    {column.title}
                    <span class={sorted?.down === true ? undefined : 'turned'}>
                      <Icon name="down" small />
                    </span>
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {start > 0 && <Gap px={start * rowPx} />}
          {drawn.map((row, index) => {
            const key = keyOf(row);
            return (
              <tr
                key={key}
                data-row={key}
                aria-rowindex={start + index + 2}
                aria-current={current === key ? 'true' : undefined}
                onFocusIn={() => (cursor.value = key)}
                onClick={onOpen === undefined ? undefined : () => onOpen(row)}
              >
                {cells(row, key === stop ? 0 : -1)}
              </tr>
            );
          })}
          {end < rows.length && <Gap px={(rows.length - end) * rowPx} />}
        </tbody>
      </table>
    </div>
  );
}

function inOrder<Row>(rows: readonly Row[], order: ((row: Row) => string | number) | undefined, down = false): readonly Row[] {
  if (order === undefined) return rows;
  const compare = (a: string | number, b: string | number): number =>
    typeof a === 'number' && typeof b === 'number' ? a - b : collator.compare(String(a), String(b));
  const keyed = rows.map((row) => ({ row, by: order(row) }));
  keyed.sort((a, b) => (down ? compare(b.by, a.by) : compare(a.by, b.by)));
  return keyed.map(({ row }) => row);
}

/** In place of rows that are not drawn. One cell: across columns that a narrow window hides it would make new ones. */
function Gap({ px }: { px: number }) {
  return (
    <tr aria-hidden="true" class="gap">
      <td style={{ height: `${px}px` }} />
    </tr>
  );
}

/** In px, from the tokens: fingers get more than pointers. */
function rowHeight(): number {
  return Number.parseInt(getComputedStyle(document.documentElement).getPropertyValue('--h-tabs'), 10) || 36;
}
