import { sayActor } from '../actor.ts';
import { toggleBottom } from '../bottom/terminal-actions.ts';
import { bottomParts } from '../parts.ts';
import { count } from '../words.ts';
import { apple, keysOfCommands, useWorkbench } from '../use-workbench.ts';
import { Avatar } from './avatar.tsx';
import { doingName } from '../changes/git-store.ts';
import { Icon } from './icon.tsx';
import { sayKey } from './keys.ts';

const mostFaces = 6;
const mostFacesOnPhone = 3;

export function TopBar() {
  const workbench = useWorkbench();
  const { info } = workbench;
  const workspace = info.value?.workspace;
  return (
    <header class="top">
      <div class="row start">
        <span class="brand">
          <Icon name="logo" />
        </span>
        <h1 class="ws ell">
          {workbench.phone.value && workspace !== undefined ? (
            // There is no room for the field and the commands beside it.
            <button type="button" class="ell" onClick={() => (workbench.overlay.value = { name: 'find', text: '' })}>
              {workspace.name}
              <span class="unseen">: go to file, or &gt; for commands</span>
            </button>
          ) : (
            (workspace?.name ?? '')
          )}
        </h1>
        {workspace?.root !== undefined && <span class="faint ell pth">{shortRoot(workspace.root)}</span>}
        <Branch />
      </div>
      <div class="go">
        <button type="button" class="grow row" onClick={() => (workbench.overlay.value = { name: 'find', text: '' })}>
          <Icon name="search" />
          <span class="grow ell">{workbench.has('search') ? 'Go to file, symbol, text' : 'Go to file'}</span>
          <span class="kbd">{sayKey('Ctrl P', apple)}</span>
        </button>
        <button type="button" class="row" title="All commands" onClick={() => (workbench.overlay.value = { name: 'find', text: '>' })}>
          <span class="ell">Commands</span>
          <span class="kbd">{sayKey(keysOfCommands[0], apple)}</span>
        </button>
      </div>
      <div class="row end">
        {info.value !== undefined && <Faces />}
        {workbench.readOnly.value && (
          <span class="chip warn ro" data-testid="read-only">
            <Icon name="lock" small />
            <span>Read only</span>
          </span>
        )}
        <LinkChip />
        {workbench.phone.value && info.value !== undefined && workbench.has(...bottomParts) && (
          <button
            type="button"
            class="ib"
            aria-label="Terminals and processes"
            aria-pressed={workbench.bottom.shown.value}
            onClick={() => toggleBottom(workbench)}
          >
            <Icon name="term" />
          </button>
        )}
        <button
          type="button"
          class="ib"
          aria-label={`Switch theme (${sayKey('Alt T', apple)})`}
          title="Switch theme"
          onClick={() => workbench.layout.theme.switch()}
        >
          <Icon name="theme" />
        </button>
      </div>
    </header>
  );
}

function Branch() {
  const workbench = useWorkbench();
  const { git, remotes } = workbench;
  const { value: status } = git.status;
  if (status === undefined || !status.repository) return null;
  const name = status.branch ?? (status.head === null ? 'no commits yet' : status.head.slice(0, 7));
  const { ahead = 0, behind = 0, doing } = status;
  const apart = `${ahead > 0 ? `↑${ahead}` : ''}${ahead > 0 && behind > 0 ? ' ' : ''}${behind > 0 ? `↓${behind}` : ''}`;
  const said =
    status.branch === null
      ? `Detached HEAD at ${name}`
      : `On branch ${name}${status.upstream === undefined ? '' : `, follows ${status.upstream}`}`;
  return (
    <button
      type="button"
      class="bran"
      data-testid="branch"
      title={said}
      aria-haspopup="dialog"
      onClick={() => (workbench.overlay.value = { name: 'git', dialog: { kind: 'branches' } })}
    >
      {remotes.job.value === undefined ? <Icon name="branch" /> : <i class="spin" />}
      <span class="ell">{name}</span> {doing !== undefined && <span class="chip warn">{doingName(doing)}</span>}{' '}
      {apart !== '' && <span class="num xs">{apart}</span>} <span class="unseen">Branches</span>
    </button>
  );
}

function Faces() {
  const workbench = useWorkbench();
  const { presence, me, phone } = workbench;
  const { value: others } = presence.others;
  const everyone = [{ actor: me.value }, ...others.filter(({ actor }) => actor.key !== me.value.key)];
  const faces = everyone.slice(0, phone.value ? mostFacesOnPhone : mostFaces);
  const rest = everyone.length - faces.length;
  const firstAgent = faces.findIndex(({ actor }) => actor.kind === 'agent');
  const names = everyone.map(({ actor }, index) => (index === 0 ? `you (${actor.name})` : sayActor(actor))).join(', ');
  return (
    <button
      type="button"
      class="avs"
      aria-label={`Here: ${names}`}
      data-testid="people"
      onClick={() => (workbench.overlay.value = { name: 'people' })}
    >
      {faces.map(({ actor }, index) => (
        <span key={actor.key} class={`face${index === 0 ? ' me' : ''}`}>
          {index === firstAgent && index > 0 && <i class="sepv" />}
          <Avatar actor={actor} />
        </span>
      ))}
      {rest > 0 && <span class="xs num">+{rest}</span>}
    </button>
  );
}

function LinkChip() {
  const workbench = useWorkbench();
  const { value: words } = workbench.link.words;
  return (
    <>
      <button
        type="button"
        class="conn"
        aria-label={words.name}
        title={words.tone === 'live' ? 'The sidecar is reached' : 'Try now'}
        data-testid="link"
        onClick={() => workbench.tryNow()}
      >
        <i />
        <span class="ct">{words.chip}</span>
      </button>
      <span class="unseen" role="status">
        {words.tone === 'live' ? words.chip : words.name}
      </span>
    </>
  );
}

function shortRoot(root: string): string {
  return root.replace(/^\/(?:home|Users)\/[^/]+/, '~').replace(/^\/root(?=\/|$)/, '~');
}

/** `3 people and 2 agents are here` */
export function sayHere(people: number, agents: number): string {
  const parts = [...(people > 0 ? [count(people, 'person', 'people')] : []), ...(agents > 0 ? [count(agents, 'agent')] : [])];
  return `${parts.join(' and ')} ${people + agents === 1 ? 'is' : 'are'} here.`;
}
