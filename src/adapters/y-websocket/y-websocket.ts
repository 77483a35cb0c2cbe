import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { type ByteChannel, closeCodes } from '../../contract/wire.ts';
import { type AuthenticateDependencies, type AuthenticateOptions, upgradeCaller } from '../../net/authenticate.ts';
import type { Upgrade, UpgradeRouter } from '../../net/upgrade.ts';
import type { WebSockets } from '../../net/websocket.ts';
import { Refusals } from './refusals.ts';

export interface YWebsocketDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  sockets: WebSockets;
}

export interface YWebsocketOptions extends AuthenticateOptions {
  maxMessageBytes: number;
}

/** Prefixes below which the rest of the path is a room; every other path that nobody claims is one as a whole. */
const prefixes = ['/ws/doc/', '/yjs/'];

/**
 * The stock provider of the npm package y-websocket: `<base>/<room>`, where a room is the path of a file. The socket carries
 * y-protocols messages, which documents understand by themselves.
 */
export function routeYWebsocket(router: UpgradeRouter, dependencies: YWebsocketDependencies, options: YWebsocketOptions): void {
  const refusals = new Refusals();
  const join = async (upgrade: Upgrade, room: string): Promise<void> => {
    const { caller, protocol } = await upgradeCaller(upgrade, dependencies, options);
    const channel = dependencies.sockets.acceptBytes(upgrade, { maxPayload: options.maxMessageBytes, protocol });
    await openDocument(dependencies.dispatch, channel, { caller, requestId: upgrade.requestId, path: decodeRoom(room), refusals });
  };
  for (const prefix of prefixes) router.prefix(prefix, (upgrade) => join(upgrade, upgrade.path.slice(prefix.length)));
  router.fallback((upgrade) => join(upgrade, upgrade.path.slice(1)));
}

/** Attaches a socket to a document, or closes it with the code that says why not. */
async function openDocument(
  dispatch: Dispatch,
  channel: ByteChannel,
  { caller, requestId, path, refusals }: { caller: Caller; requestId: string; path: string; refusals: Refusals },
): Promise<void> {
  const controller = new AbortController();
  channel.onClose(() => controller.abort(new OutriggerError('CANCELED', 'The socket closed.')));
  try {
    await dispatch({
      name: 'documents.open',
      input: { path },
      caller,
      transport: 'y-websocket',
      requestId,
      signal: controller.signal,
      channel,
    });
  } catch (error) {
    const known = error instanceof OutriggerError ? error : new OutriggerError('INTERNAL', 'Something failed inside.');
    const code = closeCodeOf(known);
    if (code < 4500) await refusals.due(`${caller.id} ${path}`, controller.signal);
    channel.close(code, known.message.slice(0, 100));
  }
}

/** 44xx ends a y-websocket provider for good, so only what will not pass by itself gets one. */
function closeCodeOf(error: OutriggerError): number {
  if (error.code === 'unauthenticated') return closeCodes.tokenEnded;
  if (error.code === 'permission_denied') return closeCodes.forbidden;
  if (error.reason === 'FILE_NOT_FOUND' || error.reason === 'PART_OFF') return closeCodes.notFound;
  if (
    error.reason === 'DOCUMENT_BINARY' ||
    error.reason === 'DOCUMENT_TOO_LARGE' ||
    error.reason === 'NOT_A_FILE' ||
    error.code === 'invalid_argument'
  )
    return closeCodes.unsupported;
  if (error.code === 'resource_exhausted') return closeCodes.tooMany;
  return closeCodes.tryLater;
}

/** The provider does not encode a room; the WebSocket's URL does so for some characters, but not for `%`: one that begins none of them stays. */
function decodeRoom(room: string): string {
  return room.replace(/%[0-7][0-9a-f]|%[c-f][0-9a-f](?:%[89ab][0-9a-f]){1,3}/gi, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      return encoded;
    }
  });
}
