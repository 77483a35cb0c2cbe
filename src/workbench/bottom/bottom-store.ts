import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { Layout } from '../shell/layout.ts';

/** Those that are always there, where their parts of the sidecar run. */
export const fixedTabs = ['run', 'processes', 'problems', 'deploy'] as const;
export type FixedTab = (typeof fixedTabs)[number];
export type BottomTab = FixedTab | `terminal:${string}`;

export const bottomHeight = { initial: 212, least: 96, mostShare: 0.6 } as const;

export function terminalTab(id: string): BottomTab {
  return `terminal:${id}`;
}

/** The terminal that a tab shows. */
export function terminalOf(tab: BottomTab): string | undefined {
  return tab.startsWith('terminal:') ? tab.slice('terminal:'.length) : undefined;
}

/** What the panel under the documents shows; kept per workspace in this browser. */
export class BottomStore {
  readonly open = signal(false);
  readonly height: Signal<number> = signal(bottomHeight.initial);
  readonly tab: Signal<BottomTab> = signal('processes');
  readonly fixed: Signal<readonly FixedTab[]> = signal(fixedTabs);
  /** The process whose log takes the place of the table. */
  readonly log: Signal<string | undefined> = signal(undefined);
  /** Whose log was shown last: the focus goes back to its row. */
  lastLog: string | undefined;
  /** Terminals are read out. */
  readonly screenReader = signal(false);
  /** On a phone it is one pane of several. */
  readonly shown: ReadonlySignal<boolean>;
  readonly #layout: Layout;
  readonly #phone: ReadonlySignal<boolean>;

  constructor(layout: Layout, phone: ReadonlySignal<boolean>) {
    this.#layout = layout;
    this.#phone = phone;
    this.shown = computed(() => (phone.value ? layout.pane.value === 'bottom' : this.open.value));
  }

  /** Called once the workspace is known, with the tabs that there is a part for. */
  recall(fixed: readonly FixedTab[] = fixedTabs): void {
    const height = Number(this.#layout.recall('bottom'));
    if (height >= bottomHeight.least) this.height.value = height;
    this.fixed.value = fixed;
    const [first] = fixed;
    this.open.value = first !== undefined && this.#layout.recall('bottom-open') === 'yes';
    this.screenReader.value = this.#layout.recall('screen-reader') === 'yes';
    const tab = this.#layout.recall('bottom-tab');
    if (tab?.startsWith('terminal:') === true || fixedTabs.includes(tab as FixedTab)) this.tab.value = tab as BottomTab;
    if (first !== undefined && !fixed.includes(this.tab.value as FixedTab) && terminalOf(this.tab.value) === undefined)
      this.tab.value = first;
  }

  show(tab: BottomTab = this.tab.value, focus = true): void {
    this.tab.value = tab;
    this.#layout.remember('bottom-tab', tab);
    if (this.#phone.value) this.#layout.pane.value = 'bottom';
    else {
      this.open.value = true;
      this.#layout.remember('bottom-open', 'yes');
    }
    if (focus) this.#layout.wantsFocus.value = 'bottom';
  }

  showLog(id: string): void {
    this.log.value = id;
    this.show('processes');
  }

  /** Back from a log. */
  showTable(): void {
    this.lastLog = this.log.value ?? this.lastLog;
    this.log.value = undefined;
    this.show('processes');
  }

  hide(): void {
    this.#layout.leave('bottom');
    if (this.#phone.value) this.#layout.pane.value = 'main';
    else {
      this.open.value = false;
      this.#layout.remember('bottom-open', undefined);
    }
  }

  setScreenReader(on: boolean): void {
    this.screenReader.value = on;
    this.#layout.remember('screen-reader', on ? 'yes' : undefined);
  }

  /** Nobody has chosen a height. */
  get isFirstHeight(): boolean {
    return this.#layout.recall('bottom') === null;
  }

  /** `room`: of the panel and what is above it, px. */
  setHeight(height: number, room: number): void {
    const most = Math.max(bottomHeight.least, Math.floor(room * bottomHeight.mostShare));
    this.height.value = Math.round(Math.min(Math.max(height, bottomHeight.least), most));
    this.#layout.remember('bottom', String(this.height.value));
  }
}
