import { useEffect } from 'preact/hooks';
import { Finder } from '../finder/finder.tsx';
import { lazyView } from '../lazy-view.tsx';
import { useTheme } from '../use-theme.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Centre } from './centre.tsx';
import { Dialog } from './dialog.tsx';
import { FocusHold } from './focus-hold.tsx';
import { handleChord, handleKey } from './key-handler.ts';
import { KeySheet } from './key-sheet.tsx';
import { LinkNotices } from './link-notices.tsx';
import { People } from './people.tsx';
import { PhoneNav } from './phone-nav.tsx';
import { Rail } from './rail.tsx';
import { RightPanel } from './right-panel.tsx';
import { SidePanel } from './side-panel.tsx';
import { Skeleton } from './skeleton.tsx';
import { StatusBar } from './status-bar.tsx';
import { ToastStack } from './toast-stack.tsx';
import { TokenView } from './token-view.tsx';
import { TopBar } from './top-bar.tsx';

const startDialog = lazyView<object>(() => import('../processes/start-dialog.tsx').then(({ StartDialog }) => StartDialog));

const settingsDialog = lazyView<object>(() => import('./settings-dialog.tsx').then(({ SettingsDialog }) => SettingsDialog));
const isolationDialog = lazyView<object>(() => import('../run/isolation-dialog.tsx').then(({ IsolationDialog }) => IsolationDialog));
const gitDialogs = lazyView(async () => (await import('../changes/git-dialogs.tsx')).GitDialogs);
/** Has the keys that are for the dialog that is being loaded. */
const dialogComes = (
  <Dialog label="One moment…" class="pop">
    <p class="hint">Loading…</p>
  </Dialog>
);

export function App() {
  const workbench = useWorkbench();
  const { layout, link, info, overlay } = workbench;
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => handleKey(workbench, event);
    const onChord = (event: KeyboardEvent): void => handleChord(workbench, event);
    addEventListener('keydown', onChord, { capture: true });
    addEventListener('keydown', onKey);
    return () => {
      removeEventListener('keydown', onChord, { capture: true });
      removeEventListener('keydown', onKey);
    };
  }, [workbench]);
  useTheme(layout.theme);
  const { value: size } = layout.preferences.codeSize;
  useEffect(() => {
    document.documentElement.dataset['code'] = size;
  }, [size]);
  const name = info.value?.workspace.name;
  useEffect(() => {
    document.title = name === undefined ? 'Outrigger' : `${name} · Outrigger`;
  }, [name]);

  const { value: state } = link.state;
  const { value: words } = link.words;
  if (state.name === 'refused')
    return (
      <>
        {/* Asked before it is drawn: what has the focus goes with that. */}
        <TokenView reason={state.error.reason} interrupts={document.activeElement !== document.body} />
        <ToastStack toasts={workbench.toasts} />
      </>
    );
  const known = info.value !== undefined;
  return (
    <div class="wb" data-link={words.tone} data-known={known} data-testid="workbench">
      <a class="skip" href="#main">
        Skip to editor
      </a>
      <TopBar />
      <div class="body" data-pane={layout.pane.value} data-side={layout.sideOpen.value} style={{ '--side': `${layout.side.value}px` }}>
        {known ? (
          <>
            <Rail />
            <SidePanel />
            <Centre />
            <RightPanel />
          </>
        ) : (
          <Skeleton shown={words.skeleton} />
        )}
      </div>
      <StatusBar />
      <PhoneNav />
      <LinkNotices />
      <FocusHold />
      {overlay.value?.name === 'find' && <Finder initial={overlay.value.text} />}
      {overlay.value?.name === 'keys' && <KeySheet />}
      {overlay.value?.name === 'settings' && <settingsDialog.View meanwhile={dialogComes} />}
      {overlay.value?.name === 'people' && <People />}
      {overlay.value?.name === 'start' && <startDialog.View meanwhile={dialogComes} />}
      {overlay.value?.name === 'isolation' && <isolationDialog.View meanwhile={dialogComes} />}
      {overlay.value?.name === 'git' && <gitDialogs.View dialog={overlay.value.dialog} meanwhile={dialogComes} />}
      <ToastStack toasts={workbench.toasts} />
    </div>
  );
}
