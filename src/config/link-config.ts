import fs from 'node:fs';
import path from 'node:path';
import { isLoopback } from '../core/loopback.ts';
import { parsedJson } from './json-file.ts';
import { editDistance } from './load.ts';

/** A link's config file with everything in its place: paths are absolute, what was left out has its default. */
export interface LinkConfig {
  /** The config file. */
  file: string;
  agentId: string;
  token: string;
  /** Where the token was read, and a new one goes. */
  tokenPlace: { file: string; kind: 'alone' | 'config' };
  /** Of the hub. */
  url: string;
  name: string;
  capabilities: readonly string[];
  labels: Readonly<Record<string, string>>;
  /** A text is split into words as a POSIX shell does it, with nothing expanded; a list is taken as it is. */
  wakeCommand: string | readonly string[] | undefined;
  confirmationTimeoutMs: number;
  resultsFolder: string;
  logFile: string | undefined;
  logLevel: LinkLogLevel;
  /** The folder that is worked in. */
  root: string;
  concurrency: number;
  /** Each task gets a branch of its own. */
  branches: boolean;
  /** PEM. */
  ca: string | undefined;
  allow: LinkCeiling;
  paths: readonly string[] | undefined;
  jitter: 'full' | 'none';
  timeouts: { dialMs: number; identifyMs: number; pingMs: number; pongMs: number; stopMs: number };
  /** What is odd and does no harm. */
  warnings: readonly string[];
}

export const linkLogLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LinkLogLevel = (typeof linkLogLevels)[number];
const linkCeilings = ['none', 'read', 'write', 'execute'] as const;
export type LinkCeiling = (typeof linkCeilings)[number];

/** All that is wrong with a link's config file, at once. Exit code 1. */
export class LinkConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'LinkConfigError';
    this.problems = problems;
  }
}

/** What `config.json.example` says in place of a token. */
export const EXAMPLE_TOKEN = 'paste the token of this agent here';

const fieldNames = [
  ...['agent_id', 'token', 'token_file', 'hub_url', 'name', 'capabilities', 'labels', 'wake_command', 'confirmation_timeout_ms'],
  ...['results_dir', 'log_file', 'log_level', 'repo_dir', 'concurrency', 'branches', 'ca_file', 'insecure', 'allow', 'paths', 'jitter'],
  'timeouts',
];
/** By the name in the file: the name here, and the default in milliseconds. */
const timeoutFields = {
  dial_ms: ['dialMs', 10_000],
  identify_ms: ['identifyMs', 10_000],
  ping_ms: ['pingMs', 30_000],
  pong_ms: ['pongMs', 10_000],
  stop_ms: ['stopMs', 1000],
} as const;

const MAX_ID_LENGTH = 128;
const MAX_TEXT_LENGTH = 256;
const MAX_CAPABILITIES = 1000;
const MAX_LABELS = 100;
const MAX_CONCURRENCY = 1000;
const MAX_CONFIRMATION_MS = 24 * 60 * 60_000;
const MAX_TIMEOUT_MS = 10 * 60_000;
/** Letters by which a field may differ from one of ours and be taken for it. */
const MAX_TYPOS = 2;

/**
 * Reads and checks it; a folder stands for the config.json in it. Relative paths in it are meant from its folder, and nothing in it is
 * expanded. `split` is what a wake_command that is a text will be split with: what it throws is a problem too. Throws LinkConfigError with
 * every problem found.
 */
