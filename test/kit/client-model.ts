// For tests: clients that call, stream, leave and close over a bad network, of a sidecar that is stopped, killed and started again by chance.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CallOptions, type Client, type ConnectionState, createClient } from '../../src/client/client.ts';
import { type ErrorReason, errorTable, OutriggerError } from '../../src/contract/errors.ts';
import type { FeedItem } from '../../src/contract/events.ts';
import type { Operations } from '../../src/contract/operations.ts';
import type { OutputItem } from '../../src/contract/processes.ts';
import { BadNetwork, type Direction, fineWeather, type Page, pageNames } from './bad-network.ts';
import { type ModelTable, textOf } from './client-model-operations.ts';
import { eventually } from './eventually.ts';
import type { Random } from './random.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';

type Table = Operations & ModelTable;

const program = path.join(import.meta.dirname, 'client-model-sidecar.ts');
const CALLERS = 3;
/** Over its time or its end no call takes longer than this; the machine may be busy. */
const SLACK_MS = 5000;
const LONGEST_MS = 1500;
const backoff = { baseMs: 20, maxMs: 300 };
const offlineAfterMs = 400;
/** What delays of this backoff come to, and some more: one that begins anew too early asks some 100 times. */
const MOST_A_SECOND = 40;
/** A program in the sidecar writes it, over and over, each line with its place. */
const LINE = 10;
const writing = `let at = 0; const timer = setInterval(() => { for (let i = 0; i < 20; i++) process.stdout.write(String(at++).padStart(${LINE - 1}, '0') + '\\n'); if (at > 1e6) clearInterval(timer); }, 5);`;

/** The call was not taken up at all. */
const notDone: ReadonlySet<string> = new Set<ErrorReason>(['BAD_TOKEN', 'TOO_MANY', 'BAD_INPUT', 'STOPPING', 'NO_OPERATION']);
/** Pages that say that the way is closed for a while. */
const passing: ReadonlySet<Page> = new Set(['bad gateway', 'unavailable', 'gateway timeout', 'unavailable, in JSON']);

const kinds = ['WebSocket', 'WebSocket', 'HTTP'] as const;

interface Segment {
  /** The cursor of its first item. */
  cursor: string;
  revisions: number[];
}

function epochOf(cursor: string): string {
  return cursor.slice(0, cursor.lastIndexOf('-'));
}

/** What a call may end with, beside its result. */
interface Ends {
  abort: AbortController;
  timeoutMs: number | undefined;
  begun: number;
}

/** Somebody with a client. */
class Person {
  readonly name: string;
  readonly client: Client<Table>;
  readonly kind: (typeof kinds)[number];
  /** Undefined: has the main token. */
  readonly tokenId: string | undefined;
  readonly states: ConnectionState[] = [];
  readonly work: Promise<void>[] = [];
  readonly leaving = new AbortController();
  segment: Segment | undefined;
  seen = new Set<string>();
  isClosed = false;
  /** Of sockets, and of the requests of its feed that the client made by itself, when they were begun. */
  readonly asked: number[] = [];
  /** From where its feed is to be asked for next, and whether the model itself asks for it. */
  watching: { cursor: string | undefined; isAgain: boolean } | undefined;
  readonly #problems: string[];

