import type * as z from 'zod';
import { gitBranches } from './git-branches.ts';
import { gitChanges } from './git-changes.ts';
import { gitReading } from './git-reading.ts';
import { gitRemotes } from './git-remotes.ts';
import type { gitChange, gitConflict } from './git-schemas.ts';

export type GitChange = z.infer<ReturnType<typeof gitChange>>;
export type GitConflict = z.infer<ReturnType<typeof gitConflict>>;

export const git = { ...gitReading, ...gitChanges, ...gitBranches, ...gitRemotes };
