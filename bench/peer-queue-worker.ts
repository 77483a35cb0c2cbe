// A process that works for a peer of hub-peers.ts: `bullmq SOCKET`, `pg-boss FOLDER` or `pg-boss-each FOLDER`. It says how many are done when it is asked.
import { type PeerName, work } from './peer-queues.ts';

const [, , peer, socket = ''] = process.argv;
const { completed, stop } = await work({ peer: peer as PeerName, socket });
process.on('message', (message) => {
  if (message === 'stop') void stop().then(() => process.disconnect());
  else process.send?.({ completed: completed() });
});
// Whoever started it is gone.
process.once('disconnect', () => process.exit());
process.send?.({ completed: 0 });
