import { ChangesPanel } from '../changes/changes-panel.tsx';
import { ActivityFilters } from '../feed/activity-filters.tsx';
import { FilesPanel } from '../files/files-panel.tsx';
import { lazyView } from '../lazy-view.tsx';
import { SearchPanel } from '../search/search-panel.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { sideWidth } from './layout.ts';
import { WidthSplitter } from './width-splitter.tsx';

/** Few folders have a link to a hub. */
const tasksPanel = lazyView<object>(async () => (await import('../tasks/tasks-panel.tsx')).TasksPanel);

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
      <WidthSplitter label="Width of the side panel" width={layout.side.value} range={sideWidth} set={(to) => layout.setSide(to)} />
    </div>
  );
}
