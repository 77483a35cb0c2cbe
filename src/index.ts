/** What `import … from 'outrigger'` gives: a sidecar inside a program of your own. See also `outrigger/contract` and `outrigger/client`. */
export { ConfigError, type CreateSidecarInput, createSidecar, type Sidecar, type SidecarOptions } from './sidecar/create-sidecar.ts';
export type { Answer, HostOperations, InProcess } from './sidecar/host-operations.ts';
export type { OperationModule } from './sidecar/operation-modules.ts';
export { UnavailableError } from './sidecar/unavailable.ts';
