// For tests: programs of many kinds by several callers, on a sidecar that is stopped and killed, and what must have become of each.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import type { ProcessInfo } from '../../src/contract/processes.ts';
import { withEnvironment } from '../../src/services/processes/process-facts.ts';
import { eventually } from './eventually.ts';
import { killQuietly } from './exec-agent.ts';
import { commandOf, type Ending, endings, MarkedSidecar } from './marked-sidecar.ts';
import { layOut, type ProgramPlace } from './program-places.ts';
import { childrenOf } from './process-memory.ts';
import type { Random } from './random.ts';

const MANY_LINES = 30_000;
const TIMEOUT_MS = 400;
const habits = ['good', 'good', 'bad', 'hangs', 'deaf', 'much', 'slow', 'parent', 'stray', 'echo', 'echo'] as const;
const policies = ['never', 'never', 'never', 'on-failure', 'always'] as const;

/** Tells a ledger that it begins, and says so where it begins and ends. */
const program = `echo "$KEY" >> "$LEDGER"
echo "$KEY begin"
case $1 in
bad) echo broken >&2; echo "$KEY end"; exit 3 ;;
hangs) sleep 600 ;;
deaf) trap '' TERM; while :; do sleep 0.05; done ;;
much) seq 1 ${MANY_LINES} ;;
slow) for n in 1 2 3 4 5 6 7 8; do echo $n; sleep 0.03; done ;;
parent) sleep 600 & ;;
stray) setsid sleep 600 > /dev/null 2>&1 & ;;
echo) while read -r line; do echo "got $line"; done ;;
esac
echo "$KEY end"
`;

interface Started {
  key: string;
  habit: (typeof habits)[number];
  policy: (typeof policies)[number];
  tag: string | undefined;
  /** Not known where the answer to its start was lost. */
  id?: string;
  /** What may have become of it, beside what its habit leads to. */
  fates: Set<string>;
  /** Programs that callers and sidecars may have started for it. */
  starts: number;
  /** What it was told, while that is known. */
  told: string[] | undefined;
  /** Who adds to its input. */
  telling: Promise<void>;
  isRemoved: boolean;
}

export class ProcessModel {
  readonly #random: Random;
  readonly #place: ProgramPlace;
  readonly #ledger: string;
  readonly #sidecar: MarkedSidecar;
  readonly #started = new Map<string, Started>();
  readonly #ended = new Map<string, ProcessInfo>();
  readonly #calls = new Set<Promise<void>>();
  #keys = 0;
  #isGoing = false;

  constructor(random: Random, folder: string, place: ProgramPlace) {
    this.#random = random;
    this.#place = place;
    this.#sidecar = new MarkedSidecar(folder, place.root);
    this.#ledger = layOut(place, program).ledger;
  }

  get client(): Client<Operations> {
    return this.#sidecar.client;
  }