  constructor(
    options: { name: string; url: string; token: string; tokenId: string | undefined; kind: (typeof kinds)[number]; random: Random },
    problems: string[],
  ) {
    const { name, url, token, tokenId, kind, random } = options;
    [this.name, this.tokenId, this.kind, this.#problems] = [name, tokenId, kind, problems];
    const asked = (): void => void this.asked.push(performance.now());
    const watches = (cursor: string | undefined): void => this.#watches(cursor);
    class Counted extends WebSocket {
      constructor(address: string, protocols?: string[]) {
        super(address, protocols);
        asked();
      }
      override send(text: string): void {
        const { method, params } = text.length < 1000 ? (JSON.parse(text) as { method?: string; params?: { cursor?: string } }) : {};
        if (method === 'changes.watch') watches(params?.cursor);
        super.send(text);
      }
    }
    this.client = createClient<Table>({
      url,
      token,
      webSocket: kind === 'HTTP' ? undefined : (Counted as never),
      // Connections that are kept for the next call would be counted as left open.
      fetch: (input, init) => {
        if (String(input).endsWith('/api/changes.watch')) {
          // Calls are made as fast as the model asks for them; a feed asks again by itself.
          if (this.watching?.isAgain === true) asked();
          watches((JSON.parse(String(init?.body)) as { cursor?: string }).cursor);
        }
        const headers = new Headers(init?.headers);
        headers.set('connection', 'close');
        return fetch(input, { ...init, headers });
      },
      backoff,
      offlineAfterMs,
      connectTimeoutMs: 500,
      pingMs: 150,
      pongMs: 400,
      random: () => random.below(1000) / 1000,
    });
    this.client.connection.on('state', (state) => this.#heard(state));
  }

  /** A feed asks for what comes after the last item that it told: what comes twice it would pass over, and what is left out nobody would miss. */
  #watches(cursor: string | undefined): void {
    const { watching } = this;
    if (watching === undefined) return;
    if (cursor !== watching.cursor)
      this.#problems.push(`${this.name} (${this.kind}): asks from ${cursor}, and not from ${watching.cursor}`);
    watching.isAgain = true;
  }

  /** Each state follows from the one before. */
  #heard(state: ConnectionState): void {
    const last = this.states.at(-1) ?? { name: 'idle' };
    this.states.push(state);
    const wrong = (what: string): void =>
      void this.#problems.push(`${this.name}: ${what}: ${JSON.stringify(last)} then ${JSON.stringify(state)}`);
    if (state !== this.client.connection.state) wrong('another state than it says');
    if (last.name === 'closed') wrong('a state after it was closed');
    if (state.name === 'live' && this.client.connection.peer === undefined) wrong('live without a connection');
    const isDown = (one: ConnectionState) => one.name === 'reconnecting' || one.name === 'offline';
    if (state.name === 'reconnecting' || state.name === 'offline') {
      const now = Date.now();
      if (state.retryAt !== undefined && state.retryAt - now > backoff.maxMs + 1) wrong('it waits too long');
      if (state.name === 'offline' && now - state.since < offlineAfterMs - 2) wrong('offline too early');
      if ((last.name === 'reconnecting' || last.name === 'offline') && last.since !== state.since) wrong('an outage that begins anew');
      if (state.retryAt === undefined && (!isDown(last) || !('retryAt' in last) || last.retryAt === undefined || now < last.retryAt - 2))
        wrong('an attempt before its time');
    }
    if (state.name === 'connecting' && last.name !== 'idle') wrong('it begins anew');
    if (state.name === 'live' && last.name !== 'connecting' && !isDown(last)) wrong('live from nowhere');
  }

  close(): void {
    this.isClosed = true;
    this.client.close();
  }
}

export interface Counts {
  calls: number;
  done: number;
  failed: number;
  items: number;
  changes: number;
  resyncs: number;
  starts: number;
  /** In a second, by one of them. */
  mostAsked: number;
}

export class ClientModel {
  readonly counts: Counts = { calls: 0, done: 0, failed: 0, items: 0, changes: 0, resyncs: 0, starts: 0, mostAsked: 0 };
  readonly reasons = new Map<string, number>();
  readonly #random: Random;
  readonly #root: string;
  readonly #state: string;
  readonly #network: BadNetwork;
  readonly #problems: string[] = [];
  readonly #people: Person[] = [];
  readonly #mayRestart: boolean;
  #process: SidecarProcess | undefined;
  #port = 0;
  #direct: Client<Table> | undefined;
  #writer: string | undefined;
  #number = 0;
  #persons = 0;
  /** Times that what the sidecar knew may have been lost. */
  #losses = 0;
  #over = false;
  #calm = false;
  /** Numbers of notes that were answered, and of those that were refused. */
  readonly #noted = new Set<number>();
  readonly #refused = new Map<number, string>();
  /** What was asked to be written, and whether that was answered. */
  readonly #written = new Map<string, { text: string; done: boolean }>();
  readonly #revoked = new Set<Person>();

