import { createHash } from 'node:crypto';
import type { Change } from '../contract/events.ts';
import { movedPath } from '../core/moved-path.ts';
import type { EditHistory, Editor, Since } from '../services/git/edit-history.ts';
import type { Journal } from '../services/workspace/journal.ts';

/** Changes that are looked through, the newest. */
const MAX_CHANGES = 10_000;
/** Renames of folders that are followed back, the newest. */
const MAX_FOLDER_MOVES = 100;

/** A path that is asked for, under a name that it has or had; what was edited there counts from `since` on. */
interface Named {
  path: string;
  since: Since;
}

/** Who edited what, as the journal of changes knows it: people in documents, and people and agents by calls. */
export function editHistory(journal: Pick<Journal, 'since' | 'revision'>): EditHistory {
  return {
    step: () => journal.revision,
    authorsSince: (starts, visible) => {
      const found = new Map<string, Editor[]>();
      const named = new Map<string, Named[]>([...starts].map(([path, since]) => [path, [{ path, since }]]));
      let folderMoves = 0;
      for (const change of journal.since(undefined, MAX_CHANGES).changes.toReversed()) {
        for (const { path, since } of named.get(change.path) ?? []) {
          if (!isAfter(change, since)) continue;
          const people = found.get(path) ?? [];
          found.set(path, [...people, ...authorsOf(change).filter(({ name }) => people.every((one) => one.name !== name))]);
        }
        const { what, kind, from, path: to } = change;
        if (what !== 'moved' || from === undefined || (kind === 'directory' && ++folderMoves > MAX_FOLDER_MOVES)) continue;
        for (const name of kind === 'directory' ? [...named.keys()] : [to]) {
          const before = movedPath(name, to, from);
          if (before === undefined || !visible(before)) continue;
          const known = named.get(before) ?? [];
          const since = starts.get(before);
          for (const one of named.get(name) ?? [])
            if (isAfter(change, one.since) && known.every(({ path }) => path !== one.path))
              known.push(since === undefined ? one : { ...one, since });
          if (known.length > 0) named.set(before, known);
        }
      }
      return found;
    },
  };
}

function isAfter({ revision, at }: Change, since: Since): boolean {
  return 'step' in since ? revision > since.step : at > since.time;
}

function authorsOf({ cause }: Change): Editor[] {
  if (cause.kind !== 'document' && cause.kind !== 'connection') return [];
  return (cause.who ?? []).flatMap(({ name, kind }) => (kind === 'person' || kind === 'agent' ? [editorOf(name, kind)] : []));
}

/** Nobody here has an address; one below .invalid (RFC 2606) can never be somebody else's. */
function editorOf(shown: string, kind: Editor['kind']): Editor {
  const name = shown.replaceAll(/[<>\s\p{Cc}]+/gu, ' ').trim() || 'somebody';
  const plain = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  const local = plain === '' ? createHash('sha256').update(name).digest('hex').slice(0, 12) : plain;
  return { name, email: `${local}@outrigger.invalid`, kind };
}
