import { useEffect } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { ToastStack } from '../shell/toast-stack.tsx';
import { count } from '../words.ts';
import { useTheme } from '../use-theme.ts';
import { AddTaskDialog } from './add-task-dialog.tsx';
import { RevokeDialog, SecretDialog } from './agent-dialogs.tsx';
import { AgentsPart } from './agents-part.tsx';
import { EnrolDialog } from './enrol-dialog.tsx';
import { Figures } from './figures.tsx';
import type { Fleet } from './fleet.ts';
import { HubTokenView } from './hub-token-view.tsx';
import { TaskPanel } from './task-panel.tsx';
import { TasksPart } from './tasks-part.tsx';
import { useFleet } from './use-fleet.ts';
import { useFocusPlace } from './use-focus-place.ts';

/** The page of a hub. */
export function FleetApp() {
  const fleet = useFleet();
  const { link, linkWords, theme, detail, toasts, hubAddress, agents, tasks } = fleet;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => handleKey(fleet, event);
    addEventListener('keydown', onKey);
    return () => removeEventListener('keydown', onKey);
  }, [fleet]);
  useTheme(theme);
  useFocusPlace();
  if (link.value.name === 'refused') return <HubTokenView />;
  const { tone, chip, notice } = linkWords.value;
  const isKnown = agents.value !== undefined && tasks.value !== undefined;
  return (
    <div class="hub" data-link={tone} data-known={isKnown} data-testid="fleet">
      <a class="skip" href="#fleet-main">
        Skip to the fleet
      </a>
      <header class="top">
        <div class="row start">
          <span class="brand">
            <Icon name="logo" />
          </span>
          <h1 class="ws">Hub</h1>
          <span class="faint pth ell">{new URL(hubAddress).host}</span>
        </div>
        <div class="row end">
          <span class="conn" role="status" data-testid="link">
            <i />
            {chip}
          </span>
          <button type="button" class="btn pri" onClick={() => (fleet.dialog.value = { name: 'enrol' })}>
            <Icon name="key" />
            <span class="hide-m">Enrol an agent</span>
            <span class="only-m">Enrol</span>
          </button>
          <button type="button" class="ib" aria-label="Switch theme (Alt T)" title="Switch theme (Alt T)" onClick={() => theme.switch()}>
            <Icon name="theme" />
          </button>
        </div>
      </header>
      <div class="main">
        <main class="pg" id="fleet-main" tabIndex={-1} aria-label="Fleet">
          <Figures />
          <AgentsPart />
          <TasksPart />
        </main>
        {detail.value !== undefined && <TaskPanel key={detail.value.id} detail={detail.value} />}
      </div>
      <StatusLine />
      {notice !== undefined && (
        <div class={tone === 'offline' ? 'banner bad' : 'banner'} role="status" data-testid="link-notice">
          <Icon name={tone === 'offline' ? 'off' : 'refresh'} />
          <span class="grow">
            <b>{notice.title}</b> {notice.text.split('`').map((part, index) => (index % 2 === 1 ? <code key={index}>{part}</code> : part))}
          </span>
          <button type="button" class="btn sm" onClick={() => fleet.client.connection.tryNow()}>
            Try now
          </button>
        </div>
      )}
      <Dialogs />
      <ToastStack toasts={toasts} />
    </div>
  );
}

function StatusLine() {
  const fleet = useFleet();
  const { agents, tasks, total, version } = fleet;
  const held = tasks.value?.size ?? 0;
  const facts = [
    agents.value === undefined ? '' : count(agents.value.size, 'agent'),
    tasks.value === undefined ? '' : count(total.value, 'task'),
    total.value > held && held > 0 ? `the newest ${held.toLocaleString('en')} are shown` : '',
  ];
  return (
    <footer class="status">
      <span class="ell num">{facts.filter((fact) => fact !== '').join(' · ')}</span>
      <span class="grow" />
      <span>
        <span class="kbd">/</span> filter <span class="kbd">↑</span> <span class="kbd">↓</span> move <span class="kbd">Enter</span> open
      </span>
      <span>{version.value === '' ? '' : `Outrigger ${version.value}`}</span>
    </footer>
  );
}

function Dialogs() {
  const { dialog } = useFleet();
  const { value: shown } = dialog;
  switch (shown?.name) {
    case 'enrol':
      return <EnrolDialog />;
    case 'add':
      return <AddTaskDialog />;
    case 'revoke':
      return <RevokeDialog agent={shown.agent} tasks={shown.tasks} />;
    case 'secret':
      return <SecretDialog agent={shown.agent} token={shown.token} />;
    default:
      return null;
  }
}

function handleKey(fleet: Fleet, event: KeyboardEvent): void {
  if (event.defaultPrevented || fleet.dialog.peek() !== undefined) return;
  const target = event.target instanceof Element ? event.target : undefined;
  const inText = target?.matches('input, textarea, select') === true;
  if (event.altKey && event.code === 'KeyT') fleet.theme.switch();
  else if (event.key === '/' && !inText) {
    // Of the table that one is in; else that of the tasks.
    const part = target?.closest('[data-part]') ?? document.querySelector('[data-part="tasks"]');
    const field = part?.querySelector<HTMLInputElement>('[data-filter]');
    field?.focus();
    field?.select();
  } else if (event.key === 'Escape') {
    if (fleet.detail.peek() === undefined) return;
    fleet.show(undefined);
  } else return;
  event.preventDefault();
}
