import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import type { Caller } from '../contract/access.ts';
import { createDispatch, type Dispatch } from '../contract/dispatch.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Change } from '../contract/events.ts';
import type { Table } from '../contract/operation.ts';
import { execAgents } from '../contract/processes.ts';
import { operations as ownTable } from '../contract/operations.ts';
import { processEnvironment, type Surroundings } from '../config/load.ts';
import type { ComponentName, Config } from '../config/options.ts';
import type { Deployments } from '../services/deploy/deployments.ts';
import type { Documents } from '../services/documents/documents.ts';
import { virtualMounts } from '../services/state/mount-point.ts';
import { placeInside, State, STATE_HINT, stateFolders } from '../services/state/state.ts';
import { changeOperations } from '../services/workspace/change-operations.ts';
import { fileOperations } from '../services/workspace/operations.ts';
import { rootsFolder } from '../services/exec/own-folder.ts';
import { createIgnore, literalGlob } from '../services/workspace/ignore.ts';
import { Workspace } from '../services/workspace/workspace.ts';
import { nativeProgram } from '../services/processes/native-program.ts';
import { ProcessStore } from '../services/processes/process-store.ts';
import { Processes } from '../services/processes/processes.ts';
import { RunGroups } from '../services/processes/run-groups.ts';
import type { RunHooks } from '../services/processes/run-hooks.ts';
import type { ProcessTable } from '../services/processes/process-table.ts';
import { Callers } from './callers.ts';
import { doctorOperation } from './doctor.ts';
import type { Doors } from './doors.ts';
import { Drain } from './drain.ts';
import { GitPulse } from './git-pulse.ts';
import { whyUnwritable } from './folder-access.ts';
import { Health } from './health.ts';
import { LateLog, type Log } from './log.ts';
import { Metrics } from './metrics.ts';
import { namedSettings } from './named-settings.ts';
import type { PluggedLink, SidecarLink } from './plug-link.ts';
import type { PluggedCheckpoints } from './plug-checkpoints.ts';
import type { PluggedHistory } from './plug-history.ts';
import type { PluggedSearch } from './plug-search.ts';
import { SecretPlaces } from './secret-places.ts';

export interface SidecarDependencies {
  config: Config;
  surroundings: Surroundings;
  log: Log;
  /** Operations of the host's own, beside ours: a name of ours can't be taken. */
  operations?: { table: Table; implementations: Readonly<Record<string, unknown>> };
  /** Milliseconds since 1970. */
  now?: () => number;
  /** Folder of the built workbench. */
  workbench?: string | undefined;
  /** Switches checks off, for tests that must be seen to fail without them. */
  faults?: Faults;
  /** True: nothing listens; the sidecar is asked through `dispatch`. */
  headless?: boolean;
  /** True: the folder and its state are left to another sidecar, and nothing of this one is kept. */
  passive?: boolean;
  /** True: a port that is taken is no reason to fail, the next free one is used. */
  anyPort?: boolean;
}

export interface Faults {
  /** The workspace does not know its own writes again when the watch tells of them. */
  forgetWrites?: boolean;
  /** Documents believe that the file is as they left it. */
  trustState?: boolean;
}

export interface Sidecar {
  /** '' when nothing listens. */
  readonly url: string;
  readonly token: string;
  /** True when configuration set the token. */
  readonly tokenWasGiven: boolean;
  readonly workspaceId: string;
  /** Why nobody can write here, in words; undefined where one can. */
  readonly readOnly: string | undefined;
  readonly stateFolder: string;
  readonly dispatch: Dispatch;
  readonly table: Table;
  /** Whether an operation is to be had here: its part is on, and may be used at all. */
  readonly offers: (name: string) => boolean;
  /** Where the second port listens, if it does. */
  readonly socketUrl: string | undefined;
  /** Where the runner API listens, if it does. */
  readonly runnerUrl: string | undefined;
  /** Where the wire of E2B listens, if it does. */
  readonly e2bUrl: string | undefined;
  /** With a hub, where there is one. */
  readonly link: SidecarLink | undefined;
  /** Resolves when the watch knows the whole folder and documents of a crash are saved. */
  readonly ready: Promise<void>;
  /** For runs of the host's own that change the folder: checkpoints are made around them. Undefined where that part is off. */
  readonly runHooks: RunHooks | undefined;
  onChanges(listener: (changes: readonly Change[]) => void): () => void;
  rotateToken(): string;
  /** Refuses new work, saves, ends connections with 1001, and leaves nothing behind. May be called twice. */
  stop(): Promise<void>;
}

