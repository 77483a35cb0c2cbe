// Random work on a few names, by calls, typists and programs; what each file held at each of its changes is noted, and the history may never say another text.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Client } from '../../src/client/client.ts';
import type { OutriggerError } from '../../src/contract/errors.ts';
import type { Cause, Change } from '../../src/contract/events.ts';
import type { Version } from '../../src/contract/history.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { takeBack } from '../../src/core/take-back.ts';
import { hashBytes } from '../../src/services/workspace/content.ts';
import { eventually } from './eventually.ts';
import { ToldFiles } from './history-model-told.ts';
import type { Random } from './random.ts';
import { openYjsClient } from './yjs-client.ts';

/** Some are names of folders, too: now this, now that. */
const places = ['a', 'a/one', 'a/two', 'b', 'b/one', 'b/deep', 'b/deep/three', 'c', 'c/one', 'four'] as const;
const folders = ['a', 'b', 'b/deep', 'c'] as const;
const words = ['red', 'green', 'blue', 'lila', 'ünï', '😀'] as const;
const typistName = 'Ada';
const MOST_AT_ONCE = 8;
const SIDES = ['before', 'after'] as const;

type Side = (typeof SIDES)[number];
type Actor = NonNullable<Cause['who']>[number];

/** Somebody who calls. */
export interface HistoryHand {
  client: Client<Operations>;
  who: Actor;
}

/** A sidecar for as long as it runs. */
export interface HistoryLife {
  url: string;
  /** Of the main token. */
  token: string;
  /** The first has the main token. */
  hands: readonly [HistoryHand, ...HistoryHand[]];
}

/** A call that was answered, among others that were under way. */
interface Acknowledged {
  who: Actor;
  /** Of the answer: its change is no later one. */
  revision: number;
  isMade: (change: Change) => boolean;
}

export class HistoryModel {
  readonly #random: Random;
  readonly #root: string;
  #life: HistoryLife | undefined;
  /** Texts that were seen, by their hashes. */
  readonly #texts = new Map<string, string>();
  readonly #told = new ToldFiles();
  #cursor: string | undefined;
  /** What calls left, that was kept, and is not there any more. */
  readonly #kept = new Set<number>();
  #acknowledged: Acknowledged[] = [];
  #written = 0;
  /** Texts that the history gave, and those that it did not have. */
  readonly counts = { given: 0, 'not kept': 0, restored: 0, reverted: 0, asked: 0, foldersMoved: 0, turned: 0, lives: 0, acknowledged: 0 };

  constructor(random: Random, root: string) {
    this.#random = random;
    this.#root = root;
  }

  /** Goes on with a sidecar that has just started: what was acknowledged is told of, and what was done meanwhile. */
  async begin(life: HistoryLife): Promise<void> {
    this.#life = life;
    this.counts.lives++;
    const told = await this.#settle();
    this.#told.isAfterKill = false;
    const byCalls = told.filter(({ cause }) => cause.kind === 'connection');
    for (const { who, revision, isMade } of this.#acknowledged) {
      const made = byCalls.find((change) => change.revision <= revision && isMade(change));
      assert.deepEqual(made?.cause.who, [who], `${isMade} was acknowledged as r${revision}, and is not told: ${JSON.stringify(byCalls)}`);
    }
    this.counts.acknowledged += this.#acknowledged.length;
    this.#acknowledged = [];
    const left = byCalls.flatMap(({ what, after }) => (what !== 'moved' && after !== null ? [after] : []));
    assert.equal(new Set(left).size, left.length, 'a call is told of twice');
    await this.#checkSome([...this.#told.steps.keys()]);
  }

