import { randomBytes } from 'node:crypto';
import type { Deployment, DeployProfile } from '../../contract/deploy.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { OutputLog } from '../processes/output-log.ts';
import type { StartedBy } from '../processes/process-spec.ts';
import type { ProcessTable } from '../processes/process-table.ts';
import type { DeployStore } from './deploy-store.ts';
import { type ParameterValue, planArgv } from './plan-argv.ts';

/** What deployments ask of others; each may be absent. All reject with the signal's reason when it is aborted. */
export interface DeployPorts {
  /** Commits everything that changed; gives the new commit, or HEAD where nothing had. Undefined where there is no repository. */
  commit: ((message: string, by: StartedBy, signal: AbortSignal) => Promise<string | undefined>) | undefined;
  /** Keeps the folder as it is now; gives the number of the checkpoint. */
  checkpoint: ((title: string, by: StartedBy, signal: AbortSignal) => Promise<number>) | undefined;
  /** Makes the folder what it was. Rejects, and changes nothing, where that can't be done in full. */
  restore: ((checkpoint: number, by: StartedBy, signal: AbortSignal) => Promise<void>) | undefined;
  /** Throws where nothing stands at the path. */
  find: (path: string) => void;
}

export interface DeploymentsDependencies {
  processes: ProcessTable;
  store: DeployStore;
  ports: DeployPorts;
  now: () => number;
  log: (level: 'info' | 'warn' | 'error', event: string, facts: Record<string, unknown>) => void;
}

export interface DeploymentsOptions {
  profiles: ReadonlyMap<string, DeployProfile>;
  /** Deployments that are remembered. */
  keep: number;
}

export interface DeployRequest {
  profile: string;
  parameters: Readonly<Record<string, ParameterValue>>;
  by: StartedBy;
}

/** One that is under way. */
export interface Started {
  deployment: Deployment;
  /** Resolves at its end with the one that follows its failure, where one does. Never rejects. */
  next: Promise<Started | undefined>;
}

interface Current {
  deployment: Deployment;
  /** Aborted when it is not wanted any more. */
  canceling: AbortController;
  next: Promise<unknown>;
}

interface Origin {
  /** A checkpoint to go back to first. */
  restore?: number;
  rollbackOf?: string;
}

/** A sidecar that stops waits so long for a commit or a checkpoint, and then for what it ended. */
const STOP_PATIENCE_MS = 3000;
const STOP_LIMIT_MS = 5000;
const CANCEL_GRACE_MS = 2000;
const MAX_WHAT_LENGTH = 180;

/** Programs that bring the folder to where it is used: one at a time, of profiles that say what may be run. */
export class Deployments {
  readonly #dependencies: DeploymentsDependencies;
  readonly #profiles: ReadonlyMap<string, DeployProfile>;
  readonly #listeners = new Set<(deployment: Deployment) => void>();
  readonly #keep: number;
  #all: Deployment[];
  #current: Current | undefined;
  #stopping = false;
  #stopped: Promise<void> | undefined;

  /** What an earlier sidecar left unfinished has failed. */
  constructor(dependencies: DeploymentsDependencies, options: DeploymentsOptions) {
    this.#dependencies = dependencies;
    this.#profiles = options.profiles;
    this.#keep = options.keep;
    this.#all = dependencies.store.all().slice(-options.keep);
    for (const deployment of this.#all) {
      if (deployment.state === 'succeeded' || deployment.state === 'failed') continue;
      Object.assign(deployment, {
        state: 'failed',
        endedAt: dependencies.now(),
        reason: 'lost',
        error: 'The sidecar ended before the deployment did.',
      });
      dependencies.store.put(deployment);
    }
  }

  get profiles(): ReadonlyMap<string, DeployProfile> {
    return this.#profiles;
  }

  /** Newest first. */
  list(): Deployment[] {
    return this.#all.toReversed();
  }

  /** Throws NO_DEPLOYMENT. */
  get(id: string): Deployment {
    const found = this.#all.find((deployment) => deployment.id === id);
    if (found === undefined) throw new OutriggerError('NO_DEPLOYMENT', `There is no deployment ${JSON.stringify(id)}.`);
    return found;
  }

