import { actorOf, allowsLevel } from '../../contract/access.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { Call, Implementations, Input, Item } from '../../contract/operation.ts';
import type { OutputItem, ProcessInfo, processes as table } from '../../contract/processes.ts';
import { createBell } from '../../core/bell.ts';
import { StreamSearch } from '../../core/stream-search.ts';
import { cutCharacter } from '../../core/utf8.ts';
import type { ManagedProcess } from './managed-process.ts';
import type { OutputLog, OutputPiece, OutputPositions, OutputStream } from './output-log.ts';
import type { ProcessSpec } from './process-spec.ts';
import type { ProcessTable, ProcessView } from './process-table.ts';
import { timeLimit } from './time-limit.ts';

type Processes = typeof table;
type Reading = Pick<Input<Processes['processes.output']>, 'streams' | 'encoding'>;

/** Of one item, bytes. */
const PIECE_BYTES = 64 * 1024;
const PORT_EVERY_MS = 100;

export function processOperations(processes: ProcessTable): Implementations<Processes> {
  return {
    'processes.start': (input, call) => processes.start(specOf(input, call), call.caller.ended),
    'processes.run': async ({ waitMs, streams, encoding, ...input }, call) => {
      const { process: started } = await processes.start(specOf(input, call), call.caller.ended);
      const view = processes.view(started.id);
      const { process } = view;
      const next = { stdout: 0, stderr: 0 };
      const late = new AbortController();
      const unlimit = timeLimit(waitMs, () => late.abort());
      const flow = holdOf(process, AbortSignal.any([late.signal, call.signal]));
      try {
        await follow(process.log, next, { streams, encoding }, call, { until: late.signal, maxBytes: Number.POSITIVE_INFINITY, flow });
      } finally {
        unlimit();
      }
      return endOf(view, next, streams);
    },
    'processes.list': ({ running }) => ({
      processes: processes.list().filter(({ state }) => !running || state !== 'ended'),
    }),
    'processes.get': ({ id }) => processes.get(id),
    'processes.output': async ({ id, from, last, follow: follows, hold, maxBytes = Number.POSITIVE_INFINITY, ...reading }, call) => {
      if (hold && !allowsLevel(call.caller.access, 'execute'))
        throw new OutriggerError('ACCESS_DENIED', 'Only who may execute can let a program wait.');
      const view = processes.view(id);
      const { process } = view;
      const { log } = process;
      const { end } = log;
      const next = last === undefined ? { ...from } : { stdout: Math.max(0, end.stdout - last), stderr: Math.max(0, end.stderr - last) };
      // An offset of another life of the log is no place in this one.
      for (const stream of ['stdout', 'stderr'] as const) next[stream] = Math.min(next[stream], end[stream]);
      const until = follows ? undefined : AbortSignal.abort();
      const flow = hold && follows ? { flow: holdOf(process, call.signal) } : {};
      await follow(log, next, reading, call, { until, maxBytes, ...flow });
      return endOf(view, next, reading.streams);
    },
    'processes.input': async ({ id, text, base64, end }, call) => {
      if (text !== undefined && base64 !== undefined) throw new OutriggerError('BAD_INPUT', 'Only one of text and base64 may be given.');
      const process = processes.process(id);
      const bytes = base64 === undefined ? Buffer.from(text ?? '') : Buffer.from(base64, 'base64');
      // Both take their place now: nobody's input comes between.
      const written = bytes.length > 0 ? process.write(bytes, call.signal) : undefined;
      await Promise.all([written, end ? process.endInput(call.signal) : undefined]);
      return { bytes: bytes.length };
    },
    'processes.signal': ({ id, signal }) => {
      processes.process(id).signal(signal);
      return {};
    },
    'processes.stop': async ({ id, graceMs }) => {
      const { process, info } = processes.view(id);
      await process.stop(graceMs);
      return info();
    },
    'processes.restart': ({ id, graceMs }) => processes.restart(id, graceMs),
    'processes.wait': async (input, call) => {
      const view = processes.view(input.id);
      return { met: await met(processes, view, input, call.signal), process: view.info() };
    },
    'processes.remove': ({ id }) => {
      processes.remove(id);
      return {};
    },
    'processes.watch': (_input, call) => watch(processes, call),
  };
}

