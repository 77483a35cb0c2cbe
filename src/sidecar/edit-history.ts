import { createHash } from 'node:crypto';
import type { Change } from '../contract/events.ts';
import { movedPath } from '../core/moved-path.ts';
import type { EditHistory, Editor, Since } from '../services/git/edit-history.ts';
import type { Journal } from '../services/workspace/journal.ts';

/** Changes that are looked through, the newest. */
const MAX_CHANGES = 10_000;
/** Renames of folders that are followed back, the newest. */
const MAX_FOLDER_MOVES = 100;

/** Paths that are asked for, under a name that they have or had; what was edited there counts from then on. */
type Named = Map<string, Since>;

/** Who edited what, as the journal of changes knows it: people in documents, and people and agents by calls. */
export function editHistory(journal: Pick<Journal, 'since' | 'revision'>): EditHistory {
  return {
    step: () => journal.revision,
    authorsSince: (starts, visible) => {
      const found = new Map<string, Map<string, Editor>>();
      const named = new Map<string, Named>([...starts].map(([path, since]) => [path, new Map([[path, since]])]));
      let folderMoves = 0;
      for (const change of journal.since(undefined, MAX_CHANGES).changes.toReversed()) {
        const authors = authorsOf(change);
        for (const [path, since] of named.get(change.path) ?? []) {
          if (!isAfter(change, since)) continue;
          const people = found.get(path) ?? new Map<string, Editor>();
          for (const one of authors) if (!people.has(one.name)) people.set(one.name, one);
          found.set(path, people);
        }
        const { what, kind, from, path: to } = change;
        if (what !== 'moved' || from === undefined || (kind === 'directory' && ++folderMoves > MAX_FOLDER_MOVES)) continue;
        for (const name of kind === 'directory' ? [...named.keys()] : [to]) {
          const before = movedPath(name, to, from);
          if (before === undefined || !visible(before)) continue;
          const known: Named = named.get(before) ?? new Map<string, Since>();
          const since = starts.get(before);
          for (const [path, own] of named.get(name) ?? []) if (isAfter(change, own) && !known.has(path)) known.set(path, since ?? own);
          if (known.size > 0) named.set(before, known);
          // A file takes the place of one that was edited into it; what lay in a folder of that name lies elsewhere, or is gone.
          if (kind === 'directory') named.delete(name);
        }
      }
      return new Map([...found].map(([path, people]) => [path, [...people.values()]]));
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
