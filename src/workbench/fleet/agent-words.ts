import type { HubAgentInfo } from '../../contract/hub-operations.ts';
import { shortAge } from '../words.ts';

export interface AgentSign {
  word: string;
  tone: 'online' | 'busy' | 'draining' | 'stale' | 'offline' | 'revoked';
}

export function agentSign({ state, tasks, secrets }: HubAgentInfo): AgentSign {
  switch (state) {
    case 'online':
      return tasks.length > 0 ? { word: 'Busy', tone: 'busy' } : { word: 'Online', tone: 'online' };
    case 'draining':
      return { word: 'Draining', tone: 'draining' };
    case 'stale':
      return { word: 'Silent', tone: 'stale' };
    case 'offline':
      return secrets === 0 ? { word: 'Revoked', tone: 'revoked' } : { word: 'Offline', tone: 'offline' };
  }
}

export function isConnected({ state }: Pick<HubAgentInfo, 'state'>): boolean {
  return state !== 'offline';
}

/** Those that its tasks take, and all that it could have at once. */
export function agentLoad({ tasks, credit }: HubAgentInfo): { taken: number; room: number } {
  return { taken: tasks.length, room: tasks.length + credit };
}

/** Capabilities, and labels that say more than them. */
export function agentLabels({ capabilities, labels }: HubAgentInfo): string[] {
  return [...capabilities, ...Object.entries(labels).map(([name, value]) => (value === '' ? name : `${name}=${value}`))];
}

export function lastSeen({ state, lastSeen: at }: HubAgentInfo, now: number): string {
  if (at === null) return state === 'offline' ? 'never' : 'now';
  // Between two of its pings nothing comes.
  return state === 'online' || state === 'draining' ? 'now' : shortAge(at, now);
}
