import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { BottomPanel } from '../bottom/bottom-panel.tsx';
import { toggleBottom } from '../bottom/terminal-actions.ts';
import { canStandBeside, toggleBeside } from '../commands.ts';
import { DiffPane } from '../changes/diff-pane.tsx';
import { DocumentPane } from '../documents/document-pane.tsx';
import { fileKind, isPicture } from '../documents/file-kinds.ts';
import { ActivityPane } from '../feed/activity-pane.tsx';
import { revisionRange } from '../feed/feed-rows.ts';
import { nameOf } from '../file-paths.ts';
import { shownName } from '../shown-name.ts';
import { lazyView } from '../lazy-view.tsx';
import { bottomParts } from '../parts.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { RunButton } from '../run/run-button.tsx';
import type { Workbench } from '../workbench.ts';
import { Dots } from './avatar.tsx';
import { Icon } from './icon.tsx';
import { sayKey } from './keys.ts';
import { besideWidth } from './layout.ts';
import { toggleRight } from './right-actions.ts';
import { changeIn, type Tab } from './tabs.ts';
import { EmptyWorkspace, Welcome } from './welcome.tsx';
import { WidthSplitter } from './width-splitter.tsx';

const conflictPane = lazyView(async () => (await import('../changes/conflict-pane.tsx')).ConflictPane);
const commitPane = lazyView(async () => (await import('../changes/commit-pane.tsx')).CommitPane);
const checkpointPane = lazyView(async () => (await import('../checkpoints/checkpoint-pane.tsx')).CheckpointPane);
const taskPane = lazyView(async () => (await import('../tasks/task-pane.tsx')).TaskPane);

export function Centre() {
  const workbench = useWorkbench();
  const { tabs, tree, phone } = workbench;
  const { value: active } = tabs.active;
  const tab = phone.value ? active : tabs.main.value;
  const beside = phone.value ? undefined : tabs.beside.value;
  const wasUsed = useRef(false);
  useEffect(() => {
    // What had it was in what was shown before. A page that was only loaded has it nowhere.
    if (wasUsed.current && document.activeElement === document.body) workbench.focusMain();
  }, [active?.id]);
  return (
    <main class="centre" id="main" aria-label="Documents" onFocusIn={() => (wasUsed.current = true)}>
      <TabBar />
      {tab === undefined ? (
        // Neither before it is known which.
        tree.empty.value === undefined && tree.problem.value === undefined ? null : tree.empty.value === true ? (
          <EmptyWorkspace />
        ) : (
          <Welcome />
        )
      ) : (
        <div class="places">
          <div class="pane" role="tabpanel" id="document-panel" aria-labelledby={tabId(tab)} {...whereUsed(workbench, tab)}>
            {tab.kind === 'document' && <DocumentPane path={tab.path} />}
            {tab.kind === 'diff' && <DiffPane key={tab.id} path={tab.path} from={tab.from} against={tab.against} />}
            {tab.kind === 'conflict' && <conflictPane.View key={tab.id} path={tab.path} />}
            {tab.kind === 'commit' && <commitPane.View key={tab.id} hash={tab.hash} subject={tab.subject} />}
            {tab.kind === 'checkpoint' && <checkpointPane.View key={tab.id} checkpoint={tab.checkpoint} title={tab.title} />}
            {tab.kind === 'task' && <taskPane.View key={tab.id} id={tab.task} />}
            {tab.kind === 'activity' && <ActivityPane />}
          </div>
          {beside?.kind === 'document' && <Beside tab={beside} />}
        </div>
      )}
      <BottomPanel />
    </main>
  );
}

