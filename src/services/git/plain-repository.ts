import fs from 'node:fs';
import path from 'node:path';

/** A file that is longer is left to git to read. */
const MAX_FILE_BYTES = 65_536;

/**
 * The git folder, where a look shows what git would answer: it lies in the workspace itself, and its config has nothing that
 * could put the work tree elsewhere, bring other files in, or name filters. Undefined where git has to be asked, which takes two
 * programs before each command. Whether its owner is trusted, and all of it sound, git says with the command.
 */
export function plainGitFolder(root: string): string | undefined {
  try {
    const folder = path.join(fs.realpathSync(root), '.git');
    if (!fs.lstatSync(folder).isDirectory() || !isRepository(folder)) return undefined;
    // With a `commondir` the config that counts is in the folder that it names.
    if (fs.existsSync(path.join(folder, 'commondir'))) return undefined;
    const config = path.join(folder, 'config');
    const text = textOf(config, fs.statSync(config));
    return text !== undefined && isPlainConfig(text) ? folder : undefined;
  } catch {
    // None there, or not ours to read: git finds words for it.
    return undefined;
  }
}

/** As git tells a repository from a folder that only looks like one: where it is none, git goes on to those above. */
function isRepository(folder: string): boolean {
  for (const name of ['objects', 'refs']) fs.accessSync(path.join(folder, name), fs.constants.X_OK);
  const head = path.join(folder, 'HEAD');
  // One that is a link is left to git.
  return /^(ref: refs\/|[0-9a-f]{40})/.test(textOf(head, fs.lstatSync(head)) ?? '');
}

/** Undefined for what is no file, or a long one: who opens a pipe waits for another who writes into it. */
function textOf(file: string, stat: fs.Stats): string | undefined {
  return stat.isFile() && stat.size <= MAX_FILE_BYTES ? fs.readFileSync(file, 'utf8') : undefined;
}

/** A word in a name or an address is taken for the setting: that costs time, and nothing else. */
export function isPlainConfig(text: string): boolean {
  return !/bare|include|filter|worktree|extensions|\\|\0/i.test(text.replaceAll(/^\s*bare\s*=\s*false\s*$/gm, ''));
}