function specOf(
  { restart, checkpoint, ...input }: Input<Processes['processes.start']>,
  { caller, requestId }: Pick<Call, 'caller' | 'requestId'>,
): ProcessSpec {
  return {
    ...input,
    argv: input.argv as [string, ...string[]],
    restart,
    checkpoint: checkpoint ?? (caller.kind === 'agent' || caller.kind === 'task'),
    startedBy: actorOf(caller),
    requestId,
  };
}

/** As a pipe would: the program waits for who reads it, as long as that one waits for the program. */
function holdOf(process: ManagedProcess, until: AbortSignal): { hold: () => void; letGo: () => void } {
  const holder = {};
  const letGo = (): void => process.letGo(holder);
  until.addEventListener('abort', letGo, { once: true });
  return { hold: () => (until.aborted ? undefined : process.hold(holder)), letGo };
}

function endOf(
  { process: { log }, info }: ProcessView,
  next: OutputPositions,
  streams: readonly OutputStream[],
): { next: OutputPositions; ended: boolean; process: ProcessInfo } {
  const { end } = log;
  return { next, ended: log.ended && streams.every((stream) => next[stream] >= end[stream]), process: info() };
}

/**
 * Sends what there is and what comes, at the caller's pace, and moves `next` on: until the log ends, `until` is aborted (what was there
 * then is sent), or `maxBytes` were sent. Rejects when the call is aborted.
 */
async function follow(
  log: OutputLog,
  next: OutputPositions,
  { streams, encoding }: Reading,
  call: Call<OutputItem>,
  { until, maxBytes, flow }: { until: AbortSignal | undefined; maxBytes: number; flow?: { hold: () => void; letGo: () => void } },
): Promise<void> {
  const bell = createBell(call.signal);
  const stop = log.onGrowth(() => {
    const { end } = log;
    if (flow !== undefined && streams.some((stream) => end[stream] - next[stream] > log.keptBytes / 4)) flow.hold();
    bell.ring();
  });
  until?.addEventListener('abort', bell.ring, { once: true });
  let room = maxBytes;
  try {
    for (;;) {
      const isLast = log.ended || until?.aborted === true;
      const there = log.end;
      // A program that writes all the time is not followed beyond what was there.
      const isBehind = (stream: OutputStream): boolean => next[stream] < there[stream];
      // One that wrote half a character has to wait for the rest, and the other goes on.
      let readable = streams.filter(isBehind);
      while (readable.length > 0 && room > 0) {
        const piece = log.next(next, readable, Math.min(room, PIECE_BYTES));
        if (piece === undefined) break;
        const made = itemOf(piece, encoding, log.ended);
        if (made !== undefined) {
          await call.emit(made.item);
          call.signal.throwIfAborted();
          next[piece.stream] = made.end;
          room -= made.end - piece.offset;
        }
        readable = readable.filter((stream) => isBehind(stream) && (made !== undefined || stream !== piece.stream));
      }
      if (isLast || room <= 0) return;
      flow?.letGo();
      await bell.rung();
    }
  } finally {
    flow?.letGo();
    stop();
    until?.removeEventListener('abort', bell.ring);
  }
}

/** Undefined for the start of a character whose rest is still to come. */
function itemOf(
  { stream, offset, bytes, following, lost }: OutputPiece,
  encoding: Reading['encoding'],
  hasEnded: boolean,
): { item: OutputItem; end: number } | undefined {
  let sent = bytes;
  if (encoding === 'text') {
    const cut = cutCharacter(bytes);
    const rest = cut === undefined ? undefined : following();
    // Of a character whose rest is not kept no more will come.
    if (cut !== undefined && rest !== undefined) {
      if (rest.length >= cut.missing) sent = Buffer.concat([bytes, rest.subarray(0, cut.missing)]);
      else if (!hasEnded) sent = bytes.subarray(0, bytes.length - cut.there);
    }
  }
  if (sent.length === 0 && bytes.length > 0) return undefined;
  const item: OutputItem = { stream, offset };
  if (encoding === 'text') item.text = sent.toString();
  else item.base64 = sent.toString('base64');
  if (lost > 0) item.lost = lost;
  return { item, end: offset + sent.length };
}