  /** Without `mayRestart` the sidecar lives on. */
  constructor(random: Random, folder: string, { mayRestart }: { mayRestart: boolean }) {
    this.#random = random;
    this.#root = path.join(folder, 'work');
    this.#state = path.join(folder, 'state');
    this.#network = new BadNetwork(random);
    this.#mayRestart = mayRestart;
    fs.mkdirSync(this.#root);
  }

  async start(people: number): Promise<void> {
    await this.#network.listen();
    await this.#up();
    for (let at = 0; at < people; at++) await this.#join();
  }

  /** Lets all of them work for so long, under disturbances. */
  async run(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (performance.now() < until) {
      this.#check();
      await this.#disturb();
      await sleep(20 + this.#random.below(180));
      for (const person of this.#people.filter(({ isClosed }) => isClosed)) await this.#leave(person);
      while (this.#people.length < 3) await this.#join();
    }
  }

  /** Under a calm sky everything that was said holds. */
  async end(): Promise<void> {
    this.#calm = true;
    await this.#network.clear();
    if (this.#process === undefined) await this.#up();
    // Nothing else tells the clients that they have to ask anew.
    this.#network.lose();
    await this.#caughtUp();
    this.#over = true;
    for (const person of [...this.#people]) {
      person.leaving.abort();
      await this.#within(Promise.all(person.work), `${person.name} leaves`, 0);
      await this.#ofOnce(person);
    }
    // A sidecar finds it out after a minute by itself; Node's WebSocket, which waits to be told goodbye, not at all.
    this.#network.bury();
    assert.ok(this.#direct !== undefined);
    const direct = this.#direct;
    await this.#eventually('calls are left in the sidecar', async () => {
      const { running } = await direct.call('model.running', {});
      assert.deepEqual(running, []);
    });
    for (const person of this.#people) person.close();
    await this.#eventually('connections are left', () => assert.deepEqual(this.#network.connections, []));
    this.#check();
    this.#checkNotes();
    this.#checkWritten();
  }

  async close(): Promise<void> {
    this.#over = true;
    for (const person of this.#people) {
      person.leaving.abort();
      person.close();
    }
    this.#direct?.close();
    this.#network.close();
    await this.#process?.kill();
    await Promise.allSettled(this.#people.flatMap(({ work }) => work));
  }

  async #eventually(what: string, check: () => unknown): Promise<void> {
    try {
      await eventually(check, 10_000);
    } catch (error) {
      assert.fail(`${what}: ${String(error)}`);
    }
  }

  #check(): void {
    assert.deepEqual(this.#problems, []);
  }

  // The sidecar.

  async #up(): Promise<void> {
    this.counts.starts++;
    this.#process = await spawnSidecar({
      root: this.#root,
      state: this.#state,
      port: this.#port,
      program,
      flags: { 'documents.maxOpen': '10' },
    });
    this.#port = Number(new URL(this.#process.url).port);
    this.#network.lead(this.#port);
    this.#direct?.close();
    this.#direct = createClient<Table>({ url: this.#process.url, token: processToken, webSocket: undefined });
    this.#writer = (await this.#direct.call('processes.start', { argv: [process.execPath, '-e', writing] })).process.id;
  }

  async #restart(how: 'stop' | 'kill' | 'lose'): Promise<void> {
    const ending = this.#process;
    this.#process = undefined;
    if (how !== 'stop') this.#losses++;
    if (how === 'kill') await ending?.kill();
    else assert.equal(await ending?.stop(), 0, ending?.log());
    if (how === 'lose') {
      fs.rmSync(this.#state, { recursive: true, force: true });
      for (const person of this.#people) if (person.tokenId !== undefined) this.#revoked.add(person);
    }
    await this.#up();
  }

  async #disturb(): Promise<void> {
    const random = this.#random;
    const network = this.#network;
    const what = random.below(100);
    if (what < 15) network.cut();
    else if (what < 40) {
      network.weather =
        random.below(3) === 0
          ? fineWeather
          : {
              delayMs: random.of([0, 5, 30]),
              pieces: 1 + random.below(4),
              cutPercent: random.of([0, 30, 80]),
              cutBelow: random.of([200, 1000, 20_000, 500_000]),
            };
    } else if (what < 55) {
      network.stall(random.of<readonly Direction[]>([['up'], ['down'], ['up', 'down']]));
      await sleep(50 + random.below(900));
      network.goOn();
    } else if (what < 65) {
      network.refuse();
      if (random.below(2) === 0) network.cut();
      await sleep(50 + random.below(500));
      await network.listen();
    } else if (what < 80) {
      network.answer(random.of(pageNames));
      await sleep(50 + random.below(500));
      network.answer(undefined);
    } else if (what < 84) {
      if (this.#mayRestart) await this.#restart(random.of(['stop', 'kill', 'kill', 'lose'] as const));
    } else if (what < 90) await this.#revoke(random.of(this.#people));
    else if (what < 95) {
      const person = random.of(this.#people);
      person.close();
    } else if (what < 99) network.lose();
    else await network.clear();
  }

  async #revoke(person: Person): Promise<void> {
    if (person.tokenId === undefined || this.#revoked.has(person)) return;
    this.#revoked.add(person);
    await this.#direct?.call('tokens.revoke', { id: person.tokenId });
  }

  // People.

  async #join(): Promise<void> {
    const random = this.#random;
    const name = `p${++this.#persons}`;
    const isMain = random.below(2) === 0;
    assert.ok(this.#direct !== undefined);
    const made = isMain ? undefined : await this.#direct.call('tokens.create', { name, access: 'execute' });
    const options = {
      name,
      url: this.#network.url,
      token: made?.secret ?? processToken,
      tokenId: made?.id,
      kind: random.of(kinds),
      random,
    };
    const person = new Person(options, this.#problems);
    this.#people.push(person);
    for (let at = 0; at < CALLERS; at++) person.work.push(this.#loop(person, () => this.#act(person)));
    person.work.push(
      this.#loop(person, () => this.#watch(person)),
      this.#loop(person, () => this.#follow(person)),
    );
  }

  async #leave(person: Person): Promise<void> {
    this.#people.splice(this.#people.indexOf(person), 1);
    person.leaving.abort();
    person.close();
    await this.#within(Promise.all(person.work), `${person.name} leaves`, 0);
    await this.#ofOnce(person);
  }

  /** Nobody asks without end. */
  async #ofOnce(person: Person): Promise<void> {
    let from = 0;
    for (const [index, at] of person.asked.entries()) {
      while (at - (person.asked[from] as number) > 1000) from++;
      this.counts.mostAsked = Math.max(this.counts.mostAsked, index - from);
      if (index - from > MOST_A_SECOND) this.#problems.push(`${person.name} (${person.kind}) asks ${index - from} times a second`);
    }
  }

  /** As long as it is there, over and over; each time a little later, so that failures don't make a busy loop of the model. */
  async #loop(person: Person, run: () => Promise<void>): Promise<void> {
    while (!this.#over && !person.isClosed && !person.leaving.signal.aborted) {
      try {
        await run();
      } catch (error) {
        this.#problems.push(`${person.name} (${person.kind}): ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
        return;
      }
      if (person.client.connection.state.name === 'refused') {
        if (!this.#revoked.has(person)) this.#problems.push(`${person.name}: refused, with a token that holds`);
        person.close();
      }
      await sleep(this.#random.below(30));
    }
  }

  /** Settles with it, which has no longer than this. */
  async #within<T>(promise: Promise<T>, what: string, ms: number): Promise<T> {
    const timer = new AbortController();
    const late = sleep(ms + SLACK_MS, undefined, { signal: timer.signal }).then(
      () => assert.fail(`${what}: not settled in time`),
      () => undefined as never,
    );
    try {
      return await Promise.race([promise, late]);
    } finally {
      timer.abort();
    }
  }

  /** Of a call that is ended sooner or later, whatever becomes of it. */
  #ends(person: Person, mayTimeOut = true): Ends & { options: CallOptions; over: () => void; mostMs: number } {
    const random = this.#random;
    const abort = new AbortController();
    const timeoutMs = mayTimeOut && random.below(2) === 0 ? random.of([1, 30, 200, LONGEST_MS]) : undefined;
    const abortMs = timeoutMs === undefined || random.below(4) === 0 ? random.of([0, 5, 50, LONGEST_MS, LONGEST_MS]) : LONGEST_MS;
    const timer = setTimeout(() => abort.abort(), abortMs);
    const leave = (): void => abort.abort();
    person.leaving.signal.addEventListener('abort', leave, { once: true });
    const over = (): void => {
      clearTimeout(timer);
      person.leaving.signal.removeEventListener('abort', leave);
    };
    const options = { signal: abort.signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
    return { abort, timeoutMs, begun: performance.now(), options, over, mostMs: Math.min(abortMs, timeoutMs ?? abortMs) };
  }

  /** Fails unless it is a failure that can be. */
  #failure(person: Person, what: string, error: unknown, ends: Ends | undefined, also: readonly ErrorReason[] = []): ErrorReason {
    assert.ok(error instanceof OutriggerError, `${what}: no error of ours: ${error instanceof Error ? error.stack : String(error)}`);
    const { reason, message } = error;
    const row = errorTable[reason];
    assert.deepEqual([error.code, error.retryable], [row.code, row.retryable], what);
    assert.ok(error.hint.length > 10, what);
    this.counts.failed++;
    this.reasons.set(reason, (this.reasons.get(reason) ?? 0) + 1);
    const given = [...this.#network.given.keys()];
    const may: Partial<Record<ErrorReason, boolean>> = {
      CONNECTION_LOST: true,
      STOPPING: this.#mayRestart,
      CANCELED: ends?.abort.signal.aborted ?? person.leaving.signal.aborted,
      DEADLINE: ends?.timeoutMs !== undefined && performance.now() - ends.begun >= ends.timeoutMs - 2,
      TOKEN_REVOKED: this.#revoked.has(person),
      BAD_TOKEN: this.#revoked.has(person),
      TOO_MANY: given.includes('too many'),
      // By the time that a redirect was followed it led to the sidecar.
      NOT_FOUND: given.some((page) => page.startsWith('log in there')) && message.endsWith(' /login.'),
      // What stands between said something that is none of ours.
      INTERNAL: given.some((page) => !passing.has(page)) && /^The server answered (40\d|30\d)\./.test(message),
    };
    assert.ok(may[reason] === true || also.includes(reason), `${what}: ${reason} can't be here: ${message} ${String(error.cause)}`);
    return reason;
  }

  async #act(person: Person): Promise<void> {
    const acts = [
      () => this.#note(person),
      () => this.#note(person),
      () => this.#echo(person),
      () => this.#write(person),
      () => this.#upload(person),
      () => this.#read(person),
      () => this.#count(person),
      () => this.#count(person),
      () => this.#wait(person),
    ] as const;
    await this.#random.of(acts)();
  }

  /** A call with its end; undefined: it failed, as it may, for a reason that `failed` hears. */
  async #call<T>(
    person: Person,
    what: string,
    run: (options: CallOptions) => Promise<T>,
    { also = [], failed }: { also?: readonly ErrorReason[]; failed?: (reason: ErrorReason) => void } = {},
  ): Promise<T | undefined> {
    const ends = this.#ends(person);
    this.counts.calls++;
    const label = `${person.name} (${person.kind}) ${what}`;
    try {
      const result = await this.#within(run(ends.options), label, ends.mostMs);
      this.counts.done++;
      return result;
    } catch (error) {
      const reason = this.#failure(person, label, error, ends, also);
      failed?.(reason);
      return undefined;
    } finally {
      ends.over();
    }
  }

  async #note(person: Person): Promise<void> {
    const n = ++this.#number;
    // Some are too long for a message.
    const padding = this.#random.below(10) === 0 ? 'x'.repeat(1_100_000) : '';
    const failed = (reason: ErrorReason): void => {
      if (notDone.has(reason)) this.#refused.set(n, reason);
    };
    const answer = await this.#call(person, `note ${n}`, (options) => person.client.call('model.note', { n, padding }, options), {
      failed,
    });
    if (answer === undefined) return;
    assert.equal(answer.n, n, 'the answer to another note');
    this.#noted.add(n);
  }

