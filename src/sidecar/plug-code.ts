import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/options.ts';
import { codeRollout, type IsolationInfo } from '../contract/code.ts';
import { CompilerSeeds } from '../services/exec/compiler-seeds.ts';
import { CompileCache } from '../services/exec/compile-cache.ts';
import { LadderSandbox, rungNames } from '../services/exec/isolation/ladder.ts';
import type { Sandbox } from '../services/exec/isolation/sandbox.ts';
import { LiveInterpreters } from '../services/exec/interpreters/live.ts';
import { WarmPool } from '../services/exec/interpreters/warm-pool.ts';
import { newId } from '../services/exec/ids.ts';
import { languageNamed, languages } from '../services/exec/languages.ts';
import { defaultLimits } from '../services/exec/limits.ts';
import { codeOperations } from '../services/exec/operations.ts';
import { OwnFolder, ownFolderOf } from '../services/exec/own-folder.ts';
import { RunQueue } from '../services/exec/queue.ts';
import { type Rollout, Runs } from '../services/exec/runs.ts';
import { makePassage, packageAbove, removeFolder } from '../services/exec/run-folders.ts';
import { SessionStore } from '../services/exec/session-store.ts';
import { Sessions } from '../services/exec/sessions.ts';
import { Toolchains } from '../services/exec/toolchains.ts';
import { TypeScriptTransform } from '../services/exec/transform.ts';
import { howToBuild, nativeProgram } from '../services/processes/native-program.ts';
import type { Processes } from '../services/processes/processes.ts';
import { isInside, type State } from '../services/state/state.ts';
import type { Health } from './health.ts';
import type { Log } from './log.ts';
import { namedSettings } from './named-settings.ts';

/** Sessions whose time is over are looked for. */
const SWEEP_EVERY_MS = 60_000;
/** Name of the fact that says what our folder in `code.folder` is called. */
const FOLDER_NAME = 'code.folder';

export interface PluggedCode {
  stop(): Promise<void>;
}

