import { Meanwhile } from './meanwhile.tsx';
import { lazyView } from '../lazy-view.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { rightWidth } from './layout.ts';
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
      <historyPanel.View meanwhile={<Meanwhile text="Loading…" />} />
    </div>
  );
}
