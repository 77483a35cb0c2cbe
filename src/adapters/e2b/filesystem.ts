import { OutriggerError } from '../../contract/errors.ts';
import type { Entry } from '../../contract/files.ts';
import { ask, type Asking } from '../code-api/ask.ts';
import { entryOf } from './entries.ts';
import { type Fields, textOf } from './fields.ts';
import { workspacePathOf } from './sandbox-path.ts';

/** Entries of one answer. */
const MAX_ENTRIES = 100_000;

/** `filesystem.Filesystem` of envd but for its watches. `root`: the workspace as the programs in it see it. */
export class E2bFilesystem {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  async stat(asking: Asking, input: Fields): Promise<Fields> {
    return { entry: await this.#entry(asking, this.pathOf(input['path'], 'path')) };
  }

  /** Parents are made; a folder that is there is FILE_EXISTS. */
  async makeDir(asking: Asking, input: Fields): Promise<Fields> {
    const path = this.pathOf(input['path'], 'path');
    const created = path !== '' && (await ask(asking, 'files.mkdir', { path })).created;
    if (!created) throw new OutriggerError('FILE_EXISTS', `${textOf(input['path'], 'path')} is there already.`);
    return { entry: await this.#entry(asking, path) };
  }

  /** Onto a file too, which is replaced. */
  async move(asking: Asking, input: Fields): Promise<Fields> {
    const [from, to] = [this.pathOf(input['source'], 'source'), this.pathOf(input['destination'], 'destination')];
    await ask(asking, 'files.move', { from, to, overwrite: true });
    return { entry: await this.#entry(asking, to) };
  }

  /** What is in a folder goes too; what is not there is no error. */
  async remove(asking: Asking, input: Fields): Promise<Fields> {
    await ask(asking, 'files.remove', { path: this.pathOf(input['path'], 'path'), recursive: true, missingOk: true });
    return {};
  }

  /** `depth` folders deep, each folder before what is in it. Links are named and not followed. */
  async list(asking: Asking, input: Fields): Promise<Fields> {
    const { depth = 1 } = input;
    if (!Number.isInteger(depth) || (depth as number) < 0) throw new OutriggerError('BAD_INPUT', 'depth must be a whole number from 1 on.');
    const entries: Fields[] = [];
    // As 0 stands for what was left out (protobuf.dev/programming-guides/proto3, "Default Field Values").
    await this.#walk(asking, this.pathOf(input['path'], 'path'), Math.max(1, depth as number), entries);
    return { entries };
  }

  /** Throws PATH_ESCAPES, BAD_INPUT. */
  pathOf(value: unknown, name: string): string {
    return workspacePathOf(textOf(value ?? '', name), this.#root);
  }

  async #entry(asking: Asking, path: string): Promise<Fields> {
    const { entry } = await ask(asking, 'files.stat', { path });
    if (entry === undefined) throw new OutriggerError('FILE_NOT_FOUND', `There is no ${path}.`);
    return entryOf(entry);
  }

  async #walk(asking: Asking, path: string, depth: number, entries: Fields[]): Promise<void> {
    const inside: Entry[] = [];
    const emit = (item: unknown): void => void inside.push(item as Entry);
    const { truncated } = await ask(asking, 'files.list', { path, limit: Math.max(1, MAX_ENTRIES - entries.length) }, { emit });
    if (truncated || entries.length + inside.length > MAX_ENTRIES)
      throw new OutriggerError('OUTPUT_TOO_LARGE', `There are more than ${MAX_ENTRIES} entries: list less of them at a time.`);
    for (const entry of inside.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      entries.push(entryOf(entry));
      if (entry.kind === 'directory' && depth > 1) await this.#walk(asking, entry.path, depth - 1, entries).catch(goneMeanwhile);
    }
  }
}

function goneMeanwhile(error: unknown): void {
  const isGone = error instanceof OutriggerError && (error.reason === 'FILE_NOT_FOUND' || error.reason === 'NOT_A_DIRECTORY');
  if (!isGone) throw error;
}
