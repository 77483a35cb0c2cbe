const step = 16;

interface WidthSplitterProps {
  label: string;
  width: number;
  range: { initial: number; least: number; most: number };
  set: (width: number) => void;
  /** The panel stands at the right: it grows to the left. */
  left?: boolean;
}

/** The edge of a panel, to be dragged or moved by the arrow keys; a double click sets it back. */
export function WidthSplitter({ label, width, range, set, left = false }: WidthSplitterProps) {
  const sign = left ? -1 : 1;
  const onPointerDown = (event: PointerEvent): void => {
    const handle = event.currentTarget as HTMLElement;
    // Else the browser begins to select text, or to drag, and takes the pointer away.
    event.preventDefault();
    handle.focus({ preventScroll: true });
    const from = event.clientX - sign * width;
    handle.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent): void => set(sign * (move.clientX - from));
    handle.addEventListener('pointermove', onMove);
    handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', onMove), { once: true });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? step : event.key === 'ArrowLeft' ? -step : 0;
    if (by === 0) return;
    event.preventDefault();
    set(width + sign * by);
  };
  return (
    <div
      class={left ? 'splitter left' : 'splitter'}
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuenow={width}
      aria-valuemin={range.least}
      aria-valuemax={range.most}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onDblClick={() => set(range.initial)}
    />
  );
}
