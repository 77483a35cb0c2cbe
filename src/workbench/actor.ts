import type { Cause } from '../contract/events.ts';
import { shownName } from './shown-name.ts';

/** What made a change, as it is shown: people round, agents square, runs a triangle, tasks a list, outside a dashed ring. */
export type ActorKind = 'person' | 'agent' | 'run' | 'task' | 'outside';

export interface Actor {
  /** One for each who: what folding, filters and colours go by. */
  key: string;
  kind: ActorKind;
  name: string;
}

const outside: Actor = { key: 'outside', kind: 'outside', name: 'Outside' };

/** Everyone who took part; the first leads. */
export function actorsOf(cause: Cause): Actor[] {
  if (cause.kind === 'outside') return [outside];
  if (cause.kind === 'run') return [{ key: 'run', kind: 'run', name: cause.id === undefined ? 'A run' : `Run ${cause.id}` }];
  if (cause.kind === 'task') return [{ key: 'task', kind: 'task', name: cause.id === undefined ? 'A task' : `Task ${cause.id}` }];
  const known = (cause.who ?? []).map(({ name, kind }) => actorNamed(name, kind));
  return known.length > 0 ? known : [{ key: 'agent:Outrigger', kind: 'agent', name: 'Outrigger' }];
}

export function actorNamed(called: string, kind: string): Actor {
  const name = shownName(called);
  if (kind === 'run' || kind === 'task') return { key: kind, kind, name };
  return kind === 'person' ? { key: `person:${name}`, kind, name } : { key: `agent:${name}`, kind: 'agent', name };
}

/** How the actor is named in a sentence. */
export function sayActor(actor: Actor): string {
  return actor.kind === 'agent' ? `agent: ${actor.name}` : actor.name;
}

/** One letter for an avatar: the first that people would call a letter. */
export function initial(name: string): string {
  const [first] = new Intl.Segmenter(undefined, { granularity: 'grapheme' }).segment(name.trim());
  return (first?.segment ?? '?').toUpperCase();
}
