import path from 'node:path';
import type { Implementations } from '../contract/operation.ts';
import type { system } from '../contract/system.ts';
import { wireVersion } from '../contract/version.ts';
import type { Config } from '../config/options.ts';
import type { State } from '../services/state/state.ts';
import type { Workspace } from '../services/workspace/workspace.ts';
import type { Callers } from './callers.ts';
import type { Health } from './health.ts';
import { version } from './version.ts';

export interface SystemDependencies {
  implementations: Record<string, unknown>;
  health: Health;
  callers: Callers;
  workspace: Workspace;
  state: State;
  connections: () => number;
  /** Why nobody can write here. */
  readOnly: () => string | undefined;
  doctor: Implementations<typeof system>['system.doctor'];
}

/** What the sidecar says of itself. */
export function plugSystem(dependencies: SystemDependencies, config: Config): void {
  const { implementations, health, callers, workspace, state, connections } = dependencies;
  const operations: Implementations<typeof system> = {
    'system.info': (_input, { caller }) => {
      const { id, name, kind, access, paths, shared = false } = caller;
      const readOnly = dependencies.readOnly();
      return {
        name: 'outrigger',
        version,
        wire: wireVersion,
        workspace: { id: state.id, name: path.basename(workspace.root), ...(access === 'admin' ? { root: workspace.root } : {}) },
        cursor: workspace.journal.cursor,
        components: [...config.components],
        linked: 'tasks.watch' in implementations,
        caller: {
          id,
          name,
          kind,
          shared,
          access: readOnly === undefined ? access : 'read',
          ...(paths === undefined ? {} : { paths: [...paths] }),
        },
        ...(readOnly === undefined ? {} : { readOnly }),
        startedAt: health.startedAt,
        limits: Object.fromEntries(
          Object.entries(config).flatMap(([key, value]) =>
            typeof value === 'number' && /limits\.|maxBytes|maxOpen/.test(key) ? [[key, value]] : [],
          ),
        ),
      };
    },
    'system.health': health.operation(connections),
    'system.doctor': dependencies.doctor,
    ...callers.operations(),
  };
  Object.assign(implementations, operations);
}
