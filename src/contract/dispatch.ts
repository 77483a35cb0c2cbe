import { type AccessLevel, allowsLevel, type Caller, lowerLevel, withinPaths } from './access.ts';
import { boundedSize } from './bound.ts';
import { OutriggerError } from './errors.ts';
import { once } from './once.ts';
import type { Call, Operation, Table, WithBytes } from './operation.ts';
import type { ByteChannel } from './wire.ts';

/** One call, as a transport hands it over. */
export interface DispatchRequest {
  name: string;
  input: unknown;
  caller: Caller;
  /** Shown in the log, e.g. `http`, `ws`, `stdio`. */
  transport: string;
  /** From the caller (X-Request-ID) or made by the transport. */
  requestId: string;
  /** Aborted when the caller cancels or goes away. */
  signal: AbortSignal;
  /** Takes one streamed item; a promise that settles when there is room for more. Absent: the caller did not ask for a stream. */
  emit?: (item: unknown) => Promise<void> | void;
  body?: AsyncIterable<Uint8Array>;
  channel?: ByteChannel;
}

/** What came of it. Items of a caller that did not ask for a stream are gathered here, bounded. */
export interface DispatchReply {
  output: unknown;
  items?: unknown[];
  /** Must be read to its end or returned: the call's log line and resources wait for it. */
  bytes?: AsyncIterable<Uint8Array>;
}

export type Dispatch = (request: DispatchRequest) => Promise<DispatchReply>;

export interface DispatchFacts {
  operation: string;
  transport: string;
  caller: string;
  requestId: string;
  outcome: string;
  durationMs: number;
  items?: number;
  bytes?: number;
  error?: unknown;
}

export interface DispatchDependencies {
  /** Called once a call, at its very end. */
  log: (facts: DispatchFacts) => void;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Why calls are refused now (starting, stopping), or undefined. */
  refuse?: () => OutriggerError | undefined;
  /** Where a path leads when links are followed: a caller limited to some paths must not get out of them by a link. */
  locate?: (path: string) => string;
  /** Where files lie that hold secrets of the sidecar itself, as `locate` gives it. They are for admins, wherever their tokens reach. */
  secrets?: ReadonlySet<string>;
}

export interface DispatchOptions {
  /** No caller has more than this, whatever its token says; a string says why. */
  ceiling: () => { access: AccessLevel; why: string };
  /** Rough size of one answer or one item, bytes of JSON. */
  maxOutputBytes: number;
  /** Calls in flight of one caller. */
  maxCallsPerCaller: number;
}

type AnyImplementation = (input: unknown, call: Call) => unknown;

const MISSING = 'is missing';

const noBytes: AsyncIterable<Uint8Array> = {
  [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }),
};

/**
 * The one way in, for any table: validate → allow → run → bound → map errors → one log line. Pure: time and log come in.
 * Transports call it; nothing else calls an implementation.
 */
