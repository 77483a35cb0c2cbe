import { type Signal, signal } from '@preact/signals';
import type { Change } from '../../contract/events.ts';
import { errorFacts, isAway, isCanceled, type WorkbenchClient } from '../client-port.ts';
import { movedPath } from '../../core/moved-path.ts';
import { foldersAbove, isWithin, nameOf, parentOf } from '../file-paths.ts';
import { type TreeEntry, TreeModel, type TreeNode } from './tree-model.ts';

export type Editing = { what: 'new'; kind: 'file' | 'directory'; folder: string; row: TreeNode } | { what: 'rename'; row: TreeNode };

const mostEntries = 200_000;
/** Of the folders that were open, when the page is loaded. */
const listedAtOnce = 16;

/** The tree that is shown: the model, what is selected and edited, and the folders as they are listed. */
export class TreeStore {
  readonly model = new TreeModel();
  /** Raised, at most once a frame, when rows came, went or moved. */
  readonly version = signal(0);
  /** The path whose row has the focus. */
  readonly focused: Signal<string | undefined> = signal(undefined);
  /** More than one row can be chosen; the focused one is one of them. */
  readonly selected: Signal<ReadonlySet<string>> = signal(new Set());
  readonly editing: Signal<Editing | undefined> = signal(undefined);
  /** Folders being listed. */
  readonly listing: Signal<ReadonlySet<string>> = signal(new Set());
  /** Undefined until the workspace was listed once. */
  readonly empty: Signal<boolean | undefined> = signal(undefined);
  readonly problem: Signal<string | undefined> = signal(undefined);
  readonly #listings = new Map<string, Promise<void>>();
  /** By folder that is being listed, what was told meanwhile: the list may be of before. */
  readonly #meanwhile = new Map<string, Change[]>();
  /** Folders being listed that are to be listed once more: what was told meanwhile is not all. */
  readonly #stale = new Set<string>();
  /** Folders that could not be listed, and why. */
  readonly #failed = new Map<string, unknown>();
  readonly #client: WorkbenchClient;
  readonly #opened: () => void;
  readonly #notListed: (folder: string, error: unknown) => void;
  /** Where a range of selected rows begins: what was selected last by itself. */
  #anchor: string | undefined;
  /** What was selected besides the range. */
  #besides: ReadonlySet<string> = new Set();
  #raising = false;
  /** What the caller is limited to. */
  #paths: readonly string[] | undefined;
  #isStarting = false;
  /** Names that were begun to be given: the last one counts. */
  #begun = 0;

  /** `onNotListed`: of a folder that was opened, and stands there as empty. */
  constructor(
    client: WorkbenchClient,
    onOpenedFolders: () => void,
    onNotListed: (folder: string, error: unknown) => void = () => undefined,
  ) {
    this.#client = client;
    this.#opened = onOpenedFolders;
    this.#notListed = onNotListed;
  }

  /** Lists the workspace, or what lies at the paths that the caller is limited to, then the folders that were open when it was left. */
  async start(openFolders: readonly string[], paths?: readonly string[]): Promise<void> {
    this.#paths = paths;
    this.#isStarting = true;
    await this.list('');
    const waiting = new Set(openFolders.filter((folder) => folder !== ''));
    while (waiting.size > 0) {
      const listable = [...waiting].filter((folder) => !waiting.has(parentOf(folder))).slice(0, listedAtOnce);
      await Promise.all(listable.map((folder) => this.expand(folder)));
      for (const folder of listable) waiting.delete(folder);
    }
    this.#isStarting = false;
    this.#tell();
  }

  /** While it starts, those that were open are still the open ones: not all are listed yet. */
  #tell(): void {
    if (!this.#isStarting) this.#opened();
  }

  /** Lists a folder anew, or waits for the list that is on its way. What can't be listed is shown as empty, with the reason, and listed when the link is back. */
  async list(folder: string): Promise<void> {
    const listing = this.#listings.get(folder) ?? this.#list(folder);
    this.#listings.set(folder, listing);
    await listing;
  }

  async #list(folder: string): Promise<void> {
    this.listing.value = new Set(this.listing.value).add(folder);
    const meanwhile: Change[] = [];
    this.#meanwhile.set(folder, meanwhile);
    let place = folder;
    do {
      this.#stale.delete(folder);
      meanwhile.length = 0;
      await this.#listOnce(folder, meanwhile);
      place = meanwhile.reduce(placeAfter, place);
    } while (this.#stale.has(folder) && place === folder);
    this.#stale.delete(folder);
    this.#meanwhile.delete(folder);
    this.#listings.delete(folder);
    const listing = new Set(this.listing.value);
    listing.delete(folder);
    this.listing.value = listing;
    this.changed();
    if (place === folder) return;
    // It was moved: what was listed may be of what took its place.
    if (this.model.get(folder)?.kind === 'directory') await this.list(folder);
    await this.list(place);
  }

