import type { ProcessInfo } from '../../contract/processes.ts';

/** `running` and `waiting` live, the others are over. */
export type StateTone = 'running' | 'waiting' | 'done' | 'failed' | 'stopped';

export interface StateWords {
  tone: StateTone;
  text: string;
}

export type ProcessEnd = Pick<ProcessInfo, 'state' | 'reason' | 'exitCode' | 'exitSignal' | 'problem' | 'restarts'>;

/** How a process is, in a word or two. */
export function stateWords(process: ProcessEnd): StateWords {
  const { state, reason, exitCode = 0, exitSignal = 'a signal', restarts } = process;
  if (state === 'starting') return { tone: 'running', text: 'starting' };
  if (state === 'running') return { tone: 'running', text: restarts > 0 ? `running, restarted ${restarts} ×` : 'running' };
  if (state === 'waiting') return { tone: 'waiting', text: 'starts again' };
  if (reason === 'stopped') return { tone: 'stopped', text: 'stopped' };
  if (reason === 'lost') return { tone: 'failed', text: 'lost' };
  if (reason === 'failed') return { tone: 'failed', text: 'not started' };
  if (reason === 'timeout') return { tone: 'failed', text: 'time limit' };
  if (reason === 'signal') return { tone: 'failed', text: `ended by ${exitSignal}` };
  return exitCode === 0 ? { tone: 'done', text: 'exited 0' } : { tone: 'failed', text: `exited ${exitCode}` };
}

/** How it ended, as a sentence. */
export function endSentence({ reason, exitCode = 0, exitSignal, problem }: ProcessEnd): string {
  if (reason === 'stopped') return 'Stopped.';
  if (reason === 'lost') return 'Ended when the sidecar, or its host, went away.';
  if (reason === 'failed') return `Not started${problem === undefined ? '.' : `: ${problem}`}`;
  if (reason === 'timeout') return 'Ended at its time limit.';
  if (reason === 'signal') return `Ended by ${exitSignal ?? 'a signal'}.`;
  return `Ended with exit code ${exitCode}.`;
}

export function isRunning({ state }: Pick<ProcessInfo, 'state'>): boolean {
  return state !== 'ended';
}

const anyAddress = new Set(['0.0.0.0', '::', '*']);
const ownAddress = /^(127\.|::1$|::ffff:127\.)/;
const ownNames = new Set(['localhost', '127.0.0.1', '[::1]', '::1']);

/**
 * Where a page at `pageHost` reaches a port of a process; undefined where that can't be known: the process runs elsewhere, or listens
 * to its own machine only and the page is read on another one.
 */
export function portUrl(address: string, port: number, host: string, pageHost: string): string | undefined {
  if (host !== 'local') return undefined;
  if (anyAddress.has(address)) return `http://${pageHost}:${port}/`;
  if (ownAddress.test(address)) return ownNames.has(pageHost) ? `http://${pageHost}:${port}/` : undefined;
  return `http://${address.includes(':') ? `[${address}]` : address}:${port}/`;
}
