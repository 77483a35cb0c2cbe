import type { AccessLevel } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError, type WireError } from '../../contract/errors.ts';
import { closeCodes } from '../../contract/wire.ts';
import type { Peer, PeerLimits } from '../../core/peer.ts';
import { nodeBase64 } from '../../net/base64.ts';
import type { WebSockets } from '../../net/websocket.ts';
import { serveRpc } from '../rpc/rpc.ts';
import { createCallCodec } from './call-codec.ts';

export interface HubLinkDependencies {
  dispatch: Dispatch;
  sockets: WebSockets;
}

export interface HubLinkOptions {
  /** `ws://` or `wss://` address of the hub. */
  url: string;
  token?: string;
  /** What the hub may do here at most, and in which paths. */
  ceiling: AccessLevel;
  paths?: readonly string[];
  limits?: Partial<PeerLimits>;
}

export interface HubLink {
  /** Calls the hub; the hub's calls are answered by dispatch. */
  readonly peer: Peer<WireError>;
  readonly closed: Promise<void>;
  close(): void;
}

/** Frames may have up to 4 MiB, either way. */
const maxPayload = 4 * 1024 * 1024;
/** A UTF-16 unit takes up to three bytes. */
const maxSendLength = Math.floor(maxPayload / 3);

/** Dials out once and answers the hub's calls until the socket ends. Throws OutriggerError when the hub can't be reached or refuses. */
export async function connectHubLink(dependencies: HubLinkDependencies, options: HubLinkOptions): Promise<HubLink> {
  const headers: Record<string, string> = options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  const socket = await dependencies.sockets.dialText(options.url, { maxPayload, headers });
  const peer = serveRpc(socket, {
    dispatch: dependencies.dispatch,
    codec: createCallCodec(nodeBase64),
    caller: {
      id: 'hub',
      name: 'Hub',
      kind: 'service',
      access: options.ceiling,
      ...(options.paths === undefined ? {} : { paths: options.paths }),
    },
    transport: 'hub',
    connectionId: 'hub',
    idPrefix: 'a',
    limits: { maxFrameLength: maxPayload, maxSendLength, ...options.limits },
  });
  const closed = new Promise<void>((resolve) => {
    socket.onClose(resolve);
  });
  return {
    peer,
    closed,
    close: () => {
      peer.close(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
      socket.close(closeCodes.goingAway, 'stopping');
    },
  };
}
