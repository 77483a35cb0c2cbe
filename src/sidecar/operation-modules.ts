import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError } from '../config/load.ts';
import type { Table } from '../contract/operation.ts';
import type { OperationKit } from '../contract/operation-kit.ts';
import { type GivenOperations, type HostOperations, type InProcess, inProcessOf, mergeOperations } from './host-operations.ts';
import { type Sidecar, type SidecarDependencies, startSidecar } from './sidecar.ts';

/**
 * What a module of the option `operationModules` exports as its default: operations of the host's own, or a function that makes them
 * of what it gets, so that the module needs no import.
 */
export type OperationModule<T extends Table = Table> =
  | HostOperations<T>
  | ((kit: OperationKit) => HostOperations<T> | Promise<HostOperations<T>>);

/**
 * As startSidecar, with the operations that are given and those of the modules that the configuration names. Throws ConfigError
 * where they can't be used.
 */
export async function startWithOperations(
  dependencies: Omit<SidecarDependencies, 'operations'>,
  given: readonly GivenOperations[] = [],
): Promise<{ sidecar: Sidecar; inProcess: InProcess }> {
  const { config } = dependencies;
  const { inProcess, started } = inProcessOf(path.resolve(config.root));
  const all = [...given];
  for (const file of config.operationModules) all.push(await load(file));
  const sidecar = await startSidecar({
    ...dependencies,
    ...(all.length === 0 ? {} : { operations: mergeOperations(all, inProcess) }),
  });
  started(sidecar.dispatch);
  return { sidecar, inProcess };
}

async function load(file: string): Promise<GivenOperations> {
  let made: GivenOperations | undefined;
  try {
    const { default: given } = (await import(pathToFileURL(path.resolve(file)).href)) as { default?: OperationModule };
    made = typeof given === 'function' ? await given((await import('../contract/operation-kit.ts')).operationKit) : given;
  } catch (error) {
    throw new ConfigError([`operationModules: ${file} can't be loaded: ${error instanceof Error ? error.message : String(error)}`]);
  }
  if (typeof made?.table !== 'object' || made.implementations === undefined)
    throw new ConfigError([
      `operationModules: the default export of ${file} must be { table, implementations }, or a function that gives that.`,
    ]);
  return made;
}
