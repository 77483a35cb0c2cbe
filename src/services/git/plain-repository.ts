import fs from 'node:fs';
import path from 'node:path';

/** A config that is longer is left to git to read. */
const MAX_CONFIG_BYTES = 65_536;

/**
 * The git folder, where a look shows what git would answer: it lies in the workspace itself, and its config has nothing that
 * could put the work tree elsewhere, bring other files in, or name filters. Undefined where git has to be asked, which takes two
 * programs before each command. Whether it is a sound repository of a trusted owner git says with the command.
 */
export function plainGitFolder(root: string): string | undefined {
  try {
    const folder = path.join(fs.realpathSync(root), '.git');
    const has = (name: string): boolean => fs.existsSync(path.join(folder, name));
    // With a `commondir` the config that counts is in the folder that it names.
    if (!fs.lstatSync(folder).isDirectory() || !has('HEAD') || has('commondir')) return undefined;
    const config = path.join(folder, 'config');
    const stat = fs.statSync(config);
    // Who opens a pipe waits for another who writes into it.
    if (!stat.isFile() || stat.size > MAX_CONFIG_BYTES) return undefined;
    return isPlainConfig(fs.readFileSync(config, 'utf8')) ? folder : undefined;
  } catch {
    // None there, or not ours to read: git finds words for it.
    return undefined;
  }
}

/** A word in a name or an address is taken for the setting: that costs time, and nothing else. */
export function isPlainConfig(text: string): boolean {
  return !/bare|include|filter|worktree|extensions|\\|\0/i.test(text.replaceAll(/^\s*bare\s*=\s*false\s*$/gm, ''));
}
