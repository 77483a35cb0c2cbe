// For tests: deployments by several callers on a sidecar that is stopped and killed, and what each of them must have become.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/client/client.ts';
import type { Deployment } from '../../src/contract/deploy.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { type Ending, endings, MarkedSidecar } from './marked-sidecar.ts';
import { layOut, type ProgramPlace } from './program-places.ts';
import type { Random } from './random.ts';

const KEEP = 12;
const TIMEOUT_MS = 1200;
const MANY_LINES = 30_000;
const habits = ['good', 'bad', 'hangs', 'deaf', 'much', 'slow', 'parent'] as const;
const words = ['plain', "it's", 'a "b" $(c) `d`', 'two\nlines', 'grüße 🚀', '\uFEFFmark', '\\n %s *'] as const;

/** Tells a ledger when it begins and when it is through. */
const program = `echo "begin $3" >> "$LEDGER"
printf '%s|\\n' "$2"
case $1 in
bad) echo broken >&2; exit 7 ;;
hangs) sleep 600 ;;
deaf) trap '' TERM; while :; do sleep 0.05; done ;;
much) seq 1 ${MANY_LINES} ;;
slow) for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.03; done ;;
parent) sleep 600 & ;;
esac
echo "end $3" >> "$LEDGER"
`;

interface Asked {
  habit: (typeof habits)[number];
  word: string;
  wasCanceled: boolean;
  /** The sidecar ended while it was under way, or before its answer came. */
  wasCut: boolean;
  /** The connection to the agent ended while it was under way, or a moment before it was to begin. */
  wasCutOff: boolean;
  wasRefused: boolean;
  isOver: boolean;
}

export class DeployModel {
  readonly #random: Random;
  readonly #place: ProgramPlace;
  readonly #ledger: string;
  readonly #sidecar: MarkedSidecar;
  readonly #asked = new Map<string, Asked>();
  readonly #answered = new Map<string, Deployment>();
  readonly #calls = new Set<Promise<void>>();
  readonly #watchers = new Set<Promise<void>>();
  #isGoing = false;
  /** The first that was asked for after the connection to the agent was cut, until one of these had a program. */
  #cutFrom: number | undefined;

  /** `folder` is for the sidecar's state. */
  constructor(random: Random, folder: string, place: ProgramPlace) {
    this.#random = random;
    this.#place = place;
    this.#sidecar = new MarkedSidecar(folder, place.root);
    this.#ledger = layOut(place, program).ledger;
  }

  get client(): Client<Operations> {
    return this.#sidecar.client;
  }

