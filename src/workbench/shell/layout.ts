import { type Signal, signal } from '@preact/signals';
import type { Keep } from '../client-port.ts';
import { ThemeChoice } from '../theme-choice.ts';
import { Preferences } from './preferences.ts';

export type View = 'files' | 'search' | 'changes' | 'tasks' | 'activity';
/** What a phone shows: one of the views, the document, the bottom panel, or the right one. */
export type Pane = 'side' | 'main' | 'bottom' | 'right';
/** Where the focus is to go: `coming` is what the sidecar is asked for first. */
export type FocusPlace = Pane | 'coming' | 'newest run';

export const sideWidth = { initial: 264, least: 200, most: 480 } as const;
export const rightWidth = { initial: 344, least: 300, most: 560 } as const;
/** Of the document that stands beside another; at first both have half of the room. */
export const besideWidth = { least: 240, most: 2_000 } as const;

/**
 * What is shown where. Widths and choices are kept per workspace in this browser, what is open for each of its tabs, and the theme and
 * what is preferred for all workspaces.
 */
export class Layout {
  readonly view: Signal<View>;
  readonly sideOpen: Signal<boolean>;
  readonly side: Signal<number>;
  readonly rightOpen = signal(false);
  readonly right: Signal<number> = signal(rightWidth.initial);
  readonly beside: Signal<number | undefined> = signal(undefined);
  readonly pane: Signal<Pane> = signal('main');
  /** Who shows what was asked for there takes the focus, once. */
  readonly wantsFocus: Signal<FocusPlace | undefined> = signal(undefined);
  readonly theme: ThemeChoice;
  readonly preferences: Preferences;
  readonly #keep: Keep;
  readonly #tabKeep: Keep;
  #prefix = 'outrigger.';

  /** `tabKeep`: of this tab of the browser alone. */
  constructor(keep: Keep, tabKeep = keep) {
    this.#keep = keep;
    this.#tabKeep = tabKeep;
    this.view = signal('files');
    this.sideOpen = signal(true);
    this.side = signal<number>(sideWidth.initial);
    this.theme = new ThemeChoice(keep);
    this.preferences = new Preferences(keep);
  }

  /** Called once the workspace is known. */
  forWorkspace(id: string): void {
    this.#prefix = `outrigger.${id}.`;
    const width = Number(this.recall('side'));
    if (width >= sideWidth.least) this.side.value = Math.min(width, sideWidth.most);
    this.sideOpen.value = this.recall('side-open') !== 'no';
    const right = Number(this.recall('right'));
    if (right >= rightWidth.least) this.right.value = Math.min(right, rightWidth.most);
    this.rightOpen.value = this.recall('right-open') === 'yes';
    const beside = Number(this.recall('beside'));
    if (beside >= besideWidth.least) this.beside.value = Math.min(beside, besideWidth.most);
  }

  /** Shows a view; asked again for the one that is shown, hides the side panel. */
  show(view: View, toggle = false): void {
    const hide = toggle && this.sideOpen.value && this.view.value === view;
    this.view.value = view;
    this.setSideOpen(!hide);
    this.pane.value = 'side';
  }

  setSideOpen(open: boolean): void {
    this.sideOpen.value = open;
    this.remember('side-open', open ? undefined : 'no');
  }

  setSide(width: number): void {
    this.side.value = Math.round(Math.min(Math.max(width, sideWidth.least), sideWidth.most));
    this.remember('side', String(this.side.value));
  }

  /** On a phone it is one pane of several. */
  rightShown(phone: boolean): boolean {
    return phone ? this.pane.value === 'right' : this.rightOpen.value;
  }

  setRightOpen(open: boolean, phone: boolean): void {
    if (!open) this.leave('right');
    if (phone) {
      this.pane.value = open ? 'right' : 'main';
      return;
    }
    this.rightOpen.value = open;
    this.remember('right-open', open ? 'yes' : undefined);
  }

  /** What is hidden wants no focus. */
  leave(place: FocusPlace): void {
    if (this.wantsFocus.value === place) this.wantsFocus.value = undefined;
  }

  setRight(width: number): void {
    this.right.value = Math.round(Math.min(Math.max(width, rightWidth.least), rightWidth.most));
    this.remember('right', String(this.right.value));
  }

  setBeside(width: number): void {
    this.beside.value = Math.round(Math.min(Math.max(width, besideWidth.least), besideWidth.most));
    this.remember('beside', String(this.beside.value));
  }

  recall(name: string): string | null {
    return this.#keep.getItem(this.#prefix + name);
  }

  remember(name: string, value: string | undefined): void {
    if (value === undefined) this.#keep.removeItem(this.#prefix + name);
    else this.#keep.setItem(this.#prefix + name, value);
  }

  /** As this tab of the browser had it; a new one begins with what any had last. */
  recallOpen(name: string): string | null {
    return this.#tabKeep.getItem(this.#prefix + name) ?? this.recall(name);
  }

  /** What this tab showed already is no news to a new one: a reload only restores it. */
  rememberOpen(name: string, value: string): void {
    if (this.#tabKeep.getItem(this.#prefix + name) === value) return;
    this.#tabKeep.setItem(this.#prefix + name, value);
    this.remember(name, value);
  }
}
