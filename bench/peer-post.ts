// A bare fastify route that takes JSON and answers some: `PORT=1234 node bench/peer-post.ts`
import { fastify } from 'fastify';

const app = fastify({ logger: false });
let count = 0;
app.post<{ Body: { tasks: unknown[] } }>('/tasks', async ({ body }) => ({
  tasks: body.tasks.map(() => ({ id: `task-${++count}`, state: 'ready' })),
}));
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) });
console.log('listening');
