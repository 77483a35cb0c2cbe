import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Faults } from '../../src/sidecar/sidecar.ts';
import { type Client, type FileKind, FuzzFile, placesOfWords } from './documents-fuzz-file.ts';
import { Taking, type TakingCounts } from './documents-fuzz-taking.ts';
import { FuzzWorld, SAVE_IDLE_MS, sleep } from './documents-fuzz-world.ts';

/*
 * Stock clients of y-websocket and of Hocuspocus, programs that write the files, take them away, bring them back and put others in
 * their place, calls that do, renames, restarts, kills and lost states, in random order. Every insertion is a word of its own; at
 * rest each word that nobody removed stands there exactly once, every client has the same text, and the file holds it, with its own
 * line ends and byte order mark. A file that was taken away is not there until somebody types in it, or brings it back; until then
 * those who have it open have what it held.
 */

export interface FuzzPlan {
  seed: number;
  steps: number;
  faults?: Faults;
  /** At rest, after every so many steps. */
  restEvery?: number;
  /** Shares of the rarer steps, of all steps. `take`: a file is taken away, brought back or replaced. */
  rates: { kill: number; restart: number; lose: number; rename: number; take: number };
}

export interface FuzzCounts extends TakingCounts {
  steps: number;
  kills: number;
  restarts: number;
  lost: number;
  renames: number;
  rests: number;
  words: number;
}

export const noCounts: FuzzCounts = {
  steps: 0,
  kills: 0,
  restarts: 0,
  lost: 0,
  renames: 0,
  taken: 0,
  back: 0,
  replaced: 0,
  blocked: 0,
  rests: 0,
  words: 0,
};

const kinds: Record<string, FileKind> = {
  'plain.txt': { eol: '\n', bom: false },
  'windows.txt': { eol: '\r\n', bom: false },
  'marked.txt': { eol: '\r\n', bom: true },
};

/** A word that another one follows at once. */
const grownWord = /W\d+w(?=W)/;

export async function runDocumentsFuzz(plan: FuzzPlan): Promise<FuzzCounts> {
  const fuzz = new DocumentsFuzz(plan);
  try {
    await fuzz.start();
    await fuzz.run();
    return fuzz.counts();
  } finally {
    await fuzz.end();
  }
}

class DocumentsFuzz {
  readonly #counts = { ...noCounts };
  readonly #plan: FuzzPlan;
  readonly #world: FuzzWorld;
  readonly #taking: Taking;
  #cursor: string | undefined;

  constructor(plan: FuzzPlan) {
    this.#plan = plan;
    this.#world = new FuzzWorld(plan.seed, plan.faults);
    this.#taking = new Taking(this.#world);
  }

