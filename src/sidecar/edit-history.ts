import { createHash } from 'node:crypto';
import type { Change } from '../contract/events.ts';
import type { EditHistory, Editor } from '../services/git/edit-history.ts';
import type { Journal } from '../services/workspace/journal.ts';

/** Changes that are looked through, the newest. */
const MAX_CHANGES = 10_000;

/** Who edited what, as the journal of changes knows it: people in documents, and people and agents by calls. */
export function editHistory(journal: Pick<Journal, 'since' | 'revision'>): EditHistory {
  return {
    step: () => journal.revision,
    authorsSince: (starts) => {
      const found = new Map<string, Editor[]>();
      for (const change of journal.since(undefined, MAX_CHANGES).changes) {
        const since = starts.get(change.path);
        if (since === undefined || ('step' in since ? change.revision <= since.step : change.at <= since.time)) continue;
        const people = found.get(change.path) ?? [];
        found.set(change.path, [...people, ...authorsOf(change).filter(({ name }) => people.every((one) => one.name !== name))]);
      }
      return found;
    },
  };
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
