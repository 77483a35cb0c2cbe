import { useSignal } from '@preact/signals';
import { type Actor, sayActor } from '../actor.ts';
import { startFollowing } from '../commands.ts';
import { nameOf } from '../file-paths.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Avatar } from './avatar.tsx';
import { Dialog } from './dialog.tsx';

function FollowButton({ actor }: { actor: Actor }) {
  const workbench = useWorkbench();
  const { follow, overlay } = workbench;
  const on = follow.who.value?.key === actor.key;
  return (
    <button
      type="button"
      class="btn sm"
      aria-label={`${on ? 'Stop following' : 'Follow'} ${actor.name}`}
      onClick={() => {
        overlay.value = undefined;
        if (on) follow.stop();
        else startFollowing(workbench, actor);
      }}
    >
      {on ? 'Stop following' : 'Follow'}
    </button>
  );
}

/** Who is here and where; those in the same document first. */
export function People() {
  const workbench = useWorkbench();
  const { presence, me, tabs } = workbench;
  const name = useSignal(me.value.name);
  const here = tabs.active.value?.kind === 'document' ? tabs.active.value.path : undefined;
  const others = presence.others.value.toSorted(
    (a, b) => Number(here !== undefined && b.paths.includes(here)) - Number(here !== undefined && a.paths.includes(here)),
  );
  const close = (): void => {
    workbench.overlay.value = undefined;
  };
  return (
    <Dialog label="Who is here" class="pop people" titled>
      <form
        class="me"
        onSubmit={(event) => {
          event.preventDefault();
          workbench.rename(name.value);
          close();
        }}
      >
        <Avatar actor={me.value} />
        <label class="unseen" for="my-name">
          Your name, as others see it
        </label>
        <input
          id="my-name"
          class="inp"
          data-first
          maxLength={40}
          value={name.value}
          onInput={(event) => (name.value = event.currentTarget.value)}
        />
        <button type="submit" class="btn" disabled={name.value.trim() === '' || name.value.trim() === me.value.name}>
          Rename me
        </button>
      </form>
      <ul class="lst">
        {others.map(({ actor, paths }) => (
          <li key={actor.key}>
            <button
              type="button"
              class="opt"
              onClick={() => {
                const path = here !== undefined && paths.includes(here) ? here : paths[0];
                close();
                if (path !== undefined) workbench.openFile(path);
              }}
            >
              <Avatar actor={actor} />
              <span class="ell">{sayActor(actor)}</span>
              <span class="faint sm grow ell">
                {here !== undefined && paths.includes(here) ? 'in the same file as you' : paths.map(nameOf).join(', ')}
              </span>
            </button>
            <FollowButton actor={actor} />
          </li>
        ))}
        {others.length === 0 && <li class="dim none">Nobody else has a document open. Whoever opens one shows up here.</li>}
      </ul>
    </Dialog>
  );
}
