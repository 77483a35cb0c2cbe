import http from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/**
 * A proxy as Kubernetes ingresses are: below a path each, several servers on one host; that path is taken away, the Host header kept. With `ownHost` it is not: the
 * server is asked by its own name, as nginx and Apache do that were not told otherwise.
 */
export async function withPathProxy(
  targets: Readonly<Record<string, string>>,
  run: (url: string) => Promise<void>,
  { ownHost = false }: { ownHost?: boolean } = {},
): Promise<void> {
  const sockets = new Set<Duplex>();
  const forward = (request: http.IncomingMessage): http.ClientRequest | undefined => {
    const [, prefix = '', path = ''] = /^\/([^/]+)(\/.*)$/.exec(request.url ?? '') ?? [];
    const target = targets[prefix];
    if (target === undefined) return undefined;
    const headers = ownHost ? { ...request.headers, host: new URL(target).host } : request.headers;
    return http.request(`${target}${path}`, { method: request.method, headers });
  };
  const server = http.createServer((request, response) => {
    const asked = forward(request);
    if (asked === undefined) return void response.writeHead(404).end();
    asked.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    response.on('close', () => asked.destroy());
    request.pipe(asked);
  });
  server.on('upgrade', (request, socket) => {
    const asked = forward(request);
    if (asked === undefined) return void socket.destroy();
    socket.on('error', () => asked.destroy());
    asked.on('upgrade', (answer, other, head) => {
      const lines = answer.rawHeaders.flatMap((name, index, all) => (index % 2 === 0 ? [`${name}: ${all[index + 1]}`] : []));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
      other.unshift(head);
      other.pipe(socket).pipe(other);
      for (const [one, its] of [
        [socket, other],
        [other, socket],
      ] as const)
        one.on('error', () => its.destroy()).on('close', () => its.destroy());
    });
    asked.on('error', () => socket.destroy());
    asked.on('response', () => socket.destroy());
    asked.end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
}
