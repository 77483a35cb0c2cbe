import { randomBytes } from 'node:crypto';
import type { CodeItem, CodeStage, EffectiveLimits } from '../../../contract/code.ts';
import type { Sandbox, SandboxEnd, SandboxedProgram, SandboxUse } from '../isolation/sandbox.ts';
import type { Language } from '../languages.ts';
import { OutputFeed, outputDecoder } from '../output-feed.ts';
import type { SessionRecord } from '../session-store.ts';
import type { Sessions } from '../sessions.ts';
import { measuredStage, quietStage, stageOf } from '../stage.ts';
import type { Toolchains } from '../toolchains.ts';
import { type Facts, framed } from './marks.ts';
import { Replies } from './replies.ts';
import { driverRequest, liveDrivers } from './warm-pool.ts';

/** One that had no work for so long is ended; its variables are in the session. */
const IDLE_MS = 10 * 60_000;
/** To take up variables, or to write them down. */
const STATE_WITHIN_MS = 10_000;
/** As much as a driver may tell of variables unasked: beside what the code may write, it has room for that and some marks. */
const UNASKED_BYTES = 24_000;
const MARKS_BYTES = 32_000;
/** So much more a long mark is with what is around its pieces. */
const IN_PIECES = 1.02;
/** What a driver says in the place of a state that is larger than that. */
const IS_LARGE = 2;
/** Of processor time over the whole life of one: each order has its own limit. */
const LIFE_CPU_MS = 60 * 60_000;

export interface LiveOrder {
  code: string;
  /** As the program sees it. */
  file: string;
  args: readonly string[];
  stdin: string;
  env: Readonly<Record<string, string>>;
  limits: EffectiveLimits;
  network: boolean;
  signal: AbortSignal;
  emit: (item: CodeItem) => Promise<void> | void;
  /** Called when the code is done, or its interpreter is over; the caller may not have all of its output yet. */
  onDone: () => void;
}

interface Live {
  language: Language;
  /** What it was started with, which can't be another later. */
  fixed: string;
  program: SandboxedProgram;
  token: string;
  canceling: AbortController;
  /** The hash of its variables, where they were written down as it told them last. */
  kept: string | undefined;
  /** To the order that it has. */
  replies: Replies | undefined;
  /** Of that order. */
  onDone: (() => void) | undefined;
  isOver: boolean;
  /** It has work: it is not ended to make room. */
  isBusy: boolean;
  idle: NodeJS.Timeout | undefined;
  usedAt: number;
}

/** Interpreters that stay in their session, with their variables, from one run to the next. At most one for each session. */
export class LiveInterpreters {
  readonly #dependencies: { sandbox: Sandbox; sessions: Sessions; toolchains: Toolchains };
  readonly #options: { most: number; maxStateBytes: number; lifeMs: number };
  readonly #live = new Map<string, Live>();

  constructor(
    dependencies: { sandbox: Sandbox; sessions: Sessions; toolchains: Toolchains },
    options: { most: number; maxStateBytes: number; lifeMs: number },
  ) {
    this.#dependencies = dependencies;
    this.#options = options;
  }

  has(session: string): boolean {
    return this.#live.has(session);
  }

