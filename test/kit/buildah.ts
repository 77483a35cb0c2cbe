// Images without a daemon and without a registry: buildah with its storage in a folder of ours, on a base made by mmdebstrap, which takes a third of debootstrap's time.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireTool } from './require-tools.ts';

const suite = 'bookworm';
/** OVERLAYFS_SUPER_MAGIC of linux/magic.h. */
const overlayMagic = 0x794c7630;
// Raised when what goes into the base changes, so that one in the cache is not used any more.
const baseVersion = 2;
/** Of packages; what apt leaves is removed by mmdebstrap itself. */
const unneeded = ['/usr/share/doc/*', '/usr/share/man/*', '/usr/share/locale/*'];
/** Kept between runs; a base takes most of a minute. */
const cache = process.env['IMAGE_CACHE'] ?? join(tmpdir(), 'outrigger-image-cache');
// vfs works everywhere, and copies everything for each layer.
const driver = canOverlay() ? 'overlay' : 'vfs';
const storage = ['--root', join(cache, driver), '--runroot', join(cache, `run-${driver}`), '--storage-driver', driver];

/** Why images can't be built here, for a test's `skip`; with REQUIRE_TOOLS=1 that throws. */
export function cannotBuildImages(): string | false {
  if (process.platform !== 'linux') return 'images are built on Linux';
  const missing = requireTool('buildah', 'mmdebstrap');
  if (missing !== false) return missing;
  const reason =
    process.getuid?.() !== 0
      ? 'needs root, to make a base system'
      : debianMirror() === undefined
        ? 'needs a Debian mirror in /etc/apt'
        : false;
  if (reason !== false && process.env['REQUIRE_TOOLS'] === '1') throw new Error(`REQUIRE_TOOLS=1 and this ${reason}`);
  return reason;
}

/** Runs buildah; throws with what it printed when it fails. Gives its stdout. */
export async function buildah(...args: string[]): Promise<string> {
  return run('buildah', [...storage, ...args]);
}

/** Name of an image with a minimal Debian, git and the Node of the test, as node:24-slim has them. Made once, then kept in the cache. */
export async function baseImage(): Promise<string> {
  const name = `localhost/outrigger-test-base:${suite}-${process.version}-${baseVersion}`;
  if ((await buildah('images', '--format', '{{.Name}}:{{.Tag}}')).split('\n').includes(name)) return name;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'base-'));
  try {
    const without = unneeded.map((path) => `--dpkgopt=path-exclude=${path}`);
    const system = [
      'mmdebstrap',
      '--variant=minbase',
      '--include=git',
      ...without,
      suite,
      join(folder, 'system.tar'),
      debianMirror() ?? '',
    ];
    // What it mounts lies in a namespace of its own, and is gone when it ends, however that comes about.
    await run('unshare', ['--mount', '--propagation', 'private', ...system]);
    copyFileSync(process.execPath, join(folder, 'node'));
    writeFileSync(join(folder, 'Containerfile'), 'FROM scratch\nADD system.tar /\nCOPY node /usr/local/bin/node\n');
    await buildah('bud', '--isolation', 'chroot', '--quiet', '--tag', name, folder);
    return name;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Not everywhere where the kernel knows it: nothing lies over a folder that is one itself, as that of a container often is. */
function canOverlay(): boolean {
  try {
    return readFileSync('/proc/filesystems', 'utf8').includes('\toverlay\n') && statfsSync(tmpdir()).type !== overlayMagic;
  } catch {
    return false;
  }
}

/** As this machine's apt has it. */
function debianMirror(): string | undefined {
  const { stdout } = spawnSync('apt-get', ['indextargets', '--format', '$(COMPONENT) $(REPO_URI)', 'Created-By: Packages'], {
    encoding: 'utf8',
  });
  return /^main (\S+\/debian\/?)$/m.exec(stdout)?.[1];
}

function run(command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let all = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
    all += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (all += text));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out.trim());
      else reject(new Error(`${command} ${args.join(' ')} ended with ${code}:\n${all.slice(-4000)}`));
    });
  });
}
