import { explicitRepository } from '../processes/explicit-repository.ts';
import fs from 'node:fs';
import path from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import type { TaskAssignment, VerificationReport, VerificationStep } from '../../contract/hub.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { maxTimerMs } from '../../core/peer.ts';
import { timeLimit } from '../processes/time-limit.ts';
import { posixWords } from './posix-words.ts';
import type { TaskProgram, TaskPrograms } from './task-program.ts';

/** For all steps together, where the task does not say. */
const VERIFICATION_TIMEOUT_MS = 120_000;
/** Of what a step wrote, the newest characters go into the report. */
const OUTPUT_LENGTH = 10_000;
/** A step that did not end in time is gone after so long more. */
const END_WITHIN_MS = 3000;

type Check = VerificationReport['checks'][number];
/** What a step came to. */
type Verdict = Pick<Check, 'status' | 'output'>;

export interface VerificationRequest {
  task: TaskAssignment;
  run: number;
  /** Absolute: where the steps are taken. */
  folder: string;
  env: Readonly<Record<string, string>>;
  mark: string;
  /** Git looks past what lies here: paths relative to the folder. */
  besides: readonly string[];
  signal: AbortSignal;
  now: () => number;
}

/**
 * Takes the steps that prove a result, one after the other, each in a process of its own. At the limit the one that runs is ended, with all
 * that it started, and the rest is not tried. Rejects when `signal` is aborted; nothing runs then.
 */
export async function verify(programs: TaskPrograms, request: VerificationRequest): Promise<VerificationReport> {
  const { task, run, signal, now } = request;
  const { verification_timeout_ms: wantedMs = 0 } = task;
  const timeoutMs = wantedMs > 0 ? wantedMs : VERIFICATION_TIMEOUT_MS;
  const steps = task.verification_steps ?? [];
  const startedAt = now();
  const began = performance.now();
  const checks: Check[] = [];
  if (task.skip_verification !== true) {
    for (const step of steps) {
      const from = performance.now();
      const leftMs = timeoutMs - (from - began);
      const verdict: Verdict = leftMs <= 0 ? { status: 'skip', output: 'The time was over.' } : await take(programs, step, leftMs, request);
      signal.throwIfAborted();
      checks.push({
        type: step.type,
        target: step.target ?? '',
        description: step.description ?? '',
        ...verdict,
        duration_ms: Math.round(performance.now() - from),
      });
    }
  }
  const count = (status: Check['status']): number => checks.filter((check) => check.status === status).length;
  const summary = {
    total: checks.length,
    passed: count('pass'),
    failed: count('fail'),
    errors: count('error'),
    timed_out: count('timeout'),
  };
  return {
    task_id: task.task_id,
    run_number: run,
    status: task.skip_verification === true ? 'skip' : statusOf(summary),
    started_at: startedAt,
    duration_ms: Math.round(performance.now() - began),
    timeout_ms: timeoutMs,
    checks,
    summary,
  };
}

function statusOf({ total, failed, errors, timed_out: timedOut }: VerificationReport['summary']): VerificationReport['status'] {
  if (total === 0) return 'auto_pass';
  if (timedOut > 0) return 'timeout';
  if (errors > 0) return 'error';
  return failed > 0 ? 'fail' : 'pass';
}

async function take(programs: TaskPrograms, step: VerificationStep, leftMs: number, request: VerificationRequest): Promise<Verdict> {
  try {
    if (step.type === 'file_exists') return fileExists(step, request.folder);
    const { argv, judge } = programOf(step, request);
    return await runStep(programs, argv, judge, leftMs, request);
  } catch (error) {
    if (request.signal.aborted || !(error instanceof OutriggerError)) throw error;
    return { status: 'error', output: error.message };
  }
}

interface StepProgram {
  argv: [string, ...string[]];
  /** Whether it went well, of what it wrote and its exit code. */
  judge: (exitCode: number | null, output: string) => boolean;
}