export function loadLinkConfig(given: string, split?: (command: string) => unknown): LinkConfig {
  const file = configFile(given);
  const folder = path.dirname(file);
  const fields = new Fields(file, readObject(file));
  const warnings = unknownFields(fields);

  const agentId = fields.text('agent_id', MAX_ID_LENGTH, 'the id under which the hub knows this agent, e.g. "builder-1"') ?? '';
  const url = hubUrl(fields);
  const { token, tokenPlace } = readToken(fields, folder);
  const caFile = fields.optionalText('ca_file', 4096);
  const logFile = fields.optionalText('log_file', 4096);
  const repoFolder = fields.optionalText('repo_dir', 4096);
  const root = repoFolder === undefined ? folder : path.resolve(folder, repoFolder);
  if (repoFolder !== undefined && fs.statSync(root, { throwIfNoEntry: false })?.isDirectory() !== true)
    fields.problem('repo_dir', `${root} is no folder. Name the folder that the agent works in; relative ones are meant from ${folder}.`);

  const config: LinkConfig = {
    file,
    agentId,
    token,
    tokenPlace,
    url,
    name: fields.optionalText('name', MAX_TEXT_LENGTH) ?? agentId,
    capabilities: fields.texts('capabilities', MAX_CAPABILITIES, MAX_TEXT_LENGTH) ?? [],
    labels: fields.labels(),
    wakeCommand: fields.command('wake_command'),
    confirmationTimeoutMs: fields.integer('confirmation_timeout_ms', 1, MAX_CONFIRMATION_MS) ?? 30_000,
    resultsFolder: path.resolve(folder, fields.optionalText('results_dir', 4096) ?? 'results'),
    logFile: logFile === undefined ? undefined : path.resolve(folder, logFile),
    logLevel: fields.choice('log_level', linkLogLevels) ?? 'info',
    root,
    concurrency: fields.integer('concurrency', 1, MAX_CONCURRENCY) ?? 1,
    branches: fields.flag('branches') ?? false,
    ca: caFile === undefined ? undefined : readCertificates(fields, path.resolve(folder, caFile)),
    allow: fields.choice('allow', linkCeilings) ?? 'none',
    paths: fields.paths(),
    jitter: fields.choice('jitter', ['full', 'none'] as const) ?? 'full',
    timeouts: fields.timeouts(),
    warnings,
  };
  checkWakeText(fields, config.wakeCommand, split);
  checkResultsFolder(fields, config.resultsFolder);
  if (config.timeouts.pongMs > config.timeouts.pingMs)
    fields.problem('timeouts', `pong_ms (${config.timeouts.pongMs}) is longer than ping_ms (${config.timeouts.pingMs}). Make it shorter.`);
  if (config.paths !== undefined && config.allow === 'none')
    warnings.push('paths has no effect, because allow is "none": the hub may call nothing.');
  if (fields.problems.length > 0) throw new LinkConfigError(fields.problems);
  return config;
}

function configFile(given: string): string {
  const resolved = path.resolve(given);
  return fs.statSync(resolved, { throwIfNoEntry: false })?.isDirectory() === true ? path.join(resolved, 'config.json') : resolved;
}

function readObject(file: string): Record<string, unknown> {
  let text: string;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      throw new LinkConfigError([`${file} can't be read: ${(error as Error).message}`]);
    throw new LinkConfigError([
      `${file} is not there. \`outrigger init link FOLDER\` writes a folder with config.json.example; copy that to config.json and fill in agent_id, token and hub_url.`,
    ]);
  }
  let parsed: unknown;
  try {
    parsed = parsedJson(text);
  } catch (error) {
    throw new LinkConfigError([
      `${file} is not JSON: ${(error as Error).message}. Comments and commas after the last field are not allowed.`,
    ]);
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>;
  throw new LinkConfigError([`${file} must hold one JSON object: { "agent_id": …, "token": …, "hub_url": … }`]);
}

/** Foreign fields are passed over, as a config of another sidecar may have them; what looks like one of ours is a problem. */
function unknownFields(fields: Fields): string[] {
  const warnings: string[] = [];
  for (const name of fields.names) {
    if (fieldNames.includes(name)) continue;
    const close = fieldNames.find((known) => editDistance(name.toLowerCase(), known) <= Math.min(MAX_TYPOS, known.length / 3));
    if (close === undefined) warnings.push(`${name} is no field of a link and has no effect.`);
    else fields.problem(name, `is no field of a link. Did you mean ${close}?`);
  }
  return warnings;
}

