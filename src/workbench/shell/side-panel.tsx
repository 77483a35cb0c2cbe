import { ChangesPanel } from '../changes/changes-panel.tsx';
import { ActivityFilters } from '../feed/activity-filters.tsx';
import { FilesPanel } from '../files/files-panel.tsx';
import { lazyView } from '../lazy-view.tsx';
import { SearchPanel } from '../search/search-panel.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { sideWidth } from './layout.ts';

/** Few folders have a link to a hub. */
const tasksPanel = lazyView<object>(async () => (await import('../tasks/tasks-panel.tsx')).TasksPanel);

const step = 16;

export function SidePanel() {
  const { layout, phone } = useWorkbench();
  if (!layout.sideOpen.value && layout.pane.value === 'main') return null;
  const { value: view } = layout.view;
  return (
    // On a phone it is all there is to see.
    <div
      class="side"
      id="side-panel"
      role={phone.value ? 'main' : 'complementary'}
      aria-labelledby={`rail-${view}`}
      hidden={!layout.sideOpen.value}
    >
      {view === 'files' && <FilesPanel />}
      {view === 'search' && <SearchPanel />}
      {view === 'changes' && <ChangesPanel />}
      {view === 'tasks' && <tasksPanel.View />}
      {view === 'activity' && <ActivityFilters />}
      <Splitter />
    </div>
  );
}

function Splitter() {
  const { layout } = useWorkbench();
  const onPointerDown = (event: PointerEvent): void => {
    const handle = event.currentTarget as HTMLElement;
    // Else the browser begins to select text, or to drag, and takes the pointer away.
    event.preventDefault();
    handle.focus({ preventScroll: true });
    const from = event.clientX - layout.side.value;
    handle.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent): void => layout.setSide(move.clientX - from);
    handle.addEventListener('pointermove', onMove);
    handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', onMove), { once: true });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowRight' ? step : event.key === 'ArrowLeft' ? -step : 0;
    if (by === 0) return;
    event.preventDefault();
    layout.setSide(layout.side.value + by);
  };
  return (
    <div
      class="splitter"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the side panel"
      aria-valuenow={layout.side.value}
      aria-valuemin={sideWidth.least}
      aria-valuemax={sideWidth.most}
      tabIndex={0}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onDblClick={() => layout.setSide(sideWidth.initial)}
    />
  );
}