/** A document at the right of what is in the main place. */
function Beside({ tab }: { tab: Extract<Tab, { kind: 'document' }> }) {
  const workbench = useWorkbench();
  const { layout } = workbench;
  const box = useRef<HTMLDivElement>(null);
  const half = useSignal<number>(besideWidth.least);
  useLayoutEffect(() => {
    half.value = Math.round((box.current?.parentElement?.clientWidth ?? 0) / 2);
  }, []);
  const width = layout.beside.value ?? half.value;
  return (
    <div
      class="pane beside"
      role="tabpanel"
      id="beside-panel"
      aria-labelledby={tabId(tab)}
      style={{ '--beside': `${width}px` }}
      ref={box}
      {...whereUsed(workbench, tab)}
    >
      <WidthSplitter
        left
        label="Width of the document beside"
        width={width}
        range={{ ...besideWidth, initial: half.value }}
        set={(to) => layout.setBeside(to)}
      />
      <DocumentPane path={tab.path} />
    </div>
  );
}

/** Of the two in sight the one that is worked in is the one that is meant. */
function whereUsed({ tabs, layout }: Workbench, { id }: Tab): { onFocusIn: () => void; onPointerDown: () => void } {
  return {
    // Not where a dialog gives the focus back, and what it opened is about to take it.
    onFocusIn: () => {
      if (layout.wantsFocus.value !== 'main') tabs.activate(id);
    },
    onPointerDown: () => tabs.activate(id),
  };
}

function tabId({ id }: Tab): string {
  return `tab-${encodeURIComponent(id)}`;
}

function tabTitle(tab: Tab): string {
  if (tab.kind === 'document') return shownName(nameOf(tab.path));
  if (tab.kind === 'diff') return `${shownName(nameOf(tab.path))} ↔ ${sayAgainst(tab)}`;
  if (tab.kind === 'conflict') return `${shownName(nameOf(tab.path))}: conflict`;
  if (tab.kind === 'checkpoint' || tab.kind === 'task') return tab.title;
  return tab.kind === 'commit' ? tab.hash.slice(0, 7) : 'Activity';
}

function sayAgainst({ against }: Extract<Tab, { kind: 'diff' }>): string {
  if (against === undefined) return 'HEAD';
  if (against === 'index' || against === 'staged') return against;
  const change = changeIn(against);
  if (change !== undefined) return revisionRange(change);
  return against.startsWith('commit:') ? against.slice('commit:'.length, 'commit:'.length + 7) : 'checkpoint';
}

function tabIcon(tab: Tab): string {
  if (tab.kind === 'activity') return 'activity';
  if (tab.kind === 'task') return 'tasks';
  if (tab.kind === 'checkpoint') return 'clock';
  if (tab.kind === 'conflict') return 'warn';
  return tab.kind === 'commit' ? 'branch' : fileKind(tab.path).icon;
}

