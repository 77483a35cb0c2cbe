import { type Actor, actorNamed, sayActor } from '../actor.ts';
import { list } from '../words.ts';

export interface Viewer {
  name: string;
  kind: string;
}

export interface Sharing {
  /** Who else looks, each once. */
  others: readonly Actor[];
  /** `Shared with guest and agent: fixer`; empty when nobody else looks. */
  text: string;
}

/** Who else looks at a terminal. Who goes by my name can't be told from another window of mine. */
export function sharing(viewers: readonly Viewer[], me: Viewer | undefined): Sharing {
  const mine = viewers.filter(({ name, kind }) => name === me?.name && kind === me.kind).length;
  const others = new Map(
    viewers
      .filter(({ name, kind }) => name !== me?.name || kind !== me.kind)
      .map(({ name, kind }) => actorNamed(name, kind))
      .map((actor) => [actor.key, actor]),
  );
  const names = [...others.values()].map(sayActor);
  if (mine > 1) names.push(mine === 2 ? 'another window' : `${mine - 1} other windows`);
  return { others: [...others.values()], text: names.length === 0 ? '' : `Shared with ${list(names)}` };
}
