import path from 'node:path';
import { ConfigError, loadConfig, type LoadedConfig, processEnvironment } from '../config/load.ts';
import { type ComponentName, type Config, flagName, type OptionKey, optionKeys } from '../config/options.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import type { Change } from '../contract/events.ts';
import type { Asked, Implementations, Item, Operation, Output, Table } from '../contract/operation.ts';
import { operations as ownTable, type Operations } from '../contract/operations.ts';
import { createLog } from './log.ts';
import { hostCaller, startSidecar } from './sidecar.ts';
import { workbenchFolder } from './workbench-folder.ts';

export { ConfigError };

/** The options of the command, by the same names (`documents.maxBytes`, …); docs and `outrigger config` list them all. */
export type SidecarOptions = { -readonly [Key in Exclude<OptionKey, 'root' | 'components' | 'tokenFile'>]?: Config[Key] };

export interface CreateSidecarInput<T extends Table = Table> extends SidecarOptions {
  /** The folder to serve. Without it WORKSPACE_PATH, else the current one. */
  workspace?: string;
  /** A config file (JSON), as --config names one; what is given here wins. */
  configFile?: string;
  /** Which parts run; `files` is always there. Modules of a part that is left out are not loaded. */
  components?: readonly ComponentName[];
  /** Operations of the host's own, beside ours: they appear wherever ours do (HTTP, RPC, /openapi.json, clients). */
  operations?: HostOperations<T>;
  /** Gets each line of the log (JSON, with its line break). Without it nothing is logged. */
  log?: (line: string) => void;
  /**
   * Where options are looked for that are not given here: the environment of this process. `{}` looks nowhere, nor at the
   * user's config file, and keeps the state in the temporary folder unless `state` is given.
   */
  env?: Readonly<Record<string, string | undefined>>;
}

export interface HostOperations<T extends Table = Table> {
  /** Made with `operation({…})` of `outrigger/contract`. Names are dotted (`notes.count`); one of ours can't be taken. */
  table: T;
  /** One a name of the table; as a function they are made once, and can call the sidecar through what they get. */
  implementations: Implementations<T> | ((sidecar: InProcess) => Implementations<T>);
}

/** Calls without a socket, as the host itself: with admin access, through the same checks as any other call. */
export interface InProcess<T extends Table = Operations> {
  /** Absolute path of the folder. */
  readonly root: string;
  /** Items of an operation that streams are gathered under `items`. Throws OutriggerError. For bytes and long streams use `dispatch`. */
  call<K extends keyof T & string>(name: K, input: Asked<T[K]>, options?: { signal?: AbortSignal }): Promise<Answer<T[K]>>;
}

export type Answer<Op extends Operation> = [Item<Op>] extends [never] ? Output<Op> : Output<Op> & { items: Item<Op>[] };

/** A sidecar in this process. */
export interface Sidecar<T extends Table = Operations> extends InProcess<T> {
  /** Of the main port, e.g. `http://127.0.0.1:3000`. For a client: `createClient({ url, token })` of `outrigger/client`. */
  readonly url: string;
  /** Gives full access; given by options, or made and kept with the state. */
  readonly token: string;
  /** Of the second port, when `wsPort` is set. */
  readonly socketUrl: string | undefined;
  /** Resolves when the watch knows the whole folder; calls are answered before that, too. */
  readonly ready: Promise<void>;
  /** Called with each change of the folder, whoever made it, in order of revision. Gives back what ends it. */
  onChange(listener: (change: Change) => void): () => void;
  /** The one way in that all transports use: for a transport of the host's own. */
  readonly dispatch: Dispatch;
  /** Lets calls under way end, saves documents, closes everything. May be called twice. */
  stop(): Promise<void>;
}

const operationName = /^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)+$/;

/**
 * Starts a sidecar in this process; resolves when it listens. Throws ConfigError with all that is wrong with the options,
 * UnavailableError when a port can't be had, OutriggerError when the folder is not there. Handles no signals and never ends
 * the process: that is the host's to do, with `stop()`.
 */
