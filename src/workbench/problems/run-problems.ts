import type { LogLine, LogLines } from '../processes/log-lines.ts';
import type { RunRecord } from '../run/run-record.ts';
import { endWords } from '../run/run-words.ts';
import { distinct, type Problem } from './problem.ts';
import { type Finding, ProblemLines } from './problem-lines.ts';
import { placeInRun } from './problem-places.ts';

/** Of endless output: what is wrong is said at its end. */
const mostLines = 5_000;

/** What a run that is over said is wrong; of one that failed without a word about a line, that it failed. */
export function problemsOfRun(record: RunRecord): Problem[] {
  const from = { kind: 'run', title: record.title } as const;
  const problems = distinct(
    [record.compile, record.program].flatMap(findings).flatMap(({ severity, text, places }) => {
      const place = places.map((one) => placeInRun(one, record)).find((one) => one !== undefined);
      return place === undefined ? [] : [{ severity, text, ...place, from }];
    }),
  );
  const { value: outcome } = record.outcome;
  if (outcome === undefined || problems.some(({ severity }) => severity === 'error')) return problems;
  const end = endWords(outcome, record.stopping.value);
  if (end.tone !== 'failed') return problems;
  return [...problems, { severity: 'error', text: end.text, path: record.path, line: undefined, column: undefined, from }];
}

function findings({ lines }: LogLines): Finding[] {
  return (['stdout', 'stderr'] as const).flatMap((stream) => {
    const reader = new ProblemLines();
    const ofStream = lines.slice(-mostLines).filter((line: LogLine) => line.stream === stream);
    return [...ofStream.flatMap(({ text }) => reader.take(text)), ...reader.end()];
  });
}
