import type { AgentFrames } from '../contract/hub.ts';
import type { Bus } from './bus.ts';

/** Of one task, characters; the oldest go first. */
const MAX_LOG_LENGTH = 1024 * 1024;
/** Of the tasks whose output came last, so many are kept. */
const MAX_LOGS = 1000;

export interface LogEntry {
  sequence: number;
  stream: 'stdout' | 'stderr';
  offset: number;
  text: string;
  generation: number;
}

interface TaskLog {
  entries: LogEntry[];
  length: number;
  next: number;
}

/** On the bus: there is more of the log of a task, or nothing any more. */
const ofLog = (task: string): string => `log.${task}`;

/** What the programs of tasks wrote, the end of it, in memory: it is for those who look on; results are kept elsewhere. */
export class TaskLogs {
  readonly #logs = new Map<string, TaskLog>();
  readonly #bus: Bus;

  constructor(bus: Bus) {
    this.#bus = bus;
  }

  add(task: string, { stream, offset, text, generation }: AgentFrames['task_log']): void {
    const log = this.#logs.get(task) ?? { entries: [], length: 0, next: 1 };
    this.#logs.delete(task);
    this.#logs.set(task, log);
    // Said again after a connection was lost.
    const known = log.entries.findLast((entry) => entry.stream === stream && entry.generation === generation);
    if (known !== undefined && offset < known.offset + Buffer.byteLength(known.text)) return;
    log.entries.push({ sequence: log.next++, stream, offset, text, generation });
    log.length += text.length;
    while (log.length > MAX_LOG_LENGTH && log.entries.length > 1) log.length -= log.entries.shift()?.text.length ?? 0;
    this.#bus.publish(ofLog(task), null);
    for (const other of this.#logs.keys()) {
      if (this.#logs.size <= MAX_LOGS) break;
      if (!this.#bus.listened(ofLog(other))) this.#logs.delete(other);
    }
  }

  after(task: string, sequence: number): LogEntry[] {
    return this.#logs.get(task)?.entries.filter((entry) => entry.sequence > sequence) ?? [];
  }

  /** The task is no more: nothing of it is kept, and who follows is woken. */
  forget(task: string): void {
    this.#logs.delete(task);
    this.#bus.publish(ofLog(task), null);
  }

  /** Returns the way to stop. */
  follow(task: string, listener: () => void): () => void {
    return this.#bus.subscribe(ofLog(task), listener);
  }
}
