import type { Severity } from './problem-lines.ts';

/** Something that is wrong in a file, as a run or a process says. */
export interface Problem {
  severity: Severity;
  text: string;
  path: string;
  /** From 1; undefined: somewhere in it. */
  line: number | undefined;
  column: number | undefined;
  from: ProblemSource;
}

export type ProblemSource = { kind: 'run'; title: string } | { kind: 'process'; title: string; id: string };

/** Of one source. */
const mostProblems = 200;

/** The newest, without those that are said twice, as PHP says them on both of its streams. */
export function distinct(problems: readonly Problem[]): Problem[] {
  const keyed = new Map(problems.map((problem) => [JSON.stringify([problem.path, problem.line, problem.column, problem.text]), problem]));
  return [...keyed.values()].slice(-mostProblems);
}
