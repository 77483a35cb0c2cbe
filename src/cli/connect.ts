import fs from 'node:fs';
import path from 'node:path';
import { type Client, createClient } from '../client/client.ts';
import type { Surroundings } from '../config/load.ts';
import type { Operations } from '../contract/operations.ts';
import { workspaceId } from '../services/state/state.ts';
import { readMainToken } from '../sidecar/callers.ts';

export interface Target {
  url: string;
  token: string;
}

/** Folders in which the state of a workspace may lie, the likeliest first. */
export function stateFolders(root: string, surroundings: Surroundings, given: string | undefined): string[] {
  if (given !== undefined) return [given];
  const id = workspaceId(root);
  const user = typeof process.getuid === 'function' ? process.getuid() : 'user';
  return [
    ...(surroundings.stateHome === undefined ? [] : [path.join(surroundings.stateHome, 'outrigger', id)]),
    path.join(surroundings.temporary, `outrigger-${user}`, id),
  ];
}

/** The sidecar that runs on a folder, as it announced itself; undefined when none does. */
export function findSidecar(root: string, surroundings: Surroundings, state: string | undefined): Target | undefined {
  for (const folder of stateFolders(root, surroundings, state)) {
    try {
      const { url, pid } = JSON.parse(fs.readFileSync(path.join(folder, 'listening.json'), 'utf8')) as { url: string; pid: number };
      process.kill(pid, 0);
      const token = readMainToken(folder);
      if (token !== undefined) return { url, token };
    } catch {
      // Not running here, or left by a killed one.
    }
  }
  return undefined;
}

export function connectTo(target: Target): Client<Operations> {
  return createClient<Operations>({ url: target.url, token: target.token });
}
