import { type Signal, signal } from '@preact/signals';
import type { Keep } from '../client-port.ts';

export const codeSizes = ['small', 'usual', 'large', 'larger'] as const;
export type CodeSize = (typeof codeSizes)[number];
/** Spaces a step; undefined: as is usual in the file's language. */
export const indentWidths = [undefined, 2, 4, 8] as const;
export type IndentWidth = (typeof indentWidths)[number];

const PREFIX = 'outrigger.';

/** How a person wants texts to look, on all pages of this browser. */
export class Preferences {
  readonly codeSize: Signal<CodeSize> = signal('usual');
  /** Undefined: lines are broken on a phone alone. */
  readonly wrap: Signal<boolean | undefined> = signal(undefined);
  readonly indentWidth: Signal<IndentWidth> = signal(undefined);
  readonly #keep: Keep;

  constructor(keep: Keep) {
    this.#keep = keep;
    for (const name of names) this.#take(name, keep.getItem(PREFIX + name));
  }

  set(name: PreferenceName, value: string | undefined): void {
    this.#take(name, value ?? null);
    if (value === undefined) this.#keep.removeItem(PREFIX + name);
    else this.#keep.setItem(PREFIX + name, value);
  }

  /** Another tab of this browser has stored something; without a key it has forgotten all. */
  stored({ key, newValue }: Pick<StorageEvent, 'key' | 'newValue'>): void {
    for (const name of names) if (key === null || key === PREFIX + name) this.#take(name, newValue);
  }

  #take(name: PreferenceName, kept: string | null): void {
    if (name === 'code-size') this.codeSize.value = codeSizes.find((size) => size === kept) ?? 'usual';
    else if (name === 'wrap') this.wrap.value = kept === 'yes' ? true : kept === 'no' ? false : undefined;
    else this.indentWidth.value = indentWidths.find((width) => String(width) === kept);
  }
}

const names = ['code-size', 'wrap', 'indent'] as const;
type PreferenceName = (typeof names)[number];
