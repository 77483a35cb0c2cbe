import path from 'node:path';
import type { DeployParameter, DeployProfile } from '../../contract/deploy.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { normalisePath, pathProblem } from '../../contract/paths.ts';
import { Interruptible } from '../processes/interruptible.ts';

export type ParameterValue = string | number | boolean;

/** Letters, digits and a few signs; a dash or a dot at the start would mean something to programs. */
const PLAIN_NAME = '[A-Za-z0-9_][A-Za-z0-9_.-]*';
/** A pattern of a profile may be one that an engine does not get done with; time passes also while a busy machine lets others go first. */
const PATTERN_MS = 1000;
const HOLE = /\{([a-z][a-z0-9_]*)\}/g;

/** What is wrong with a profile itself, in words. */
export function profileProblem({ argv, parameters }: DeployProfile): string | undefined {
  for (const argument of argv) {
    for (const [, name = ''] of argument.matchAll(HOLE)) {
      const row = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
      if (row === undefined) return `argv names {${name}}, which is no parameter.`;
      if (row.type === 'switch' && argument !== `{${name}}`) return `{${name}} is a switch, and has to be an argument of its own.`;
    }
  }
  if (argv[0].includes('{')) return 'The program itself can be no parameter.';
  for (const [name, row] of Object.entries(parameters)) {
    try {
      if (row.type === 'name') patternOf(row);
      if (row.default !== undefined) checked(name, row, row.default);
    } catch (error) {
      return `${name}: ${(error as Error).message}`;
    }
  }
  return undefined;
}

/**
 * The program and its arguments, with the values in their places: each value is one argument or a part of one, whatever is in it. Throws
 * BAD_INPUT for a value that does not fit, one that is missing where it is needed, and one that nothing takes.
 */
export function planArgv(
  { argv, parameters, path: folder }: Pick<DeployProfile, 'argv' | 'parameters' | 'path'>,
  given: Readonly<Record<string, ParameterValue>>,
): { argv: [string, ...string[]]; values: Record<string, ParameterValue>; paths: string[] } {
  for (const name of Object.keys(given)) if (!Object.hasOwn(parameters, name)) throw bad(`There is no parameter ${JSON.stringify(name)}.`);
  const values: Record<string, ParameterValue> = {};
  const paths: string[] = [];
  const shown: Record<string, ParameterValue> = {};
  for (const [name, row] of Object.entries(parameters)) {
    const value = Object.hasOwn(given, name) ? given[name] : row.default;
    if (value === undefined) continue;
    const taken = checked(name, row, value);
    values[name] = taken;
    shown[name] = row.type === 'path' ? seenFrom(folder, taken as string) : taken;
    if (row.type === 'path') paths.push(taken as string);
  }
  const [program, ...rest] = argv;
  return { argv: [program, ...rest.flatMap((argument) => filled(argument, parameters, shown))], values, paths };
}

/** A path of the workspace for a program that runs in a folder of it. */
function seenFrom(folder: string, value: string): string {
  const relative = path.posix.relative(`/${folder}`, `/${value}`);
  // It would be read as an option.
  return relative === '' || relative.startsWith('-') ? `./${relative}` : relative;
}

function filled(argument: string, parameters: DeployProfile['parameters'], values: Readonly<Record<string, ParameterValue>>): string[] {
  const whole = /^\{([a-z][a-z0-9_]*)\}$/.exec(argument)?.[1];
  if (whole !== undefined) {
    const row = parameters[whole];
    const value = values[whole];
    if (row?.type === 'switch') return value === true ? [row.argument] : [];
    return value === undefined ? [] : [String(value)];
  }
  return [
    argument.replace(HOLE, (_, name: string) => {
      const value = values[name];
      if (value === undefined) throw bad(`The parameter ${name} is needed.`);
      return String(value);
    }),
  ];
}

function checked(name: string, row: DeployParameter, value: ParameterValue): ParameterValue {
  const problem = problemOf(row, value);
  if (problem !== undefined) throw bad(`${name}: ${JSON.stringify(value)} ${problem}.`);
  return row.type === 'path' ? normalisePath(value as string) : value;
}

function problemOf(row: DeployParameter, value: ParameterValue): string | undefined {
  if (row.type === 'switch') return typeof value === 'boolean' ? undefined : 'is neither true nor false';
  if (row.type === 'integer') {
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) return 'is no whole number';
    if (value < (row.min ?? value) || value > (row.max ?? value)) return `is not between ${row.min ?? '-∞'} and ${row.max ?? '∞'}`;
    // It would be read as an option.
    return value < 0 && row.min === undefined ? 'is negative' : undefined;
  }
  if (typeof value !== 'string') return 'is no text';
  if (row.type === 'choice') return row.choices.includes(value) ? undefined : `is none of ${row.choices.join(', ')}`;
  if (row.type === 'name') {
    const problem = nameProblem(row, value);
    if (problem !== undefined) return problem;
  }
  if (value.startsWith('-')) return 'begins with a dash';
  if (value.includes('\0')) return 'holds a NUL';
  if (row.type === 'path') return value === '' ? 'is empty' : pathProblem(value);
  return undefined;
}

function nameProblem(row: { pattern?: string | undefined }, value: string): string | undefined {
  const expression = patternOf(row);
  if (row.pattern === undefined)
    return expression.test(value) ? undefined : 'is no name: letters, digits, "_", "." and "-" make one, and the last two do not begin it';
  const isMatch = new Interruptible().run(() => expression.test(value), PATTERN_MS);
  if (isMatch === undefined) return `took longer than ${PATTERN_MS} ms to be compared with ${row.pattern}`;
  return isMatch ? undefined : `does not match ${row.pattern}`;
}

function patternOf({ pattern }: { pattern?: string | undefined }): RegExp {
  return new RegExp(`^(?:${pattern ?? PLAIN_NAME})$`, 'u');
}

function bad(message: string): OutriggerError {
  return new OutriggerError('BAD_INPUT', message);
}
