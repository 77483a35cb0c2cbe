import type { EntryKind } from '../../contract/events.ts';
import { compareNames, joinPath, nameOf, parentOf } from '../file-paths.ts';
import { concat, itemAt, itemsBetween, lengthOf, positionOf, type Rope, type RopeItem, ropeOf, split } from './row-rope.ts';

export interface TreeEntry {
  path: string;
  kind: EntryKind;
  ignored?: boolean | undefined;
}

/** An entry, and at the same time its row. */
export interface TreeNode extends RopeItem {
  path: string;
  name: string;
  kind: EntryKind;
  ignored: boolean;
  /** A row that asks for the name of an entry which does not exist yet. */
  draft: boolean;
  parent: TreeNode | undefined;
  /** 0 at the top. */
  depth: number;
  /** In order; undefined while the folder has not been listed. */
  children: TreeNode[] | undefined;
  expanded: boolean;
  /** The rows below a collapsed folder, kept so that expanding is one insertion. */
  hidden: Rope<TreeNode>;
}

/**
 * The tree of files as a flat sequence of rows. Expanding, collapsing, inserting, removing and finding the position of a row
 * are O(log n) in the rows; only listing a folder touches each of its entries.
 */
export class TreeModel {
  readonly root: TreeNode = node('', '', 'directory', undefined);
  readonly #nodes = new Map<string, TreeNode>([['', this.root]]);
  #rows: Rope<TreeNode>;
  #seed = 1;

  constructor() {
    this.root.depth = -1;
    this.root.expanded = true;
  }

  /** Rows that can be scrolled to. */
  get length(): number {
    return lengthOf(this.#rows);
  }

  /** Entries known, shown or not. */
  get size(): number {
    return this.#nodes.size - 1;
  }

  get(path: string): TreeNode | undefined {
    return this.#nodes.get(path);
  }

  at(index: number): TreeNode | undefined {
    return itemAt(this.#rows, index);
  }

  rows(start: number, end: number): TreeNode[] {
    return itemsBetween(this.#rows, start, end);
  }

  /** The row's position, -1 while a folder above it is collapsed. */
  indexOf(row: TreeNode): number {
    return row === this.root || collapsedAbove(row) !== undefined ? -1 : positionOf(row);
  }

  /** Where the row is among its siblings, from 1, and how many they are. */
  siblingPosition(row: TreeNode): { position: number; size: number } {
    const children = row.parent?.children ?? [];
    return { position: placeOf(children, row) + 1, size: children.length };
  }

  /** Makes the folder hold exactly these entries. What it held before stays as it was, expansion included. */
  setChildren(folderPath: string, entries: readonly TreeEntry[]): void {
    const folder = this.#nodes.get(folderPath);
    if (folder === undefined || folder.kind !== 'directory') return;
    if (folder.children !== undefined) return this.#mergeChildren(folder, folder.children, entries);
    const children = entries.map(({ path, kind, ignored }) => node(path, nameOf(path), kind, folder, ignored));
    children.sort(compareNodes);
    folder.children = children;
    for (const child of children) this.#nodes.set(child.path, child);
    const rows = ropeOf(children);
    if (folder.expanded) this.#insertRows(folder, rows);
    else folder.hidden = rows;
  }

  #mergeChildren(folder: TreeNode, children: readonly TreeNode[], entries: readonly TreeEntry[]): void {
    const wanted = new Map(entries.map((entry) => [entry.path, entry]));
    for (const child of [...children]) if (!child.draft && wanted.get(child.path)?.kind !== child.kind) this.#detach(child, true);
    for (const entry of entries) {
      const known = this.#nodes.get(entry.path);
      if (known === undefined) this.#attach(folder, node(entry.path, nameOf(entry.path), entry.kind, folder, entry.ignored));
      else known.ignored = entry.ignored === true;
    }
  }

  /** Adds an entry whose folder is listed, or changes its kind; answers whether anything changed. */
  insert(entry: TreeEntry): boolean {
    const known = this.#nodes.get(entry.path);
    if (known !== undefined) {
      if (known.kind === entry.kind) return false;
      this.#detach(known, true);
    }
    const folder = this.#nodes.get(parentOf(entry.path));
    if (folder?.children === undefined) return known !== undefined;
    this.#attach(folder, node(entry.path, nameOf(entry.path), entry.kind, folder, entry.ignored));
    return true;
  }

  remove(path: string): boolean {
    const known = this.#nodes.get(path);
    if (known === undefined || known === this.root) return false;
    this.#detach(known, true);
    return true;
  }

  /** Moves an entry with all below it, open folders staying open. */
  rename(from: string, to: string): boolean {
    const known = this.#nodes.get(from);
    if (known === undefined || known === this.root || from === to) return false;
    // First, for what is replaced may be a folder that it was in.
    const rows = this.#detach(known, false);
    if (this.#nodes.has(to)) this.remove(to);
    const folder = this.#nodes.get(parentOf(to));
    if (folder?.children === undefined) {
      this.#forget(known);
      return true;
    }
    this.#repath(known, to, folder);
    this.#attach(folder, known, rows);
    return true;
  }

  /** A row that asks for a name, first of its kind in the folder. */
  insertDraft(folderPath: string, kind: 'file' | 'directory'): TreeNode | undefined {
    const folder = this.#nodes.get(folderPath);
    if (folder?.children === undefined) return undefined;
    const draft = node(joinPath(folderPath, '\0draft'), '', kind, folder);
    draft.draft = true;
    this.#attach(folder, draft);
    return draft;
  }

  expand(folder: TreeNode): void {
    if (folder.expanded || folder.kind !== 'directory') return;
    const rows = folder.hidden;
    folder.hidden = undefined;
    folder.expanded = true;
    this.#insertRows(folder, rows);
  }

  collapse(folder: TreeNode): void {
    if (!folder.expanded || folder === this.root) return;
    folder.hidden = this.#cutRows(folder, false);
    folder.expanded = false;
  }

  /** The last row that belongs to this one: itself, or the end of what is open below it. */
  lastRowOf(row: TreeNode): TreeNode {
    let last = row;
    while (last.expanded && last.children !== undefined && last.children.length > 0) last = last.children.at(-1) as TreeNode;
    return last;
  }

  #attach(folder: TreeNode, child: TreeNode, rows: Rope<TreeNode> = child): void {
    const children = folder.children as TreeNode[];
    const at = placeOf(children, child);
    const before = at === 0 ? undefined : this.lastRowOf(children[at - 1] as TreeNode);
    children.splice(at, 0, child);
    this.#nodes.set(child.path, child);
    const holder = folder.expanded ? collapsedAbove(folder) : folder;
    const position = before !== undefined ? positionOf(before) + 1 : folder === this.root || !folder.expanded ? 0 : positionOf(folder) + 1;
    this.#edit(holder, (all) => {
      const [head, tail] = split(all, position);
      return concat(concat(head, rows, this.#random), tail, this.#random);
    });
  }

  /** Takes an entry and its open rows out; they are answered, to be put in elsewhere. */
  #detach(child: TreeNode, forget: boolean): Rope<TreeNode> {
    const rows = this.#cutRows(child, true);
    const children = child.parent?.children;
    if (children !== undefined) children.splice(placeOf(children, child), 1);
    if (forget) this.#forget(child);
    return rows;
  }

  #forget(from: TreeNode): void {
    this.#nodes.delete(from.path);
    for (const child of from.children ?? []) this.#forget(child);
  }