  /**
   * Runs code in the interpreter of the session, and writes its variables down afterwards. All that the code started is ended then. Throws what
   * Sandbox.start throws.
   */
  async run(
    session: SessionRecord,
    language: Language,
    order: LiveOrder,
  ): Promise<{ stage: CodeStage; wasLive: boolean; restored: boolean; notes: string[] }> {
    const notes: string[] = [];
    let live = this.#live.get(session.id);
    const fixed = fixedOf(language, order);
    if (live !== undefined && (live.isOver || live.fixed !== fixed)) {
      if (!live.isOver && live.language === language)
        notes.push('The interpreter was started anew, for its other limits or network; its variables are those that were kept.');
      await this.close(session.id);
      live = undefined;
    }
    const wasLive = live !== undefined;
    let restored = false;
    if (live === undefined) {
      live = await this.#start(session, language, order, fixed);
      const missed = await this.#restore(live, session, order.signal);
      restored = missed !== undefined;
      if (missed !== undefined && missed.length > 0)
        notes.push(`Of the kept variables of this session, these could not be taken up: ${listed(missed)}.`);
      if (session.state !== null && !restored) notes.push('The kept variables of this session could not be taken up.');
      // Taking them up ended it, which is no end of the code.
      if (live.isOver) {
        await this.close(session.id);
        live = await this.#start(session, language, order, fixed);
      }
    }
    live.isBusy = true;
    try {
      const replies = repliesOf(live);
      let stage = await this.#ask(live, session, order, replies).catch(async (error: unknown) => {
        // Whoever gets none of it: what the driver has to say is heard before the next order.
        const { ends } = await this.#conclude(live, session, replies);
        if (ends) await this.close(session.id);
        throw error;
      });
      // It may have ended a moment after it was done.
      if (stage.reason === 'exit' && !live.isOver && this.has(session.id)) {
        const { use, said, ends } = await this.#conclude(live, session, replies);
        if (ends) await this.close(session.id);
        stage = measuredStage(stage, use, order.limits);
        notes.push(...said);
      }
      if (live.isOver) notes.push('The interpreter of the session ended; the next run begins with the variables as they were kept last.');
      return { stage, wasLive, restored, notes };
    } finally {
      live.isBusy = false;
      if (live.isOver) this.#forget(session.id, live);
      else this.#rest(live);
      this.#makeRoom();
    }
  }

  /** Ends the one of a session; its variables stay as they were written down. */
  async close(session: string): Promise<void> {
    const live = this.#live.get(session);
    if (live === undefined) return;
    this.#forget(session, live);
    live.canceling.abort(new Error('closed'));
    await live.program.end;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#live.keys()].map((session) => this.close(session)));
  }

  async #start(session: SessionRecord, language: Language, { limits, network, signal }: LiveOrder, fixed: string): Promise<Live> {
    const { sandbox, sessions } = this.#dependencies;
    const request = driverRequest(liveDrivers, language, { ...this.#dependencies, folder: sessions.files.folder(session.id) });
    if (request === undefined) throw new Error(`${language.name} has no driver.`);
    const canceling = new AbortController();
    const token = randomBytes(12).toString('hex');
    signal.throwIfAborted();
    const program = await sandbox.start({
      ...request,
      limits,
      lifeCpuMs: LIFE_CPU_MS,
      network,
      keepStdinOpen: true,
      waits: true,
      signal: canceling.signal,
      onOutput: () => {},
    });
    const usedAt = performance.now();
    const live: Live = {
      language,
      fixed,
      program,
      token,
      canceling,
      kept: undefined,
      replies: undefined,
      onDone: undefined,
      isOver: false,
      isBusy: true,
      idle: undefined,
      usedAt,
    };
    // As long as it lives, its folder stays.
    const letGo = sessions.hold(session.id);
    // Its output may still be on its way to somebody who does not read.
    void program.over.then(() => live.onDone?.());
    void program.end.then(() => {
      live.isOver = true;
      live.replies?.end();
      letGo();
      if (!live.isBusy) this.#forget(session.id, live);
    });
    void program.write(framed({ live: token }));
    this.#live.set(session.id, live);
    this.#makeRoom();
    return live;
  }

  /** The one that was used longest ago goes; those that work stay, and are looked at when they are done. */
  #makeRoom(): void {
    const idle = [...this.#live].filter(([, { isBusy }]) => !isBusy).sort(([, one], [, other]) => one.usedAt - other.usedAt);
    for (const [session] of idle.slice(0, Math.max(0, this.#live.size - this.#options.most))) void this.close(session);
  }

  async #ask(live: Live, session: SessionRecord, order: LiveOrder, replies: Replies): Promise<CodeStage> {
    const { limits, signal, emit, code, file, args, stdin, env } = order;
    const begun = performance.now();
    const bound = new OutputBound(limits.outputBytes, () => live.canceling.abort(new Error('output')));
    const feed = new OutputFeed({
      stage: 'run',
      emit,
      filter: (stream, text, isLast) => {
        const parts = replies.take(stream, text);
        if (isLast) parts.push(replies.rest(stream));
        return parts.flatMap((part): (string | CodeItem)[] => (typeof part === 'string' ? [bound.take(stream, part)] : displayed(part)));
      },
    });
    feed.control(live.program);
    const letGo = endWith(live, signal);
    live.onDone = order.onDone;
    const room = { wallMs: limits.wallMs, cpuMs: limits.cpuMs, outputBytes: Math.ceil(limits.outputBytes * IN_PIECES) + MARKS_BYTES };
    live.program.begin?.(room, (stream, bytes) => feed.push(stream, bytes));
    const known = live.kept !== undefined && live.kept === session.state?.sha256;
    const keep = { most: this.#options.maxStateBytes, unasked: UNASKED_BYTES, known };
    void live.program.write(framed({ code, file, args, stdin, env, keep }));
    try {
      const done = await replies.done;
      live.program.rest?.();
      order.onDone();
      await feed.end().catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (done !== undefined && !bound.isMet) return quietStage(done.done ?? 0, performance.now() - begun, feed.bytes);
      const end = bound.applied(await live.program.end);
      return { ...stageOf(end, feed.bytes, limits), wallMs: Math.round(performance.now() - begun) };
    } finally {
      live.onDone = undefined;
      letGo();
    }
  }

  /** Gives the names of those that could not be taken up; undefined: nothing could be. */
  async #restore(live: Live, session: SessionRecord, signal: AbortSignal): Promise<string[] | undefined> {
    if (session.state?.language !== live.language.code) return undefined;
    const letGo = endWith(live, signal);
    try {
      const { bytes } = this.#dependencies.sessions.variables.read(session);
      const replies = repliesOf(live);
      const order = Buffer.concat([framed({ restore: bytes.length }), bytes]);
      const reply = await this.#quietly(live, replies, 'done', order);
      return reply?.done === 0 ? (reply.lost ?? []) : undefined;
    } catch {
      // It is gone.
      return undefined;
    } finally {
      letGo();
    }
  }

  /** What there is to be done after a run, of whatever came of it: its variables are written down, and what it started is ended. */
  async #conclude(
    live: Live,
    session: SessionRecord,
    replies: Replies,
  ): Promise<{ use: SandboxUse | undefined; said: string[]; ends: boolean }> {
    // What a run leaves of its variables comes after it; what is large is asked for.
    let kept = replies.isKept ? await replies.kept : await this.#quietly(live, replies, 'kept');
    if (kept?.done === IS_LARGE) kept = await this.#quietly(live, repliesOf(live), 'done', framed({ give: true }));
    // Others do that while we write.
    const settling = live.program.settle?.();
    const said = await this.#save(session, live, kept);
    const use = await settling;
    if ((use?.ended ?? 0) > 0) said.push('Programs that the code had started were ended with the run.');
    return { use, said, ends: kept?.ends === true };
  }

  async #save(session: SessionRecord, live: Live, done: Facts | undefined): Promise<string[]> {
    const lost = (done?.lost ?? []).length === 0 ? [] : [`Not kept beyond the life of the interpreter: ${listed(done?.lost ?? [])}.`];
    if (done?.same === true && live.kept !== undefined) return lost;
    live.kept = undefined;
    if (done?.tooLarge === true) return ['The variables are too large to be kept beyond the life of the interpreter.'];
    if (done?.state === undefined) return ['The variables could not be written down.'];
    try {
      const { sha256 } = await this.#dependencies.sessions.variables.put(session, Buffer.from(done.state, 'base64'), live.language.code);
      live.kept = sha256;
    } catch (error) {
      return [`The variables could not be written down: ${(error as Error).message}`];
    }
    return lost;
  }

  /** What is between us and the driver, of which the caller sees nothing. */
  async #quietly(live: Live, replies: Replies, which: 'done' | 'kept', order?: Buffer): Promise<Facts | undefined> {
    const decoders = { stdout: outputDecoder(), stderr: outputDecoder() };
    // As base64, with what is around it and its pieces.
    const limits = { wallMs: STATE_WITHIN_MS, outputBytes: this.#options.maxStateBytes * 1.4 + 100_000 };
    live.program.begin?.(limits, (stream, bytes) => void replies.take(stream, decoders[stream].decode(bytes, { stream: true })));
    if (order !== undefined) void live.program.write(order);
    const reply = await replies[which];
    live.program.rest?.();
    return reply;
  }

  #rest(live: Live): void {
    live.usedAt = performance.now();
    clearTimeout(live.idle);
    live.idle = setTimeout(
      () => {
        for (const [session, one] of this.#live) if (one === live && !live.isBusy) void this.close(session);
      },
      Math.min(IDLE_MS, this.#options.lifeMs),
    ).unref();
  }

  #forget(session: string, live: Live): void {
    clearTimeout(live.idle);
    // Another one may have come after it.
    if (this.#live.get(session) === live) this.#live.delete(session);
  }
}

/** Until what is returned is called, the end of an order is its interpreter's. */
function endWith(live: Live, signal: AbortSignal): () => void {
  const onAbort = (): void => live.canceling.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  return () => signal.removeEventListener('abort', onAbort);
}

/** To an order that is given now. */
function repliesOf(live: Live): Replies {
  const replies = new Replies(live.token);
  live.replies = replies;
  if (live.isOver) replies.end();
  return replies;
}

/** Holds what the code writes to its limit, where more may come for what its driver tells. */
class OutputBound {
  readonly #most: number;
  readonly #onMet: () => void;
  readonly #came = { stdout: 0, stderr: 0 };
  isMet = false;

  constructor(most: number, onMet: () => void) {
    this.#most = most;
    this.#onMet = onMet;
  }

  /** As much of a text as there is room for. */
  take(stream: 'stdout' | 'stderr', text: string): string {
    const room = Math.max(0, this.#most - this.#came[stream]);
    const length = Buffer.byteLength(text);
    this.#came[stream] += length;
    if (length <= room) return text;
    if (!this.isMet) this.#onMet();
    this.isMet = true;
    return Buffer.from(text).subarray(0, room).toString();
  }

  /** The end as it is with what was left out here. */
  applied(end: SandboxEnd): SandboxEnd {
    if (!this.isMet) return end;
    const omitted = (stream: 'stdout' | 'stderr'): number => end.omitted[stream] + Math.max(0, this.#came[stream] - this.#most);
    const limit = { name: 'outputBytes', value: this.#most } as const;
    return { ...end, reason: 'output', limit, omitted: { stdout: omitted('stdout'), stderr: omitted('stderr') } };
  }
}

/** All that a sandbox is made with, but for what each order has of its own. */
function fixedOf({ code }: Language, { limits, network }: LiveOrder): string {
  const { memoryBytes, processes, fileBytes, diskBytes } = limits;
  return JSON.stringify([code, network, memoryBytes, processes, fileBytes, diskBytes]);
}

function listed(names: readonly string[]): string {
  return names.slice(0, 20).join(', ');
}

function displayed({ display }: Facts): CodeItem[] {
  return display === undefined ? [] : [{ type: 'display', data: display }];
}
