import { useSignal } from '@preact/signals';
import type { RefObject } from 'preact';
import { useEffect, useRef } from 'preact/hooks';

export interface Scroll {
  box: RefObject<HTMLDivElement | null>;
  top: number;
  height: number;
}

/** Where a box is scrolled to and how high it is, at most once a frame. */
export function useScroll(): Scroll {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const watched = useRef<{ box: HTMLDivElement; end: () => void }>(undefined);
  const watch = (current: HTMLDivElement): (() => void) => {
    let frame = 0;
    const read = (): void => {
      frame = 0;
      top.value = current.scrollTop;
      height.value = current.clientHeight;
    };
    const later = (): void => {
      if (frame === 0) frame = requestAnimationFrame(read);
    };
    const observer = new ResizeObserver(later);
    observer.observe(current);
    current.addEventListener('scroll', later, { passive: true });
    read();
    return () => {
      observer.disconnect();
      current.removeEventListener('scroll', later);
      cancelAnimationFrame(frame);
    };
  };
  // After each drawing: the box may come, and go, while there is something to scroll.
  useEffect(() => {
    const { current } = box;
    if (watched.current?.box === (current ?? undefined)) return;
    watched.current?.end();
    watched.current = current === null ? undefined : { box: current, end: watch(current) };
  });
  useEffect(() => () => watched.current?.end(), []);
  return { box, top: top.value, height: height.value };
}

/** The height of a row in px, from the tokens: fingers get more than pointers. */
export function rowHeightPx(): number {
  return Number.parseInt(getComputedStyle(document.documentElement).getPropertyValue('--h-row'), 10) || 24;
}