  async step(): Promise<void> {
    const ways = [
      ...[this.#write, this.#write, this.#write, this.#edit, this.#edit, this.#remove, this.#move, this.#moveFolder, this.#moveFolder],
      ...[this.#turn, this.#outside, this.#outside, this.#type, this.#restore, this.#restore, this.#revert, this.#revert],
    ];
    await this.#random.of(ways).call(this);
  }

  /** Some calls at once, of which not all are answered: `kill` ends the sidecar among them. */
  async burst(kill: () => Promise<void>): Promise<void> {
    const calls = Array.from({ length: 1 + this.#random.below(MOST_AT_ONCE) }, () => this.#oneOfMany());
    await Promise.all(calls.slice(0, this.#random.below(calls.length + 1)));
    await kill();
    this.#told.isAfterKill = true;
    await Promise.all(calls);
    const known = new Set(this.#texts.keys());
    for (const [file, hash] of Object.entries(this.#there())) assert.ok(hash === '/' || known.has(hash), `${file} is not whole`);
  }

  /** Programs go on while no sidecar runs. */
  meanwhile(): void {
    for (let count = this.#random.below(3); count > 0; count--) this.#byProgram();
  }

  /** All texts of all files, as they are told and as they were. */
  async end(): Promise<void> {
    for (const file of this.#told.steps.keys()) await this.#checkFile(file, Number.POSITIVE_INFINITY);
  }

  get #hand(): HistoryHand {
    return this.#random.of(this.#now.hands);
  }

  /** One that is there, if one is. */
  get #file(): string {
    return this.#random.of(this.#told.files.length === 0 ? places : this.#told.files);
  }

  get #now(): HistoryLife {
    assert.ok(this.#life !== undefined);
    return this.#life;
  }

  #text(): string {
    const lines = Array.from({ length: 1 + this.#random.below(8) }, () => `${this.#random.of(words)} ${this.#random.below(10)}\n`);
    return this.#note(lines.join(''));
  }

  /** That no other is like. */
  #newText(): string {
    return this.#note(`${this.#text()}${++this.#written}\n`);
  }

  #note(text: string): string {
    this.#texts.set(hashBytes(text), text);
    return text;
  }

  #at(file: string): string {
    return path.join(this.#root, file);
  }

  #present(file: string): string | undefined {
    const isFile = fs.statSync(this.#at(file), { throwIfNoEntry: false })?.isFile() === true;
    return isFile ? this.#note(fs.readFileSync(this.#at(file), 'utf8')) : undefined;
  }

  /** Hashes of all files that are there, and `/` for each folder. */
  #there(): Record<string, string> {
    const entries = fs.readdirSync(this.#root, { recursive: true, withFileTypes: true });
    const facts = entries.map((entry) => {
      const at = path.relative(this.#root, path.join(entry.parentPath, entry.name));
      return [at, entry.isFile() ? hashBytes(this.#present(at) ?? '') : '/'];
    });
    return Object.fromEntries(facts) as Record<string, string>;
  }

  // What is done.

  async #write(): Promise<void> {
    const hand = this.#hand;
    await this.#call(hand, hand.client.call('files.write', { path: this.#random.of(places), text: this.#text() }));
  }

  async #edit(): Promise<void> {
    const hand = this.#hand;
    const file = this.#file;
    const text = this.#present(file);
    if (text === undefined || text === '') return;
    const line = 1 + this.#random.below(text.split('\n').length - 1);
    const edits = [{ startLine: line, endLine: line, text: `${this.#random.of(words)}\n` }];
    await this.#call(hand, hand.client.call('files.edit', { path: file, edits }));
  }

  async #remove(): Promise<void> {
    const hand = this.#hand;
    await this.#call(hand, hand.client.call('files.remove', { path: this.#file }));
  }

  async #move(): Promise<void> {
    const hand = this.#hand;
    const [from, to] = [this.#file, this.#random.of(places)];
    await this.#call(hand, hand.client.call('files.move', { from, to, overwrite: true }));
  }

  async #moveFolder(): Promise<void> {
    const hand = this.#hand;
    const [from, to] = [this.#random.of(folders), this.#random.of(folders)];
    // What a name had before it is that of the folder.
    const isFree = from !== to && this.#random.below(2) === 0 && this.#present(to) !== undefined;
    if (isFree) await this.#call(hand, hand.client.call('files.remove', { path: to }));
    const moved = await this.#call(hand, hand.client.call('files.move', { from, to }));
    this.counts.foldersMoved += Number(moved !== undefined);
  }

  /** A folder takes the name of a file, or a file that of a folder. */
  async #turn(): Promise<void> {
    const hand = this.#hand;
    const name = this.#random.of(folders);
    const wasFile = this.#present(name) !== undefined;
    const removed = await this.#call(hand, hand.client.call('files.remove', { path: name, recursive: true }));
    if (removed === undefined) return;
    this.counts.turned++;
    const place = wasFile ? places.find((one) => one.startsWith(`${name}/`)) : name;
    await this.#call(hand, hand.client.call('files.write', { path: place ?? name, text: this.#text() }));
  }

  async #outside(): Promise<void> {
    this.#byProgram();
    const told = await this.#settle();
    for (const { cause } of told) assert.deepEqual(cause, { kind: 'outside' });
    await this.#checkSome();
  }

  #byProgram(): void {
    const name = this.#random.of(places);
    const stat = fs.statSync(this.#at(name), { throwIfNoEntry: false });
    const way = this.#random.below(4);
    if (way === 0) return fs.rmSync(this.#at(name), { recursive: true, force: true });
    if (this.#isBelowFile(name)) return;
    fs.mkdirSync(path.dirname(this.#at(name)), { recursive: true });
    if (stat?.isDirectory() !== true) return fs.writeFileSync(this.#at(name), this.#text());
    const to = this.#random.of(folders);
    const isFree = !fs.existsSync(this.#at(to)) && !this.#isBelowFile(to) && !to.startsWith(`${name}/`);
    if (way === 1 && isFree && fs.existsSync(path.dirname(this.#at(to)))) fs.renameSync(this.#at(name), this.#at(to));
  }

  #isBelowFile(name: string): boolean {
    const above = path.dirname(name);
    return above !== '.' && (fs.statSync(this.#at(above), { throwIfNoEntry: false })?.isFile() === true || this.#isBelowFile(above));
  }

  async #type(): Promise<void> {
    const file = this.#file;
    if (this.#present(file) === undefined) return;
    const { url, token } = this.#now;
    const typist = openYjsClient(url, { token, room: file, name: typistName });
    try {
      await typist.synced();
      // It may have been open, and be about to take in what was written just now.
      await eventually(() => assert.equal(typist.text.toString(), this.#present(file)));
      typist.text.insert(this.#random.below(typist.text.length + 1), `${this.#random.of(words)}\n`);
      const typed = this.#note(typist.text.toString());
      await eventually(() => assert.equal(this.#present(file), typed));
      for (const { cause } of await this.#settle())
        assert.deepEqual([cause.kind, cause.who], ['document', [{ name: typistName, kind: 'person' }]]);
    } finally {
      typist.destroy();
    }
    await this.#checkSome();
  }

  async #restore(): Promise<void> {
    const [file, step] = this.#anyStep();
    if (file === undefined || step === undefined) return;
    const hand = this.#hand;
    const side = this.#random.of(SIDES);
    const { revision } = step;
    const restored = await this.#call(hand, hand.client.call('history.restore', { path: file, revision, side }), 'VERSION_NOT_KEPT');
    if (restored === undefined) return;
    this.counts.restored++;
    assert.equal(hashBytes(this.#present(file) ?? ''), step[side], `${file} ${side} r${revision}`);
  }

  async #revert(): Promise<void> {
    const [file, step, index] = this.#anyStep();
    if (file === undefined || step === undefined) return;
    const steps = this.#told.steps.get(file) ?? [];
    const first = steps[Math.max(0, index - this.#random.below(3))] ?? step;
    const shared = this.#random.of(['ask', 'keep', 'remove'] as const);
    const present = this.#present(file);
    const hand = this.#hand;
    const reverted = await this.#call(
      hand,
      hand.client.call('history.revert', { path: file, revision: step.revision, first: first.revision, shared }),
      ...(['VERSION_NOT_KEPT', 'BAD_INPUT', 'HUNKS_SHARED'] as const),
    );
    const made = step.what === 'removed' ? null : this.#bytes(step.after);
    const alone = first.what === 'created' ? null : this.#bytes(first.before);
    if (made === undefined || alone === undefined) return;
    const current = present === undefined ? null : Buffer.from(present);
    const { result, clashes } = takeBack(made, alone, current, shared === 'remove' ? 'remove' : 'keep');
    if (reverted === undefined) {
      this.counts.asked += Number(clashes.length > 0);
      assert.equal(this.#present(file), present, 'refused, and changed all the same');
      return;
    }
    this.counts.reverted++;
    if (shared === 'ask') assert.deepEqual(clashes, []);
    const wanted = result === null ? undefined : this.#note(Buffer.from(result).toString());
    assert.equal(this.#present(file), wanted, `${file} without r${first.revision} to r${step.revision}`);
  }

  /** Resolves when it was answered, or can't be any more. */
  async #oneOfMany(): Promise<void> {
    const { client, who } = this.#hand;
    const [one, other] = [this.#random.of(places), this.#random.of(places)];
    const text = this.#newText();
    const [call, isMade] = this.#random.of<[() => Promise<{ revision: number }>, (change: Change) => boolean]>([
      [() => client.call('files.write', { path: one, text }), ({ path: at, after }) => at === one && after === hashBytes(text)],
      [() => client.call('files.remove', { path: one, recursive: true }), ({ path: at, what }) => at === one && what === 'removed'],
      [() => client.call('files.move', { from: one, to: other, overwrite: true }), ({ path: at, from }) => at === other && from === one],
    ]);
    const answer = one === other ? undefined : await this.#try(call(), 'CONNECTION_LOST', 'BUSY_FILE');
    if (answer !== undefined) this.#acknowledged.push({ who, revision: answer.revision, isMade });
  }

  /** A call, after which all is as it is told to be, and done by the hand. */
  async #call<T extends { revision: number }>(
    hand: HistoryHand,
    call: Promise<T>,
    ...reasons: OutriggerError['reason'][]
  ): Promise<T | undefined> {
    const answer = await this.#try(call, ...reasons);
    const told = await this.#settle();
    for (const { cause } of told) assert.deepEqual([cause.kind, cause.who], ['connection', [hand.who]]);
    if (answer === undefined) assert.deepEqual(told, [], 'refused, and changed all the same');
    else assert.equal(answer.revision, this.#told.revision, `another revision is answered than is told: ${JSON.stringify([answer, told])}`);
    await this.#checkSome();
    return answer;
  }

  // What is told of it.

  #touched = new Set<string>();

  /** Takes in what was told since the last time, until it is what is there. */
  async #settle(): Promise<Change[]> {
    const told: Change[] = [];
    let refused: Error | undefined;
    await eventually(async () => {
      // It is passed over the next time, and no delay mends it.
      await this.#hear(told).catch((error: Error) => {
        refused ??= error;
      });
      if (refused === undefined) assert.deepEqual(Object.fromEntries(this.#told.there), this.#there());
    });
    if (refused !== undefined) throw refused;
    return told;
  }

  async #hear(told: Change[]): Promise<void> {
    const asked = this.#cursor === undefined ? {} : { cursor: this.#cursor };
    const { changes, cursor, more, resync } = await this.#now.hands[0].client.call('changes.since', { ...asked, limit: 1000 });
    assert.equal(resync, undefined);
    this.#cursor = cursor;
    for (const change of changes) for (const file of this.#told.take(change)) this.#touched.add(file);
    told.push(...changes);
    if (more) await this.#hear(told);
  }

  /** The histories of files that were touched since the last time, and some of their texts. */
  async #checkSome(files: Iterable<string> = this.#touched): Promise<void> {
    for (const file of files) await this.#checkFile(file, 1);
    this.#touched.clear();
  }

  async #checkFile(file: string, texts: number): Promise<void> {
    const steps = (this.#told.steps.get(file) ?? []).toReversed();
    const versions = await this.#list(file);
    const facts = versions.map(({ kept: _kept, keptBefore: _keptBefore, ...told }) => told);
    const known = steps.map(({ type: _type, cursor: _cursor, kind: _kind, note: _note, ...told }) => told);
    assert.deepEqual(facts, known, `the history of ${file}`);
    this.#checkKept(file, versions);
    const sides = versions.flatMap((version) => SIDES.map((side) => [version, side] as const));
    const chosen = texts < sides.length ? Array.from({ length: texts }, () => this.#random.of(sides)) : sides;
    for (const [version, side] of chosen) await this.#checkText(file, version, side);
  }

  /** That it is given if, and only if, it is told to be kept. */
  async #checkText(file: string, version: Version, side: Side): Promise<void> {
    const given = await this.#read(file, version, side);
    if (given === isKept(version, side)) return;
    const later = (await this.#list(file)).find(({ revision }) => revision === version.revision);
    // It was kept, or dropped, meanwhile.
    assert.ok(later !== undefined && isKept(later, side) === given, `${file} ${side} r${version.revision} is ${given ? '' : 'not '}given`);
  }

  async #list(file: string): Promise<Version[]> {
    return (await this.#now.hands[0].client.call('history.list', { path: file, limit: 1000 })).versions;
  }

  /** Newest first. */
  #checkKept(file: string, versions: readonly Version[]): void {
    for (const [index, version] of versions.entries()) {
      const { revision, what, cause, kept, keptBefore } = version;
      const older = versions.slice(index + 1).find((one) => one.what !== 'moved');
      const said = `${file} r${revision}: ${JSON.stringify(version)}`;
      // Who writes over what somebody else left keeps it first.
      if (
        cause.kind !== 'outside' &&
        (what === 'changed' || what === 'removed') &&
        older !== undefined &&
        actorOf(older.cause) !== actorOf(cause)
      )
        assert.ok(keptBefore, `not kept before ${said}`);
      if (this.#kept.has(revision)) assert.ok(kept, `kept no more: ${said}`);
      // What is there is given from there, and may never be kept.
      const isThere = version.after === versions[0]?.after;
      if (!isThere && kept && cause.kind === 'connection') this.#kept.add(revision);
    }
  }

  /** Whether it is given. */
  async #read(file: string, version: Version, side: Side): Promise<boolean> {
    const { revision } = version;
    const read = this.#now.hands[0].client.call('history.read', { path: file, revision, side });
    const given = await this.#try(read, 'VERSION_NOT_KEPT');
    const hash = version[side];
    if (hash !== null) this.counts[given === undefined ? 'not kept' : 'given']++;
    if (given === undefined) return false;
    assert.deepEqual([hashBytes(given.text), given.etag], [hash, `"${hash}"`], `${file} ${side} r${revision}`);
    return true;
  }

  #anyStep(): [string, Change, number] | [undefined, undefined, 0] {
    if (this.#told.steps.size === 0) return [undefined, undefined, 0];
    const file = this.#random.of([...this.#told.steps.keys()]);
    const steps = this.#told.steps.get(file) ?? [];
    const index = this.#random.below(Math.max(1, steps.length));
    const step = steps[index];
    return step === undefined ? [undefined, undefined, 0] : [file, step, index];
  }

  #bytes(hash: string | null): Buffer | undefined {
    const text = hash === null ? undefined : this.#texts.get(hash);
    return text === undefined ? undefined : Buffer.from(text);
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

function isKept({ kept, keptBefore }: Version, side: Side): boolean {
  return side === 'after' ? kept : keptBefore;
}

/** The same for changes of one hand. */
function actorOf({ kind, who }: Cause): string {
  return JSON.stringify([kind, who?.[0]]);
}
