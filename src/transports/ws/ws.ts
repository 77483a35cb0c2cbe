import type { Caller } from '../../contract/access.ts';
import type { Dispatch } from '../../contract/dispatch.ts';
import { OutriggerError, type WireError } from '../../contract/errors.ts';
import { closeCodes, type Codec } from '../../contract/wire.ts';
import { createJsonCodec } from '../../core/json-codec.ts';
import { defaultPeerLimits, type Peer, type PeerLimits } from '../../core/peer.ts';
import { nodeBase64 } from '../../net/base64.ts';
import { type AuthenticateDependencies, type AuthenticateOptions, upgradeCaller } from '../../net/authenticate.ts';
import type { Upgrade } from '../../net/upgrade.ts';
import type { WebSockets } from '../../net/websocket.ts';
import { serveRpc } from '../rpc/rpc.ts';

export interface WebSocketRpcDependencies extends AuthenticateDependencies {
  dispatch: Dispatch;
  sockets: WebSockets;
}

export interface WebSocketRpcOptions extends AuthenticateOptions {
  limits?: Partial<PeerLimits>;
}

export interface WebSocketRpc {
  /** For `UpgradeRouter.exact('/rpc', …)`. */
  upgrade: (upgrade: Upgrade) => Promise<void>;
  /** Tells all who may hear it; those too slow to take it are left out and counted in the answer. */
  broadcast(event: string, data: unknown, mayHear?: (caller: Caller) => boolean): { sent: number; lost: number };
  readonly connections: number;
  /** Fails what is in flight and closes the sockets. */
  close(): void;
}

/** A UTF-16 unit takes up to three bytes. */
const bytesPerUnit = 3;

/** Operations and events over WebSockets. */
export function createWebSocketRpc(dependencies: WebSocketRpcDependencies, options: WebSocketRpcOptions): WebSocketRpc {
  const codec: Codec = createJsonCodec<WireError>(nodeBase64);
  const maxFrameLength = options.limits?.maxFrameLength ?? defaultPeerLimits.maxFrameLength;
  const open = new Map<Peer<WireError>, { caller: Caller; end: () => void }>();
  let count = 0;

  return {
    async upgrade(upgrade) {
      const { caller, protocol } = await upgradeCaller(upgrade, dependencies, options);
      const socket = dependencies.sockets.acceptText(upgrade, {
        // Some room, so that a message a little too long is answered and not only cut.
        maxPayload: (maxFrameLength + 1024) * bytesPerUnit,
        protocol,
      });
      const connectionId = `ws${++count}`;
      const peer = serveRpc(socket, {
        dispatch: dependencies.dispatch,
        codec,
        caller,
        transport: 'ws',
        connectionId,
        idPrefix: 's',
        ...(options.limits === undefined ? {} : { limits: options.limits }),
      });
      open.set(peer, { caller, end: () => socket.close(closeCodes.goingAway, 'stopping') });
      socket.onClose(() => open.delete(peer));
    },
    broadcast(event, data, mayHear = () => true) {
      const counts = { sent: 0, lost: 0 };
      for (const [peer, { caller }] of open) {
        if (mayHear(caller)) counts[peer.event(event, data) ? 'sent' : 'lost']++;
      }
      return counts;
    },
    get connections() {
      return open.size;
    },
    close() {
      for (const [peer, { end }] of open) {
        peer.close(new OutriggerError('STOPPING', 'The sidecar is stopping.'));
        end();
      }
    },
  };
}
