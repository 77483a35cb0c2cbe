import { randomBytes } from 'node:crypto';
import type { CodeEndReason } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { BadRequest } from './answers.ts';
import type { Asking } from './ask.ts';
import { answered, filesToBring, liveSession, where } from './exec.ts';
import { HeldRun } from './held-run.ts';
import type { KnownLanguages } from './languages.ts';
import { entityOf, FormReader, knownId, requireCode } from './request-form.ts';
import type { FinishedRun } from './run-code.ts';
import { functionName, resultLine, type Tool, type ToolCall, toolProgram, type ToolResult } from './tool-program.ts';

/** Rounds of calls of one program. */
const MAX_ROUNDS = 20;
const MAX_TOOLS = 100;
/** Programs that wait for results at a time: each holds a place among the runs. */
const MAX_HELD = 4;
/** How long a program waits for the results of one round. */
const HOLD_MS = 5 * 60 * 1000;
/** How long a program may compute between rounds where the request does not say, and the most that it may say. */
const DEFAULT_TIMEOUT_MS = 60_000;
const MAX_TIMEOUT_MS = 300_000;
const MIN_TIMEOUT_MS = 1000;
const TOKEN_BYTES = 24;

/** As LibreChat's client knows them; words of others it does not show. */
const errorWords: Readonly<Partial<Record<CodeEndReason, string>>> = {
  timeout: 'Time limit exceeded',
  cpu: 'Time limit exceeded',
  memory: 'Out of memory',
  output: 'stdout length exceeded',
};

/** One program and what is known of it between its rounds. */
interface Conversation {
  run: HeldRun;
  /** Whose it is, by the id of the caller. */
  caller: string;
  timeoutMs: number;
  tools: ReadonlySet<string>;
  rounds: number;
}

interface Waiting {
  conversation: Conversation;
  calls: ToolCall[];
  expiry: NodeJS.Timeout;
}

type Answer = Record<string, unknown>;

/** POST /exec/programmatic: Python whose calls of tools are answered by further requests. The program is held between them. */
export class Programmatic {
  /** Those that wait for results, by a token that holds for one request. */
  readonly #waiting = new Map<string, Waiting>();
  readonly #languages: KnownLanguages;
  #running = 0;

  constructor(languages: KnownLanguages) {
    this.#languages = languages;
  }

  /** Throws BadRequest, OutriggerError. */
  async answer(asking: Asking, body: unknown): Promise<Answer> {
    const reader = new FormReader(body);
    const token = reader.optional('continuation_token');
    return token === undefined ? await this.#begin(asking, reader) : await this.#continue(asking, token, reader);
  }

  /** Ends all that wait. */
  close(): void {
    for (const token of [...this.#waiting.keys()]) this.#take(token)?.conversation.run.stop();
  }

  async #begin(asking: Asking, reader: FormReader): Promise<Answer> {
    const code = reader.required('code');
    const lang = reader.optional('lang') ?? reader.optional('language') ?? 'py';
    const entity = entityOf(reader.entity(), reader.optional('user_id'));
    const sessionId = knownId(reader.optional('session_id'));
    const files = reader.files();
    const askedMs = reader.wholeNumber('timeout') ?? DEFAULT_TIMEOUT_MS;
    reader.check();
    requireCode(code);
    const tools = readTools(reader.raw('tools'));
    const { code: language } = await this.#languages.named(asking, lang);
    if (language !== 'py') throw refused('lang', `Tools can be called from Python, not from ${language}`);
    const session = await liveSession(asking, sessionId);
    const bring = filesToBring(files, session);
    if (this.#running >= MAX_HELD) throw new OutriggerError('TOO_MANY_RUNS', `${MAX_HELD} programs that call tools run already.`);
    const timeoutMs = Math.min(Math.max(askedMs, MIN_TIMEOUT_MS), MAX_TIMEOUT_MS);
    const { source, mark } = toolProgram(code, tools);
    // It stands still for most of its time: that between rounds is measured here, and the service ends what is held for too long.
    const limits = { wallMs: MAX_ROUNDS * HOLD_MS, cpuMs: timeoutMs };
    this.#running++;
    const run = new HeldRun(asking, { language, code: source, ...where(session, entity), files: bring, limits }, mark);
    void run.ended.then(() => this.#running--);
    return await this.#round(asking, {
      run,
      caller: asking.caller.id,
      timeoutMs,
      tools: new Set(tools.map(({ name }) => name)),
      rounds: 0,
    });
  }

  async #continue(asking: Asking, token: string, reader: FormReader): Promise<Answer> {
    const waiting = this.#waiting.get(token);
    if (waiting === undefined || waiting.conversation.caller !== asking.caller.id)
      throw new OutriggerError('NO_RUN', 'Execution not found or expired');
    const results = readResults(reader);
    this.#take(token);
    const { conversation, calls } = waiting;
    conversation.run.give(resultLine(calls, results));
    return await this.#round(asking, conversation);
  }

