// Many agents in one process, as bare as they can be: what is measured is the hub. Driven over IPC by hub.ts.
import { WebSocket } from 'ws';

interface Agent {
  id: string;
  token: string;
  socket: WebSocket | undefined;
  attempt: number;
  lostAt: number;
  held: Map<string, number>;
}

interface Settings {
  url: string;
  agents: [id: string, token: string][];
  /** Accepts and completes what it gets; else it only accepts. */
  works: boolean;
  /** Connections a second. */
  perS: number;
}

const features = ['leases', 'held', 'refusals', 'long-reasons', 'calls'];
const agents: Agent[] = [];
let settings: Settings | undefined;
let online = 0;
let completed = 0;
let stopping = false;
const onlineAt: number[] = [];

process.on('message', (message: { type: string } & Partial<Settings>) => {
  if (message.type === 'connect') void connectAll(message as unknown as Settings);
  else if (message.type === 'ping') {
    for (const agent of agents)
      send(agent, { type: 'ping', credit: 0, held: [...agent.held].map(([task_id, generation]) => ({ task_id, generation })) });
    process.send?.({ type: 'pinged' });
  } else if (message.type === 'stats') {
    process.send?.({
      type: 'stats',
      online,
      completed,
      held: agents.reduce((sum, { held }) => sum + held.size, 0),
      onlineAt: onlineAt.splice(0),
    });
  } else if (message.type === 'stop') {
    stopping = true;
    for (const { socket } of agents) socket?.terminate();
    process.disconnect();
  }
});

// Whoever started it is gone: without this it would dial for ever.
process.once('disconnect', () => process.exit());

async function connectAll(given: Settings): Promise<void> {
  settings = given;
  const begun = performance.now();
  for (const [id, token] of given.agents) {
    const agent: Agent = { id, token, socket: undefined, attempt: 0, lostAt: performance.now(), held: new Map() };
    agents.push(agent);
    dial(agent);
    const dueMs = (agents.length * 1000) / given.perS - (performance.now() - begun);
    if (dueMs > 2) await new Promise((resolve) => setTimeout(resolve, dueMs));
  }
}

function dial(agent: Agent): void {
  if (settings === undefined || stopping) return;
  const socket = new WebSocket(`${settings.url.replace(/^http/, 'ws')}/ws`, { perMessageDeflate: false });
  agent.socket = socket;
  let hintMs = 0;
  let identified = false;
  socket.on('error', () => {});
  socket.on('unexpected-response', (request, response) => {
    hintMs = Number(response.headers['outrigger-retry-after-ms'] ?? 1000);
    response.resume();
    request.destroy();
    socket.terminate();
  });
  socket.on('open', () =>
    send(agent, {
      type: 'identify',
      agent_id: agent.id,
      token: agent.token,
      client_type: 'sidecar',
      capabilities: [],
      features,
      credit: 1,
      held: [...agent.held].map(([task_id, generation]) => ({ task_id, generation, state: 'working' })),
      protocol_version: 1,
    }),
  );
  socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as Record<string, unknown>;
    identified ||= frame['type'] === 'identified';
    receive(agent, frame);
  });
  socket.on('close', () => {
    if (agent.socket !== socket) return;
    agent.socket = undefined;
    if (identified) {
      online--;
      agent.lostAt = performance.now();
    }
    again(agent, hintMs);
  });
}

/** As the link waits: below a bound that doubles, no longer than twice the time that the hub was away, and as long as the hub says. */
function again(agent: Agent, hintMs: number): void {
  const bound = Math.min(60_000, 1000 * 2 ** agent.attempt, Math.max(4000, 2 * (performance.now() - agent.lostAt)));
  agent.attempt++;
  setTimeout(() => dial(agent), hintMs > 0 ? hintMs : Math.random() * bound);
}

function receive(agent: Agent, frame: Record<string, unknown>): void {
  const [id, fence] = [frame['task_id'] as string, frame['generation'] as number];
  switch (frame['type']) {
    case 'identified':
      online++;
      agent.attempt = 0;
      onlineAt.push(Date.now());
      return;
    case 'task_assign':
      agent.held.set(id, fence);
      send(agent, { type: 'task_accepted', task_id: id, generation: fence });
      if (settings?.works === true)
        send(agent, { type: 'task_complete', task_id: id, generation: fence, result: { status: 'success', output: 'x'.repeat(200) } });
      return;
    case 'task_ack':
      if (frame['status'] === 'accepted') return;
      agent.held.delete(id);
      completed++;
      send(agent, { type: 'ping', credit: 1 });
      return;
    case 'call':
      send(agent, { type: 'result', id: frame['id'], ok: true, result: { text: 'x'.repeat(100) } });
      return;
  }
}

function send(agent: Agent, frame: object): void {
  if (agent.socket?.readyState === WebSocket.OPEN) agent.socket.send(JSON.stringify({ ...frame, protocol_version: 1 }));
}