export function createDispatch<T extends Table>(
  table: T,
  implementations: { [K in keyof T]?: unknown },
  dependencies: DispatchDependencies,
  options: DispatchOptions,
): Dispatch {
  const inFlight = new Map<string, number>();

  return async (request) => {
    const { name, caller } = request;
    const started = dependencies.now();
    const { signal, release } = joinSignals(request.signal, caller.ended);
    let itemCount = 0;
    let ended = false;
    const calls = (inFlight.get(caller.id) ?? 0) + 1;
    inFlight.set(caller.id, calls);

    const end = (outcome: string, bytes?: number, error?: unknown): void => {
      if (ended) return;
      ended = true;
      release();
      const left = (inFlight.get(caller.id) ?? 1) - 1;
      if (left === 0) inFlight.delete(caller.id);
      else inFlight.set(caller.id, left);
      const facts: DispatchFacts = {
        operation: name,
        transport: request.transport,
        caller: caller.name,
        requestId: request.requestId,
        outcome,
        durationMs: Math.round((dependencies.now() - started) * 10) / 10,
      };
      if (itemCount > 0) facts.items = itemCount;
      if (bytes !== undefined) facts.bytes = bytes;
      if (error !== undefined) facts.error = error;
      dependencies.log(facts);
    };

    try {
      const operation = findOperation(table, implementations, name);
      const refusal = dependencies.refuse?.();
      if (refusal !== undefined) throw refusal;
      if (calls > options.maxCallsPerCaller) {
        throw new OutriggerError('TOO_MANY', `${caller.name} has ${options.maxCallsPerCaller} calls in flight already.`);
      }
      checkLevel(name, operation, caller, options.ceiling());
      const input = parseInput(name, operation, request.input);
      checkScope(name, operation, caller, input, dependencies);
      if (operation.endless === true && request.emit === undefined)
        throw new OutriggerError('STREAM_ONLY', `${name} is a stream without an end.`);
      throwIfAborted(signal);

      const gathered: unknown[] = [];
      let gatheredBytes = 0;
      const call: Call = {
        signal,
        caller,
        requestId: request.requestId,
        body: request.body === undefined ? noBytes : endingBody(request.body, signal),
        channel: request.channel,
        ...sightOf(caller, dependencies),
        confirmScope: () => checkScope(name, operation, caller, input, dependencies),
        emit: (item) => {
          throwIfAborted(signal);
          itemCount++;
          const size = boundedSize(item, options.maxOutputBytes);
          if (size > options.maxOutputBytes)
            throw new OutriggerError('OUTPUT_TOO_LARGE', `One item of ${name} is larger than ${options.maxOutputBytes} bytes.`);
          if (request.emit !== undefined) return request.emit(item);
          gatheredBytes += size;
          if (gatheredBytes > options.maxOutputBytes) {
            throw new OutriggerError(
              'OUTPUT_TOO_LARGE',
              `The answer of ${name} is larger than ${options.maxOutputBytes} bytes; stream it or ask for less.`,
            );
          }
          gathered.push(item);
        },
      };
      const run = implementations[name] as AnyImplementation;
      const answer = await run(input, call);

      if (operation.bytes === true) {
        const { head, bytes } = answer as WithBytes<unknown>;
        return { output: head, bytes: watchBytes(bytes, signal, request.requestId, end) };
      }
      if (boundedSize(answer, options.maxOutputBytes) > options.maxOutputBytes) {
        throw new OutriggerError('OUTPUT_TOO_LARGE', `The answer of ${name} is larger than ${options.maxOutputBytes} bytes.`);
      }
      end('ok');
      return operation.item !== undefined && request.emit === undefined ? { output: answer, items: gathered } : { output: answer };
    } catch (error) {
      const known = mapError(error, signal, request.requestId);
      end(known.reason, undefined, inside(known));
      throw known;
    }
  };
}

/**
 * Aborted with the first of the two, until `release`. AbortSignal.any takes three times as long, and leaves its marks on a
 * signal that lives as long as a token until the next collection.
 */
function joinSignals(one: AbortSignal, other: AbortSignal | undefined): { signal: AbortSignal; release: () => void } {
  if (other === undefined) return { signal: one, release: () => {} };
  const both = new AbortController();
  const abort = (event: Event): void => both.abort((event.target as AbortSignal).reason);
  for (const signal of [one, other]) {
    if (signal.aborted) both.abort(signal.reason);
    else signal.addEventListener('abort', abort);
  }
  const release = (): void => {
    for (const signal of [one, other]) signal.removeEventListener('abort', abort);
  };
  return { signal: both.signal, release };
}

function findOperation(table: Table, implementations: object, name: string): Operation {
  const operation = Object.hasOwn(table, name) ? table[name] : undefined;
  if (operation === undefined) throw new OutriggerError('NO_OPERATION', `There is no operation ${JSON.stringify(name.slice(0, 100))}.`);
  if (!Object.hasOwn(implementations, name)) throw new OutriggerError('PART_OFF', `${name} belongs to a part that is switched off here.`);
  return operation;
}

function checkLevel(name: string, operation: Operation, caller: Caller, ceiling: { access: AccessLevel; why: string }): void {
  if (!allowsLevel(ceiling.access, operation.access))
    throw new OutriggerError('READ_ONLY', `${name} needs ${operation.access} access: ${ceiling.why}`);
  const held = lowerLevel(caller.access, ceiling.access);
  if (!allowsLevel(held, operation.access)) {
    throw new OutriggerError('ACCESS_DENIED', `${name} needs ${operation.access} access; ${caller.name} has ${caller.access}.`);
  }
}

function parseInput(name: string, operation: Operation, input: unknown): unknown {
  const parsed = operation.input.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.slice(0, 20).map((issue) => problemOf(issue));
  const badPath = parsed.error.issues.some((issue) => issue.code === 'custom' && issue.params?.['reason'] === 'BAD_PATH');
  const first = issues[0];
  const text =
    first === undefined
      ? 'does not fit'
      : `${first.at === '' ? '' : `${first.at}${first.problem === MISSING ? ' ' : ': '}`}${first.problem}`;
  throw new OutriggerError(badPath ? 'BAD_PATH' : 'BAD_INPUT', `Bad input for ${name}: ${text}.`, { details: { issues } });
}