  counts(): FuzzCounts {
    return { ...this.#counts, ...this.#taking.counts, words: this.#world.words };
  }

  async start(): Promise<void> {
    for (const [name, kind] of Object.entries(kinds)) {
      const file = new FuzzFile(this.#world.root, name, kind);
      const text = Array.from({ length: 12 }, (_, line) => `line ${line} of ${name}\n`).join('');
      file.make(file.raw(text));
      this.#world.files.push(file);
    }
    await this.#world.spawn();
    for (const file of this.#world.files) for (let i = 0; i < 2; i++) this.#world.join(file);
    await this.#rest();
  }

  async run(): Promise<void> {
    const restEvery = this.#plan.restEvery ?? 12;
    for (let step = 0; step < this.#plan.steps; step++) {
      this.#counts.steps++;
      this.#world.steps++;
      await this.#step();
      this.#world.checkTakenAway();
      if (step % restEvery === restEvery - 1) await this.#rest();
    }
    await this.#rest();
  }

  end(): Promise<void> {
    return this.#world.end();
  }

  async #step(): Promise<void> {
    const { rates } = this.#plan;
    const dice = this.#world.random();
    let edge = 0;
    const below = (share: number): boolean => {
      edge += share;
      return dice < edge;
    };
    const any = this.#world.pick(this.#world.files);
    if (below(rates.kill)) return this.#kill(false);
    if (below(rates.lose)) return this.#kill(true);
    if (below(rates.restart)) return this.#restart();
    if (below(rates.rename)) return this.#rename(any);
    if (below(rates.take)) return this.#taking.step(any);
    if (below(0.04)) return this.#reconnect(any);
    if (below(0.02)) return this.#replaceClient(any);
    if (below(0.01)) return this.#goIdle(any);
    const file = this.#world.active();
    if (file === undefined) return;
    if (below(0.05)) return this.#call(file);
    if (below(0.12)) return this.#writeDisk(file);
    if (below(0.12)) return this.#removeWord(file);
    this.#insertWord(file);
    if (this.#world.chance(0.3)) await sleep(this.#world.random() * 30);
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #insertWord(file: FuzzFile): void {
    const client = this.#world.client(file);
    file.typed(client);
    const word = this.#world.newWord(file);
    const text = client.text.toString();
    const at = boundary(text, Math.floor(this.#world.random() * (text.length + 1)));
    client.text.insert(at, this.#world.chance(0.3) ? `\nW${word}w\n` : ` W${word}w `);
    this.#world.edited();
    this.#world.say(`insert W${word} in ${file.path} at ${at}`);
  }

  #removeWord(file: FuzzFile): void {
    const client = this.#world.client(file);
    const found = placesOfWords(client.text.toString());
    if (found.length === 0) return;
    const match = this.#world.pick(found);
    file.typed(client);
    client.text.delete(match.index, match[0].length);
    this.#removed(file, Number(match[1]));
    this.#world.edited();
    this.#world.say(`remove ${match[0]} from ${file.path}`);
  }

  /** Until a client was healed, nobody knows on which text its removals were made. */
  #removed(file: FuzzFile, word: number): void {
    file.removed(word, !this.#world.isLost);
  }

  /** Cuts a client's socket as a bad network would; it comes back by itself. */
  #reconnect(file: FuzzFile): void {
    this.#world.client(file).link.cut();
    this.#world.say(`cut a client of ${file.path}`);
  }

  /** A person goes and another comes, with nothing of their own. */
  #replaceClient(file: FuzzFile): void {
    file.leave(this.#world.client(file));
    this.#world.join(file);
    this.#world.say(`replace a client of ${file.path}`);
  }

  /** All who have it open are away, or are back. */
  #goIdle(file: FuzzFile): void {
    if (file.isAway) file.comeBack();
    else file.goIdle();
    this.#world.say(`all clients of ${file.path} are ${file.isAway ? 'away' : 'back'}`);
  }

  // ── programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #writeDisk(file: FuzzFile): Promise<void> {
    // A program that reads, waits, and writes over what was saved between has undone it: that is its own doing, not ours.
    if (this.#world.dirtySince !== 0 && performance.now() - this.#world.dirtySince > SAVE_IDLE_MS / 4) await this.#world.saved();
    if (!file.isThere) return;
    const { full } = file;
    const before = file.read();
    const word = this.#world.newWord(file);
    const at = boundary(before, Math.floor(this.#world.random() * (before.length + 1)));
    const removable = placesOfWords(before);
    let text = `${before.slice(0, at)} W${word}w ${before.slice(at)}`;
    if (removable.length > 0 && this.#world.chance(0.2)) {
      const match = this.#world.pick(removable);
      text = text.replace(match[0], '');
      this.#removed(file, Number(match[1]));
    }
    file.isTouched = true;
    const raw = file.raw(text);
    const way = this.#world.random();
    if (way < 0.5 && !file.isLink) {
      fs.writeFileSync(`${full}.new`, raw);
      fs.renameSync(`${full}.new`, full);
    } else if (way < 0.9) fs.writeFileSync(full, raw);
    else await this.#writeSlowly(full, raw);
    this.#world.say(`disk W${word} in ${file.path}`);
    // The next save must not come before the sidecar has seen it: that program would be the one that lost.
    if (this.#world.dirtySince !== 0) await sleep(5);
  }

  /** Empties the file, and has to wait before it can write, as programs on a busy machine do. */
  async #writeSlowly(full: string, raw: string): Promise<void> {
    const descriptor = fs.openSync(full, 'w');
    await sleep(SAVE_IDLE_MS / 4);
    fs.writeSync(descriptor, raw);
    fs.closeSync(descriptor);
  }

  async #call(file: FuzzFile): Promise<void> {
    const line = Math.floor(this.#world.random() * 5) + 1;
    const word = this.#world.newWord(file);
    file.present.delete(word);
    file.unsure.add(word);
    const edit = { path: file.path, edits: [{ startLine: line, endLine: line - 1, text: `W${word}w` }] };
    const [operation, input] = this.#world.chance(0.5) ? ['files.edit', edit] : ['files.batch', { changes: [{ op: 'edit', ...edit }] }];
    file.edited();
    const answer = await this.#world.post(operation as string, input as object).catch(() => undefined);
    if (answer?.ok === true) {
      assert.notEqual(file.place, 'nothing', this.#world.failure('a file that is not there was edited', file));
      file.unsure.delete(word);
      file.present.add(word);
      file.place = 'file';
    }
    if (file.place !== 'nothing') file.isTouched = true;
    this.#world.say(`call W${word} in ${file.path}: ${answer?.status ?? 'no answer'}`);
  }

  async #rename(file: FuzzFile): Promise<void> {
    if (file.place !== 'file' || !file.isThere || file.isLink) return;
    const to = `${this.#world.chance(0.5) ? `folder${Math.floor(this.#world.random() * 3)}/` : ''}name${this.#world.words}-${this.#counts.renames}.txt`;
    const from = file.path;
    const folder = path.dirname(from);
    if (folder !== '.' && this.#world.chance(0.5)) return this.#renameFolder(folder);
    await this.#move(from, to, [file]);
  }

  async #renameFolder(from: string): Promise<void> {
    const inside = this.#world.files.filter((file) => path.dirname(file.path) === from);
    if (inside.some((file) => file.isBlocked || file.isLink)) return;
    await this.#move(from, `moved${this.#counts.renames}`, inside);
  }

  async #move(from: string, to: string, inside: readonly FuzzFile[]): Promise<void> {
    const target = (file: FuzzFile): string => to + file.path.slice(from.length);
    if (this.#world.chance(0.55)) await this.#world.ask('files.move', { from, to });
    else {
      await this.#world.saved();
      // What was typed into a file that was taken away may have come to nothing.
      if (!fs.existsSync(this.#world.at(from))) return;
      fs.mkdirSync(path.dirname(this.#world.at(to)), { recursive: true });
      fs.renameSync(this.#world.at(from), this.#world.at(to));
      await this.#world.until(async () => {
        const { documents } = await this.#world.get<{ documents: { path: string }[] }>('documents.list');
        return inside.every((file) => documents.some((document) => document.path === target(file)));
      }, `the documents of ${from} to be at ${to}`);
    }
    for (const file of inside) file.movedTo(target(file));
    this.#counts.renames++;
    this.#world.say(`rename ${from} → ${to}`);
  }

  // ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #kill(lose: boolean): Promise<void> {
    // The sidecar may have heard of it, or not.
    if (this.#plan.rates.take > 0 && this.#world.chance(0.2)) this.#taking.byProgram(this.#world.pick(this.#world.files));
    await this.#world.kill({ lose });
    this.#counts.kills++;
    if (lose) {
      this.#counts.lost++;
      this.#cursor = undefined;
    }
    this.#world.say(lose ? 'kill and lose the state' : 'kill');
    await this.#whileDown(lose);
  }

  async #restart(): Promise<void> {
    await this.#world.stop();
    this.#counts.restarts++;
    this.#world.say('restart');
    await this.#whileDown(false);
  }

  async #whileDown(lost: boolean): Promise<void> {
    this.#world.dirtySince = 0;
    if (this.#plan.rates.take > 0 && this.#world.chance(0.4)) this.#taking.byProgram(this.#world.pick(this.#world.files));
    const file = this.#world.active();
    if (file !== undefined && this.#world.chance(0.5)) await this.#writeDisk(file);
    if (file !== undefined && this.#world.chance(0.5)) this.#insertWord(file);
    // Who removed a word without being heard, and who never had it, can't be told apart any more.
    if (lost) for (const one of this.#world.files) one.doubtRemoved();
    this.#world.dirtySince = 0;
    for (const one of this.#world.files) if (one.place === 'nothing' && this.#world.chance(0.5)) this.#forget(one);
    await this.#world.spawn();
    this.#world.edited();
  }

  /** Others come to where a file was. */
  #forget(file: FuzzFile): void {
    file.forgotten();
    for (let i = 0; i < 2; i++) this.#world.join(file);
    this.#world.say(`nobody is left who had ${file.path}`);
  }

  // ── at rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #rest(): Promise<void> {
    this.#counts.rests++;
    this.#taking.unblock();
    await this.#world.rest();
    for (const file of this.#world.files) this.#check(file);
    await this.#separate();
    for (const file of this.#world.files) {
      file.isLeft = this.#plan.rates.take > 0 && this.#world.chance(file.isThere ? 0.25 : 0.6);
      for (const client of file.clients.slice(2)) file.leave(client);
    }
    await this.#checkFeed();
    this.#world.isLost = false;
    this.#world.dirtySince = 0;
  }

  #check(file: FuzzFile): void {
    const problem = file.problemOf(file.text);
    assert.equal(problem, undefined, this.#world.failure(String(problem), file));
    file.settled();
    if (!file.isThere) return;
    const raw = fs.readFileSync(file.full, 'utf8');
    const holds = (is: boolean, what: string): void => assert.ok(is, this.#world.failure(what, file));
    holds(raw.startsWith('\uFEFF') === file.bom, 'the byte order mark changed');
    if (file.eol === '\r\n') holds(!/[^\r]\n/.test(raw), 'a line end changed');
  }

  /**
   * Two words that grew together (one side took the space between them) are one to whoever compares words; a person puts a space there, before anybody has to
   * compare them.
   */
  async #separate(): Promise<void> {
    const grown = this.#world.files.filter((file) => file.isThere && grownWord.test(file.text));
    if (grown.length === 0) return;
    for (const file of grown) {
      const client = file.clients[0] as Client;
      file.typed(client);
      for (let found = grownWord.exec(file.text); found; found = grownWord.exec(file.text))
        client.text.insert(found.index + found[0].length, ' ');
    }
    await this.#world.rest();
    for (const file of grown) file.settled();
  }

  /** The feed tells of every content once. */
  async #checkFeed(): Promise<void> {
    const last = new Map<string, string | null>();
    for (let more = true; more; ) {
      const answer: {
        changes: { path: string; from?: string; what: string; after: string | null; revision: number }[];
        cursor: string;
        more: boolean;
        resync?: string;
      } = await this.#world.get(
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
        for (const gone of change.what === 'moved' || change.what === 'removed' ? [change.path, change.from] : [])
          for (const at of [...last.keys()]) if (at === gone || at.startsWith(`${gone}/`)) last.delete(at);
        last.set(change.path, change.after);
      }
      this.#cursor = answer.cursor;
      more = answer.more;
    }
  }
}

/** The next place that is not inside a word. */
function boundary(text: string, at: number): number {
  let place = at;
  while (place < text.length && place > 0 && /\w/.test(text[place] as string) && /\w/.test(text[place - 1] as string)) place++;
  return place;
}
