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

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/**
 * A path in at most `max` characters, shortened in the middle by whole folders: the first folder and the file name matter most.
 * A name that alone is too long is cut at its own middle. Never splits a character that people see as one.
 */
export function truncatePath(path: string, max: number): string {
  if (lengthOf(path) <= max) return path;
  const parts = path.split('/');
  const name = parts.at(-1) ?? '';
  for (let kept = parts.length - 2; kept >= 1; kept -= 1) {
    // Folders are dropped from the middle outwards, so that the top and the nearest stay longest.
    const head = parts.slice(0, Math.ceil(kept / 2));
    const tail = parts.slice(parts.length - 1 - Math.floor(kept / 2));
    const text = [...head, '…', ...tail].join('/');
    if (lengthOf(text) <= max) return text;
  }
  const short = parts.length > 1 ? `…/${name}` : name;
  return lengthOf(short) <= max ? short : cutMiddle(name, max);
}

function cutMiddle(text: string, max: number): string {
  const characters = [...segmenter.segment(text)].map(({ segment }) => segment);
  if (characters.length <= max) return text;
  const room = Math.max(max - 1, 0);
  const tail = Math.floor(room / 2);
  return `${characters.slice(0, room - tail).join('')}…${tail > 0 ? characters.slice(-tail).join('') : ''}`;
}

function lengthOf(text: string): number {
  let count = 0;
  for (const _ of segmenter.segment(text)) count += 1;
  return count;
}