  async start(): Promise<void> {
    const { host, seenAs, flags } = this.#place;
    const profile = {
      host,
      argv: ['sh', path.join(seenAs, 'program.sh'), '{habit}', '{word}', '{key}'],
      parameters: { habit: { type: 'choice', choices: habits }, word: { type: 'text' }, key: { type: 'name' } },
      env: { LEDGER: path.join(seenAs, 'ledger'), ...this.#sidecar.mark },
      timeoutMs: TIMEOUT_MS,
      before: 'none',
    };
    await this.#sidecar.start({
      components: 'files,processes,deploy',
      'deploy.profiles': JSON.stringify({ plain: profile, kept: { ...profile, before: 'checkpoint' } }),
      'deploy.keep': String(KEEP),
      ...flags,
    });
    this.#isGoing = false;
  }

  async step(): Promise<void> {
    const chance = this.#random.below(100);
    if (chance < 45) for (let callers = 1 + this.#random.below(3); callers > 0; callers--) this.#ask();
    else if (chance < 65) await this.#cancel();
    else if (chance < 75) this.#watch();
    else if (chance < 82) await this.#askWrongly();
    else if (chance < 86 && this.#place.cut !== undefined) this.#cut(this.#place.cut);
    else if (chance < 94) await sleep(this.#random.below(120));
    else await this.restart(this.#random.of(endings));
    await this.#compare();
  }

  async restart(how: Ending): Promise<void> {
    this.#isGoing = true;
    for (const asked of this.#asked.values()) asked.wasCut ||= !asked.isOver;
    await this.#sidecar.end(how);
    await Promise.all([...this.#calls, ...this.#watchers]);
    if (how === 'stop') this.#sidecar.assertNothingRuns();
    await this.start();
    const { deployments } = await this.client.call('deploy.list', { limit: 1000 });
    for (const deployment of deployments) {
      assert.ok(['succeeded', 'failed'].includes(deployment.state), JSON.stringify(deployment));
      assert.ok(how !== 'stop' || !this.#isNewlyLost(deployment), JSON.stringify(deployment));
    }
    await this.#sidecar.nothingRunsSoon();
    this.#compareEnded(deployments);
  }

  /** Lets what is under way end, and stops the sidecar. */
  async end(): Promise<void> {
    await Promise.all(this.#calls);
    await eventually(async () => (await this.client.call('deploy.list', {})).deployments.every(({ endedAt }) => endedAt !== undefined));
    await this.#compare();
    await this.#sidecar.nothingRunsSoon();
    await this.restart('stop');
    await this.close();
    assert.deepEqual(fs.readdirSync(this.#place.root), []);
  }

  async close(): Promise<void> {
    this.#isGoing = true;
    await this.#sidecar.close();
    await Promise.all([...this.#calls, ...this.#watchers]);
  }

  #isNewlyLost({ reason, parameters, id }: Deployment): boolean {
    return reason === 'lost' && !this.#answered.has(id) && this.#asked.get(String(parameters['key']))?.wasCut === true;
  }

  #ask(): void {
    const key = `k${this.#asked.size}`;
    const asked: Asked = {
      habit: this.#random.of(habits),
      word: this.#random.of(words),
      wasCanceled: false,
      wasCut: false,
      wasCutOff: this.#cutFrom !== undefined,
      wasRefused: false,
      isOver: false,
    };
    this.#asked.set(key, asked);
    const leaves = this.#random.below(4) === 0 ? AbortSignal.timeout(this.#random.below(200)) : undefined;
    keptIn(this.#calls, this.#deploy(key, asked, this.#random.of(['plain', 'kept']), leaves));
  }

  async #deploy(key: string, asked: Asked, profile: string, leaves: AbortSignal | undefined): Promise<void> {
    const parameters = { habit: asked.habit, word: asked.word, key };
    const stream = this.client.stream('deploy.run', { profile, parameters }, leaves === undefined ? {} : { signal: leaves });
    stream.end.catch(() => {});
    const said = { stdout: '', stderr: '' };
    try {
      for await (const { stream: of, text, lost } of stream) {
        assert.equal(lost, undefined);
        said[of] += text;
      }
      const { deployment } = await stream.end;
      asked.isOver = true;
      this.#answered.set(deployment.id, deployment);
      if (deployment.state === 'succeeded') assert.deepEqual(said, { stdout: outputOf(asked), stderr: '' });
      else assert.ok(outputOf(asked).startsWith(said.stdout), JSON.stringify(said.stdout.slice(-200)));
      if (deployment.reason === 'exit' && asked.habit === 'bad') assert.equal(said.stderr, 'broken\n');
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      asked.wasRefused = (error as { reason?: string }).reason === 'DEPLOY_BUSY';
      asked.isOver ||= asked.wasRefused;
      if (!asked.wasRefused && !this.#isGoing && leaves?.aborted !== true) throw error;
    }
  }

  #cut(cut: () => void): void {
    for (const asked of this.#asked.values()) asked.wasCutOff ||= !asked.isOver;
    this.#cutFrom = this.#asked.size;
    cut();
  }

  async #cancel(): Promise<void> {
    const { deployments } = await this.client.call('deploy.list', { limit: 1 });
    const [newest] = deployments;
    if (newest === undefined) return;
    const asked = this.#asked.get(String(newest.parameters['key']));
    assert.ok(asked !== undefined);
    if (newest.endedAt === undefined) asked.wasCanceled = true;
    const { deployment } = await this.client.call('deploy.cancel', { id: newest.id });
    assert.ok(deployment.endedAt !== undefined, JSON.stringify(deployment));
    if (newest.endedAt !== undefined) assert.deepEqual(deployment, newest);
  }

  /** Each deployment comes with its steps in order; the reader may be slow, and leaves. */
  #watch(): void {
    keptIn(this.#watchers, this.#follow(this.#random.below(2) * 64_000, this.#random.below(8), this.#random.below(400)));
  }

  async #follow(last: number, pauseMs: number, forMs: number): Promise<void> {
    const leaves = AbortSignal.timeout(forMs);
    const stream = this.client.stream('deploy.follow', { last }, { signal: leaves });
    stream.end.catch(() => {});
    const over = new Set<string>();
    try {
      for await (const item of stream) {
        const id = item.type === 'output' ? item.deployment : item.deployment.id;
        assert.ok(!over.has(id), `${id} goes on after its end`);
        if (item.type === 'deployment' && item.deployment.endedAt !== undefined) over.add(id);
        if (pauseMs > 0) await sleep(pauseMs);
      }
    } catch (error) {
      if (error instanceof assert.AssertionError || (!this.#isGoing && !leaves.aborted)) throw error;
    }
  }

  async #askWrongly(): Promise<void> {
    const parameters = { habit: 'good', word: 'x', key: 'wrong' };
    await assert.rejects(this.client.call('deploy.run', { profile: 'none' }), { reason: 'NO_PROFILE' });
    for (const wrong of [{ word: '-x' }, { word: 'a\0b' }, { habit: 'other' }, { key: '../x' }, { more: 'x' }])
      await assert.rejects(this.client.call('deploy.run', { profile: 'plain', parameters: { ...parameters, ...wrong } }), {
        reason: 'BAD_INPUT',
      });
    await assert.rejects(this.client.call('deploy.cancel', { id: 'd-none' }), { reason: 'NO_DEPLOYMENT' });
  }

  async #compare(): Promise<void> {
    const { deployments } = await this.client.call('deploy.list', { limit: 1000 });
    const under = deployments.filter(({ endedAt }) => endedAt === undefined);
    assert.ok(under.length <= 1 && (under.length === 0 || under[0] === deployments[0]), JSON.stringify(under));
    assert.ok(deployments.length <= KEEP);
    const begun = deployments.map(({ startedAt }) => startedAt);
    assert.deepEqual(
      begun,
      begun.toSorted((a, b) => b - a),
    );
    this.#compareEnded(deployments.filter(({ endedAt }) => endedAt !== undefined));
  }

  #compareEnded(deployments: readonly Deployment[]): void {
    const lines = fs.readFileSync(this.#ledger, 'utf8').split('\n').slice(0, -1);
    assert.equal(new Set(lines).size, lines.length, 'a program ran twice');
    for (const [at, line] of lines.entries()) {
      const [what, key = ''] = line.split(' ');
      assert.ok(this.#asked.get(key)?.wasRefused === false, `${key} was refused, and ran`);
      if (what === 'end') assert.equal(lines[at - 1], `begin ${key}`, 'one began before another was over');
    }
    for (const deployment of deployments) {
      const key = String(deployment.parameters['key']);
      const asked = this.#asked.get(key);
      assert.ok(asked !== undefined && !asked.wasRefused, key);
      const known = this.#answered.get(deployment.id);
      if (known !== undefined) assert.deepEqual(deployment, known);
      this.#answered.set(deployment.id, deployment);
      asked.isOver = true;
      if (this.#cutFrom !== undefined && deployment.process !== null && Number(key.slice(1)) >= this.#cutFrom) this.#cutFrom = undefined;
      assert.ok(endsOf(asked).includes(endOf(deployment)), JSON.stringify([deployment, asked]));
      if (deployment.state === 'succeeded') assert.ok(lines.includes(`end ${key}`), key);
    }
  }
}

/** What may have become of it. */
function endsOf({ habit, wasCanceled, wasCut, wasCutOff }: Asked): string[] {
  const own = { bad: 'failed exit 7', hangs: 'failed timeout', deaf: 'failed timeout' } as const;
  const byItself = own[habit as keyof typeof own] ?? 'succeeded exit 0';
  return [
    byItself,
    ...(wasCanceled ? ['failed stopped'] : []),
    ...(wasCut ? ['failed lost', 'failed stopped'] : []),
    // A program that was not known to have begun could not be started.
    ...(wasCutOff ? ['failed lost', 'failed failed'] : []),
  ];
}

function endOf({ state, reason, exitCode }: Deployment): string {
  return `${state} ${reason}${reason === 'exit' ? ` ${exitCode}` : ''}`;
}

function outputOf({ habit, word }: Asked): string {
  const numbers = { much: MANY_LINES, slow: 8 }[habit as string] ?? 0;
  return `${word}|\n${Array.from({ length: numbers }, (_, n) => `${n + 1}\n`).join('')}`;
}

/** A failure of one fails whoever waits for all. */
function keptIn(all: Set<Promise<void>>, one: Promise<void>): void {
  all.add(one);
  one.catch(() => {});
}
