/** Parts of a sidecar that can be switched off, and that something on the page is for. */
export type Part = 'history' | 'search' | 'git' | 'checkpoints' | 'processes' | 'terminals' | 'deploy' | 'code';

/** Those that the panel under the documents shows. */
export const bottomParts: readonly Part[] = ['code', 'processes', 'terminals', 'deploy'];

/** Whether one runs, of those that the sidecar names; yes while it has named none. */
export function isPartOn(part: Part, components: readonly string[] | undefined): boolean {
  if (components === undefined) return true;
  // Both start programs by it.
  const needsProcesses = part === 'terminals' || part === 'deploy';
  return components.includes(part) && (!needsProcesses || components.includes('processes'));
}
