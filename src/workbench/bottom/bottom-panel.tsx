import { useEffect, useRef } from 'preact/hooks';
import { lazyView } from '../lazy-view.tsx';
import { isRunning } from '../processes/process-words.ts';
import { Avatar } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { sayKey } from '../shell/keys.ts';
import { Meanwhile } from '../shell/meanwhile.tsx';
import { sharing } from '../terminals/terminal-words.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import { closeTerminal, hideBottom, newTerminal } from './terminal-actions.ts';
import { bottomHeight, type BottomTab, type FixedTab, terminalOf, terminalTab } from './bottom-store.ts';

const step = 16;
/** Who looks at terminals that are not shown here is asked for so often. */
const viewersMs = 5_000;

const terminalView = lazyView<{ id: string }>(() => import('../terminals/terminal-view.tsx').then(({ TerminalView }) => TerminalView));
const processesView = lazyView<object>(() => import('../processes/processes-view.tsx').then(({ ProcessesView }) => ProcessesView));
const runView = lazyView<object>(() => import('../run/run-view.tsx').then(({ RunView }) => RunView));
const problemsView = lazyView<object>(() => import('../problems/problems-view.tsx').then(({ ProblemsView }) => ProblemsView));
const deployView = lazyView<object>(() => import('../deploy/deploy-view.tsx').then(({ DeployView }) => DeployView));

/** Terminals, runs, processes and deployments, under the documents; on a phone a pane of its own. */
export function BottomPanel() {
  const workbench = useWorkbench();
  const { bottom, processes, terminals } = workbench;
  const shown = bottom.shown.value;
  const { value: tab } = bottom.tab;
  const terminal = terminalOf(tab);
  const known = processes.all.value !== undefined;
  const gone = terminal !== undefined && known && processes.get(terminal) === undefined;
  useEffect(() => {
    // Closed, here or by somebody else: what stood beside it takes its place.
    if (shown && gone) leaveTab(workbench);
  }, [shown, gone]);
  const several = processes.terminals.value.length > 1;
  useEffect(() => {
    if (!shown || !several) return;
    const timer = setInterval(() => void terminals.refresh(), viewersMs);
    return () => clearInterval(timer);
  }, [shown, several]);
  if (!shown) return null;
  return (
    <section class="bot" id="bottom" aria-label="Terminals and processes" style={{ '--bottom': `${bottom.height.value}px` }}>
      <Splitter />
      <Bar />
      <div class="bot-pane" role="tabpanel" id="bottom-panel" aria-labelledby={tabId(tab)}>
        {terminal !== undefined && known && !gone && (
          <terminalView.View key={terminal} id={terminal} meanwhile={<Meanwhile text="Opening the terminal…" />} />
        )}
        {tab === 'run' && <runView.View meanwhile={<Meanwhile text="Loading…" />} />}
        {tab === 'processes' && <processesView.View meanwhile={<Meanwhile text="Loading…" />} />}
        {tab === 'problems' && <problemsView.View meanwhile={<Meanwhile text="Loading…" />} />}
        {tab === 'deploy' && <deployView.View meanwhile={<Meanwhile text="Loading…" />} />}
      </div>
    </section>
  );
}

function leaveTab(workbench: Workbench): void {
  const { bottom, processes } = workbench;
  const focused = document.querySelector('.bot')?.contains(document.activeElement) === true || document.activeElement === document.body;
  const [next] = processes.terminals.value;
  bottom.show(next === undefined ? 'processes' : terminalTab(next.id), focused);
}

function tabId(tab: BottomTab): string {
  return `bottom-${tab.replace(/[^\w-]/g, '-')}`;
}

