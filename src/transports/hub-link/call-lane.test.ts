import assert from 'node:assert/strict';
import { test } from 'node:test';
import { countingBytes, createFakes, sha256 } from '../../../test/kit/fake-operations.ts';
import { type FakeSocket, type FakeWorld, fakeWorld, settled } from '../../../test/kit/link-harness.ts';
import { eventually } from '../../../test/kit/eventually.ts';
import type { LinkOptions } from './link.ts';
import { CALL_BUFFER_BYTES } from './call-lane.ts';

const { dispatch, seen } = createFakes({ maxOutputBytes: 10_000_000 });

async function called(options: Partial<LinkOptions> = {}): Promise<FakeWorld & { socket: FakeSocket }> {
  const world = fakeWorld({ allow: 'write', ...options }, { dispatch });
  world.link.start();
  const socket = await world.online({ features: ['calls'] });
  return { ...world, socket };
}

const call = (id: string, method: string, params: object, more: object = {}): object => ({
  type: 'call',
  protocol_version: 1,
  id,
  method,
  params,
  ...more,
});
const answer = async (socket: FakeSocket, id: string): Promise<Record<string, unknown>> => {
  let found: Record<string, unknown> | undefined;
  await eventually(() => (found = socket.frames.find((frame) => frame['type'] === 'result' && frame['id'] === id)) !== undefined);
  return found ?? {};
};

test('a call of the hub is answered on the same socket, as a service with no more access than the owner allows', async () => {
  const { socket, link } = await called({ paths: ['src'] });
  socket.say(call('1', 'echo.unary', { text: 'x' }));
  socket.say(call('2', 'echo.write', { path: 'src/a' }));
  socket.say(call('3', 'echo.write', { path: 'docs/a' }));
  assert.deepEqual((await answer(socket, '1'))['result'], { text: 'x', who: 'Hub' });
  assert.deepEqual((await answer(socket, '2'))['result'], { path: 'src/a' });
  assert.equal(((await answer(socket, '3'))['error'] as { reason: string }).reason, 'OUT_OF_SCOPE');
  const reading = await called({ allow: 'read' });
  reading.socket.say(call('1', 'echo.write', { path: 'src/a' }));
  assert.equal(((await answer(reading.socket, '1'))['error'] as { reason: string }).reason, 'ACCESS_DENIED');
  await Promise.all([link.stop(), reading.link.stop()]);
});

test('frames of calls whose fields stand in another order are understood too', async () => {
  const { socket, link } = await called();
  socket.say('{"id":"1","method":"echo.unary","params":{},"type":"call"}');
  assert.deepEqual((await answer(socket, '1'))['ok'], true);
  assert.deepEqual(link.status().odd, {});
  await link.stop();
});

test('while a long answer fills the socket, pings and results go before what is left of it', async () => {
  const { socket, link, tasks, clock } = await called();
  const length = 3_000_000;
  socket.say(call('1', 'bytes.out', { path: 'a', length }, { stream: true }));
  // Nobody reads.
  const send = socket.send.bind(socket);
  socket.send = (text) => {
    socket.buffered += text.length;
    send(text);
  };
  const grant = (): void => {
    socket.say({ type: 'credit', protocol_version: 1, id: '1', credit: 16 });
  };
  for (let n = 0; n < 4; n++) {
    grant();
    await settled();
  }
  assert.ok(socket.buffered <= CALL_BUFFER_BYTES + 100_000, `${socket.buffered} bytes wait in the socket`);
  const before = socket.sent.length;
  await clock.advance(30_000);
  assert.equal(tasks.session?.send({ type: 'task_accepted', task_id: 'x' }), true);
  assert.deepEqual(
    socket.frames.slice(before).map(({ type }) => type),
    ['ping', 'task_accepted'],
  );
  // The hub reads on: all of it comes, and whole.
  for (let n = 0; n < 200 && !socket.frames.some(({ type }) => type === 'result'); n++) {
    socket.drain();
    grant();
    await settled();
  }
  const bytes = Buffer.concat(socket.frames.flatMap(({ bytes: part }) => (typeof part === 'string' ? [Buffer.from(part, 'base64')] : [])));
  assert.equal(sha256(bytes), sha256(countingBytes(length)));
  await link.stop();
});

test('a hub that reads no answers may ask no more, but its other frames are heard', async () => {
  const { socket, link, tasks } = await called();
  socket.buffered = CALL_BUFFER_BYTES + 1;
  socket.say(call('1', 'echo.unary', { text: 'x' }));
  await settled();
  for (let n = 2; n < 50; n++) socket.say(call(String(n), 'echo.unary', { text: 'x' }));
  await settled();
  const ran = seen.log.length;
  socket.say({ type: 'task_cancelled', task_id: 'x' });
  assert.equal((tasks.heard.at(-1) as { type: string }).type, 'task_cancelled');
  await settled();
  assert.equal(seen.log.length, ran);
  socket.drain();
  await answer(socket, '49');
  await link.stop();
});

test('a hub that asks without end and reads nothing is left', async () => {
  const { socket, link } = await called();
  socket.buffered = CALL_BUFFER_BYTES + 1;
  socket.say(call('1', 'echo.unary', { text: 'x' }));
  await settled();
  for (let n = 2; n < 30 && socket.closed === undefined; n++) socket.say(call(String(n), 'echo.unary', { text: 'x'.repeat(1_000_000) }));
  assert.equal(socket.closed?.code, 4004);
  assert.equal(link.status().state, 'waiting');
  await link.stop();
});

test('calls end with their connection', async () => {
  const { socket, link } = await called();
  socket.say(call('1', 'items.endless', { quiet: true }, { stream: true }));
  await eventually(() => seen.running === 1);
  socket.end(1006, '');
  await eventually(() => seen.running === 0);
  assert.equal(seen.aborted.at(-1)?.reason, 'CONNECTION_LOST');
  await link.stop();
});
