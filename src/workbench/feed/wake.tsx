import type { Change } from '../../contract/events.ts';
import { actorsOf, sayActor } from '../actor.ts';
import { nameOf } from '../file-paths.ts';
import { useWorkbench } from '../use-workbench.ts';
import { feedTime } from './feed-rows.ts';
import { wakeLength } from './feed-store.ts';

const heights = { changed: '', created: ' b', moved: ' b', removed: ' c' } as const;

/** The last revisions, one tick each, in the colour of who made them. */
export function Wake() {
  return <WakeOf changes={useWorkbench().feed.wake.value} />;
}

/** The newest of these. */
export function WakeOf({ changes: all }: { changes: readonly Change[] }) {
  const changes = all.slice(-wakeLength);
  return (
    <span
      class="wake"
      data-testid="wake"
      role="img"
      aria-label={changes.length === 0 ? 'No revisions yet' : `The last ${changes.length} revisions`}
      style={{ width: `${wakeLength * 4 - 1}px` }}
    >
      {changes.map((change) => (
        <Tick key={change.revision} change={change} />
      ))}
    </span>
  );
}

function Tick({ change }: { change: Change }) {
  const workbench = useWorkbench();
  const [actor] = actorsOf(change.cause);
  const color = actor === undefined ? undefined : workbench.presence.colorOf(actor);
  const words = `r${change.revision} · ${actor === undefined ? '' : sayActor(actor)} · ${nameOf(change.path)} · ${feedTime(change.at, workbench.now())} ago`;
  return (
    <i
      class={`${actor?.kind ?? ''}${heights[change.what]}${color === undefined ? ' o' : ` p${color}`}`}
      title={words}
      data-revision={change.revision}
    />
  );
}
