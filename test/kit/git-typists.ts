import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Client } from '../../src/client/client.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Answer, Asked } from '../../src/contract/operation.ts';
import { operations, type Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { Random } from './random.ts';
import { openYjsClient, type YjsClient } from './yjs-client.ts';

/*
 * People type in a repository while one caller has git do things, another writes files over the API, and somebody runs the program git. Everything that
 * anybody writes is a word of its own. At rest each word is where what was done in between can have left it: in the files, in the index, in a commit or a
 * stash, and nowhere only where an operation that throws text away had it before its eyes; nothing stands anywhere twice that git itself did not join so.
 */

export interface TypistsSetting {
  url: string;
  token: string;
  root: string;
  client: Client<Operations>;
  /** The sidecar is another process: what it saves may come between any two things that a program does. */
  isApart: boolean;
}

type State = 'there' | 'removed' | 'refused' | 'unsure' | 'thrown away';

/** What a round may have done, by what was answered. */
interface Round {
  /** Files may be as another commit or a stash has them. */
  files: boolean;
  /** The index may be another than what it was. */
  index: boolean;
  /** What was staged may be so no more, without being committed. */
  unstages: boolean;
  /** Words that were written or removed meanwhile. */
  brought: Set<string>;
  takenAway: Set<string>;
}

const names = ['a.txt', 'd/crlf.txt', 'no end.txt', `it's "q" b.txt`, 'emoji.txt', 'only main.txt'];
/** A hook of each commit puts it back as it read it a moment before, and nobody writes to it over the API: who does is not kept waiting for hooks. */
const formattedName = 'formatted.txt';
const typedNames = [...names, formattedName];
/** Where one of them is moved to while people are in it. */
const movedName = 'd/emoji moved.txt';
/** Nobody types in these. */
const unopened = ['w/x.txt', 'w/y.txt'];
const branches = ['main', 'other'] as const;
const wordPattern = /W\d+w/g;

export class GitTypists {
  /** How often each operation ended how. */
  readonly counts: Record<string, number> = {};
  readonly #seed: number;
  readonly #random: Random;
  readonly #words = new Map<string, State>();
  /** The file that it was brought into, by the path that this has now. */
  readonly #places = new Map<string, string>();
  readonly #trace: string[] = [];
  readonly #people = new Map<string, YjsClient[]>();
  readonly #mayBeLost = new Set<string>();
  /** Both sides had these when git joined them: it may have put both. */
  readonly #mayBeTwice = new Set<string>();
  #setting: TypistsSetting;
  #number = 0;
  #round: Round = newRound();
  #filesAtRest = new Set<string>();
  /** In documents whose file was gone. */
  #heldAtRest = new Set<string>();
  #indexAtRest: Index = { entries: '', words: new Set() };
  #typing = false;
  /** Nobody types or writes for a moment. */
  #isQuiet = false;
  /** Nobody else has git do anything. */
  #isAlone = true;
  /** Calls may be answered by nobody, whatever came of them. */
  #killed = false;

  /** Makes the repository, with two branches. */
  constructor(seed: number, setting: TypistsSetting) {
    this.#seed = seed;
    this.#random = new Random(seed);
    this.#setting = setting;
    this.#git('init', '-q', '-b', 'main');
    for (const [key, value] of Object.entries(config)) this.#git('config', key, value);
    for (const name of [...typedNames, ...unopened]) this.#put(name, firstText(name));
    this.#git('add', '.');
    this.#git('commit', '-qm', 'one');
    this.#git('checkout', '-qb', 'other');
    this.#git('rm', '-q', 'only main.txt');
    for (const name of ['a.txt', 'd/crlf.txt', 'w/x.txt']) this.#append(name, this.#newWord(name));
    this.#put('only other.txt', `${this.#newWord('only other.txt')}\n`);
    this.#git('add', '.');
    this.#git('commit', '-qm', 'two');
    this.#git('checkout', '-q', 'main');
    for (const name of ['a.txt', 'emoji.txt', formattedName]) this.#append(name, this.#newWord(name));
    this.#git('commit', '-qam', 'three');
    // With the sidecar it is killed in the middle, and leaves half of the file.
    if (!setting.isApart) this.#put('.git/hooks/pre-commit', formatter, 0o755);
    this.#filesAtRest = this.#wordsOfFiles();
    this.#indexAtRest = this.#index();
    this.#round = newRound();
  }

  async join(setting: TypistsSetting = this.#setting): Promise<void> {
    this.#setting = setting;
    this.leave();
    const { url, token } = setting;
    for (const name of typedNames) {
      const two = [0, 1].map(() => openYjsClient(url, { token, room: name }));
      this.#people.set(name, two);
      for (const person of two) await person.synced();
    }
  }

  /** Of what they typed, only what the others have seen is to be found again. */
  leave(): void {
    for (const people of this.#people.values()) {
      const [one, other] = people.map(({ text }) => countWords(text.toString()));
      for (const [mine, theirs] of [
        [one, other],
        [other, one],
      ])
        for (const word of mine?.keys() ?? [])
          if (theirs?.has(word) !== true && this.#words.get(word) === 'there') this.#words.set(word, 'unsure');
      for (const person of people) person.destroy();
    }
    this.#people.clear();
  }

  /** Some steps of git, by one caller or by two at once; `killed` ends all that is under way, and comes back when there is a sidecar again. */
  async round(steps: number, killed?: () => Promise<void>): Promise<void> {
    this.#round = newRound();
    this.#typing = true;
    this.#isQuiet = false;
    this.#isAlone = killed === undefined && this.#random.below(3) > 0;
    const others = [this.#typeOn(), this.#typeOn(), this.#typeOn(), this.#writeOn()];
    const caller = async (): Promise<void> => {
      for (let step = 0; step < steps && this.#typing; step++) {
        await this.#pause(60);
        if (this.#typing) await this.#step();
      }
    };
    const callers = this.#isAlone ? [caller()] : [caller(), caller()];
    try {
      if (killed === undefined) await Promise.all(callers);
      else {
        await this.#pause(600);
        this.#typing = false;
        this.#killed = true;
        this.leave();
        await killed();
        await Promise.all(callers);
      }
      await this.#pause(60);
    } finally {
      this.#typing = false;
      await Promise.allSettled([...callers, ...others]);
      this.#killed = false;
    }
  }

  // ── people ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  async #typeOn(): Promise<void> {
    while (this.#typing) {
      await this.#pause(40);
      if (this.#isQuiet) continue;
      const people = this.#people.get(this.#random.of(typedNames)) ?? [];
      if (people.length > 0) this.#type(this.#random.of(people));
    }
  }

  #type(person: YjsClient): void {
    const { text } = person;
    const before = text.toString();
    const words = [...countWords(before).keys()];
    if (words.length > 4 && this.#random.below(8) === 0) {
      const word = this.#random.of(words);
      text.delete(before.indexOf(word), word.length);
      this.#removed(word);
      return this.#say(`${word} is removed by a person in ${person.provider.roomname}`);
    }
    const word = this.#newWord(person.provider.roomname);
    const starts = [0, ...[...before.matchAll(/\n/g)].map(({ index }) => index + 1)];
    const start = this.#random.of(starts);
    text.insert(start, start === before.length && !before.endsWith('\n') && before !== '' ? `\n${word}` : `${word}\n`);
    this.#say(`${word} is typed in ${person.provider.roomname}`);
  }

  // ── callers who write files ──────────────────────────────────────────────────────────────────────────────────────────

  async #writeOn(): Promise<void> {
    while (this.#typing) {
      await this.#pause(150);
      if (!this.#isQuiet) await this.#writeOnce();
    }
  }

  async #writeOnce(): Promise<void> {
    const kind = this.#random.of(['write', 'edit', 'batch', 'batch', 'move'] as const);
    if (kind === 'move') {
      const [from, to] = this.#random.of([
        ['w/x.txt', 'w/moved.txt'],
        ['w/moved.txt', 'w/x.txt'],
        ['w/y.txt', 'w/deep/y.txt'],
        ['w/deep/y.txt', 'w/y.txt'],
        ['emoji.txt', movedName],
        [movedName, 'emoji.txt'],
      ] as const);
      return void (await this.#call('files.move', { from, to }));
    }
    const name = this.#random.of([...names, ...unopened, ...unopened]);
    const word = this.#newWord(name);
    this.#words.set(word, 'unsure');
    this.#say(`files.${kind} of ${word} to ${name}`);
    if (kind === 'batch') return this.#batch(name, word);
    const read = await this.#call('files.read', { path: name });
    if (read instanceof OutriggerError) return void this.#words.set(word, 'refused');
    const eol = read.text.includes('\r\n') ? '\r\n' : '\n';
    const answer =
      kind === 'write'
        ? await this.#call('files.write', { path: name, text: `${word}${eol}${read.text}`, ifMatch: read.etag })
        : await this.#call('files.edit', { path: name, edits: [{ startLine: 1, endLine: 0, text: word }] });
    this.#written(answer, word);
  }

  #written(answer: object, ...words: string[]): void {
    const isRefused = answer instanceof OutriggerError;
    if (isRefused && (answer.reason === 'BUSY_FILE' || answer.reason === 'CONNECTION_LOST')) return;
    // A person may have seen and removed it before the answer came.
    for (const word of words) if (this.#words.get(word) === 'unsure') this.#words.set(word, isRefused ? 'refused' : 'there');
  }

  /** Two files together; perhaps taken back by what was answered. */
  async #batch(name: string, word: string): Promise<void> {
    const other = this.#random.of([...names, ...unopened].filter((one) => one !== name));
    const second = this.#newWord(other);
    this.#words.set(second, 'unsure');
    const edit = (path: string, text: string) => ({ op: 'edit' as const, path, edits: [{ startLine: 1, endLine: 0, text }] });
    const answer = await this.#call('files.batch', { changes: [edit(name, word), edit(other, second)], returnBefore: true });
    this.#written(answer, word, second);
    if (answer instanceof OutriggerError || answer.undo === undefined || this.#random.below(3) > 0) return;
    await this.#pause(40);
    const undone = await this.#call('files.batch', { changes: answer.undo });
    if (!(undone instanceof OutriggerError)) for (const one of [word, second]) this.#removed(one);
    else if (undone.reason === 'CONNECTION_LOST') for (const one of [word, second]) this.#words.set(one, 'unsure');
  }

  // ── the caller who has git do things ─────────────────────────────────────────────────────────────────────────────────

  async #step(): Promise<void> {
    const status = await this.#call('git.status', {});
    if (status instanceof OutriggerError) return this.#isAlone ? this.#fail(`git.status: ${status.reason} ${status.message}`) : undefined;
    if (this.#isAlone && this.#random.below(6) === 0) return this.#runOutside();
    if (status.conflicts.length > 0 || status.doing !== undefined) return this.#settle(status);
    const kind = this.#random.of(kinds);
    // What follows is refused among changes, but not among those that come while it is done.
    if (joining.has(kind) && this.#random.below(4) > 0) {
      this.#isQuiet = true;
      await this.#pause(100);
      await this.#change('git.commit', { message: 'before', all: true }, { index: true });
      this.#isQuiet = false;
    }
    const files = status.changes.map((change) => ({ path: change.path }));
    const some = files.length === 0 ? [{ path: this.#random.of(typedNames) }] : [this.#random.of(files)];
    switch (kind) {
      case 'stage':
        return void (await this.#change('git.stage', { files: this.#random.below(3) === 0 ? [] : some }, { index: true }));
      case 'unstage':
        return void (await this.#change('git.unstage', { files: this.#random.below(3) === 0 ? [] : some }, { index: true }));
      case 'stage hunk':
        return this.#stageHunk();
      case 'discard hunk':
        return this.#discardHunk();
      case 'discard': {
        const from = this.#random.of([undefined, undefined, 'HEAD', ...branches]);
        if (from !== undefined) this.#meets(from);
        const done = await this.#change('git.restore', { files: some, ...(from === undefined ? {} : { from }) }, { files: true });
        if (done !== undefined) this.#lose(some.map((file) => file.path));
        return;
      }
      case 'commit':
        return void (await this.#change(
          'git.commit',
          { message: 'more', all: this.#random.below(2) === 0, amend: this.#random.below(4) === 0 },
          { index: true },
        ));
      case 'stash':
        return void (await this.#change(
          'git.stash',
          { action: 'push', untracked: this.#random.below(3) > 0, keepIndex: this.#random.below(4) === 0 },
          { index: true, files: true },
        ));
      case 'apply':
        this.#meets('stash@{0}');
        this.#meets('stash@{0}^3');
        return void (await this.#change('git.stash', { action: 'apply' }, { index: true, files: true }));
      case 'drop': {
        const done = await this.#change('git.stash', { action: 'drop' }, {});
        if (done !== undefined) this.#lose();
        return;
      }
      case 'rebase': {
        const onto = this.#random.of(branches);
        this.#meets(onto);
        return void (await this.#change('git.rebase', { onto }, { index: true, files: true }));
      }
      case 'checkout, discard': {
        const done = await this.#change(
          'git.checkout',
          { to: this.#random.of(branches), changes: 'discard' },
          { index: true, files: true },
        );
        if (done !== undefined) this.#lose();
        return;
      }
      case 'pop':
        this.#meets('stash@{0}');
        this.#meets('stash@{0}^3');
        return void (await this.#change('git.stash', { action: 'pop' }, { index: true, files: true }));
      case 'checkout':
        return void (await this.#change('git.checkout', { to: this.#random.of(branches) }, { index: true, files: true }));
      case 'checkout, stash':
        return void (await this.#change('git.checkout', { to: this.#random.of(branches), changes: 'stash' }, { index: true, files: true }));
      case 'merge': {
        const from = this.#random.of(branches);
        this.#meets(from);
        return void (await this.#change('git.merge', { from }, { index: true, files: true }));
      }
      case 'revert':
        this.#meets('HEAD~1');
        return void (await this.#change('git.revert', { commit: 'HEAD' }, { index: true, files: true }));
      case 'cherry-pick': {
        const commit = this.#random.of(branches);
        this.#meets(commit);
        return void (await this.#change('git.cherryPick', { commit }, { index: true, files: true }));
      }
      case 'reset':
        return void (await this.#change(
          'git.reset',
          { mode: this.#random.of(['soft', 'mixed'] as const), to: this.#random.of(['HEAD', 'HEAD~1']) },
          { index: true },
        ));
      case 'reset hard': {
        const done = await this.#change('git.reset', { mode: 'hard' }, { index: true, files: true });
        if (done !== undefined) this.#lose();
        return;
      }
      default:
        return this.#read();
    }
  }

  async #read(): Promise<void> {
    await this.#call('git.diff', { staged: this.#random.below(2) === 0 });
    await this.#call('git.hunks', { untracked: true });
    await this.#call('git.log', {});
    await this.#call('git.blame', { path: this.#random.of(names) });
  }

  async #hunksOf(staged: boolean) {
    const answer = await this.#call('git.hunks', { staged });
    if (answer instanceof OutriggerError) return this.#isAlone ? this.#fail(`git.hunks: ${answer.reason} ${answer.message}`) : undefined;
    const files = answer.files.filter((file) => file.status === 'modified' && file.hunks.length > 0);
    if (files.length === 0) return undefined;
    const file = this.#random.of(files);
    return { file, hunk: this.#random.of(file.hunks) };
  }

  async #stageHunk(): Promise<void> {
    const back = this.#random.below(2) === 0;
    const chosen = await this.#hunksOf(back);
    if (chosen === undefined) return;
    const { file, hunk } = chosen;
    const before = this.#isAlone ? this.#indexLines(file.path) : [];
    const operation = back ? 'git.unstage' : 'git.stage';
    const done = await this.#change(operation, { files: [{ path: file.path, hunks: [hunk.id] }] }, { index: true });
    if (done === undefined || !this.#isAlone) return;
    const after = this.#indexLines(file.path);
    const wanted = countsOf(before);
    for (const { kind, text } of hunk.lines) {
      const by = { added: 1, removed: -1, context: 0 }[kind] * (back ? -1 : 1);
      wanted.set(text, (wanted.get(text) ?? 0) + by);
    }
    for (const [line, count] of wanted) if (count === 0) wanted.delete(line);
    if (!sameCounts(wanted, countsOf(after)))
      this.#fail(
        `${operation} of ${JSON.stringify(hunk)} of ${file.path}: the index has\n${after.join('\n')}\nand had\n${before.join('\n')}`,
      );
  }

  async #discardHunk(): Promise<void> {
    const chosen = await this.#hunksOf(false);
    if (chosen === undefined) return;
    const { file, hunk } = chosen;
    this.#say(`hunk of ${file.path}: ${JSON.stringify(hunk.lines.map(({ kind, text }) => `${kind[0]} ${text}`))}`);
    const done = await this.#change('git.restore', { files: [{ path: file.path, hunks: [hunk.id] }] }, { files: true });
    if (done === undefined) return;
    for (const { kind, text } of hunk.lines) if (kind === 'added') for (const word of countWords(text).keys()) this.#mayBeLost.add(word);
  }

  /** Somebody's own git, in one turn of the event loop where the sidecar is in it: what it took away from the files it had before its eyes. */
  #runOutside(): void {
    const name = this.#random.of(typedNames);
    const commands = this.#random.of([
      [['add', '-u']],
      [['commit', '-qam', 'by somebody']],
      [['checkout', '--', name]],
      [['checkout', 'HEAD', '--', name]],
      [['stash', '-q']],
      [['stash', 'pop', '-q']],
      [
        ['stash', '-q'],
        ['stash', 'pop', '-q'],
      ],
      [['checkout', '-q', this.#random.of(branches)]],
    ]);
    if (this.#setting.isApart && !['add', 'commit'].includes(commands[0]?.[0] ?? '')) return;
    const before = this.#wordsOfFiles();
    this.#meets('stash@{0}');
    for (const args of commands) {
      this.#say(`outside: git ${args.join(' ')}`);
      try {
        this.#git(...args);
      } catch (error) {
        this.#say(`outside: ${String((error as { stderr?: unknown }).stderr)}`);
      }
    }
    this.#round.files = this.#round.index = this.#round.unstages = true;
    const after = this.#wordsOfFiles();
    if (commands[0]?.[0] === 'checkout') for (const word of before) if (!after.has(word)) this.#mayBeLost.add(word);
  }

  /** What stopped in conflicts: each is settled one way or another, then it goes on, or it is given up. */
  async #settle(status: Answer<Operations['git.status']>): Promise<void> {
    const { conflicts, doing } = status;
    if (this.#random.below(4) === 0 && doing !== undefined) {
      const done = await this.#change('git.abort', {}, { index: true, files: true });
      if (done !== undefined) this.#lose();
      return;
    }
    for (const { path: name, kind } of conflicts) {
      await this.#pause(40);
      const way = this.#random.of(['ours', 'theirs', 'both', 'edit', 'edit', 'edit'] as const);
      this.#say(`settles ${name}, ${kind}, by ${way}`);
      if (way !== 'edit') {
        const done = await this.#change('git.restore', { files: [{ path: name }], side: way }, { files: true });
        if (done !== undefined) this.#lose([name]);
        if (way === 'both') await this.#takeMarksOut(name);
      } else await this.#takeMarksOut(name);
      await this.#change('git.stage', { files: [{ path: name }] }, { index: true });
    }
    if (doing === undefined) return;
    const done = await this.#change('git.continue', {}, { index: true, files: true });
    if (done !== undefined && doing === 'rebase') this.#lose();
  }

  /** By somebody in the document, or over the API. */
  async #takeMarksOut(name: string): Promise<void> {
    const isMark = /^(?:<<<<<<<|=======|>>>>>>>).*\n/m;
    const person = this.#people.get(name)?.[0];
    if (person !== undefined && (name === formattedName || this.#random.below(2) === 0)) {
      const { text } = person;
      for (let match = isMark.exec(text.toString()); match !== null; match = isMark.exec(text.toString()))
        text.delete(match.index, match[0].length);
      return;
    }
    const read = await this.#call('files.read', { path: name });
    if (read instanceof OutriggerError) return;
    const settled = read.text.replaceAll(new RegExp(isMark, 'gm'), '');
    await this.#call('files.write', { path: name, text: settled, ifMatch: read.etag });
  }

  /** Undefined where it was refused: all is as it was then. */
  async #change<K extends keyof Operations & string>(
    name: K,
    input: Asked<Operations[K]>,
    does: { files?: boolean; index?: boolean },
  ): Promise<Answer<Operations[K]> | undefined> {
    const before = this.#isAlone ? this.#repository() : '';
    const had = this.#wordsOfFiles();
    // What is ended in the moment in which git makes index.lock leaves that: only what goes on to its end is canceled here.
    const isCanceled = goesOn.has(name) && this.#random.below(6) === 0;
    const answer = await this.#call(name, input, isCanceled ? AbortSignal.timeout(1 + this.#random.below(60)) : undefined);
    const has = this.#wordsOfFiles();
    const [went, came] = [[...had].filter((word) => !has.has(word)), [...has].filter((word) => !had.has(word))];
    this.#say(`${name}: went ${went.join(' ')}; came ${came.join(' ')}`);
    if (answer instanceof OutriggerError) {
      if (answer.reason === 'CONNECTION_LOST' || answer.reason === 'CANCELED') {
        this.#round.files = this.#round.index = this.#round.unstages = true;
        if (['git.restore', 'git.reset', 'git.abort', 'git.continue'].includes(name) || JSON.stringify(input).includes('d')) this.#lose();
        return undefined;
      }
      if (/is still there: see|still under way|put aside/.test(answer.message)) {
        this.#round.files = this.#round.index = true;
        return undefined;
      }
      if (!this.#isAlone) return undefined;
      const after = this.#repository();
      if (after !== before)
        this.#fail(`${name} was refused (${answer.reason} ${answer.message}), and changed something:\n${before}\nis now\n${after}`);
      return undefined;
    }
    this.#round.files ||= does.files === true;
    this.#round.index ||= does.index === true;
    this.#round.unstages ||= !['git.commit', 'git.restore', 'git.stage'].includes(name);
    return answer;
  }

  async #call<K extends keyof Operations & string>(
    name: K,
    input: Asked<Operations[K]>,
    signal?: AbortSignal,
  ): Promise<Answer<Operations[K]> | OutriggerError> {
    const said = `${name} ${JSON.stringify(input).slice(0, 200)}`;
    this.#say(`${said} …`);
    try {
      const answer = await this.#setting.client.call(name, input, signal === undefined ? {} : { signal });
      this.#say(`${name}: ${JSON.stringify(answer).slice(0, 200)}`);
      this.#count(`${name} ${'outcome' in answer ? answer.outcome : 'done'}`);
      return answer;
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      if (this.#killed && error.reason === 'CONNECTION_LOST') return error;
      if (signal?.aborted === true && error.reason === 'CANCELED') return error;
      this.#say(`${name}: ${error.reason} ${error.message}`);
      this.#count(`${name} ${error.reason}`);
      const declared: readonly string[] = operations[name].errors;
      if (!declared.includes(error.reason)) this.#fail(`${said} answered ${error.reason}, which it does not declare: ${error.message}`);
      if (error.hint === '') this.#fail(`${said} answered ${error.reason} without a hint`);
      return error;
    }
  }

  // ── what is known ────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Text of files was thrown away; undefined: of all. What is typed from now on is not among it. */
  #lose(paths?: readonly string[]): void {
    for (const [word, state] of this.#words)
      if (state === 'there' && (paths === undefined || paths.some((one) => isAlike(one, this.#places.get(word) ?? ''))))
        this.#mayBeLost.add(word);
  }

  /** What git is about to join with the files. */
  #meets(revision: string): void {
    const here = this.#wordsOfFiles();
    for (const name of [...typedNames, ...unopened, 'only other.txt', 'w/moved.txt', 'w/deep/y.txt', movedName])
      for (const word of countWords(this.#shown(`${revision}:${name}`)).keys()) if (here.has(word)) this.#mayBeTwice.add(word);
  }

  async rest(): Promise<void> {
    const { client } = this.#setting;
    let last = '';
    const isAtRest = async (): Promise<void> => {
      const { documents } = await client.call('documents.list', {});
      last = documents.map((document) => `${document.path} ${document.state} ${document.problem ?? ''}`).join('\n');
      for (const [name, people] of this.#people) {
        const [one, other] = people.map(({ text }) => text.toString());
        const places = name === 'emoji.txt' ? [name, movedName] : [name];
        last += `\n${name}: ${JSON.stringify([one, other, ...places.map((place) => this.#disk(place))])}`;
        assert.equal(one, other);
        const infos = documents.filter((document) => places.includes(document.path) && document.connections > 0);
        assert.equal(infos.length, 1, name);
        const place = infos[0]?.path ?? name;
        if (infos[0]?.state === 'deleted') assert.equal(this.#disk(place), undefined);
        else {
          assert.equal(infos[0]?.state, 'saved', name);
          assert.equal(this.#disk(place)?.replaceAll('\r\n', '\n'), one, name);
        }
      }
    };
    await eventually(isAtRest, 30_000).catch((error: unknown) => this.#fail(`no rest: ${String(error)}\n${last}`));
    for (const name of this.#everyFile()) {
      const disk = this.#disk(name);
      if (disk === undefined) continue;
      const read = await client.call('files.read', { path: name });
      if (read.text !== disk) this.#fail(`files.read of ${name} is ${JSON.stringify(read.text)}, the file ${JSON.stringify(disk)}`);
    }
    await this.#checkStatus();
    this.#checkWords();
    this.#checkLeft();
  }

  #checkWords(): void {
    const { files, index, brought, takenAway } = this.#round;
    const now = this.#wordsOfFiles();
    const kept = this.#wordsKept();
    const nowIndex = this.#index();
    if (!files) {
      for (const word of [...this.#filesAtRest, ...brought])
        if (!now.has(word) && !takenAway.has(word) && this.#words.get(word) === 'there')
          this.#fail(`${word} is not in the files, and nobody took it away`);
      for (const word of now)
        if (!this.#filesAtRest.has(word) && !this.#heldAtRest.has(word) && !brought.has(word))
          this.#fail(`${word} is in the files, and nobody brought it`);
    }
    if (!index) {
      if (nowIndex.entries !== this.#indexAtRest.entries)
        this.#fail(`the index changed:\n${this.#indexAtRest.entries}\nis now\n${nowIndex.entries}`);
    }
    if (!this.#round.unstages && !files)
      for (const word of this.#indexAtRest.words)
        if (this.#words.get(word) === 'there' && !nowIndex.words.has(word) && !kept.has(word))
          this.#fail(`${word} was staged, and is neither that nor committed`);
    const held = this.#wordsHeld();
    const heldStill: string[] = [];
    for (const [word, state] of this.#words) {
      const isThere = now.has(word) || nowIndex.words.has(word) || kept.has(word);
      if (state === 'refused' && isThere) this.#fail(`${word} was refused, and is there`);
      if (state === 'thrown away' && now.has(word)) this.#fail(`${word} was thrown away, and came back`);
      if (state !== 'there' || isThere) continue;
      if (!this.#mayBeLost.has(word)) this.#fail(`${word} is lost`);
      if (held.has(word)) heldStill.push(word);
      else this.#words.set(word, 'thrown away');
    }
    this.#mayBeLost.clear();
    for (const word of heldStill) this.#mayBeLost.add(word);
    for (const name of this.#everyFile()) {
      const text = this.#disk(name) ?? '';
      for (const [word, count] of countWords(text)) {
        if (count < 2 || this.#mayBeTwice.has(word)) continue;
        // Git has put both sides of a conflict there.
        if (/^<<<<<<< /m.test(text)) this.#mayBeTwice.add(word);
        else this.#fail(`${word} is in ${name} ${count} times:\n${text}`);
      }
    }
    this.#filesAtRest = now;
    this.#heldAtRest = held;
    this.#indexAtRest = nowIndex;
  }

  /** What the sidecar says is what git says. */
  async #checkStatus(): Promise<void> {
    const said = await this.#setting.client.call('git.status', {});
    const known = statusByGit(this.#git('status', '--porcelain=v2', '--branch', '--show-stash', '-z', '--untracked-files=all'));
    const ours = {
      branch: said.branch,
      head: said.head,
      stashes: said.stashes,
      changes: said.changes.map(({ path: name, from, staged, unstaged }) => ({
        path: name,
        ...(from === undefined ? {} : { from }),
        staged,
        unstaged,
      })),
      conflicts: said.conflicts,
    };
    if (!isDeepStrictEqual(ours, known)) this.#fail(`git.status is ${JSON.stringify(ours)}, and git says ${JSON.stringify(known)}`);
  }

  #checkLeft(): void {
    const left = [...this.#everyFile(), ...fs.readdirSync(path.join(this.#setting.root, '.git')).map((name) => `.git/${name}`)];
    const strange = left.filter((name) => /\.lock$|\.tmp$|~$|\.orig$|\.rej$/.test(name));
    if (strange.length > 0) this.#fail(`left: ${strange.join(', ')}`);
    const said = this.#git('fsck', '--no-dangling', '--no-progress');
    if (said !== '') this.#fail(`git fsck: ${said}`);
  }

  #newWord(place: string): string {
    const word = `W${++this.#number}w`;
    this.#places.set(word, place);
    this.#words.set(word, 'there');
    this.#round.brought.add(word);
    return word;
  }

  #removed(word: string): void {
    this.#words.set(word, 'removed');
    this.#round.takenAway.add(word);
  }

  /** Of documents whose file is gone: the next to type there brings all of it back, unless the file comes first. */
  #wordsHeld(): Set<string> {
    const gone = [...this.#people].filter(
      ([name]) => this.#disk(name) === undefined && (name !== 'emoji.txt' || this.#disk(movedName) === undefined),
    );
    return new Set(gone.flatMap(([, people]) => people.flatMap(({ text }) => [...countWords(text.toString()).keys()])));
  }

  /** Of all commits and stashes that are there or were. */
  #wordsKept(): Set<string> {
    const objects = this.#git('rev-list', '--objects', '--all', '--reflog')
      .split('\n')
      .flatMap((line) => line.split(' ')[0] || []);
    const contents = execFileSync('git', ['cat-file', '--batch'], {
      cwd: this.#setting.root,
      input: `${objects.join('\n')}\n`,
      encoding: 'latin1',
      maxBuffer: 1 << 28,
    });
    return new Set(countWords(contents).keys());
  }

  #index(): Index {
    const entries = this.#git('ls-files', '--stage', '-z').replaceAll('\0', '\n');
    const words = new Set<string>();
    for (const [, hash = ''] of entries.matchAll(/^\d+ ([\da-f]+) /gm))
      for (const word of countWords(this.#shown(hash)).keys()) words.add(word);
    return { entries, words };
  }

  #indexLines(name: string): string[] {
    return this.#shown(`:${name}`)
      .split('\n')
      .filter((line, at, all) => line !== '' || at < all.length - 1);
  }

  /** All that a refused operation leaves as it is. */
  #repository(): string {
    const refs = this.#git('for-each-ref', '--format=%(refname) %(objectname)');
    return [
      refs,
      fs.readFileSync(path.join(this.#setting.root, '.git/HEAD'), 'utf8'),
      this.#git('ls-files', '--stage'),
      this.#shownStashes(),
    ].join('\n');
  }

  #shownStashes(): string {
    return this.#git('stash', 'list', '--format=%H');
  }

  #shown(what: string): string {
    try {
      return this.#git('cat-file', 'blob', what);
    } catch {
      return '';
    }
  }

  #wordsOfFiles(): Set<string> {
    return new Set(this.#everyFile().flatMap((name) => [...countWords(this.#disk(name) ?? '').keys()]));
  }

  #everyFile(folder = ''): string[] {
    return fs.readdirSync(path.join(this.#setting.root, folder), { withFileTypes: true }).flatMap((entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) return entry.name === '.git' ? [] : this.#everyFile(name);
      return [name];
    });
  }

  #put(name: string, text: string, mode = 0o666): void {
    const at = path.join(this.#setting.root, name);
    fs.mkdirSync(path.dirname(at), { recursive: true });
    fs.writeFileSync(at, text, { mode });
  }

  #append(name: string, word: string): void {
    const before = this.#disk(name) as string;
    const eol = before.includes('\r\n') ? '\r\n' : '\n';
    this.#put(name, before.endsWith('\n') ? `${before}${word}${eol}` : `${before}\n${word}`);
  }

  #disk(name: string): string | undefined {
    try {
      return fs.readFileSync(path.join(this.#setting.root, name), 'utf8');
    } catch {
      return undefined;
    }
  }

  #git(...args: string[]): string {
    // A hook of somebody's own git reads before or after the saves that nobody holds for it.
    return execFileSync('git', ['-c', 'core.hooksPath=/dev/null', ...args], {
      cwd: this.#setting.root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      maxBuffer: 1 << 28,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: '0' },
    });
  }

  async #pause(atMostMs: number): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.#random.below(atMostMs)));
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #say(what: string): void {
    this.#trace.push(`${Math.round(performance.now())} ${what}`);
  }

  #about(problem: string): string {
    const file = process.env['TYPISTS_TRACE'];
    if (file !== undefined) fs.writeFileSync(file, this.#trace.join('\n'));
    return `SEED=${this.#seed}: ${problem}\n${this.#trace.slice(-80).join('\n')}`;
  }

  #fail(problem: string): never {
    assert.fail(this.#about(problem));
  }
}

interface Index {
  entries: string;
  words: Set<string>;
}

const config = {
  'user.name': 'Uma',
  'user.email': 'uma@example.org',
  'core.autocrlf': 'false',
  'commit.gpgsign': 'false',
  'gc.auto': '0',
  'maintenance.auto': 'false',
};

const formatter = `#!/bin/sh
[ -f ${formattedName} ] || exit 0
text=$(cat ${formattedName}; echo .)
sleep 0.0$(($$ % 10))
printf %s "\${text%.}" > ${formattedName}
`;

const goesOn: ReadonlySet<string> = new Set([
  'git.stash',
  'git.checkout',
  'git.merge',
  'git.revert',
  'git.cherryPick',
  'git.rebase',
  'git.abort',
]);
const joining: ReadonlySet<string> = new Set(['checkout', 'merge', 'revert', 'cherry-pick', 'rebase', 'pop', 'apply']);

const kinds = [
  ...[
    'stage',
    'stage',
    'unstage',
    'stage hunk',
    'stage hunk',
    'stage hunk',
    'discard hunk',
    'discard hunk',
    'discard',
    'commit',
    'commit',
    'commit',
  ],
  ...['stash', 'stash', 'pop', 'pop', 'checkout', 'checkout, stash', 'merge', 'revert', 'cherry-pick', 'reset', 'reset hard', 'read'],
  ...['apply', 'drop', 'rebase', 'checkout, discard'],
] as const;

/** Files of one folder are moved to and fro. */
function isAlike(one: string, other: string): boolean {
  return one === other || (one.startsWith('w/') && other.startsWith('w/')) || (one.includes('emoji') && other.includes('emoji'));
}

function newRound(): Round {
  return { files: false, index: false, unstages: false, brought: new Set(), takenAway: new Set() };
}

function firstText(name: string): string {
  const lines = Array.from({ length: 20 }, (_, line) => `${line} of ${name}${name.startsWith('emoji') ? ' 🚣‍♀️ é' : ''}`);
  return `${lines.join(name.includes('crlf') ? '\r\n' : '\n')}${name === 'no end.txt' ? '' : name.includes('crlf') ? '\r\n' : '\n'}`;
}

function countWords(text: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [word] of text.matchAll(wordPattern)) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}

function countsOf(lines: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const line of lines) counts.set(line, (counts.get(line) ?? 0) + 1);
  return counts;
}

function sameCounts(one: ReadonlyMap<string, number>, other: ReadonlyMap<string, number>): boolean {
  return one.size === other.size && [...one].every(([line, count]) => other.get(line) === count);
}

const letters = { M: 'modified', A: 'added', D: 'deleted', R: 'renamed', C: 'copied', T: 'type-changed' } as const;
/** As git's letters of a file in conflict are called. */
export const conflictKinds = {
  DD: 'both-deleted',
  AU: 'added-by-us',
  UD: 'deleted-by-them',
  UA: 'added-by-them',
  DU: 'deleted-by-us',
  AA: 'both-added',
  UU: 'both-modified',
} as const;

function statusByGit(said: string) {
  const records = said.split('\0');
  const status = {
    branch: null as string | null,
    head: null as string | null,
    stashes: 0,
    changes: [] as object[],
    conflicts: [] as object[],
  };
  for (let at = 0; at < records.length; at++) {
    const record = records[at] as string;
    const [kind = '', second = '', third = ''] = record.split(' ');
    const nameAfter = (fields: number): string => record.split(' ').slice(fields).join(' ');
    const states = { staged: letters[second[0] as 'M'] ?? null, unstaged: letters[second[1] as 'M'] ?? null };
    if (second === 'branch.oid') status.head = third;
    else if (second === 'branch.head') status.branch = third === '(detached)' ? null : third;
    else if (second === 'stash') status.stashes = Number(third);
    else if (kind === '1') status.changes.push({ path: nameAfter(8), ...states });
    else if (kind === '2') status.changes.push({ path: nameAfter(9), from: records[++at], ...states });
    else if (kind === '?') status.changes.push({ path: nameAfter(1), staged: null, unstaged: 'untracked' });
    else if (kind === 'u') {
      status.changes.push({ path: nameAfter(10), staged: 'unmerged', unstaged: 'unmerged' });
      status.conflicts.push({ path: nameAfter(10), kind: conflictKinds[second as 'UU'] });
    }
  }
  return status;
}
