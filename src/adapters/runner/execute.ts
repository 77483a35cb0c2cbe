import os from 'node:os';
import type { CodeOutcome } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { ask, askBytes, type Asking } from '../code-api/ask.ts';
import { BadRequest } from '../code-api/answers.ts';
import type { KnownLanguages } from '../code-api/languages.ts';
import { FormReader } from '../code-api/request-form.ts';
import { endWords, noteLines, runCode, withLines } from '../code-api/run-code.ts';
import type { WorkingFolder } from './working-folder.ts';

/** Seconds that a run may take where the request does not say, and the most that it may say. */
const DEFAULT_TIMEOUT_S = 30;
const MAX_TIMEOUT_S = 120;
/** A program that a signal ended answers with this and the signal's number, as shells have it. */
const SIGNAL_BASE = 128;
const TIMED_OUT = 124;

export interface ExecuteForm {
  code: string;
  language: string;
  timeoutS: number;
  args: string[];
  /** The kept variables that it begins with, base64. */
  initialState: string | undefined;
  captureState: boolean;
  /** What was not taken as it was asked. */
  notes: string[];
}

export interface ExecuteAnswer {
  exit_code: number;
  stdout: string;
  stderr: string;
  execution_time_ms: number;
  /** Base64. */
  state?: string | null;
  state_errors?: string[];
}

interface Parts {
  asking: Asking;
  languages: KnownLanguages;
  folder: WorkingFolder;
}

/** What POST /execute asks for; `language` is the one of this listener. Throws BadRequest, and OUT_OF_SCOPE for another working folder. */
export function readExecute(body: unknown, language: string | undefined): ExecuteForm {
  const reader = new FormReader(body);
  const notes: string[] = [];
  const askedS = reader.wholeNumber('timeout') ?? DEFAULT_TIMEOUT_S;
  const timeoutS = Math.min(Math.max(askedS, 1), MAX_TIMEOUT_S);
  if (timeoutS !== askedS) notes.push(`The timeout is ${timeoutS} seconds: ${askedS} is out of bounds`);
  const form: ExecuteForm = {
    code: reader.required('code'),
    language: language ?? reader.required('language'),
    timeoutS,
    args: reader.args(),
    initialState: reader.optional('initial_state'),
    captureState: reader.flag('capture_state'),
    notes,
  };
  const workingDir = reader.optional('working_dir');
  reader.check();
  if (workingDir !== undefined && !/^(?:\/mnt\/data|\.)?\/?$/.test(workingDir)) throw new OutriggerError('OUT_OF_SCOPE', 'Access denied');
  return form;
}

/** POST /execute: whatever becomes of the program is an answer, also that there is no such language. Throws BadRequest, OutriggerError. */
export async function execute({ asking, languages, folder }: Parts, form: ExecuteForm): Promise<ExecuteAnswer> {
  const begun = performance.now();
  const language = await languages.named(asking, form.language).catch((error: unknown) => {
    if (error instanceof BadRequest) return undefined;
    throw error;
  });
  const elapsed = (): number => Math.round(performance.now() - begun);
  if (language === undefined)
    return { exit_code: 1, stdout: '', stderr: `Unsupported language: ${form.language.slice(0, 100)}`, execution_time_ms: elapsed() };

  const keepsState = form.initialState !== undefined || form.captureState;
  return await folder.run(asking, keepsState, async (session) => {
    const given = keepsState ? await giveState(asking, session, form.initialState) : undefined;
    const { outcome, stdout, stderr } = await runCode(asking, {
      language: language.code,
      // The operation takes no empty code; every language takes an empty line for the same.
      code: form.code === '' ? '\n' : form.code,
      args: form.args,
      session,
      // The seconds of this wire are those that count: the multiplier of the language is taken out again.
      limits: { wallMs: Math.round((form.timeoutS * 1000) / language.timeMultiplier) },
      keepState: keepsState,
    });
    const answer: ExecuteAnswer = {
      exit_code: exitCode(outcome),
      stdout,
      stderr: withLines(stderr, [endWords(outcome), ...form.notes.map((note) => `note: ${note}`), ...noteLines(outcome)]),
      execution_time_ms: Math.round(outcome.wallMs),
    };
    if (form.captureState) Object.assign(answer, await capturedState(asking, session, outcome, given));
    return { files: outcome.files, answer };
  });
}

/** A run begins with the variables of its own request, or with none: the session may be that of others as well. Answers when they were saved. */
async function giveState(asking: Asking, session: string, state: string | undefined): Promise<number | undefined> {
  if (state === undefined) {
    await ask(asking, 'code.removeState', { session });
    return undefined;
  }
  const { savedAt } = await ask(asking, 'code.putState', { session }, { body: bytesOf(Buffer.from(state, 'base64')) });
  return savedAt;
}

/** What the run saved; that of before it is nothing of its. */
async function capturedState(
  asking: Asking,
  session: string,
  { state, notes }: CodeOutcome,
  given: number | undefined,
): Promise<Pick<ExecuteAnswer, 'state' | 'state_errors'>> {
  if (state === null || state.savedAt === given)
    return { state: null, state_errors: notes.length > 0 ? notes : ['The variables were not kept.'] };
  try {
    const { bytes } = await askBytes(asking, 'code.getState', { session });
    const chunks: Uint8Array[] = [];
    for await (const chunk of bytes) chunks.push(chunk);
    return { state: Buffer.concat(chunks).toString('base64'), state_errors: [] };
  } catch (error) {
    if (!(error instanceof OutriggerError) || error.reason !== 'NO_STATE') throw error;
    return { state: null, state_errors: [error.message] };
  }
}

function exitCode({ exitCode: code, reason, program, compile }: CodeOutcome): number {
  if (reason === 'timeout' || reason === 'cpu') return TIMED_OUT;
  const signal = (program ?? compile)?.signal ?? null;
  if (signal !== null) return SIGNAL_BASE + (os.constants.signals[signal as NodeJS.Signals] ?? 0);
  return code ?? 1;
}

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
