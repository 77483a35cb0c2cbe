// The folder as who follows the changes has it.
import assert from 'node:assert/strict';
import type { Client } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { type GitFolder, isBelow, shown } from './git-model-folder.ts';

/** Told by name: the hash of a file, or what else it is. */
type Told = Map<string, string>;

export class GitFeed {
  readonly #client: Client<Operations>;
  readonly #folder: GitFolder;
  #cursor: string | undefined;
  #told: Told = new Map();
  readonly #recent: string[] = [];

  constructor(client: Client<Operations>, folder: GitFolder) {
    this.#client = client;
    this.#folder = folder;
  }

  async begin(): Promise<void> {
    this.#cursor = (await this.#client.call('changes.since', {})).cursor;
    this.#told = this.#there();
  }

  /** At rest what was told adds up to what is there. */
  async rest(): Promise<void> {
    await eventually(async () => {
      await this.#read();
      assert.deepEqual(lines(this.#told), lines(this.#there()), `of what is told:\n${this.#recent.slice(-40).join('\n')}`);
    }, 15_000);
  }

  async #read(): Promise<void> {
    for (let more = true; more; ) {
      const answer = await this.#client.call('changes.since', { ...(this.#cursor === undefined ? {} : { cursor: this.#cursor }) });
      assert.equal(answer.resync, undefined);
      for (const change of answer.changes) this.#take(change);
      this.#cursor = answer.cursor;
      ({ more } = answer);
    }
  }

  #take({
    what,
    path,
    from,
    kind,
    after,
  }: {
    what: string;
    path: string;
    from?: string | undefined;
    kind: string;
    after: string | null;
  }): void {
    this.#recent.push(`${what} ${kind} ${from ?? ''} ${path} ${after ?? ''}`);
    const value = kind === 'file' ? (after ?? 'file') : kind;
    const below = [...this.#told].filter(([name]) => isBelow(name, what === 'moved' ? (from ?? '') : path));
    if (what === 'moved') {
      for (const [name] of [...this.#told].filter(([one]) => isBelow(one, path))) this.#told.delete(name);
      for (const [name] of below) this.#told.delete(name);
      for (const [name, had] of below) this.#told.set(path + name.slice(from?.length), had);
      if (kind !== 'directory' && after !== null) this.#told.set(path, value);
    } else if (what === 'removed') for (const [name] of below) this.#told.delete(name);
    else this.#told.set(path, value);
  }

  /** Names that are no UTF-8 are not told of. */
  #there(): Told {
    const told: Told = new Map();
    for (const [name, is] of Object.entries(this.#folder.files())) {
      const path = shown(name);
      if (path !== Buffer.from(name, 'latin1').toString()) continue;
      told.set(path, is === 'folder' ? 'directory' : is.startsWith('link ') ? 'symlink' : (is.split(' ')[1] ?? ''));
    }
    return told;
  }
}

function lines(told: Told): string {
  return [...told]
    .map(([name, is]) => `${JSON.stringify(name)} ${is}`)
    .toSorted()
    .join('\n');
}
