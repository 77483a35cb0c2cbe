// Several callers ask one sidecar by chance, programs beside it change the folder, and people type. Each answer, the folder itself and what followers
// believe of it are compared with a folder in memory. Calls at once may have any order that explains all of them.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import type { Client } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { Random } from './random.ts';
import { type RunningSidecar, withSidecar } from './sidecar.ts';
import { Actors, pathsOf } from './workspace-model-actors.ts';
import { answerOf, type Expected, type ModelCall } from './workspace-model-answers.ts';
import { CallMaker, modelLinks } from './workspace-model-calls.ts';
import { changedPaths, changedPathsByValue, folderAt, foldersDiffer } from './workspace-model-disk.ts';
import { Followers } from './workspace-model-followers.ts';
import { ModelFolder, parentOf } from './workspace-model-folder.ts';
import { OutsidePrograms } from './workspace-model-outside.ts';
import { Typist } from './workspace-model-typist.ts';
import { differenceOf, openWays, type Outcome, type Way, type Ways } from './workspace-model-ways.ts';

export type ModelCounts = Record<string, number>;

const REST_EVERY = 12;
/** Names that come and go while others are listed. */
const PASSING = /(?:^|\/)passing\d+-\d$/;
/** Entries above which something is removed. */
const MANY = 70;

export async function runWorkspaceModel(seed: number, steps: number, counts: ModelCounts): Promise<void> {
  let failure: unknown;
  await withSidecar(
    async (running) => {
      const model = new WorkspaceModel(running, new Random(seed), counts);
      try {
        await model.run(steps);
      } catch (error) {
        // What a sidecar that is stopped afterwards says of it comes second.
        failure = error;
        throw new Error(
          `SEED=${seed}\n${model.trace.slice(-Number(process.env['MODEL_TRACE'] ?? 40)).join('\n')}\n${error instanceof Error ? error.stack : String(error)}`,
          {
            cause: error,
          },
        );
      } finally {
        model.close();
      }
    },
    { config: { 'limits.requestsPerMinute': '10000000', 'log.level': 'error' }, prepare: makeFolder },
  );
  assert.equal(failure, undefined);
}

function makeFolder(root: string): void {
  fs.mkdirSync(path.join(root, 'a/sub'), { recursive: true });
  fs.mkdirSync(path.join(root, 'b'));
  for (const [name, target] of Object.entries(modelLinks)) fs.symlinkSync(target, path.join(root, name));
  const files = {
    'one.txt': 'red\nblue\nred\n',
    'a/one.txt': 'aaa\nred blue\n',
    'a/CRLF.txt': 'red\r\nblue\r\n',
    'a/sub/two.txt': '\ufeffred\n',
  };
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(root, name), text);
}

function orders<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]];
  return items.flatMap((item, at) => orders(items.filter((_, other) => other !== at)).map((rest) => [item, ...rest]));
}

function told(call: ModelCall): string {
  const bytes = 'bytes' in call ? ` ${call.bytes.length} bytes ${call.bytes.subarray(0, 12).toString('hex')}` : '';
  const input = JSON.stringify(call.input).replace(/([xyz€]|ünï😀| )\1{20,}/gu, '$1…');
  return `${call.name} ${input.slice(0, 700)}${bytes}`;
}

class WorkspaceModel {
  readonly trace: string[] = [];
  readonly #running: RunningSidecar;
  readonly #random: Random;
  readonly #counts: ModelCounts;
  readonly #client: Client<Operations>;
  readonly #folder = new ModelFolder();
  readonly #calls: CallMaker;
  readonly #open: Ways[] = [];
  #ways: Way[] = [];
  readonly #actors = new Actors();
  readonly #followers: Followers;
  readonly #outside: OutsidePrograms;
  readonly #typist: Typist;
  #number = 0;

