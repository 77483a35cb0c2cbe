import type { Dispatch, DispatchReply, DispatchRequest } from '../../contract/dispatch.ts';
import { OutriggerError, type WireError } from '../../contract/errors.ts';
import type { Codec, Frame } from '../../contract/wire.ts';
import { createJsonCodec } from '../../core/json-codec.ts';
import { nodeBase64 } from '../../net/base64.ts';
import { ChangeEvents, type EventSink } from './change-events.ts';
import { seedCode } from './seed-errors.ts';
import { seedMethods } from './seed-methods.ts';

export interface SkaffaDependencies {
  dispatch: Dispatch;
}

export interface SkaffaOptions {
  /** What `ping` answers. */
  version: string;
  build: string;
}

export interface Skaffa {
  /** Takes the seed's methods and our operations. */
  readonly dispatch: Dispatch;
  /** The JSON lines of stdio, with the seed's error codes where the seed's methods were asked. */
  readonly codec: Codec;
  /** Gives `watch` its way out; call it with the connection's peer. */
  attach(sink: EventSink): void;
  /** Ends what it watches. */
  close(): void;
}

const ownMethods: ReadonlySet<string> = new Set(['ping', 'watch', 'unwatch']);

/**
 * The wire of the Skaffa sidecar (seed 002) for one stdio connection: `ping`, `readFile`, `stat`, `hashFile`, `glob`, `search`, `outline`,
 * `index.status`, `watch` and `unwatch` become calls of operations. Names of operations, a host's own among them, go through as they
 * are, with our codes.
 */
export function createSkaffa({ dispatch }: SkaffaDependencies, options: SkaffaOptions): Skaffa {
  const events = new ChangeEvents(dispatch);
  return {
    dispatch: async (request) => {
      const { name } = request;
      if (!isSeedMethod(name)) return await dispatch(request);
      const params = paramsOf(request);
      if (name === 'ping') return { output: { version: options.version, build: options.build } };
      if (name === 'watch') return { output: events.watch(request.caller, request.requestId, params['cursor']) };
      if (name === 'unwatch') return { output: events.unwatch() };
      return await callSeedMethod(dispatch, request, params);
    },
    codec: seedCodec(),
    attach: (sink) => events.attach(sink),
    close: () => void events.unwatch(),
  };
}

/** Operations have a dot in their name; the seed's methods, known or not, have none, but for one. */
function isSeedMethod(name: string): boolean {
  return !name.includes('.') || Object.hasOwn(seedMethods, name);
}

function paramsOf({ name, input }: DispatchRequest): Readonly<Record<string, unknown>> {
  if (!ownMethods.has(name) && !Object.hasOwn(seedMethods, name)) {
    const known = [...ownMethods, ...Object.keys(seedMethods)].join(', ');
    throw new OutriggerError('NO_OPERATION', `There is no method ${JSON.stringify(name.slice(0, 100))}; there are ${known}.`);
  }
  if (input === undefined || input === null) return {};
  if (typeof input !== 'object' || Array.isArray(input)) throw new OutriggerError('BAD_INPUT', `The params of ${name} must be an object.`);
  return input as Record<string, unknown>;
}

async function callSeedMethod(
  dispatch: Dispatch,
  request: DispatchRequest,
  params: Readonly<Record<string, unknown>>,
): Promise<DispatchReply> {
  const method = seedMethods[request.name];
  if (method === undefined) throw new OutriggerError('NO_OPERATION', `There is no method ${request.name}.`);
  const { emit, ...rest } = request;
  const { operation, item = (one: unknown) => one } = method;
  const asked: DispatchRequest = { ...rest, name: operation, input: method.input(params) };
  if (emit !== undefined) asked.emit = (one) => emit(item(one));
  try {
    const reply = await dispatch(asked);
    return { output: method.output(reply) };
  } catch (error) {
    if (!(error instanceof OutriggerError) || (error.reason !== 'NO_OPERATION' && error.reason !== 'PART_OFF')) throw error;
    const text = `${request.name} is not available in this sidecar: it needs the operation ${operation}, which is not there or switched off.`;
    throw new OutriggerError('PART_OFF', text, { cause: error });
  }
}

/** Which code an error has depends on what was asked, so the codec remembers the seed's requests in flight. */
function seedCodec(): Codec {
  const json = createJsonCodec<WireError>(nodeBase64);
  const asked = new Map<string, number>();
  /** A second request with an id in flight is answered, too, before the first. */
  const answered = (id: string): boolean => {
    const count = asked.get(id);
    if (count === undefined) return false;
    if (count === 1) asked.delete(id);
    else asked.set(id, count - 1);
    return true;
  };
  return {
    encodeItems: json.encodeItems,
    encode: (frame) => {
      if (frame.kind === 'result') answered(frame.id);
      if (frame.kind !== 'error' || frame.id === null || !answered(frame.id)) return json.encode(frame);
      return json.encode({ ...frame, error: { ...frame.error, code: seedCode(frame.error) as WireError['code'] } });
    },
    decode: (text): Frame | undefined => {
      const frame = json.decode(text);
      if (frame?.kind === 'request' && isSeedMethod(frame.method)) asked.set(frame.id, (asked.get(frame.id) ?? 0) + 1);
      return frame;
    },
  };
}
