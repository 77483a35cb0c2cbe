import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { DocumentInfo } from '../../src/contract/documents.ts';
import { eventually } from './eventually.ts';
import { Random } from './random.ts';
import { openYjsClient, type YjsClient } from './yjs-client.ts';

/*
 * People type while other programs change the same files, each as programs of its kind do. Everything that anybody writes is a word of its own. A program's
 * step is made in one turn of the event loop, so what it read and what it left are known: a word that it took away is gone at rest, one that it brought stands
 * there once, and so does each word that was typed and that no program had before it.
 */

export interface OutsideSetting {
  url: string;
  token: string;
  root: string;
  /** Beside the root. */
  outside: string;
  documents(): Promise<DocumentInfo[]>;
}

interface FileModel {
  path: string;
  people: YjsClient[];
  present: Set<string>;
  absent: Set<string>;
  /** Whether these stand there depends on who was first. */
  unsure: Set<string>;
  /** Brought or taken away since the last rest. */
  touched: Set<string>;
  /** What a program read before it took the file away. */
  taken: string | undefined;
  /** What a program wrote into a file that a save may have replaced is in the document by then. By the monotonic clock. */
  lateUntilMs: number;
}

const names = ['a.txt', 'd/b.txt', 'd/c.txt', 'e/m.txt'];
const branches = ['main', 'other'];
export const tooLarge = 100_000;
/** A file that a save replaced is looked at five times a second, and may be begun only for a second. */
const LATE_MS = 2000;

export class OutsidePrograms {
  readonly steps: Record<string, number> = {};
  readonly #random: Random;
  readonly #seed: number;
  readonly #files: FileModel[] = [];
  readonly #trace: string[] = [];
  #setting: OutsideSetting;
  /** All have as many letters: one that is another with a letter less is, to whoever compares, that one edited. */
  #words = 1000;

