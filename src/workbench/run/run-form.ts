import type { CodeLimits, EffectiveLimits, LanguageInfo } from '../../contract/code.ts';
import { nameOf } from '../file-paths.ts';
import { splitCommand } from '../processes/split-command.ts';

/** Limits as they are typed; empty: the usual one. */
export interface LimitFields {
  seconds: string;
  memoryMib: string;
  outputKib: string;
  processes: string;
}

/** How one file is run; kept for as long as the page lives. */
export interface RunForm {
  /** A code of the language; undefined: the one of the file's name. */
  language: string | undefined;
  args: string;
  stdin: string;
  limits: LimitFields;
  network: boolean;
  keepState: boolean;
  /** Paths of the workspace that are put beside it. */
  files: readonly string[];
}

export const firstForm: RunForm = {
  language: undefined,
  args: '',
  stdin: '',
  limits: { seconds: '', memoryMib: '', outputKib: '', processes: '' },
  network: false,
  keepState: false,
  files: [],
};

const mib = 1024 * 1024;
const kib = 1024;

/** What one limit is called, and its unit. */
export const limitNames: readonly {
  field: keyof LimitFields;
  label: string;
  whole: boolean;
  usual: (limits: EffectiveLimits) => number;
}[] = [
  { field: 'seconds', label: 'Time, s', whole: false, usual: ({ wallMs }) => wallMs / 1000 },
  { field: 'memoryMib', label: 'Memory, MiB', whole: false, usual: ({ memoryBytes }) => memoryBytes / mib },
  { field: 'outputKib', label: 'Output, KiB', whole: false, usual: ({ outputBytes }) => outputBytes / kib },
  { field: 'processes', label: 'Processes', whole: true, usual: ({ processes }) => processes },
];

/** The language of a file's name; undefined where none has its ending. */
export function languageOf(path: string, languages: readonly LanguageInfo[]): LanguageInfo | undefined {
  const name = nameOf(path);
  const cut = name.lastIndexOf('.');
  if (cut < 0) return undefined;
  const ending = name.slice(cut + 1).toLowerCase();
  return languages.find(
    ({ code, aliases, extension }) => extension.replace(/^\./, '') === ending || code === ending || aliases.includes(ending),
  );
}

/** Why code of this language can't be run here; undefined: it can. */
export function languageProblem({ name, rollout, missing }: LanguageInfo): string | undefined {
  if (rollout === 'off') return `${name} is switched off here, in the option code.rollout.`;
  if (missing.length > 0) return `${name} is not installed: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing.`;
  return undefined;
}

/** Arguments as words, or why they are none. */
export function argumentsOf(text: string): { args: string[] } | { problem: string } {
  // The rules are those of a command, whose program is known here.
  const split = splitCommand(`program ${text}`);
  return 'problem' in split ? split : { args: split.argv.slice(1) };
}

export function limitProblem(text: string, whole: boolean): string | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  const pattern = whole ? /^\d{1,9}$/ : /^\d{1,9}([.,]\d{1,3})?$/;
  if (!pattern.test(trimmed) || numberOf(trimmed) === 0) return whole ? 'A whole number above 0.' : 'A number above 0.';
  return undefined;
}

/** What is asked for; fields that are empty, or hold no number, are left to the sidecar. */
export function limitsOf(fields: LimitFields): CodeLimits {
  const read = (field: keyof LimitFields, unit: number, whole = false): number | undefined =>
    fields[field].trim() === '' || limitProblem(fields[field], whole) !== undefined
      ? undefined
      : Math.round(numberOf(fields[field]) * unit);
  const limits: CodeLimits = {
    wallMs: read('seconds', 1000),
    memoryBytes: read('memoryMib', mib),
    outputBytes: read('outputKib', kib),
    processes: read('processes', 1, true),
  };
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}

/** The limits in a few words, for the line that folds them. */
export function sayLimits({ seconds, memoryMib, outputKib, processes }: LimitFields): string {
  const parts = [
    seconds.trim() === '' ? '' : `${seconds.trim()} s`,
    memoryMib.trim() === '' ? '' : `${memoryMib.trim()} MiB`,
    outputKib.trim() === '' ? '' : `${outputKib.trim()} KiB of output`,
    processes.trim() === '' ? '' : `${processes.trim()} processes`,
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'as the sidecar sets them' : parts.join(' · ');
}

function numberOf(text: string): number {
  return Number(text.trim().replace(',', '.'));
}