/** Makes code runs operations away. Throws ConfigError for options that can't be. */
export function plugCode(
  dependencies: {
    state: State;
    processes: Processes;
    temporary: string;
    now: () => number;
    log: Log;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
  /** Another sidecar has the folders of runs. */
  { readOnly }: { readOnly: boolean },
): PluggedCode {
  const { state, now, log, implementations } = dependencies;
  const shared = state.writable ? config['code.folder'] : undefined;
  if (shared !== undefined && isInside(shared, config.root))
    throw new ConfigError([`code.folder: ${shared} lies in the workspace, where all that runs write would be told as its changes.`]);
  // Programs of runs have another folder than this process.
  const folder = path.resolve(shared === undefined ? ownFolderOf(state.folder, dependencies.temporary) : path.join(shared, nameOf(state)));
  const rollout: Readonly<Record<string, Rollout | undefined>> = namedSettings(config, 'code.rollout', codeRollout);
  const unknown = Object.keys(rollout).filter((code) => !languages.some((language) => language.code === code));
  const known = (): string => languages.map(({ code }) => code).join(', ');
  if (unknown.length > 0) throw new ConfigError([`code.rollout names no languages: ${unknown.join(', ')}; there are ${known()}.`]);
  const { runnerLanguage } = config;
  if (runnerLanguage !== undefined && languageNamed(runnerLanguage) === undefined)
    throw new ConfigError([`runnerLanguage: "${runnerLanguage}" is no language; there are ${known()}.`]);
  const own = new OwnFolder({ now }, { folder, lifeMs: config['code.sessionMs'] });
  const keep = (): void => {
    if (!readOnly) own.keep().catch((error: unknown) => log('warn', 'code.not-kept', { error }));
  };
  let held: IsolationInfo | undefined;
  const sandbox = sandboxIn(folder, dependencies, config, readOnly, (isolation) => {
    held = isolation;
    keep();
  });
  dependencies.health.add(() => ({ name: 'isolation', ok: true, text: isolationText(held) }));
  const toolchains = new Toolchains();
  const store = new SessionStore({ state, onProblem: (error) => log('warn', 'code.not-stored', { error }) });
  const sessions = new Sessions(
    { store, now },
    {
      folder: path.join(folder, 'sessions'),
      lifeMs: config['code.sessionMs'],
      most: config['code.sessions'],
      maxFiles: config['code.sessionFiles'],
      maxBytes: config['code.sessionBytes'],
      maxFileBytes: config['code.fileBytes'],
      maxStateBytes: config['code.stateBytes'],
    },
  );
  const cacheBytes = config['code.cacheBytes'];
  const queue = new RunQueue({ atOnce: config['code.atOnce'], most: config['code.queue'] });
  const processors = os.availableParallelism();
  const hasSpareProcessor = (): boolean => queue.running < processors;
  const runs = new Runs(
    {
      sandbox,
      sessions,
      toolchains,
      pool: new WarmPool({ sandbox, sessions, toolchains }, { size: config['code.warm'], hasSpareProcessor }),
      live: new LiveInterpreters(
        { sandbox, sessions, toolchains },
        { most: config['code.live'], maxStateBytes: config['code.stateBytes'], lifeMs: config['code.sessionMs'] },
      ),
      queue,
      cache: cacheBytes === 0 ? undefined : new CompileCache(path.join(folder, 'compiled'), { maxBytes: cacheBytes }),
      seeds: config['code.compilerSeed'] ? new CompilerSeeds({ sandbox, toolchains }, { folder: path.join(folder, 'seeds') }) : undefined,
      transform: config['code.transform'] ? new TypeScriptTransform() : undefined,
    },
    {
      mostLimits: {
        ...defaultLimits,
        wallMs: config['code.maxWallMs'],
        cpuMs: 4 * config['code.maxWallMs'],
        memoryBytes: config['code.maxMemoryBytes'],
        processes: 1024,
        outputBytes: config['code.maxOutputBytes'],
        fileBytes: config['code.maxDiskBytes'],
        diskBytes: config['code.maxDiskBytes'],
      },
      rollout: ({ code }) => rollout[code] ?? 'enabled',
      maxProduced: config['code.producedFiles'],
      maxSessionBytes: config['code.sessionBytes'],
    },
  );
  Object.assign(implementations, codeOperations({ runs, sessions, sandbox, toolchains }));
  // Their folders go also when nobody asks for a session any more.
  const sweep = (): void => {
    try {
      if (!readOnly) sessions.sweep();
    } catch (error) {
      log('warn', 'code.not-swept', { error });
    }
    keep();
  };
  const sweeping = setInterval(sweep, Math.min(SWEEP_EVERY_MS, config['code.sessionMs'])).unref();
  return {
    stop: async () => {
      clearInterval(sweeping);
      await runs.stop();
      sessions.stop();
      await own.stop();
    },
  };
}

function sandboxIn(
  folder: string,
  { processes, log }: { processes: Processes; log: Log },
  config: Config,
  readOnly: boolean,
  onOpen: (isolation: IsolationInfo) => void,
): Sandbox {
  const scratch = path.join(folder, 'running');
  const launcher = nativeProgram('outrigger-launcher');
  let isMade = false;
  const ladder = new LadderSandbox(
    {
      launcher,
      find: (program, options) => processes.find(program, options),
      searchPath: processes.env['PATH'],
      now: () => performance.now(),
      log: (level, event, fields) => log(level === 'debug' ? 'info' : level, event, fields),
    },
    {
      scratch,
      above: packageAbove(path.join(folder, 'sessions')),
      sessionBytes: config['code.sessionBytes'],
      highest: rungNames.indexOf(config['code.isolation'] as (typeof rungNames)[number]) as 0 | 1 | 2 | 3,
    },
  );
  return {
    seenAt: (place) => ladder.seenAt(place),
    // Nothing is made for runs before there are any.
    open: async () => {
      if (!isMade) {
        makePassage(scratch);
        // Of a sidecar that was killed.
        if (!readOnly) for (const name of fs.readdirSync(scratch)) removeFolder(path.join(scratch, name));
      }
      isMade = true;
      const opened = await ladder.open();
      onOpen(opened.isolation);
      return opened;
    },
    start: (request) => ladder.start(request),
    fork: (request, interpreter) => ladder.fork(request, interpreter),
    stop: () => ladder.stop(),
  };
}

/** It is tried when something is to run for the first time; `code.isolation` has the evidence. */
function isolationText(isolation: IsolationInfo | undefined): string {
  if (isolation === undefined && nativeProgram('outrigger-launcher') === undefined)
    return `Nothing holds code runs: there is no launcher: ${howToBuild()}.`;
  if (isolation === undefined) return 'No code was run yet, so nobody tried what holds it.';
  const { name, rung, holds, open } = isolation;
  return `Code runs at rung ${rung} (${name}), which holds ${holds.join(', ') || 'nothing'}${open.length === 0 ? '' : `; open: ${open.join(', ')}`}.`;
}

/**
 * What the folder of this state is called in one that other workspaces may have as well: in ours, what nobody knows is removed. By chance, as elsewhere, in
 * another container, both may have the same paths. Throws DISK_FULL.
 */
function nameOf(state: State): string {
  const known = state.get(FOLDER_NAME);
  const name = known ?? newId();
  if (known === undefined) state.set(FOLDER_NAME, name);
  return name;
}