  /** At each step of each deployment. Returns the way to stop. */
  onNews(listener: (deployment: Deployment) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The log of a deployment; undefined before its program was started, and when that is forgotten. */
  logOf({ process }: Pick<Deployment, 'process'>): OutputLog | undefined {
    if (process === null) return undefined;
    try {
      return this.#dependencies.processes.process(process).log;
    } catch {
      return undefined;
    }
  }

  /** Begins one; it goes on whoever waits. Throws NO_PROFILE, DEPLOY_BUSY, BAD_INPUT, FILE_NOT_FOUND, STOPPING. */
  run(request: DeployRequest): Started {
    return this.#begin(request, {});
  }

  /** Makes the folder what it was at a deployment, and begins the same again. Throws as `run` does, NO_DEPLOYMENT, BAD_INPUT, PART_OFF. */
  rollBack(to: string, by: StartedBy): Started {
    const { profile, parameters, checkpoint, state } = this.get(to);
    if (state !== 'succeeded' || checkpoint === null)
      throw new OutriggerError('BAD_INPUT', `${to} can't be gone back to: only what succeeded, and was kept as a checkpoint, can.`);
    if (this.#dependencies.ports.restore === undefined)
      throw new OutriggerError('PART_OFF', `${to} can't be gone back to: checkpoints are switched off here.`);
    return this.#begin({ profile, parameters, by }, { restore: checkpoint });
  }

  /** Ends the one that is under way, in whatever step it is, and gives it as it ended. Throws NO_DEPLOYMENT. */
  async cancel(id: string): Promise<Deployment> {
    const deployment = this.get(id);
    const current = this.#current;
    if (current?.deployment !== deployment) return deployment;
    current.canceling.abort(new OutriggerError('CANCELED', 'It was stopped before its program was started.'));
    await this.#endProgram(deployment);
    await current.next;
    return deployment;
  }

  /** No new one begins; the one under way ends with its step, its program with the process table. May be called twice. */
  stop(): Promise<void> {
    this.#stopping = true;
    this.#stopped ??= this.#awaitCurrent();
    return this.#stopped;
  }

  async #awaitCurrent(): Promise<void> {
    const current = this.#current;
    if (current === undefined) return;
    const patience = setTimeout(() => current.canceling.abort(stopping()), STOP_PATIENCE_MS);
    const limit = Promise.withResolvers<void>();
    const late = setTimeout(limit.resolve, STOP_LIMIT_MS);
    await Promise.race([current.next, limit.promise]);
    clearTimeout(patience);
    clearTimeout(late);
  }

  #begin({ profile: name, parameters, by }: DeployRequest, origin: Origin): Started {
    const profile = this.#profiles.get(name);
    if (profile === undefined) throw new OutriggerError('NO_PROFILE', `There is no profile ${JSON.stringify(name)}.`);
    const { argv, values, paths } = planArgv(profile, parameters);
    for (const path of paths) this.#dependencies.ports.find(path);
    if (this.#stopping) throw stopping();
    const busy = this.#current?.deployment;
    if (busy !== undefined)
      throw new OutriggerError('DEPLOY_BUSY', `${busy.id} (${busy.profile}) is under way.`, { details: { deployment: busy.id } });
    const deployment: Deployment = {
      id: `d-${randomBytes(6).toString('hex')}`,
      profile: name,
      parameters: values,
      by,
      state: 'preparing',
      startedAt: this.#dependencies.now(),
      commit: null,
      checkpoint: null,
      process: null,
      ...(origin.rollbackOf === undefined ? {} : { rollbackOf: origin.rollbackOf }),
    };
    this.#all = [...this.#all, deployment].slice(-this.#keep);
    const canceling = new AbortController();
    const next = this.#toItsEnd(deployment, profile, argv, origin, canceling.signal);
    this.#current = { deployment, canceling, next };
    this.#changed(deployment);
    return { deployment, next };
  }

  /** Never rejects. */
  async #toItsEnd(
    deployment: Deployment,
    profile: DeployProfile,
    argv: [string, ...string[]],
    origin: Origin,
    signal: AbortSignal,
  ): Promise<Started | undefined> {
    try {
      // Begun when whoever began it knows of it.
      await Promise.resolve();
      await this.#work(deployment, profile, argv, origin.restore, signal);
    } catch (error) {
      this.#failInside(deployment, error);
    }
    this.#current = undefined;
    deployment.endedAt = this.#dependencies.now();
    this.#changed(deployment);
    // In this very turn, so that no other one comes between.
    return origin.restore === undefined ? this.#rollBackAfter(deployment) : undefined;
  }

  /** What follows the failure of a program, where the profile says so and something went well before. */
  #rollBackAfter(failed: Deployment): Started | undefined {
    if (failed.state !== 'failed' || failed.reason === 'stopped' || this.#stopping) return undefined;
    // Nothing was deployed: there is nothing to go back from.
    if (failed.process === null) return undefined;
    if (this.#profiles.get(failed.profile)?.rollback !== true || this.#dependencies.ports.restore === undefined) return undefined;
    const same = JSON.stringify(failed.parameters);
    const good = this.#all.findLast(
      ({ profile, state, parameters, checkpoint }) =>
        profile === failed.profile && state === 'succeeded' && checkpoint !== null && JSON.stringify(parameters) === same,
    );
    if (good === undefined) return undefined;
    const { profile, parameters, by } = failed;
    try {
      return this.#begin({ profile, parameters, by }, { restore: good.checkpoint as number, rollbackOf: failed.id });
    } catch (error) {
      this.#dependencies.log('warn', 'deploy.not-rolled-back', { deployment: failed.id, error });
      return undefined;
    }
  }

