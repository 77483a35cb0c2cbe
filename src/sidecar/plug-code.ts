import fs from 'node:fs';
import path from 'node:path';
import { ConfigError } from '../config/load.ts';
import type { Config } from '../config/options.ts';
import { codeRollout, code as table, type IsolationInfo } from '../contract/code.ts';
import { newId } from '../services/exec/ids.ts';
import { languageNamed, languages } from '../services/exec/languages.ts';
import { ownFolderOf } from '../services/exec/own-folder.ts';
import type { Rollout } from '../services/exec/runs.ts';
import { howToBuild, nativeProgram } from '../services/processes/native-program.ts';
import { isInside, type State } from '../services/state/state.ts';
import type { Health } from './health.ts';
import { LatePart } from './late-part.ts';
import { namedSettings } from './named-settings.ts';
import type { OpenCodeDependencies } from './open-code.ts';

/** Sessions whose time is over are looked for. */
const SWEEP_EVERY_MS = 60_000;
/** Name of the fact that says what our folder in `code.folder` is called. */
const FOLDER_NAME = 'code.folder';

export interface PluggedCode {
  stop(): Promise<void>;
}

/** Makes code runs operations away. Throws ConfigError for options that can't be. */
export function plugCode(
  dependencies: Omit<OpenCodeDependencies, 'onIsolation'> & {
    temporary: string;
    health: Health;
    implementations: Record<string, unknown>;
  },
  config: Config,
  /** Another sidecar has the folders of runs. */
  { readOnly }: { readOnly: boolean },
): PluggedCode {
  const { state, log, health, implementations } = dependencies;
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
  let held: IsolationInfo | undefined;
  const onIsolation = (isolation: IsolationInfo): void => void (held = isolation);
  const code = new LatePart(async () => {
    const { openCode } = await import('./open-code.ts');
    return openCode({ ...dependencies, onIsolation }, config, { folder, rollout, readOnly });
  });
  Object.assign(implementations, code.operations(Object.keys(table)));
  health.add(() => ({ name: 'isolation', ok: true, text: isolationText(held) }));
  // Their folders go also when nobody asks for a session any more. Where no run ever was, there is nothing.
  const sweep = (): void => {
    if (readOnly || (code.opened === undefined && !fs.existsSync(folder))) return;
    code.open().then(
      (opened) => opened.sweep(),
      (error: unknown) => log('warn', 'code.not-swept', { error }),
    );
  };
  const sweeping = setInterval(sweep, Math.min(SWEEP_EVERY_MS, config['code.sessionMs'])).unref();
  return {
    stop: async () => {
      clearInterval(sweeping);
      await (await code.settled())?.stop();
    },
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
