import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { WebSocket } from 'ws';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';
import type { Faults } from '../../src/sidecar/sidecar.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';

/*
 * Stock y-websocket clients, programs that write the files, calls, renames, restarts, kills and lost states, in random
 * order. Every insertion is a word of its own; at rest each word that nobody removed stands there exactly once, every client
 * has the same text, and the file holds it, with its own line ends and byte order mark.
 */

export interface FuzzPlan {
  seed: number;
  steps: number;
  faults?: Faults;
  /** At rest, after every so many steps. */
  restEvery?: number;
  /** Shares of the rarer steps, of all steps. */
  rates: { kill: number; restart: number; lose: number; rename: number };
}

export interface FuzzCounts {
  steps: number;
  kills: number;
  restarts: number;
  lost: number;
  renames: number;
  rests: number;
  words: number;
}

interface Client {
  ydoc: Y.Doc;
  text: Y.Text;
  provider: WebsocketProvider;
}

interface FileModel {
  path: string;
  eol: '\n' | '\r\n';
  bom: boolean;
  clients: Client[];
  /** Words that must stand in it once. */
  present: Set<number>;
  /** Words that must not. */
  absent: Set<number>;
  /** Words that may stand in it once or not at all. */
  unsure: Set<number>;
  /** Words removed since the last rest: should the state be lost now, they may come back. */
  removedLately: Set<number>;
}

const SAVE_IDLE_MS = 400;
const DEADLINE_MS = 30_000;
const wordPattern = /W(\d+)w/g;

export async function runDocumentsFuzz(plan: FuzzPlan): Promise<FuzzCounts> {
  const fuzz = new DocumentsFuzz(plan);
  try {
    await fuzz.start();
    await fuzz.run();
    return fuzz.counts;
  } finally {
    await fuzz.end();
  }
}

class DocumentsFuzz {
  readonly counts: FuzzCounts = { steps: 0, kills: 0, restarts: 0, lost: 0, renames: 0, rests: 0, words: 0 };
  readonly #plan: FuzzPlan;
  readonly #random: () => number;
  readonly #base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-fuzz-'));
  readonly #root = path.join(this.#base, 'root');
  readonly #state = path.join(this.#base, 'state');
  readonly #files: FileModel[] = [];
  readonly #trace: string[] = [];
  #sidecar: SidecarProcess | undefined;
  #port = 0;
  #nextWord = 1;
  /** When an edit was made since all was saved; a program that writes the file must not race with the save. */
  #dirtySince = 0;
  #cursor: string | undefined;
  #lostSinceRest = false;

  constructor(plan: FuzzPlan) {
    this.#plan = plan;
    this.#random = mulberry32(plan.seed);
  }

