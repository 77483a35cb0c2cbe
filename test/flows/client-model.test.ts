// The client over a network that is bad by chance, of a sidecar that is stopped and killed, against a model.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { BadNetwork, fineWeather } from '../kit/bad-network.ts';
import { ClientModel } from '../kit/client-model.ts';
import { eventually } from '../kit/eventually.ts';
import { countingFaultsOfFetch, isFaultOfFetch } from '../kit/fetch-fault.ts';
import { Random } from '../kit/random.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { testSeed } from '../kit/seed.ts';

const seed = testSeed();
const skip = process.platform === 'linux' ? false : 'it kills by signals';

async function overABadNetwork(
  context: TestContext,
  ofSeed: number,
  options: { ms: number; people: number; mayRestart: boolean },
): Promise<void> {
  const faults = await countingFaultsOfFetch(() =>
    withScratchFolder('client-model', async (folder) => {
      const model = new ClientModel(new Random(ofSeed), folder, options);
      try {
        await model.start(options.people);
        await model.run(options.ms);
        await model.end();
        const { counts, reasons } = model;
        context.diagnostic(`${JSON.stringify(counts)} ${JSON.stringify(Object.fromEntries(reasons))}`);
      } finally {
        await model.close();
      }
    }),
  );
  if (faults > 0) context.diagnostic(`Node's fetch failed by itself ${faults} times.`);
}

test('the fault of fetch that ends no history is that one alone', { skip }, async (context) => {
  // As much as fetch holds back of a body that nobody reads, without so much that the socket is read no more, and then a reset.
  const server = createServer((_request, response) => {
    response.writeHead(200, { connection: 'close' });
    response.write(Buffer.alloc(100_000));
    setTimeout(() => response.socket?.resetAndDestroy(), 200);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const leaving = new AbortController();
  const faults = await countingFaultsOfFetch(async () => {
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { signal: leaving.signal });
    await new Promise((resolve) => server.close(resolve));
    // The other side hears of it in one of the next turns.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    // It has its end, and nothing else has failed; whether fetch still has the fault is for Node to say.
    const reading = assert.rejects(response.arrayBuffer());
    setImmediate(() => leaving.abort());
    await reading;
  });
  context.diagnostic(`${faults} faults of fetch`);
  class Parser {
    readonly paused = true;
    finish(): void {
      assert(!this.paused);
    }
  }
  let ours: unknown;
  try {
    new Parser().finish();
  } catch (error) {
    ours = error;
  }
  assert.match(String(ours), /assert\(!this\.paused\)/);
  assert.equal(isFaultOfFetch(ours), false);
});

test('a bad network that cuts leaves no connection, also of those that were just ending', async () => {
  const network = new BadNetwork(new Random(seed));
  const server = createNetServer((socket) => socket.resume()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  network.lead((server.address() as AddressInfo).port);
  await network.listen();
  try {
    network.weather = { ...fineWeather, delayMs: 300 };
    const sockets = Array.from({ length: 40 }, () => connect(Number(new URL(network.url).port), '127.0.0.1'));
    for (const socket of sockets) socket.on('error', () => undefined).write('begun\r\n');
    await eventually(() => assert.ok(network.connections.length > 20));
    for (const socket of sockets) socket.end('ended\r\n');
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate);
    // Held up for so long, it reads ends in the very turn of the cut, and has yet to end the other direction.
    const cut = new Promise<void>((resolve) => setTimeout(() => resolve(network.cut()), 200));
    for (const until = performance.now() + 200; performance.now() < until; );
    await cut;
    await eventually(() => assert.deepEqual(network.connections, []));
  } finally {
    network.close();
    server.close();
  }
});

test(`what a client is told over a bad network holds (SEED=${seed})`, { skip }, (context) =>
  overABadNetwork(context, seed, { ms: 3000, people: 3, mayRestart: false }),
);

for (let round = 0; round < 6; round++)
  test(
    `what a client is told over a bad network holds, also of a sidecar that is stopped and killed (SEED=${seed + round}) (long form)`,
    { skip },
    (context) => overABadNetwork(context, seed + round, { ms: 20_000, people: 3 + (round % 3), mayRestart: true }),
  );