function hubUrl(fields: Fields): string {
  const text = fields.text('hub_url', 2048, 'the address of the hub, e.g. "wss://hub.example.org/ws"');
  const insecure = fields.flag('insecure') ?? false;
  if (text === undefined) return '';
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const plain = url?.protocol === 'ws:';
  if (url === undefined) fields.problem('hub_url', `${JSON.stringify(text)} is no address. Write e.g. "wss://hub.example.org/ws".`);
  else if (url.protocol === 'http:' || url.protocol === 'https:')
    fields.problem('hub_url', `begins with ${url.protocol}//. Write ${url.protocol === 'http:' ? 'ws' : 'wss'}:// instead.`);
  else if (!plain && url.protocol !== 'wss:') fields.problem('hub_url', `begins with ${url.protocol}. Write wss:// or ws://.`);
  else if (url.username !== '' || url.password !== '') fields.problem('hub_url', 'holds a name or a password. The token goes into token.');
  else if (url.hash !== '') fields.problem('hub_url', `has a part after #, which no hub would see. Leave it out.`);
  else if (plain && !isLoopback(url.hostname) && !insecure)
    fields.problem(
      'hub_url',
      'would carry the token in clear over the network. Write wss://, or set "insecure": true on a network that you trust.',
    );
  return text;
}

function checkWakeText(fields: Fields, command: LinkConfig['wakeCommand'], split: ((command: string) => unknown) | undefined): void {
  if (typeof command !== 'string') return;
  try {
    split?.(command);
  } catch (error) {
    fields.problem('wake_command', `can't be taken: ${(error as Error).message}`);
  }
}

/** It is made when a link starts: what is there of it must be a folder in which that works. */
function checkResultsFolder(fields: Fields, folder: string): void {
  let there = folder;
  let stat: fs.Stats | undefined;
  try {
    while ((stat = fs.statSync(there, { throwIfNoEntry: false })) === undefined && path.dirname(there) !== there)
      there = path.dirname(there);
    if (stat?.isDirectory() !== true)
      fields.problem('results_dir', `${there} is no folder. Name a folder for results, or leave the field out.`);
    // Root may write there as far as the rights tell, and yet nobody can.
    else if (process.platform !== 'win32' && /^\/(proc|sys)(\/|$)/.test(fs.realpathSync(there)))
      fields.problem('results_dir', `${folder} is of the system, and no folder for results. Name another one.`);
    else fs.accessSync(there, fs.constants.W_OK);
  } catch (error) {
    fields.problem('results_dir', `${there} can't be written: ${(error as Error).message}. Name another folder, or change its rights.`);
  }
}

function readToken(fields: Fields, folder: string): Pick<LinkConfig, 'token' | 'tokenPlace'> {
  const inFile = fields.optionalText('token_file', 4096);
  const tokenPlace: LinkConfig['tokenPlace'] =
    inFile === undefined ? { file: fields.file, kind: 'config' } : { file: path.resolve(folder, inFile), kind: 'alone' };
  let token: string | undefined;
  if (inFile === undefined)
    token = fields.text('token', MAX_TEXT_LENGTH, 'what the hub gave this agent, or name a file that holds it in token_file');
  else if (fields.names.includes('token')) fields.problem('token', 'stands beside token_file. Leave one of them out.');
  else {
    try {
      token = fs.readFileSync(tokenPlace.file, 'utf8').trim();
      if (token === '') fields.problem('token_file', `${tokenPlace.file} is empty. Put the token into it.`);
      else if (token.length > MAX_TEXT_LENGTH)
        fields.problem('token_file', `${tokenPlace.file} is longer than ${MAX_TEXT_LENGTH} characters. It must hold the token alone.`);
    } catch (error) {
      fields.problem('token_file', `${tokenPlace.file} can't be read: ${(error as Error).message}. Put the token into it.`);
    }
  }
  if (token === EXAMPLE_TOKEN) fields.problem('token', 'is still what the example says. Put the token of this agent there.');
  // Neither fits into a header.
  else if (token !== undefined && /[^\x21-\x7E]/.test(token))
    fields.problem(inFile === undefined ? 'token' : 'token_file', 'holds spaces, line ends or letters that no token has. Copy it again.');
  return { token: token ?? '', tokenPlace };
}

