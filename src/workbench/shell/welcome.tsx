import { useLayoutEffect, useRef } from 'preact/hooks';
import { newEntry } from '../commands.ts';
import { nameOf } from '../file-paths.ts';
import { addSample } from '../files/add-sample.ts';
import { useFileDrop } from '../files/file-drop.ts';
import { shownName } from '../shown-name.ts';
import { apple, keysOfCommands, useWorkbench } from '../use-workbench.ts';
import { count, longTime } from '../words.ts';
import { Icon } from './icon.tsx';
import { sayKey } from './keys.ts';
import { sayHere } from './top-bar.tsx';

export function Welcome() {
  const workbench = useWorkbench();
  const { info, presence, feed, lastVisit, tabs, git } = workbench;
  const { value: others } = presence.others;
  const people = 1 + others.filter(({ actor }) => actor.kind === 'person').length;
  const agents = others.filter(({ actor }) => actor.kind === 'agent').length;
  const news =
    lastVisit === undefined
      ? undefined
      : feed.rows.value.filter(({ at }) => at > lastVisit).reduce((sum, { first, last }) => sum + last - first + 1, 0);
  const recent = tabs.recent.value.find((id) => id.startsWith('document:'))?.slice('document:'.length);
  const changed = git.letters.value.size;
  return (
    <div class="mid">
      <div class="card" data-testid="welcome">
        <h2>{info.value?.workspace.name}</h2>
        <p>
          {others.length === 0 ? 'Nobody else is in a document now.' : sayHere(people, agents)}
          {news !== undefined &&
            news > 0 &&
            lastVisit !== undefined &&
            ` ${count(news, 'revision')} since your last visit ${longTime(lastVisit, workbench.now())}.`}
        </p>
        <div class="wl">
          <button type="button" data-focus onClick={() => (workbench.overlay.value = { name: 'find', text: '' })}>
            <Icon name="search" />
            <span class="grow">Go to file</span>
            <span class="kbd">{sayKey('Ctrl P', apple)}</span>
          </button>
          <button type="button" onClick={() => (workbench.overlay.value = { name: 'find', text: '>' })}>
            <Icon name="cmd" />
            <span class="grow">All commands</span>
            <span class="kbd">{sayKey(keysOfCommands[0], apple)}</span>
          </button>
          {recent !== undefined && (
            <button type="button" onClick={() => workbench.openFile(recent)}>
              <Icon name="files" />
              <span class="grow ell">Continue in {shownName(nameOf(recent))}</span>
              <span class="kbd">{sayKey('Ctrl E', apple)}</span>
            </button>
          )}
          {changed > 0 && (
            <button type="button" onClick={() => workbench.layout.show('changes')}>
              <Icon name="branch" />
              <span class="grow">See what is not committed: {count(changed, 'file')}</span>
              <span class="kbd">{sayKey('Ctrl Shift G', apple)}</span>
            </button>
          )}
          <button type="button" onClick={() => workbench.openActivity()}>
            <Icon name="activity" />
            <span class="grow">See what changed</span>
            <span class="kbd">{sayKey('Ctrl Shift Y', apple)}</span>
          </button>
          <button type="button" class="for-keys" onClick={() => (workbench.overlay.value = { name: 'keys' })}>
            <Icon name="key" />
            <span class="grow">All keys</span>
            <span class="kbd">?</span>
          </button>
        </div>
      </div>
    </div>
  );
}

export function EmptyWorkspace() {
  const workbench = useWorkbench();
  const { client, clone, readOnly, toasts } = workbench;
  const { value: info } = workbench.info;
  const root = info?.workspace.root;
  const drop = useFileDrop();
  const sample = async (): Promise<void> => {
    if (await addSample(client, toasts)) workbench.openFile('README.md');
  };
  const canClone = workbench.canExecute.value && workbench.has('git') && !workbench.git.missing.value;
  return (
    <div class={drop.over ? 'mid dropping' : 'mid'} {...drop.on}>
      <div class="card" data-testid="empty">
        <div class="ico">
          <Icon name="folder" />
        </div>
        <h2>This folder is empty</h2>
        {readOnly.value ? (
          <p>Files that appear in it show up here at once, whoever makes them.</p>
        ) : (
          <p>
            Make a file, {canClone && 'clone a repository into it, '}or drop files here. Everything is watched, versioned and shared from
            the first byte.
          </p>
        )}
        {root !== undefined && (
          <dl class="kv">
            <dt>Folder</dt>
            <dd class="path">{root}</dd>
          </dl>
        )}
        {!readOnly.value && clone.state.value !== undefined && <Cloning {...clone.state.value} />}
        {!readOnly.value && clone.state.value === undefined && (
          <div class="btns">
            <button type="button" class="btn pri" data-focus onClick={() => newEntry(workbench, 'file')}>
              <Icon name="plus" />
              New file
            </button>
            <button type="button" class="btn" onClick={() => newEntry(workbench, 'directory')}>
              <Icon name="newfolder" />
              New folder
            </button>
            {canClone && (
              <button type="button" class="btn" onClick={() => clone.ask()}>
                <Icon name="branch" />
                Clone a repository
              </button>
            )}
            {info?.caller.paths === undefined && (
              <button type="button" class="btn" onClick={() => void sample()}>
                <Icon name="doc" />
                Add the sample project
              </button>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** In the place of the buttons: a file that is made meanwhile would be in its way. */
function Cloning({ phase, percent }: { phase: string; percent: number | null }) {
  const workbench = useWorkbench();
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const { current } = box;
    return () => {
      // Its button goes: who used it goes on with what comes in its place.
      if (current?.contains(document.activeElement) === true) workbench.focusMain();
    };
  }, []);
  return (
    <div class="btns row" role="status" data-testid="cloning" ref={box}>
      <i class="spin" aria-hidden="true" />
      <span class="grow ell">
        Cloning{phase === '' ? '…' : `: ${phase.toLowerCase()}`}
        {percent !== null && <span class="num"> {percent} %</span>}
      </span>
      <button type="button" class="btn" data-focus onClick={() => workbench.clone.cancel()}>
        Stop
      </button>
    </div>
  );
}
