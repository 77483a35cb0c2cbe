import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { commaList } from '../core/comma-list.ts';
import { tokenProblem } from '../core/token-text.ts';
import { parsedJson } from './json-file.ts';
import { type Config, envName, flagName, type OptionKey, optionKeys, optionRow } from './options.ts';

export type OptionSource =
  | { from: 'default' }
  | { from: 'file'; file: string }
  | { from: 'env'; name: string }
  | { from: 'flag'; name: string };

export interface LoadedConfig {
  config: Config;
  sources: Readonly<Record<OptionKey, OptionSource>>;
  /** Where the environment says that state and configuration live. */
  surroundings: Surroundings;
}

export interface Surroundings {
  /** $XDG_STATE_HOME, else ~/.local/state; undefined when there is no home. */
  stateHome: string | undefined;
  temporary: string;
  noColor: boolean;
  /** The launcher that started us keeps an IPC channel: when it closes, we end. */
  parentChannel: boolean;
  /** Where the config file is, or would be: the one that was named, else the user's. */
  configFile: string | undefined;
}

/** All that is wrong with a configuration, at once. Exit code 78. */
export class ConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface ConfigInput {
  env: Readonly<Record<string, string | undefined>>;
  /** By option key, as given on the command line. */
  flags?: Readonly<Partial<Record<OptionKey, string | boolean | readonly string[]>>>;
  /** A config file that was named; one that is missing is a problem. */
  file?: string | undefined;
}

/** defaults < file < environment < flags, checked and frozen. Throws ConfigError with every problem found. */
export function loadConfig(input: ConfigInput): LoadedConfig {
  const problems: string[] = [];
  const surroundings = readSurroundings(input.env);
  const values: Partial<Record<OptionKey, unknown>> = {};
  const sources: Partial<Record<OptionKey, OptionSource>> = {};
  const take = (key: OptionKey, given: unknown, source: OptionSource, said: string): void => {
    const parsed = parseValue(key, given);
    if ('problem' in parsed) problems.push(`${said}: ${parsed.problem}`);
    else {
      values[key] = parsed.value;
      sources[key] = source;
    }
  };

  for (const key of optionKeys) {
    values[key] = optionRow(key).default;
    sources[key] = { from: 'default' };
  }
  const file = input.file ?? (input.env['OUTRIGGER_CONFIG'] || surroundings.configFile);
  if (file !== undefined) {
    for (const [key, value] of Object.entries(readFile(file, file !== surroundings.configFile, problems))) {
      if (isKey(key)) take(key, value, { from: 'file', file }, `${file}: ${key}`);
      else problems.push(`${file}: there is no option ${JSON.stringify(key)}.${didYouMean(key, optionKeys)}`);
    }
  }
  for (const key of optionKeys) {
    // Our own name wins over an alias.
    for (const name of [...(optionRow(key).env ?? []), envName(key)]) {
      const value = input.env[name];
      // For a service of this name, Kubernetes sets such a variable to `tcp://10.0.0.1:3000`.
      if (optionRow(key).unit === 'port' && value?.startsWith('tcp://') === true) continue;
      if (value !== undefined && value !== '') take(key, value, { from: 'env', name }, name);
    }
  }
  for (const [key, value] of Object.entries(input.flags ?? {})) {
    if (value === undefined) continue;
    if (optionRow(key as OptionKey).secret === true)
      problems.push(
        `--${flagName(key as OptionKey)}: secrets are not taken from the command line, where every user can read them; use ${envName(key as OptionKey)} or a file.`,
      );
    else {
      const name = `--${value === false && optionRow(key as OptionKey).default === true ? 'no-' : ''}${flagName(key as OptionKey)}`;
      take(key as OptionKey, value, { from: 'flag', name }, name);
    }
  }
  if (values.token !== undefined && values.tokenFile !== undefined) problems.push('Only one of token and tokenFile may be set.');
  if (values.tokenFile !== undefined) readTokenFile(values as { tokenFile: string; token?: string }, problems);
  for (const [one, other] of portPairs) {
    if (values[other] !== undefined && values[other] !== 0 && values[one] === values[other])
      problems.push(`${one} and ${other} are both ${values[other]}; give each its own, or leave ${other} out.`);
  }
  const { token } = values;
  const problem = typeof token === 'string' && token !== '' ? tokenProblem(token) : undefined;
  if (problem !== undefined) problems.push(`The token ${problem}`);
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    config: Object.freeze(values) as Config,
    sources: sources as Record<OptionKey, OptionSource>,
    surroundings: { ...surroundings, configFile: file },
  };
}

/** Options of listeners that would take a port from each other. */
const portPairs = [
  ['port', 'wsPort'],
  ['port', 'runnerPort'],
  ['wsPort', 'runnerPort'],
  ['port', 'e2bPort'],
  ['wsPort', 'e2bPort'],
  ['runnerPort', 'e2bPort'],
] as const;

/** The one place that reads the environment of this process. */
export function processEnvironment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

