import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Client } from '../../src/client/client.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Answer, Asked } from '../../src/contract/operation.ts';
import { operations, type Operations } from '../../src/contract/operations.ts';
import { GitEdits } from './git-model-edits.ts';
import { GitFeed } from './git-model-feed.ts';
import { GitFolder } from './git-model-folder.ts';
import * as joins from './git-model-joins.ts';
import { OutsideGit } from './git-model-outside.ts';
import { GitReads } from './git-model-reads.ts';
import * as steps from './git-model-steps.ts';
import type { Name, Step } from './git-model-steps.ts';
import { Random } from './random.ts';
import { withSidecar } from './sidecar.ts';
import { withScratchFolder } from './scratch-folder.ts';

/*
 * Two folders that begin equal. What a sidecar is told to do in the one, the program git is told in the other, in the words of its users; files are edited, and
 * git is run from outside, in both. After each step the two are equal, byte for byte, with the same commits; and the sidecar says of its folder what git says
 * of the twin. What is refused is refused there too, and changes nothing.
 */

/** Of all commits that the sidecar makes; others have others. */
const DATE = '1767225600 +0000';

export interface GitModelCounts {
  steps: Record<string, number>;
}

export function runGitModel(seed: number, count: number, counts: GitModelCounts): Promise<void> {
  return withScratchFolder('git-model', async (folder) => {
    const home = path.join(folder, 'home');
    fs.mkdirSync(home);
    fs.writeFileSync(path.join(home, '.gitconfig'), userConfig);
    const env = {
      PATH: process.env['PATH'] ?? '',
      HOME: home,
      LC_ALL: 'C',
      GIT_EDITOR: 'true',
      GIT_AUTHOR_DATE: DATE,
      GIT_COMMITTER_DATE: DATE,
    };
    const [side, twin] = ['side', 'twin'].map((name) => path.join(folder, name));
    for (const root of [side, twin]) fs.mkdirSync(root as string);
    const folders = [new GitFolder(side as string, env), new GitFolder(twin as string, env)] as const;
    await withEnvironment(
      { HOME: home, XDG_CONFIG_HOME: path.join(home, 'none'), GIT_AUTHOR_DATE: DATE, GIT_COMMITTER_DATE: DATE },
      async () => {
        const random = new Random(seed);
        const edits = new GitEdits(random, folders);
        const outside = new OutsideGit(random, folders, edits, folder, env);
        outside.begin();
        await withSidecar(
          async ({ client }) => {
            const model = new GitModel(seed, { random, folders, edits, outside, client, counts });
            await client.call('index.wait', {});
            await model.begin();
            for (let step = 0; step < count; step++) await model.step();
            await model.end();
          },
          { workspace: side as string, config: { 'git.fileRemotes': true, 'limits.requestsPerMinute': '1000000' }, mayLogErrors: false },
        );
      },
    );
  });
}

const userConfig = `[user]
\tname = Uma User
\temail = uma@example.org
[init]
\tdefaultBranch = main
[protocol "file"]
\tallow = always
[maintenance]
\tauto = false
`;

async function withEnvironment(values: Readonly<Record<string, string>>, run: () => Promise<void>): Promise<void> {
  const before = Object.keys(values).map((name) => [name, process.env[name]] as const);
  Object.assign(process.env, values);
  try {
    await run();
  } finally {
    for (const [name, value] of before)
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
  }
}

interface Parts {
  random: Random;
  folders: readonly [GitFolder, GitFolder];
  edits: GitEdits;
  outside: OutsideGit;
  client: Client<Operations>;
  counts: GitModelCounts;
}

type Maker = (twin: GitFolder, random: Random) => Step | undefined;

const changing: readonly Maker[] = [
  ...[steps.stage, steps.stage, steps.unstage, steps.restore, steps.restore, steps.commit, steps.commit, steps.commit],
  ...[joins.branch, joins.tag, joins.stash, joins.stash, joins.fetch, joins.push, joins.push, joins.remote, joins.clone],
];
/** Among changes most of these are refused. */
const joining: readonly Maker[] = [
  ...[joins.checkout, joins.checkout, joins.checkout, joins.merge, joins.merge, joins.rebase, joins.pick, joins.pick],
  ...[joins.pull, joins.pull, joins.stash, steps.reset],
];
const settling: readonly Maker[] = [
  steps.restore,
  steps.stage,
  steps.stage,
  joins.goOn,
  joins.goOn,
  joins.abort,
  steps.commit,
  joins.merge,
  joins.checkout,
];

