import { signal } from '@preact/signals';
import type { Layout } from '../shell/layout.ts';

/** The commit that is being written: kept while other views are looked at. */
export class Draft {
  readonly message = signal('');
  readonly amend = signal(false);
  /** Those who edited the files are named. */
  readonly withOthers = signal(true);
  /** Changed files are listed by their folders. */
  readonly byFolder = signal(false);
  readonly #layout: Pick<Layout, 'remember' | 'recall'>;

  constructor(layout: Pick<Layout, 'remember' | 'recall'>) {
    this.#layout = layout;
  }

  /** Called once the workspace is known. */
  recall(): void {
    this.withOthers.value = this.#layout.recall('co-authors') !== 'no';
    this.byFolder.value = this.#layout.recall('by-folder') === 'yes';
  }

  /** A commit was made of this; what was typed or chosen meanwhile is the next one's. */
  committed({ message, amend }: { message: string; amend: boolean }): void {
    if (this.message.value === message) this.message.value = '';
    if (amend) this.amend.value = false;
  }

  setWithOthers(on: boolean): void {
    this.withOthers.value = on;
    this.#layout.remember('co-authors', on ? undefined : 'no');
  }

  setByFolder(on: boolean): void {
    this.byFolder.value = on;
    this.#layout.remember('by-folder', on ? 'yes' : undefined);
  }
}