export function readSurroundings(env: ConfigInput['env']): Surroundings {
  const home = env['HOME'] ?? (process.platform === 'win32' ? os.homedir() : undefined);
  const below = (...names: string[]): string | undefined => (home === undefined || home === '' ? undefined : path.join(home, ...names));
  // What is empty counts as not set (XDG Base Directory Specification).
  const configHome = env['XDG_CONFIG_HOME'] || below('.config');
  return {
    stateHome: env['XDG_STATE_HOME'] || below('.local', 'state'),
    temporary: path.resolve(os.tmpdir()),
    noColor: (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb',
    parentChannel: env['OUTRIGGER_PARENT_CHANNEL'] === '1',
    configFile: configHome === undefined ? undefined : path.join(configHome, 'outrigger', 'config.json'),
  };
}

function readFile(file: string, mustExist: boolean, problems: string[]): Record<string, unknown> {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if (mustExist || !isAway(file, error)) problems.push(`${file} can't be read: ${(error as Error).message}`);
    return {};
  }
  try {
    const parsed = parsedJson(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return flatten(parsed as Record<string, unknown>);
    problems.push(`${file} must hold one JSON object.`);
  } catch (error) {
    problems.push(`${file} is not JSON: ${(error as Error).message}`);
  }
  return {};
}

/** In a home that is none, as of system users, or that is another user's, there is no file of ours. */
function isAway(file: string, error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'EACCES') return code === 'ENOENT' || code === 'ENOTDIR';
  try {
    fs.accessSync(path.dirname(file), fs.constants.X_OK);
    return false;
  } catch {
    return true;
  }
}

/** `{"documents": {"maxBytes": 1}}` and `{"documents.maxBytes": 1}` say the same. */
function flatten(object: Record<string, unknown>, prefix = ''): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(object)) {
    const key = prefix + name;
    if (!isKey(key) && typeof value === 'object' && value !== null && !Array.isArray(value))
      Object.assign(flat, flatten(value as Record<string, unknown>, `${key}.`));
    else flat[key] = value;
  }
  return flat;
}

function readTokenFile(values: { tokenFile: string; token?: string }, problems: string[]): void {
  try {
    values.token = fs.readFileSync(values.tokenFile, 'utf8').trim();
    if (values.token === '') problems.push(`tokenFile ${values.tokenFile} is empty.`);
  } catch (error) {
    problems.push(`tokenFile can't be read: ${(error as Error).message}`);
  }
}

function parseValue(key: OptionKey, given: unknown): { value: unknown } | { problem: string } {
  const row = optionRow(key);
  if (row.type === 'integer') {
    const value = typeof given === 'string' && /^-?\d+$/.test(given.trim()) ? Number(given) : given;
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return { problem: `${JSON.stringify(given)} is not a whole number.` };
    if (value < (row.min ?? value) || value > (row.max ?? value))
      return { problem: `${value} is not between ${row.min} and ${row.max}${row.unit === undefined ? '' : ` (${row.unit})`}.` };
    return { value };
  }
  if (row.type === 'switch') {
    if (typeof given === 'boolean') return { value: given };
    if (given === 'true' || given === '1' || given === 'yes' || given === 'on') return { value: true };
    if (given === 'false' || given === '0' || given === 'no' || given === 'off') return { value: false };
    return { problem: `${JSON.stringify(given)} is neither true nor false.` };
  }
  if (row.type === 'list') {
    const list = typeof given === 'string' ? commaList(given) : given;
    if (!Array.isArray(list) || list.some((part) => typeof part !== 'string'))
      return { problem: `${JSON.stringify(given)} is not a list of texts.` };
    const unknown = row.choices === undefined ? undefined : list.find((part) => !row.choices?.includes(part as string));
    if (unknown !== undefined) return { problem: `${JSON.stringify(unknown)} is none of ${row.choices?.join(', ')}.` };
    const problem = list.flatMap((part) => row.problem?.(part as string) ?? []).at(0);
    return problem === undefined ? { value: Object.freeze([...list]) } : { problem };
  }
  if (row.type === 'object') {
    return objectOf(given);
  }
  if (typeof given !== 'string') return { problem: `${row.secret === true ? 'What is given' : JSON.stringify(given)} is not a text.` };
  if (row.choices !== undefined && !row.choices.includes(given))
    return { problem: `${JSON.stringify(given)} is none of ${row.choices.join(', ')}.` };
  return { value: given };
}

/** What is given is not quoted: it may hold secrets. */
function objectOf(given: unknown): { value: unknown } | { problem: string } {
  try {
    const value = typeof given === 'string' ? parsedJson(given) : given;
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { value: Object.freeze(value) };
  } catch (error) {
    return { problem: `What is given is no JSON object: ${(error as Error).message}.` };
  }
  return { problem: 'What is given is no JSON object.' };
}

function isKey(key: string): key is OptionKey {
  return (optionKeys as string[]).includes(key);
}

/** ` Did you mean x?`, with the nearest of `known`; empty where none is near. */
export function didYouMean(given: string, known: readonly string[]): string {
  const close = known
    .map((name) => ({ name, distance: editDistance(given.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  // Of a word of four letters, two others make another word.
  const most = Math.max(given.length > 4 ? 2 : 1, given.length / 3);
  return close !== undefined && close.distance <= most ? ` Did you mean ${close.name}?` : '';
}

/** Letters to add, leave out, replace, or swap with their neighbour. */
export function editDistance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number): number => rows[i]?.[j] ?? 0;
  for (let i = 1; i <= a.length; i++) {
    rows.push([i]);
    for (let j = 1; j <= b.length; j++) {
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY;
      rows[i]?.push(Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1), swapped));
    }
  }
  return at(a.length, b.length);
}
