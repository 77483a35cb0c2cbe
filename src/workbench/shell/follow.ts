import { effect, type ReadonlySignal, type Signal, signal, untracked } from '@preact/signals';
import type { Actor } from '../actor.ts';
import { movedPath } from '../../core/moved-path.ts';
import type { Here } from './presence-store.ts';

export interface FollowDependencies {
  others: ReadonlySignal<readonly Here[]>;
  /** The document that is shown, if it is one that is shown. */
  shown: ReadonlySignal<string | undefined>;
  open: (path: string) => void;
}

/** The page goes where somebody else goes, until its own person goes elsewhere, types, or leaves it. */
export class Follow {
  readonly who: Signal<Actor | undefined> = signal(undefined);
  readonly #deps: FollowDependencies;
  /** The document that was gone to last; undefined before the first. */
  #went: string | undefined;

  constructor(dependencies: FollowDependencies) {
    this.#deps = dependencies;
    effect(() => {
      const { value: who } = this.who;
      if (who === undefined) return;
      const { value: shown } = dependencies.shown;
      const paths = dependencies.others.value.find(({ actor }) => actor.key === who.key)?.paths ?? [];
      untracked(() => this.#go(shown, paths));
    });
  }

  start(who: Actor): void {
    this.#went = undefined;
    this.who.value = who;
  }

  stop(): void {
    this.who.value = undefined;
  }

  moved(from: string, to: string): void {
    if (this.#went !== undefined) this.#went = movedPath(this.#went, from, to) ?? this.#went;
  }

  #go(shown: string | undefined, paths: readonly string[]): void {
    if (this.#went !== undefined && shown !== this.#went) return this.stop();
    // While they change from one document to another they are in both, or in neither.
    const path = shown !== undefined && paths.includes(shown) ? shown : paths.at(-1);
    if (path === undefined) return;
    this.#went = path;
    if (path !== shown) this.#deps.open(path);
  }
}
