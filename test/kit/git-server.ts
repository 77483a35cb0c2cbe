import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';

export interface GitServer {
  /** `http://127.0.0.1:<port>/` */
  url: string;
  port: number;
  /** What was sent as user and password, in order, without repeats. */
  credentials: string[];
  /** Holds every answer back until it is called off; requests that wait are counted. */
  hold(): { waiting: () => number; release: () => void };
}

/**
 * Serves the bare repositories of a folder over HTTP by git's own `http-backend`, to who names this user and password, or to
 * everybody. A path below `/away/` is answered with a redirect to `away`.
 */
export async function withGitServer(
  folder: string,
  run: (server: GitServer) => Promise<void>,
  options: { user?: string; password?: string; away?: () => string } = {},
): Promise<void> {
  const credentials: string[] = [];
  let held: { promise: Promise<void>; release: () => void; waiting: number } | undefined;
  const server = http.createServer((request, response) => {
    void answer(request, response);
  });
  const answer = async (request: http.IncomingMessage, response: http.ServerResponse): Promise<void> => {
    if (held !== undefined) {
      held.waiting++;
      await held.promise;
    }
    const sent = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1];
    const text = sent === undefined ? undefined : Buffer.from(sent, 'base64').toString();
    if (text !== undefined && credentials.at(-1) !== text) credentials.push(text);
    const target = new URL(request.url ?? '/', 'http://localhost');
    if (target.pathname.startsWith('/away/')) {
      response.writeHead(302, { location: `${options.away?.() ?? ''}${target.pathname.slice('/away/'.length)}${target.search}` }).end();
      return;
    }
    if (options.user !== undefined && text !== `${options.user}:${options.password ?? ''}`) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' }).end('who are you?');
      return;
    }
    backend(folder, target, request, response);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    await run({
      url: `http://127.0.0.1:${port}/`,
      port,
      credentials,
      hold: () => {
        const { promise, resolve } = Promise.withResolvers<void>();
        const own = (held = { promise, release: resolve, waiting: 0 });
        return {
          waiting: () => own.waiting,
          release: () => {
            held = undefined;
            own.release();
          },
        };
      },
    });
  } finally {
    held?.release();
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  }
}

/** One request, as CGI has it. */
function backend(folder: string, target: URL, request: http.IncomingMessage, response: http.ServerResponse): void {
  const child = spawn('git', ['-c', 'safe.directory=*', 'http-backend'], {
    env: {
      PATH: process.env['PATH'],
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: decodeURIComponent(target.pathname),
      QUERY_STRING: target.search.slice(1),
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_USER: 'someone',
      REMOTE_ADDR: '127.0.0.1',
      GIT_CONFIG_COUNT: '2',
      GIT_CONFIG_KEY_0: 'http.receivepack',
      GIT_CONFIG_VALUE_0: 'true',
      GIT_CONFIG_KEY_1: 'safe.directory',
      GIT_CONFIG_VALUE_1: '*',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  response.on('close', () => child.kill());
  let head = Buffer.alloc(0);
  child.stdout.on('data', (chunk: Buffer) => {
    if (response.headersSent) return void response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf('\r\n\r\n');
    if (end < 0) return;
    const lines = head.subarray(0, end).toString().split('\r\n');
    const headers = Object.fromEntries(lines.map((line) => line.split(': ', 2) as [string, string]));
    const status = Number(headers['Status']?.split(' ')[0] ?? 200);
    delete headers['Status'];
    response.writeHead(status, headers);
    response.write(head.subarray(end + 4));
  });
  child.stdout.on('end', () => response.end());
}
