import { changes } from './changes.ts';
import { checkpoints } from './checkpoints.ts';
import { code } from './code.ts';
import { deploy } from './deploy.ts';
import { documents } from './documents.ts';
import { files } from './files.ts';
import { git } from './git.ts';
import { history } from './history.ts';
import { processes } from './processes.ts';
import { search } from './search.ts';
import { system } from './system.ts';
import { tasks } from './tasks.ts';
import { terminals } from './terminals.ts';

// For programs that add operations of their own, and for what they throw.
export type { Caller } from './access.ts';
export { type ErrorReason, OutriggerError } from './errors.ts';
export { type Call, type Implementation, type Implementations, operation, type Operation, type Table } from './operation.ts';
export { entryPath, workspacePath } from './paths.ts';

/** Everything a sidecar can be asked. */
export const operations = {
  ...system,
  ...files,
  ...changes,
  ...documents,
  ...history,
  ...search,
  ...git,
  ...checkpoints,
  ...processes,
  ...terminals,
  ...deploy,
  ...code,
  ...tasks,
};
export type Operations = typeof operations;
export type OperationName = keyof Operations;
