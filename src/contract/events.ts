import * as z from 'zod';
import { once } from './once.ts';

/** Who or what made a change. */
export const cause = once(() =>
  z.object({
    kind: z
      .enum(['connection', 'document', 'run', 'task', 'outside', 'sidecar'])
      .describe('connection: a call; document: the people in an open document; outside: any other program'),
    who: z
      .array(z.object({ name: z.string(), kind: z.enum(['person', 'agent', 'run', 'task', 'service']) }))
      .optional()
      .describe('Those who took part, where it is known.'),
    id: z.string().optional().describe('Request, run or task id.'),
  }),
);
export type Cause = z.infer<ReturnType<typeof cause>>;

export const entryKind = once(() => z.enum(['file', 'directory', 'symlink', 'other']));
export type EntryKind = z.infer<ReturnType<typeof entryKind>>;

/** One step of the workspace's history. */
export const change = once(() =>
  z.object({
    type: z.literal('change'),
    revision: z.int().positive(),
    cursor: z.string().describe('`<epoch>-<revision>`; give it to changes.since to go on from here.'),
    path: z.string(),
    kind: entryKind(),
    what: z.enum(['created', 'changed', 'removed', 'moved']),
    from: z.string().optional().describe('Where a moved thing was.'),
    before: z.string().nullable().describe('sha256 of the content before; null when unknown or when there was none.'),
    after: z.string().nullable().describe('sha256 of the content after; null when removed, not a file, or too large to hash.'),
    size: z.int().nonnegative().optional(),
    cause: cause(),
    at: z.int().describe('Milliseconds since 1970, UTC.'),
    note: z.string().optional().describe('e.g. that the owner of the file could not be kept.'),
  }),
);
export type Change = z.infer<ReturnType<typeof change>>;

/** What a feed of changes carries besides changes. */
export const feedItem = once(() =>
  z.discriminatedUnion('type', [
    change(),
    z.object({
      type: z.literal('git'),
      cursor: z.string(),
      what: z.string().describe('HEAD, index, refs or MERGE_HEAD changed.'),
      at: z.int(),
    }),
    z.object({
      type: z.literal('resync'),
      cursor: z.string(),
      reason: z.string().describe('Why the steps since the cursor are not known: list the folder anew, then go on from this cursor.'),
    }),
    z.object({ type: z.literal('ready'), cursor: z.string().describe('All up to here was sent; what follows is live.') }),
  ]),
);
export type FeedItem = z.infer<ReturnType<typeof feedItem>>;
