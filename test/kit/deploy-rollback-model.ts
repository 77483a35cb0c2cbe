// For tests: deployments that fail and are rolled back, by themselves and when asked, on a sidecar that is stopped and killed.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/client/client.ts';
import type { Deployment } from '../../src/contract/deploy.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import { type Ending, endings, MarkedSidecar } from './marked-sidecar.ts';
import type { Random } from './random.ts';

const TIMEOUT_MS = 1200;
/** Who asks for rollbacks: by the name their deployments are known from others. */
const BACK = 'back';
const moods = ['good', 'good', 'bad', 'bad', 'hangs', 'slow', 'parent'] as const;

/** What it deploys stands in the folder; how that goes, and how what follows it goes, is decided beside it. */
const program = `read -r version < current
read -r mood next < "$MOOD"
echo "\${next:-good}" > "$MOOD"
echo "$OUTRIGGER_PROCESS $version $mood" >> "$LEDGER"
echo "$version"
case $mood in
bad) exit 7 ;;
hangs) sleep 600 ;;
slow) sleep 0.3 ;;
parent) sleep 600 & ;;
esac
`;

const outcomes: Record<string, string> = { bad: 'failed exit 7', hangs: 'failed timeout' };

/** A program, as it told the ledger. */
interface Begun {
  process: string;
  version: string;
  mood: string;
}

export class DeployRollbackModel {
  readonly #random: Random;
  readonly #folder: string;
  readonly #sidecar: MarkedSidecar;
  readonly #calls = new Set<Promise<void>>();
  readonly #ended = new Map<string, Deployment>();
  readonly #canceled = new Set<string>();
  /** The newest of each sidecar that was ended: what should have followed it may not have begun. */
  readonly #cut = new Set<string>();
  /** What each rollback that was asked for goes back to, as far as its call was answered. */
  readonly #backTo = new Map<string, string>();
  /** Those whose end is known, with the programs that had begun by then. */
  readonly #programsAtEnd = new Map<string, number>();
  /** By the deployments that went well while they were followed. */
  readonly #outputs = new Map<string, string>();
  /** All that were seen, whoever asked for them. */
  readonly rolledBack = new Set<string>();
  #versions = 0;
  #secret: string | undefined;
  #backClient: Client<Operations> | undefined;
  #isGoing = false;