async function met(
  processes: ProcessTable,
  { process, info }: ProcessView,
  { until, port, text, from, timeoutMs }: Input<Processes['processes.wait']>,
  signal: AbortSignal,
): Promise<boolean> {
  if (until === 'text' && text === undefined) throw new OutriggerError('BAD_INPUT', 'What text is waited for?');
  const looks = {
    exit: () => process.isOver,
    port: () => {
      processes.look(PORT_EVERY_MS / 2);
      return info().ports.some((listening) => port === undefined || listening.port === port);
    },
    text: until === 'text' ? finderOf(process, text ?? '', from) : () => false,
  };
  const bell = createBell(signal);
  let isLate = false;
  const unlimit = timeLimit(timeoutMs, () => {
    isLate = true;
    bell.ring();
  });
  const stops = [process.log.onGrowth(bell.ring), processes.onNews(bell.ring)];
  const timer = until === 'port' ? setInterval(bell.ring, PORT_EVERY_MS) : undefined;
  try {
    for (;;) {
      const isLast = process.isOver || isLate;
      if (looks[until]()) return true;
      // Nothing that is waited for can come any more, or nobody waits for it.
      if (isLast) return false;
      await bell.rung();
    }
  } finally {
    unlimit();
    clearInterval(timer);
    for (const stop of stops) stop();
  }
}

/** Each byte is looked at once; a text that lies over two looks is found. */
function finderOf({ log }: ManagedProcess, text: string, from: OutputPositions): () => boolean {
  // A character stands for a byte, so that characters that are cut in two match too.
  const needle = Buffer.from(text).toString('latin1');
  const streams: readonly OutputStream[] = ['stdout', 'stderr'];
  const next = { ...from };
  const searches = { stdout: new StreamSearch(needle), stderr: new StreamSearch(needle) };
  return () =>
    streams.some((stream) => {
      const search = searches[stream];
      for (let piece = log.next(next, [stream], PIECE_BYTES); piece !== undefined; piece = log.next(next, [stream], PIECE_BYTES)) {
        if (piece.lost > 0) search.restart();
        next[stream] = piece.offset + piece.bytes.length;
        if (search.next(piece.bytes.toString('latin1'), 0) >= 0) return true;
      }
      return false;
    });
}

async function watch(processes: ProcessTable, call: Call<Item<Processes['processes.watch']>>): Promise<never> {
  const bell = createBell(call.signal);
  // The newest news of each process alone: a reader that is slow misses steps, and never the last one.
  const news = new Map<string, ProcessInfo | undefined>();
  const told = new Set<string>();
  const there = new Map(processes.list().map((process) => [process.id, process]));
  const stop = processes.onNews((one) => {
    if ('process' in one) news.set(one.process.id, one.process);
    // Who never heard of it need not hear that it is gone.
    else if (told.has(one.removed)) news.set(one.removed, undefined);
    else for (const untold of [news, there]) untold.delete(one.removed);
    bell.ring();
  });
  const tell = async (id: string, process: ProcessInfo | undefined): Promise<void> => {
    if (process === undefined) told.delete(id);
    else told.add(id);
    await call.emit(process === undefined ? { type: 'removed', id } : { type: 'process', process });
  };
  try {
    for (const [id, process] of there) await tell(id, process);
    await call.emit({ type: 'ready' });
    for (;;) {
      for (const [id, process] of news) {
        news.delete(id);
        await tell(id, process);
      }
      await bell.rung();
    }
  } finally {
    stop();
  }
}
