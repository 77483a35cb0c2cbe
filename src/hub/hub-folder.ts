import fs from 'node:fs';
import path from 'node:path';
import { makeFolder } from '../core/make-folder.ts';
import { newSecret } from './secrets.ts';

const TOKEN = 'token';
const ANNOUNCEMENT = 'listening.json';

/** The folder of a hub: its databases, and two small files for the command line of the same user. All of it is this user's alone. */
export class HubFolder {
  readonly #folder: string;
  /** By database, the number of its file. It is nobody else's while we have it open. */
  readonly #opened = new Map<string, bigint | undefined>();

  /** Makes it where it is not there. Throws the system's error. */
  constructor(folder: string) {
    this.#folder = folder;
    makeFolder(folder, 0o700, { fs, path });
  }

  /** Of a database, which is this user's alone, also in a folder that others may look into; its journal takes the same rights. */
  database(name: string): string {
    const file = this.#file(name);
    fs.closeSync(fs.openSync(file, 'a', 0o600));
    this.#opened.set(file, fileNumber(file));
    return file;
  }

  /** False once a database was removed or replaced: what is written is met by nobody who comes later. */
  get isMet(): boolean {
    return [...this.#opened].every(([file, number]) => fileNumber(file) === number);
  }

  /** The owner's token that is kept here, made at first. */
  token(): string {
    const kept = readLine(this.#file(TOKEN));
    if (kept !== undefined) return kept;
    const token = newSecret('owner');
    this.#write(TOKEN, `${token}\n`);
    return token;
  }

  announce(url: string): void {
    this.#write(ANNOUNCEMENT, JSON.stringify({ url, pid: process.pid }));
  }

  leave(): void {
    fs.rmSync(this.#file(ANNOUNCEMENT), { force: true });
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }

  #write(name: string, content: string): void {
    fs.writeFileSync(this.#file(`${name}.new`), content, { mode: 0o600 });
    fs.renameSync(this.#file(`${name}.new`), this.#file(name));
  }
}

/** Where a hub of this folder listens, and its token; undefined what is not there. */
export function readHub(folder: string): { url: string | undefined; token: string | undefined } {
  let url: unknown;
  try {
    ({ url } = JSON.parse(readLine(path.join(folder, ANNOUNCEMENT)) ?? '{}') as { url?: unknown });
  } catch {
    // Cut, as after a power cut: the next hub writes it anew.
  }
  return { url: typeof url === 'string' ? url : undefined, token: readLine(path.join(folder, TOKEN)) };
}

/** Undefined where there is none that can be looked at. */
function fileNumber(file: string): bigint | undefined {
  try {
    return fs.statSync(file, { bigint: true }).ino;
  } catch {
    return undefined;
  }
}

/** Undefined where there is none that can be read. */
function readLine(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