  /** Nobody else has the like in its environment. */
  #runOf({ key }: Started): string {
    return `${this.#sidecar.mark.MARK} ${key}`;
  }

  /** An agent ends what left the group with the connection alone. */
  #mayStray({ habit }: Started): boolean {
    return habit === 'stray' && this.#place.host !== 'local';
  }

  #nothingRunsOf(one: Started): Promise<void> {
    return eventually(() => {
      const left = withEnvironment(`RUN=${this.#runOf(one)}`).map((pid) => `${pid} ${commandOf(pid)}`);
      assert.deepEqual(left, [], JSON.stringify([left, { ...one, fates: [...one.fates] }]));
    });
  }

  async start(): Promise<void> {
    await this.#sidecar.start({ components: 'files,processes', ...this.#place.flags });
    this.#isGoing = false;
  }

  async step(): Promise<void> {
    const chance = this.#random.below(100);
    const one = this.#any();
    if (chance < 28 || one === undefined) this.#launch();
    else if (chance < 40) this.#tell(one);
    else if (chance < 50) this.#doing(this.#signal(one));
    else if (chance < 60) this.#doing(this.#stop(one));
    else if (chance < 66) this.#doing(this.#restartOne(one));
    else if (chance < 72) this.#doing(this.#wait(one));
    else if (chance < 76) this.#doing(this.#remove(one));
    else if (chance < 80) this.#doing(this.#watch(this.#random.below(300)));
    else if (chance < 83) this.#cut();
    else if (chance < 96) await sleep(this.#random.below(150));
    else await this.restart(this.#random.of(endings));
    await this.#compare();
  }

  async restart(how: Ending): Promise<void> {
    this.#isGoing = true;
    this.#touchRunning(...(how === 'stop' ? ['stopped'] : ['lost', 'stopped']));
    await this.#sidecar.end(how);
    await Promise.all(this.#calls);
    if (how === 'stop') this.#sidecar.assertNothingRuns();
    for (const one of this.#started.values()) {
      one.told = undefined;
      if (one.policy === 'always') one.starts++;
    }
    await this.start();
    const processes = await this.#list();
    for (const info of processes) {
      const one = this.#of(info);
      // Whoever asked may have not heard of its start.
      one.id ??= info.id;
      assert.ok(info.state === 'ended' || one.policy === 'always', `${how}: ${JSON.stringify(info)}`);
    }
    await this.#compare();
  }

  /** Ends all, and finds nothing left of it. */
  async end(): Promise<void> {
    await Promise.all(this.#calls);
    for (const { id } of await this.#list()) {
      this.#touch(this.#ofId(id), 'stopped');
      const info = await this.client.call('processes.stop', { id, graceMs: 100 });
      assert.equal(info.state, 'ended', JSON.stringify(info));
    }
    await this.#compare();
    // What left the group of one that was forgotten goes on until the sidecar ends.
    for (const info of await this.#list()) if (!this.#mayStray(this.#of(info))) await this.#nothingRunsOf(this.#of(info));
    await this.restart('stop');
    await this.close();
  }

  async close(): Promise<void> {
    this.#isGoing = true;
    await this.#sidecar.close();
    await Promise.all(this.#calls);
  }

  async #list(): Promise<ProcessInfo[]> {
    return (await this.client.call('processes.list', {})).processes;
  }

  #any(): Started | undefined {
    const there = [...this.#started.values()].filter(({ id, isRemoved }) => id !== undefined && !isRemoved);
    return there.length === 0 ? undefined : this.#random.of(there.slice(-8));
  }

  #of({ title }: ProcessInfo): Started {
    const one = this.#started.get(title);
    assert.ok(one !== undefined, title);
    return one;
  }

  #ofId(id: string): Started {
    const one = [...this.#started.values()].find((some) => some.id === id);
    assert.ok(one !== undefined, id);
    return one;
  }

  #touch(one: Started, ...fates: string[]): void {
    for (const fate of fates) one.fates.add(fate);
    if (one.id !== undefined) this.#ended.delete(one.id);
  }

  /** All that may be under way. */
  #touchRunning(...fates: string[]): void {
    for (const one of this.#started.values())
      if (one.id === undefined || !this.#ended.has(one.id) || one.policy !== 'never') this.#touch(one, ...fates);
  }

  #doing(call: Promise<unknown>, ...expected: string[]): void {
    const kept = call.then(
      () => {},
      (error: unknown) => {
        if (error instanceof assert.AssertionError) throw error;
        if (this.#isGoing || ['NO_PROCESS', 'PROCESS_ENDED', ...expected].includes(String((error as { reason?: string }).reason))) return;
        throw error;
      },
    );
    this.#calls.add(kept);
    kept.then(
      () => this.#calls.delete(kept),
      () => {},
    );
  }

  #launch(): void {
    const key = `k${this.#keys++}`;
    const habit = this.#random.of(habits);
    const one: Started = {
      key,
      habit,
      policy: habit === 'echo' ? 'never' : this.#random.of(policies),
      tag: this.#random.below(3) === 0 ? `tag-${this.#random.below(3)}` : undefined,
      fates: new Set(),
      starts: 1,
      told: [],
      telling: Promise.resolve(),
      isRemoved: false,
    };
    const request = {
      argv: ['sh', path.join(this.#place.seenAs, 'program.sh'), habit] as [string, ...string[]],
      env: { KEY: key, RUN: this.#runOf(one), LEDGER: path.join(this.#place.seenAs, 'ledger'), ...this.#sidecar.mark },
      title: key,
      host: this.#place.host,
      keepStdinOpen: habit === 'echo',
      restart: { when: one.policy },
      ...(one.tag === undefined ? {} : { tag: one.tag }),
      ...(this.#random.below(4) === 0 ? { timeoutMs: TIMEOUT_MS } : {}),
    };
    if (request.timeoutMs !== undefined) one.fates.add('timeout');
    this.#started.set(key, one);
    const starting = this.#random.below(3) === 0 ? this.#run(one, request) : this.#begin(one, request);
    // What starts it may have been ended just then.
    this.#doing(starting, 'TOO_MANY_PROCESSES', 'HOST_UNAVAILABLE');
  }

  async #begin(one: Started, request: Parameters<typeof this.client.call<'processes.start'>>[1]): Promise<void> {
    const { process: info, existed } = await this.client.call('processes.start', request);
    if (existed) assert.ok(one.tag !== undefined && info.tag === one.tag && info.title !== one.key, JSON.stringify(info));
    else assert.equal(info.title, one.key);
    if (existed) this.#started.delete(one.key);
    else one.id = info.id;
  }

  /** Follows it as it goes, and may leave. */
  async #run(one: Started, request: Parameters<typeof this.client.call<'processes.start'>>[1]): Promise<void> {
    const leaves = this.#random.below(2) === 0 ? AbortSignal.timeout(this.#random.below(300)) : undefined;
    const stream = this.client.stream('processes.run', { ...request, waitMs: 1500 }, leaves === undefined ? {} : { signal: leaves });
    stream.end.catch(() => {});
    let said = '';
    try {
      for await (const item of stream) {
        assert.equal(item.lost, undefined);
        if (item.stream === 'stdout') said += item.text;
      }
      const { process: info, ended } = await stream.end;
      if (info.title !== one.key) {
        assert.ok(one.tag !== undefined && info.tag === one.tag, JSON.stringify(info));
        this.#started.delete(one.key);
        return;
      }
      one.id = info.id;
      if (ended && one.policy === 'never') this.#compareText(one, info, said);
    } catch (error) {
      if (leaves?.aborted !== true || error instanceof assert.AssertionError) throw error;
    }
  }

  #tell(one: Started): void {
    if (one.habit !== 'echo' || one.id === undefined) return;
    const { id } = one;
    const word = this.#random.below(5) === 0 ? undefined : `w${this.#random.below(1000)}`;
    const telling = one.telling.then(async () => {
      try {
        await this.client.call('processes.input', word === undefined ? { id, end: true } : { id, text: `${word}\n` });
        if (word !== undefined) one.told?.push(word);
      } catch {
        // Its input is over, or it is; what of this came nobody knows.
        one.told = undefined;
      }
    });
    one.telling = telling;
    this.#doing(telling);
  }

  async #signal(one: Started): Promise<void> {
    const signal = this.#random.of(['SIGTERM', 'SIGKILL', 'SIGSTOP', 'SIGCONT'] as const);
    if (signal === 'SIGTERM' || signal === 'SIGKILL') this.#touch(one, `signal ${signal}`);
    // What it started may be hit before it, which is the end of that, and it goes on.
    if (signal === 'SIGTERM') this.#touch(one, 'exit 0');
    await this.client.call('processes.signal', { id: one.id as string, signal });
    if (signal === 'SIGSTOP') await this.client.call('processes.signal', { id: one.id as string, signal: 'SIGCONT' });
  }

  async #stop(one: Started): Promise<void> {
    this.#touch(one, 'stopped');
    const info = await this.client.call('processes.stop', { id: one.id as string, graceMs: this.#random.below(2) * 150 });
    // Somebody may have started it again meanwhile.
    assert.ok(info.state === 'ended' || one.starts > 1, JSON.stringify(info));
  }

  async #restartOne(one: Started): Promise<void> {
    one.starts++;
    one.told = undefined;
    this.#touch(one, 'stopped', 'failed');
    const info = await this.client.call('processes.restart', { id: one.id as string, graceMs: 100 }).catch((error: unknown) => {
      if (['TOO_MANY_PROCESSES', 'HOST_UNAVAILABLE', 'PROCESS_RUNNING'].includes(String((error as { reason?: string }).reason)))
        return undefined;
      throw error;
    });
    if (info !== undefined) assert.equal(info.title, one.key);
  }

  async #wait(one: Started): Promise<void> {
    const id = one.id as string;
    const until = this.#random.of(['exit', 'text'] as const);
    const text = `${one.key} begin`;
    const { met, process: info } = await this.client.call('processes.wait', {
      id,
      until,
      ...(until === 'text' ? { text } : {}),
      timeoutMs: this.#random.below(400),
    });
    assert.equal(info.id, id);
    if (met && until === 'exit') assert.ok(info.state === 'ended', JSON.stringify(info));
    if (met && until === 'text') assert.ok((await this.#textOf(id)).includes(text));
  }

  async #remove(one: Started): Promise<void> {
    try {
      await this.client.call('processes.remove', { id: one.id as string });
      one.isRemoved = true;
    } catch (error) {
      if ((error as { reason?: string }).reason !== 'PROCESS_RUNNING') throw error;
    }
  }

  async #watch(forMs: number): Promise<void> {
    const leaves = AbortSignal.timeout(forMs);
    const stream = this.client.stream('processes.watch', {}, { signal: leaves });
    stream.end.catch(() => {});
    const removed = new Set<string>();
    const restarts = new Map<string, number>();
    try {
      for await (const item of stream) {
        if (item.type === 'removed') removed.add(item.id);
        if (item.type !== 'process') continue;
        const { id } = item.process;
        assert.ok(!removed.has(id), `${id} is told of after its removal`);
        assert.ok(item.process.restarts >= (restarts.get(id) ?? 0), JSON.stringify(item.process));
        restarts.set(id, item.process.restarts);
      }
    } catch (error) {
      if (error instanceof assert.AssertionError || !leaves.aborted) throw error;
    }
  }

  /** What starts programs is killed: here the small process, there the one of the agent's connection. */
  #cut(): void {
    if (this.#place.cut === undefined) {
      this.#touchRunning('signal SIGKILL', 'failed');
      for (const { pid } of childrenOf(this.#sidecar.pid)) if (commandOf(pid).includes('--serve')) killQuietly(pid);
    } else {
      this.#touchRunning('lost', 'failed');
      this.#place.cut();
    }
    for (const one of this.#started.values()) one.told = undefined;
  }

  async #textOf(id: string): Promise<string> {
    let text = '';
    let at = 0;
    const stream = this.client.stream('processes.output', { id, streams: ['stdout'] });
    for await (const item of stream) {
      assert.deepEqual([item.offset, item.lost], [at, undefined], 'a gap in the output');
      at += Buffer.byteLength(item.text ?? '');
      text += item.text;
    }
    await stream.end;
    return text;
  }

  async #compare(): Promise<void> {
    // Read first: what is started again meanwhile is counted by then.
    const begun = fs.readFileSync(this.#ledger, 'utf8').split('\n').slice(0, -1);
    const processes = await this.#list();
    const tags = processes.flatMap(({ state, tag }) => (state === 'ended' || tag === undefined ? [] : [tag]));
    assert.equal(
      new Set(tags).size,
      tags.length,
      `two run under one tag: ${JSON.stringify(processes.filter(({ tag }) => tag !== undefined))}`,
    );
    for (const info of processes) {
      const one = this.#of(info);
      one.id ??= info.id;
      assert.equal(one.id, info.id, `two of ${one.key}`);
      const programs = begun.filter((key) => key === one.key).length;
      assert.ok(programs <= one.starts + info.restarts, `${programs} programs of ${JSON.stringify([info, one])}`);
      if (info.state !== 'ended') continue;
      const known = this.#ended.get(info.id);
      if (known !== undefined) {
        assert.deepEqual(lasting(info), lasting(known), 'an end changed');
        continue;
      }
      assert.ok(this.#mayEnd(one).has(endOf(info)), JSON.stringify([info, { ...one, fates: [...one.fates] }]));
      const text = await this.#textOf(info.id).catch((error: unknown) => {
        if ((error as { reason?: string }).reason === 'NO_PROCESS') return undefined;
        throw error;
      });
      const now = (await this.#list()).find(({ id }) => id === info.id);
      // Somebody starts it again, or removed it.
      if (text === undefined || now === undefined || JSON.stringify(lasting(now)) !== JSON.stringify(lasting(info))) continue;
      this.#compareText(one, info, text);
      if (one.habit !== 'stray') await this.#nothingRunsOf(one);
      if (one.policy === 'never' && !this.#isUnderWay(one)) this.#ended.set(info.id, info);
    }
  }

  /** Calls may be about to end it, or to start it again. */
  #isUnderWay(one: Started): boolean {
    return this.#calls.size > 0 && one.starts > 0;
  }

  #mayEnd({ habit, policy, fates }: Started): Set<string> {
    const own = { bad: ['exit 3'], hangs: [], deaf: [] }[habit as string] ?? ['exit 0'];
    // What goes on and on ends when nothing can be started any more.
    return new Set([...own, ...fates, ...(policy === 'never' ? [] : ['failed'])]);
  }

  /** One program after the other, each as far as it came; the last one to its end, where it ended by itself. */
  #compareText(one: Started, info: ProcessInfo, text: string): void {
    const [before, ...runs] = text.split(`${one.key} begin\n`);
    const says = (what: string): string => `${what}: ${JSON.stringify([info, { ...one, fates: [...one.fates] }, text.slice(-300)])}`;
    assert.equal(before, '', says('output of nobody'));
    const whole = wholeOf(one);
    for (const run of runs) if (whole !== undefined) assert.ok(whole.startsWith(run), says('other output'));
    const isByItself = info.reason === 'exit' && !one.fates.has('exit 0');
    if (isByItself && whole !== undefined && one.habit !== 'hangs' && one.habit !== 'deaf')
      assert.equal(runs.at(-1), whole, says('not all of it'));
  }
}

/** What it says after it said that it begins; undefined where that is not known. */
function wholeOf({ habit, key, told }: Started): string | undefined {
  const numbers = { much: MANY_LINES, slow: 8 }[habit as string] ?? 0;
  if (habit === 'echo') return told === undefined ? undefined : `${told.map((word) => `got ${word}\n`).join('')}${key} end\n`;
  return `${Array.from({ length: numbers }, (_, n) => `${n + 1}\n`).join('')}${key} end\n`;
}

function endOf({ reason, exitCode, exitSignal }: ProcessInfo): string {
  if (reason === 'exit') return `exit ${exitCode}`;
  return reason === 'signal' ? `signal ${exitSignal}` : `${reason}`;
}

function lasting({ id, state, reason, exitCode, exitSignal, startedAt, endedAt, restarts, output }: ProcessInfo): unknown {
  return { id, state, reason, exitCode, exitSignal, startedAt, endedAt, restarts, output };
}
