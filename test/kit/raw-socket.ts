import { connect, type Socket } from 'node:net';

export interface RawSocket {
  socket: Socket;
  /** All that came so far, as latin1. */
  readonly received: string;
  /** Resolves when the other side has closed or reset the connection. */
  readonly closed: Promise<void>;
}

/** A TCP connection on which a test says exactly what it wants. With `stays` it does not close when the other side does. */
export async function rawSocket(port: number, text = '', stays = false): Promise<RawSocket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: stays });
  let received = '';
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    received += chunk;
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => resolve());
  });
  await new Promise<void>((resolve) => {
    socket.once('connect', () => resolve());
  });
  if (text !== '') socket.write(text);
  return {
    socket,
    get received() {
      return received;
    },
    closed,
  };
}

export function upgradeText(path: string, headers: Record<string, string | undefined> = {}): string {
  const all: Record<string, string | undefined> = {
    Host: '127.0.0.1',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  };
  const lines = Object.entries(all).flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
  return `GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`;
}

/** Ends a connection by a reset. One that it is just ending Node can't reset, and would never let go of then: it is destroyed. */
export function resetSocket(socket: Socket): void {
  if (socket.writableEnded) socket.destroy();
  else socket.resetAndDestroy();
}
