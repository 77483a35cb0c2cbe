import fs from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../core/make-folder.ts';
import { version } from '../sidecar/version.ts';
import { CommandError } from './command-error.ts';
import { packageFolder } from './package-folder.ts';
import { linkFiles } from './templates/link-files.ts';
import { projectFiles } from './templates/project-files.ts';
import { shellWord, type Terminal } from './terminal.ts';

/**
 * Writes a project around a sidecar into `folder`, made when it is not there. Throws FILE_EXISTS, with nothing written, when a
 * file of its own stands there already and `force` does not say to replace it; other files are left alone. Throws
 * FILE_PERMISSION where it can't write.
 */
export function writeProject(folder: string, force: boolean, terminal: Terminal): void {
  const target = path.resolve(folder);
  const source = checkoutFolder() ?? installedFrom();
  const outrigger = source === undefined ? `^${version}` : `file:${source}`;
  writeFiles(folder, projectFiles({ name: projectName(path.basename(target)), outrigger }), force, terminal);
  if (source !== undefined)
    terminal.err(
      `\nIts package.json takes outrigger from ${source}, which is what runs here. On another machine, or in a container, a published version has to stand there, or a package beside it: \`node scripts/pack.mjs\` in the checkout makes one.\n`,
    );
  terminal.err(`\nNext:  cd ${shellWord(folder)} && npm install && npm start\n`);
}

/** Writes what a link to a hub needs into `folder`, as `writeProject` does. */
export function writeLinkFolder(folder: string, force: boolean, terminal: Terminal): void {
  writeFiles(folder, linkFiles(path.resolve(folder)), force, terminal);
  terminal.err(
    `\nNext:  cd ${shellWord(folder)} && cp config.json.example config.json && chmod 600 config.json\n       Fill in agent_id, token and hub_url, then: outrigger link --check && ./start.sh\n`,
  );
}

function writeFiles(folder: string, files: Readonly<Record<string, string>>, force: boolean, terminal: Terminal): void {
  const target = path.resolve(folder);
  writing(target, () => makeFolder(target, 0o777, { fs, path }));
  const isThere = (at: string): boolean => fs.lstatSync(at, { throwIfNoEntry: false }) !== undefined;
  const inTheWay = Object.keys(files).filter((file) => writing(path.join(target, file), isThere));
  if (inTheWay.length > 0 && !force) {
    throw new CommandError(
      'FILE_EXISTS',
      `${target} holds ${inTheWay.join(', ')} already. Choose another folder, or replace them with --force.`,
      '',
    );
  }
  for (const [file, text] of Object.entries(files)) {
    const at = path.join(target, file);
    writing(at, () => {
      makeFolder(path.dirname(at), 0o777, { fs, path });
      fs.writeFileSync(at, text);
      if (file.endsWith('.sh')) fs.chmodSync(at, 0o755);
    });
    terminal.err(`${inTheWay.includes(file) ? 'replaced' : 'wrote'}  ${path.join(folder, file)}\n`);
  }
}

function writing<T>(at: string, work: (at: string) => T): T {
  try {
    return work(at);
  } catch (error) {
    throw new CommandError('FILE_PERMISSION', `${at} can't be written: ${(error as Error).message}`, '', error);
  }
}

/** What npm takes as a name, made from a folder's. */
function projectName(folder: string): string {
  const name = folder
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 50);
  // A name like the package's own would shadow it.
  return name === '' || name === 'outrigger' || name === 'zod' ? 'my-sidecar' : name;
}

/** The checkout that this runs from, whose sources Node runs as they are; what is published has none. */
function checkoutFolder(): string | undefined {
  const folder = packageFolder();
  return fs.existsSync(path.join(folder, 'src', 'index.ts')) ? folder : undefined;
}

/** The file or folder of this machine that npm installed this package from; undefined where it came from a registry. */
function installedFrom(): string | undefined {
  const modules = path.dirname(packageFolder());
  try {
    // npm keeps what it installed beside the packages, with places relative to their project.
    const { packages } = JSON.parse(fs.readFileSync(path.join(modules, '.package-lock.json'), 'utf8')) as {
      packages: Readonly<Record<string, { resolved?: string } | undefined>>;
    };
    const resolved = packages[`node_modules/${path.basename(packageFolder())}`]?.resolved;
    return resolved?.startsWith('file:') === true ? path.resolve(path.dirname(modules), resolved.slice('file:'.length)) : undefined;
  } catch {
    // Another package manager, or no npm at all.
    return undefined;
  }
}
