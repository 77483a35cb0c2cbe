import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Config } from '../config/options.ts';
import type { code as table, IsolationInfo } from '../contract/code.ts';
import type { Implementations } from '../contract/operation.ts';
import { CompilerSeeds } from '../services/exec/compiler-seeds.ts';
import { CompileCache } from '../services/exec/compile-cache.ts';
import { LadderSandbox, rungNames } from '../services/exec/isolation/ladder.ts';
import type { Sandbox } from '../services/exec/isolation/sandbox.ts';
import { LiveInterpreters } from '../services/exec/interpreters/live.ts';
import { WarmPool } from '../services/exec/interpreters/warm-pool.ts';
import { defaultLimits } from '../services/exec/limits.ts';
import { codeOperations } from '../services/exec/operations.ts';
import { OwnFolder } from '../services/exec/own-folder.ts';
import { RunQueue } from '../services/exec/queue.ts';
import { type Rollout, Runs } from '../services/exec/runs.ts';
import { makePassage, packageAbove, removeFolder } from '../services/exec/run-folders.ts';
import { SessionStore } from '../services/exec/session-store.ts';
import { Sessions } from '../services/exec/sessions.ts';
import { Toolchains } from '../services/exec/toolchains.ts';
import { TypeScriptTransform } from '../services/exec/transform.ts';
import { nativeProgram } from '../services/processes/native-program.ts';
import type { Processes } from '../services/processes/processes.ts';
import type { State } from '../services/state/state.ts';
import type { Log } from './log.ts';

export interface OpenCodeDependencies {
  state: State;
  processes: Processes;
  now: () => number;
  log: Log;
  /** Called each time that it was looked at what holds the runs. */
  onIsolation: (isolation: IsolationInfo) => void;
}

export interface OpenCodeOptions {
  /** Absolute: of this sidecar alone. */
  folder: string;
  /** By the codes of languages; enabled where nothing is said. */
  rollout: Readonly<Record<string, Rollout | undefined>>;
  /** Another sidecar has the folders of runs. */
  readOnly: boolean;
}

export interface OpenedCode {
  operations: Implementations<typeof table>;
  /** Ends sessions whose time is over, and says that the folder is in use. */
  sweep(): void;
  stop(): Promise<void>;
}

/** What runs code; on the disk nothing is made before the first run. */
export function openCode(dependencies: OpenCodeDependencies, config: Config, { folder, rollout, readOnly }: OpenCodeOptions): OpenedCode {
  const { state, now, log, onIsolation } = dependencies;
  const own = new OwnFolder({ now }, { folder, lifeMs: config['code.sessionMs'] });
  const keep = (): void => {
    if (!readOnly) own.keep().catch((error: unknown) => log('warn', 'code.not-kept', { error }));
  };
  const sandbox = sandboxIn(folder, dependencies, config, readOnly, (isolation) => {
    onIsolation(isolation);
    keep();
  });
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
  return {
    operations: codeOperations({ runs, sessions, sandbox, toolchains }),
    sweep: () => {
      if (readOnly) return;
      try {
        sessions.sweep();
      } catch (error) {
        log('warn', 'code.not-swept', { error });
      }
      keep();
    },
    stop: async () => {
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
