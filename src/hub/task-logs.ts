import type { AgentFrames } from '../contract/hub.ts';
import type { Bus } from './bus.ts';

/** Of one task, characters; the oldest go first. */
const MAX_LOG_LENGTH = 1024 * 1024;
/** A shorter piece counts as if it had so many characters: that is what it takes besides them. */
const MIN_PIECE_LENGTH = 100;
/** Of the tasks whose output came last, so many are kept. */
const MAX_LOGS = 1000;
/** Of all of them together, characters, as they are counted. */
const MAX_TOGETHER_LENGTH = 64 * 1024 * 1024;
/** In place of what is no UTF-8. */
const REPLACED = '\uFFFD';

export interface LogEntry {
  sequence: number;
  stream: 'stdout' | 'stderr';
  offset: number;
  text: string;
  generation: number;
}

interface TaskLog {
  /** Their sequences have no gaps. */
  entries: LogEntry[];
  /** Of all that is kept, as it is counted. */
  length: number;
  next: number;
  /** Of each stream, the bytes that are known of the newest grant. */
  known: Map<LogEntry['stream'], { generation: number; bytes: number }>;
}

/** On the bus: there is more of the log of a task, or nothing any more. */
const ofLog = (task: string): string => `log.${task}`;

/** What the programs of tasks wrote, the end of it, in memory: it is for those who look on; results are kept elsewhere. */
export class TaskLogs {
  /** The one that was written last is last. */
  readonly #logs = new Map<string, TaskLog>();
  /** Of all that is kept, as it is counted. */
  #length = 0;
  readonly #bus: Bus;
  readonly #now: () => number;

  /** `now`, milliseconds since 1970: the sequences of a log begin there, so that they are beyond those of the same task in an earlier hub. */
  constructor(bus: Bus, now: () => number = () => 0) {
    this.#bus = bus;
    this.#now = now;
  }

  /** What is known already, as it was said before a connection was lost, is left out. */
  add(task: string, { stream, offset, text, generation, bytes = Buffer.byteLength(text) }: AgentFrames['task_log']): void {
    const log: TaskLog = this.#logs.get(task) ?? { entries: [], length: 0, next: this.#now() + 1, known: new Map() };
    this.#logs.delete(task);
    this.#logs.set(task, log);
    const before = log.known.get(stream);
    const known = before?.generation === generation ? before.bytes : 0;
    const end = offset + bytes;
    if (offset < known && end <= known) return;
    log.known.set(stream, { generation, bytes: end });
    const fresh = offset < known ? textFrom(text, bytes, known - offset) : { text, at: 0 };
    if (fresh.text === '') return;
    const lengthBefore = log.length;
    log.entries.push({ sequence: log.next++, stream, offset: offset + fresh.at, text: fresh.text, generation });
    log.length += lengthOf(fresh.text);
    while (log.length > MAX_LOG_LENGTH && log.entries.length > 1) log.length -= lengthOf(log.entries.shift()?.text ?? '');
    this.#length += log.length - lengthBefore;
    this.#bus.publish(ofLog(task), null);
    for (const other of this.#logs.keys()) {
      if (this.#logs.size <= MAX_LOGS && this.#length <= MAX_TOGETHER_LENGTH) return;
      if (other !== task && !this.#bus.listened(ofLog(other))) this.#drop(other);
    }
    // Those that are followed are too much by themselves: who reads along has had most of what goes.
    for (const other of this.#logs.keys()) {
      if (this.#length <= MAX_TOGETHER_LENGTH) return;
      this.#drop(other);
    }
  }

  after(task: string, sequence: number): LogEntry[] {
    const entries = this.#logs.get(task)?.entries ?? [];
    const [first] = entries;
    return first === undefined ? [] : entries.slice(Math.max(0, sequence + 1 - first.sequence));
  }

  /** The task is no more: nothing of it is kept, and who follows is woken. */
  forget(task: string): void {
    this.#drop(task);
    this.#bus.publish(ofLog(task), null);
  }

  #drop(task: string): void {
    this.#length -= this.#logs.get(task)?.length ?? 0;
    this.#logs.delete(task);
  }

  /** Returns the way to stop. */
  follow(task: string, listener: () => void): () => void {
    return this.#bus.subscribe(ofLog(task), listener);
  }
}

function lengthOf(text: string): number {
  return Math.max(text.length, MIN_PIECE_LENGTH);
}

/**
 * The characters that begin at a byte or after it, and at which byte they do. What was no UTF-8 is U+FFFD in the text and was of one to three
 * bytes: each is taken for as long as they are on average, so that a text of one-byte characters is cut where it should be.
 */
function textFrom(text: string, bytes: number, from: number): { text: string; at: number } {
  const replaced = text.split(REPLACED).length - 1;
  const lengthOfReplaced = (bytes - Buffer.byteLength(text)) / replaced + Buffer.byteLength(REPLACED);
  let at = 0;
  let index = 0;
  for (const character of text) {
    if (Math.round(at) >= from) break;
    at += character === REPLACED ? lengthOfReplaced : Buffer.byteLength(character);
    index += character.length;
  }
  return { text: text.slice(index), at: Math.round(at) };
}
