import type { CodeEndReason, CodeItem, CodeOutcome, CodeStage } from '../../contract/code.ts';
import type { Asked } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { ask, type Asking } from './ask.ts';

/** A run that came to its end, whatever end that was, with all that it wrote. */
export interface FinishedRun {
  outcome: CodeOutcome;
  stdout: string;
  stderr: string;
}

/** Runs code to its end; the service bounds what it writes. `show` has what it displays. Throws OutriggerError where nothing could be run. */
export async function runCode(
  asking: Asking,
  input: Asked<Operations['code.run']>,
  show: (data: Readonly<Record<string, string>>) => void = () => {},
): Promise<FinishedRun> {
  const written = { stdout: '', stderr: '' };
  const emit = (item: unknown): void => {
    const one = item as CodeItem;
    if (one.type === 'output') written[one.stream] += one.text;
    if (one.type === 'display') show(one.data);
  };
  const outcome = await ask(asking, 'code.run', input, { emit });
  return { outcome, ...written };
}

/** The stage at which a run ended. */
function lastStage({ program, compile }: CodeOutcome): CodeStage | null {
  return program ?? compile;
}

/** Why a run ended, for people, where it did not end by itself; clients of these wires look for the words about the time. */
export function endWords(outcome: CodeOutcome): string | undefined {
  const stage = lastStage(outcome);
  const limit = (fallback: number): number => stage?.limit?.value ?? fallback;
  const words: Readonly<Record<CodeEndReason, () => string | undefined>> = {
    exit: () => undefined,
    timeout: () => `Execution timed out after ${inSeconds(limit(outcome.limits.wallMs))} seconds`,
    cpu: () => `Execution ended: it used up its ${inSeconds(limit(outcome.limits.cpuMs))} seconds of CPU time`,
    memory: () => `Execution ended: out of memory, the limit is ${limit(outcome.limits.memoryBytes)} bytes`,
    processes: () => `Execution ended: too many processes, the limit is ${limit(outcome.limits.processes)}`,
    output: () => `Execution ended: too much output, the limit is ${limit(outcome.limits.outputBytes)} bytes`,
    disk: () => `Execution ended: it ${diskWords(stage?.limit?.name, limit(outcome.limits.diskBytes))}`,
    signal: () => `Execution ended by signal ${stage?.signal ?? 'unknown'}`,
    canceled: () => 'Execution was canceled',
    failed: () => stage?.problem ?? 'The program could not be started',
  };
  return words[outcome.reason]();
}

function diskWords(limit: string | undefined, most: number): string {
  if (limit === 'newFiles') return `made too many files, the limit is ${most}`;
  if (limit === 'folderDepth') return `made folders too deep in one another, the limit is ${most}`;
  return `wrote too much to disk, the limit is ${most} bytes`;
}

/** What was not done as asked, a line each. */
export function noteLines({ notes, omittedFiles }: CodeOutcome): string[] {
  return [...notes, ...(omittedFiles > 0 ? [`${omittedFiles} of the files that it wrote were not taken`] : [])].map(
    (note) => `note: ${note}`,
  );
}

/** What a program wrote to stderr, and after it, from a new line, what there is to say about the run. */
export function withLines(stderr: string, lines: readonly (string | undefined)[]): string {
  const said = lines.filter((line) => line !== undefined);
  if (said.length === 0) return stderr;
  return `${stderr}${stderr === '' || stderr.endsWith('\n') ? '' : '\n'}${said.join('\n')}`;
}

function inSeconds(ms: number): number {
  return Math.round(ms / 100) / 10;
}
