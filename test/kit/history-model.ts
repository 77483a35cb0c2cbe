// Random work on a few files, by calls, typists and programs; what each file held at each of its changes is noted, and the history may never say another text.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Client } from '../../src/client/client.ts';
import type { OutriggerError } from '../../src/contract/errors.ts';
import type { Change } from '../../src/contract/events.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { takeBack } from '../../src/core/take-back.ts';
import { hashBytes } from '../../src/services/workspace/content.ts';
import { eventually } from './eventually.ts';
import type { Random } from './random.ts';
import type { RunningSidecar } from './sidecar.ts';
import { openYjsClient } from './yjs-client.ts';

const places = ['a/one', 'a/two', 'b/one', 'b/deep/three', 'four'] as const;
const folders = ['a', 'b', 'b/deep', 'c'] as const;
const words = ['red', 'green', 'blue', 'lila', 'ünï', '😀'] as const;

export class HistoryModel {
  readonly #random: Random;
  readonly #running: RunningSidecar;
  readonly #clients: readonly Client<Operations>[];
  /** Texts that were seen, by their hashes. */
  readonly #texts = new Map<string, string>();
  /** Of each path, the changes of what is called so now, oldest first. */
  readonly #steps = new Map<string, Change[]>();
  #cursor: string | undefined;
  /** Texts that the history gave, and those that it did not have. */
  readonly counts = { given: 0, 'not kept': 0, restored: 0, reverted: 0, asked: 0 };

  constructor(random: Random, running: RunningSidecar, clients: readonly Client<Operations>[]) {
    this.#random = random;
    this.#running = running;
    this.#clients = clients;
  }

