import { createHash } from 'node:crypto';

/** Names are strings of bytes (latin1), as not every file name is UTF-8. */
export interface TreeEntry {
  /** e.g. 100644, 120000 for a link, 40000 for a tree. */
  mode: string;
  hash: string;
}

/** Entries of the trees of some folders, by folder ('' is the top) and name; a folder that is not there has none. */
export type FolderTrees = ReadonlyMap<string, ReadonlyMap<string, TreeEntry>>;

export interface NewTree {
  hash: string;
  entries: readonly [name: string, entry: TreeEntry][];
}

export const TREE_MODE = '40000';

/** The folders whose trees change with these files: those above them, the top included. */
export function foldersAbove(names: Iterable<string>): string[] {
  const folders = new Set(['']);
  for (const name of names)
    for (let end = name.lastIndexOf('/'); end > 0 && !folders.has(name.slice(0, end)); end = name.lastIndexOf('/', end - 1))
      folders.add(name.slice(0, end));
  return [...folders];
}

/** Reads a tree object. https://git-scm.com/book/en/v2/Git-Internals-Git-Objects#_tree_objects */
export function parseTreeObject(bytes: Buffer, hashBytes: number): Map<string, TreeEntry> {
  const entries = new Map<string, TreeEntry>();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(0x20, at);
    const end = bytes.indexOf(0, space);
    const hash = bytes.subarray(end + 1, end + 1 + hashBytes).toString('hex');
    entries.set(bytes.toString('latin1', space + 1, end), { mode: bytes.toString('latin1', at, space), hash });
    at = end + 1 + hashBytes;
  }
  return entries;
}

/**
 * The trees that some changed files make, children before parents, the top last: a file with its entry, or null for one that is gone.
 * `folders` holds those of `foldersAbove` as they are. Folders that become empty are left out, as git has it.
 */
export function changedTrees(folders: FolderTrees, changes: ReadonlyMap<string, TreeEntry | null>, format: 'sha1' | 'sha256'): NewTree[] {
  const wanted = new Map([...folders].map(([folder, entries]) => [folder, new Map(entries)]));
  const put = (path: string, entry: TreeEntry | null): void => {
    const cut = path.lastIndexOf('/');
    const entries = wanted.get(path.slice(0, Math.max(cut, 0)));
    if (entries === undefined) throw new Error(`The tree of ${path} was not given.`);
    if (entry === null) entries.delete(path.slice(cut + 1));
    else entries.set(path.slice(cut + 1), entry);
  };
  // What is gone first: a folder may stand now where a file was, and the other way round.
  for (const [name, entry] of changes) if (entry === null) put(name, null);
  for (const [name, entry] of changes) if (entry !== null) put(name, entry);
  const made: NewTree[] = [];
  // The deepest first.
  for (const folder of [...wanted.keys()].sort((a, b) => depthOf(b) - depthOf(a))) {
    const entries = [...(wanted.get(folder) as Map<string, TreeEntry>)].sort(([a, x], [b, y]) => compare(sortName(a, x), sortName(b, y)));
    if (folder === '') made.push({ hash: hashOf(entries, format), entries });
    else if (entries.length > 0) {
      const hash = hashOf(entries, format);
      made.push({ hash, entries });
      put(folder, { mode: TREE_MODE, hash });
    } else if (entryOf(wanted, folder)?.mode === TREE_MODE) put(folder, null);
  }
  return made;
}

/** What `git mktree -z --batch` reads: entries, and an empty one after each tree. */
export function mktreeInput(trees: readonly NewTree[]): Buffer {
  const nul = '\0';
  const text = trees
    .map(
      ({ entries }) =>
        entries
          .map(
            ([name, { mode, hash }]) =>
              `${mode} ${mode === TREE_MODE ? 'tree' : mode === '160000' ? 'commit' : 'blob'} ${hash}\t${name}${nul}`,
          )
          .join('') + nul,
    )
    .join('');
  return Buffer.from(text, 'latin1');
}

/** What stands at a path, as far as the trees say. */
export function entryOf(trees: ReadonlyMap<string, ReadonlyMap<string, TreeEntry> | undefined>, path: string): TreeEntry | undefined {
  const cut = path.lastIndexOf('/');
  return trees.get(path.slice(0, Math.max(cut, 0)))?.get(path.slice(cut + 1));
}

function hashOf(entries: NewTree['entries'], format: 'sha1' | 'sha256'): string {
  const parts = entries.flatMap(([name, { mode, hash }]) => [Buffer.from(`${mode} ${name}\0`, 'latin1'), Buffer.from(hash, 'hex')]);
  const content = Buffer.concat(parts);
  return createHash(format).update(`tree ${content.length}\0`).update(content).digest('hex');
}

/** git sorts a folder as if its name ended with a slash. */
function sortName(name: string, { mode }: TreeEntry): string {
  return mode === TREE_MODE ? `${name}/` : name;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function depthOf(folder: string): number {
  return folder === '' ? 0 : folder.split('/').length;
}