function readCertificates(fields: Fields, file: string): string | undefined {
  try {
    const text = fs.readFileSync(file, 'utf8');
    if (text.includes('-----BEGIN CERTIFICATE-----')) return text;
    fields.problem(
      'ca_file',
      `${file} holds no certificate in PEM ("-----BEGIN CERTIFICATE-----"). Convert it with openssl x509 -inform der.`,
    );
  } catch (error) {
    fields.problem('ca_file', `${file} can't be read: ${(error as Error).message}. Name the certificates that the hub's is signed with.`);
  }
  return undefined;
}

/** The fields of a config file, each read once; what is wrong is gathered. `null` means that a field is not there. */
class Fields {
  readonly file: string;
  readonly problems: string[] = [];
  readonly #values: Record<string, unknown>;

  constructor(file: string, values: Record<string, unknown>) {
    this.file = file;
    this.#values = values;
  }

  get names(): string[] {
    return Object.keys(this.#values).filter((name) => this.#values[name] !== null);
  }

  problem(name: string, text: string): void {
    this.problems.push(`${path.basename(this.file)}: ${name} ${text}`);
  }

  text(name: string, maxLength: number, what: string): string | undefined {
    if (this.#value(name) !== undefined) return this.optionalText(name, maxLength);
    this.problem(name, `is missing. Write ${what}.`);
    return undefined;
  }

  optionalText(name: string, maxLength: number): string | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'string') this.problem(name, `is ${kindOf(value)}. Write a text in quotes.`);
    else if (value.trim() === '') this.problem(name, 'is empty. Fill it in, or leave the field out where it is not required.');
    else if (value.includes('\0')) this.problem(name, 'holds a NUL character. Take it out.');
    else if (value.length > maxLength) this.problem(name, `is longer than ${maxLength} characters. Shorten it.`);
    else return value;
    return undefined;
  }

  integer(name: string, min: number, max: number): number | undefined {
    return this.#integer(name, this.#value(name), min, max);
  }

  flag(name: string): boolean | undefined {
    const value = this.#value(name);
    if (value === undefined || typeof value === 'boolean') return value;
    this.problem(name, `is ${kindOf(value)}. Write true or false, without quotes.`);
    return undefined;
  }