  /** Makes the files, with a repository of two branches. */
  constructor(seed: number, setting: OutsideSetting) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#setting = setting;
    for (const [index, name] of names.entries()) {
      const lines = Array.from({ length: 10 }, (_, line) => `${line} of ${name}`).join(index === 2 ? '\r\n' : '\n');
      fs.mkdirSync(path.dirname(this.#at(name)), { recursive: true });
      fs.writeFileSync(this.#at(name), `${index === 3 ? '\uFEFF' : ''}${lines}\n`);
      this.#files.push({
        path: name,
        people: [],
        present: new Set(),
        absent: new Set(),
        unsure: new Set(),
        touched: new Set(),
        taken: undefined,
        lateUntilMs: 0,
      });
    }
    this.#git('init -q -b main', 'add .', 'commit -qm one', 'checkout -qb other', 'rm -q d/c.txt');
    fs.appendFileSync(this.#at('a.txt'), 'only in other\n');
    this.#git('commit -qam two', 'checkout -q main');
  }

  /** New people in all files; those of before have gone. */
  async join(setting: OutsideSetting = this.#setting): Promise<void> {
    this.#setting = setting;
    this.leave();
    const { url, token } = setting;
    for (const file of this.#files) {
      file.people = [0, 1].map(() => openYjsClient(url, { token, room: file.path }));
      for (const person of file.people) await person.synced();
    }
  }

  /** Of what they typed, only what the others have seen is to be found again. */
  leave(): void {
    for (const file of this.#files) {
      const [one, other] = file.people.map((person) => countWords(person.text.toString()));
      for (const [mine, theirs] of one === undefined || other === undefined ? [] : [[one, other] as const, [other, one] as const])
        for (const word of mine.keys()) if (!theirs.has(word) && file.present.delete(word)) file.unsure.add(word);
      for (const word of file.touched) if (file.absent.delete(word)) file.unsure.add(word);
      for (const person of file.people) person.destroy();
      file.people = [];
    }
  }

  /** `offline`: nobody serves the folder. */
  async step(offline = false): Promise<void> {
    const file = this.#random.of(this.#files);
    const programs = offline ? [...writers, 'git', 'git'] : [...writers, ...pausing, 'git', 'git'];
    for (let words = offline ? 0 : this.#random.below(4); words > 0; words--) this.#type(this.#random.of([file, ...this.#files]));
    await this.#moment();
    const program = this.#random.of(programs);
    this.steps[program] = (this.steps[program] ?? 0) + 1;
    if (program === 'git') this.#runGit();
    else await this.#write(file, program as (typeof writers)[number]);
    if (this.#random.below(3) === 0) this.#type(file);
  }

  /** People type for a while: some of it is saved when it ends, some is not. */
  async typing(): Promise<void> {
    for (let words = 4 + this.#random.below(20); words > 0; words--) {
      this.#type(this.#random.of(this.#files));
      await this.#moment();
    }
  }

  /** All is saved, everywhere alike, and each word stands where it has to. */
  async rest(): Promise<void> {
    for (const file of this.#files) {
      let last = '';
      const isAtRest = async (): Promise<void> => {
        const texts = file.people.map(({ text }) => text.toString());
        const all = await this.#setting.documents();
        const info = all.find((document) => document.path === file.path);
        const documents = all.map((document) => `${document.path} ${document.state} ${document.problem ?? ''}`);
        const closes = file.people.map((person) => person.closes);
        last = JSON.stringify({ documents, closes, texts, disk: this.#read(file.path) }, undefined, 1);
        for (const text of texts) assert.equal(text, texts[0]);
        if (info?.state === 'deleted') return assert.equal(this.#read(file.path), undefined);
        assert.equal(info?.state, 'saved');
        assert.equal(textOf(this.#read(file.path) ?? ''), texts[0]);
        // What a program wrote into a file that a save had replaced comes a moment later.
        for (const word of file.present) assert.ok(texts[0]?.includes(word) === true, `${word} is lost`);
      };
      await eventually(isAtRest).catch((error: unknown) => this.#fail(file, String(error), last));
      this.#check(file, last);
    }
  }

  #check(file: FileModel, last: string): void {
    const text = file.people[0]?.text.toString() ?? '';
    const counts = countWords(text);
    for (const [word, count] of counts) if (count !== 1) this.#fail(file, `${word} stands there ${count} times`, last);
    if (this.#read(file.path) !== undefined) {
      for (const word of file.present) if (!counts.has(word)) this.#fail(file, `${word} is lost`, last);
      for (const word of file.absent) if (counts.has(word)) this.#fail(file, `${word} came back`, last);
    }
    for (let line = 0; line < 10; line++)
      if (text.split(`${line} of `).length > 2) this.#fail(file, `line ${line} stands there more than once`, last);
    // A file that is gone may be made anew of what a program had in it last, which the document never saw; and what one wrote late may be still to come.
    const isInDoubt = this.#read(file.path) === undefined || performance.now() < file.lateUntilMs;
    file.unsure = new Set(isInDoubt ? [...file.absent, ...file.unsure] : []);
    file.present = new Set([...counts.keys()].filter((word) => !file.unsure.has(word)));
    for (const set of [file.absent, file.touched]) set.clear();
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #type(file: FileModel): void {
    if (file.people.length === 0) return;
    const { text } = this.#random.of(file.people);
    const before = text.toString();
    const words = [...countWords(before).keys()];
    if (words.length > 3 && this.#random.below(5) === 0) {
      const word = this.#random.of(words);
      text.delete(before.indexOf(word), word.length);
      this.#changed(file, word, false);
      return this.#say(`${word} is removed from ${file.path}`);
    }
    const word = this.#newWord();
    text.insert(placeIn(before, this.#random), this.#random.below(2) === 0 ? `\n${word}\n` : ` ${word} `);
    file.present.add(word);
    this.#say(`${word} is typed in ${file.path}`);
  }

  /** Some time, in which somebody may type: before the next save, in it or after it. */
  async #moment(file?: FileModel): Promise<void> {
    if (this.#random.below(3) === 0) return;
    await new Promise((resolve) => setTimeout(resolve, this.#random.below(90)));
    if (file !== undefined && this.#random.below(2) === 0) this.#type(file);
  }

  // ── programs ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #write(file: FileModel, program: (typeof writers)[number] | (typeof pausing)[number]): Promise<void> {
    const at = this.#at(file.path);
    const pause = (): Promise<void> => this.#moment(file);
    const beside = (name: string): string => path.join(path.dirname(at), name);
    const put = (raw: string, to: string): void => {
      fs.writeFileSync(to, raw);
      fs.renameSync(to, at);
    };
    const takeAway = (): void => {
      this.#takesAway(file);
      fs.rmSync(at, { recursive: true, force: true });
    };
    const makeAnew = (): void => this.#edits(file, (raw) => fs.writeFileSync(at, raw));
    this.#say(`${program} on ${file.path}`);
    if (this.#read(file.path) === undefined) return makeAnew();
    switch (program) {
      case 'in place':
        return this.#edits(file, (raw) => fs.writeFileSync(at, raw));
      case 'in place, then shorter':
        return this.#edits(file, (raw) => {
          const descriptor = fs.openSync(at, 'r+');
          fs.writeSync(descriptor, raw);
          fs.ftruncateSync(descriptor, Buffer.byteLength(raw));
          fs.closeSync(descriptor);
        });
      case 'append':
        return this.#edits(file, undefined);
      case 'rsync':
        return this.#edits(file, (raw) => put(raw, beside(`.${path.basename(at)}.Xy12ab`)));
      case 'sed -i':
        return this.#edits(file, (raw) => put(raw, beside('sedQ1w2e3')));
      case 'read-only, replaced':
        fs.chmodSync(at, 0o444);
        return this.#edits(file, (raw) => put(raw, beside('replacement')));
      case 'removed and made anew':
        return this.#edits(file, (raw) => {
          fs.rmSync(at);
          fs.writeFileSync(at, raw);
        });
      case 'other name': {
        const other = path.join(this.#setting.outside, 'other-name');
        this.#edits(file, (raw) => {
          fs.linkSync(at, other);
          fs.writeFileSync(other, raw);
        });
        await pause();
        fs.rmSync(other);
        // Of what happens under a name elsewhere the system gives no hint in this folder: the next save finds it.
        return this.#type(file);
      }
      case 'emacs': {
        const lock = beside(`.#${path.basename(at)}`);
        fs.symlinkSync('somebody@somewhere.1:2', lock);
        await pause();
        this.#edits(file, (raw) => fs.writeFileSync(at, raw));
        await pause();
        return fs.rmSync(lock);
      }
      case 'vim': {
        const before = this.#read(file.path) as string;
        fs.renameSync(at, `${at}~`);
        await pause();
        this.#edits(file, (raw) => fs.writeFileSync(at, raw), before);
        await pause();
        return fs.rmSync(`${at}~`, { force: true });
      }
      case 'empties, then writes': {
        const before = this.#read(file.path) as string;
        const descriptor = fs.openSync(at, 'w');
        await pause();
        this.#edits(file, (raw) => fs.writeSync(descriptor, raw), before);
        return fs.closeSync(descriptor);
      }
      // What was saved between is another file.
      case 'opens, then appends': {
        const eol = eolOf(this.#read(file.path) as string);
        const descriptor = fs.openSync(at, 'a');
        await pause();
        await pause();
        const word = this.#newWord();
        fs.writeSync(descriptor, `${word}${eol}`);
        this.#changed(file, word, true);
        file.lateUntilMs = performance.now() + LATE_MS;
        return fs.closeSync(descriptor);
      }
      case 'opens, then writes': {
        const before = this.#read(file.path) as string;
        const descriptor = fs.openSync(at, 'r+');
        await pause();
        await pause();
        this.#edits(
          file,
          (raw) => {
            fs.writeSync(descriptor, raw);
            fs.ftruncateSync(descriptor, Buffer.byteLength(raw));
          },
          before,
        );
        file.lateUntilMs = performance.now() + LATE_MS;
        return fs.closeSync(descriptor);
      }
      case 'removes, then makes':
        takeAway();
        await pause();
        return makeAnew();
      default: {
        takeAway();
        if (program === 'a folder for a while') fs.mkdirSync(at);
        else if (program === 'a link for a while') fs.symlinkSync(this.#setting.outside, at);
        else fs.writeFileSync(at, program === 'no text for a while' ? Buffer.from([0x61, 0xff, 0]) : 'x'.repeat(3 * tooLarge));
        await pause();
        await pause();
        fs.rmSync(at, { recursive: true });
        if (this.#random.below(2) === 0) await pause();
        return makeAnew();
      }
    }
  }

  /** Reads the file, or what was read `before`, and has it written with a word more, and perhaps one less, or with other line ends. */
  #edits(file: FileModel, write: ((raw: string) => void) | undefined, before = this.#read(file.path) ?? file.taken ?? ''): void {
    file.taken = undefined;
    const word = this.#newWord();
    const eol = write !== undefined && this.#random.below(6) === 0 ? this.#random.of(['\n', '\r\n']) : eolOf(before);
    let text = textOf(before);
    let raw: string | undefined;
    if (write === undefined) fs.appendFileSync(this.#at(file.path), `${word}${eol}`);
    else {
      const words = [...countWords(text).keys()];
      if (words.length > 0 && this.#random.below(3) === 0) text = text.replace(this.#random.of(words), '');
      const place = placeIn(text, this.#random);
      text = `${text.slice(0, place)}${this.#random.below(2) === 0 ? `\n${word}\n` : ` ${word} `}${text.slice(place)}`;
      const bom = this.#random.below(8) === 0 ? !before.startsWith('\uFEFF') : before.startsWith('\uFEFF');
      raw = `${bom ? '\uFEFF' : ''}${text.replaceAll('\n', eol)}`;
      write(raw);
    }
    this.#compare(file, before, raw);
  }

  #runGit(): void {
    const before = this.#files.map(({ path: name }) => this.#read(name));
    const branch = this.#random.of(branches);
    const [what, ...more] = this.#random.of([
      [`checkout -qf ${branch}`],
      ['add -A', 'commit -qm more', `checkout -qf ${branch}`],
      ['stash -q', 'stash pop -q'],
      ['stash -qu', `checkout -qf ${branch}`, 'stash pop -q'],
      ['add -A', 'commit -qm more', `rebase -q ${branch}`],
      ['reset -q --hard'],
      ['stash -q', 'stash drop -q'],
      ['reset -q --hard HEAD~1'],
    ]);
    this.#say(`git ${[what, ...more].join('; ')}`);
    try {
      this.#git(what as string, ...more);
    } catch {
      // A conflict, nothing to commit or to stash: what is under way is given up.
      for (const last of ['rebase --abort', 'reset -q --hard', 'stash drop -q', `checkout -qf ${branch}`])
        try {
          this.#git(last);
        } catch {
          // There was none.
        }
    }
    for (const [index, file] of this.#files.entries()) {
      const now = this.#read(file.path);
      if (now !== undefined) this.#compare(file, before[index] ?? file.taken ?? '');
      else if (before[index] !== undefined) this.#takesAway(file, before[index]);
    }
  }

  #git(...commands: string[]): void {
    const who = ['-c', 'user.name=x', '-c', 'user.email=x@example.com', '-c', 'core.autocrlf=false', '-c', 'commit.gpgsign=false'];
    for (const command of commands) execFileSync('git', [...who, ...command.split(' ')], { cwd: this.#setting.root, stdio: 'ignore' });
  }

  // ── what is known ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The file may be made anew with all that the document has, or by a program with what that had read. */
  #takesAway(file: FileModel, raw = this.#read(file.path) ?? ''): void {
    file.taken = raw;
    for (const word of file.touched) for (const set of [file.present, file.absent]) if (set.delete(word)) file.unsure.add(word);
  }

  #compare(file: FileModel, before: string, after = this.#read(file.path) as string): void {
    file.taken = undefined;
    const [had, has] = [countWords(before), countWords(after)];
    for (const word of had.keys()) if (!has.has(word)) this.#changed(file, word, false);
    for (const word of has.keys()) if (!had.has(word)) this.#changed(file, word, true);
  }

  #changed(file: FileModel, word: string, brought: boolean): void {
    const isAgain = file.touched.has(word) || file.unsure.has(word);
    file.touched.add(word);
    for (const set of [file.present, file.absent, file.unsure]) set.delete(word);
    (isAgain ? file.unsure : brought ? file.present : file.absent).add(word);
  }

  #newWord(): string {
    return `W${++this.#words}w`;
  }

  #at(name: string): string {
    return path.join(this.#setting.root, name);
  }

  /** Undefined where there is none. */
  #read(name: string): string | undefined {
    try {
      return fs.readFileSync(this.#at(name), 'utf8');
    } catch {
      return undefined;
    }
  }

  #say(what: string): void {
    this.#trace.push(`${Math.round(performance.now())} ${what}`);
  }

  #fail(file: FileModel, problem: string, last: string): never {
    assert.fail(`SEED=${this.#seed}, ${file.path}: ${problem}\n${last}\n${this.#trace.slice(-60).join('\n')}`);
  }
}

/** Programs that change a file at once. */
const writers = [
  'in place',
  'in place, then shorter',
  'append',
  'rsync',
  'sed -i',
  'read-only, replaced',
  'removed and made anew',
  'other name',
] as const;
/** Those that take their time. */
const pausing = [
  'emacs',
  'vim',
  'vim',
  'empties, then writes',
  'opens, then appends',
  'opens, then writes',
  'removes, then makes',
  'a folder for a while',
  'a link for a while',
  'no text for a while',
  'too large for a while',
] as const;

function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(/W\d+w/g)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function textOf(raw: string): string {
  return raw.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}

function eolOf(raw: string): '\n' | '\r\n' {
  return raw.includes('\r\n') ? '\r\n' : '\n';
}

/** Not inside a word. */
function placeIn(text: string, random: Random): number {
  let place = random.below(text.length + 1);
  while (place > 0 && place < text.length && /\w\w/.test(text.slice(place - 1, place + 1))) place++;
  return place;
}
