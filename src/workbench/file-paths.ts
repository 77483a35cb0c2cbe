/** Paths as the sidecar writes them: relative to the workspace, `/` between names, '' is the workspace. */
export function parentOf(path: string): string {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? '' : path.slice(0, cut);
}

export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`;
}

/** Whether `path` is `folder` or lies below it, compared by whole names. */
export function isWithin(folder: string, path: string): boolean {
  return folder === '' || path === folder || path.startsWith(`${folder}/`);
}

/** Every folder above a path, nearest first, without the workspace itself. */
export function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let folder = parentOf(path); folder !== ''; folder = parentOf(folder)) folders.push(folder);
  return folders;
}

/** Each name of the path percent-encoded, the slashes kept: what the sidecar's addresses take. */
export function encodePath(path: string): string {
  return path.toWellFormed().split('/').map(encodeURIComponent).join('/');
}

const order = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

/** The order of names in a folder: by the reader's language, numbers by value; never 0 for two different names. */
export function compareNames(a: string, b: string): number {
  return order.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

const maxNameBytes = 255;

/** Why a name can't be given to an entry, as a sentence; undefined when it can. `taken` says whether a sibling has it. */
export function nameProblem(name: string, taken: (name: string) => boolean): string | undefined {
  if (name.trim() === '') return 'Give it a name.';
  if (name.includes('\0')) return 'A name holds no NUL.';
  const parts = name.split('/');
  if (name.startsWith('/')) return 'Leave out the slash at the start: names are relative to the folder.';
  if (parts.some((part) => part === '')) return 'There is a slash too many.';
  if (parts.some((part) => part === '.' || part === '..')) return '“.” and “..” are not names.';
  if (parts.some((part) => new TextEncoder().encode(part).length > maxNameBytes)) return `A name holds at most ${maxNameBytes} bytes.`;
  if (taken(name)) return `“${name}” exists here already.`;
  return undefined;
}