/** Builds all parts in start order; reading this is reading the architecture. Throws UnavailableError, OutriggerError. */
export async function startSidecar(dependencies: SidecarDependencies): Promise<Sidecar> {
  const { config: given, log } = dependencies;
  const now = dependencies.now ?? Date.now;
  const has = (component: ComponentName): boolean => given.components.includes(component);
  const releases: { name: string; release: () => void | Promise<void> }[] = [];
  const onRelease = (name: string, release: () => void | Promise<void>): void => void releases.push({ name, release });
  const health = new Health(now);
  const metrics = new Metrics();

  try {
    // ── the folder and what is remembered of it
    const root = path.resolve(given.root);
    if (given.umask !== undefined) process.umask(Number.parseInt(given.umask, 8));
    if (!fs.existsSync(root)) throw new OutriggerError('WORKSPACE_GONE', `The folder ${root} is not there.`);
    const state = new State({
      root,
      folder: given.state,
      stateHome: dependencies.surroundings.stateHome,
      temporary: dependencies.surroundings.temporary,
      passive: dependencies.passive === true,
      onLost: (why) => log('error', 'state.lost', { reason: why, folder: state.folder }),
    });
    onRelease('state', () => state.close());
    // What sidecars keep is no part of a folder that it lies in: of what is written there at each change, each would be a change again. Nor is what
    // the kernel makes up, where all of the machine is served.
    const kept = stateFolders(dependencies.surroundings);
    const left = [...kept, rootsFolder(dependencies.surroundings.temporary), ...virtualMounts()];
    const places = left.map((folder) => placeInside(folder, root) ?? '').filter((place) => place !== '');
    const config = { ...given, 'watch.ignore': [...given['watch.ignore'], ...places.map(literalGlob)] };
    let stateProblem: string | undefined;
    const workspace = new Workspace(
      { state, now, onProblem: (problem) => (stateProblem = problem) },
      {
        root,
        durability: config.durability,
        keepChanges: config['changes.keep'],
        ignored: createIgnore(config['watch.ignore']),
        forgetWrites: dependencies.faults?.forgetWrites === true,
      },
    );
    onRelease('workspace', () => workspace.close());
    const readOnlyFromStart = config.readOnly
      ? 'it was started read-only.'
      : state.writable
        ? undefined
        : `another sidecar (${state.holder}) holds the folder.`;
    // Without its state another sidecar may have the folder: no call changes it any more, and what is under way goes on.
    const readOnly = (): string | undefined => readOnlyFromStart ?? state.lost;
    if (readOnlyFromStart === undefined) workspace.recover();
    else if (!state.writable && dependencies.passive !== true) log('warn', 'workspace.read-only', { reason: readOnlyFromStart });
    const unwritableAtStart = readOnlyFromStart === undefined ? whyUnwritable(workspace.root) : undefined;
    if (unwritableAtStart !== undefined) log('warn', 'workspace.unwritable', { reason: unwritableAtStart });
    const callers = new Callers({ state, now }, { token: config.token, owner: config.owner });
    onRelease('callers', () => callers.close());
    health.add(() => ({
      name: 'workspace',
      ok: workspace.containment.exists(),
      text: workspace.containment.exists() ? 'The folder is there.' : 'The folder is gone.',
    }));
    health.add(() => {
      state.look();
      if (state.lost !== undefined) {
        const hint = `Start the sidecar again. The state was in ${state.folder}.`;
        return { name: 'state', ok: false, text: `Nothing is remembered any more: ${state.lost}`, hint };
      }
      if (stateProblem !== undefined) return { name: 'state', ok: false, text: stateProblem, hint: STATE_HINT };
      return { name: 'state', ok: true, text: state.ephemeral ? 'state: ephemeral (no home that can be written)' : 'state: kept' };
    });
    if (!workspace.containment.byDescriptor) {
      health.add(() => ({
        name: 'containment',
        ok: true,
        text: 'Paths are checked by name: there is no /proc here to check opened folders by.',
      }));
    }
    health.add(() => {
      const why = readOnly();
      if (why !== undefined) return { name: 'writing', ok: true, text: `Nobody can write here: ${why}` };
      // It may be meant so, and what lies below may be writable.
      const unwritable = whyUnwritable(workspace.root);
      return unwritable === undefined ? undefined : { name: 'writing', ok: true, text: `Nothing can be made here: ${unwritable}` };
    });

    const mark = new ProcessStore({ state, onProblem: (error) => log('warn', 'process.not-stored', { error }) }).prefix();
    const processes = new Processes({
      env: processEnvironment(),
      groups: new RunGroups({ state, mark }),
      launcher: nativeProgram('outrigger-launcher'),
    });
    onRelease('processes', () => processes.stop());
    await processes.recover();

    // ── parts that may be left out: their modules are loaded only when they are on
    const pulse = new GitPulse();
    const implementations: Record<string, unknown> = { ...dependencies.operations?.implementations };
    const textLimit = config['limits.outputBytes'];
    const files = fileOperations(workspace, { maxTextBytes: textLimit, maxUploadBytes: config['limits.uploadBytes'] });
    Object.assign(implementations, files, changeOperations(workspace, pulse, now));
    const { startWatch } = await import('./watching.ts');
    const watching = startWatch({ workspace, state, pulse, log, health }, config);
    onRelease('watch', () => watching.stop());
    // Of a link, its file of the secret is known when it is plugged in.
    const { configFile } = dependencies.surroundings;
    let secretPlaces = new SecretPlaces(workspace.root, [config.tokenFile, configFile, ...kept, config['link.config']], () =>
      performance.now(),
    );
    let history: PluggedHistory | undefined;
    if (has('history')) {
      const { plugHistory } = await import('./plug-history.ts');
      history = plugHistory({ workspace, state, files, now, log, implementations }, config, {
        readOnly: readOnlyFromStart !== undefined,
        secrets: () => secretPlaces.places,
      });
      onRelease('history', () => history?.stop());
    }
    let documents: Documents | undefined;
    if (has('documents')) {
      const { plugDocuments } = await import('./plug-documents.ts');
      documents = plugDocuments({ workspace, state, opened: history?.opened, now, log, health, implementations }, config, {
        readOnly: readOnlyFromStart !== undefined,
        trustState: dependencies.faults?.trustState === true,
      });
      onRelease('documents', () => documents?.stop());
    }
    let search: PluggedSearch | undefined;
    if (has('search')) {
      const { plugSearch } = await import('./plug-search.ts');
      const secrets = (): ReadonlySet<string> => secretPlaces.places;
      search = plugSearch({ workspace, state, processes, documents, watching, secrets, log, health, implementations }, config);
      onRelease('search', () => search?.stop());
    }
    if (has('git')) {
      const { plugGit } = await import('./plug-git.ts');
      const git = await plugGit({ workspace, state, processes, documents, log, health, implementations }, config, {
        readOnly: readOnlyFromStart !== undefined,
        secrets: () => secretPlaces.places,
      });
      onRelease('git', () => git.stop());
    }
    let checkpoints: PluggedCheckpoints | undefined;
    if (has('checkpoints')) {
      const { plugCheckpoints } = await import('./plug-checkpoints.ts');
      checkpoints = plugCheckpoints({ workspace, state, processes, documents, watching, now, log, health, implementations }, config, {
        readOnly: readOnlyFromStart !== undefined,
        secrets: () => secretPlaces.places,
      });
      onRelease('checkpoints', () => checkpoints?.stop());
    }
    let runs: ProcessTable | undefined;
    let deployments: Deployments | undefined;
    if (has('processes')) {
      const { plugProcesses } = await import('./plug-processes.ts');
      runs = plugProcesses({ workspace, state, processes, hooks: checkpoints?.hooks, now, log, health, implementations }, config);
      onRelease('runs', () => runs?.stop());
      if (readOnlyFromStart === undefined) await runs.recover();
      if (has('terminals')) {
        const { plugTerminals } = await import('./plug-terminals.ts');
        onRelease('terminals', plugTerminals({ runs, processes, implementations }, config));
      }
      if (has('deploy')) {
        const { plugDeploy } = await import('./plug-deploy.ts');
        deployments = plugDeploy({ workspace, state, runs, now, log, implementations }, config);
        onRelease('deploy', () => deployments?.stop());
      }
    }
    if (has('code')) {
      const { plugCode } = await import('./plug-code.ts');
      const code = plugCode(
        { state, processes, temporary: dependencies.surroundings.temporary, now, log, health, implementations },
        config,
        {
          readOnly: readOnlyFromStart !== undefined,
        },
      );
      onRelease('code', () => code.stop());
    }

    let link: PluggedLink | undefined;
    if (config['link.config'] !== undefined && readOnlyFromStart === undefined) {
      const { plugLink } = await import('./plug-link.ts');
      link = plugLink(
        { state, processes, hooks: checkpoints?.hooks, callers, dispatch: () => dispatch, now, log, health, implementations },
        { ...config, 'link.config': config['link.config'] },
      );
      onRelease('link', () => link?.stop());
    }

    // ── the one way in
    const agents = Object.values(namedSettings(config, 'processes.agents', execAgents));
    // State lies in the workspace where there is no other place, as in one that is all of the machine, and that of others in one that is somebody's home.
    const secretFiles = [config.tokenFile, configFile, ...kept, ...(link?.secretFiles ?? []), ...agents.map(({ tokenFile }) => tokenFile)];
    const secrets = new SecretPlaces(workspace.root, secretFiles, () => performance.now());
    workspace.journal.onChanges((changes) => secrets.noticed(changes));
    secretPlaces = secrets;
    let stopping = false;
    const drain = new Drain();
    const calls = new LateLog(log);
    const table: Table = dependencies.operations === undefined ? ownTable : { ...dependencies.operations.table, ...ownTable };
    const answer = createDispatch(
      table,
      implementations,
      {
        now: () => performance.now(),
        log: ({ operation, error, ...facts }) => {
          if (table[operation]?.endless !== true) drain.ended();
          metrics.called(operation, facts.outcome, facts.durationMs);
          calls.add(error === undefined ? 'info' : 'error', 'operation', { operation, ...facts, error });
        },
        locate: (wirePath) => workspace.realPath(wirePath),
        get secrets() {
          return secrets.places;
        },
        refuse: () => (stopping ? new OutriggerError('STOPPING', 'The sidecar is stopping.') : undefined),
      },
      {
        ceiling: () => {
          const why = readOnly();
          return why === undefined ? { access: 'admin', why: '' } : { access: 'read', why };
        },
        maxOutputBytes: config['limits.outputBytes'],
        maxCallsPerCaller: config['limits.callsPerCaller'],
      },
    );
    // A feed has no end that could be waited for: it is told why it ends.
    const feeds = new AbortController();
    const dispatch: Dispatch = (request) => {
      // What would be gone with the state is not acknowledged; to read needs no look.
      if (table[request.name]?.access !== 'read') state.look();
      // A request alone may be a probe or a script; who keeps a connection is at work here, and will search.
      if (request.transport !== 'http') search?.wake();
      if (table[request.name]?.endless === true) return answer({ ...request, signal: AbortSignal.any([request.signal, feeds.signal]) });
      drain.began();
      return answer(request);
    };

    const offers = (name: string): boolean =>
      Object.hasOwn(implementations, name) && (readOnly() === undefined || table[name]?.access === 'read');

    // ── what the sidecar says of itself, and then the doors
    let doors: Doors | undefined;
    const { plugSystem } = await import('./plug-system.ts');
    const doctor = doctorOperation(processes, workspace.root, (caller) => health.checks(caller));
    plugSystem(
      { implementations, health, callers, workspace, state, connections: () => doors?.connections() ?? 0, readOnly, doctor },
      config,
    );
    if (dependencies.headless !== true) {
      const { openDoors } = await import('./doors.ts');
      doors = await openDoors(
        {
          dispatch,
          table,
          offers,
          callers,
          health,
          log,
          root: workspace.root,
          readOnly: readOnly(),
          workbench: has('workbench') ? dependencies.workbench : undefined,
          anyPort: dependencies.anyPort === true,
          metrics: (connections) =>
            metrics.text({ connections, revision: workspace.journal.revision, documents: documents?.list().length ?? 0 }),
          onRelease,
        },
        config,
      );
      if (state.writable) {
        // Read by the command line of the same user, which can be told the address as well.
        try {
          state.writeFile('listening.json', JSON.stringify({ url: doors.url, pid: process.pid, root }));
          onRelease('announcement', () => state.removeFile('listening.json'));
        } catch (error) {
          log('warn', 'sidecar.unannounced', { error });
        }
      }
      log('info', 'sidecar.listening', { url: doors.url, components: config.components, workspaceId: state.id });
    }

    const ready = (async () => {
      await documents?.start();
      await watching.started;
      if (stopping) return;
      checkpoints?.takeUp();
      await link?.start(doors?.url ?? '');
      // Nobody waits for it: until the files are listed, a search reads them all.
      search?.ready();
      // Nothing listens: whoever made it is there.
      if (dependencies.headless === true) search?.wake();
      health.phase = 'ready';
      log('info', 'sidecar.ready', { durationMs: health.uptimeMs });
    })().catch((error: unknown) => {
      // Stopped before it was ready, which is no failure.
      if (stopping) return;
      log('error', 'sidecar.not-ready', { error });
      throw error;
    });
    ready.catch(() => {});

    let stopped: Promise<void> | undefined;
    const stop = async (): Promise<void> => {
      const begun = performance.now();
      health.phase = 'stopping';
      log('info', 'sidecar.stopping', {});
      // New work is refused; what is under way may end, then it is ended.
      stopping = true;
      doors?.announceStop(config.stopGraceMs);
      feeds.abort(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
      // Who follows a program hears of its end.
      const ended = Promise.all([link?.stop(), deployments?.stop(), runs?.stop()]);
      await drain.empty(config.stopGraceMs);
      await ended;
      await documents?.stop();
      doors?.closeSockets();
      await releaseAll(releases, log);
      calls.flush();
      log('info', 'sidecar.stopped', { durationMs: Math.round(performance.now() - begun), uptimeMs: health.uptimeMs });
    };

    return {
      url: doors?.url ?? '',
      get token() {
        return callers.mainToken;
      },
      tokenWasGiven: callers.tokenWasGiven,
      workspaceId: state.id,
      get readOnly() {
        return readOnly();
      },
      stateFolder: state.folder,
      dispatch,
      table,
      offers,
      socketUrl: doors?.socketUrl,
      runnerUrl: doors?.runnerUrl,
      e2bUrl: doors?.e2bUrl,
      link,
      ready,
      runHooks: checkpoints?.hooks,
      onChanges: (changesListener) => workspace.journal.onChanges(changesListener),
      rotateToken: () => callers.rotate(),
      stop: () => (stopped ??= stop()),
    };
  } catch (error) {
    await releaseAll(releases, log);
    throw error;
  }
}

/** In the reverse order of the start; one that fails does not keep the others. */
async function releaseAll(releases: { name: string; release: () => void | Promise<void> }[], log: Log): Promise<void> {
  for (const { name, release } of releases.splice(0).reverse()) {
    try {
      await release();
    } catch (error) {
      log('error', 'sidecar.release-failed', { part: name, error });
    }
  }
}

/** A caller for the host itself: calls in the same process. */
export function hostCaller(): Caller {
  return { id: `host-${randomUUID()}`, name: 'host', kind: 'service', access: 'admin' };
}
