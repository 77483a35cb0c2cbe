import type { FastifyReply, FastifyRequest } from 'fastify';
import { callerSignal, writable } from '../../net/response-flow.ts';

const kept = /^(accept|content-type|last-event-id|mcp-.*)$/;

/**
 * The request as the SDK takes it, without its body. Only the headers that MCP knows go along: a token has no business there.
 * Its signal is aborted when the client goes away before the answer is whole.
 */
export function webRequest(request: FastifyRequest, reply: FastifyReply): Request {
  const headers = new Headers();
  for (const [name, value] of Object.entries(request.headers)) if (kept.test(name) && typeof value === 'string') headers.set(name, value);
  return new Request('http://localhost/', { method: request.method, headers, signal: callerSignal(reply.raw) });
}

/** Sends what the SDK answers; a stream at the reader's pace, `onStall` being told when that reader has no room and when it has again. */
export async function sendWebResponse(reply: FastifyReply, response: Response, onStall: (by: 1 | -1) => void): Promise<string | undefined> {
  const headers = Object.fromEntries([...response.headers].filter(([name]) => name !== 'connection'));
  reply.code(response.status).headers(headers);
  const exposed = reply.getHeader('access-control-expose-headers');
  if (typeof exposed === 'string') reply.header('access-control-expose-headers', `${exposed}, mcp-session-id, mcp-protocol-version`);
  if (response.body === null || headers['content-type']?.startsWith('text/event-stream') !== true) return response.text();
  await pump(reply, response.body, onStall);
  return undefined;
}

async function pump(reply: FastifyReply, body: ReadableStream<Uint8Array>, onStall: (by: 1 | -1) => void): Promise<void> {
  const { raw } = reply;
  const reader = body.getReader();
  reply.hijack();
  raw.writeHead(reply.statusCode, reply.getHeaders() as Record<string, string>);
  raw.flushHeaders();
  // The SDK learns of a lost reader by this alone.
  const cancel = (): void => void reader.cancel().catch(() => undefined);
  if (raw.closed || raw.destroyed) cancel();
  raw.once('close', cancel);
  try {
    for (let step = await reader.read(); !step.done; step = await reader.read()) {
      if (raw.write(step.value)) continue;
      onStall(1);
      try {
        await writable(raw);
      } finally {
        onStall(-1);
      }
    }
    raw.end();
  } catch {
    // The reader is gone, or stood still for too long.
    cancel();
    raw.destroy();
  }
}
