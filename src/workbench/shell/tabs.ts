import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { movedPath } from '../../core/moved-path.ts';

/**
 * What a file is compared with: the working copy with the index, the index with HEAD, a commit with its parent, the working copy with a checkpoint, what it
 * held after changes in a row with what it had held before the first of them.
 */
export type DiffAgainst = 'index' | 'staged' | `commit:${string}` | `checkpoint:${number}` | `change:${number}-${number}`;

/** Of changes in a row, by the revisions of the first and the last. */
export function changeAgainst({ first, last }: { first: number; last: number }): DiffAgainst {
  return `change:${first}-${last}`;
}

/** The revisions that `changeAgainst` was made of. */
export function changeIn(against: DiffAgainst | undefined): { first: number; last: number } | undefined {
  const [, first, last] = /^change:(\d+)-(\d+)$/.exec(against ?? '') ?? [];
  return first === undefined || last === undefined ? undefined : { first: Number(first), last: Number(last) };
}

export type Tab =
  | { id: string; kind: 'document'; path: string; preview: boolean }
  | { id: string; kind: 'diff'; path: string; from: string | undefined; against?: DiffAgainst }
  | { id: string; kind: 'conflict'; path: string }
  | { id: string; kind: 'commit'; hash: string; subject: string }
  | { id: string; kind: 'checkpoint'; checkpoint: number; title: string }
  | { id: string; kind: 'task'; task: string; title: string }
  | { id: string; kind: 'activity' };

export function documentTab(path: string, preview = false): Extract<Tab, { kind: 'document' }> {
  return { id: `document:${path}`, kind: 'document', path, preview };
}

/** `from`: where a renamed file was. Without `against` the working copy stands beside HEAD. */
export function diffTab(path: string, from?: string, against?: DiffAgainst): Tab {
  if (against === undefined) return { id: `diff:${path}`, kind: 'diff', path, from };
  return { id: `diff:${against}:${path}`, kind: 'diff', path, from, against };
}

export function taskTab(task: string, title: string): Tab {
  return { id: `task:${task}`, kind: 'task', task, title };
}

export const activityTab: Tab = { id: 'activity', kind: 'activity' };

/** The open tabs, the one in the main place, the document that may stand beside it, and the order in which they were looked at. */
export class Tabs {
  readonly open: Signal<readonly Tab[]> = signal([]);
  readonly mainId: Signal<string | undefined> = signal(undefined);
  readonly besideId: Signal<string | undefined> = signal(undefined);
  /** The one that is worked in is the one beside. */
  readonly isBeside: Signal<boolean> = signal(false);
  /** Of the two the one that is worked in. */
  readonly activeId: ReadonlySignal<string | undefined>;
  readonly active: ReadonlySignal<Tab | undefined>;
  readonly main: ReadonlySignal<Tab | undefined>;
  readonly beside: ReadonlySignal<Tab | undefined>;
  /** Ids, latest first; also of tabs that were closed, so that they can be gone back to. */
  readonly recent: Signal<readonly string[]> = signal([]);
  readonly #onClosed: (tab: Tab) => void;

  constructor(onClosed: (tab: Tab) => void) {
    this.#onClosed = onClosed;
    const tabOf = (id: string | undefined): Tab | undefined => this.open.value.find((tab) => tab.id === id);
    this.activeId = computed(() => (this.isBeside.value ? this.besideId.value : this.mainId.value));
    this.active = computed(() => tabOf(this.activeId.value));
    this.main = computed(() => tabOf(this.mainId.value));
    this.beside = computed(() => tabOf(this.besideId.value));
  }

  /** Opens it beside the tab that is shown, or goes to it. A preview takes the place of the one before. */
  show(tab: Tab): void {
    batch(() => {
      this.#add(tab);
      this.activate(tab.id);
    });
  }

  /** The same at the side, where only one stands, and stays; the first of all has the main place. */
  showBeside(tab: Tab): void {
    batch(() => {
      this.#add(tab);
      this.keep(tab.id);
      if (this.mainId.value === tab.id)
        this.mainId.value = this.#lookedAtBefore(tab.id) ?? this.open.value.find(({ id }) => id !== tab.id)?.id;
      if (this.mainId.value !== undefined) this.besideId.value = tab.id;
      this.activate(tab.id);
    });
  }

  /** What stood at the side stays open. */
  leaveBeside(): void {
    batch(() => {
      this.besideId.value = undefined;
      this.isBeside.value = false;
    });
  }

