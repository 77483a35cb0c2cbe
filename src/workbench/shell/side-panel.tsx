import { ChangesPanel } from '../changes/changes-panel.tsx';
import { ActivityFilters } from '../feed/activity-filters.tsx';
import { FilesPanel } from '../files/files-panel.tsx';
import { useRef } from 'preact/hooks';
import { lazyView } from '../lazy-view.tsx';
import { SearchPanel } from '../search/search-panel.tsx';
import { useWantedFocus } from '../use-wanted-focus.ts';
import { useWorkbench } from '../use-workbench.ts';
import { sideWidth } from './layout.ts';
import { WidthSplitter } from './width-splitter.tsx';

/** Few folders have a link to a hub. */
const tasksPanel = lazyView<object>(async () => (await import('../tasks/tasks-panel.tsx')).TasksPanel);

export function SidePanel() {
  const { layout, phone } = useWorkbench();
  const box = useRef<HTMLDivElement>(null);
  const { value: view } = layout.view;
  const focus = (): void => {
    const place = box.current?.querySelector<HTMLElement>('[data-focus]');
    place?.focus();
    // What was searched for is written over.
    if (view === 'search' && place instanceof HTMLInputElement) place.select();
  };
  // What is loaded first takes it then.
  useWantedFocus('side', focus, view !== 'tasks');
  if (!layout.sideOpen.value && layout.pane.value === 'main') return null;
  return (
    // On a phone it is all there is to see.
    <div
      class="side"
      ref={box}
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
      <WidthSplitter label="Width of the side panel" width={layout.side.value} range={sideWidth} set={(to) => layout.setSide(to)} />
    </div>
  );
}
