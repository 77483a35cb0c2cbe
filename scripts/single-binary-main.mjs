// What the single executable runs, bundled to CommonJS: unpacks what it carries, and goes on with the command in there; started with
// `--part <file>`, which its own processes are, with another bundle that lies beside it.
import { getAsset, getRawAsset } from 'node:sea';
import { hash } from 'node:crypto';
import { homedir, tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { unpack } from './unpack.mjs';

run().catch((error) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});

async function run() {
  const list = getAsset('files.json', 'utf8');
  const { version, files } = JSON.parse(list);
  const id = `${version}-${hash('sha256', list, 'hex').slice(0, 16)}`;
  const read = (path) => new Uint8Array(getRawAsset(path));
  const folder = unpack({ id, files, read, places: places() });
  await import(pathToFileURL(join(folder, 'dist', wanted(files))).href);
}

function wanted(files) {
  const [, , option, part] = process.argv;
  return option === '--part' && files.some(({ path }) => path === `dist/${part}` && part.endsWith('.mjs')) ? part : 'outrigger.mjs';
}

/** Where this system keeps what can be made again; where that can't be had, a folder of this user among the temporary ones. */
function places() {
  const owner = process.platform === 'win32' ? userInfo().username : process.getuid();
  return [join(cacheFolder(), 'outrigger', 'unpacked'), join(tmpdir(), `outrigger-unpacked-${owner}`)];
}

function cacheFolder() {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return XDG_CACHE_HOME;
  if (process.platform === 'win32') return LOCALAPPDATA || join(homedir(), 'AppData', 'Local');
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
}