/** An issue of zod's: where, and what in words. */
interface Issue {
  code?: string | undefined;
  path: readonly PropertyKey[];
  message: string;
  errors?: readonly (readonly Issue[])[];
}

/** Of several forms of which none fits, the one that is nearest is spoken of: the one that lacks or breaks the least. */
function problemOf(issue: Issue, above: readonly PropertyKey[] = []): { at: string; problem: string } {
  const path = [...above, ...issue.path];
  const nearest = [...(issue.errors ?? [])].sort((one, other) => one.length - other.length)[0]?.[0];
  if (issue.code === 'invalid_union' && nearest !== undefined && nearest.path.length > 0) return problemOf(nearest, path);
  const isMissing = issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
  return { at: path.map(String).join('.'), problem: isMissing ? MISSING : issue.message };
}

type Places = Pick<DispatchDependencies, 'locate' | 'secrets'>;

function checkScope(name: string, operation: Operation, caller: Caller, input: unknown, places: Places): void {
  if (operation.scope === 'none' || operation.scope === 'filtered') return;
  const { paths } = caller;
  const guarded = guardedFrom(caller, places);
  if (paths === undefined && guarded === undefined) return;
  if (operation.scope === 'workspace') {
    if (paths === undefined) {
      for (const path of (operation.paths ?? []).flatMap((field) => pathsIn(input as Record<string, unknown>, field)))
        if (guarded !== undefined) checkSecrets(path, places.locate?.(path) ?? path, guarded, false);
      return;
    }
    throw new OutriggerError('OUT_OF_SCOPE', `${name} touches the whole workspace; ${caller.name} is limited to ${paths.join(', ')}.`);
  }
  for (const field of operation.scope.fields) {
    for (const path of pathsIn(input as Record<string, unknown>, field)) {
      if (paths !== undefined) checkPath(caller.name, paths, path, places.locate);
      if (guarded !== undefined) checkSecrets(path, places.locate?.(path) ?? path, guarded, operation.access !== 'read');
    }
  }
}

function checkPath(who: string, paths: readonly string[], path: string, locate: Places['locate']): void {
  if (!withinPaths(paths, path))
    throw new OutriggerError('OUT_OF_SCOPE', `${who} is limited to ${paths.join(', ')}; ${JSON.stringify(path)} is outside.`);
  const places = locate === undefined ? {} : { locate };
  const reached = paths.flatMap((one) => placeOf(one, places));
  // Where it leads by links of others is not for him to hear, nor whether they lead out of the workspace.
  if (!placeOf(path, places).some((place) => withinPaths(reached, place)))
    throw new OutriggerError(
      'OUT_OF_SCOPE',
      `${who} is limited to ${paths.join(', ')}; ${JSON.stringify(path)} is a link that leads out of it.`,
    );
}

function sightOf(caller: Caller, places: Places): Pick<Call, 'visible' | 'visibleAt' | 'reaches'> {
  // None: nothing lies in it.
  const isSecret = (path: string): boolean => withinPaths([...(guardedFrom(caller, places) ?? [])], path);
  const visible = (path: string): boolean => withinPaths(caller.paths, path) && !isSecret(path);
  const reached = once(() => caller.paths?.flatMap((path) => placeOf(path, places)));
  const reaches = (place: string): boolean => withinPaths(reached(), place) && !isSecret(place);
  return { visible, visibleAt: (path, place) => visible(path) && (place === path || reaches(place)), reaches };
}

/** None where it leads out of the workspace: nothing is reached by it. */
function placeOf(path: string, { locate }: Places): string[] {
  try {
    return [locate?.(path) ?? path];
  } catch (error) {
    if (error instanceof OutriggerError && error.reason === 'WORKSPACE_GONE') throw error;
    return [];
  }
}

/** Undefined where nothing is kept from the caller. To ask for the secrets can be to look for them: for an admin nobody does. */
function guardedFrom(caller: Caller, places: Places): ReadonlySet<string> | undefined {
  if (caller.access === 'admin') return undefined;
  const { secrets } = places;
  return secrets?.size === 0 ? undefined : secrets;
}

/** `above`: the folder of a secret is refused too. What changes things can also put that elsewhere; below a secret, it can put a folder in its place. */
function checkSecrets(path: string, place: string, secrets: ReadonlySet<string>, above: boolean): void {
  for (const secret of secrets) {
    const isAt = [path, place].some((one) => withinPaths([secret], one));
    if (isAt || (above && place !== '' && secret.startsWith(`${place}/`)))
      throw new OutriggerError('ACCESS_DENIED', `${JSON.stringify(path)} holds a secret of the sidecar itself: that needs admin access.`);
  }
}