  async #listOnce(folder: string, meanwhile: readonly Change[]): Promise<void> {
    const isThere = (): boolean => meanwhile.reduce(placeAfter, folder) === folder;
    try {
      const entries = await this.#entriesOf(folder);
      if (isThere()) this.model.setChildren(folder, afterChanges(entries, meanwhile, folder));
      this.#failed.delete(folder);
      if (folder === '') this.problem.value = undefined;
    } catch (error) {
      const { reason, message } = errorFacts(error);
      if (folder === '' && !isCanceled(error)) this.problem.value = message;
      if (reason !== 'FILE_NOT_FOUND') this.#failed.set(folder, error);
      else if (isThere()) this.model.remove(folder);
    }
  }

  /** What could not be listed before: the link is back. */
  async listFailed(): Promise<void> {
    const folders = [...this.#failed.keys()];
    this.#failed.clear();
    for (const folder of folders) if (this.model.get(folder) !== undefined) await this.list(folder);
  }

  async #entriesOf(folder: string): Promise<TreeEntry[]> {
    const entries: TreeEntry[] = [];
    const paths = this.#paths ?? [''];
    if (paths.some((path) => isWithin(path, folder))) {
      const stream = this.#client.stream('files.list', { path: folder, limit: mostEntries });
      for await (const { path, kind, ignored } of stream) if (!isHidden(path)) entries.push({ path, kind, ignored });
      return entries;
    }
    // Of a folder that may not be looked into, what stands on the way is known.
    const steps = new Set(paths.filter((path) => isWithin(folder, path)).map((path) => stepInto(folder, path)));
    for (const path of steps) {
      if (!paths.includes(path)) entries.push({ path, kind: 'directory' });
      else {
        const { entry } = await this.#client.call('files.stat', { path });
        if (entry !== undefined) entries.push({ path, kind: entry.kind });
      }
    }
    return entries;
  }

  /** All listed folders anew, after changes that nobody can tell. */
  async listAgain(): Promise<void> {
    const folders: string[] = [];
    const visit = (node: TreeNode): void => {
      if (node.children === undefined) return;
      folders.push(node.path);
      for (const child of node.children) visit(child);
    };
    visit(this.model.root);
    for (const folder of this.listing.value) this.#stale.add(folder);
    for (const folder of folders) if (this.model.get(folder) !== undefined) await this.list(folder);
  }

  async expand(path: string): Promise<void> {
    const node = this.model.get(path);
    if (node?.kind !== 'directory') return;
    if (node.children === undefined) await this.list(path);
    const problem = this.#failed.get(path);
    // That the link is away is told by itself.
    if (problem !== undefined && !isAway(problem)) this.#notListed(path, problem);
    this.model.expand(node);
    // A folder that only holds a folder is but a step on the way to it.
    const [only, more] = node.children ?? [];
    if (only?.kind === 'directory' && more === undefined && !only.expanded) return this.expand(only.path);
    this.changed();
    this.#tell();
  }

  collapse(path: string): void {
    const node = this.model.get(path);
    if (node === undefined) return;
    this.model.collapse(node);
    if (this.focused.value?.startsWith(`${path}/`) === true) this.select(path);
    this.changed();
    this.#tell();
  }

  collapseAll(): void {
    for (const child of this.model.root.children ?? []) this.model.collapse(child);
    const top = this.focused.value?.split('/')[0];
    if (top !== undefined) this.select(top);
    this.changed();
    this.#tell();
  }

  get openFolders(): string[] {
    const open: string[] = [];
    const visit = (node: TreeNode): void => {
      for (const child of node.children ?? []) {
        if (!child.expanded) continue;
        open.push(child.path);
        visit(child);
      }
    };
    visit(this.model.root);
    return open;
  }

  /** Opens the folders above a path and focuses it; false when it is not there. */
  async reveal(path: string): Promise<boolean> {
    for (const folder of foldersAbove(path).reverse()) await this.expand(folder);
    if (this.model.get(path) === undefined) return false;
    this.select(path);
    return true;
  }

  select(path: string, more = false): void {
    const selected = new Set(more ? this.selected.value : []);
    if (more && selected.has(path) && selected.size > 1) selected.delete(path);
    else selected.add(path);
    this.focused.value = path;
    this.selected.value = selected;
    this.#anchor = path;
    this.#besides = new Set(more ? selected : []);
  }

  /** The rows from the one that was selected last by itself; those of the range before are no longer selected. */
  selectRange(to: string): void {
    const from = this.model.get(this.#anchor ?? this.focused.value ?? '');
    const end = this.model.get(to);
    if (from === undefined || end === undefined) return this.select(to);
    const [low, high] = [this.model.indexOf(from), this.model.indexOf(end)].sort((a, b) => a - b) as [number, number];
    const range = this.model.rows(low, high + 1).map(({ path }) => path);
    this.selected.value = new Set([...this.#besides, ...range]);
    this.focused.value = to;
  }

  /** `isWanted`: asked when the folder is listed; nothing begins where who wanted it has gone on meanwhile. */
  async beginNew(folder: string, kind: 'file' | 'directory', isWanted = (): boolean => true): Promise<void> {
    this.endEditing();
    this.#begun += 1;
    const mine = this.#begun;
    if (folder !== '') await this.expand(folder);
    if (mine !== this.#begun || !isWanted()) return;
    const row = this.model.insertDraft(folder, kind);
    if (row === undefined) return;
    this.editing.value = { what: 'new', kind, folder, row };
    this.changed();
  }

  beginRename(path: string): void {
    this.endEditing();
    this.#begun += 1;
    const row = this.model.get(path);
    if (row !== undefined) this.editing.value = { what: 'rename', row };
  }

  endEditing(): void {
    const { value: editing } = this.editing;
    this.editing.value = undefined;
    if (editing?.what === 'new') {
      this.model.remove(editing.row.path);
      this.changed();
    }
  }

  apply(change: Change): void {
    if (isHidden(change.path)) return;
    for (const [folder, told] of this.#meanwhile) if (concerns(change, folder)) told.push(change);
    const { path, what, kind, from } = change;
    if (what === 'moved' && from !== undefined) {
      if (!this.model.rename(from, path)) this.model.insert({ path, kind });
      this.#followMove(from, path);
    } else if (what === 'removed') this.removed(path);
    else if (!this.model.insert({ path, kind })) return;
    this.changed();
  }

  /** Takes the row out; the focus goes to the row that takes its place. */
  removed(path: string): void {
    const node = this.model.get(path);
    if (node === undefined) return;
    const index = this.model.indexOf(node);
    const held = this.focused.value === path || this.focused.value?.startsWith(`${path}/`) === true;
    this.model.remove(path);
    const selected = new Set([...this.selected.value].filter((known) => known !== path && !known.startsWith(`${path}/`)));
    this.selected.value = selected;
    if (held) {
      const next = index < 0 ? undefined : (this.model.at(index) ?? this.model.at(index - 1));
      if (next !== undefined) this.select(next.path);
      else this.focused.value = undefined;
    }
    this.changed();
  }

  #followMove(from: string, to: string): void {
    const follow = (path: string): string => movedPath(path, from, to) ?? path;
    if (this.focused.value !== undefined) this.focused.value = follow(this.focused.value);
    if (this.#anchor !== undefined) this.#anchor = follow(this.#anchor);
    this.#besides = new Set([...this.#besides].map(follow));
    this.selected.value = new Set([...this.selected.value].map(follow));
  }

  /** The folder that something new goes to. */
  get folderOfFocus(): string {
    const node = this.model.get(this.focused.value ?? '');
    if (node === undefined || node === this.model.root) return '';
    return node.kind === 'directory' ? node.path : parentOf(node.path);
  }

  changed(): void {
    if (this.#raising) return;
    this.#raising = true;
    const soon = globalThis.requestAnimationFrame ?? ((run: () => void) => setTimeout(run, 16));
    const raise = (): void => {
      this.#raising = false;
      this.empty.value = this.model.root.children === undefined ? undefined : this.model.root.children.length === 0;
      this.version.value += 1;
    };
    if (globalThis.document?.hidden === true) setTimeout(raise, 100);
    else soon(raise);
  }
}

/** Whether it is of an entry of the folder, or takes the folder elsewhere. */
function concerns({ path, from }: Change, folder: string): boolean {
  return parentOf(path) === folder || (from !== undefined && (parentOf(from) === folder || isWithin(from, folder)));
}

/** The list of a folder, which may be of before or after each of the changes, as it is after them. */
function afterChanges(entries: readonly TreeEntry[], changes: readonly Change[], folder: string): TreeEntry[] {
  const found = new Map(entries.map((entry) => [entry.path, entry]));
  for (const { what, path, from, kind } of changes) {
    if (what === 'removed') found.delete(path);
    if (from !== undefined) found.delete(from);
    const known = found.get(path);
    if (what !== 'removed' && parentOf(path) === folder && known?.kind !== kind) found.set(path, { path, kind });
  }
  return [...found.values()];
}

/** Where something is after a change. */
function placeAfter(place: string, { what, from, path }: Change): string {
  return (what === 'moved' && from !== undefined ? movedPath(place, from, path) : undefined) ?? place;
}

/** The entry of a folder that is, or holds, what lies below it. */
function stepInto(folder: string, path: string): string {
  const from = folder === '' ? 0 : folder.length + 1;
  const end = path.indexOf('/', from);
  return end < 0 ? path : path.slice(0, end);
}

/** git's own folder is no part of the work. */
function isHidden(path: string): boolean {
  return nameOf(path) === '.git';
}
