import { ConfigError, loadConfig, type LoadedConfig, processEnvironment } from '../config/load.ts';
import { type ComponentName, type Config, flagName, type OptionKey, optionKeys } from '../config/options.ts';
import type { Dispatch } from '../contract/dispatch.ts';
import type { Change } from '../contract/events.ts';
import type { Operation, Table } from '../contract/operation.ts';
import type { Operations } from '../contract/operations.ts';
import type { GivenOperations, HostOperations, InProcess } from './host-operations.ts';
import { createLog } from './log.ts';
import { startWithOperations } from './operation-modules.ts';
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
  /** Gets each line of the log (JSON, with its line break). Where it throws, the line is left out. Without it nothing is logged. */
  log?: (line: string) => void;
  /**
   * Where options are looked for that are not given here: the environment of this process. `{}` looks nowhere, nor at the
   * user's config file, and keeps the state in the temporary folder unless `state` is given.
   */
  env?: Readonly<Record<string, string | undefined>>;
}

/** A sidecar in this process. */
export interface Sidecar<T extends Table = Operations> extends InProcess<T> {
  /** Of the main port, e.g. `http://127.0.0.1:3000`. For a client: `createClient({ url, token })` of `outrigger/client`. */
  readonly url: string;
  /** Gives full access; given by options, or made and kept with the state. Another one after `tokens.rotate`. */
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
  const log = createLog(config, guarded(input.log));
  const { sidecar, inProcess } = await startWithOperations(
    {
      config,
      surroundings,
      log,
      workbench: workbenchFolder(),
      anyPort: sources.port.from === 'default',
    },
    input.operations === undefined ? [] : [input.operations as GivenOperations],
  );
  const { url, socketUrl, ready, dispatch } = sidecar;
  return {
    ...(inProcess as InProcess<Operations & T>),
    url,
    get token() {
      return sidecar.token;
    },
    socketUrl,
    ready,
    dispatch,
    onChange: (listener) =>
      sidecar.onChanges((changes) => {
        for (const change of changes)
          try {
            listener(structuredClone(change));
          } catch (error) {
            // What was written is written, and others hear of it.
            log('error', 'host.listener-failed', { error });
          }
      }),
    stop: () => sidecar.stop(),
  };
}

/** A line at which the host's function throws is one that it left out: it may be a window that was closed. */
function guarded(log: CreateSidecarInput['log'] = () => undefined): (line: string) => boolean {
  return (line) => {
    try {
      log(line);
      return true;
    } catch {
      return false;
    }
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