  constructor(running: RunningSidecar, random: Random, counts: ModelCounts) {
    this.#running = running;
    this.#random = random;
    this.#counts = counts;
    this.#client = running.client;
    this.#calls = new CallMaker(random, this.#folder);
    const say = (what: string): void => this.#say(what);
    this.#followers = new Followers({
      ...{ client: this.#client, folder: this.#folder, actors: this.#actors, pages: new Random(random.below(1e9)), say },
      fail: (problem) => this.#fail(problem),
    });
    this.#typist = new Typist({
      ...{ url: running.url, token: running.token, client: this.#client, random, calls: this.#calls, folder: this.#folder },
      ...{ actors: this.#actors, unquiet: this.#followers.unquiet, say, rest: () => this.#rest(), call: (call) => this.#call(call) },
    });
    this.#outside = new OutsidePrograms({
      ...{ random, calls: this.#calls, folder: this.#folder, root: running.root, say },
      changed: (before) => {
        const changed = changedPaths(before, this.#folder);
        this.#actors.carryAlong(before, changed, this.#folder);
        for (const one of changed) this.#actedOutside(one);
        this.#count('outside');
      },
    });
  }

  close(): void {
    this.#followers.close();
    for (const ways of this.#open) ways.close();
  }

  async run(steps: number): Promise<void> {
    const { url, token, root } = this.#running;
    this.#folder.become(folderAt(root));
    for (const name of this.#folder.nodes.keys()) this.#actors.allow(name, 'outside');
    const callers = [{ who: 'owner', secret: token }];
    for (const [who, access] of [
      ['ann', 'write'],
      ['bob', 'execute'],
    ] as const)
      callers.push({ who, secret: (await this.#client.call('tokens.create', { name: who, access })).secret });
    for (const { who, secret } of callers) this.#open.push(openWays(url, secret, who));
    this.#ways = this.#open.flatMap(({ all }) => all);
    await this.#followers.begin();
    for (let step = 0; step < steps; step++) {
      const kind = this.#random.below(24);
      if (this.#folder.nodes.size > MANY) await this.#shrink();
      else if (kind < 5) await this.#call(this.#calls.reading());
      else if (kind < 15) await this.#call(this.#calls.writing());
      else if (kind < 18) this.#outside.act();
      else if (kind < 22) await this.#atOnce();
      else if (kind < 23) await this.#listAmongChanges();
      else {
        await this.#typist.write();
        this.#count('documents');
      }
      if (step % REST_EVERY === REST_EVERY - 1) await this.#rest();
    }
    await this.#rest();
  }

  // ── one call ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  #wayFor(call: ModelCall, ways = this.#ways): Way {
    const able = ways.filter((way) => way.takes(call) && !this.#leadsElsewhere(way, call));
    return this.#random.of(able);
  }

  /** Platxa puts an upload into a folder. */
  #leadsElsewhere(way: Way, call: ModelCall): boolean {
    if (way.name !== 'Platxa' || call.name !== 'files.upload') return false;
    try {
      return this.#folder.entry(call.input.path)?.kind === 'directory';
    } catch {
      return false;
    }
  }

  async #call(call: ModelCall, way = this.#wayFor(call)): Promise<Outcome> {
    const before = this.#folder.copy();
    const expected = this.#expect(call);
    this.#say(`${way.who} over ${way.name}: ${told(call)}`);
    const outcome = await way.ask(call);
    this.#say(`  ${short(outcome)}`);
    const differences = expected.map((one) => differenceOf(one, outcome));
    if (!differences.includes(undefined) && !isExcused(call, outcome)) this.#fail(`${told(call)}: ${differences[0]}`);
    if (isExcused(call, outcome)) this.#folder.become(before);
    this.#count(`${call.name} ${outcome.reason ?? outcome.status ?? 'done'}`);
    this.#count(`over ${way.name}`);
    this.#actors.acted(before, way.who, call, this.#folder);
    this.#compareDisk();
    await this.#followers.askChanges();
    this.#followers.comparePrompt();
    if (call.name === 'files.batch' && outcome.fields?.['undo'] !== undefined && call.input.dryRun !== true && this.#random.below(2) === 0)
      await this.#undo(before, outcome.fields['undo'] as never, way);
    return outcome;
  }

  /** The answers that hold: of what is read from the disk, while a document's text may be saved or not, either. */
  #expect(call: ModelCall): Expected[] {
    const isOfDisk = call.name === 'files.download' || (call.name === 'files.read' && call.input.source === 'disk');
    const stale = isOfDisk ? this.#folder.copy() : undefined;
    const expected = [answerOf(this.#folder, call)];
    if (stale !== undefined) {
      for (const [name, node] of stale.nodes)
        if (node.kind === 'file' && node.disk !== undefined) stale.nodes.set(name, { kind: 'file', bytes: node.disk, mode: node.mode });
      expected.push(answerOf(stale, call));
    }
    return expected;
  }

  async #undo(before: ModelFolder, changes: never, way: Way): Promise<void> {
    if ((changes as unknown[]).length === 0) return;
    const now = this.#folder.copy();
    this.#say(`${way.who} undoes it: ${JSON.stringify(changes).slice(0, 600)}`);
    const outcome = await way.ask({ name: 'files.batch', input: { changes } });
    if (outcome.reason !== undefined) this.#fail(`the undo is refused with ${outcome.reason}: ${outcome.message}`);
    this.#folder.become(before);
    this.#actors.acted(now, way.who, { name: 'files.batch', input: { changes } }, this.#folder);
    this.#compareDisk();
    await this.#followers.askChanges();
    this.#followers.comparePrompt();
    this.#count('undone');
  }

  /** Keeps the folder small. */
  async #shrink(): Promise<void> {
    const top = this.#random.of(this.#folder.inside('').filter((name) => !(name in modelLinks)));
    await this.#call({ name: 'files.remove', input: { path: top, recursive: true } });
    for (const name of ['a', 'a/sub', 'b']) await this.#call({ name: 'files.mkdir', input: { path: name } });
    for (const [name, target] of Object.entries(modelLinks))
      if (this.#folder.nodes.get(name) === undefined && this.#folder.nodes.get(parentOf(name))?.kind === 'directory') {
        fs.symlinkSync(target, this.#at(name));
        this.#folder.nodes.set(name, { kind: 'symlink', target });
        this.#actedOutside(name);
      }
  }

  // ── calls at once ────────────────────────────────────────────────────────────────────────────────────────────────────

  async #atOnce(): Promise<void> {
    const few = [this.#calls.path(), this.#calls.path()];
    const calls: { call: ModelCall; way: Way }[] = [];
    for (let tries = 0; calls.length < 2 + this.#random.below(2) && tries < 40; tries++) {
      const path = this.#random.of(few);
      const call = this.#random.below(3) === 0 ? this.#calls.reading(path) : this.#calls.writing(path);
      if (!this.#isAtomic(call)) continue;
      calls.push({
        call,
        way: this.#wayFor(
          call,
          this.#ways.filter(({ name }) => name !== 'Platxa' || call.name !== 'files.upload'),
        ),
      });
    }
    const before = this.#folder.copy();
    for (const { call, way } of calls) this.#say(`at once, ${way.who} over ${way.name}: ${told(call)}`);
    const done = await Promise.all(calls.map(async ({ call, way }) => ({ call, way, outcome: await way.ask(call) })));
    for (const { outcome } of done) this.#say(`  ${short(outcome)}`);
    const disk = folderAt(this.#running.root);
    // Platxa's answer does not say which it was.
    const mayBeTyped = done.some(
      ({ call, way, outcome }) => outcome.fields?.['document'] === true || (way.name === 'Platxa' && call.name === 'files.write'),
    );
    const why: string[] = [];
    const steps: { from: ModelFolder; to: ModelFolder; call: ModelCall; who: string }[] = [];
    const found = orders(done).some((order) => {
      const folder = before.copy();
      steps.length = 0;
      for (const { call, outcome, way } of order) {
        const from = folder.copy();
        // Nothing was done, and to ask again is what is told.
        if (outcome.reason === 'BUSY_FILE' || isExcused(call, outcome)) continue;
        const expected = answerOf(folder, call);
        // A write to a document is read before it is saved, and then the facts of the file are those of before.
        if (call.name === 'files.stat' && mayBeTyped) continue;
        const wrong = differenceOf(expected, outcome);
        if (wrong !== undefined) return void why.push(`${call.name}: ${wrong}`);
        steps.push({ from, to: folder.copy(), call, who: way.who });
      }
      const wrong = foldersDiffer(folder, disk);
      if (wrong !== '') return void why.push(wrong);
      this.#folder.become(folder);
      return true;
    });
    if (!found) this.#fail(`no order explains it:\n${why.join('\n')}`);
    for (const { outcome } of done) this.#count(`at once ${outcome.reason ?? outcome.status ?? 'done'}`);
    for (const { from, to, call, who } of steps) this.#actors.acted(from, who, call, to);
    await this.#followers.askChanges();
    this.#followers.comparePrompt();
  }

  /** Others see nothing of it half done. */
  #isAtomic(call: ModelCall): boolean {
    if (call.name === 'files.remove') return call.input.recursive !== true;
    if (call.name === 'files.list') return call.input.recursive !== true;
    // Folders are made before what they are made for.
    if (pathsOf(call).some((name) => name !== '' && this.#folder.nodes.get(parentOf(name))?.kind !== 'directory')) return false;
    if (call.name !== 'files.copy') return true;
    try {
      return this.#folder.entry(call.input.from)?.kind === 'file';
    } catch {
      return false;
    }
  }

  /** What nobody touches stands in a list once, whatever happens to other names meanwhile. */
  async #listAmongChanges(): Promise<void> {
    const still = [...this.#folder.nodes.keys()].filter((name) => name !== '' && !PASSING.test(name));
    const who = this.#wayFor({ name: 'files.mkdir', input: { path: 'x' } });
    const places = ['', ...['a', 'b'].flatMap((name) => (this.#folder.nodes.get(name)?.kind === 'directory' ? [`${name}/`] : []))];
    this.#say('lists among changes');
    let over = false;
    const mine = `passing${this.#number++}-`;
    const passing = (async () => {
      for (let number = 0; !over && number < 200; number++) {
        const name = `${places[number % places.length] ?? ''}${mine}${number % 5}`;
        const call: ModelCall =
          number % 4 === 3
            ? { name: 'files.remove', input: { path: name, missingOk: true, recursive: true } }
            : { name: 'files.write', input: { path: name, text: `${number}` } };
        for (const one of pathsOf(call)) this.#actors.allow(one, who.who);
        const { reason, message } = await who.ask(call);
        if (reason !== undefined) this.#fail(`${told(call)}: ${reason} ${message}`);
      }
    })();
    passing.catch(() => {});
    for (let time = 0; time < 3; time++) {
      const { items } = await this.#client.call('files.list', { path: '', recursive: true });
      const names = items.map((item) => item.path);
      if (new Set(names).size !== names.length) this.#fail(`an entry is listed twice: ${names.join(', ')}`);
      const missing = still.filter((name) => !names.includes(name));
      if (missing.length > 0) this.#fail(`not listed: ${missing.join(', ')}`);
    }
    over = true;
    await passing;
    const now = folderAt(this.#running.root);
    const strange = changedPathsByValue(this.#folder, now).filter((name) => !PASSING.test(name) && !['a', 'b'].includes(name));
    if (strange.length > 0) this.#fail(`changed by nobody: ${strange.join(', ')}`);
    for (const name of ['a', 'b']) this.#actors.allow(name, who.who);
    this.#folder.become(now);
    await this.#followers.askChanges();
    this.#followers.comparePrompt();
    for (const name of now.nodes.keys()) if (PASSING.test(name)) await this.#call({ name: 'files.remove', input: { path: name } });
    this.#count('lists among changes');
  }

  // ── beside the calls ─────────────────────────────────────────────────────────────────────────────────────────────────

  #actedOutside(name: string): void {
    this.#actors.allow(name, 'outside');
    this.#followers.unquiet.add(name);
  }

  async #rest(): Promise<void> {
    this.#compareDisk();
    await this.#followers.rest(this.#random.below(2) === 0);
    this.#compareDisk();
    this.#count('rests');
    this.#say('at rest');
  }

  // ── small things ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #compareDisk(): void {
    this.#actors.see(this.#folder);
    const wrong = foldersDiffer(this.#folder, folderAt(this.#running.root));
    if (wrong !== '') this.#fail(`the folder is another:\n${wrong}`);
  }

  #at(name: string): string {
    return path.join(this.#running.root, name);
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  #say(what: string): void {
    this.trace.push(`${Math.round(performance.now())} ${what}`);
  }

  #fail(problem: string): never {
    assert.fail(problem);
  }
}

function short({ fields, reason, status, message }: Outcome): string {
  return fields === undefined ? `${reason ?? status ?? 'done'} ${message ?? ''}` : JSON.stringify(fields).slice(0, 300);
}

/** A batch does not go through a link that it moves, and puts no bytes into an open document; it says so. */
function isExcused(call: ModelCall, { reason, message = '' }: Outcome): boolean {
  if (call.name !== 'files.batch') return false;
  return (
    (reason === 'BAD_INPUT' && message.includes('through a link that this batch moves')) ||
    (reason === 'NOT_TEXT' && message.includes('is open for editing'))
  );
}
