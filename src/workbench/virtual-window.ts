export interface VirtualWindow {
  start: number;
  /** Not included. */
  end: number;
}

const over = 8;

/** Which rows of one height are drawn: those that can be seen, and eight more at each end. */
export function virtualWindow(scrollTop: number, viewHeight: number, rowHeight: number, length: number): VirtualWindow {
  const first = Math.floor(scrollTop / rowHeight);
  const last = Math.ceil((scrollTop + viewHeight) / rowHeight);
  return { start: Math.max(0, Math.min(first - over, length)), end: Math.max(0, Math.min(last + over, length)) };
}

/** Which of some lines with ascending tops are drawn. */
export function windowOf(tops: readonly { top: number }[], scrollTop: number, viewHeight: number): VirtualWindow {
  return {
    start: Math.max(0, firstFrom(tops, scrollTop) - over),
    end: Math.min(tops.length, firstFrom(tops, scrollTop + viewHeight) + over),
  };
}

function firstFrom(tops: readonly { top: number }[], value: number): number {
  let low = 0;
  let high = tops.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((tops[middle] as { top: number }).top < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Where to scroll so that a row is seen whole; the same place when it is. */
export function scrollToShow(scrollTop: number, viewHeight: number, top: number, height: number): number {
  if (top < scrollTop) return top;
  return top + height > scrollTop + viewHeight ? top + height - viewHeight : scrollTop;
}