  #add(tab: Tab): void {
    const tabs = this.open.value;
    const known = tabs.find(({ id }) => id === tab.id);
    if (known === undefined) {
      const previewed = isPreview(tab) ? tabs.findIndex(isPreview) : -1;
      if (previewed >= 0) {
        const [gone] = tabs.slice(previewed, previewed + 1);
        this.open.value = tabs.with(previewed, tab);
        if (gone !== undefined) this.#onClosed(gone);
      } else {
        const after = tabs.findIndex(({ id }) => id === this.activeId.value);
        this.open.value = tabs.toSpliced(after < 0 ? tabs.length : after + 1, 0, tab);
      }
    } else if (isPreview(known) && !isPreview(tab)) this.keep(known.id);
  }

  activate(id: string): void {
    if (id === this.activeId.value && id === this.recent.value[0]) return;
    batch(() => {
      this.isBeside.value = id === this.besideId.value;
      if (!this.isBeside.value) this.mainId.value = id;
      this.recent.value = [id, ...this.recent.value.filter((other) => other !== id)].slice(0, 50);
    });
  }

  /** A preview that is worked in stays. */
  keep(id: string): void {
    if (!this.open.value.some((tab) => tab.id === id && isPreview(tab))) return;
    this.open.value = this.open.value.map((tab) =>
      tab.id === id && tab.kind === 'document' && tab.preview ? { ...tab, preview: false } : tab,
    );
  }

  /** The tab looked at before takes its place; without another the one at the side does. */
  close(id: string): void {
    const tabs = this.open.value;
    const at = tabs.findIndex((tab) => tab.id === id);
    const tab = tabs[at];
    if (tab === undefined) return;
    batch(() => {
      const left = tabs.toSpliced(at, 1);
      this.open.value = left;
      if (this.besideId.value === id) this.leaveBeside();
      else if (this.mainId.value === id) {
        this.mainId.value = this.#lookedAtBefore(id) ?? (left[at] ?? left[at - 1])?.id;
        if (this.mainId.value === this.besideId.value) this.leaveBeside();
      }
    });
    this.#onClosed(tab);
  }

  #lookedAtBefore(id: string): string | undefined {
    const { value: beside } = this.besideId;
    return this.recent.value.find((other) => other !== id && other !== beside && this.open.value.some((one) => one.id === other));
  }

  /** The next tab in the order of the bar, around its ends. */
  step(by: number): void {
    const tabs = this.open.value;
    if (tabs.length === 0) return;
    const at = tabs.findIndex(({ id }) => id === this.activeId.value);
    const next = tabs[(at + by + tabs.length) % tabs.length];
    if (next !== undefined) this.activate(next.id);
  }

  moved(from: string, to: string): void {
    const renamed = new Map<string, string>();
    const moved = this.open.value.map((tab) => {
      // What a commit did has the name that it had then.
      if ((tab.kind !== 'document' && tab.kind !== 'diff') || (tab.kind === 'diff' && tab.against?.startsWith('commit:') === true))
        return tab;
      const path = movedPath(tab.path, from, to);
      if (path === undefined) return tab;
      const id = tab.kind === 'diff' ? diffTab(path, tab.from, tab.against).id : `${tab.kind}:${path}`;
      renamed.set(tab.id, id);
      return { ...tab, id, path };
    });
    if (renamed.size === 0) return;
    const nameNow = (id: string | undefined): string | undefined => renamed.get(id ?? '') ?? id;
    batch(() => {
      this.open.value = onceEach(moved);
      this.recent.value = [...new Set(this.recent.value.map((id) => renamed.get(id) ?? id))];
      this.mainId.value = nameNow(this.mainId.value);
      this.besideId.value = nameNow(this.besideId.value);
      if (this.mainId.value === this.besideId.value) this.leaveBeside();
    });
  }
}

/** Where a file was moved over another that is open, both have one tab; a preview gives way to one that stays. */
function onceEach(tabs: readonly Tab[]): Tab[] {
  const byId = new Map<string, Tab>();
  for (const tab of tabs) {
    const known = byId.get(tab.id);
    if (known === undefined || isPreview(known)) byId.set(tab.id, tab);
  }
  return [...byId.values()];
}

function isPreview(tab: Tab): boolean {
  return tab.kind === 'document' && tab.preview;
}
