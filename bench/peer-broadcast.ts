// The floor: what comes in goes out to the others of the room, and nothing else is done. `PORT=1234 node bench/peer-broadcast.ts`
import { WebSocket, WebSocketServer } from 'ws';

const SYNC = 0;
const rooms = new Map<string, Set<WebSocket>>();
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(process.env['PORT']), perMessageDeflate: false });
server.on('connection', (socket, { url = '/' }) => {
  const room = rooms.get(url) ?? new Set();
  rooms.set(url, room.add(socket));
  socket.on('message', (message: Buffer) => {
    // Step 1 of the y-websocket wire wants an answer: here, that nothing is known.
    if (message[0] === SYNC && message[1] === 0) socket.send(Uint8Array.of(SYNC, 1, 2, 0, 0));
    else if (message[0] === SYNC && message[1] === 2)
      for (const other of room) if (other !== socket && other.readyState === WebSocket.OPEN) other.send(message, { binary: true });
  });
  socket.on('close', () => room.delete(socket));
});
server.on('listening', () => console.log('listening'));