/** Throws BAD_INPUT for a step that can't be taken. */
function programOf({ type, target }: VerificationStep, { folder, besides }: VerificationRequest): StepProgram {
  const well = (exitCode: number | null): boolean => exitCode === 0;
  switch (type) {
    case 'git_clean':
      return {
        argv: ['git', ...explicitRepository, 'status', '--porcelain', '--', '.', ...besides.map((where) => `:(exclude,literal)${where}`)],
        judge: (exitCode, output) => exitCode === 0 && output.trim() === '',
      };
    case 'test_passes':
      return { argv: target === undefined || target === 'auto' || target === '' ? autoTest(folder) : commandOf(target), judge: well };
    case 'command_succeeds':
      if (target === undefined) throw new OutriggerError('BAD_INPUT', 'The step names no command.');
      return { argv: commandOf(target), judge: well };
    default:
      throw new OutriggerError(
        'BAD_INPUT',
        `No step ${JSON.stringify(type)} is known: file_exists, test_passes, git_clean, command_succeeds.`,
      );
  }
}

function commandOf(target: string | string[]): [string, ...string[]] {
  if (typeof target === 'string') return posixWords(target);
  const [program, ...rest] = target;
  if (program === undefined || program === '') throw new OutriggerError('BAD_INPUT', 'The command is empty: name a program.');
  return [program, ...rest];
}

function autoTest(folder: string): [string, ...string[]] {
  const has = (name: string): boolean => fs.existsSync(path.join(folder, name));
  if (has('mix.exs')) return ['mix', 'test'];
  if (has('package.json')) return ['npm', 'test'];
  if (has('Makefile')) return ['make', 'test'];
  throw new OutriggerError('BAD_INPUT', 'No tests are found: there is no mix.exs, package.json or Makefile.');
}

function fileExists({ target }: VerificationStep, folder: string): Verdict {
  if (typeof target !== 'string' || target === '') throw new OutriggerError('BAD_INPUT', 'The step names no file.');
  const file = path.resolve(folder, target);
  const relative = path.relative(folder, file);
  // A hub must not learn what else there is on this machine.
  if (relative === '..' || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative))
    throw new OutriggerError('BAD_INPUT', `${target} lies outside of the folder.`);
  return fs.existsSync(file) ? { status: 'pass', output: '' } : { status: 'fail', output: `${target} is not there.` };
}

async function runStep(
  programs: TaskPrograms,
  argv: [string, ...string[]],
  judge: StepProgram['judge'],
  leftMs: number,
  { folder, env, mark, signal }: VerificationRequest,
): Promise<Verdict> {
  let output = '';
  // A character may come in pieces, and those of the other stream in between.
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  // Twice as much, so that it is not cut at each piece.
  const add = (text: string): void => {
    output += text;
    if (output.length > 2 * OUTPUT_LENGTH) output = output.slice(-OUTPUT_LENGTH);
  };
  signal.throwIfAborted();
  const onOutput = (stream: 'stdout' | 'stderr', bytes: Buffer): void => add(decoders[stream].write(bytes));
  const program: TaskProgram = await programs.start({ argv, cwd: folder, env, mark, onOutput });
  const stop = Promise.withResolvers<'late' | 'aborted'>();
  const unlimit = timeLimit(Math.min(leftMs, maxTimerMs), () => stop.resolve('late'));
  const abort = (): void => stop.resolve('aborted');
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    const exit = await Promise.race([program.exit, stop.promise]);
    // Also after a step that went well: what it left running is nobody's.
    await program.end(typeof exit === 'string' ? END_WITHIN_MS : 0);
    add(decoders.stdout.end() + decoders.stderr.end());
    const text = output.slice(-OUTPUT_LENGTH).toWellFormed();
    if (exit === 'aborted') throw signal.reason;
    if (exit === 'late') return { status: 'timeout', output: text };
    return { status: judge(exit.exitCode, output) ? 'pass' : 'fail', output: text };
  } finally {
    unlimit();
    signal.removeEventListener('abort', abort);
  }
}