  async step(): Promise<void> {
    const ways = [
      ...[this.#write, this.#write, this.#write, this.#edit, this.#edit, this.#remove, this.#move, this.#moveFolder],
      ...[this.#program, this.#type, this.#restore, this.#revert, this.#revert, this.#check],
    ];
    await this.#random.of(ways).call(this);
    await this.#hear();
    for (const file of places) this.#now(file);
  }

  /** All texts of all files, as they are told and as they were. */
  async end(): Promise<void> {
    for (const file of this.#steps.keys()) await this.#checkFile(file);
  }

  get #client(): Client<Operations> {
    return this.#random.of(this.#clients);
  }

  #text(): string {
    const lines = Array.from({ length: 1 + this.#random.below(8) }, () => `${this.#random.of(words)} ${this.#random.below(10)}\n`);
    return this.#note(lines.join(''));
  }

  #note(text: string): string {
    this.#texts.set(hashBytes(text), text);
    return text;
  }

  #now(file: string): string | undefined {
    const at = path.join(this.#running.root, file);
    return fs.statSync(at, { throwIfNoEntry: false })?.isFile() === true ? this.#note(fs.readFileSync(at, 'utf8')) : undefined;
  }

  #there(): string[] {
    return [...this.#steps.keys()].filter((file) => this.#now(file) !== undefined);
  }

  async #write(): Promise<void> {
    await this.#try(this.#client.call('files.write', { path: this.#random.of(places), text: this.#text() }));
  }

  async #edit(): Promise<void> {
    const file = this.#random.of(places);
    const text = this.#now(file);
    if (text === undefined || text === '') return;
    const lines = text.split('\n').length - 1;
    const line = 1 + this.#random.below(Math.max(1, lines));
    await this.#try(
      this.#client.call('files.edit', { path: file, edits: [{ startLine: line, endLine: line, text: `${this.#random.of(words)}\n` }] }),
    );
  }

  async #remove(): Promise<void> {
    await this.#try(this.#client.call('files.remove', { path: this.#random.of(places) }));
  }

  async #move(): Promise<void> {
    await this.#try(this.#client.call('files.move', { from: this.#random.of(places), to: this.#random.of(places), overwrite: true }));
  }

  async #moveFolder(): Promise<void> {
    await this.#try(this.#client.call('files.move', { from: this.#random.of(folders), to: this.#random.of(folders) }));
  }

  async #program(): Promise<void> {
    const [file] = this.#there();
    if (file === undefined) return;
    const text = this.#text();
    if (text === this.#now(file)) return;
    this.#running.put(file, text);
    // The next step is another change, and not part of this one.
    await eventually(async () => {
      await this.#hear();
      assert.equal(this.#steps.get(file)?.at(-1)?.after, hashBytes(text));
    });
  }

  async #type(): Promise<void> {
    const file = this.#random.of(places);
    if (this.#now(file) === undefined) return;
    const typist = openYjsClient(this.#running.url, { token: this.#running.token, room: file });
    try {
      await typist.synced();
      typist.text.insert(this.#random.below(typist.text.length + 1), `${this.#random.of(words)}\n`);
      const typed = this.#note(typist.text.toString());
      await eventually(() => assert.equal(this.#now(file), typed));
    } finally {
      typist.destroy();
    }
  }

  async #restore(): Promise<void> {
    const [file, step] = this.#anyStep();
    if (file === undefined || step === undefined) return;
    const { revision, after, what } = step;
    const restored = await this.#try(this.#client.call('history.restore', { path: file, revision }), 'VERSION_NOT_KEPT', 'NOT_A_DIRECTORY');
    if (restored === undefined) return;
    this.counts.restored++;
    assert.notEqual(what, 'removed');
    await eventually(() => assert.equal(hashBytes(this.#now(file) ?? ''), after, `${file} as of r${revision}`));
  }

  async #revert(): Promise<void> {
    const [file, step, index] = this.#anyStep();
    if (file === undefined || step === undefined) return;
    const steps = this.#steps.get(file) ?? [];
    const first = steps[Math.max(0, index - this.#random.below(3))] ?? step;
    const shared = this.#random.of(['ask', 'keep', 'remove'] as const);
    const present = this.#now(file);
    const reverted = await this.#try(
      this.#client.call('history.revert', { path: file, revision: step.revision, first: first.revision, shared }),
      ...(['VERSION_NOT_KEPT', 'NOT_A_DIRECTORY', 'BAD_INPUT', 'HUNKS_SHARED'] as const),
    );
    const made = step.what === 'removed' ? null : this.#bytes(step.after);
    const alone = first.what === 'created' ? null : this.#bytes(first.before);
    if (made === undefined || alone === undefined) return;
    const current = present === undefined ? null : Buffer.from(present);
    const { result, clashes } = takeBack(made, alone, current, shared === 'remove' ? 'remove' : 'keep');
    if (reverted === undefined) {
      this.counts.asked += Number(clashes.length > 0);
      assert.equal(this.#now(file), present, 'refused, and changed all the same');
      return;
    }
    this.counts.reverted++;
    if (shared === 'ask') assert.deepEqual(clashes, []);
    const wanted = result === null ? undefined : this.#note(Buffer.from(result).toString());
    await eventually(() => assert.equal(this.#now(file), wanted, `${file} without r${first.revision} to r${step.revision}`));
  }

  async #check(): Promise<void> {
    await this.#checkFile(this.#random.of(places));
  }

  async #checkFile(file: string): Promise<void> {
    const steps = this.#steps.get(file) ?? [];
    const { client } = this.#running;
    const { versions } = await client.call('history.list', { path: file, limit: 1000 });
    assert.deepEqual(
      versions.map(({ revision, what, path: at }) => ({ revision, what, at })),
      steps.map(({ revision, what, path: at }) => ({ revision, what, at })).toReversed(),
      `the history of ${file}`,
    );
    for (const change of steps)
      for (const side of ['before', 'after'] as const) {
        const read = client.call('history.read', { path: file, revision: change.revision, side });
        const text = (await this.#try(read, 'VERSION_NOT_KEPT'))?.text;
        this.counts[text === undefined ? 'not kept' : 'given']++;
        if (text === undefined) continue;
        const hash = side === 'before' ? change.before : change.after;
        assert.equal(hashBytes(text), hash, `${file} ${side} r${change.revision}`);
      }
  }

  #anyStep(): [string, Change, number] | [undefined, undefined, 0] {
    const file = this.#random.of(places);
    const steps = this.#steps.get(file) ?? [];
    const index = this.#random.below(Math.max(1, steps.length));
    const step = steps[index];
    return step === undefined ? [undefined, undefined, 0] : [file, step, index];
  }

  #bytes(hash: string | null): Buffer | undefined {
    const text = hash === null ? undefined : this.#texts.get(hash);
    return text === undefined ? undefined : Buffer.from(text);
  }

  /** Takes in what was told since the last time. */
  async #hear(): Promise<void> {
    const asked = this.#cursor === undefined ? {} : { cursor: this.#cursor };
    const { changes, cursor, more } = await this.#running.client.call('changes.since', { ...asked, limit: 1000 });
    this.#cursor = cursor;
    for (const change of changes) this.#take(change);
    if (more) await this.#hear();
  }

  #take(change: Change): void {
    const { path: at, from, kind } = change;
    if (from === undefined) {
      if (kind === 'file') this.#steps.set(at, [...(this.#steps.get(at) ?? []), change]);
      return;
    }
    for (const [file, steps] of [...this.#steps]) {
      if (file !== from && !file.startsWith(`${from}/`)) continue;
      this.#steps.delete(file);
      this.#steps.set(at + file.slice(from.length), kind === 'file' ? [...steps, change] : steps);
    }
  }

  /** Undefined where it is refused: for these reasons, or since there is nothing, or something else, at a path. */
  async #try<T>(call: Promise<T>, ...reasons: OutriggerError['reason'][]): Promise<T | undefined> {
    try {
      return await call;
    } catch (error) {
      const { reason } = error as OutriggerError;
      const usual = ['FILE_NOT_FOUND', 'NOT_A_FILE', 'NOT_A_DIRECTORY', 'FILE_EXISTS', 'NOT_EMPTY', 'BAD_PATH'];
      if (![...usual, ...reasons].includes(reason)) throw error;
      return undefined;
    }
  }
}
