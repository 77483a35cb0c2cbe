import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
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

export function documentTab(path: string, preview = false): Tab {
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

/** The open tabs, the one that is shown, and the order in which they were looked at. */
export class Tabs {
  readonly open: Signal<readonly Tab[]> = signal([]);
  readonly activeId: Signal<string | undefined> = signal(undefined);
  readonly active: ReadonlySignal<Tab | undefined>;
  /** Ids, latest first; also of tabs that were closed, so that they can be gone back to. */
  readonly recent: Signal<readonly string[]> = signal([]);
  readonly #onClosed: (tab: Tab) => void;

  constructor(onClosed: (tab: Tab) => void) {
    this.#onClosed = onClosed;
    this.active = computed(() => this.open.value.find(({ id }) => id === this.activeId.value));
  }

  /** Opens it beside the tab that is shown, or goes to it. A preview takes the place of the one before. */
  show(tab: Tab): void {
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
    this.activate(tab.id);
  }

  activate(id: string): void {
    this.activeId.value = id;
    this.recent.value = [id, ...this.recent.value.filter((other) => other !== id)].slice(0, 50);
  }

  /** A preview that is worked in stays. */
  keep(id: string): void {
    this.open.value = this.open.value.map((tab) =>
      tab.id === id && tab.kind === 'document' && tab.preview ? { ...tab, preview: false } : tab,
    );
  }

  /** The tab looked at before takes its place. */
  close(id: string): void {
    const tabs = this.open.value;
    const at = tabs.findIndex((tab) => tab.id === id);
    const tab = tabs[at];
    if (tab === undefined) return;
    const left = tabs.toSpliced(at, 1);
    this.open.value = left;
    if (this.activeId.value === id) {
      const before = this.recent.value.find((other) => other !== id && left.some((one) => one.id === other));
      this.activeId.value = before ?? (left[at] ?? left[at - 1])?.id;
    }
    this.#onClosed(tab);
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
    this.open.value = onceEach(moved);
    this.recent.value = [...new Set(this.recent.value.map((id) => renamed.get(id) ?? id))];
    this.activeId.value = renamed.get(this.activeId.value ?? '') ?? this.activeId.value;
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
