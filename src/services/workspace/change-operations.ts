import type { changes } from '../../contract/changes.ts';
import type { Change, EntryKind, FeedItem } from '../../contract/events.ts';
import type { Call, Implementations } from '../../contract/operation.ts';
import { baseName, joinPath, parentPath } from '../../contract/paths.ts';
import { createBell } from '../../core/bell.ts';
import type { Workspace } from './workspace.ts';

const FEED_PAGE = 500;
const CAME_ALONG = 'A folder was moved here from where you may not look: list what it holds.';

/** `gitChanges` counts what the watch says of the repository, so that a feed can tell. */
export interface GitSignal {
  readonly count: number;
  onChange(listener: () => void): () => void;
}

export function changeOperations(workspace: Workspace, git: GitSignal | undefined, now: () => number): Implementations<typeof changes> {
  const { journal } = workspace;
  return {
    'changes.since': ({ cursor, limit }, call) => {
      const found = journal.since(cursor, limit);
      const seen = found.changes.map((change) => seenBy(change, call, workspace));
      const answer = { ...found, changes: seen.flat() };
      const isWhole = cursor === undefined || !found.changes.some((change, index) => isUntold(change, seen[index] ?? []));
      return isWhole ? answer : { ...answer, resync: CAME_ALONG };
    },

    'changes.watch': async (input, call) => {
      let { cursor } = journal;
      let gitSeen = git?.count ?? 0;
      // A reader that is slow reads on from the journal at its own pace: nothing is queued for it.
      const bell = createBell(call.signal);
      const stops = [journal.onChanges(bell.ring), input.git ? git?.onChange(bell.ring) : undefined];
      const send = async (item: FeedItem): Promise<void> => void (await call.emit(item));
      try {
        cursor = input.cursor ?? cursor;
        for (let ready = false; ; ) {
          const found = journal.since(cursor, FEED_PAGE);
          if (found.resync !== undefined) await send({ type: 'resync', cursor: found.cursor, reason: found.resync });
          for (const change of found.changes) {
            const seen = seenBy(change, call, workspace);
            for (const one of seen) await send(one);
            if (isUntold(change, seen)) await send({ type: 'resync', cursor: change.cursor, reason: CAME_ALONG });
          }
          cursor = found.cursor;
          if (found.more) {
            // Of what a caller may not see nothing was sent, and so nobody else had a turn.
            await new Promise(setImmediate);
            call.signal.throwIfAborted();
            continue;
          }
          if (!ready) await send({ type: 'ready', cursor });
          ready = true;
          if (input.git && git !== undefined && git.count !== gitSeen) {
            gitSeen = git.count;
            await send({ type: 'git', cursor, what: 'repository', at: now() });
          }
          await bell.rung();
        }
      } finally {
        for (const stop of stops) stop?.();
      }
    },
  };
}

/**
 * A change as a caller limited to some paths sees it: what moved in was created, what moved out was removed, also where a folder above did. Of several
 * the last alone has the cursor of the change: who goes on after another hears it again.
 */
function seenBy(change: Change, call: Call, workspace: Workspace): Change[] {
  const { from, ...rest } = change;
  const { caller } = call;
  const visible = (path: string): boolean => isSeen(path, change.kind, call, workspace);
  const arrives = visible(change.path);
  if (from === undefined) return arrives ? [change] : [];
  const leaves = visible(from);
  if (arrives && leaves) return [change];
  const seen: Change[] = [];
  if (leaves) seen.push({ ...rest, path: from, what: 'removed', after: null });
  if (arrives) seen.push({ ...rest, what: 'created', before: null });
  const along = { ...rest, before: null, after: null };
  for (const path of change.kind === 'directory' ? (caller.paths ?? []) : []) {
    if (path.startsWith(`${from}/`) && !leaves) {
      const kind = kindAt(workspace, change.path + path.slice(from.length)) ?? kindAt(workspace, path) ?? 'directory';
      seen.push({ ...along, path, kind, what: 'removed' });
    } else if (path.startsWith(`${change.path}/`) && !arrives) {
      const kind = kindAt(workspace, path);
      if (kind !== undefined) seen.push({ ...along, path, kind, what: 'created' });
    }
  }
  const before = workspace.journal.cursorOf(change.revision - 1);
  return seen.map((one, index) => (index === seen.length - 1 ? one : { ...one, cursor: before }));
}

/** Also where links lead now; a link itself is where it lies. */
function isSeen(path: string, kind: EntryKind, { caller, visible, visibleAt }: Call, workspace: Workspace): boolean {
  if (caller.paths === undefined || !visible(path)) return visible(path);
  try {
    const place = kind === 'symlink' ? joinPath(workspace.realPath(parentPath(path)), baseName(path)) : workspace.realPath(path);
    return visibleAt(path, place);
  } catch {
    // It leads out of the workspace.
    return false;
  }
}

/** A folder came from where the caller may not look: of what came along in it no change tells. */
function isUntold(change: Change, seen: readonly Change[]): boolean {
  return change.what === 'moved' && seen.some(({ what, kind }) => what === 'created' && kind === 'directory');
}

function kindAt(workspace: Workspace, path: string): EntryKind | undefined {
  try {
    return workspace.entry(path)?.kind;
  } catch {
    // A link on the way leads out.
    return undefined;
  }
}