/** The paths that a field holds. One left out, or an empty list, stands for the whole workspace. */
function pathsIn(input: Record<string, unknown>, field: string): string[] {
  const [list, inner] = field.split('.*.');
  if (list !== undefined && inner !== undefined) {
    const items = input[list] as Record<string, unknown>[];
    return items.length === 0 ? [''] : items.flatMap((item) => (item[inner] === undefined ? [] : [String(item[inner])]));
  }
  const value = input[field];
  return (Array.isArray(value) && value.length > 0 ? value : [Array.isArray(value) ? '' : (value ?? '')]).map(String);
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw signal.reason;
}

/**
 * What is ours stays; an abort becomes its reason or CANCELED; descriptors that ran out, which code that is loaded late and threads need as well, are
 * TOO_MANY_FILES; everything else is INTERNAL, its cause for the log only.
 */
function mapError(error: unknown, signal: AbortSignal, requestId: string): OutriggerError {
  if (error instanceof OutriggerError) return error;
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    if (reason instanceof OutriggerError) return reason;
    if (reason instanceof Error && reason.name === 'TimeoutError') return new OutriggerError('DEADLINE', 'The call ran out of time.');
    return new OutriggerError('CANCELED', 'The call was canceled.', { cause: error });
  }
  if (lacksDescriptors(error)) return new OutriggerError('TOO_MANY_FILES', 'Too many files are open already.', { cause: error });
  return new OutriggerError('INTERNAL', `Something failed inside; the log has it under request ${requestId}.`, { cause: error });
}

/** A thread that could not begin names what it lacked in its message alone. */
function lacksDescriptors(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown };
  const lacked = code === 'ERR_WORKER_INIT_FAILED' ? /E[MN]FILE/.exec(String(message))?.[0] : code;
  return lacked === 'EMFILE' || lacked === 'ENFILE';
}

/** What the log has to say about an error that a person should look at; undefined for the others. */
function inside(error: OutriggerError): unknown {
  return error.reason === 'INTERNAL' ? (error.cause ?? error) : undefined;
}

/**
 * The bytes of a call for as long as it may go on: with its signal they are over for whoever waits for the next of them, for its reason, and their
 * source is closed. It may have nothing to give for as long as its peer likes, so that it is not waited for. One reader, one step at a time.
 */
function endingBody(body: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const read = (): AsyncIterator<Uint8Array> => {
    const source = body[Symbol.asyncIterator]();
    let refuse = (_reason: unknown): void => {};
    const aborted = (): void => {
      over();
      refuse(signal.reason);
      source.return?.().catch(() => {});
    };
    const over = (): void => signal.removeEventListener('abort', aborted);
    if (signal.aborted) aborted();
    else signal.addEventListener('abort', aborted);
    return {
      next: () =>
        new Promise((resolve, reject) => {
          throwIfAborted(signal);
          refuse = reject;
          source.next().then(
            (step) => {
              if (step.done === true) over();
              resolve(step);
            },
            (error: unknown) => {
              over();
              reject(error);
            },
          );
        }),
      async return() {
        over();
        await source.return?.();
        return { done: true, value: undefined };
      },
    };
  };
  return { [Symbol.asyncIterator]: read };
}

/** Passes the bytes on, counted; ends the call once: at their end, on return, and where the caller goes away without reading. */
function watchBytes(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
  requestId: string,
  end: (outcome: string, bytes: number, error?: unknown) => void,
): AsyncIterable<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  let count = 0;
  let reading = false;
  let failure: Promise<OutriggerError> | undefined;
  const fail = (error: unknown): Promise<OutriggerError> =>
    (failure ??= (async () => {
      const known = mapError(error, signal, requestId);
      try {
        await source.return?.();
      } finally {
        end(known.reason, count, inside(known));
      }
      return known;
    })());
  // Who is reading finds out at the next step; nobody else would close the source.
  const aborted = (): void => {
    if (!reading) void fail(signal.reason);
  };
  if (signal.aborted) aborted();
  else signal.addEventListener('abort', aborted, { once: true });
  const iterator: AsyncIterator<Uint8Array> = {
    async next() {
      reading = true;
      try {
        throwIfAborted(signal);
        const step = await source.next();
        if (step.done === true) end('ok', count);
        else count += step.value.length;
        return step;
      } catch (error) {
        throw await fail(error);
      } finally {
        reading = false;
      }
    },
    async return() {
      await source.return?.();
      end(signal.aborted ? mapError(signal.reason, signal, requestId).reason : 'ok', count);
      return { done: true, value: undefined };
    },
  };
  return { [Symbol.asyncIterator]: () => iterator };
}