  choice<T extends string>(name: string, choices: readonly T[]): T | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) this.problem(name, `is ${shown(value)}. Write one of ${choices.map((choice) => `"${choice}"`).join(', ')}.`);
    return found;
  }

  texts(name: string, maxCount: number, maxLength: number): readonly string[] | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) this.problem(name, `is ${kindOf(value)}. Write a list of texts, e.g. ["code"].`);
    else if (value.length > maxCount) this.problem(name, `has ${value.length} entries; at most ${maxCount} are allowed. Shorten it.`);
    else if (value.some((one) => typeof one !== 'string' || one === '' || one.includes('\0')))
      this.problem(name, 'has an entry that is no text, or an empty one. Each must be a text in quotes.');
    else if ((value as string[]).some((one) => one.length > maxLength))
      this.problem(name, `has an entry longer than ${maxLength} characters. Shorten it.`);
    else return Object.freeze([...(value as string[])]);
    return undefined;
  }

  labels(): Readonly<Record<string, string>> {
    const value = this.#value('labels');
    if (value === undefined) return {};
    if (!isObject(value)) this.problem('labels', `is ${kindOf(value)}. Write an object of texts, e.g. {"os": "linux"}.`);
    else if (Object.keys(value).length > MAX_LABELS) this.problem('labels', `has more than ${MAX_LABELS} entries. Shorten it.`);
    else {
      const wrong = Object.entries(value).find(([, one]) => typeof one !== 'string' || one.length > MAX_TEXT_LENGTH);
      const isLong = Object.keys(value).some((name) => name.length > MAX_TEXT_LENGTH);
      if (isLong) this.problem('labels', `has a name of more than ${MAX_TEXT_LENGTH} characters. Shorten it.`);
      if (wrong === undefined) return value as Record<string, string>;
      this.problem(
        'labels',
        `says ${kindOf(wrong[1])} for ${JSON.stringify(wrong[0])}. Write a text of at most ${MAX_TEXT_LENGTH} characters.`,
      );
    }
    return {};
  }

  command(name: string): string | readonly string[] | undefined {
    const value = this.#value(name);
    if (typeof value === 'string') return this.optionalText(name, 32_768);
    if (value === undefined) return undefined;
    if (!Array.isArray(value))
      this.problem(name, `is ${kindOf(value)}. Write a text, or the program and its arguments as a list of texts.`);
    else if (value.length === 0) this.problem(name, 'is an empty list. Write the program first, then its arguments.');
    else if (value.some((word) => typeof word !== 'string' || word.includes('\0')))
      this.problem(name, 'has an entry that is no text. Each argument must be a text in quotes.');
    else if (value[0] === '') this.problem(name, 'names no program: its first entry is empty.');
    else return Object.freeze([...(value as string[])]);
    return undefined;
  }

  /** Prefixes of the workspace, as callers have them. */
  paths(): readonly string[] | undefined {
    const paths = this.texts('paths', 1000, 4096);
    const wrong = paths?.find((one) => path.posix.isAbsolute(one) || path.win32.isAbsolute(one) || one.split(/[\\/]/).includes('..'));
    if (wrong !== undefined)
      this.problem('paths', `has ${JSON.stringify(wrong)}. Write paths inside the folder that is worked in, e.g. ["src"].`);
    return paths?.map((one) => one.replace(/^(\.\/)+/, '').replace(/\/+$/, ''));
  }

  timeouts(): LinkConfig['timeouts'] {
    const given = this.#value('timeouts') ?? {};
    const timeouts: Record<string, number> = {};
    if (!isObject(given)) this.problem('timeouts', `is ${kindOf(given)}. Write an object, e.g. {"ping_ms": 30000}.`);
    const values = isObject(given) ? given : {};
    for (const name of Object.keys(values))
      if (!Object.hasOwn(timeoutFields, name))
        this.problem('timeouts', `has ${JSON.stringify(name)}. There are ${Object.keys(timeoutFields).join(', ')}.`);
    for (const [name, [own, standard]] of Object.entries(timeoutFields))
      timeouts[own] = this.#integer(`timeouts.${name}`, values[name] ?? undefined, 1, MAX_TIMEOUT_MS) ?? standard;
    return timeouts as unknown as LinkConfig['timeouts'];
  }

  #integer(name: string, value: unknown, min: number, max: number): number | undefined {
    if (value === undefined) return undefined;
    if (typeof value !== 'number' || !Number.isSafeInteger(value))
      this.problem(name, `is ${shown(value)}. Write a whole number${name.endsWith('_ms') ? ' of milliseconds' : ''}, without quotes.`);
    else if (value < min || value > max) this.problem(name, `is ${value}. Write a number between ${min} and ${max}.`);
    else return value;
    return undefined;
  }

  #value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? (this.#values[name] ?? undefined) : undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? (value === null ? 'null' : 'an object') : `a ${typeof value === 'string' ? 'text' : typeof value}`;
}

/** Never a token: only what should be a number or a choice. */
function shown(value: unknown): string {
  return typeof value === 'object' ? kindOf(value) : JSON.stringify(value);
}