  async start(): Promise<void> {
    fs.mkdirSync(this.#root);
    const kinds = [
      { path: 'plain.txt', eol: '\n', bom: false },
      { path: 'windows.txt', eol: '\r\n', bom: false },
      { path: 'marked.txt', eol: '\r\n', bom: true },
    ] as const;
    for (const kind of kinds) {
      const text = Array.from({ length: 12 }, (_, line) => `line ${line} of ${kind.path}`).join(kind.eol) + kind.eol;
      fs.writeFileSync(path.join(this.#root, kind.path), (kind.bom ? '\uFEFF' : '') + text);
      this.#files.push({ ...kind, clients: [], present: new Set(), absent: new Set(), unsure: new Set(), removedLately: new Set() });
    }
    await this.#spawn();
    for (const file of this.#files) for (let i = 0; i < 2; i++) this.#addClient(file);
    await this.#rest();
  }

  async run(): Promise<void> {
    const restEvery = this.#plan.restEvery ?? 12;
    for (let step = 0; step < this.#plan.steps; step++) {
      this.counts.steps++;
      await this.#step();
      if (step % restEvery === restEvery - 1) await this.#rest();
    }
    await this.#rest();
  }

  async end(): Promise<void> {
    for (const file of this.#files) for (const client of file.clients) destroy(client);
    if (this.#sidecar !== undefined && this.#sidecar.child.exitCode === null) await this.#sidecar.kill();
    fs.rmSync(this.#base, { recursive: true, force: true });
  }

  async #step(): Promise<void> {
    const { rates } = this.#plan;
    const dice = this.#random();
    let edge = 0;
    const below = (share: number): boolean => {
      edge += share;
      return dice < edge;
    };
    const file = this.#pick(this.#files);
    if (below(rates.kill)) return this.#kill(false);
    if (below(rates.lose)) return this.#kill(true);
    if (below(rates.restart)) return this.#restart();
    if (below(rates.rename)) return this.#rename(file);
    if (below(0.05)) return this.#call(file);
    if (below(0.12)) return this.#writeDisk(file);
    if (below(0.04)) return this.#reconnect(file);
    if (below(0.02)) return this.#replaceClient(file);
    if (below(0.12)) return this.#removeWord(file);
    this.#insertWord(file);
    if (this.#random() < 0.3) await sleep(this.#random() * 30);
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #insertWord(file: FileModel): void {
    const client = this.#pick(file.clients);
    const word = this.#newWord(file);
    const text = client.text.toString();
    const at = boundary(text, Math.floor(this.#random() * (text.length + 1)));
    client.text.insert(at, this.#random() < 0.3 ? `\nW${word}w\n` : ` W${word}w `);
    this.#edited();
    this.#say(`insert W${word} in ${file.path} at ${at}`);
  }

  #removeWord(file: FileModel): void {
    const client = this.#pick(file.clients);
    const found = [...client.text.toString().matchAll(wordPattern)];
    if (found.length === 0) return;
    const match = this.#pick(found);
    client.text.delete(match.index, match[0].length);
    this.#removed(file, Number(match[1]));
    this.#edited();
    this.#say(`remove ${match[0]} from ${file.path}`);
  }

  /** Cuts a client's socket as a bad network would; it comes back by itself. */
  #reconnect(file: FileModel): void {
    const client = this.#pick(file.clients);
    (client.provider.ws as unknown as WebSocket | null)?.terminate();
    this.#say(`cut a client of ${file.path}`);
  }

  /** A person goes and another comes, with nothing of their own. */
  #replaceClient(file: FileModel): void {
    const [gone] = file.clients.splice(Math.floor(this.#random() * file.clients.length), 1);
    // What it has not sent is lost with it.
    for (const word of gone === undefined ? [] : wordsOf(gone.text.toString())) {
      if (!file.clients.some((client) => wordsOf(client.text.toString()).includes(word)) && file.present.delete(word))
        file.unsure.add(word);
    }
    if (gone !== undefined) {
      for (const word of file.removedLately) if (file.absent.delete(word)) file.unsure.add(word);
      destroy(gone);
    }
    this.#addClient(file);
    this.#say(`replace a client of ${file.path}`);
  }

  #addClient(file: FileModel): void {
    const ydoc = new Y.Doc();
    const provider = new WebsocketProvider(`ws://127.0.0.1:${this.#port}/ws/doc`, file.path, ydoc, {
      WebSocketPolyfill: WebSocket as never,
      params: { token: processToken },
      disableBc: true,
      maxBackoffTime: 200,
    });
    file.clients.push({ ydoc, text: ydoc.getText('content'), provider });
  }

  // ── programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #writeDisk(file: FileModel): Promise<void> {
    // A program that reads, waits, and writes over what was saved between has undone it: that is its own doing, not ours.
    if (this.#dirtySince !== 0 && performance.now() - this.#dirtySince > SAVE_IDLE_MS / 4) await this.#saved();
    const full = path.join(this.#root, file.path);
    if (!fs.existsSync(full)) return;
    const before = this.#readDisk(file);
    const word = this.#newWord(file);
    const at = boundary(before, Math.floor(this.#random() * (before.length + 1)));
    const removable = [...before.matchAll(wordPattern)];
    let text = `${before.slice(0, at)} W${word}w ${before.slice(at)}`;
    if (removable.length > 0 && this.#random() < 0.2) {
      const match = this.#pick(removable);
      text = text.replace(match[0], '');
      this.#removed(file, Number(match[1]));
    }
    const raw = (file.bom ? '\uFEFF' : '') + text.replaceAll('\n', file.eol);
    const way = this.#random();
    if (way < 0.5) {
      fs.writeFileSync(`${full}.new`, raw);
      fs.renameSync(`${full}.new`, full);
    } else if (way < 0.9) fs.writeFileSync(full, raw);
    else await this.#writeSlowly(full, raw);
    this.#say(`disk W${word} in ${file.path}`);
    // The next save must not come before the sidecar has seen it: that program would be the one that lost.
    if (this.#dirtySince !== 0) await sleep(5);
  }

  /** Empties the file, and has to wait before it can write, as programs on a busy machine do. */
  async #writeSlowly(full: string, raw: string): Promise<void> {
    const descriptor = fs.openSync(full, 'w');
    await sleep(SAVE_IDLE_MS / 4);
    fs.writeSync(descriptor, raw);
    fs.closeSync(descriptor);
  }

  async #call(file: FileModel): Promise<void> {
    const line = Math.floor(this.#random() * 5) + 1;
    const word = this.#newWord(file);
    file.present.delete(word);
    file.unsure.add(word);
    const answer = await this.#post('files.edit', {
      path: file.path,
      edits: [{ startLine: line, endLine: line - 1, text: `W${word}w` }],
    }).catch(() => undefined);
    if (answer?.ok === true) {
      file.unsure.delete(word);
      file.present.add(word);
    }
    this.#say(`call W${word} in ${file.path}: ${answer?.status ?? 'no answer'}`);
  }

  async #rename(file: FileModel): Promise<void> {
    this.counts.renames++;
    const to = `${this.#random() < 0.5 ? `folder${Math.floor(this.#random() * 3)}/` : ''}name${this.#nextWord}-${this.counts.renames}.txt`;
    const from = file.path;
    const folder = path.dirname(from);
    if (folder !== '.' && this.#random() < 0.5) return this.#renameFolder(folder);
    if (this.#random() < 0.6) {
      const answer = await this.#post('files.move', { from, to });
      assert.equal(answer.status, 200, `${from} → ${to}: ${await answer.text()}`);
    } else {
      await this.#saved();
      fs.mkdirSync(path.dirname(path.join(this.#root, to)), { recursive: true });
      fs.renameSync(path.join(this.#root, from), path.join(this.#root, to));
      await this.#until(async () => {
        const { documents } = await this.#get<{ documents: { path: string }[] }>('documents.list');
        return documents.some((document) => document.path === to);
      }, `the document of ${from} to be at ${to}`);
    }
    file.path = to;
    // Those who come back after a restart ask for the name they know; a page would follow the rename.
    for (const client of file.clients) client.provider.roomname = to;
    this.#say(`rename ${from} → ${to}`);
  }

  async #renameFolder(from: string): Promise<void> {
    const to = `moved${this.counts.renames}`;
    const inside = this.#files.filter((file) => path.dirname(file.path) === from);
    if (this.#random() < 0.5) {
      const answer = await this.#post('files.move', { from, to });
      assert.equal(answer.status, 200, `${from} → ${to}: ${await answer.text()}`);
    } else {
      await this.#saved();
      fs.renameSync(path.join(this.#root, from), path.join(this.#root, to));
      await this.#until(async () => {
        const { documents } = await this.#get<{ documents: { path: string }[] }>('documents.list');
        return inside.every((file) => documents.some((document) => document.path === to + file.path.slice(from.length)));
      }, `the documents of ${from} to be at ${to}`);
    }
    for (const file of inside) {
      file.path = to + file.path.slice(from.length);
      for (const client of file.clients) client.provider.roomname = file.path;
    }
    this.#say(`rename folder ${from} → ${to}`);
  }

  // ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #kill(lose: boolean): Promise<void> {
    await this.#sidecar?.kill();
    this.counts.kills++;
    if (lose) {
      this.counts.lost++;
      this.#lostSinceRest = true;
      fs.rmSync(this.#state, { recursive: true, force: true });
      this.#cursor = undefined;
    }
    this.#say(lose ? 'kill and lose the state' : 'kill');
    await this.#whileDown(lose);
  }

  async #restart(): Promise<void> {
    const code = await this.#sidecar?.stop();
    assert.equal(code, 0, `SIGTERM must end in 0:\n${this.#sidecar?.log()}`);
    this.counts.restarts++;
    this.#say('restart');
    await this.#whileDown(false);
  }

  async #whileDown(lost: boolean): Promise<void> {
    this.#dirtySince = 0;
    if (this.#random() < 0.5) await this.#writeDisk(this.#pick(this.#files));
    if (this.#random() < 0.5) this.#insertWord(this.#pick(this.#files));
    // Who removed a word without being heard, and who never had it, can't be told apart any more.
    if (lost) for (const file of this.#files) for (const word of file.removedLately) if (file.absent.delete(word)) file.unsure.add(word);
    this.#dirtySince = 0;
    await this.#spawn();
    this.#edited();
  }

  async #spawn(): Promise<void> {
    this.#sidecar = await spawnSidecar({
      root: this.#root,
      state: this.#state,
      port: this.#port,
      flags: { 'documents.saveIdleMs': String(SAVE_IDLE_MS), 'limits.requestsPerMinute': '1000000', 'log.level': 'info' },
      ...(this.#plan.faults === undefined ? {} : { faults: this.#plan.faults }),
    });
    this.#port = Number(new URL(this.#sidecar.url).port);
  }

  // ── at rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #rest(): Promise<void> {
    this.counts.rests++;
    for (const file of this.#files)
      await this.#until(
        () => this.#atRest(file),
        `${file.path} to come to rest`,
        () => this.#dump(file),
      );
    for (const file of this.#files) {
      const text = this.#readDisk(file);
      const counts = new Map<number, number>();
      for (const word of wordsOf(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
      for (const [word, count] of counts) assert.equal(count, 1, this.#failure(file, `W${word} stands there ${count} times`));
      for (const word of file.present) assert.ok(counts.has(word), this.#failure(file, `W${word} is lost`));
      for (const word of file.absent) assert.ok(!counts.has(word), this.#failure(file, `W${word} came back`));
      for (const word of file.unsure) (counts.has(word) ? file.present : file.absent).add(word);
      for (let line = 0; line < 12; line++) {
        const count = text.split(new RegExp(`line ${line} of`)).length - 1;
        assert.ok(count <= 1, this.#failure(file, `line ${line} stands there ${count} times`));
      }
      file.unsure.clear();
      file.removedLately.clear();
      const raw = fs.readFileSync(path.join(this.#root, file.path), 'utf8');
      assert.equal(raw.startsWith('\uFEFF'), file.bom, this.#failure(file, 'the byte order mark changed'));
      if (file.eol === '\r\n') assert.ok(!/[^\r]\n/.test(raw), this.#failure(file, 'a line end changed'));
    }
    for (const file of this.#files) this.#separate(file);
    await this.#checkFeed();
    this.#lostSinceRest = false;
    this.#dirtySince = 0;
  }

  async #atRest(file: FileModel): Promise<boolean> {
    if (!file.clients.every((client) => client.provider.wsconnected && client.provider.synced)) return false;
    const texts = file.clients.map((client) => client.text.toString());
    if (texts.some((text) => text !== texts[0])) return false;
    if (!fs.existsSync(path.join(this.#root, file.path)) || this.#readDisk(file) !== texts[0]) return false;
    const { documents } = await this.#get<{ documents: { path: string; state: string }[] }>('documents.list');
    if (documents.find((document) => document.path === file.path)?.state !== 'saved') return false;
    const { text } = await this.#get<{ text: string }>('files.read', { path: file.path });
    return text.replaceAll('\r\n', '\n') === texts[0];
  }

  /** Two words that grew together (one side took the space between them) are one to whoever compares words; a person puts a space there. */
  #separate(file: FileModel): void {
    const [client] = file.clients;
    for (let found = client?.text.toString().match(/W\d+w(?=W)/); client !== undefined && found; ) {
      client.text.insert((found.index ?? 0) + found[0].length, ' ');
      found = client.text.toString().match(/W\d+w(?=W)/);
    }
  }

  /** The feed tells of every content once. */
  async #checkFeed(): Promise<void> {
    const last = new Map<string, string | null>();
    for (let more = true; more; ) {
      const answer: {
        changes: { path: string; what: string; after: string | null; revision: number }[];
        cursor: string;
        more: boolean;
        resync?: string;
      } = await this.#get(
        'changes.since',
        this.#cursor === undefined ? { cursor: undefined, limit: 10_000 } : { cursor: this.#cursor, limit: 10_000 },
      );
      assert.equal(answer.resync, undefined, `seed ${this.#plan.seed}: a cursor of ours was forgotten`);
      for (const change of answer.changes) {
        if (change.what === 'changed' && change.after !== null) {
          assert.notEqual(
            last.get(change.path),
            change.after,
            `seed ${this.#plan.seed}: r${change.revision} tells again of what ${change.path} held already`,
          );
        }
        last.set(change.path, change.after);
      }
      this.#cursor = answer.cursor;
      more = answer.more;
    }
  }

  /** Everything that was typed is in the files. */
  async #saved(): Promise<void> {
    await this.#until(async () => {
      for (const file of this.#files) if (!(await this.#atRest(file))) return false;
      return true;
    }, 'all to be saved');
    this.#dirtySince = 0;
  }

  // ── small things ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #edited(): void {
    if (this.#dirtySince === 0) this.#dirtySince = performance.now();
  }

  #newWord(file: FileModel): number {
    this.counts.words++;
    file.present.add(this.#nextWord);
    return this.#nextWord++;
  }

  #removed(file: FileModel, word: number): void {
    file.present.delete(word);
    file.unsure.delete(word);
    // Until a client was healed, nobody knows on which text its removals were made.
    (this.#lostSinceRest ? file.unsure : file.absent).add(word);
    file.removedLately.add(word);
  }

  #readDisk(file: FileModel): string {
    return fs
      .readFileSync(path.join(this.#root, file.path), 'utf8')
      .replace(/^\uFEFF/, '')
      .replaceAll('\r\n', '\n');
  }

  #post(operation: string, input: object): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#port}/api/${operation}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${processToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  }

  async #get<T>(operation: string, input: object = {}): Promise<T> {
    const answer = await this.#post(operation, input);
    if (!answer.ok) throw new Error(`${operation}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  async #until(check: () => Promise<boolean>, what: string, dump: () => string = () => ''): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    let problem: unknown;
    while (performance.now() < deadline) {
      try {
        if (await check()) return;
        problem = undefined;
      } catch (error) {
        problem = error;
      }
      await sleep(10);
    }
    assert.fail(
      `seed ${this.#plan.seed}: waited ${DEADLINE_MS} ms for ${what}. ${problem === undefined ? '' : String(problem)}\n${dump()}\n${this.#trace.slice(-40).join('\n')}`,
    );
  }

  #dump(file: FileModel): string {
    const full = path.join(this.#root, file.path);
    return [
      `disk: ${fs.existsSync(full) ? JSON.stringify(this.#readDisk(file)) : '(missing)'}`,
      ...file.clients.map(
        (client) =>
          `client ${client.ydoc.clientID} connected ${client.provider.wsconnected} synced ${client.provider.synced}: ${JSON.stringify(client.text.toString())}`,
      ),
      (this.#sidecar?.log() ?? '')
        .split('\n')
        .filter((line) => !line.includes('"operation"'))
        .slice(-15)
        .join('\n'),
    ].join('\n');
  }

  #failure(file: FileModel, problem: string): string {
    return `seed ${this.#plan.seed}, step ${this.counts.steps}, ${file.path}: ${problem}\n${this.#dump(file)}\n${this.#trace.slice(-60).join('\n')}`;
  }

  #say(line: string): void {
    this.#trace.push(`${this.counts.steps}: ${line}`);
    if (this.#trace.length > 200) this.#trace.shift();
  }

  #pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.#random() * list.length)] as T;
  }
}

function destroy(client: Client): void {
  client.provider.destroy();
  client.ydoc.destroy();
}

function wordsOf(text: string): number[] {
  return [...text.matchAll(wordPattern)].map((match) => Number(match[1]));
}

/** The next place that is not inside a word. */
function boundary(text: string, at: number): number {
  let place = at;
  while (place < text.length && place > 0 && /\w/.test(text[place] as string) && /\w/.test(text[place - 1] as string)) place++;
  return place;
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A small generator whose whole run follows from the seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