  /** Waits for what the program comes to next. */
  async #round(asking: Asking, conversation: Conversation): Promise<Answer> {
    const { run, timeoutMs } = conversation;
    let isLate = false;
    const late = setTimeout(() => {
      isLate = true;
      run.stop();
    }, timeoutMs);
    const gone = (): void => run.stop();
    if (asking.signal.aborted) gone();
    asking.signal.addEventListener('abort', gone, { once: true });
    const event = await run.next();
    clearTimeout(late);
    asking.signal.removeEventListener('abort', gone);

    if (event.kind === 'end') return ended(event.finished);
    if (event.kind === 'failed') {
      if (isLate) return failed(run, 'Time limit exceeded');
      if (conversation.rounds === 0 || asking.signal.aborted) throw event.error;
      return failed(run, event.error instanceof OutriggerError ? event.error.message : 'Execution failed');
    }
    const { calls } = event;
    const stranger = calls.find(({ name }) => !conversation.tools.has(name));
    const problem =
      stranger !== undefined
        ? `Sandbox requested an unregistered tool: ${stranger.name.slice(0, 100)}`
        : conversation.rounds >= MAX_ROUNDS
          ? `Exceeded maximum round trips (${MAX_ROUNDS})`
          : undefined;
    if (problem !== undefined) {
      run.stop();
      await run.ended;
      return failed(run, problem);
    }
    conversation.rounds++;
    const token = randomBytes(TOKEN_BYTES).toString('base64url');
    const expiry = setTimeout(() => this.#take(token)?.conversation.run.stop(), HOLD_MS);
    this.#waiting.set(token, { conversation, calls, expiry });
    return { status: 'tool_call_required', session_id: run.session, continuation_token: token, tool_calls: calls };
  }

  #take(token: string): Waiting | undefined {
    const waiting = this.#waiting.get(token);
    clearTimeout(waiting?.expiry);
    this.#waiting.delete(token);
    return waiting;
  }
}

function ended(finished: FinishedRun): Answer {
  const { outcome } = finished;
  const error = errorWords[outcome.reason];
  // The limits were chosen here: that they were brought into bounds is nothing to tell.
  const answer = { session_id: outcome.session, ...answered({ ...finished, outcome: { ...outcome, notes: [] } }) };
  return error === undefined ? { status: 'completed', ...answer } : { status: 'error', error, ...answer };
}

function failed(run: HeldRun, error: string): Answer {
  return { status: 'error', error, session_id: run.session, ...run.written, files: [] };
}

/** Throws BadRequest where a tool can't be a function, or two would be the same one. */
function readTools(value: unknown): Tool[] {
  if (!Array.isArray(value) || value.length === 0) throw refused('tools', 'Missing required field: tools (must be a non-empty array)');
  if (value.length > MAX_TOOLS) throw refused('tools', `Too many tools (${value.length}), there may be ${MAX_TOOLS}`);
  const named = new Map<string, string>();
  return value.map((one: unknown) => {
    const { name } = (one ?? {}) as { name?: unknown };
    if (typeof name !== 'string' || name.trim() === '') throw refused('tools', 'Each tool must have a non-empty name');
    const shown = JSON.stringify(name.slice(0, 100));
    const identifier = functionName(name);
    if (!/[A-Za-z0-9]/.test(identifier)) throw refused('tools', `Of the tool name ${shown} nothing is left for a function`);
    const other = named.get(identifier);
    if (other !== undefined)
      throw refused('tools', `Tools ${JSON.stringify(other.slice(0, 100))} and ${shown} would both be ${identifier}()`);
    named.set(identifier, name);
    return { name };
  });
}

/** Throws BadRequest. */
function readResults(reader: FormReader): ToolResult[] {
  const value = reader.raw('tool_results');
  if (!Array.isArray(value))
    throw BadRequest.form({ field: 'body -> tool_results', message: 'Input should be a valid list', code: 'list_type' });
  return value.map((one: unknown, at) => {
    const { call_id, result, is_error, error_message } = (one ?? {}) as Partial<ToolResult>;
    if (typeof call_id !== 'string')
      throw BadRequest.form({ field: `body -> tool_results -> ${at} -> call_id`, message: 'Field required', code: 'missing' });
    const words = typeof error_message === 'string' ? error_message : undefined;
    return { call_id, result, is_error: is_error === true, error_message: words };
  });
}

function refused(field: string, message: string): BadRequest {
  return new BadRequest(400, message, [{ field, message, code: 'value_error' }]);
}
