// What the random test of documents happens in: a folder, a sidecar in a process of its own, and the files that people have open.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hashText, savedMark } from '../../src/services/documents/lineage.ts';
import type { Faults } from '../../src/sidecar/sidecar.ts';
import { type Client, destroy, type FuzzFile } from './documents-fuzz-file.ts';
import { Links } from './documents-fuzz-link.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';

export const SAVE_IDLE_MS = 400;
const DEADLINE_MS = 30_000;
/** All have as many letters: one that is another with a letter less is, to whoever compares, that one edited. */
const FIRST_WORD = 10_000;

export class FuzzWorld {
  readonly seed: number;
  readonly random: () => number;
  readonly files: FuzzFile[] = [];
  readonly #links = new Links();
  readonly #base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-fuzz-'));
  readonly root = path.join(this.#base, 'root');
  readonly #state = path.join(this.#base, 'state');
  readonly #faults: Faults | undefined;
  readonly #trace: string[] = [];
  #sidecar: SidecarProcess | undefined;
  #nextWord = FIRST_WORD;
  port = 0;
  steps = 0;
  /** When an edit was made since all was saved; a program that writes the file must not race with the save. */
  dirtySince = 0;
  /** The state was lost since the last rest. */
  isLost = false;

  constructor(seed: number, faults: Faults | undefined) {
    this.seed = seed;
    this.random = mulberry32(seed);
    this.#faults = faults;
    fs.mkdirSync(this.root);
  }

  get words(): number {
    return this.#nextWord - FIRST_WORD;
  }

  at(wirePath: string): string {
    return path.join(this.root, wirePath);
  }

  async end(): Promise<void> {
    for (const file of this.files) for (const client of file.clients) destroy(client);
    this.#links.end();
    if (this.#sidecar !== undefined && this.#sidecar.child.exitCode === null) await this.#sidecar.kill();
    fs.rmSync(this.#base, { recursive: true, force: true });
  }

  // ── the sidecar ──────────────────────────────────────────────────────────────────────────────────────────────────────

  async spawn(): Promise<void> {
    this.#sidecar = await spawnSidecar({
      root: this.root,
      state: this.#state,
      port: this.port,
      flags: {
        'documents.saveIdleMs': String(SAVE_IDLE_MS),
        'documents.unloadMs': '500',
        'limits.requestsPerMinute': '1000000',
        'log.level': 'info',
      },
      ...(this.#faults === undefined ? {} : { faults: this.#faults }),
    });
    this.port = Number(new URL(this.#sidecar.url).port);
    for (const file of this.files) file.putAway();
  }

  async kill({ lose }: { lose: boolean }): Promise<void> {
    await this.#sidecar?.kill();
    // What it had sent is read.
    await nextTurn();
    for (const file of this.files) file.cutShort();
    if (!lose) return;
    this.isLost = true;
    for (const file of this.files) file.stateLost();
    fs.rmSync(this.#state, { recursive: true, force: true });
  }

  async stop(): Promise<void> {
    const code = await this.#sidecar?.stop();
    assert.equal(code, 0, `SIGTERM must end in 0:\n${this.#sidecar?.log()}`);
  }

  post(operation: string, input: object): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.port}/api/${operation}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${processToken}`, 'content-type': 'application/json' },
      body: JSON.stringify(input),
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
  }

  async get<T>(operation: string, input: object = {}): Promise<T> {
    const answer = await this.post(operation, input);
    if (!answer.ok) throw new Error(`${operation}: ${await answer.text()}`);
    return (await answer.json()) as T;
  }

  /** A call that has to work. */
  async ask(operation: string, input: object): Promise<void> {
    const answer = await this.post(operation, input);
    const text = await answer.text();
    assert.equal(answer.status, 200, this.failure(`${operation} ${JSON.stringify(input)}: ${text}`));
  }

  // ── at rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Everything that was typed is in the files; who was away is back. */
  async saved(): Promise<void> {
    await this.rest();
    this.dirtySince = 0;
  }

  async rest(): Promise<void> {
    for (const file of this.files)
      await this.until(
        () => this.#isAtRest(file),
        `${file.path} to come to rest`,
        () => [...file.problems(), this.#dump(file)].join('\n'),
      );
  }

  async #isAtRest(file: FuzzFile): Promise<boolean> {
    if (file.isBlocked) return true;
    file.comeBack();
    const text = file.shared;
    if (text === undefined) return false;
    const { isThere } = file;
    if (file.place !== 'unsure' && isThere !== (file.place === 'file')) return false;
    if (isThere && file.read() !== text) return false;
    const { documents } = await this.get<{ documents: { path: string; state: string }[] }>('documents.list');
    if (documents.find((document) => document.path === file.path)?.state !== (isThere ? 'saved' : 'deleted')) return false;
    const answer = await this.post('files.read', { path: file.path });
    if (!isThere) return answer.status === 404;
    return ((await answer.json()) as { text: string }).text.replaceAll('\r\n', '\n') === text;
  }

  /** What was taken away, and what nobody typed in since, is never there again. */
  checkTakenAway(): void {
    for (const file of this.files)
      if (file.place === 'nothing')
        assert.ok(!file.isThere, this.failure(`${file.path} came back, and nobody typed in it since it was taken away`, file));
  }

  async until(check: () => Promise<boolean>, what: string, dump: () => string = () => ''): Promise<void> {
    const deadline = performance.now() + DEADLINE_MS;
    let problem: unknown;
    while (performance.now() < deadline) {
      this.checkTakenAway();
      try {
        if (await check()) return;
        problem = undefined;
      } catch (error) {
        problem = error;
      }
      await sleep(10);
    }
    const open = await this.get<object>('documents.list').catch(String);
    assert.fail(
      `seed ${this.seed}: waited ${DEADLINE_MS} ms for ${what}. ${problem === undefined ? '' : String(problem)}\n${dump()}\n${JSON.stringify(open)}\n${fs.readdirSync(this.root).join(' ')}\n${this.#lately(40)}`,
    );
  }

  // ── small things ─────────────────────────────────────────────────────────────────────────────────────────────────────

  newWord(file: FuzzFile): number {
    file.present.add(this.#nextWord);
    return this.#nextWord++;
  }

  /** A word on a line that nobody typed. */
  newLine(): { word: number; text: string } {
    const word = this.#nextWord++;
    return { word, text: `made W${word}w\n` };
  }

  edited(): void {
    if (this.dirtySince === 0) this.dirtySince = performance.now();
  }

  /** One that people type in now. */
  active(): FuzzFile | undefined {
    return this.pick(this.files.filter((file) => !file.isLeft));
  }

  pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  /** Somebody comes, by one of the wires. */
  join(file: FuzzFile): void {
    const dice = this.random();
    file.join(this.#links, dice < 0.5 ? 'y-websocket' : dice < 0.7 ? 'hocuspocus' : 'hocuspocus shared', this.port);
  }

  client(file: FuzzFile): Client {
    return this.pick(file.clients);
  }

  say(line: string): void {
    this.#trace.push(`${this.steps}: ${line}`);
    if (this.#trace.length > 200) this.#trace.shift();
  }

  failure(problem: string, file?: FuzzFile): string {
    const about = file === undefined ? '' : `${this.#dump(file)}\n`;
    return `seed ${this.seed}, step ${this.steps}, ${file?.path ?? ''}: ${problem}\n${about}${this.#lately(60)}`;
  }

  #dump(file: FuzzFile): string {
    return [
      `${file.path}: ${file.place}${file.isTouched ? ', touched' : ''}${file.isLeft ? ', left' : ''}`,
      `disk: ${file.isThere ? JSON.stringify(file.read()) : '(missing)'}`,
      ...file.clients.map(
        (client) =>
          `client ${client.ydoc.clientID} ${client.link.constructor.name} synced ${client.link.isSynced}, ${savedMark(client.ydoc) === hashText(client.text.toString()) ? '' : 'not '}known as saved: ${JSON.stringify(client.text.toString())}`,
      ),
    ].join('\n');
  }

  /** The last steps, the last of them first, and what the sidecar said. */
  #lately(steps: number): string {
    const said = (this.#sidecar?.log() ?? '').split('\n').filter((line) => !line.includes('"operation"'));
    return [...this.#trace.slice(-steps).reverse(), ...said.slice(-15)].join('\n');
  }
}

export function sleep(ms: number): Promise<void> {
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
