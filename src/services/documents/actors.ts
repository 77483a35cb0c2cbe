import type { Cause } from '../../contract/events.ts';

/** Names kept of those who edited since the last save. */
const MAX_NAMES = 50;

export type Actor = NonNullable<Cause['who']>[number];

/** Those who changed a document since it was saved. */
export class Actors {
  readonly #byName = new Map<string, Actor>();

  add(actor: Actor): void {
    if (this.#byName.size < MAX_NAMES) this.#byName.set(actorName(actor), actor);
  }

  all(): Actor[] {
    return [...this.#byName.values()];
  }

  /** They are named in a save; what they do from now on is another. */
  forget(actors: readonly Actor[]): void {
    for (const actor of actors) this.#byName.delete(actorName(actor));
  }
}

/** A member is named `kind name` in its room. */
export function actorName(actor: Actor): string {
  return `${actor.kind} ${actor.name}`;
}

export function parseActor(name: string): Actor {
  const cut = name.indexOf(' ');
  return { kind: name.slice(0, cut) as Actor['kind'], name: name.slice(cut + 1) };
}

/** Of a save: who asked for it, if it was a call, beside those who typed. */
export function causeOf(cause: Cause | undefined, actors: readonly Actor[]): Cause {
  const others = actors.filter((actor) => !cause?.who?.some((who) => who.name === actor.name && who.kind === actor.kind));
  if (cause !== undefined && others.length === 0) return cause;
  const who = [...(cause?.who ?? []), ...others];
  const whole: Cause = { kind: 'document' };
  if (who.length > 0) whole.who = who;
  if (cause?.id !== undefined) whole.id = cause.id;
  return whole;
}
