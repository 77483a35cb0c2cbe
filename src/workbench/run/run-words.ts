import type { CodeOutcome, CodeStage, EffectiveLimits, IsolationInfo } from '../../contract/code.ts';
import type { StateTone } from '../processes/process-words.ts';
import { byteSize, spentTime } from '../words.ts';

export interface EndWords {
  tone: StateTone;
  text: string;
}

/** By numbers people know them, by names programs do. */
const signalNumbers: Record<string, number> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGTRAP: 5,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
  SIGSYS: 31,
};

/** How a run ended: `Exited 0`, `Time limit 10 s`, `Signal 11 (SIGSEGV)`. `stopped`: somebody at this page asked for it. */
export function endWords({ compile, program, reason, exitCode, limits }: CodeOutcome, stopped: boolean): EndWords {
  const stage = program ?? compile;
  const words = stage === null ? plainEnd(reason, exitCode, limits, stopped) : stageEnd(stage, limits, stopped);
  if (program !== null || compile === null || reason === 'canceled') return words;
  const { text } = words;
  return { ...words, text: `Not compiled: ${text.charAt(0).toLowerCase()}${text.slice(1)}` };
}

/** How one stage ended. */
function stageEnd(stage: CodeStage, limits: EffectiveLimits, stopped = false): EndWords {
  const { reason, exitCode, signal, limit, problem } = stage;
  const at = (name: keyof EffectiveLimits): string => sayLimit(limit?.name ?? name, limit?.value ?? limits[name]);
  switch (reason) {
    case 'exit':
    case 'canceled':
      return plainEnd(reason, exitCode, limits, stopped);
    case 'signal': {
      const number = signal === null ? undefined : signalNumbers[signal];
      return { tone: 'failed', text: number === undefined ? `Ended by ${signal ?? 'a signal'}` : `Signal ${number} (${signal})` };
    }
    case 'timeout':
      return { tone: 'failed', text: at('wallMs') };
    case 'cpu':
      return { tone: 'failed', text: at('cpuMs') };
    case 'memory':
      return { tone: 'failed', text: at('memoryBytes') };
    case 'processes':
      return { tone: 'failed', text: at('processes') };
    case 'output':
      return { tone: 'failed', text: at('outputBytes') };
    case 'disk':
      return { tone: 'failed', text: at('diskBytes') };
    case 'failed':
      return { tone: 'failed', text: problem === null ? 'Not started' : `Not started: ${problem}` };
  }
}

function plainEnd(reason: CodeOutcome['reason'], exitCode: number | null, limits: EffectiveLimits, stopped: boolean): EndWords {
  if (reason === 'canceled') return { tone: 'stopped', text: stopped ? 'Stopped by you' : 'Stopped' };
  if (reason === 'exit') return { tone: exitCode === 0 ? 'done' : 'failed', text: `Exited ${exitCode ?? ''}`.trim() };
  if (reason === 'timeout') return { tone: 'failed', text: sayLimit('wallMs', limits.wallMs) };
  return { tone: 'failed', text: reason === 'failed' ? 'Not started' : 'Ended at a limit' };
}

const limitWords: Record<keyof EffectiveLimits | 'sessionBytes' | 'newFiles' | 'folderDepth', string> = {
  wallMs: 'Time limit',
  cpuMs: 'CPU limit',
  memoryBytes: 'Memory limit',
  processes: 'Process limit',
  outputBytes: 'Output limit',
  fileBytes: 'File size limit',
  diskBytes: 'Disk limit',
  sessionBytes: 'Session limit',
  newFiles: 'Limit of new files',
  folderDepth: 'Limit of folders in one another',
};

/** `Time limit 10 s`, `Memory limit 512 MiB`, `Process limit 64` */
function sayLimit(name: string, value: number): string {
  const words = (limitWords as Record<string, string | undefined>)[name] ?? `Limit ${name}`;
  const amount = name.endsWith('Ms') ? spentTime(value) : name.endsWith('Bytes') ? byteSize(value) : value.toLocaleString('en');
  return `${words} ${amount}`;
}

/** What a run took, each part with its unit; what nobody counted is left out. */
export function figures({ compile, program, wallMs, used }: CodeOutcome): string[] {
  const counted = [compile, program].filter((stage) => stage !== null);
  const cpu = counted.map(({ cpuMs }) => cpuMs).filter((ms) => ms !== null);
  const peaks = counted.map(({ memoryBytes }) => memoryBytes).filter((bytes) => bytes !== null);
  const words = [spentTime(wallMs)];
  if (cpu.length > 0) words.push(`CPU ${spentTime(cpu.reduce((sum, ms) => sum + ms, 0))}`);
  if (peaks.length > 0) words.push(`peak ${byteSize(Math.max(...peaks))}`);
  if (used.compileCache === 'hit') words.push('compiled before');
  if (used.interpreter !== 'cold') words.push(used.interpreter === 'live' ? 'live interpreter' : 'warm interpreter');
  if (used.restored) words.push('variables restored');
  return words;
}

/** `Compile: exited 1 · 320 ms · CPU 300 ms` */
export function stageLine(title: string, stage: CodeStage | null, limits: EffectiveLimits | undefined, cached: boolean): string {
  if (stage === null || limits === undefined) return cached ? `${title}, as it was kept` : title;
  const { text } = stageEnd(stage, limits);
  const took = cached
    ? 'compiled before'
    : [spentTime(stage.wallMs), ...(stage.cpuMs === null ? [] : [`CPU ${spentTime(stage.cpuMs)}`])].join(' · ');
  return `${title}: ${text.charAt(0).toLowerCase()}${text.slice(1)} · ${took}`;
}

/** How the rung is called. What was not proven is not claimed. */
export function isolationWords({ rung, holds, open }: Pick<IsolationInfo, 'rung' | 'holds' | 'open'>): { text: string; warn: boolean } {
  if (rung === 0) return { text: 'Not isolated', warn: true };
  if (holds.length === 0) return { text: 'Isolation not proven', warn: true };
  return { text: open.length === 0 ? 'Isolated' : 'Partly isolated', warn: open.length > 0 };
}

/** Why the caller may not run code; undefined: it may. */
export function accessProblem(readOnly: boolean, canExecute: boolean): string | undefined {
  if (canExecute) return undefined;
  return readOnly
    ? 'You can read, not run: this link was made with read access. Ask for one with execute access.'
    : 'You can edit, not run: this link was made without execute access. Ask for one that has it.';
}
