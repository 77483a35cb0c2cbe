import type { Deployment } from '../../contract/deploy.ts';
import type { StateTone } from '../processes/process-words.ts';
import { spentTime } from '../words.ts';

export function isUnderWay({ state }: Pick<Deployment, 'state'>): boolean {
  return state === 'preparing' || state === 'running';
}

/** What ended it was no fault: somebody stopped it. */
function wasStopped({ state, reason }: Pick<Deployment, 'state' | 'reason'>): boolean {
  return state === 'failed' && reason === 'stopped';
}

export function deploymentTone(deployment: Deployment): StateTone {
  if (isUnderWay(deployment)) return 'running';
  if (wasStopped(deployment)) return 'stopped';
  return deployment.state === 'succeeded' ? 'done' : 'failed';
}

/** How a deployment went: `succeeded in 3.2 s, commit a1b2c3d`, `failed: odoo ended with exit code 1`, `stopped after 2 s`. */
export function outcome(deployment: Deployment, now: number): string {
  const { state, startedAt, endedAt = now, commit, error } = deployment;
  const took = spentTime(endedAt - startedAt);
  if (state === 'preparing') return `preparing, for ${took}`;
  if (state === 'running') return `running, for ${took}`;
  if (wasStopped(deployment)) return `stopped after ${took}`;
  if (state === 'failed') return `failed: ${(error ?? 'the reason is not known').replace(/\.$/, '')}`;
  return `succeeded in ${took}${commit === null ? '' : `, commit ${commit.slice(0, 7)}`}`;
}

/** `odoo library_loans`: the profile and what was given to it. */
export function deploymentTitle({ profile, parameters }: Pick<Deployment, 'profile' | 'parameters'>): string {
  const values = Object.entries(parameters).flatMap(([name, value]) => (value === false ? [] : [value === true ? name : String(value)]));
  return [profile, ...values].join(' ');
}

/** What succeeded and was kept can be gone back to; the newest of all is where one is already. */
export function canGoBackTo(deployment: Deployment, all: readonly Deployment[]): boolean {
  return deployment.state === 'succeeded' && deployment.checkpoint !== null && all[0]?.id !== deployment.id && !all.some(isUnderWay);
}
