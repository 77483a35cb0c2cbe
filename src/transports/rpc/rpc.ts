import { actorOf, asPerson, type Caller } from '../../contract/access.ts';
import type { Dispatch, DispatchRequest } from '../../contract/dispatch.ts';
import { OutriggerError, peerErrors, type WireError } from '../../contract/errors.ts';
import { closeCodes, type Codec } from '../../contract/wire.ts';
import { Peer, type PeerLimits, type PeerRequest } from '../../core/peer.ts';
import type { TextSocket } from '../../net/text-socket.ts';
import { nodeTimers } from '../../net/timers.ts';

/** What WebSocket RPC, stdio and the hub link have in common: a peer on a socket whose requests go to dispatch. */
export interface RpcOptions {
  dispatch: Dispatch;
  codec: Codec;
  caller: Caller;
  /** Shown in the log. */
  transport: string;
  /** Unique in this process; request ids in the log are made of it. */
  connectionId: string;
  /** Of the ids of our own calls. */
  idPrefix: string;
  limits?: Partial<PeerLimits>;
  onEvent?: (event: string, data: unknown) => void;
}

/** Serves `socket` until it closes. The returned peer can call the other side. */
export function serveRpc(socket: TextSocket, options: RpcOptions): Peer<WireError> {
  const { caller } = options;
  const requestId = (id: string): string => `${options.connectionId}.${id}`;
  let named = options;
  const answerName = async ({ params }: PeerRequest): Promise<unknown> => {
    named = { ...options, caller: asPerson(caller, nameIn(params)) };
    return { name: actorOf(named.caller).name };
  };
  const peer = new Peer<WireError>(
    {
      codec: options.codec,
      errors: peerErrors(requestId),
      timers: nodeTimers,
      send: (text) => socket.send(text),
      buffered: () => socket.buffered,
      onDrain: (listener) => socket.onDrain(listener),
      pause: () => socket.pause(),
      resume: () => socket.resume(),
      handle: (request) => (request.method === namingMethod ? answerName(request) : answer(request, named, requestId(request.id))),
      onEvent: options.onEvent ?? (() => undefined),
      onClose: (error) =>
        socket.close(
          error instanceof OutriggerError && error.reason === 'BAD_FRAME' ? closeCodes.protocolError : closeCodes.tooSlow,
          error.message,
        ),
      idPrefix: options.idPrefix,
    },
    options.limits,
  );
  const onEnded = (): void => {
    const reason: unknown = caller.ended?.reason;
    const error = reason instanceof OutriggerError ? reason : new OutriggerError('TOKEN_REVOKED', 'The token holds no more.');
    peer.close(error);
    socket.close(closeCodes.tokenEnded, error.reason);
  };
  socket.onText((text) => peer.receive(text));
  socket.onBad((problem) => peer.bad(problem));
  socket.onClose(() => {
    caller.ended?.removeEventListener('abort', onEnded);
    peer.close(new OutriggerError('CONNECTION_LOST', 'The connection ended.'));
  });
  if (caller.ended?.aborted === true) onEnded();
  else caller.ended?.addEventListener('abort', onEnded, { once: true });
  return peer;
}

/** Both are answered here, at no cost and with no line in the log. This one: whether anyone is at the other end. */
const pingMethod = 'rpc.ping';
/** Under which name the calls after it are made. */
const namingMethod = 'rpc.name';

function nameIn(params: unknown): string {
  const { name } = (typeof params === 'object' && params !== null ? params : {}) as { name?: unknown };
  if (typeof name !== 'string') throw new OutriggerError('BAD_INPUT', 'Bad input for rpc.name: name must be a text.');
  return name;
}

async function answer(request: PeerRequest, options: RpcOptions, requestId: string): Promise<unknown> {
  if (request.method === pingMethod) return {};
  const asked: DispatchRequest = {
    name: request.method,
    input: request.params,
    caller: options.caller,
    transport: options.transport,
    requestId,
    signal: request.signal,
  };
  if (request.stream) asked.emit = request.emit;
  if (request.body !== undefined) asked.body = request.body;
  const reply = await options.dispatch(asked);
  if (reply.bytes !== undefined) {
    // A call that asked for no stream gets the facts without the bytes, as HEAD does.
    if (!request.stream) await reply.bytes[Symbol.asyncIterator]().return?.();
    else for await (const chunk of reply.bytes) await request.write(chunk);
  }
  return reply.items === undefined ? reply.output : { ...(reply.output as object), items: reply.items };
}
