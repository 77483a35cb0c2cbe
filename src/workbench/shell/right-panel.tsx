import { useLayoutEffect, useRef } from 'preact/hooks';
import { Meanwhile } from './meanwhile.tsx';
import { lazyView } from '../lazy-view.tsx';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { rightWidth } from './layout.ts';
import { RightHead } from './right-head.tsx';
import { WidthSplitter } from './width-splitter.tsx';

const historyPanel = lazyView<object>(async () => (await import('../history/history-panel.tsx')).HistoryPanel);

/** Beside the documents, over them where the window is narrow; on a phone a pane of its own. */
export function RightPanel() {
  const { layout, phone } = useWorkbench();
  if (phone.value ? layout.pane.value !== 'right' : !layout.rightOpen.value) return null;
  return (
    <div
      class="right"
      id="right-panel"
      role={phone.value ? 'main' : 'complementary'}
      aria-label="History"
      style={{ '--right': `${layout.right.value}px` }}
    >
      <WidthSplitter
        left
        label="Width of the right panel"
        width={layout.right.value}
        range={rightWidth}
        set={(to) => layout.setRight(to)}
      />
      <historyPanel.View meanwhile={<Coming />} />
    </div>
  );
}

/** Until the panel is loaded. The focus that was asked for is given on to that; while the link is away, it is here. */
function Coming() {
  const { layout, link } = useWorkbench();
  const box = useRef<HTMLDivElement>(null);
  useWantedFocus('right', () => box.current?.querySelector<HTMLElement>('[data-focus]')?.focus(), !link.live.value);
  useLayoutEffect(
    () => () => {
      if (box.current?.contains(document.activeElement) === true && layout.rightOpen.value) layout.wantsFocus.value = 'right';
    },
    [],
  );
  return (
    <div class="pane" ref={box}>
      <RightHead takesFocus />
      <Meanwhile text="Loading…" />
    </div>
  );
}