export async function createSidecar<T extends Table = Record<never, Operation>>(
  input: CreateSidecarInput<T> = {},
): Promise<Sidecar<Operations & T>> {
  const loaded = readOptions(input);
  const { config, sources, surroundings } = loaded;
  // A call may come as soon as the port listens, which is before startSidecar gives back what to call.
  const started = Promise.withResolvers<Dispatch>();
  const caller = hostCaller();
  const call = async (name: string, callInput: unknown, options: { signal?: AbortSignal } = {}): Promise<unknown> => {
    const dispatch = await started.promise;
    const signal = options.signal ?? new AbortController().signal;
    const { output, items } = await dispatch({ name, input: callInput, caller, transport: 'host', requestId: crypto.randomUUID(), signal });
    return items === undefined ? output : { ...(output as object), items };
  };
  const root = path.resolve(config.root);
  const inProcess = { root, call } as InProcess<Operations & T>;
  const operations = hostOperations(input.operations, inProcess as InProcess);
  const sidecar = await startSidecar({
    config,
    surroundings,
    log: createLog(config, input.log ?? (() => undefined)),
    workbench: workbenchFolder(),
    anyPort: sources.port.from === 'default',
    ...(operations === undefined ? {} : { operations }),
  });
  const { url, token, socketUrl, ready, dispatch } = sidecar;
  started.resolve(dispatch);
  return {
    ...inProcess,
    url,
    token,
    socketUrl,
    ready,
    dispatch,
    onChange: (listener) =>
      sidecar.onChanges((changes) => {
        for (const change of changes) listener(change);
      }),
    stop: () => sidecar.stop(),
  };
}

function readOptions<T extends Table>(input: CreateSidecarInput<T>): LoadedConfig {
  const { workspace, operations: _operations, log: _log, env = processEnvironment(), token, configFile, ...options } = input;
  const unknown = Object.keys(options).filter((key) => !(optionKeys as string[]).includes(key));
  if (unknown.length > 0) throw new ConfigError(unknown.map((key) => `createSidecar: there is no option ${JSON.stringify(key)}.`));
  const given = Object.entries({ ...options, root: workspace }).filter(([, value]) => value !== undefined);
  try {
    return loadConfig({
      env: token === undefined ? env : { ...env, OUTRIGGER_TOKEN: token, OUTRIGGER_TOKEN_FILE: undefined },
      flags: Object.fromEntries(given) as never,
      file: configFile,
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // The host's programmer knows options by their keys, not as flags.
    const named = (problem: string): string =>
      given.reduce(
        (text, [key]) =>
          text.startsWith(`--${flagName(key as OptionKey)}: `) ? key + text.slice(flagName(key as OptionKey).length + 2) : text,
        problem,
      );
    throw new ConfigError(error.problems.map(named));
  }
}

function hostOperations<T extends Table>(
  operations: HostOperations<T> | undefined,
  inProcess: InProcess,
): { table: Table; implementations: Readonly<Record<string, unknown>> } | undefined {
  if (operations === undefined) return undefined;
  const { table } = operations;
  const implementations =
    typeof operations.implementations === 'function' ? operations.implementations(inProcess) : operations.implementations;
  const problems = Object.keys(table).flatMap((name) => {
    if (Object.hasOwn(ownTable, name)) return [`operations: ${name} is an operation of the sidecar itself; choose another name.`];
    if (!operationName.test(name)) return [`operations: ${JSON.stringify(name)} is no name for an operation; write it like "notes.count".`];
    return Object.hasOwn(implementations, name) ? [] : [`operations: ${name} has no implementation.`];
  });
  const without = Object.keys(implementations).filter((name) => !Object.hasOwn(table, name));
  problems.push(
    ...without.map((name) => `operations: there is an implementation of ${JSON.stringify(name)}, but no such operation in the table.`),
  );
  if (problems.length > 0) throw new ConfigError(problems);
  return { table, implementations };
}
