// Terminals and processes of one sidecar, among viewers who come, go, are cut off and type; and what has to be true when all is at rest.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import headless from '@xterm/headless';
import type { ErrorReason } from '../../src/contract/errors.ts';
import type { Answer, Asked } from '../../src/contract/operation.ts';
import type { Operations } from '../../src/contract/operations.ts';
import type { ProcessInfo } from '../../src/contract/processes.ts';
import { guardTerminal } from '../../src/core/guard-terminal.ts';
import { markedWith } from '../../src/services/processes/process-facts.ts';
import { eventually } from './eventually.ts';
import { numberedFlood, numberedLines, numberedProgram } from './numbered-text.ts';
import { asWeLoad } from './own-program.ts';
import { Random } from './random.ts';
import { childrenOf, memoryOf } from './process-memory.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';
import { pictureOf } from './terminal-picture.ts';
import {
  ByteLedger,
  checkFailure,
  type CuttableClient,
  cuttableClient,
  LogViewer,
  ScreenViewer,
  type Stream,
  scrollback,
} from './terminal-viewers.ts';

const streams = ['stdout', 'stderr'] as const;
const sizes = [
  [80, 24],
  [80, 24],
  [120, 40],
  [7, 3],
  [2, 1],
  [1000, 500],
  [40, 10],
] as const;
const mostRunning = 5;
/** Of memory, more than at the beginning: what viewers who stop reading and floods may cost. */
const mostMegabytes = 200;

type Kind = 'lines' | 'flood' | 'service' | 'echo' | 'paint' | 'deaf' | 'leaver' | 'instant';

interface Started {
  id: string;
  kind: Kind;
  isTerminal: boolean;
  ledgers: Record<Stream, ByteLedger>;
  /** What a run of it writes that nobody disturbs. */
  expected: Record<Stream, Buffer> | undefined;
  exitCode: number | undefined;
  /** Why it may have ended, beside by itself. */
  mayEndBy: Set<NonNullable<ProcessInfo['reason']>>;
  mayEndBySignal: Set<string>;
  /** Starts that may have been. */
  lives: number;
  /** Of the screen; undefined where nobody knows. */
  size: readonly [number, number] | undefined;
  isResized: boolean;
  typed: { line: string; writer: number; isSure: boolean }[];
  logs: LogViewer[];
  screens: ScreenViewer[];
  /** It was removed, as far as whoever asked knows. */
  isGone: boolean;
  mayBeGone: boolean;
}

export interface FuzzOptions {
  /** Of each log. */
  headBytes: number;
  tailBytes: number;
}

type Outcome<K extends keyof Operations & string> = { answer: Answer<Operations[K]> } | { refused: ErrorReason };

export class TerminalFuzz {
  readonly #random: Random;
  readonly #folder: string;
  readonly #options: FuzzOptions;
  #sidecar: SidecarProcess | undefined;
  #control: CuttableClient | undefined;
  #readOnly: CuttableClient | undefined;
  #readOnlyToken = '';
  #scopedToken = '';
  readonly #started: Started[] = [];
  #number = 0;
  #descriptors: Record<string, number> = {};
  /** What starts programs for the sidecar comes late on a busy machine, and has sockets. */
  #helpers = '';
  #megabytes = 0;
  #wasKilled = false;
  readonly #said: string[] = [];

  constructor(seed: number, folder: string, options: FuzzOptions) {
    this.#random = new Random(seed);
    this.#folder = folder;
    this.#options = options;
  }

  /** What was done, for who looks at a failure. */
  get said(): string {
    return this.#said.slice(-400).join('\n');
  }

  get #pid(): number {
    return (this.#sidecar as SidecarProcess).child.pid as number;
  }

