import fs from 'node:fs';
import path from 'node:path';
import { OutriggerError } from '../contract/errors.ts';

/** How a sidecar is started, without the arguments that name the folder. */
export interface SidecarBinary {
  command: string;
  /** Before the arguments of the command itself: the script, where `command` is a JavaScript runtime. */
  args: readonly string[];
  /** Beside the environment of the host. */
  env: Readonly<Record<string, string>>;
  /** Where it was found: the name of the variable, `workspace`, `packaged` or `package`. */
  source: string;
}

export interface ResolveBinaryOptions {
  /** Where overrides are looked for. Without it the environment of this process. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Variables that name the sidecar, the first set one wins. `OUTRIGGER_SIDECAR_PATH` always comes after them. */
  names?: readonly string[];
  /** What a development build leaves, most wanted first; absolute, or relative to the current folder of this process. */
  workspaceDev?: string | readonly string[];
  /** `process.resourcesPath` of a packaged Electron program; looked at last. Without it Electron's own, when there is one. */
  resourcesPath?: string;
  /** Names looked for below `resourcesPath`. */
  resourceNames?: readonly string[];
  /** Facts of the running process, for tests. */
  runtime?: Runtime;
}

/** What of the running process decides how a sidecar is started. */
export interface Runtime {
  platform: NodeJS.Platform;
  execPath: string;
  /** Inside Electron, `execPath` is the program itself, and runs scripts only where the environment says so. */
  electron: boolean;
  resourcesPath: string | undefined;
  /** The command of the package that this module came in; undefined where a bundler has taken it out. */
  ownCommand?: string | undefined;
}

/** The order of the seed: an override, a development build, the packaged resource. Ours adds the package that the host has installed. */
const seedName = 'SCAFFA_SIDECAR_PATH';
const ownName = 'OUTRIGGER_SIDECAR_PATH';
const defaultResourceNames = ['outrigger', 'outrigger.mjs', 'sidecar/outrigger', 'sidecar/outrigger.mjs'];
/** Major version of Node that the sidecar runs on as it is. */
const RUNS_ON = 24;
const script = /\.(mjs|cjs|js|ts|mts|cts)$/i;

/**
 * Finds the sidecar to start; undefined when there is none. Throws TOOL_MISSING when a variable names what is not there: whoever
 * set it wants to hear of it, and not run another build.
 */
export function resolveBinary(options: ResolveBinaryOptions = {}): SidecarBinary | undefined {
  const runtime = options.runtime ?? currentRuntime();
  const env = options.env ?? process.env;
  for (const name of [...(options.names ?? [seedName]), ownName]) {
    const file = env[name];
    if (file === undefined || file === '') continue;
    if (!isFile(file)) throw new OutriggerError('TOOL_MISSING', `${name} names ${file}, and there is no such file. Mend or unset it.`);
    return binary(path.resolve(file), name, runtime);
  }
  const builds = typeof options.workspaceDev === 'string' ? [options.workspaceDev] : (options.workspaceDev ?? []);
  for (const file of builds.flatMap((build) => withExtension(build, runtime.platform))) {
    if (isFile(file)) return binary(path.resolve(file), 'workspace', runtime);
  }
  const resources = options.resourcesPath ?? runtime.resourcesPath;
  const names = resources === undefined ? [] : (options.resourceNames ?? defaultResourceNames);
  for (const name of names.flatMap((one) => withExtension(one, runtime.platform))) {
    const file = path.join(resources ?? '', name);
    if (isFile(file)) return binary(file, 'packaged', runtime);
  }
  return runtime.ownCommand === undefined ? undefined : binary(runtime.ownCommand, 'package', runtime);
}

function currentRuntime(): Runtime {
  return {
    platform: process.platform,
    execPath: process.execPath,
    electron: process.versions['electron'] !== undefined,
    // Electron sets it, and Node's types do not know it.
    resourcesPath: (process as { resourcesPath?: string }).resourcesPath,
    ownCommand: ownCommand(),
  };
}

function ownCommand(): string | undefined {
  // Of CommonJS that a bundler made there is none. On an older Node the command would fetch a newer one, which no host has asked for.
  const here = import.meta.dirname as string | undefined;
  if (here === undefined || Number.parseInt(process.versions.node) < RUNS_ON) return undefined;
  const folder = path.join(here, '..', '..');
  try {
    const { name } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8')) as { name?: unknown };
    const file = path.join(folder, 'scripts', 'outrigger.mjs');
    return name === 'outrigger' && isFile(file) ? file : undefined;
  } catch {
    // A host has put it into a bundle of its own.
    return undefined;
  }
}

function binary(file: string, source: string, runtime: Runtime): SidecarBinary {
  if (!script.test(file)) return { command: file, args: [], env: {}, source };
  return { command: runtime.execPath, args: [file], env: runtime.electron ? { ELECTRON_RUN_AS_NODE: '1' } : {}, source };
}

/** On Windows a program without an extension is looked for as .exe first. */
function withExtension(file: string, platform: NodeJS.Platform): string[] {
  return platform === 'win32' && path.extname(file) === '' ? [`${file}.exe`, file] : [file];
}

function isFile(file: string): boolean {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() === true;
}
