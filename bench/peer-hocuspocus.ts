// Hocuspocus as its guide starts it, without extensions: nothing is stored. `PORT=1234 node bench/peer-hocuspocus.ts`
import { Server } from '@hocuspocus/server';

const server = new Server({ address: '127.0.0.1', port: Number(process.env['PORT']), quiet: true });
await server.listen();
console.log('listening');
