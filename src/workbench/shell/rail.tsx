import { showView } from '../commands.ts';
import type { Part } from '../parts.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { Icon } from './icon.tsx';
import { sayKey } from './keys.ts';
import type { View } from './layout.ts';

const views: readonly { view: View; title: string; icon: string; key: string; parts?: readonly Part[] }[] = [
  { view: 'files', title: 'Files', icon: 'files', key: 'Ctrl Shift E' },
  { view: 'search', title: 'Search', icon: 'search', key: 'Ctrl Shift F', parts: ['search'] },
  { view: 'changes', title: 'Source control', icon: 'branch', key: 'Ctrl Shift G', parts: ['git', 'checkpoints'] },
  { view: 'tasks', title: 'Tasks', icon: 'tasks', key: 'Ctrl Shift K' },
  { view: 'activity', title: 'Activity', icon: 'activity', key: 'Ctrl Shift Y' },
];

export function Rail() {
  const workbench = useWorkbench();
  const { layout, git, tasks } = workbench;
  const choose = (view: View): void => {
    if (layout.view.value === view && layout.sideOpen.value) return layout.setSideOpen(false);
    if (view === 'activity') workbench.openActivity();
    else showView(workbench, view);
  };
  const badges: Partial<Record<View, { number: number; words: string }>> = {
    changes: { number: git.letters.value.size, words: 'changed' },
    tasks: { number: tasks.held.value.length, words: 'held' },
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const tabs = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>('[role=tab]')];
    tabs[(tabs.indexOf(document.activeElement as HTMLElement) + step + tabs.length) % tabs.length]?.focus();
  };
  return (
    <nav class="rail" aria-label="Views">
      <div role="tablist" aria-orientation="vertical" aria-label="Views" onKeyDown={onKeyDown}>
        {views.map(({ view, title, icon, key, parts }) => {
          if (parts !== undefined && !workbench.has(...parts)) return null;
          if (view === 'tasks' && tasks.present.value !== true && layout.view.value !== 'tasks') return null;
          const selected = layout.view.value === view && layout.sideOpen.value;
          const { number = 0, words = '' } = badges[view] ?? {};
          return (
            <button
              key={view}
              type="button"
              role="tab"
              id={`rail-${view}`}
              aria-selected={selected}
              aria-controls={selected ? 'side-panel' : undefined}
              tabIndex={layout.view.value === view ? 0 : -1}
              aria-label={`${title}${number > 0 ? `, ${number} ${words}` : ''}`}
              title={`${title} (${sayKey(key, apple)})`}
              onClick={() => choose(view)}
            >
              <Icon name={icon} />
              {number > 0 && <span class="bdg num">{number > 99 ? '99+' : number}</span>}
            </button>
          );
        })}
      </div>
    </nav>
  );
}