function TabBar() {
  const workbench = useWorkbench();
  const { tabs, git, drawn } = workbench;
  const bar = useRef<HTMLDivElement>(null);
  const { value: active } = tabs.activeId;
  const { value: tab } = tabs.active;
  // A picture has its own tools.
  const text = tab?.kind === 'document' && !isPicture(tab.path) && !drawn.value.has(tab.path);
  useEffect(() => {
    const { current } = bar;
    if (current === null) return;
    // Also when its tools take room from it.
    const observer = new ResizeObserver(() => {
      current.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    });
    observer.observe(current);
    return () => observer.disconnect();
  }, [active, tabs.open.value]);
  const besideWords = tabs.beside.value === undefined ? 'Show this document beside the other' : 'Show one document alone';
  const onKeyDown = (event: KeyboardEvent): void => {
    const list = [...(bar.current?.querySelectorAll<HTMLElement>('[role=tab]') ?? [])];
    const at = list.indexOf(document.activeElement as HTMLElement);
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const to =
      step !== 0 ? (at + step + list.length) % list.length : event.key === 'Home' ? 0 : event.key === 'End' ? list.length - 1 : undefined;
    if (to !== undefined) {
      event.preventDefault();
      const next = tabs.open.value[to];
      if (next !== undefined) tabs.activate(next.id);
      list[to]?.focus();
    } else if (event.key === 'Delete' && active !== undefined) {
      event.preventDefault();
      tabs.close(active);
      requestAnimationFrame(() => bar.current?.querySelector<HTMLElement>('[aria-selected=true]')?.focus());
    }
  };
  return (
    <div class="tabs">
      <div
        role={tabs.open.value.length > 0 ? 'tablist' : 'none'}
        aria-label={tabs.open.value.length > 0 ? 'Open documents' : undefined}
        ref={bar}
        onKeyDown={onKeyDown}
      >
        {tabs.open.value.map((one) => (
          <TabButton key={one.id} tab={one} selected={one.id === active} panel={panelOf(workbench, one)} />
        ))}
      </div>
      <div class="tools">
        {text && git.status.value?.repository === true && (
          <button
            type="button"
            class="ib"
            aria-label={`Compare with HEAD (${sayKey('Alt D', apple)})`}
            title={`Compare with HEAD (${sayKey('Alt D', apple)})`}
            onClick={() => workbench.openDiff(tab.path)}
          >
            <Icon name="diff" />
          </button>
        )}
        {text && (
          <a class="ib" aria-label="Download" title="Download" href={workbench.fileUrl(tab.path)} download={nameOf(tab.path)}>
            <Icon name="dl" />
          </a>
        )}
        {canStandBeside(workbench) && (
          <button
            type="button"
            class="ib"
            aria-label={`${besideWords} (${sayKey('Ctrl \\', apple)})`}
            title={`${besideWords} (${sayKey('Ctrl \\', apple)})`}
            onClick={() => toggleBeside(workbench)}
          >
            <Icon name="beside" />
          </button>
        )}
        {text && <RunButton path={tab.path} />}
        <button
          type="button"
          class="ib"
          aria-label={`History (${sayKey('Alt H', apple)})`}
          title={`History (${sayKey('Alt H', apple)})`}
          aria-expanded={workbench.layout.rightOpen.value}
          onClick={() => toggleRight(workbench)}
        >
          <Icon name="clock" />
        </button>
        {workbench.has(...bottomParts) && (
          <button
            type="button"
            class="ib"
            aria-label={`Terminals and processes (${sayKey('Ctrl J', apple)})`}
            title={`Terminals and processes (${sayKey('Ctrl J', apple)})`}
            aria-expanded={workbench.bottom.shown.value}
            onClick={() => toggleBottom(workbench)}
          >
            <Icon name="bottom" />
          </button>
        )}
      </div>
    </div>
  );
}

/** Where it is in sight, if it is. */
function panelOf({ tabs, phone }: Workbench, { id }: Tab): 'document-panel' | 'beside-panel' | undefined {
  if (phone.value) return id === tabs.activeId.value ? 'document-panel' : undefined;
  if (id === tabs.besideId.value) return 'beside-panel';
  return id === tabs.mainId.value ? 'document-panel' : undefined;
}

interface TabButtonProps {
  tab: Tab;
  selected: boolean;
  panel: ReturnType<typeof panelOf>;
}

function TabButton({ tab, selected, panel }: TabButtonProps) {
  const workbench = useWorkbench();
  const { tabs, presence } = workbench;
  const people = tab.kind === 'document' ? presence.byPath.value.get(tab.path) : undefined;
  const title = tabTitle(tab);
  const close = (): void => tabs.close(tab.id);
  return (
    <button
      type="button"
      class={`tab${tab.kind === 'document' && tab.preview ? ' preview' : ''}${panel === undefined || selected ? '' : ' seen'}`}
      role="tab"
      id={tabId(tab)}
      aria-selected={selected}
      aria-controls={panel}
      tabIndex={selected ? 0 : -1}
      title={tab.kind === 'document' || tab.kind === 'diff' ? tab.path : title}
      onClick={() => {
        tabs.activate(tab.id);
        if (selected) workbench.focusMain();
      }}
      onDblClick={() => tabs.keep(tab.id)}
      onAuxClick={(event) => {
        if (event.button === 1) close();
      }}
    >
      <Icon name={panel === 'beside-panel' ? 'beside' : tabIcon(tab)} />
      <span class="ell" dir="auto">
        {title}
      </span>
      {people !== undefined && <Dots actors={people} />}
      <span
        class="x"
        aria-hidden="true"
        title={`Close (${sayKey('Alt W', apple)})`}
        onClick={(event) => {
          event.stopPropagation();
          close();
        }}
      >
        <Icon name="x" small />
      </span>
    </button>
  );
}