  async #work(
    deployment: Deployment,
    profile: DeployProfile,
    argv: [string, ...string[]],
    restore: number | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    const { processes, ports } = this.#dependencies;
    const { by } = deployment;
    const title = titleOf(deployment);
    if (restore !== undefined) await ports.restore?.(restore, by, signal);
    this.#checkWanted(signal);
    if (profile.before === 'commit') deployment.commit = (await ports.commit?.(title, by, signal)) ?? null;
    this.#checkWanted(signal);
    if (profile.before !== 'none') deployment.checkpoint = (await this.#checkpoint(checkpointTitleOf(deployment), by, signal)) ?? null;
    this.#checkWanted(signal);
    const { process } = await processes.start({
      argv,
      path: profile.path,
      env: profile.env,
      host: profile.host,
      title,
      // Of its own: what others started under a name of theirs is no deployment.
      tag: tagOf(deployment),
      timeoutMs: profile.timeoutMs,
      checkpoint: true,
      startedBy: by,
    });
    Object.assign(deployment, { state: 'running', process: process.id });
    this.#changed(deployment);
    // It was canceled while it was being started.
    if (signal.aborted) void this.#endProgram(deployment);
    const { process: program, info } = processes.view(process.id);
    await program.ended;
    this.#judge(deployment, info(), profile);
  }

  #checkWanted(signal: AbortSignal): void {
    signal.throwIfAborted();
    if (this.#stopping) throw stopping();
  }

  async #endProgram(deployment: Deployment): Promise<void> {
    try {
      await this.#dependencies.processes.process(tagOf(deployment)).stop(CANCEL_GRACE_MS);
    } catch {
      // NO_PROCESS: it has not come so far.
    }
  }

  /** Without checkpoints a deployment is made all the same: there is no way back then. */
  async #checkpoint(title: string, by: StartedBy, signal: AbortSignal): Promise<number | undefined> {
    const { ports, log } = this.#dependencies;
    try {
      return await ports.checkpoint?.(title, by, signal);
    } catch (error) {
      if (!signal.aborted) log('warn', 'deploy.no-checkpoint', { title, error });
      return undefined;
    }
  }

  #judge(deployment: Deployment, { reason, exitCode, exitSignal }: ProcessInfo, { argv, timeoutMs }: DeployProfile): void {
    if (reason !== undefined) deployment.reason = reason;
    if (exitCode !== undefined) deployment.exitCode = exitCode;
    if (reason === 'exit' && exitCode === 0) {
      deployment.state = 'succeeded';
      return;
    }
    const program = argv[0];
    if (reason === 'timeout') this.#fail(deployment, `${program} took longer than ${timeoutMs} ms and was ended.`);
    else if (reason === 'stopped') this.#fail(deployment, `${program} was stopped.`);
    else if (reason === 'lost') this.#fail(deployment, `${program} was lost: its host went away.`);
    else if (reason === 'signal') this.#fail(deployment, `${program} was ended by ${exitSignal ?? 'a signal'}.`);
    else this.#fail(deployment, `${program} ended with exit code ${exitCode}.`);
  }

  /** It failed before there was a program, or for want of one. */
  #failInside(deployment: Deployment, error: unknown): void {
    const isOurs = error instanceof OutriggerError;
    if (!isOurs) this.#dependencies.log('error', 'deploy.failed-inside', { deployment: deployment.id, error });
    deployment.reason = isOurs && (error.reason === 'CANCELED' || error.reason === 'STOPPING') ? 'stopped' : 'failed';
    this.#fail(deployment, isOurs ? error.message : 'It failed inside; the log has the cause.');
  }

  #fail(deployment: Deployment, error: string): void {
    Object.assign(deployment, { state: 'failed', error });
  }

  #changed(deployment: Deployment): void {
    this.#dependencies.store.put(deployment);
    for (const listener of this.#listeners) listener(deployment);
  }
}

/** `Deploy library_loans`. */
function titleOf(deployment: Deployment): string {
  return `Deploy ${whatOf(deployment)}`;
}

/** The program has one of its own, of what it does. */
function checkpointTitleOf(deployment: Deployment): string {
  return `${whatOf(deployment)}, as deployed`;
}

function whatOf({ profile, parameters }: Deployment): string {
  const values = Object.values(parameters).map(String);
  return (values.length === 0 ? profile : values.join(' ')).slice(0, MAX_WHAT_LENGTH);
}

function tagOf({ id }: Deployment): string {
  return `deploy:${id}`;
}

function stopping(): OutriggerError {
  return new OutriggerError('STOPPING', 'The sidecar is stopping.');
}
