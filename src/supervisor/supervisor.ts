// `outrigger/supervisor`: the host's side of a child sidecar. No native module; in a CommonJS program `await import('outrigger/supervisor')`.
export { OutriggerError } from '../contract/errors.ts';
export { applyEdits, type ApplyEditsOptions, recoverEdits } from './apply-edits.ts';
export type { Recovery } from './edit-recovery.ts';
export type { ApplyEditsResult, EditError, EditErrorCode, FileEdit, TextRangeEdit } from './file-edit.ts';
export { NodeBackend } from './node-backend.ts';
export { openWorkspace, type OpenWorkspaceOptions, type Workspace } from './open-workspace.ts';
export { resolveBinary, type ResolveBinaryOptions, type SidecarBinary } from './resolve-binary.ts';
export { SidecarBackend } from './sidecar-backend.ts';
export { type RequestOptions, Supervisor, type SupervisorOptions, type SupervisorState } from './sidecar-supervisor.ts';
export type * from './workspace-backend.ts';
