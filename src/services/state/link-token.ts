import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

/** Where the token of a link stands: alone in a file, or as `token` of a config file. */
export interface LinkTokenPlace {
  file: string;
  kind: 'alone' | 'config';
}

const INDENT = /^[ \t]+(?=")/m;

/**
 * Replaces the token there, on disk for good when this returns, readable by the owner alone. After a crash the file holds the old token or
 * the new one. Throws where it can't be written, or where a config file is none any more.
 */
export function storeLinkToken(place: LinkTokenPlace, token: string): void {
  // Through a symbolic link, so that it stays one.
  const file = fs.realpathSync(place.file);
  const text = place.kind === 'alone' ? `${token}\n` : withToken(fs.readFileSync(file, 'utf8'), token);
  const beside = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}`);
  try {
    const descriptor = fs.openSync(beside, 'wx', 0o600);
    try {
      fs.writeFileSync(descriptor, text);
      fs.fsyncSync(descriptor);
    } finally {
      fs.closeSync(descriptor);
    }
    fs.renameSync(beside, file);
  } catch (error) {
    fs.rmSync(beside, { force: true });
    throw error;
  }
  syncFolder(path.dirname(file));
}

export interface NewLinkConfig {
  /** On disk for good when it returns. */
  write(config: Readonly<Record<string, unknown>>): void;
  /** Nothing came of it. */
  remove(): void;
}

/**
 * Makes the config file of a new link, empty and readable by the owner alone, as it is to hold a token. One of `write` and `remove` is to follow;
 * they and this throw the system's error, EEXIST where there is one already.
 */
export function createLinkConfig(file: string): NewLinkConfig {
  const descriptor = fs.openSync(file, 'wx', 0o600);
  return {
    write: (config) => {
      fs.writeFileSync(descriptor, `${JSON.stringify(config, null, 2)}\n`);
      fs.fsyncSync(descriptor);
      fs.closeSync(descriptor);
      syncFolder(path.dirname(file));
    },
    remove: () => {
      fs.closeSync(descriptor);
      fs.rmSync(file, { force: true });
    },
  };
}

function withToken(text: string, token: string): string {
  const config = JSON.parse(text.replace(/^\uFEFF/, '')) as unknown;
  if (typeof config !== 'object' || config === null || Array.isArray(config))
    throw new Error('The config file is no JSON object any more.');
  return `${JSON.stringify({ ...config, token }, null, INDENT.exec(text)?.[0] ?? 2)}\n`;
}

function syncFolder(folder: string): void {
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const descriptor = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}
