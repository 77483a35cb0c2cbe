import type { WatchReport } from './watch-protocol.ts';

/** What a newer report about a path tells of its older one, whose place it takes: what was known there, where that was of another kind. */
export function afterOlder<R extends Pick<WatchReport, 'kind' | 'what' | 'replaced'>>(
  { replaced, ...newer }: R,
  older: Pick<WatchReport, 'kind' | 'what' | 'replaced' | 'isNew'>,
): Omit<R, 'replaced'> & Pick<WatchReport, 'replaced'> {
  const known = older.what === 'removed' ? older.kind : (older.replaced ?? (older.isNew ? undefined : replaced));
  if (known === undefined) return newer;
  if (newer.what === 'removed') return { ...newer, kind: known };
  return (known === 'directory') === (newer.kind === 'directory') ? newer : { ...newer, replaced: known };
}
