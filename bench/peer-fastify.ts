// Two bare fastify routes that read a file: by GET, and by POST with JSON in and out. `PORT=1234 node bench/peer-fastify.ts FOLDER`
import fs from 'node:fs';
import path from 'node:path';
import { fastify } from 'fastify';

const folder = process.argv[2] ?? '.';
const app = fastify({ logger: false });
app.get<{ Params: { name: string } }>('/files/:name', async (request, reply) => {
  reply.header('content-type', 'text/plain; charset=utf-8');
  return fs.promises.readFile(path.join(folder, request.params.name));
});
app.post<{ Body: { name: string } }>('/read', async (request) => ({
  text: await fs.promises.readFile(path.join(folder, request.body.name), 'utf8'),
}));
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) });
console.log('listening');
