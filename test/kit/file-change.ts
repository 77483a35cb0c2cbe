import type { Change } from '../../src/contract/events.ts';

/** For tests: who typed in a document. */
export const typedBy = (name: string): Change['cause'] => ({ kind: 'document', who: [{ name, kind: 'person' }] });

/** For tests: a change as the feed tells it; unless more is said, Ada typed in a.py. */
export function fileChange(facts: Partial<Change> & Pick<Change, 'revision' | 'at'>): Change {
  return {
    type: 'change',
    cursor: `e-${facts.revision}`,
    path: 'a.py',
    kind: 'file',
    what: 'changed',
    before: null,
    after: null,
    cause: typedBy('Ada'),
    ...facts,
  };
}
