import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { State } from '../state/state.ts';
import { type BatchStep, doStep, isDone, undoStep } from './batch-steps.ts';
import type { Containment } from './containment.ts';
import type { ChangeDraft, Journal } from './journal.ts';
import { removeTemporary } from './temporaries.ts';

/** What is known of a batch under way, in the database. Once it is stored the batch is to be: `forward`, until something says `back`. */
export interface BatchRecord {
  /** Given when it is stored; a record of an older version has none. */
  id?: string;
  /** clean: it is done and told; what it kept aside is to be removed. */
  phase: 'forward' | 'back' | 'clean';
  steps: BatchStep[];
  drafts: ChangeDraft[];
  /** Where new contents wait before the first step. */
  temporaries: string[];
  /** Where what was kept aside is after the last step. */
  asides: string[];
}

const BEGUN = '.';
const OVER = 'x';
const TO_COME = ' ';
const ID_BYTES = 4;

/**
 * The record of the one batch under way, and beside the database its id with a byte for each step that was begun. Room for these is there before the first, so
 * that a disk that becomes full keeps neither a step nor the word that all is over from being noted.
 */
export class BatchLog {
  readonly #state: State;
  readonly #file: string;
  #descriptor: number | undefined;
  #id = '';
  #begun = 0;

  constructor(state: State) {
    this.#state = state;
    this.#file = path.join(state.folder, 'batch-steps');
  }

  /** Throws when the state can't be written; nothing is stored then. `synced`: it outlives a power cut. */
  begin(record: BatchRecord, synced: boolean): void {
    this.#closeSteps();
    record.id = randomBytes(ID_BYTES).toString('hex');
    // Until the new record is stored, what the file says of the one before counts.
    const room = this.#reserve(record.id.length + record.steps.length + OVER.length);
    if (synced) this.#state.database.exec('PRAGMA synchronous = FULL');
    try {
      this.#state.transaction(() => this.store(record));
    } finally {
      if (synced) this.#state.database.exec('PRAGMA synchronous = NORMAL');
    }
    this.#id = record.id;
    this.#begun = 0;
    this.#write(this.#id.padEnd(room, TO_COME), 0);
  }

  /** Within a transaction, or as one of its own. */
  store(record: BatchRecord): void {
    this.#state.statement('INSERT OR REPLACE INTO batches(id, record) VALUES(1, ?)').run(JSON.stringify(record));
  }

  /** Within a transaction, or as one of its own. */
  forget(): void {
    this.#state.statement('DELETE FROM batches').run();
  }

  /** Before the step with this index. */
  stepping(index: number): void {
    if (index < this.#begun) return;
    this.#note(BEGUN, index);
    this.#begun = index + 1;
  }

  /** The batch is over. A record that could not be removed from the database is worth nothing after this. */
  end(): void {
    try {
      this.forget();
      this.#closeSteps();
      fs.rmSync(this.#file, { force: true });
    } catch {
      this.#note(OVER, this.#begun);
    }
  }

  /** How many steps were begun. */
  get begun(): number {
    return this.#begun;
  }

  /** What a killed process left, and how many of its steps were begun. */
  left(): { record: BatchRecord; begun: number } | undefined {
    const row = this.#state.statement('SELECT record FROM batches').get() as { record: string } | undefined;
    if (row === undefined) return undefined;
    const record = JSON.parse(row.record) as BatchRecord;
    const { id = '' } = record;
    const noted = fs.existsSync(this.#file) ? fs.readFileSync(this.#file, 'utf8') : '';
    const steps = noted.startsWith(id) ? noted.slice(id.length) : '';
    if (steps.includes(OVER)) return undefined;
    this.#id = id;
    this.#begun = steps.lastIndexOf(BEGUN) + 1;
    return { record, begun: this.#begun };
  }

  /** What the file holds stays. Gives how much it may hold. */
  #reserve(bytes: number): number {
    const descriptor = this.#open();
    const { size } = fs.fstatSync(descriptor);
    if (size < bytes) this.#write(TO_COME.repeat(bytes - size), size);
    return Math.max(size, bytes);
  }

  #note(what: string, index: number): void {
    // Begun by an earlier process, or before a power cut that took the file.
    if (fs.fstatSync(this.#open()).size === 0) this.#write(this.#id, 0);
    this.#write(what, this.#id.length + index);
  }

  #write(text: string, position: number): void {
    const bytes = Buffer.from(text);
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(this.#open(), bytes, done, bytes.length - done, position + done);
  }

  #open(): number {
    const { O_CREAT, O_RDWR } = fs.constants;
    return (this.#descriptor ??= fs.openSync(this.#file, O_CREAT | O_RDWR, 0o600));
  }

  #closeSteps(): void {
    if (this.#descriptor !== undefined) fs.closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

export interface BatchPorts {
  containment: Containment;
  journal: Journal;
  log: BatchLog;
  /** Called before each thing that changes the disk or the state. */
  before: (point: string) => void;
}

/** Finishes the batch that a killed process left, or undoes it where somebody else's changes are in the way. Before anything else is written. */
export function recoverBatch(ports: BatchPorts): void {
  const left = ports.log.left();
  if (left === undefined) {
    ports.log.end();
    return;
  }
  const { record, begun } = left;
  if (record.phase === 'forward') {
    try {
      goForward(ports, record, stepsDone(ports, record.steps, begun));
      tell(ports, record);
    } catch {
      goBack(ports, record, ports.log.begun);
      return;
    }
  }
  if (record.phase === 'back') {
    goBack(ports, record, begun === 0 ? record.steps.length : begun);
    return;
  }
  clean(ports, record);
}

/** How many steps were done. Of those that were begun, only the last may not have been. */
function stepsDone(ports: BatchPorts, steps: readonly BatchStep[], begun: number): number {
  // None counted: what was counted may have been lost in a power cut.
  const last = begun === 0 ? steps.length : begun;
  let done = Math.max(begun - 1, 0);
  while (done < last && isDone(ports.containment, steps[done] as BatchStep)) done++;
  return done;
}

/** Does the steps from `first` on. Throws what the first that can't be done says. */
export function goForward(ports: BatchPorts, record: BatchRecord, first = 0): void {
  for (const [index, step] of record.steps.entries()) {
    if (index < first) continue;
    ports.log.stepping(index);
    ports.before(`step ${step.do}`);
    doStep(ports.containment, step);
  }
}

/** Undoes what of the first `count` steps was done, and removes what was prepared. */
export function goBack(ports: BatchPorts, record: BatchRecord, count: number): void {
  if (record.phase !== 'back') {
    ports.before('go back');
    record.phase = 'back';
    try {
      ports.log.store(record);
    } catch {
      // The state can't be written. Killed from here on, the next start would finish the batch instead: all or nothing still.
    }
  }
  for (const step of record.steps.slice(0, count).reverse()) {
    ports.before(`undo ${step.do}`);
    undoStep(ports.containment, step);
  }
  ports.before('remove what was prepared');
  for (const temporary of record.temporaries) removeTemporary(ports.containment, temporary);
  ports.log.end();
}

/** The changes get their numbers, in the transaction that says that the batch is done. */
export function tell(ports: BatchPorts, record: BatchRecord): void {
  ports.before('tell');
  record.phase = 'clean';
  ports.journal.record(record.drafts, () => (record.asides.length === 0 ? ports.log.forget() : ports.log.store(record)));
}

/** Removes what was kept aside. */
export function clean(ports: BatchPorts, record: BatchRecord): void {
  ports.before('clean');
  for (const aside of record.asides) removeTemporary(ports.containment, aside);
  ports.before('forget');
  ports.log.end();
}
