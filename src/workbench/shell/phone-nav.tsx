import { showView } from '../commands.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Icon } from './icon.tsx';
import type { View } from './layout.ts';

/** A phone shows one pane at a time. */
export function PhoneNav() {
  const workbench = useWorkbench();
  const { layout, tabs, git, tasks, info } = workbench;
  const { value: pane } = layout.pane;
  const { value: view } = layout.view;
  const activity = tabs.active.value?.kind === 'activity';
  const side = (name: View): boolean => pane === 'side' && view === name;
  const changed = git.letters.value.size;
  const held = tasks.held.value.length;
  // Which there are is known with the workspace; until then their place is kept.
  if (info.value === undefined) return <div class="mnav" />;
  return (
    <nav class="mnav" aria-label="Panes">
      <button type="button" aria-current={side('files') ? 'page' : undefined} onClick={() => layout.show('files')}>
        <Icon name="files" />
        Files
      </button>
      <button
        type="button"
        aria-current={pane === 'main' && !activity ? 'page' : undefined}
        onClick={() => {
          layout.pane.value = 'main';
          const document = tabs.recent.value.find((id) => id !== 'activity' && tabs.open.value.some((tab) => tab.id === id));
          if (activity && document !== undefined) tabs.activate(document);
        }}
      >
        <Icon name="edit" />
        Edit
      </button>
      {workbench.has('search') && (
        <button type="button" aria-current={side('search') ? 'page' : undefined} onClick={() => layout.show('search')}>
          <Icon name="search" />
          Search
        </button>
      )}
      {workbench.has('git', 'checkpoints') && (
        <button type="button" aria-current={side('changes') ? 'page' : undefined} onClick={() => layout.show('changes')}>
          <Icon name="branch" />
          Changes
          {changed > 0 && <span class="bdg num">{changed > 99 ? '99+' : changed}</span>}
        </button>
      )}
      {tasks.present.value === true && (
        <button type="button" aria-current={side('tasks') ? 'page' : undefined} onClick={() => showView(workbench, 'tasks')}>
          <Icon name="tasks" />
          Tasks
          {held > 0 && <span class="bdg num">{held > 99 ? '99+' : held}</span>}
        </button>
      )}
      <button type="button" aria-current={pane === 'main' && activity ? 'page' : undefined} onClick={() => workbench.openActivity()}>
        <Icon name="activity" />
        Activity
      </button>
    </nav>
  );
}
