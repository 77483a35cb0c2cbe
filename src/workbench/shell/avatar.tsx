import type { Actor } from '../actor.ts';
import { initial, sayActor } from '../actor.ts';
import { useWorkbench } from '../use-workbench.ts';
import { Icon } from './icon.tsx';

const signs: Partial<Record<Actor['kind'], string>> = { run: 'run', task: 'tasks', outside: 'jump' };

/** Who, by shape and colour: people round, agents square, runs a triangle, outside a dashed ring. */
export function Avatar({ actor, small = false }: { actor: Actor; small?: boolean }) {
  const { presence } = useWorkbench();
  const sign = signs[actor.kind];
  const color = presence.colorOf(actor);
  return (
    <span
      class={`av ${actor.kind}${small ? ' m' : ''}${color === undefined ? '' : ` p${color}`}`}
      aria-hidden="true"
      title={sayActor(actor)}
      // Drawn, not written: it is no part of the name of what it stands in.
      data-initial={sign === undefined ? initial(actor.name) : undefined}
    >
      {sign !== undefined && <Icon name={sign} small />}
    </span>
  );
}

const mostDots = 3;

/** Who is in a file: dots, three at most, then a number. */
export function Dots({ actors }: { actors: readonly Actor[] }) {
  const { presence } = useWorkbench();
  if (actors.length === 0) return null;
  const names = actors.map((actor) => `${sayActor(actor)} is here`).join(', ');
  return (
    <span class="dots" role="img" aria-label={names} title={names}>
      {actors.slice(0, mostDots).map((actor) => (
        <i key={actor.key} class={`dot ${actor.kind} p${presence.colorOf(actor) ?? 1}`} />
      ))}
      {actors.length > mostDots && <span class="xs faint">+{actors.length - mostDots}</span>}
    </span>
  );
}