function Bar() {
  const workbench = useWorkbench();
  const { bottom, processes, problems, run, canExecute } = workbench;
  const bar = useRef<HTMLDivElement>(null);
  const { value: tab } = bottom.tab;
  const running = processes.running.value;
  const offers = (name: FixedTab): boolean => bottom.fixed.value.includes(name);
  // In the order in which they were opened: news do not move them.
  const open = processes.terminals.value.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const tabs: BottomTab[] = [...open.map(({ id }) => terminalTab(id)), ...bottom.fixed.value];
  useEffect(() => {
    bar.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [tab, tabs.length]);
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = tabs.indexOf(tab);
    const by = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const to =
      by !== 0 ? (at + by + tabs.length) % tabs.length : event.key === 'Home' ? 0 : event.key === 'End' ? tabs.length - 1 : undefined;
    const next = to === undefined ? undefined : tabs[to];
    if (next !== undefined) {
      event.preventDefault();
      bottom.show(next, false);
      requestAnimationFrame(() => bar.current?.querySelector<HTMLElement>('[aria-selected=true]')?.focus());
    } else if (event.key === 'Delete' && terminalOf(tab) !== undefined && canExecute.value) {
      event.preventDefault();
      void closeTerminal(workbench, terminalOf(tab) ?? '');
    } else if (event.key === 'Enter' || event.key === ' ' || event.key === 'ArrowDown') {
      event.preventDefault();
      bottom.show(tab);
    }
  };
  return (
    <div class="bt">
      <div role="tablist" aria-label="Bottom panel" class="bt-tabs" ref={bar} onKeyDown={onKeyDown}>
        {open.map((process) => (
          <TerminalTab key={process.id} id={process.id} title={process.title} over={!isRunning(process)} />
        ))}
        {offers('run') && (
          <TabButton tab="run">
            Run
            {run.busy.value && (
              <span class="stt running" title="A run is under way">
                <i />
              </span>
            )}
          </TabButton>
        )}
        {offers('processes') && (
          <TabButton tab="processes">
            Processes
            {running > 0 && (
              <span class="count" title={`${running} running`}>
                {running}
              </span>
            )}
          </TabButton>
        )}
        {offers('problems') && (
          <TabButton tab="problems">
            Problems
            {problems.all.value.length > 0 && <span class="count">{problems.all.value.length.toLocaleString('en')}</span>}
          </TabButton>
        )}
        {offers('deploy') && <TabButton tab="deploy">Deploy</TabButton>}
      </div>
      {canExecute.value && workbench.has('terminals') && (
        <button type="button" class="ib" aria-label="New terminal" title="New terminal" onClick={() => void newTerminal(workbench)}>
          <Icon name="plus" />
        </button>
      )}
      <span class="grow" />
      <Shared />
      <button
        type="button"
        class="ib"
        aria-label={`Close panel (${sayKey('Ctrl J', apple)})`}
        title={`Close panel (${sayKey('Ctrl J', apple)})`}
        onClick={() => hideBottom(workbench)}
      >
        <Icon name="x" />
      </button>
    </div>
  );
}

function TabButton({ tab, children }: { tab: BottomTab; children: preact.ComponentChildren }) {
  const { bottom } = useWorkbench();
  const selected = bottom.tab.value === tab;
  return (
    <button
      type="button"
      role="tab"
      id={tabId(tab)}
      aria-selected={selected}
      aria-controls={selected ? 'bottom-panel' : undefined}
      tabIndex={selected ? 0 : -1}
      onClick={() => bottom.show(tab)}
    >
      {children}
    </button>
  );
}

function TerminalTab({ id, title, over }: { id: string; title: string; over: boolean }) {
  const workbench = useWorkbench();
  const { terminals, caller } = workbench;
  const words = terminals.title({ id, title });
  const { others } = sharing(terminals.facts.value.get(id)?.viewers ?? [], caller.value);
  return (
    <TabButton tab={terminalTab(id)}>
      <Icon name="term" small />
      <span class={`ell${over ? ' faint' : ''}`} dir="auto" title={words}>
        {words}
      </span>
      {over && <span class="unseen">, ended</span>}
      {others.slice(0, 3).map((actor) => (
        <Avatar key={actor.key} actor={actor} small />
      ))}
      {workbench.canExecute.value && (
        <span
          class="x"
          aria-hidden="true"
          title="Close (Del)"
          onClick={(event) => {
            event.stopPropagation();
            void closeTerminal(workbench, id);
          }}
        >
          <Icon name="x" small />
        </span>
      )}
    </TabButton>
  );
}

/** With whom the terminal is shared, and how large it is for all of them. */
function Shared() {
  const { bottom, terminals, caller } = useWorkbench();
  const id = terminalOf(bottom.tab.value);
  const facts = id === undefined ? undefined : terminals.facts.value.get(id);
  if (facts === undefined) return null;
  const { text } = sharing(facts.viewers, caller.value);
  const size = facts.size === undefined ? '' : `${facts.size.columns} × ${facts.size.rows}`;
  return (
    <span class="xs faint ell num hide-m" data-testid="terminal-shared">
      {[text, size].filter((part) => part !== '').join(' · ')}
    </span>
  );
}

function Splitter() {
  const { bottom } = useWorkbench();
  const handle = useRef<HTMLDivElement>(null);
  const room = (): number => handle.current?.closest('.centre')?.clientHeight ?? innerHeight;
  const onPointerDown = (event: PointerEvent): void => {
    const target = event.currentTarget as HTMLElement;
    // Else the browser begins to select text, or to drag, and takes the pointer away.
    event.preventDefault();
    target.focus({ preventScroll: true });
    const from = event.clientY + bottom.height.value;
    target.setPointerCapture(event.pointerId);
    const onMove = (move: PointerEvent): void => bottom.setHeight(from - move.clientY, room());
    target.addEventListener('pointermove', onMove);
    target.addEventListener('lostpointercapture', () => target.removeEventListener('pointermove', onMove), { once: true });
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const by = event.key === 'ArrowUp' ? step : event.key === 'ArrowDown' ? -step : 0;
    if (by === 0) return;
    event.preventDefault();
    bottom.setHeight(bottom.height.value + by, room());
  };
  return (
    <div
      class="splitter across"
      role="separator"
      aria-orientation="horizontal"
      aria-label="Height of the bottom panel"
      aria-valuenow={bottom.height.value}
      aria-valuemin={bottomHeight.least}
      tabIndex={0}
      ref={handle}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
      onDblClick={() => bottom.setHeight(bottomHeight.initial, room())}
    />
  );
}