  constructor(random: Random, folder: string) {
    this.#random = random;
    this.#folder = folder;
    this.#sidecar = new MarkedSidecar(folder, this.#in('work'));
    fs.mkdirSync(this.#in('work'));
    execFileSync('git', ['init', '-q', this.#in('work')]);
    fs.writeFileSync(this.#in('program.sh'), program);
    fs.writeFileSync(this.#in('ledger'), '');
    fs.writeFileSync(this.#in('mood'), 'good\n');
    fs.writeFileSync(this.#in('work/current'), 'v0\n');
  }

  #in(name: string): string {
    return path.join(this.#folder, name);
  }

  get client(): Client<Operations> {
    return this.#sidecar.client;
  }

  async start(): Promise<void> {
    const site = {
      argv: ['sh', this.#in('program.sh')],
      env: { LEDGER: this.#in('ledger'), MOOD: this.#in('mood'), ...this.#sidecar.mark },
      timeoutMs: TIMEOUT_MS,
      before: 'checkpoint',
    };
    await this.#sidecar.start({
      components: 'files,git,checkpoints,processes,deploy',
      'deploy.profiles': JSON.stringify({ site: { ...site, rollback: true }, plain: site }),
    });
    this.#secret ??= (await this.client.call('tokens.create', { name: BACK, access: 'execute' })).secret;
    this.#backClient = this.#sidecar.clientOf(this.#secret);
    this.#isGoing = false;
  }

  async step(): Promise<void> {
    const chance = this.#random.below(100);
    if (chance < 40) await this.#deployVersion();
    else if (chance < 58) await this.#askBack();
    else if (chance < 64) await this.#cancel();
    else if (chance < 96) await sleep(this.#random.below(700));
    else await this.restart(this.#random.of(endings));
    this.#compare(await this.#list());
  }

  /** One that goes well and one that fails: there is something to go back to, and it is gone back to. */
  async open(): Promise<void> {
    for (const mood of ['good', 'bad']) {
      fs.writeFileSync(this.#in('mood'), `${mood}\n`);
      await this.client.call('files.write', { path: 'current', text: `v${++this.#versions}\n` });
      await this.client.call('deploy.run', { profile: 'site' });
    }
    const deployments = await this.#list();
    assert.equal(deployments.length, 3, JSON.stringify(deployments));
    this.#compare(deployments);
  }

  async restart(how: Ending): Promise<void> {
    this.#isGoing = true;
    await this.#sidecar.end(how);
    await Promise.all(this.#calls);
    if (how === 'stop') this.#sidecar.assertNothingRuns();
    await this.start();
    const deployments = await this.#list();
    for (const deployment of deployments) assert.ok(deployment.endedAt !== undefined, JSON.stringify(deployment));
    const [newest] = deployments;
    if (newest !== undefined) this.#cut.add(newest.id);
    await this.#sidecar.nothingRunsSoon();
    this.#compare(deployments);
  }

  /** Lets what is under way end, and what follows that. */
  async end(): Promise<void> {
    await Promise.all(this.#calls);
    await eventually(async () => assert.ok((await this.#list()).every(({ endedAt }) => endedAt !== undefined)));
    await this.#sidecar.nothingRunsSoon();
    this.#compare(await this.#list());
    await this.restart('stop');
    await this.close();
    assert.deepEqual(fs.readdirSync(this.#in('work')).toSorted(), ['.git', 'current']);
  }

  async close(): Promise<void> {
    this.#isGoing = true;
    await this.#sidecar.close();
    await Promise.all(this.#calls);
  }

  async #list(): Promise<Deployment[]> {
    return (await this.client.call('deploy.list', { limit: 1000 })).deployments;
  }

  /** A new version, once nothing is under way whose checkpoint would have it; or what is there, at any time. */
  async #deployVersion(): Promise<void> {
    if (this.#random.below(3) > 0) {
      await Promise.all(this.#calls);
      await eventually(async () => assert.ok((await this.#list()).every(({ endedAt }) => endedAt !== undefined)));
      await this.client.call('files.write', { path: 'current', text: `v${++this.#versions}\n` });
    }
    this.#setMood();
    this.#follow(this.client.stream('deploy.run', { profile: this.#random.of(['site', 'site', 'plain']) }));
  }

  async #askBack(): Promise<void> {
    const deployments = await this.#list();
    if (deployments.length === 0) return;
    const client = this.#backClient as Client<Operations>;
    const { id: to, state, endedAt } = this.#random.of(deployments);
    this.#setMood();
    if (state === 'succeeded') this.#follow(client.stream('deploy.rollback', { to }), to);
    else if (endedAt !== undefined) await assert.rejects(client.call('deploy.rollback', { to }), { reason: 'BAD_INPUT' });
  }

  #setMood(): void {
    fs.writeFileSync(this.#in('mood'), `${this.#random.of(moods)} ${this.#random.of(moods)}\n`);
  }

  #follow(stream: ReturnType<typeof this.client.stream<'deploy.run' | 'deploy.rollback'>>, to?: string): void {
    const call = this.#answer(stream, to);
    this.#calls.add(call);
    call.then(
      () => this.#calls.delete(call),
      () => {},
    );
  }

  async #answer(stream: ReturnType<typeof this.client.stream<'deploy.run' | 'deploy.rollback'>>, to?: string): Promise<void> {
    stream.end.catch(() => {});
    try {
      let output = '';
      for await (const { text, lost, deployment } of stream) {
        assert.equal(lost, undefined);
        if (to !== undefined) this.#backTo.set(deployment, to);
        output += text;
      }
      const { deployment } = await stream.end;
      if (to !== undefined) this.#backTo.set(deployment.id, to);
      this.#remember(deployment);
      if (deployment.state === 'succeeded') this.#outputs.set(deployment.id, output);
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
      if ((error as { reason?: string }).reason !== 'DEPLOY_BUSY' && !this.#isGoing) throw error;
    }
  }

  async #cancel(): Promise<void> {
    const [newest] = await this.#list();
    if (newest === undefined) return;
    if (newest.endedAt === undefined) this.#canceled.add(newest.id);
    const { deployment } = await this.client.call('deploy.cancel', { id: newest.id });
    this.#remember(deployment);
  }

  /** An end that was told never changes. */
  #remember(deployment: Deployment): void {
    assert.ok(deployment.endedAt !== undefined, JSON.stringify(deployment));
    assert.deepEqual(deployment, this.#ended.get(deployment.id) ?? deployment);
    this.#ended.set(deployment.id, deployment);
  }

  /** What the ledger says was read after `newestFirst`: it may have a program more. */
  #compare(newestFirst: readonly Deployment[]): void {
    const deployments = newestFirst.toReversed();
    const ledger = fs.readFileSync(this.#in('ledger'), 'utf8').split('\n').slice(0, -1).map(begunOf);
    const begun = new Map<string, Begun>();
    for (const one of ledger) {
      assert.ok(!begun.has(one.process), `two programs of ${one.process}`);
      begun.set(one.process, one);
    }
    for (const [at, deployment] of deployments.entries()) {
      assert.ok(deployment.endedAt !== undefined || at === deployments.length - 1, 'one began before another was over');
      if (deployment.endedAt === undefined) continue;
      this.#remember(deployment);
      const program = begun.get(deployment.process ?? '');
      const programs = program === undefined ? 0 : 1;
      assert.equal(
        programs,
        this.#programsAtEnd.get(deployment.id) ?? programs,
        `one began after the end of ${JSON.stringify(deployment)}`,
      );
      this.#programsAtEnd.set(deployment.id, programs);
      this.#compareOutcome(deployment, program);
      this.#compareRollback(deployments, at, begun);
    }
  }

  #compareOutcome(deployment: Deployment, begun: Begun | undefined): void {
    const { state, reason, exitCode, id } = deployment;
    const outcome = `${state} ${reason}${reason === 'exit' ? ` ${exitCode}` : ''}`;
    // Ended from outside: by who canceled it, or with its sidecar.
    if ((this.#canceled.has(id) || this.#cut.has(id)) && (reason === 'stopped' || reason === 'lost')) return;
    assert.ok(begun !== undefined, `no program of ${JSON.stringify(deployment)}`);
    assert.equal(outcome, outcomes[begun.mood] ?? 'succeeded exit 0', JSON.stringify([deployment, begun]));
    const output = this.#outputs.get(id);
    if (output !== undefined) assert.equal(output, `${begun.version}\n`);
  }

  /** A failure of a program is followed by what last went well, where the profile says so; a rollback by nothing. */
  #compareRollback(deployments: readonly Deployment[], at: number, begun: ReadonlyMap<string, Begun>): void {
    const versionOf = ({ process }: Deployment): string | undefined => begun.get(process ?? '')?.version;
    const here = deployments[at] as Deployment;
    const next = deployments[at + 1];
    const says = (what: string): string => `${what}: ${JSON.stringify([here, next])}`;
    const followers = deployments.filter(({ rollbackOf }) => rollbackOf === here.id);
    assert.deepEqual(followers, next?.rollbackOf === here.id ? [next] : [], says('what follows it'));
    const wasAsked = here.by.name === BACK;
    const isRollback = wasAsked || here.rollbackOf !== undefined;
    const good = deployments.slice(0, at).findLast(({ profile, state }) => profile === here.profile && state === 'succeeded');
    const isMeant =
      here.profile === 'site' &&
      !isRollback &&
      good !== undefined &&
      here.state === 'failed' &&
      !['stopped', 'lost'].includes(`${here.reason}`);
    if (!isMeant) assert.equal(followers.length, 0, says('nothing was to follow'));
    else if (!this.#cut.has(here.id)) assert.equal(followers.length, 1, says('nothing followed'));
    const to = wasAsked ? deployments.find(({ id }) => id === this.#backTo.get(here.id)) : undefined;
    if (to !== undefined && versionOf(here) !== undefined) assert.equal(versionOf(here), versionOf(to), says('another version'));
    if (here.rollbackOf !== undefined && versionOf(here) !== undefined)
      assert.equal(versionOf(here), good === undefined ? '' : versionOf(good), says('another version'));
    if (isRollback) this.rolledBack.add(here.id);
  }
}

function begunOf(line: string): Begun {
  const [process = '', version = '', mood = ''] = line.split(' ');
  return { process, version, mood };
}