  get #client(): CuttableClient {
    return this.#control as CuttableClient;
  }

  async begin(): Promise<void> {
    await this.#serve(0);
    const make = async (more: object): Promise<string> =>
      (await this.#client.call('tokens.create', { name: 'limited', ...more } as never)).secret;
    this.#readOnlyToken = await make({ access: 'read' });
    this.#scopedToken = await make({ access: 'execute', paths: ['mine'] });
    this.#connectReader();
    await this.#list();
    // What is loaded, or opened, once for all.
    for (const isTerminal of [true, false]) {
      const warm = await this.#start('instant', isTerminal);
      if (warm === undefined) continue;
      this.#watch(warm);
      this.#watch(warm);
    }
    await this.rest();
    await this.#clear();
    this.#descriptors = this.#openNow();
    this.#helpers = this.#helpersNow();
    this.#megabytes = memoryOf(this.#pid).residentMb;
  }

  async #serve(port: number): Promise<void> {
    const flags = {
      'processes.headBytes': String(this.#options.headBytes),
      'processes.tailBytes': String(this.#options.tailBytes),
      'processes.max': String(mostRunning),
      'terminals.scrollback': String(scrollback),
    };
    this.#sidecar = await spawnSidecar({ root: path.join(this.#folder, 'root'), state: path.join(this.#folder, 'state'), port, flags });
    this.#control ??= cuttableClient(this.#sidecar.url, processToken);
  }

  #connectReader(): void {
    this.#readOnly ??= cuttableClient((this.#sidecar as SidecarProcess).url, this.#readOnlyToken);
  }

  /** Some things at once. */
  async step(): Promise<void> {
    const count = 1 + this.#random.below(4);
    const all = Array.from({ length: count }, () => this.#act());
    await Promise.all(all);
  }

  /** kill -9, and another sidecar on what is left. */
  async kill(): Promise<void> {
    const sidecar = this.#sidecar as SidecarProcess;
    const port = Number(new URL(sidecar.url).port);
    this.#say('kill -9');
    this.#wasKilled = true;
    await sidecar.kill();
    for (const one of this.#started) one.mayEndBy.add('lost');
    const before = this.#started.filter(({ kind }) => kind !== 'service').map(({ id }) => id);
    await this.#serve(port);
    // Whoever asks to start them again may have done so by now.
    if (!this.#started.some(({ lives, kind }) => kind !== 'service' && lives > 1))
      assert.deepEqual(this.#left(before), [], 'left by a kill');
  }

  #say(text: string): void {
    this.#said.push(text);
  }

  // ── what is done

  async #ask<K extends keyof Operations & string>(name: K, input: Asked<Operations[K]>, client = this.#client): Promise<Outcome<K>> {
    const number = ++this.#number;
    this.#say(`${number} ${name} ${JSON.stringify(input).slice(0, 200)}`);
    try {
      const answer = await client.call(name, input);
      this.#say(`${number} done`);
      return { answer };
    } catch (error) {
      const refused = checkFailure(name, error);
      this.#say(`${number} refused ${refused}`);
      return { refused };
    }
  }

  async #act(): Promise<void> {
    const acts: [weight: number, act: () => Promise<unknown>][] = [
      [6, () => this.#startAny()],
      [8, async () => this.#watch(this.#any())],
      [5, async () => this.#cutAny()],
      [5, async () => this.#stallAny()],
      [6, () => this.#resize(this.#any((one) => one.isTerminal))],
      [10, () => this.#type(this.#any((one) => one.kind === 'echo' || one.kind === 'paint'))],
      [2, () => this.#signal(this.#any())],
      [2, () => this.#stop(this.#any())],
      [1, () => this.#restart(this.#any())],
      [2, () => this.#remove(this.#any())],
      [2, () => this.#close(this.#any((one) => one.isTerminal))],
      [2, () => this.#list()],
      [2, () => this.#tryWithoutRight(this.#any())],
      [2, () => this.#leaveAny()],
    ];
    const total = acts.reduce((sum, [weight]) => sum + weight, 0);
    let at = this.#random.below(total);
    for (const [weight, act] of acts) {
      at -= weight;
      if (at < 0) return void (await act());
    }
  }

  #any(isMeant: (one: Started) => boolean = () => true): Started | undefined {
    const there = this.#started.filter((one) => !one.isGone && isMeant(one));
    return there.length === 0 ? undefined : this.#random.of(there);
  }

  async #startAny(): Promise<void> {
    const kind = this.#random.of([
      'lines',
      'lines',
      'flood',
      'echo',
      'echo',
      'paint',
      'paint',
      'deaf',
      'leaver',
      'instant',
      'service',
    ] as const);
    const isTerminal = kind === 'paint' || (kind !== 'service' && this.#random.below(2) === 0);
    const one = await this.#start(kind, isTerminal);
    if (one === undefined) return;
    for (let count = this.#random.below(3); count > 0; count--) this.#watch(one);
  }

  async #start(kind: Kind, isTerminal: boolean): Promise<Started | undefined> {
    const seed = 1 + this.#random.below(1_000_000);
    const [count, pause] = [1 + this.#random.below(300), this.#random.of([0, 0, 1, 5])];
    const bytes = this.#random.of([100_000, 1_000_000, 3_000_000]);
    const exit = this.#random.below(4);
    const argv = kind === 'instant' ? ['sh', '-c', `echo over; exit ${exit}`] : [process.execPath, ...asWeLoad, numberedProgram, kind];
    const lines = (text: string): Buffer<ArrayBuffer> => Buffer.from(isTerminal ? text.replaceAll('\n', '\r\n') : text);
    let expected: Record<Stream, Buffer<ArrayBuffer>> | undefined;
    let exitCode: number | undefined;
    const none = Buffer.alloc(0);
    switch (kind) {
      case 'lines': {
        argv.push(String(seed), String(count), String(pause));
        const others = numberedLines(seed + 1, count, 'e').filter((_, index) => !isTerminal && index % 3 === 0);
        expected = { stdout: lines(numberedLines(seed, count).join('')), stderr: lines(others.join('')) };
        exitCode = 0;
        break;
      }
      case 'flood':
        argv.push(String(seed), String(bytes));
        expected = { stdout: lines(numberedFlood(seed, bytes)), stderr: none };
        exitCode = 0;
        break;
      case 'leaver':
        argv.push(String(exit));
        expected = { stdout: lines('leaving\n'), stderr: none };
        exitCode = exit;
        break;
      case 'instant':
        expected = { stdout: lines('over\n'), stderr: none };
        exitCode = exit;
        break;
      case 'paint':
        argv.push(String(seed));
        exitCode = 7;
        break;
      default:
        exitCode = 7;
    }
    const [columns, rows] = this.#random.of([
      [80, 24],
      [80, 24],
      [33, 7],
      [120, 40],
    ] as const);
    const asked = isTerminal
      ? await this.#ask('terminals.open', { argv: argv as [string], columns, rows })
      : await this.#ask('processes.start', {
          argv: argv as [string],
          keepStdinOpen: true,
          ...(kind === 'service' ? { restart: { when: 'always' } } : {}),
        });
    if ('refused' in asked) return undefined;
    const id = 'terminal' in asked.answer ? asked.answer.terminal.id : asked.answer.process.id;
    const ledger = (stream: Stream): ByteLedger => new ByteLedger(`${kind} ${id} ${stream}`);
    const one: Started = {
      id,
      kind,
      isTerminal,
      ledgers: { stdout: ledger('stdout'), stderr: ledger('stderr') },
      expected,
      exitCode,
      mayEndBy: new Set(kind === 'service' ? [] : ['exit']),
      mayEndBySignal: new Set(),
      // Nobody counts those of a service.
      lives: kind === 'service' ? 2 : 1,
      size: isTerminal ? [columns, rows] : undefined,
      isResized: false,
      typed: [],
      logs: [],
      screens: [],
      isGone: false,
      mayBeGone: false,
    };
    this.#say(`${id} is ${kind}${isTerminal ? ' in a terminal' : ''}`);
    this.#started.push(one);
    return one;
  }

  #watch(one: Started | undefined): void {
    if (one === undefined || one.logs.length + one.screens.length > 8) return;
    const { url } = this.#sidecar as SidecarProcess;
    const token = this.#random.below(2) === 0 ? processToken : this.#readOnlyToken;
    // Some are where no WebSocket is passed on: what a fault of fetch leaves hanging is soon given up.
    const client = cuttableClient(url, token, this.#random.below(5) === 0 ? { webSocket: undefined, pongMs: 3000 } : {});
    const number = ++this.#number;
    if (one.isTerminal && this.#random.below(2) === 0) {
      this.#say(`viewer ${number} looks at ${one.id}`);
      const viewer = new ScreenViewer(client, one.id, `viewer ${number}`);
      one.screens.push(viewer);
      viewer.slowMs = this.#random.of([0, 0, 0, 5]);
    } else {
      const encoding = this.#random.of(['text', 'base64'] as const);
      this.#say(`viewer ${number} reads ${one.id} as ${encoding}`);
      const viewer = new LogViewer(client, one.id, `viewer ${number}`, {
        ledgers: one.ledgers,
        encoding,
        wasRestarted: () => one.lives > 1,
      });
      one.logs.push(viewer);
      viewer.slowMs = this.#random.of([0, 0, 0, 5]);
    }
  }

  #anyViewer(): LogViewer | ScreenViewer | undefined {
    const all = this.#started.flatMap(({ logs, screens }) => [...logs, ...screens]).filter(({ outcome }) => outcome === undefined);
    return all.length === 0 ? undefined : this.#random.of(all);
  }

  #cutAny(): void {
    const viewer = this.#anyViewer();
    this.#say(`${viewer?.name} is cut off`);
    viewer?.client.cut();
  }

  #stallAny(): void {
    const viewer = this.#anyViewer();
    if (viewer === undefined) return;
    const isBack = this.#random.below(2) === 0;
    this.#say(`${viewer.name} ${isBack ? 'reads on' : 'stops reading'}`);
    if (isBack) viewer.goOn();
    else viewer.stall();
  }

  async #leaveAny(): Promise<void> {
    const viewer = this.#anyViewer();
    this.#say(`${viewer?.name} leaves`);
    await viewer?.leave();
  }

  async #resize(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    const { id } = one;
    if (this.#random.below(6) === 0) {
      const asked = await this.#ask('terminals.resize', { id, columns: 1, rows: 1 });
      assert.ok('refused' in asked && asked.refused !== 'INTERNAL');
      return;
    }
    const [columns, rows] = this.#random.of(sizes);
    const before = one.size;
    one.size = undefined;
    one.isResized = true;
    const asked = await this.#ask('terminals.resize', { id, columns, rows });
    // Another asked meanwhile: who was the last nobody knows.
    if (one.size !== undefined) one.size = undefined;
    else if ('answer' in asked) one.size = [columns, rows];
    else if (asked.refused !== 'CONNECTION_LOST') one.size = before;
  }

  async #type(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    const { id } = one;
    const ready = await this.#ask('processes.wait', {
      id,
      until: 'text',
      text: one.kind === 'echo' ? 'ready\n'.replace('\n', one.isTerminal ? '\r\n' : '\n') : 'frame 0',
      timeoutMs: 5000,
    });
    if (!('answer' in ready) || !ready.answer.met) return;
    if (one.kind === 'paint') {
      await this.#ask('terminals.input', { id, text: this.#random.below(12) === 0 ? 'end' : 'x' });
      return;
    }
    const writers = 1 + this.#random.below(3);
    await Promise.all(
      Array.from({ length: writers }, async () => {
        const writer = ++this.#number;
        const client = this.#random.below(3) === 0 ? cuttableClient((this.#sidecar as SidecarProcess).url, processToken) : this.#client;
        const count = 1 + this.#random.below(4);
        for (let number = 0; number < count; number++) {
          const isLast = this.#random.below(60) === 0;
          const line = isLast ? 'end' : `w${writer}.${number} ${this.#random.of(['ä', '界界', 'plain', 'x'.repeat(3000)])}`;
          const typed = { line, writer, isSure: false };
          one.typed.push(typed);
          const name = one.isTerminal && this.#random.below(2) === 0 ? 'terminals.input' : 'processes.input';
          const asking = this.#ask(name, { id, text: `${line}\n` }, client);
          if (client !== this.#client && this.#random.below(4) === 0) client.cut();
          const asked = await asking;
          typed.isSure = 'answer' in asked;
          if ('refused' in asked) break;
        }
        if (client !== this.#client) client.close();
      }),
    );
  }

  async #signal(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    const signal = this.#random.of(['SIGTERM', 'SIGINT', 'SIGKILL', 'SIGHUP', 'SIGWINCH', 'SIGSTOP'] as const);
    if (signal !== 'SIGWINCH') {
      one.mayEndBy.add('signal');
      one.mayEndBySignal.add(signal);
    }
    await this.#ask('processes.signal', { id: one.id, signal });
    if (signal === 'SIGSTOP') await this.#ask('processes.signal', { id: one.id, signal: 'SIGCONT' });
  }

  #mayStop(one: Started): void {
    one.mayEndBy.add('stopped');
    for (const signal of ['SIGTERM', 'SIGKILL', 'SIGHUP']) one.mayEndBySignal.add(signal);
  }

  async #stop(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    this.#mayStop(one);
    const asked = await this.#ask('processes.stop', { id: one.id, graceMs: this.#random.of([0, 50, 300]) });
    if ('answer' in asked && one.lives === 1) {
      assert.equal(asked.answer.state, 'ended');
      assert.deepEqual(this.#left([one.id]), [], `${one.id} was stopped`);
    }
  }

  async #restart(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    this.#mayStop(one);
    one.lives++;
    await this.#ask('processes.restart', { id: one.id, graceMs: this.#random.of([0, 50]) });
  }

  async #remove(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    one.mayBeGone = true;
    const asked = await this.#ask('processes.remove', { id: one.id });
    if ('answer' in asked) this.#gone(one);
    else if (asked.refused !== 'CONNECTION_LOST' && asked.refused !== 'NO_PROCESS') one.mayBeGone = false;
  }

  async #close(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    this.#mayStop(one);
    one.mayBeGone = true;
    const asked = await this.#ask('terminals.close', { id: one.id });
    if ('answer' in asked) this.#gone(one);
  }

  #gone(one: Started): void {
    one.isGone = true;
    this.#say(`${one.id} is gone`);
    if (one.lives === 1 && one.kind !== 'leaver') assert.deepEqual(this.#left([one.id]), [], `${one.id} was removed`);
  }

  async #list(): Promise<void> {
    await this.#ask('processes.list', {});
    await this.#ask('terminals.list', {}, this.#readOnly);
  }

  /** Who may look may look, and nothing else. */
  async #tryWithoutRight(one: Started | undefined): Promise<void> {
    if (one === undefined) return;
    const { id } = one;
    const [name, input] = this.#random.of([
      ['processes.input', { id, text: 'never\n' }],
      ['processes.signal', { id, signal: 'SIGKILL' }],
      ['processes.stop', { id, graceMs: 0 }],
      ['processes.restart', { id }],
      ['processes.remove', { id }],
      ['processes.start', { argv: ['true'] }],
      ['terminals.input', { id, text: 'never\n' }],
      ['terminals.resize', { id, columns: 11, rows: 11 }],
      ['terminals.close', { id }],
      ['terminals.open', { argv: ['true'] }],
    ] as const);
    const asked = await this.#ask(name, input as never, this.#readOnly);
    assert.ok(
      'refused' in asked && ['ACCESS_DENIED', 'CONNECTION_LOST', 'STOPPING'].includes(asked.refused),
      `${name} by who may only look`,
    );
    const scoped = cuttableClient((this.#sidecar as SidecarProcess).url, this.#scopedToken);
    const other = await this.#ask(name, input as never, scoped);
    assert.ok('refused' in other && ['OUT_OF_SCOPE', 'CONNECTION_LOST', 'STOPPING'].includes(other.refused), `${name} out of scope`);
    scoped.close();
  }

  // ── what has to be true

  #left(ids: readonly string[]): number[] {
    return markedWith('OUTRIGGER_PROCESS', (id) => ids.includes(id));
  }

  #helpersNow(): string {
    return childrenOf(this.#pid)
      .map(({ name }) => name)
      .toSorted()
      .join();
  }

  /** What the sidecar has open, by its sort. */
  #openNow(): Record<string, number> {
    const open: Record<string, number> = {};
    for (const name of fs.readdirSync(`/proc/${this.#pid}/fd`)) {
      try {
        const sort = fs.readlinkSync(`/proc/${this.#pid}/fd/${name}`).replace(/\d+/g, 'N');
        open[sort] = (open[sort] ?? 0) + 1;
      } catch {
        // It was closed meanwhile.
      }
    }
    return open;
  }

  /** All that comes has come: what everybody was told is looked at. */
  async rest(): Promise<void> {
    this.#say('rest');
    for (const { logs, screens } of this.#started) for (const viewer of [...logs, ...screens]) viewer.goOn();
    for (const one of this.#started) {
      if (one.kind !== 'service' || one.isGone) continue;
      this.#mayStop(one);
      await this.#ask('processes.stop', { id: one.id, graceMs: 50 });
    }
    for (const one of this.#started) await this.#checkOne(one);
    const { processes } = await this.#client.call('processes.list', {});
    const there = processes.map(({ id }) => id);
    for (const one of this.#started) if (one.isGone) assert.ok(!there.includes(one.id), `${one.id} is there still`);
    // What was refused was not started. Of what was asked for when the sidecar was killed, nobody knows.
    const known = this.#started.map(({ id }) => id);
    if (!this.#wasKilled) for (const id of there) assert.ok(known.includes(id), `${id} is nobody's`);
    const { peakMb } = memoryOf(this.#pid);
    if (this.#megabytes > 0) assert.ok(peakMb < this.#megabytes + mostMegabytes, `${this.#megabytes} MB became ${peakMb}`);
    this.#say(`${peakMb} MB at most, ${this.#megabytes} at the beginning`);
  }

  async #checkOne(one: Started): Promise<void> {
    const { id, kind } = one;
    const hasOwnEnd = one.expected !== undefined;
    let info: ProcessInfo | undefined;
    if (!one.isGone) {
      if (hasOwnEnd) await this.#ask('processes.wait', { id, until: 'exit', timeoutMs: 60_000 });
      const asked = await this.#ask('processes.get', { id });
      if ('answer' in asked) info = asked.answer;
      else {
        assert.ok(asked.refused === 'NO_PROCESS' && one.mayBeGone, `${kind} ${id} is not there: ${asked.refused}`);
        one.isGone = true;
      }
    }
    if (info === undefined) {
      for (const viewer of [...one.logs, ...one.screens]) await eventually(() => viewer.outcome !== undefined, 10_000);
      for (const viewer of [...one.logs, ...one.screens]) assert.match(viewer.outcome as string, /^(ended|left|NO_PROCESS)$/, viewer.name);
      if (kind !== 'leaver') await eventually(() => assert.deepEqual(this.#left([id]), [], `${kind} ${id} is gone`));
      return;
    }
    if (hasOwnEnd) assert.equal(info.state, 'ended', `${kind} ${id}`);
    const isEnded = info.state === 'ended';
    if (isEnded) this.#checkEnd(one, info);
    else assert.equal(info.state, 'running', `${kind} ${id}`);
    await eventually(async () => {
      const now = await this.#client.call('processes.get', { id });
      await this.#checkLog(one, now);
      // What was typed may be on its way.
      this.#checkTyped(one, now);
    });
    for (const viewer of one.logs) await this.#checkReader(one, viewer);
    if (one.isTerminal) await this.#checkScreens(one, isEnded);
    if (isEnded && kind !== 'leaver') await eventually(() => assert.deepEqual(this.#left([id]), [], `${kind} ${id} has ended`));
  }

  #checkEnd(one: Started, info: ProcessInfo): void {
    const { reason, exitCode, exitSignal, output } = info;
    const name = `${one.kind} ${one.id}`;
    assert.ok(reason !== undefined && one.mayEndBy.has(reason), `${name} ended by ${reason}`);
    if (reason === 'exit') {
      if (one.lives > 1) return;
      assert.equal(exitCode, one.exitCode, `exit code of ${name}`);
      if (one.expected !== undefined)
        for (const stream of streams) assert.equal(output[stream].end, one.expected[stream].length, `${name} ${stream}`);
    }
    if (reason === 'signal') assert.ok(one.mayEndBySignal.has(exitSignal ?? ''), `${name} ended by ${exitSignal}`);
    if (reason === 'lost') assert.deepEqual([exitCode, exitSignal], [undefined, undefined], name);
  }

  /** The log whole, as it is now. */
  async #checkLog(one: Started, info: ProcessInfo): Promise<void> {
    const { items, end } = await (async () => {
      const stream = this.#client.stream('processes.output', { id: one.id, encoding: 'base64' });
      const got = [];
      for await (const item of stream) got.push(item);
      return { items: got, end: await stream.end };
    })();
    const next = { stdout: 0, stderr: 0 };
    const lost = { stdout: 0, stderr: 0 };
    for (const item of items) {
      assert.equal(item.offset - (item.lost ?? 0), next[item.stream]);
      const bytes = Buffer.from(item.base64 ?? '', 'base64');
      one.ledgers[item.stream].record(item.offset, bytes, 'the log');
      next[item.stream] = item.offset + bytes.length;
      lost[item.stream] += item.lost ?? 0;
    }
    for (const stream of streams) {
      if (one.lives === 1 && one.expected !== undefined) one.ledgers[stream].check(one.expected[stream]);
      const { end: length, lost: said } = end.process.output[stream];
      if (info.state === 'ended') assert.equal(length, info.output[stream].end);
      // What is lost at the very end is no item's.
      assert.ok(
        said >= lost[stream] && length - next[stream] === said - lost[stream],
        `${one.id} ${stream}: ${said} lost, ${lost[stream]} told`,
      );
      const kept = this.#options.headBytes + this.#options.tailBytes;
      assert.ok(
        length - said >= Math.min(length, kept) - (info.reason === 'lost' ? kept : 0),
        `${one.id} keeps ${length - said} of ${length}`,
      );
    }
    assert.deepEqual(end.ended, info.state === 'ended');
  }

  async #checkReader(one: Started, viewer: LogViewer): Promise<void> {
    if (viewer.outcome === 'left') return;
    const name = `${viewer.name} of ${one.kind} ${one.id}`;
    await eventually(async () => {
      const { output, state } = await this.#client.call('processes.get', { id: one.id });
      if (viewer.outcome === undefined) assert.notEqual(state, 'ended', `${name} is not told of the end`);
      else assert.equal(viewer.outcome, 'ended', name);
      if (viewer.outcome === 'ended' && one.lives > 1) return;
      if (viewer.isTorn) return;
      for (const stream of streams) assert.equal(viewer.positions[stream], output[stream].end, `${name}: ${stream}`);
    }, 20_000);
    if (viewer.end === undefined || one.lives > 1) return;
    const { process, ended, next } = viewer.end;
    assert.deepEqual([ended, process.state], [true, 'ended'], name);
    if (!viewer.isTorn) assert.deepEqual(next, viewer.positions, name);
    const { reason, exitCode, exitSignal } = await this.#client.call('processes.get', { id: one.id });
    assert.deepEqual([process.reason, process.exitCode, process.exitSignal], [reason, exitCode, exitSignal], name);
  }

  async #checkScreens(one: Started, isEnded: boolean): Promise<void> {
    const fresh = new ScreenViewer(cuttableClient((this.#sidecar as SidecarProcess).url, processToken), one.id, 'a late viewer');
    try {
      await eventually(() => fresh.screens > 0 && (!isEnded || fresh.outcome !== undefined));
      const { answer } = (await this.#ask('terminals.list', {})) as { answer: Answer<Operations['terminals.list']> };
      const info = answer.terminals.find(({ id }) => id === one.id);
      assert.ok(info !== undefined);
      if (one.size !== undefined && !isEnded) assert.deepEqual([info.columns, info.rows], [...one.size], `size of ${one.id}`);
      for (const viewer of one.screens) {
        if (viewer.outcome === 'left') continue;
        const name = `${viewer.name} of ${one.kind} ${one.id}`;
        if (isEnded && one.lives === 1) await eventually(() => assert.equal(viewer.outcome, 'ended', name));
        // What an earlier sidecar was told of sizes, nobody knows now.
        if (viewer.outcome === 'ended' && (one.mayEndBy.has('lost') || one.lives > 1)) continue;
        // What a narrow screen does not show any more comes back where it is, and not where somebody came later: programs draw it anew.
        if (one.kind === 'paint' && one.isResized && !(await this.#isDrawn(one, info))) continue;
        await eventually(() => assert.deepEqual(viewer.picture(), fresh.picture(), name), 5000);
      }
      if (!one.isResized && one.size !== undefined) await this.#checkReplay(one, one.size, fresh);
    } finally {
      await fresh.leave();
    }
  }

  /** One who saw all that it wrote, from the first byte on, sees what is shown. */
  async #checkReplay(one: Started, [cols, rows]: readonly [number, number], viewer: ScreenViewer): Promise<void> {
    await eventually(async () => {
      const info = await this.#client.call('processes.get', { id: one.id });
      const { end, lost } = info.output.stdout;
      if (lost > 0) return;
      await this.#checkLog(one, info);
      const replay = new headless.Terminal({ cols, rows, scrollback, allowProposedApi: true });
      guardTerminal(replay);
      await new Promise<void>((resolve) => replay.write(one.ledgers.stdout.upTo(end), resolve));
      assert.deepEqual(viewer.picture(), pictureOf(replay), `${one.kind} ${one.id} shows what it wrote`);
    }, 10_000);
  }

  /** Whether a program that draws the whole screen did so for the size that it has. */
  async #isDrawn(one: Started, { columns, rows }: Answer<Operations['terminals.list']>['terminals'][number]): Promise<boolean> {
    let last: RegExpExecArray | undefined;
    await eventually(async () => {
      const info = await this.#client.call('processes.get', { id: one.id });
      last = undefined;
      if (info.output.stdout.lost > 0) return;
      // It may have drawn since its log was read.
      await this.#checkLog(one, info);
      const text = one.ledgers.stdout.upTo(info.output.stdout.end).toString();
      last = [...text.matchAll(/frame \d+ of (\d+)x(\d+)/g)].at(-1);
    });
    return last?.[1] === String(columns) && last[2] === String(rows);
  }

  #checkTyped(one: Started, info: ProcessInfo): void {
    if (one.kind !== 'echo' || one.lives > 1 || info.output.stdout.lost > 0) return;
    const text = one.ledgers.stdout.upTo(info.output.stdout.end).toString();
    const said = text.split(/\r?\n/);
    const name = `echo ${one.id}`;
    // Cut short by a kill, or on its way.
    const begun = (/^got \d+:(.*)$/.exec(said.pop() ?? '')?.[1] ?? '').replace(/\uFFFD$/, '');
    assert.ok(
      begun === '' || one.typed.some(({ line }) => line.startsWith(begun)),
      `${name}: nobody typed what begins with ${begun.slice(0, 50)}`,
    );
    const got = said
      .flatMap((line) => /^got (\d+):(.*)$/.exec(line)?.slice(1) ?? [])
      .reduce<string[][]>((all, part, index) => (index % 2 === 0 ? [...all, [part]] : (all.at(-1)?.push(part), all)), []);
    assert.deepEqual(
      got.map(([number]) => Number(number)),
      got.map((_, index) => index + 1),
      name,
    );
    const lines = got.map(([, line]) => line as string);
    const ends = info.state === 'ended';
    for (const { line, isSure } of one.typed) {
      if (line === 'end') continue;
      const times = lines.filter((other) => other === line).length;
      assert.ok(times <= 1, `${name}: ${line.slice(0, 50)} arrived ${times} times`);
      if (isSure && !ends) assert.equal(times, 1, `${name}: ${line.slice(0, 50)} never arrived`);
    }
    const known = new Set(one.typed.map(({ line }) => line));
    for (const line of lines) assert.ok(known.has(line), `${name}: nobody typed ${line.slice(0, 50)}`);
    for (const writer of new Set(one.typed.map(({ writer: by }) => by))) {
      const order = one.typed.filter((typed) => typed.writer === writer && typed.line !== 'end').map(({ line }) => lines.indexOf(line));
      const arrived = order.filter((at) => at >= 0);
      assert.deepEqual(
        arrived,
        arrived.toSorted((a, b) => a - b),
        `${name}: the order of ${writer}`,
      );
    }
  }

  async #clear(): Promise<void> {
    for (const one of this.#started) {
      for (const viewer of [...one.logs, ...one.screens]) await viewer.leave();
      if (one.isGone) continue;
      await this.#client.call('processes.stop', { id: one.id, graceMs: 0 });
      await this.#client.call('processes.remove', { id: one.id });
      one.isGone = true;
    }
    // Also those that were started while the sidecar was killed, of which nobody heard.
    for (const { id } of (await this.#client.call('processes.list', {})).processes) {
      await this.#client.call('processes.stop', { id, graceMs: 0 });
      await this.#client.call('processes.remove', { id });
    }
    await eventually(() => assert.deepEqual(this.#left(this.#started.filter(({ kind }) => kind !== 'leaver').map(({ id }) => id)), []));
  }

  /** Nothing is left of all of it. */
  async end(): Promise<void> {
    await this.#clear();
    await eventually(() => {
      for (const [sort, count] of Object.entries(this.#openNow())) {
        // Some are made ahead.
        const ahead = sort === 'pipe:[N]' ? 24 : sort.endsWith('.db-journal') ? 1 : 0;
        const more = sort === 'socket:[N]' && this.#helpersNow() !== this.#helpers ? 5 : ahead;
        const before = this.#descriptors[sort] ?? 0;
        assert.ok(count <= before + more, `${before} descriptors of ${sort} became ${count}`);
      }
    }, 5000);
    this.#disconnect();
    assert.equal(await (this.#sidecar as SidecarProcess).stop(), 0);
    assert.deepEqual(this.#left(this.#started.map(({ id }) => id)), []);
    this.#sidecar = undefined;
  }

  #disconnect(): void {
    this.#control?.close();
    this.#readOnly?.close();
  }

  /** After a failure. */
  async drop(): Promise<void> {
    for (const { logs, screens } of this.#started)
      for (const viewer of [...logs, ...screens]) {
        viewer.goOn();
        viewer.client.close();
      }
    this.#disconnect();
    await this.#sidecar?.kill();
    for (const pid of this.#left(this.#started.map(({ id }) => id))) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended meanwhile.
      }
    }
  }
}
