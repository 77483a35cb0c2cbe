import fs from 'node:fs';
import path from 'node:path';
import { type Client, createClient } from '../client/client.ts';
import type { LoadedConfig, Surroundings } from '../config/load.ts';
import { OutriggerError } from '../contract/errors.ts';
import type { Operations } from '../contract/operations.ts';
import { stateHeldFrom, usualFolders, workspaceId } from '../services/state/state.ts';
import { readMainToken } from '../sidecar/callers.ts';
import { CommandError } from './command-error.ts';
import { requireFolder } from './local-paths.ts';
import { shellWord } from './terminal.ts';

const TOKEN_HINT = 'Set that one in $OUTRIGGER_TOKEN, or name its file with --token-file.';

export interface Target {
  url: string;
  token: string;
}

/** A sidecar as it announced itself. Its token is kept beside that, unless configuration set it: then only who did knows it. */
export interface FoundSidecar {
  url: string;
  token: string | undefined;
}

/** Folders in which the state of a workspace may lie, the likeliest first. Throws UnavailableError where `root` is no folder. */
export function stateFolders(root: string, surroundings: Surroundings, given: string | undefined): string[] {
  if (given !== undefined) return [given];
  requireFolder(root);
  return usualFolders(workspaceId(root), surroundings).map(stateHeldFrom);
}

/** The sidecar that runs on a folder; undefined when none does. Throws UnavailableError where `root` is no folder. */
export function findSidecar(root: string, surroundings: Surroundings, state: string | undefined): FoundSidecar | undefined {
  for (const folder of stateFolders(root, surroundings, state)) {
    try {
      const { url, pid } = JSON.parse(fs.readFileSync(path.join(folder, 'listening.json'), 'utf8')) as { url: string; pid: number };
      process.kill(pid, 0);
      return { url, token: readMainToken(folder) };
    } catch {
      // Not running here, or left by a killed one.
    }
  }
  return undefined;
}

/** The nearest folder, from `from` upwards, on which a sidecar runs; undefined when there is none. */
export function servedFolder(from: string, surroundings: Surroundings): string | undefined {
  for (let folder = from; ; folder = path.dirname(folder)) {
    if (findSidecar(folder, surroundings, undefined) !== undefined) return folder;
    if (folder === path.dirname(folder)) return undefined;
  }
}

export function connectTo(target: Target): Client<Operations> {
  return createClient<Operations>({ url: target.url, token: target.token });
}

/** The sidecar with the token that configuration gives, else with the one that is kept. Throws NO_TOKEN where neither is there. */
export function withToken({ url, token: kept }: FoundSidecar, root: string, { config }: LoadedConfig): Target {
  const token = config.token ?? kept;
  if (token === undefined) throw new CommandError('NO_TOKEN', `The token of the sidecar on ${root} was set by configuration.`, TOKEN_HINT);
  return { url, token };
}

export interface Asked {
  url: string;
  /** By --url; else it was found by its folder. */
  isGiven: boolean;
  root: string;
  loaded: LoadedConfig;
}

/** What an error of a call means for whoever gave the command. */
export function explained(error: unknown, { url, isGiven, root, loaded }: Asked): unknown {
  if (!(error instanceof OutriggerError)) return error;
  if (error.reason === 'BAD_TOKEN') {
    const source = tokenSource(loaded);
    if (source === undefined)
      return new CommandError(
        'BAD_TOKEN',
        `The token kept for ${root} does not hold: its sidecar was given another one.`,
        TOKEN_HINT,
        error,
      );
    const hint = isGiven ? 'Set the right one.' : 'Unset it, or set the right one.';
    return new CommandError('BAD_TOKEN', `${source} is set and does not hold for this sidecar.`, hint, error);
  }
  if (error.reason !== 'CONNECTION_LOST' || !isRefused(error)) return error;
  const instead = isGiven ? 'Start it, or check --url.' : `Start it: outrigger serve ${shellWord(root)}`;
  return new CommandError('CONNECTION_LOST', `Nothing listens at ${new URL(url).host}. ${instead}`, '', error);
}

/** Whether the system said that nobody listens; a connection that ended is another thing. */
function isRefused(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return (error as NodeJS.ErrnoException).code === 'ECONNREFUSED' || isRefused(error.cause);
}

/** What set the token, as one would write it; undefined where nothing did. */
export function tokenSource({ sources }: LoadedConfig): string | undefined {
  for (const key of ['token', 'tokenFile'] as const) {
    const source = sources[key];
    if (source.from === 'env') return `$${source.name}`;
    if (source.from === 'flag') return source.name;
    if (source.from === 'file') return `${key} in ${source.file}`;
  }
  return undefined;
}
