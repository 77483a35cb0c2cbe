import { randomBytes } from 'node:crypto';
import type { Deployment, DeployProfile } from '../../contract/deploy.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { ProcessInfo } from '../../contract/processes.ts';
import type { OutputLog } from '../processes/output-log.ts';
import type { StartedBy } from '../processes/process-spec.ts';
import type { ProcessTable } from '../processes/process-table.ts';
import type { DeployStore } from './deploy-store.ts';
import { type ParameterValue, planArgv } from './plan-argv.ts';

/** What deployments ask of others; each may be absent. */
export interface DeployPorts {
  /** Commits everything that changed; gives the new commit, or HEAD where nothing had. Undefined where there is no repository. */
  commit: ((message: string, by: StartedBy) => Promise<string | undefined>) | undefined;
  /** Keeps the folder as it is now; gives the number of the checkpoint. */
  checkpoint: ((title: string, by: StartedBy) => Promise<number>) | undefined;
  /** Makes the folder what it was. */
  restore: ((checkpoint: number, by: StartedBy) => Promise<void>) | undefined;
  /** Throws where nothing stands at the path. */
  find: (path: string) => void;
}

export interface DeploymentsDependencies {
  processes: ProcessTable;
  store: DeployStore;
  ports: DeployPorts;
  now: () => number;
}

export interface DeployRequest {
  profile: string;
  parameters: Readonly<Record<string, ParameterValue>>;
  by: StartedBy;
}

/** One that is under way; `done` never rejects. */
interface Started {
  deployment: Deployment;
  done: Promise<void>;
}

/** Programs that bring the folder to where it is used: one at a time, of profiles that say what may be run. */
export class Deployments {
  readonly #dependencies: DeploymentsDependencies;
  readonly #profiles: ReadonlyMap<string, DeployProfile>;
  readonly #listeners = new Set<(deployment: Deployment) => void>();
  #all: Deployment[];
  #current: Deployment | undefined;
  #stopping = false;

  /** What an earlier sidecar left unfinished has failed. */
  constructor(dependencies: DeploymentsDependencies, options: { profiles: ReadonlyMap<string, DeployProfile> }) {
    this.#dependencies = dependencies;
    this.#profiles = options.profiles;
    this.#all = dependencies.store.all();
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
  logOf({ process }: Deployment): OutputLog | undefined {
    if (process === null) return undefined;
    try {
      return this.#dependencies.processes.process(process).log;
    } catch {
      return undefined;
    }
  }

  /** Begins one; it goes on whoever waits. Throws NO_PROFILE, DEPLOY_BUSY, BAD_INPUT, FILE_NOT_FOUND. */
  run(request: DeployRequest): Started {
    return this.#begin(request, {});
  }

  /** Makes the folder what it was at a deployment, and begins the same again. Throws as `run` does, NO_DEPLOYMENT, BAD_INPUT. */
  rollBack(to: string, by: StartedBy): Started {
    const { profile, parameters, checkpoint, state } = this.get(to);
    if (state !== 'succeeded' || checkpoint === null)
      throw new OutriggerError('BAD_INPUT', `${to} can't be gone back to: only what succeeded, and was kept as a checkpoint, can.`);
    return this.#begin({ profile, parameters, by }, { restore: checkpoint });
  }

  /** What follows a failure, where the profile says so and something went well before. */
  rollBackAfter(failed: Deployment): Started | undefined {
    if (failed.state !== 'failed' || failed.rollbackOf !== undefined || failed.reason === 'stopped') return undefined;
    if (this.#profiles.get(failed.profile)?.rollback !== true || this.#stopping) return undefined;
    const same = JSON.stringify(failed.parameters);
    const good = this.#all.findLast(
      ({ profile, state, parameters, checkpoint }) =>
        profile === failed.profile && state === 'succeeded' && checkpoint !== null && JSON.stringify(parameters) === same,
    );
    if (good === undefined) return undefined;
    const { profile, parameters, by } = failed;
    return this.#begin({ profile, parameters, by }, { restore: good.checkpoint as number, rollbackOf: failed.id });
  }

  /** Throws NO_DEPLOYMENT. */
  async cancel(id: string): Promise<Deployment> {
    const deployment = this.get(id);
    if (deployment.process !== null && deployment === this.#current)
      await this.#dependencies.processes.process(deployment.process).stop(2000);
    return deployment;
  }

  /** No new one begins; the process table ends what runs. */
  stop(): void {
    this.#stopping = true;
  }

  #begin({ profile: name, parameters, by }: DeployRequest, { restore, rollbackOf }: { restore?: number; rollbackOf?: string }): Started {
    const profile = this.#profiles.get(name);
    if (profile === undefined) throw new OutriggerError('NO_PROFILE', `There is no profile ${JSON.stringify(name)}.`);
    const { argv, values, paths } = planArgv(profile, parameters);
    for (const path of paths) this.#dependencies.ports.find(path);
    if (this.#stopping) throw new OutriggerError('STOPPING', 'The sidecar is stopping.');
    if (this.#current !== undefined)
      throw new OutriggerError('DEPLOY_BUSY', `${this.#current.id} (${this.#current.profile}) is under way.`, {
        details: { deployment: this.#current.id },
      });
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
      ...(rollbackOf === undefined ? {} : { rollbackOf }),
    };
    this.#current = deployment;
    this.#all = [...this.#all, deployment];
    this.#changed(deployment);
    const done = this.#work(deployment, profile, argv, restore)
      .catch((error: unknown) =>
        this.#fail(deployment, error instanceof OutriggerError ? error.message : 'It failed inside; the log has the cause.'),
      )
      .finally(() => {
        this.#current = undefined;
        deployment.endedAt = this.#dependencies.now();
        this.#changed(deployment);
      });
    return { deployment, done };
  }

  async #work(deployment: Deployment, profile: DeployProfile, argv: [string, ...string[]], restore: number | undefined): Promise<void> {
    const { processes, ports } = this.#dependencies;
    const { by, profile: name } = deployment;
    if (restore !== undefined) await ports.restore?.(restore, by);
    const title = titleOf(deployment);
    if (profile.before === 'commit') deployment.commit = (await ports.commit?.(title, by)) ?? null;
    if (profile.before !== 'none') deployment.checkpoint = (await this.#checkpoint(title, by)) ?? null;
    const { process } = await processes.start({
      argv,
      path: profile.path,
      env: profile.env,
      host: profile.host,
      title,
      tag: `deploy:${name}`,
      timeoutMs: profile.timeoutMs,
      checkpoint: true,
      startedBy: by,
    });
    Object.assign(deployment, { state: 'running', process: process.id });
    this.#changed(deployment);
    await processes.process(process.id).ended;
    this.#judge(deployment, processes.get(process.id), profile);
  }

  /** Without checkpoints a deployment is made all the same: there is no way back then. */
  async #checkpoint(title: string, by: StartedBy): Promise<number | undefined> {
    try {
      return await this.#dependencies.ports.checkpoint?.(title, by);
    } catch {
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

  #fail(deployment: Deployment, error: string): void {
    Object.assign(deployment, { state: 'failed', error });
  }

  #changed(deployment: Deployment): void {
    this.#dependencies.store.put(deployment);
    for (const listener of this.#listeners) listener(deployment);
  }
}

function titleOf({ profile, parameters }: Deployment): string {
  const values = Object.entries(parameters).map(([, value]) => String(value));
  return ['Deploy', ...(values.length === 0 ? [profile] : values)].join(' ').slice(0, 200);
}
