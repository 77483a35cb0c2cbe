// For tests: a sidecar whose disks become full by chance while people type and callers write, and what must be on them afterwards.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, createClient } from '../../src/client/client.ts';
import { type ErrorReason, OutriggerError } from '../../src/contract/errors.ts';
import type { Change } from '../../src/contract/events.ts';
import type { Answer, Asked } from '../../src/contract/operation.ts';
import { operations, type Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { Random } from './random.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';
import { openYjsClient, type YjsClient } from './yjs-client.ts';

/*
 * Each caller has a folder of its own, of which it knows what each answer leaves there. What people type are words, each once. A program beside the sidecar
 * writes files as well, and a follower of `changes.since` must come to the true folder. The disks are small; a filler takes what is left of them.
 */

const MB = 1024 * 1024;
const PAGE = 4096;
const CALLERS = 2;
const DOCUMENTS = ['a.txt', 'd/b.txt', 'crlf.txt'] as const;
const PEOPLE = 2;
/** After the disk is free again: a save that failed is tried again after half a minute at most. */
const REST_MS = 50_000;
const ANSWER_MS = 15_000;
const START_MS = 30_000;
const MANY_INODES = 100_000;
const IDLE_LOOK_MS = 1500;
/** Of that, what timers that are far apart may take, with room for a collection of garbage. */
const IDLE_CPU_MS = 400;
const MOST_RESIDENT = 600 * MB;
const TEMPORARY = /(?:^|\/)\.outrigger-/;
const wordPattern = /W\d+w/g;

/** Where the kernel keeps files and the filler takes room. */
interface Disk {
  at: string;
  sizeKb: number;
}

type Word = 'there' | 'removed' | 'unsure';

interface Document {
  path: string;
  words: Map<string, Word>;
  people: YjsClient[];
}

/** What files of one caller hold, by path; undefined: nothing. */
type Contents = Map<string, string | undefined>;

interface Kept {
  id: number;
  /** As the folder was in a moment in which nobody wrote. */
  files: Map<string, string>;
}

export interface FullDiskOptions {
  workspace: Disk;
  /** The same one where both share it. */
  state: Disk;
  isRepository: boolean;
  /** In the end the folder is restored to each of the checkpoints; else to the last one. */
  restoresAll: boolean;
}

export class FullDiskModel {
  readonly counts: Record<string, number> = {};
  readonly #seed: number;
  readonly #random: Random;
  readonly #options: FullDiskOptions;
  readonly #root: string;
  readonly #documents: Document[] = DOCUMENTS.map((name) => ({ path: name, words: new Map(), people: [] }));
  readonly #callers: Contents[] = Array.from({ length: CALLERS }, () => new Map());
  readonly #kept: Kept[] = [];
  readonly #trace: string[] = [];
  readonly #written = new Map<string, string[]>();
  /** Temporary files of a sidecar that was killed when it could not note them. */
  readonly #excused = new Set<string>();
  readonly #full = new Map<Disk, string[]>();
  /** What the follower believes. */
  #followed = new Map<string, string>();
  #cursor: string | undefined;
  #sidecar: SidecarProcess | undefined;
  #client: Client<Operations> | undefined;
  #port = 0;
  #number = 0;
  /** Counts the times that a disk was made full. */
  #fills = 0;
  /** Updates may be known to people alone. */
  #stateWasFull = false;
  /** A sidecar has begun since then: what people know is merged as text, and nobody can tell what they removed from what they never had. */
  #isApart = false;
  #isUp = false;
  #isWorking = false;
  #isPaused = false;
  #busy = 0;
  #failure: Error | undefined;

  constructor(seed: number, options: FullDiskOptions) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#options = options;
    this.#root = path.join(options.workspace.at, 'root');
    fs.mkdirSync(this.#root);
    for (const disk of this.#disks) remount(disk, MANY_INODES);
    for (const [number, { path: name }] of this.#documents.entries()) {
      const eol = name.startsWith('crlf') ? '\r\n' : '\n';
      this.#put(name, Array.from({ length: 6 }, (_, line) => `line ${line} of ${number}`).join(eol) + eol);
    }
    for (const [number, contents] of this.#callers.entries()) {
      for (const name of [`w${number}/kept`, `w${number}/sub/one`, `w${number}/sub/two`, linkedName(number)]) {
        const text = this.#text(name, 2000);
        contents.set(name, text);
        this.#put(name, text);
      }
      // Beside the workspace: nobody follows the other name.
      fs.linkSync(path.join(this.#root, linkedName(number)), this.#otherName(number));
    }
    if (!options.isRepository) return;
    this.#git('init', '-q', '-b', 'main');
    for (const [key, value] of [
      ['user.name', 'Uma'],
      ['user.email', 'uma@example.org'],
      ['gc.auto', '0'],
      ['maintenance.auto', 'false'],
    ])
      this.#git('config', key as string, value as string);
    this.#git('add', '.');
    this.#git('commit', '-qm', 'one');
  }

  #otherName(number: number): string {
    return path.join(this.#options.workspace.at, `other name of ${number}`);
  }

  get #disks(): Disk[] {
    return [...new Set([this.#options.workspace, this.#options.state])];
  }

  get #api(): Client<Operations> {
    assert.ok(this.#client !== undefined);
    return this.#client;
  }

  async start(): Promise<void> {
    await this.#spawn();
    for (const document of this.#documents)
      for (let n = 0; n < PEOPLE; n++)
        document.people.push(openYjsClient(this.#sidecar?.url ?? '', { token: processToken, room: document.path }));
    await this.rest();
  }

  /** All at once for a while, `disturbances` meanwhile; then all disks are free, and all is as it has to be. */
  async round(disturbances: number): Promise<void> {
    this.#isWorking = true;
    const workers = [
      ...this.#callers.map((_, number) => this.#loop(60, () => this.#act(number))),
      this.#loop(30, async () => this.#type(this.#random.of(this.#documents))),
      this.#loop(30, async () => this.#type(this.#random.of(this.#documents))),
      this.#loop(300, () => this.#editDocument()),
      this.#loop(80, async () => this.#writeOutside()),
      this.#loop(150, () => this.#follow()),
      this.#loop(200, () => this.#probe()),
      ...(this.#options.isRepository ? [this.#loop(400, () => this.#commit())] : []),
    ];
    try {
      for (let step = 0; step < disturbances && this.#failure === undefined; step++) {
        await sleep(100 + this.#random.below(500));
        await this.#disturb();
      }
    } finally {
      this.#isWorking = false;
      await Promise.all(workers);
    }
    if (this.#failure !== undefined) throw this.#failure;
    const isFreedFirst = this.#random.below(2) === 0;
    if (isFreedFirst) this.#freeAll();
    if (this.#random.below(3) > 0) await this.#restart(this.#random.of(['stop', 'kill'] as const));
    this.#freeAll();
    await this.rest();
  }

  async end(): Promise<void> {
    await this.#restart('stop');
    for (const disk of this.#disks) remount({ ...disk, sizeKb: disk.sizeKb + 64 * 1024 }, MANY_INODES);
    await this.rest();
    // A restore does not part them.
    for (const number of this.#callers.keys()) fs.rmSync(this.#otherName(number));
    const kept = this.#options.restoresAll ? this.#kept : this.#kept.slice(-1);
    for (const { id, files } of kept) {
      await this.#api.call('checkpoints.restore', { id }).catch((error: unknown) => this.#fail(`checkpoint ${id}: ${String(error)}`));
      this.#compareFiles(files, this.#files(), `checkpoint ${id}`);
      await this.#documentsAtRest();
      this.#count('restored in the end');
    }
    assert.equal(await this.#sidecar?.stop(), 0, this.#about('the stop failed'));
    this.#isUp = false;
    this.#checkLeft();
  }

  async close(): Promise<void> {
    this.#isWorking = false;
    for (const { people } of this.#documents) for (const person of people) person.destroy();
    this.#client?.close();
    await this.#sidecar?.kill();
  }

  // ── what happens by chance ───────────────────────────────────────────────────────────────────────────────────────────

  async #loop(atMostMs: number, work: () => Promise<void>): Promise<void> {
    while (this.#isWorking && this.#failure === undefined) {
      await sleep(this.#random.below(atMostMs) + 1);
      if (this.#isPaused || !this.#isWorking) continue;
      this.#busy++;
      try {
        await work();
      } catch (error) {
        this.#failure ??= error as Error;
      } finally {
        this.#busy--;
      }
    }
  }

  /** While nobody writes anything. */
  async #quietly<T>(work: () => Promise<T>): Promise<T> {
    this.#isPaused = true;
    try {
      await eventually(() => this.#busy === 0, REST_MS);
      return await work();
    } finally {
      this.#isPaused = false;
    }
  }

  async #disturb(): Promise<void> {
    const chance = this.#random.below(100);
    const isFull = this.#full.size > 0;
    if (!isFull && chance < 40) return this.#fill(this.#random.of(this.#disks));
    if (isFull && chance < 15) return this.#freeAll();
    if (chance < 25) return this.#fill(this.#random.of(this.#disks));
    if (chance < (isFull ? 35 : 55)) return this.#keep();
    if (chance < 65) return this.#restoreSome();
    if (chance < 72) return this.#lookAtIdleness();
    if (chance < 88) return this.#restart('kill');
    return this.#restart('stop');
  }

  #fill(disk: Disk): void {
    const how = this.#random.of(['last byte', 'last byte', 'nearly', 'inodes', 'inside'] as const);
    if (how === 'inside' && disk !== this.#options.workspace) return this.#fill(disk);
    this.#fills++;
    if (disk === this.#options.state) this.#stateWasFull = true;
    const fillers = this.#full.get(disk) ?? [];
    this.#full.set(disk, fillers);
    if (how === 'inodes') {
      useUpInodes(disk, this.#random.below(6));
    } else {
      const filler = path.join(how === 'inside' ? this.#root : disk.at, `filler ${this.#number++}`);
      fillers.push(filler);
      const spared = how === 'nearly' ? this.#random.below(100) * PAGE : 0;
      fillUp(filler, disk, spared);
    }
    this.#say(`${this.#nameOf(disk)} is full: ${how}`);
    this.#count(`full ${this.#nameOf(disk)} ${how}`);
  }

  #freeAll(): void {
    for (const [disk, fillers] of this.#full) {
      for (const filler of fillers) fs.rmSync(filler, { force: true });
      remount(disk, MANY_INODES);
    }
    if (this.#full.size > 0) this.#say('all is free');
    this.#full.clear();
  }

  async #keep(): Promise<void> {
    await this.#quietly(async () => {
      // What is unsaved is saved by it.
      const answer = await this.#call('checkpoints.create', { title: `number ${this.#number++}` });
      if (answer instanceof OutriggerError) return;
      const files = this.#files();
      const again = await this.#call('checkpoints.create', { title: `number ${this.#number++}` });
      if (again instanceof OutriggerError || !again.same || again.omitted > 0) return;
      this.#compareFiles(files, this.#files(), 'a checkpoint that is the same');
      this.#kept.push({ id: again.id, files });
      this.#count('kept');
    });
  }

  /** The folders of the callers alone. */
  async #restoreSome(): Promise<void> {
    const kept = this.#kept.at(-1);
    if (kept === undefined) return;
    await this.#quietly(async () => {
      const paths = this.#callers.map((_, number) => `w${number}`);
      const mine = (name: string): boolean => paths.some((folder) => name.startsWith(`${folder}/`));
      const of = (all: Map<string, string>): Map<string, string> => new Map([...all].filter(([name]) => mine(name)));
      const before = of(this.#files());
      const answer = await this.#call('checkpoints.restore', { id: kept.id, paths });
      const isRefused = answer instanceof OutriggerError;
      this.#compareFiles(isRefused ? before : of(kept.files), of(this.#files()), `${isRefused ? 'refused ' : ''}restore of ${kept.id}`);
      this.#count(`restore ${isRefused ? answer.reason : 'done'}`);
      if (isRefused) return;
      for (const [number, contents] of this.#callers.entries()) {
        for (const name of contents.keys()) if (mine(name)) contents.delete(name);
        for (const name of kept.files.keys())
          if (name.startsWith(`w${number}/`)) contents.set(name, fs.readFileSync(path.join(this.#root, name), 'utf8'));
      }
    });
  }

  /** Where nobody does anything it does nothing, be the disk full or not. */
  async #lookAtIdleness(): Promise<void> {
    await this.#quietly(async () => {
      await sleep(700);
      const pid = this.#sidecar?.child.pid as number;
      const before = cpuMs(pid);
      await sleep(IDLE_LOOK_MS);
      const took = cpuMs(pid) - before;
      this.#say(`idle: ${took} ms of ${IDLE_LOOK_MS}${this.#full.size > 0 ? ', full' : ''}`);
      this.#count(`looked at idleness${this.#full.size > 0 ? ', full' : ''}`);
      if (took > IDLE_CPU_MS) this.#fail(`it takes ${took} ms of ${IDLE_LOOK_MS} where nobody does anything`);
      const resident = residentOf(pid);
      if (resident > MOST_RESIDENT) this.#fail(`it takes ${Math.round(resident / MB)} MB`);
    });
  }

  async #restart(how: 'stop' | 'kill'): Promise<void> {
    const sidecar = this.#sidecar;
    assert.ok(sidecar !== undefined);
    this.#isUp = false;
    const isFull = this.#full.size > 0;
    this.#say(`${how}${isFull ? ' while full' : ''}`);
    this.#count(`${how}${isFull ? ' while full' : ''}`);
    if (how === 'kill') await sidecar.kill();
    else {
      const code = await orLate(sidecar.stop(), START_MS, 'the stop');
      if (code !== 0) this.#fail(`it ended with ${code}`);
    }
    this.#client?.close();
    if (how === 'kill' && this.#stateWasFull) for (const name of this.#everyFile()) if (TEMPORARY.test(name)) this.#excused.add(name);
    this.#isApart ||= this.#stateWasFull;
    if (this.#isApart)
      for (const { words } of this.#documents) for (const [word, state] of words) if (state === 'removed') words.set(word, 'unsure');
    for (let n = this.#random.below(6); n > 0; n--) this.#writeOutside();
    await this.#spawn().catch(async (error: unknown) => {
      if (this.#full.size === 0 || !/DISK_FULL|ENOSPC|is full|has no room/.test(String(error))) throw error;
      this.#say(`it does not start: ${String(error).slice(0, 300)}`);
      this.#count('not started');
      this.#freeAll();
      await this.#spawn();
    });
  }

  async #spawn(): Promise<void> {
    this.#sidecar = await orLate(
      spawnSidecar({
        root: this.#root,
        state: path.join(this.#options.state.at, 'state'),
        port: this.#port,
        flags: {
          components: 'files,documents,search,git,checkpoints',
          'documents.saveIdleMs': '60',
          'documents.saveMaxMs': '200',
          'limits.requestsPerMinute': '1000000',
        },
      }),
      START_MS,
      'the start',
    );
    this.#port = Number(new URL(this.#sidecar.url).port);
    this.#client = createClient<Operations>({ url: this.#sidecar.url, token: processToken, webSocket: undefined });
    this.#isUp = true;
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #type({ path: name, words, people }: Document): void {
    const person = this.#random.of(people);
    if (this.#random.below(60) === 0) return person.cut();
    const { text } = person;
    const before = text.toString();
    // One that a call brings is not known to be there before the answer.
    const there = (before.match(wordPattern) ?? []).filter((word) => words.get(word) === 'there');
    if (there.length > 8 && this.#random.below(5) === 0) {
      const word = this.#random.of(there);
      text.delete(before.indexOf(word), word.length + (before[before.indexOf(word) + word.length] === '\n' ? 1 : 0));
      words.set(word, this.#isApart ? 'unsure' : 'removed');
      return this.#say(`${word} is removed in ${name}`);
    }
    const word = this.#newWord(words, 'there');
    const start = this.#random.of([0, ...[...before.matchAll(/\n/g)].map(({ index }) => index + 1)]);
    text.insert(start, `${word}\n`);
    this.#say(`${word} is typed in ${name} by ${person.ydoc.clientID}`);
  }

  async #editDocument(): Promise<void> {
    const { path: name, words } = this.#random.of(this.#documents);
    const word = this.#newWord(words, 'unsure');
    const line = 1 + this.#random.below(4);
    const answer = await this.#call('files.edit', { path: name, edits: [{ startLine: line, endLine: line - 1, text: word }] });
    if (!(answer instanceof OutriggerError)) words.set(word, 'there');
    this.#say(`${word} is put into ${name} by a call: ${answer instanceof OutriggerError ? answer.reason : 'done'}`);
  }

  #newWord(words: Map<string, Word>, state: Word): string {
    const word = `W${++this.#number}w`;
    words.set(word, state);
    return word;
  }

  // ── callers ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** One thing that a caller does with its files, and what is there then. */
  async #act(number: number): Promise<void> {
    const contents = this.#callers[number] as Contents;
    const folder = `w${number}`;
    const there = [...contents].flatMap(([name, text]) => (text === undefined ? [] : [name]));
    const some = this.#random.of(there);
    const old = contents.get(some) as string;
    const other = `${folder}/${this.#random.below(3) === 0 ? 'sub/' : ''}file ${this.#random.below(6)}`;
    const text = this.#text(other, this.#size());
    const durability = this.#random.of(['default', 'none', 'file', 'full'] as const);
    const kind = this.#random.of([
      'write',
      'write',
      'over',
      'over',
      'upload',
      'linked',
      'linked',
      'create',
      'edit',
      'move',
      'copy',
      'remove',
      'batch',
      'batch',
      'folder',
    ] as const);
    const isThere = contents.get(other) !== undefined;
    switch (kind) {
      case 'write':
        return this.#expect(contents, [[other, text]], kind, () => this.#call('files.write', { path: other, text, durability }));
      case 'over':
        return this.#expect(contents, [[some, text]], kind, () => this.#call('files.write', { path: some, text, durability }));
      case 'linked': {
        const name = linkedName(number);
        const longer = this.#text(name, this.#random.below(150_000));
        return this.#expect(contents, [[name, longer]], kind, () => this.#call('files.write', { path: name, text: longer, durability }));
      }
      case 'upload':
        return this.#expect(contents, [[some, text]], kind, () => this.#upload(some, text));
      case 'create':
        if (isThere) return;
        return this.#expect(contents, [[other, text]], kind, () => this.#call('files.create', { path: other, text, durability }));
      case 'edit': {
        const line = `line ${this.#number++}\n`;
        return this.#expect(contents, [[some, line + old]], kind, () =>
          this.#call('files.edit', { path: some, edits: [{ startLine: 1, endLine: 0, text: line }] }),
        );
      }
      case 'move':
        // With its other name it is no file of its own.
        if (some === other || some === linkedName(number)) return;
        return this.#expect(
          contents,
          [
            [some, undefined],
            [other, old],
          ],
          kind,
          () => this.#call('files.move', { from: some, to: other, overwrite: true }),
        );
      case 'copy':
        if (some === other) return;
        return this.#expect(contents, [[other, old]], kind, () => this.#call('files.copy', { from: some, to: other, overwrite: true }));
      case 'remove':
        if (some === linkedName(number) || there.length < 4) return;
        return this.#expect(contents, [[some, undefined]], kind, () => this.#call('files.remove', { path: some }));
      case 'folder':
        return this.#copyFolder(folder, contents);
      case 'batch':
        return this.#batch(folder, contents, durability);
    }
  }

  async #batch(folder: string, contents: Contents, durability: 'default' | 'none' | 'file' | 'full'): Promise<void> {
    const after: Contents = new Map();
    const at = (name: string): string | undefined => (after.has(name) ? after.get(name) : contents.get(name));
    const changes: Asked<Operations['files.batch']>['changes'] = [];
    for (let n = 2 + this.#random.below(4); n > 0; n--) {
      const name = `${folder}/${this.#random.of(['sub/', 'new/', ''] as const)}file ${this.#random.below(6)}`;
      const other = `${folder}/file ${this.#random.below(6)}`;
      const old = at(name);
      const kind = this.#random.below(4);
      if (kind === 0 && old !== undefined && name !== other) {
        changes.push({ op: 'move', from: name, to: other, overwrite: true });
        after.set(name, undefined).set(other, old);
      } else if (kind === 1 && old !== undefined) {
        changes.push({ op: 'remove', path: name });
        after.set(name, undefined);
      } else {
        const text = this.#text(name, this.#size());
        changes.push({ op: 'write', path: name, text });
        after.set(name, text);
      }
    }
    return this.#expect(contents, [...after], 'batch', () => this.#call('files.batch', { changes, durability }));
  }

  /** A copy of a folder that is refused may be there in part, of whole files; it can be removed, whatever the disk has. */
  async #copyFolder(folder: string, contents: Contents): Promise<void> {
    const to = `${folder}/copy`;
    const wanted = new Map([...contents].filter(([name, text]) => name.startsWith(`${folder}/sub/`) && text !== undefined));
    const answer = await this.#call('files.copy', { from: `${folder}/sub`, to });
    const isCut = answer instanceof OutriggerError && isOfEnd(answer);
    if (isCut) await this.#untilUp();
    let found = 0;
    for (const [name, text] of wanted) {
      const copy = this.#disk(name.replace(`${folder}/sub`, to));
      if (copy !== undefined) found++;
      if (copy !== undefined && copy !== text) this.#fail(`${name} is half copied`);
    }
    if (!(answer instanceof OutriggerError) && found < wanted.size) this.#fail(`${to} was copied, and holds ${found} of ${wanted.size}`);
    this.#count(`folder ${answer instanceof OutriggerError ? answer.reason : 'done'}`);
    for (let tries = 0; fs.existsSync(path.join(this.#root, to)); tries++) {
      const removed = await this.#call('files.remove', { path: to, recursive: true });
      if (!(removed instanceof OutriggerError)) break;
      if (!isOfEnd(removed) || tries > 20) this.#fail(`${to} can't be removed: ${removed.reason} ${removed.message}`);
      await this.#untilUp();
    }
    if (fs.existsSync(path.join(this.#root, to))) this.#fail(`${to} was removed, and is there`);
  }

  /** What was answered is what is there: all of it, or nothing where it was refused. */
  async #expect(
    contents: Contents,
    changed: (readonly [string, string | undefined])[],
    kind: string,
    call: () => Promise<unknown>,
  ): Promise<void> {
    const before = changed.map(([name]) => [name, contents.get(name)] as const);
    const names = changed.map(([name]) => name);
    const fills = this.#fills;
    const wasFull = this.#full.size > 0;
    const wasRoom = this.#room();
    const answer = await call();
    const isRefused = answer instanceof OutriggerError;
    const said = `${kind} of ${names.join(', ')}`;
    this.#say(`${said}: ${isRefused ? `${answer.reason} ${answer.message.slice(0, 120)}` : 'done'}`);
    this.#count(`${kind} ${isRefused ? answer.reason : 'done'}`);
    const now = new Map(names.map((name) => [name, this.#disk(name)]));
    const isAs = (wanted: (readonly [string, string | undefined])[]): boolean => wanted.every(([name, text]) => now.get(name) === text);
    const shown = (): string => names.map((name) => `${name}: ${this.#known(now.get(name), before, changed)}`).join(', ');
    if (!isRefused) {
      if (!isAs(changed)) this.#fail(`${said} was acknowledged: ${shown()}`);
    } else if (isOfEnd(answer)) {
      await this.#untilUp();
      for (const name of names) now.set(name, this.#disk(name));
      if (!isAs(changed) && !isAs(before)) this.#fail(`${said} was cut: ${shown()}`);
      for (const [name, text] of now) contents.set(name, text);
      return;
    } else {
      if (!isAs(before)) this.#fail(`${said} was refused (${answer.reason}): ${shown()}`);
      const isExplained = wasFull || fills !== this.#fills || Math.min(wasRoom, this.#room()) < 3 * MB;
      if (!isExplained) this.#fail(`${said} was refused where there is room: ${answer.message}`);
      return;
    }
    for (const [name, text] of changed) contents.set(name, text);
  }

  #known(
    text: string | undefined,
    before: readonly (readonly [string, string | undefined])[],
    after: readonly (readonly [string, string | undefined])[],
  ): string {
    if (text === undefined) return 'nothing';
    if (before.some(([, one]) => one === text)) return 'what was there';
    if (after.some(([, one]) => one === text)) return 'what was asked for';
    return `${text.length} units of ${JSON.stringify(text.slice(0, 60))}`;
  }

  async #upload(name: string, text: string): Promise<unknown> {
    const bytes = Buffer.from(text);
    const isSlow = this.#random.below(3) === 0;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 32 * 1024) {
        if (isSlow) await sleep(2);
        yield bytes.subarray(at, at + 32 * 1024);
      }
    };
    try {
      const response = await fetch(`http://127.0.0.1:${this.#port}/api/files/${name.split('/').map(encodeURIComponent).join('/')}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${processToken}` },
        body: Readable.from(body()) as unknown as BodyInit,
        duplex: 'half',
        signal: AbortSignal.timeout(ANSWER_MS),
      } as RequestInit);
      if (response.ok) return await response.json();
      const said = await response.text();
      const reason = /"reason":"(\w+)"/.exec(said)?.[1] ?? 'INTERNAL';
      return this.#refused('files.upload', new OutriggerError(reason as ErrorReason, said));
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      return new OutriggerError('CONNECTION_LOST', String(error));
    }
  }

  async #commit(): Promise<void> {
    if (!this.#isUp) return;
    const before = this.#head();
    const answer = await this.#call('git.commit', { message: `number ${this.#number++}` });
    if (answer instanceof OutriggerError) {
      if (!isOfEnd(answer) && this.#head() !== before) this.#fail(`git.commit was refused (${answer.reason}), and HEAD is another`);
    } else if (answer.committed && this.#head() !== answer.hash) this.#fail(`HEAD is not the commit that was acknowledged`);
    this.#count(`git.commit ${answer instanceof OutriggerError ? answer.reason : 'done'}`);
  }

  async #call<K extends keyof Operations & string>(name: K, input: Asked<Operations[K]>): Promise<Answer<Operations[K]> | OutriggerError> {
    try {
      return await orLate(this.#api.call(name, input), ANSWER_MS, name);
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      return this.#refused(name, error);
    }
  }

  /** A refusal is for want of room, and says so. */
  #refused(name: keyof Operations & string, error: OutriggerError): OutriggerError {
    if (isOfEnd(error)) return error;
    const declared: readonly string[] = operations[name].errors;
    if (!declared.includes(error.reason)) this.#fail(`${name} answered ${error.reason}, which it does not declare: ${error.message}`);
    const isLocked = name === 'git.commit' && error.reason === 'GIT_LOCKED';
    // It maps what it reads into its memory, and a file that is written in place may become shorter meanwhile.
    const isCutShort = name === 'git.commit' && error.message.includes('git ended with a signal');
    if (error.reason !== 'DISK_FULL' && !isLocked && !isCutShort)
      this.#fail(`${name} answered ${error.reason}: ${error.message} ${JSON.stringify(error.details)}`);
    return error;
  }

  async #untilUp(): Promise<void> {
    await eventually(() => this.#isUp || this.#failure !== undefined, REST_MS);
  }

  // ── those beside them ────────────────────────────────────────────────────────────────────────────────────────────────

  /** A program of the machine: it may leave half a file on a full disk, and brings back what was there before. */
  #writeOutside(): void {
    const name = `o/${this.#random.below(5)}`;
    const at = path.join(this.#root, name);
    const earlier = this.#written.get(name) ?? [];
    this.#written.set(name, earlier);
    if (this.#random.below(5) === 0) return fs.rmSync(at, { force: true });
    const text = earlier.length > 0 && this.#random.below(2) === 0 ? this.#random.of(earlier) : `outside ${this.#number++}\n`;
    if (!earlier.includes(text)) earlier.push(text);
    try {
      fs.mkdirSync(path.dirname(at), { recursive: true });
      fs.writeFileSync(at, text);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }

  async #probe(): Promise<void> {
    const contents = this.#random.of(this.#callers);
    if (!this.#isUp) return;
    const health = await this.#call('system.health', {});
    if (health instanceof OutriggerError) return;
    if (!health.ready && this.#isUp) this.#fail('it is not ready');
    // Of one that nobody writes meanwhile.
    const { path: name } = this.#documents[0] as Document;
    const read = await this.#call('files.read', { path: name });
    if (!(read instanceof OutriggerError) && !read.text.includes('line 0')) this.#fail(`files.read of ${name} gives ${read.text}`);
    assert.ok(contents.size > 0);
  }

  async #follow(): Promise<void> {
    const answer = await this.#call('changes.since', { cursor: this.#cursor, limit: 200 });
    if (answer instanceof OutriggerError) return;
    if (this.#cursor === undefined || answer.resync !== undefined) {
      this.#count('resync');
      this.#followed = this.#files();
    } else for (const change of answer.changes) this.#take(change);
    this.#cursor = answer.cursor;
    if (answer.more) await this.#follow();
  }

  #take({ path: name, kind, what, from, after }: Change): void {
    this.#say(`told: ${what} ${kind} ${from === undefined ? '' : `${from} → `}${name} ${after?.slice(0, 8) ?? ''}`);
    const followed = this.#followed;
    if (what === 'removed') {
      for (const one of followed.keys()) if (one === name || one.startsWith(`${name}/`)) followed.delete(one);
      return;
    }
    if (from !== undefined)
      for (const [one, hash] of [...followed])
        if (one === from || one.startsWith(`${from}/`)) {
          followed.delete(one);
          followed.set(name + one.slice(from.length), hash);
        }
    if (kind === 'file' && after !== null) followed.set(name, after);
  }

  // ── at rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async rest(): Promise<void> {
    await this.#documentsAtRest();
    for (const { path: name, words } of this.#documents) {
      const text = this.#disk(name) ?? '';
      const counts = new Map<string, number>();
      for (const word of text.match(wordPattern) ?? []) counts.set(word, (counts.get(word) ?? 0) + 1);
      for (const [word, count] of counts) if (count > 1) this.#fail(`${word} stands in ${name} ${count} times:\n${text}`);
      for (const [word, state] of words) {
        if (state === 'there' && !counts.has(word)) this.#fail(`${word} is lost from ${name}:\n${text}`);
        if (state === 'removed' && counts.has(word)) this.#fail(`${word} came back in ${name}:\n${text}`);
        words.set(word, counts.has(word) ? 'there' : 'removed');
      }
      for (let line = 0; line < 6; line++)
        if (text.split(`line ${line} of`).length > 2) this.#fail(`line ${line} stands in ${name} more than once:\n${text}`);
    }
    for (const contents of this.#callers)
      for (const [name, text] of contents) {
        if (this.#disk(name) !== text) this.#fail(`${name} is another at rest: ${this.#known(this.#disk(name), [], [[name, text]])}`);
        if (text === undefined) continue;
        const read = await this.#api.call('files.read', { path: name });
        if (read.text !== text) this.#fail(`files.read of ${name} gives another text`);
      }
    // The first that is stored again says that all is well.
    await this.#api.call('files.write', { path: 'probe', text: `${this.#number++}` });
    await eventually(async () => {
      const { status, checks } = await this.#api.call('system.health', {});
      assert.equal(status, 'ok', JSON.stringify(checks));
    }, REST_MS).catch((error: unknown) => this.#fail(`not well: ${String(error)}`));
    await this.#checkFollower();
    this.#checkLeft();
    this.#stateWasFull = false;
    this.#isApart = false;
    if (this.#options.isRepository) {
      fs.rmSync(path.join(this.#root, '.git/index.lock'), { force: true });
      const said = this.#git('fsck', '--no-dangling', '--no-progress');
      if (said !== '') this.#fail(`git fsck: ${said}`);
    }
    const resident = residentOf(this.#sidecar?.child.pid as number);
    if (resident > MOST_RESIDENT) this.#fail(`it takes ${Math.round(resident / MB)} MB`);
    this.#count('rests');
    this.#say('at rest');
  }

  async #documentsAtRest(): Promise<void> {
    let last = '';
    const isAtRest = async (): Promise<void> => {
      const { documents } = await this.#api.call('documents.list', {});
      last = JSON.stringify(documents);
      for (const { path: name, people } of this.#documents) {
        const texts = people.map(({ text }) => text.toString());
        const disk = this.#disk(name);
        last += `\n${name}: ${JSON.stringify([...texts, disk])}`;
        for (const { provider } of people) assert.ok(provider.wsconnected && provider.synced, `${name}: not synced`);
        for (const text of texts) assert.equal(text, texts[0], name);
        assert.equal(disk?.replaceAll('\r\n', '\n'), texts[0], name);
        const info = documents.find((one) => one.path === name);
        assert.equal(info?.state, 'saved', name);
        assert.equal(info.problem, undefined, name);
      }
    };
    const begun = performance.now();
    await eventually(isAtRest, REST_MS).catch((error: unknown) => this.#fail(`no rest: ${String(error)}\n${last}`));
    this.#say(`documents at rest after ${Math.round(performance.now() - begun)} ms`);
  }

  async #checkFollower(): Promise<void> {
    await eventually(async () => {
      await this.#follow();
      const wrong = difference(this.#files(), this.#followed);
      assert.equal(wrong, '');
    }, 10_000).catch((error: unknown) => this.#fail(`the follower believes: ${String(error)}`));
  }

  /** Nothing of ours stays behind. */
  #checkLeft(): void {
    const left = this.#everyFile().filter((name) => TEMPORARY.test(name) && !this.#excused.has(name));
    if (left.length > 0) this.#fail(`left: ${left.join(', ')}`);
    const state = path.join(this.#options.state.at, 'state');
    const inPlace = path.join(state, 'in-place');
    const strange = [
      ...fs.readdirSync(state).filter((name) => name.startsWith('.probe-') || name.endsWith('.new') || name.includes('corrupt')),
      ...(fs.existsSync(inPlace) ? fs.readdirSync(inPlace) : []),
    ];
    if (strange.length > 0) this.#fail(`left in the state: ${strange.join(', ')}`);
  }

  #compareFiles(wanted: Map<string, string>, found: Map<string, string>, what: string): void {
    const wrong = difference(wanted, found);
    if (wrong !== '') this.#fail(`${what}: ${wrong}`);
  }

  // ── small things ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Of each file that others see, the hash. */
  #files(): Map<string, string> {
    const files = new Map<string, string>();
    for (const name of this.#everyFile())
      if (!TEMPORARY.test(name)) {
        try {
          files.set(
            name,
            createHash('sha256')
              .update(fs.readFileSync(path.join(this.#root, name)))
              .digest('hex'),
          );
        } catch {
          // Gone since it was listed.
        }
      }
    return files;
  }

  #everyFile(folder = ''): string[] {
    return fs.readdirSync(path.join(this.#root, folder), { withFileTypes: true }).flatMap((entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === '.git' ? [] : this.#everyFile(name);
      return [name];
    });
  }

  #put(name: string, text: string): void {
    const at = path.join(this.#root, name);
    fs.mkdirSync(path.dirname(at), { recursive: true });
    fs.writeFileSync(at, text);
  }

  #disk(name: string): string | undefined {
    try {
      return fs.readFileSync(path.join(this.#root, name), 'utf8');
    } catch {
      return undefined;
    }
  }

  #text(name: string, size: number): string {
    const line = `content ${this.#number++} of ${name}\n`;
    return line.repeat(Math.max(1, Math.ceil(size / line.length)));
  }

  #size(): number {
    const chance = this.#random.below(12);
    return chance === 0 ? this.#random.below(700_000) : chance < 5 ? this.#random.below(60_000) : this.#random.below(3000);
  }

  /** Bytes that are free on the fuller one. */
  #room(): number {
    return Math.min(...this.#disks.map(({ at }) => freeBytes(at)));
  }

  #nameOf(disk: Disk): string {
    return this.#disks.length === 1 ? 'both' : disk === this.#options.state ? 'state' : 'workspace';
  }

  #head(): string {
    return this.#git('rev-parse', 'HEAD').trim();
  }

  #git(...args: string[]): string {
    return execFileSync('git', args, {
      cwd: this.#root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' },
    });
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #say(what: string): void {
    this.#trace.push(`${Math.round(performance.now())} ${what}`);
  }

  #about(problem: string): string {
    const file = process.env['FULL_DISK_TRACE'];
    if (file !== undefined) fs.writeFileSync(file, `${this.#trace.join('\n')}\n${this.#sidecar?.log()}`);
    const log = (this.#sidecar?.log() ?? '')
      .split('\n')
      .filter((line) => !line.includes('"event":"operation"') || line.includes('INTERNAL'));
    return `SEED=${this.#seed}: ${problem}\n${this.#trace.slice(-80).join('\n')}\n${log.slice(-15).join('\n')}`;
  }

  #fail(problem: string): never {
    assert.fail(this.#about(problem));
  }
}

/** It was going, or gone. */
function isOfEnd({ reason }: OutriggerError): boolean {
  return reason === 'CONNECTION_LOST' || reason === 'STOPPING' || reason === 'CANCELED';
}

function difference(wanted: Map<string, string>, found: Map<string, string>): string {
  const wrong = [...new Set([...wanted.keys(), ...found.keys()])].filter((name) => wanted.get(name) !== found.get(name));
  return wrong.map((name) => `${name} is ${found.get(name)?.slice(0, 8)} instead of ${wanted.get(name)?.slice(0, 8)}`).join(', ');
}

/** In place it is written, as it has another name. */
function linkedName(number: number): string {
  return `l${number}/linked`;
}

function remount({ at, sizeKb }: Disk, inodes: number): void {
  execFileSync('mount', ['-o', `remount,size=${sizeKb}k,nr_inodes=${inodes}`, at], { stdio: 'ignore' });
}

/** But for so many; others may make files meanwhile. */
function useUpInodes(disk: Disk, spared: number): void {
  for (let tries = 0; ; tries++) {
    const { files, ffree } = fs.statfsSync(disk.at);
    try {
      return remount(disk, files - ffree + spared + tries);
    } catch (error) {
      if (tries > 20) throw error;
    }
  }
}

function freeBytes(at: string): number {
  const { bavail, bsize } = fs.statfsSync(at);
  return bavail * bsize;
}

/** Takes what is left of a disk but for so many bytes; somebody else may take of it meanwhile. */
function fillUp(filler: string, disk: Disk, spared: number): void {
  try {
    const descriptor = fs.openSync(filler, 'w');
    try {
      for (let left = freeBytes(disk.at) - spared; left > 0; ) left -= fs.writeSync(descriptor, Buffer.alloc(Math.min(left, 64 * 1024)));
      while (spared === 0) fs.writeSync(descriptor, Buffer.alloc(1));
    } finally {
      fs.closeSync(descriptor);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
  }
}

/** What a process took of processors so far. */
function cpuMs(pid: number): number {
  const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function residentOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024;
}

async function orLate<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  const controller = new AbortController();
  const late = sleep(ms, undefined, { signal: controller.signal }).then(() => assert.fail(`${what} takes more than ${ms} ms`));
  try {
    return await Promise.race([work, late]);
  } finally {
    controller.abort();
    late.catch(() => {});
  }
}
