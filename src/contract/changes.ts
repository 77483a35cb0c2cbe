import * as z from 'zod';
import { change, feedItem } from './events.ts';
import { operation } from './operation.ts';

export const changes = {
  'changes.since': operation({
    summary: 'What changed since a cursor: who, what, hashes before and after. Cursors outlive restarts, or the answer says resync.',
    access: 'read',
    scope: 'filtered',
    input: () =>
      z.object({
        cursor: z.string().optional().describe('From an earlier answer; without one, the newest changes.'),
        limit: z.int().positive().max(10_000).default(1000),
      }),
    output: () =>
      z.object({
        changes: z.array(change()),
        cursor: z.string().describe('Go on from here.'),
        more: z.boolean(),
        resync: z.string().optional().describe('The steps since the cursor are not known any more, and why: list the folder anew.'),
      }),
    errors: ['BAD_CURSOR'],
  }),
  'changes.watch': operation({
    summary: 'Stream changes as they happen, from a cursor or from now.',
    access: 'read',
    scope: 'filtered',
    input: () =>
      z.object({
        cursor: z.string().optional(),
        git: z.boolean().default(true).describe('Also say when HEAD, the index or refs change.'),
      }),
    item: feedItem,
    endless: true,
    output: () => z.object({ cursor: z.string() }),
    errors: ['BAD_CURSOR'],
  }),
};