  async #echo(person: Person): Promise<void> {
    const n = ++this.#number;
    const length = this.#random.of([0, 100, 20_000, 700_000]);
    const afterMs = this.#random.of([0, 0, 10, 100]);
    const answer = await this.#call(person, `echo ${n}`, (options) => person.client.call('model.echo', { n, length, afterMs }, options));
    if (answer === undefined) return;
    assert.equal(answer.n, n, 'the answer to another echo');
    assert.ok(answer.text === textOf(n, length), `echo ${n} is not whole`);
  }

  async #write(person: Person): Promise<void> {
    const n = ++this.#number;
    const name = `f${n}.txt`;
    const text = textOf(n, 1 + this.#random.of([10, 5000, 200_000]));
    const entry = { text, done: false };
    this.#written.set(name, entry);
    const answer = await this.#call(person, `write ${name}`, (options) => person.client.call('files.write', { path: name, text }, options));
    if (answer === undefined) return;
    entry.done = true;
    assert.equal(answer.path, name, 'the answer to another write');
    assert.ok(fs.readFileSync(path.join(this.#root, name), 'utf8') === text, `${name} is not what was reported`);
  }

  async #upload(person: Person): Promise<void> {
    const n = ++this.#number;
    const name = `u${n}.txt`;
    const text = textOf(n, 1 + this.#random.of([10, 5000, 400_000]));
    const entry = { text, done: false };
    this.#written.set(name, entry);
    const isSlow = this.#random.below(2) === 0;
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < text.length; at += 50_000) {
        yield Buffer.from(text.slice(at, at + 50_000));
        if (isSlow) await sleep(5);
      }
    }
    const body = this.#random.below(2) === 0 ? text : pieces();
    const answer = await this.#call(person, `upload ${name}`, (options) =>
      person.client.upload('files.upload', { path: name }, body, options),
    );
    if (answer === undefined) return;
    entry.done = true;
    assert.ok(fs.readFileSync(path.join(this.#root, name), 'utf8') === text, `${name} is not what was reported`);
  }

  async #read(person: Person): Promise<void> {
    const done = [...this.#written].filter(([, entry]) => entry.done);
    if (done.length === 0) return;
    const [name, { text }] = this.#random.of(done);
    if (this.#random.below(2) === 0) {
      const answer = await this.#call(person, `read ${name}`, (options) => person.client.call('files.read', { path: name }, options));
      if (answer !== undefined) assert.ok(answer.text === text, `${name} reads otherwise`);
      return;
    }
    const downloaded = await this.#call(person, `download ${name}`, async (options) => {
      const { bytes } = await person.client.download('files.download', { path: name }, options);
      const all: Uint8Array[] = [];
      for await (const piece of bytes) all.push(piece);
      return Buffer.concat(all).toString();
    });
    if (downloaded !== undefined) assert.ok(downloaded === text, `${name} downloads otherwise: ${downloaded.slice(0, 200)}`);
  }

  async #wait(person: Person): Promise<void> {
    const n = ++this.#number;
    const answer = await this.#call(person, `wait ${n}`, (options) => person.client.call('model.wait', { n }, options));
    assert.equal(answer, undefined, 'it waits for ever');
  }

  /** A stream with numbers, read slowly or not, left or aborted at some item, or to its end. */
  async #count(person: Person): Promise<void> {
    const random = this.#random;
    const n = ++this.#number;
    const to = random.of([0, 10, 300]);
    const padding = random.of([0, 100, 5000]);
    const resumes = random.below(3) > 0;
    const leaveAt = random.below(3) === 0 ? random.below(to + 1) : undefined;
    const abortAt = random.below(3) === 0 ? random.below(to + 1) : undefined;
    const slowMs = random.below(4) === 0 ? 10 : 0;
    const ends = this.#ends(person, false);
    const label = `${person.name} (${person.kind}) count ${n}${resumes ? ', goes on' : ''}`;
    const onResume = (last: { at: number } | undefined) => ({ n, to, padding, from: last === undefined ? 0 : last.at + 1 });
    const stream = person.client.stream('model.count', { n, to, padding }, { signal: ends.abort.signal, ...(resumes ? { onResume } : {}) });
    this.counts.calls++;
    let at = 0;
    const reading = async (): Promise<void> => {
      for await (const item of stream) {
        assert.ok(!ends.abort.signal.aborted, `${label}: an item after it was aborted`);
        assert.deepEqual([item.n, item.at], [n, at], label);
        assert.ok(item.text === textOf(n, padding), label);
        at++;
        this.counts.items++;
        if (at === leaveAt) return;
        if (at === abortAt) ends.abort.abort();
        if (slowMs > 0) await sleep(slowMs);
      }
      assert.equal(at, to, `${label}: items are missing at its end`);
      assert.deepEqual(await stream.end, { n }, label);
    };
    try {
      // Who reads slowly hears of an abort with the next item.
      await this.#within(reading(), label, LONGEST_MS);
      this.counts.done++;
    } catch (error) {
      this.#failure(person, label, error, ends);
      const end = await this.#within(
        stream.end.then(
          () => 'no error',
          (reason: unknown) => reason,
        ),
        `${label}, its end`,
        0,
      );
      assert.equal(end, error, `${label}: its end is another`);
    } finally {
      ends.over();
    }
  }

  /** The changes, across everything; a loop of it begins again only when the feed ended. */
  async #watch(person: Person): Promise<void> {
    const losses = this.#losses;
    let known: string | undefined = person.segment?.cursor;
    if (person.segment !== undefined) known = `${epochOf(person.segment.cursor)}-${this.#lastOf(person.segment)}`;
    const { signal } = person.leaving;
    const watching: Person['watching'] = { cursor: known, isAgain: false };
    person.watching = watching;
    const feed = person.client.watchChanges(known, { signal, git: false });
    try {
      for await (const item of feed) {
        assert.ok(!signal.aborted, `${person.name}: a change after it left`);
        watching.cursor = item.cursor;
        this.#told(person, item, losses);
      }
      assert.ok(signal.aborted, `${person.name} (${person.kind}): the feed of changes ended by itself`);
    } catch (error) {
      const reason = this.#failure(person, `${person.name} (${person.kind}) watch`, error, undefined);
      if (reason === 'CONNECTION_LOST' || reason === 'STOPPING' || reason === 'TOO_MANY')
        assert.ok(person.isClosed, `${person.name} (${person.kind}): the feed of changes gives up: ${String(error)}`);
    }
  }

  #lastOf({ cursor, revisions }: Segment): number {
    return revisions.at(-1) ?? Number(cursor.slice(cursor.lastIndexOf('-') + 1));
  }

  #told(person: Person, item: FeedItem, losses: number): void {
    if (item.type === 'resync') {
      this.counts.resyncs++;
      assert.ok(this.#losses > losses || this.#losses > 0, `${person.name}: a resync, and nothing was lost: ${JSON.stringify(item)}`);
      person.segment = { cursor: item.cursor, revisions: [] };
      return;
    }
    if (person.segment === undefined) person.segment = { cursor: item.cursor, revisions: [] };
    if (item.type !== 'change') return;
    this.counts.changes++;
    assert.equal(epochOf(item.cursor), epochOf(person.segment.cursor), `${person.name}: another epoch, and no resync`);
    const last = this.#lastOf(person.segment);
    if (item.cursor !== person.segment.cursor)
      assert.ok(item.revision > last, `${person.name} (${person.kind}): change ${item.revision} comes after ${last}`);
    person.segment.revisions.push(item.revision);
    person.seen.add(item.path);
  }

  /** What a program writes, by offsets, across lost connections; until it ends with its sidecar. */
  async #follow(person: Person): Promise<void> {
    const id = this.#writer;
    if (id === undefined) return;
    const from = { stdout: 0, stderr: 0 };
    const input = () => ({ id, follow: true, encoding: 'base64' as const, from: { ...from } });
    const { signal } = person.leaving;
    const stream = person.client.stream('processes.output', input(), { signal, onResume: () => input() });
    try {
      for await (const { stream: name, offset, base64, lost = 0 } of stream as AsyncIterable<OutputItem>) {
        assert.ok(!signal.aborted, `${person.name}: output after it left`);
        assert.equal(name, 'stdout');
        assert.equal(offset, from.stdout + lost, `${person.name} (${person.kind}): output is lost, or comes twice`);
        const bytes = Buffer.from(base64 ?? '', 'base64').toString('latin1');
        const first = Math.floor(offset / LINE);
        const count = Math.ceil(bytes.length / LINE) + 1;
        const lines = Array.from({ length: count }, (_, at) => `${String(first + at).padStart(LINE - 1, '0')}\n`).join('');
        assert.ok(lines.slice(offset % LINE).startsWith(bytes), `${person.name}: at ${offset} stands ${bytes.slice(0, 40)}`);
        from.stdout = offset + bytes.length;
        this.counts.items++;
        if (this.#random.below(50) === 0) await sleep(this.#random.below(200));
      }
      const end = await stream.end;
      assert.ok(end.ended && end.next.stdout === from.stdout, `${person.name}: the output ends early: ${JSON.stringify(end)}`);
    } catch (error) {
      const reason = this.#failure(person, `${person.name} (${person.kind}) output`, error, undefined, ['NO_PROCESS']);
      if (reason === 'CONNECTION_LOST' || reason === 'STOPPING' || reason === 'TOO_MANY')
        assert.ok(person.isClosed, `${person.name} (${person.kind}): the output gives up: ${String(error)}`);
      if (reason === 'NO_PROCESS') assert.notEqual(id, this.#calm ? this.#writer : undefined, 'a process that is there is not known');
    }
  }

  // What holds in the end.

  /** Each that is still there has been told of each change since its first. */
  async #caughtUp(): Promise<void> {
    assert.ok(this.#direct !== undefined);
    const direct: Client<Table> = this.#direct;
    while (this.#people.length < 2) await this.#join();
    const there = (): Person[] => this.#people.filter((person) => !person.isClosed && !this.#revoked.has(person));
    // All follow by now, if only since now. Who has yet to hear that the state was lost would be told that instead of the change.
    const { cursor: now } = await direct.call('changes.since', { limit: 1 });
    await this.#eventually('a feed does not come back', () => {
      this.#check();
      for (const { name, kind, segment, states } of there()) {
        const isThere = segment !== undefined && epochOf(segment.cursor) === epochOf(now);
        assert.ok(isThere, `${name} (${kind}): ${segment?.cursor} of ${now} ${JSON.stringify(states.slice(-5))} of ${states.length}`);
      }
    });
    const mark = `mark${this.#number}.txt`;
    await direct.call('files.write', { path: mark, text: 'The end.\n' });
    await this.#eventually('a change is not told', () => {
      this.#check();
      for (const person of there())
        assert.ok(person.seen.has(mark), `${person.name} (${person.kind}) ${JSON.stringify(person.states.slice(-3))}`);
    });
    for (const person of there()) {
      const segment = person.segment as Segment;
      // Others are still at work: what is told while this is asked may not be in the answer.
      const revisions = [...segment.revisions];
      const { changes, resync } = await direct.call('changes.since', { cursor: segment.cursor, limit: 10_000 });
      assert.equal(resync, undefined, `${person.name}: its cursor is of another time: ${segment.cursor}`);
      const told = revisions.filter((revision) => revision > Number(segment.cursor.slice(segment.cursor.lastIndexOf('-') + 1)));
      const last = told.at(-1) ?? 0;
      const made = changes.map(({ revision }) => revision).filter((revision) => revision <= last);
      assert.deepEqual(told, made, `${person.name} (${person.kind}): changes are missing, or too many`);
    }
  }

  #checkNotes(): void {
    const times = new Map<number, number>();
    const file = `${this.#root}-notes`;
    const lines = fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n').slice(0, -1) : [];
    for (const line of lines) times.set(Number(line), (times.get(Number(line)) ?? 0) + 1);
    for (const [n, count] of times) assert.equal(count, 1, `note ${n} was sent ${count} times`);
    for (const n of this.#noted) assert.ok(times.has(n), `note ${n} was answered, and not done`);
    for (const [n, reason] of this.#refused) assert.ok(!times.has(n), `note ${n} was done, and failed with ${reason}`);
  }

  #checkWritten(): void {
    for (const [name, { text, done }] of this.#written) {
      const file = path.join(this.#root, name);
      if (!fs.existsSync(file)) assert.ok(!done, `${name} is not there`);
      else assert.ok(fs.readFileSync(file, 'utf8') === text, `${name} is not whole`);
    }
  }
}