  #repath(moved: TreeNode, path: string, parent: TreeNode): void {
    this.#nodes.delete(moved.path);
    moved.path = path;
    moved.name = nameOf(path);
    moved.parent = parent;
    moved.depth = parent.depth + 1;
    this.#nodes.set(path, moved);
    for (const child of moved.children ?? []) this.#repath(child, joinPath(path, child.name), moved);
  }

  #insertRows(folder: TreeNode, rows: Rope<TreeNode>): void {
    if (rows === undefined) return;
    const position = folder === this.root ? 0 : positionOf(folder) + 1;
    this.#edit(collapsedAbove(folder), (all) => {
      const [head, tail] = split(all, position);
      return concat(concat(head, rows, this.#random), tail, this.#random);
    });
  }

  #cutRows(row: TreeNode, withIt: boolean): Rope<TreeNode> {
    const start = positionOf(row) + (withIt ? 0 : 1);
    const end = positionOf(this.lastRowOf(row)) + 1;
    let cut: Rope<TreeNode>;
    this.#edit(collapsedAbove(row), (all) => {
      const [head, rest] = split(all, start);
      const [middle, tail] = split(rest, end - start);
      cut = middle;
      return concat(head, tail, this.#random);
    });
    return cut;
  }

  /** Rows belong to the nearest collapsed folder above them, or to what is shown. */
  #edit(holder: TreeNode | undefined, change: (rows: Rope<TreeNode>) => Rope<TreeNode>): void {
    if (holder === undefined) this.#rows = change(this.#rows);
    else holder.hidden = change(holder.hidden);
  }

  // Any even spread will do, and the same one each time makes failures repeatable (Lehmer's generator).
  readonly #random = (): number => {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647;
    return this.#seed / 2_147_483_647;
  };
}

function node(path: string, name: string, kind: EntryKind, parent: TreeNode | undefined, ignored = false): TreeNode {
  return {
    path,
    name,
    kind,
    ignored,
    draft: false,
    parent,
    depth: parent === undefined ? 0 : parent.depth + 1,
    children: undefined,
    expanded: false,
    hidden: undefined,
    left: undefined,
    right: undefined,
    up: undefined,
    count: 1,
  };
}

function collapsedAbove(row: TreeNode): TreeNode | undefined {
  for (let folder = row.parent; folder !== undefined; folder = folder.parent) if (!folder.expanded) return folder;
  return undefined;
}

function compareNodes(a: TreeNode, b: TreeNode): number {
  const folders = Number(b.kind === 'directory') - Number(a.kind === 'directory');
  return folders || Number(b.draft) - Number(a.draft) || compareNames(a.name, b.name);
}

/** Where the child is, or belongs, among sorted siblings. */
function placeOf(children: readonly TreeNode[], child: TreeNode): number {
  let low = 0;
  let high = children.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareNodes(children[middle] as TreeNode, child) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
