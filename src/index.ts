/** What `import … from 'outrigger'` gives: a sidecar inside a program of your own. See also `outrigger/contract` and `outrigger/client`. */
export {
  type Answer,
  ConfigError,
  type CreateSidecarInput,
  createSidecar,
  type HostOperations,
  type InProcess,
  type Sidecar,
  type SidecarOptions,
} from './sidecar/create-sidecar.ts';
export { UnavailableError } from './sidecar/unavailable.ts';