/** What each of them does hangs on nothing that was looked at before. */
const together: readonly Maker[] = [
  ...[steps.commitAll, steps.commitAll, steps.reset, joins.branch, joins.tag, joins.checkout, joins.merge, joins.rebase],
  ...[joins.pick, joins.fetch, joins.stash],
];
const beginners = new Set(['git.merge', 'git.rebase', 'git.cherryPick', 'git.revert']);

class GitModel {
  readonly #seed: number;
  readonly #parts: Parts;
  readonly #reads: GitReads;
  readonly #feed: GitFeed;
  readonly #trace: string[] = [];
  #step = 0;

  constructor(seed: number, parts: Parts) {
    this.#seed = seed;
    this.#parts = parts;
    this.#reads = new GitReads(this.#twin, parts.random, async (name, input, refused) => {
      const answer = await this.#call(name, input);
      assert.equal(answer instanceof OutriggerError ? answer.reason : undefined, refused);
      return answer instanceof OutriggerError ? undefined : answer;
    });
    this.#feed = new GitFeed(parts.client, this.#side);
  }

  get #side(): GitFolder {
    return this.#parts.folders[0];
  }

  get #twin(): GitFolder {
    return this.#parts.folders[1];
  }

  async begin(): Promise<void> {
    await this.#feed.begin();
    await this.#compare();
  }

  async step(): Promise<void> {
    this.#step++;
    try {
      await this.#one();
      await this.#compare();
    } catch (error) {
      throw new Error(
        `SEED=${this.#seed}, step ${this.#step}:\n${this.#trace.slice(-25).join('\n')}\n${error instanceof Error ? error.message : String(error)}`,
        {
          cause: error,
        },
      );
    }
  }

  async end(): Promise<void> {
    for (const folder of this.#parts.folders) assert.equal(folder.try(['fsck', '--no-dangling', '--no-progress']).said.trim(), '');
  }

  async #one(): Promise<void> {
    const { random, edits, outside } = this.#parts;
    const kind = random.below(20);
    if (kind < 6) for (let count = 1 + random.below(3); count > 0; count--) this.#say(edits.step());
    if (kind < 4) return;
    if (kind < 6) return this.#say(outside.step());
    if (this.#twin.doing !== undefined || this.#twin.unmerged.length > 0) return this.#settle();
    if (kind < 9) return this.#hunks();
    if (kind < 11) return this.#atOnce();
    if (kind < 15) {
      if (random.below(4) > 0) await this.#run(steps.commit(this.#twin, random, { all: true, message: 'before' }));
      return this.#run(random.of(joining)(this.#twin, random));
    }
    if (kind < 16) return this.#commitSome();
    await this.#run(random.of(changing)(this.#twin, random));
  }

  /** Of several files that changed some are staged, and some, perhaps others, committed. */
  async #commitSome(): Promise<void> {
    const { random, edits } = this.#parts;
    for (let count = 0; count < 3; count++) this.#say(edits.step());
    await this.#run(steps.stage(this.#twin, random));
    await this.#run(steps.commit(this.#twin, random, 'some'));
  }

  async #settle(): Promise<void> {
    const { random, edits } = this.#parts;
    for (const name of this.#twin.unmerged) {
      const text = this.#twin.content(name);
      if (text !== undefined && random.below(3) > 0) this.#say(edits.write(name, text.replaceAll(/^(?:<{7}|={7}|>{7}|\|{7}).*\n/gm, '')));
    }
    await this.#run(random.of(settling)(this.#twin, random));
  }

  async #hunks(): Promise<void> {
    const { random } = this.#parts;
    const action = random.of(['stage', 'stage', 'unstage', 'restore'] as const);
    const answer = await this.#call('git.hunks', { staged: action === 'unstage' });
    if (answer instanceof OutriggerError) throw answer;
    if (answer.files.length > 0) await this.#run(steps.hunks(this.#twin, random, action, answer));
  }

  /** Several calls at once take turns: in some order of them all comes to the same. */
  async #atOnce(): Promise<void> {
    const { random } = this.#parts;
    const all = Array.from({ length: 2 + random.below(2) }, () => random.of(together)(this.#twin, random)).filter(
      (one) => one !== undefined,
    );
    this.#say('at once:');
    const head = this.#call('git.status', {});
    await Promise.all([...all.map(({ name, input }) => this.#call(name, input as Asked<Operations[Name]>)), head]);
    const state = this.#side.state();
    let last: unknown;
    for (const order of orders(all)) {
      const before = this.#twin.keep();
      for (const one of order) this.#inTurn(one);
      last = this.#twin.state();
      if (isDeepStrictEqual(last, state)) return before.drop();
      before.restore();
    }
    this.#say(`no order of ${all.map(({ name }) => name).join(', ')} comes to what they did at once`);
    assert.deepEqual(state, last);
  }

  #inTurn({ name, twin, leaves }: Step): void {
    if (this.#twin.doing !== undefined && beginners.has(name)) return;
    const before = this.#twin.keep();
    const { ok, conflicts, said } = twin(this.#twin);
    if (!ok) this.#say(`${name} in turn: ${said.trim().slice(0, 200)}`);
    if (ok || conflicts === true || leaves === true) before.drop();
    else before.restore();
  }

  async #run(step: Step | undefined): Promise<void> {
    if (step === undefined) return;
    const [side, twin] = this.#parts.folders;
    const before = side.state();
    const head = { head: twin.head };
    const answer = await this.#call(step.name, step.input as Asked<Operations[Name]>);
    if (!(answer instanceof OutriggerError)) {
      assert.equal(step.refused, undefined, `${step.name} was to be refused`);
      const ran = step.twin(twin);
      assert.ok(ran.ok || ran.conflicts === true, `git refuses it: ${ran.said}`);
      const known = step.expects?.(twin, ran, head);
      if (known !== undefined)
        assert.deepEqual(Object.fromEntries(Object.keys(known).map((key) => [key, (answer as Record<string, unknown>)[key]])), known);
      return;
    }
    const after = side.state();
    const isSame = isDeepStrictEqual(after, before);
    if (step.refused !== undefined) {
      assert.equal(answer.reason, step.refused);
      assert.deepEqual(after, before);
      return;
    }
    const kept = twin.keep();
    const ran = step.twin(twin);
    assert.ok(!ran.ok && ran.conflicts !== true, `git does it: ${ran.said}`);
    assert.equal(answer.reason, reasonOf(ran.said), ran.said);
    if (isSame) return kept.restore();
    kept.drop();
    if (step.leaves !== true) assert.deepEqual(after, before, 'what was refused changed something');
  }

  async #compare(): Promise<void> {
    assert.deepEqual(this.#side.state(), this.#twin.state());
    const [remote, ofTwin] = this.#parts.outside.remotes;
    assert.equal(remote, ofTwin);
    await this.#reads.status();
    for (let count = 0; count < 2; count++) await this.#reads.some();
    await this.#feed.rest();
    const left = fs.readdirSync(path.join(this.#side.root, '.git')).filter((name) => /\.lock$|\.tmp$/.test(name));
    assert.deepEqual(left, []);
  }

  async #call<K extends Name>(name: K, input: Asked<Operations[K]>): Promise<Answer<Operations[K]> | OutriggerError> {
    const { client, counts } = this.#parts;
    try {
      const answer = await client.call(name, input);
      this.#say(`${name} ${JSON.stringify(input)}: ${JSON.stringify(answer).slice(0, 200)}`);
      const told = `${name} ${'outcome' in (answer as object) ? (answer as { outcome: string }).outcome : 'done'}`;
      counts.steps[told] = (counts.steps[told] ?? 0) + 1;
      return answer;
    } catch (error) {
      if (!(error instanceof OutriggerError)) throw error;
      this.#say(`${name} ${JSON.stringify(input)}: ${error.reason} ${error.message}`);
      const declared: readonly string[] = operations[name].errors;
      assert.ok(declared.includes(error.reason), `${name} answers ${error.reason}, which it does not declare: ${error.message}`);
      counts.steps[`${name} ${error.reason}`] = (counts.steps[`${name} ${error.reason}`] ?? 0) + 1;
      return error;
    }
  }

  #say(line: string): void {
    this.#trace.push(`${this.#step}: ${line}`);
  }
}

function reasonOf(said: string): string {
  if (/not possible to fast-forward/i.test(said) || /\[(remote )?rejected\]/.test(said)) return 'GIT_DIVERGED';
  const refusal =
    /would be overwritten|could not restore untracked files|have unstaged changes|contains uncommitted changes|needs merge|would be removed|not uptodate|you must edit all merge conflicts/i;
  return refusal.test(said) ? 'GIT_WOULD_OVERWRITE' : 'GIT_FAILED';
}

function orders<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]];
  return all.flatMap((one, at) => orders(all.filter((_, other) => other !== at)).map((rest) => [one, ...rest]));
}
