import type fs from 'node:fs';
import { OutriggerError } from '../../contract/errors.ts';
import type { EntryKind } from '../../contract/events.ts';
import { isPassingName } from '../../core/passing-name.ts';
import { joinPath } from '../../contract/paths.ts';
import type { Mark } from './batch-steps.ts';
import type { HeldText } from './live-text.ts';

const MAX_LINKS = 40;

/** Content of a file as far as a batch needs it. */
export interface FileContent {
  /** Its hash, or what stands for it. */
  id: string;
  size: number;
  /** Begins with a UTF-8 byte order mark. */
  bom: boolean;
  /** Only where it was asked for. */
  bytes: Uint8Array | undefined;
  /** The system does not let us read it. */
  refused?: true;
}

/** One entry of the folder as the changes of a batch so far would have left it. */
export interface TreeNode {
  name: string;
  parent: TreeNode | undefined;
  kind: EntryKind;
  /** Where it stood before the batch, links on the way resolved; undefined for what the batch makes. */
  origin: string | undefined;
  /** Of the entry before the batch. */
  stat: fs.Stats | undefined;
  /** Of a file whose content is new. */
  made: { mark: Mark; mode: number } | undefined;
  children: Map<string, TreeNode | undefined>;
  /** Of a file whose content is new. */
  content: FileContent | undefined;
  /** Its content is new, but of what it is made could not be told yet. */
  pending: boolean;
  /** The open document that stands before the file. */
  document: HeldText | undefined;
}

/** What the tree is asked of the real folder. Paths are real ones: no part of them is a link. */
export interface TreeSource {
  look(path: string): { kind: EntryKind; stat: fs.Stats } | undefined;
  names(path: string): string[];
  realPath(path: string): string;
  /** What a link names, further links in it not followed; undefined where it takes the system to say which entry of the root that is. */
  targetOf(path: string): string | undefined;
}

/** Where a path leads: the folder, the name in it, and what stands there. */
export interface Spot {
  folder: TreeNode;
  /** Names of folders that are missing between `folder` and the entry. */
  missing: string[];
  name: string;
  node: TreeNode | undefined;
  /** The first of the missing is where a link leads, and not below: nobody asked for that. */
  dangles: boolean;
}

/** The folder as a batch sees it: what is really there, looked up when it is first needed, and the changes before. */
export class BatchTree {
  readonly root: TreeNode;
  readonly #source: TreeSource;

  constructor(source: TreeSource, rootStat: fs.Stats) {
    this.#source = source;
    this.root = newNode('', undefined, 'directory', { origin: '', stat: rootStat });
  }

  /** Throws PATH_ESCAPES, NOT_A_DIRECTORY; BAD_INPUT for a way through a link that the batch moves. */
  resolve(wirePath: string, follow: boolean): Spot {
    let names = wirePath.split('/');
    let folder = this.root;
    let links = 0;
    /** Of the names, so many came from a link. */
    let linked = 0;
    for (let index = 0; index < names.length; ) {
      const name = names[index] as string;
      const last = index === names.length - 1;
      const node = this.child(folder, name);
      if (node === undefined) {
        const missing = names.slice(index, -1);
        return { folder, missing, name: names.at(-1) as string, node: undefined, dangles: missing.length > 0 && index < linked };
      }
      if (node.kind === 'symlink' && (!last || follow)) {
        if (++links > MAX_LINKS) throw new OutriggerError('PATH_ESCAPES', `${wirePath} is a chain of links without an end.`);
        const target = this.#leadsTo(node, wirePath);
        names = [...target, ...names.slice(index + 1)];
        linked = target.length;
        if (names.length === 0) throw new OutriggerError('NOT_A_FILE', `${wirePath} leads to the workspace itself.`);
        folder = this.root;
        index = 0;
        continue;
      }
      if (last) return { folder, missing: [], name, node, dangles: false };
      if (node.kind !== 'directory') throw new OutriggerError('NOT_A_DIRECTORY', `${pathOf(node)} is not a folder.`);
      folder = node;
      index++;
    }
    throw new OutriggerError('BAD_PATH', 'The path is empty.');
  }

  child(folder: TreeNode, name: string): TreeNode | undefined {
    if (folder.children.has(name)) return folder.children.get(name);
    const path = folder.origin === undefined ? undefined : joinPath(folder.origin, name);
    const found = path === undefined ? undefined : this.#source.look(path);
    const node = found === undefined ? undefined : newNode(name, folder, found.kind, { origin: path, stat: found.stat });
    if (node !== undefined) refuseSecondSpelling(folder, node);
    folder.children.set(name, node);
    return node;
  }

  /** Everything in a folder but what is being written or was put aside. */
  childrenOf(folder: TreeNode): TreeNode[] {
    const names = new Set(folder.origin === undefined ? [] : this.#source.names(folder.origin));
    for (const name of folder.children.keys()) names.add(name);
    return [...names].sort().flatMap((name) => (isPassingName(name) ? [] : (this.child(folder, name) ?? [])));
  }

  #leadsTo(link: TreeNode, wirePath: string): string[] {
    // What a link that was moved leads to can't be known before it is there, and so neither whether the caller may go there.
    if (link.origin === undefined || pathOf(link) !== link.origin)
      throw new OutriggerError('BAD_INPUT', `${wirePath} goes through a link that this batch moves.`);
    // A link that this one leads to may be another by now.
    const named = this.#source.targetOf(link.origin);
    const target = named ?? this.#source.realPath(link.origin);
    if (named === undefined && target === link.origin)
      throw new OutriggerError('FILE_NOT_FOUND', `${wirePath} goes through a link to nothing.`);
    return target === '' ? [] : target.split('/');
  }
}

export function newNode(
  name: string,
  parent: TreeNode | undefined,
  kind: EntryKind,
  known: { origin?: string | undefined; stat?: fs.Stats } = {},
): TreeNode {
  return {
    name,
    parent,
    kind,
    origin: known.origin,
    stat: known.stat,
    made: undefined,
    children: new Map(),
    content: undefined,
    pending: false,
    document: undefined,
  };
}

/** Where a node stands after the changes so far. */
export function pathOf(node: TreeNode): string {
  return node.parent === undefined ? '' : joinPath(pathOf(node.parent), node.name);
}

export function detach(node: TreeNode): void {
  node.parent?.children.set(node.name, undefined);
}

export function attach(node: TreeNode, folder: TreeNode, name: string): void {
  node.parent = folder;
  node.name = name;
  folder.children.set(name, node);
}

/** The nearest folder, upwards, that was there before the batch. */
export function standing(folder: TreeNode): TreeNode & { origin: string } {
  let node = folder;
  while (node.origin === undefined && node.parent !== undefined) node = node.parent;
  return node as TreeNode & { origin: string };
}

/** On a disk that knows no case, two spellings are one file, and the batch would take it for two. */
function refuseSecondSpelling(folder: TreeNode, node: TreeNode): void {
  for (const other of folder.children.values()) {
    if (other?.stat === undefined || other.stat.ino !== node.stat?.ino || other.stat.dev !== node.stat.dev) continue;
    if (other.name !== node.name && other.name.toLowerCase() === node.name.toLowerCase())
      throw new OutriggerError('BAD_INPUT', `${pathOf(node)} and ${pathOf(other)} are the same file on this disk.`);
  }
}
