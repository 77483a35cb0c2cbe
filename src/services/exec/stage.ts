import type { CodeItem, CodeStage, EffectiveLimits } from '../../contract/code.ts';
import type { SandboxedProgram, SandboxEnd, SandboxUse } from './isolation/sandbox.ts';
import { OutputFeed } from './output-feed.ts';

export interface StageRequest {
  stage: 'compile' | 'run';
  limits: EffectiveLimits;
  stdin: string;
  /** More of it comes later. */
  keepStdinOpen: boolean;
  signal: AbortSignal;
  emit: (item: CodeItem) => Promise<void> | void;
  /** Starts the program, or lets one begin. Throws what Sandbox.start throws. */
  start: (onOutput: (stream: 'stdout' | 'stderr', bytes: Uint8Array) => void) => Promise<SandboxedProgram>;
  /** Called when it can be written to. */
  onProgram?: (program: SandboxedProgram) => void;
  /** Called when nothing of it runs any more; the caller may not have all of its output yet. */
  onEnded?: () => void;
}

/** What a compiler said, to be said again. */
export interface Said {
  stdout: string;
  stderr: string;
}

/** Runs one program to its end, and gives what it writes on at the caller's pace. Throws what `start` throws. */
export async function runStage(request: StageRequest): Promise<{ stage: CodeStage; said: Said }> {
  const { stage, limits, stdin, keepStdinOpen, signal, emit, start, onProgram, onEnded } = request;
  const said: Said = { stdout: '', stderr: '' };
  const feed = new OutputFeed({
    stage,
    emit,
    filter: (stream, text) => {
      if (stage === 'compile') said[stream] += text;
      return [text];
    },
  });
  let program: SandboxedProgram;
  try {
    program = await start((stream, bytes) => feed.push(stream, bytes));
  } catch (error) {
    // Ended before it began is an end as well; a caller who went hears of it elsewhere.
    if (!signal.aborted || error !== signal.reason) throw error;
    return { stage: canceledStage(), said };
  }
  feed.control(program);
  // A program that does not read is not waited for.
  void program.write(Buffer.from(stdin)).then(() => (keepStdinOpen ? undefined : program.endInput()));
  onProgram?.(program);
  if (onEnded !== undefined) void program.over.then(onEnded);
  const end = await program.end;
  const sent = feed.end().catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
  // What a compiler said need not be read before its program runs: whoever gives the items on waits for them.
  if (stage === 'run') await sent;
  else sent.catch(() => {});
  return { stage: stageOf(end, feed.bytes, limits), said };
}

/** `limits`: those of the order, where its program was started under others. */
export function stageOf(end: SandboxEnd, outputBytes: CodeStage['outputBytes'], limits: EffectiveLimits): CodeStage {
  const { reason, exitCode, signal, limit, wallMs, cpuMs, memoryBytes, omitted, problem } = end;
  return {
    reason,
    exitCode,
    signal,
    wallMs: tenths(wallMs),
    cpuMs: cpuMs === null ? null : tenths(cpuMs),
    memoryBytes: memoryBytes === null ? null : Math.round(memoryBytes),
    outputBytes: { ...outputBytes },
    omittedBytes: { ...omitted },
    limit: limit === null ? null : { ...limit, ...(limit.name in limits && { value: limits[limit.name as keyof EffectiveLimits] }) },
    problem,
  };
}

/** Of what ended well without anybody counting, as a program that came out of the cache. */
export function quietStage(exitCode: number, wallMs: number, outputBytes: CodeStage['outputBytes']): CodeStage {
  return {
    reason: 'exit',
    exitCode,
    signal: null,
    wallMs: tenths(wallMs),
    cpuMs: null,
    memoryBytes: null,
    outputBytes: { ...outputBytes },
    omittedBytes: { stdout: 0, stderr: 0 },
    limit: null,
    problem: null,
  };
}

/** The same stage, of code in an interpreter that goes on, with what that took; undefined where nobody counted. */
export function measuredStage(stage: CodeStage, use: SandboxUse | undefined, limits: EffectiveLimits): CodeStage {
  if (use === undefined) return stage;
  const { cpuMs, memoryBytes, limit } = use;
  return {
    ...stage,
    cpuMs: tenths(cpuMs),
    memoryBytes: Math.round(memoryBytes),
    limit: limit === null ? null : { name: limit, value: limits[limit] },
  };
}

/** Of what was ended before it began. */
export function canceledStage(): CodeStage {
  return { ...quietStage(0, 0, { stdout: 0, stderr: 0 }), reason: 'canceled', exitCode: null };
}

function tenths(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
