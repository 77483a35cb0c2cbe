import { changes } from './changes.ts';
import { documents } from './documents.ts';
import { files } from './files.ts';
import { git } from './git.ts';
import { system } from './system.ts';

/** Everything a sidecar can be asked. */
export const operations = { ...system, ...files, ...changes, ...documents, ...git };
export type Operations = typeof operations;
export type OperationName = keyof Operations;
