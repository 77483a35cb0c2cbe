// A limited caller whose token ends while all that it can open is open, and calls go on: everything ends in time, and nothing is reached afterwards.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { operations, type OperationName } from '../../src/contract/operations.ts';
import { asked, askingOf, otherNames } from './limited-calls.ts';
import { eventually } from './eventually.ts';
import { outsideOf, PREFIXES, type Side, withSides } from './limited-world.ts';
import { type LimitedWays, openWays, type Outcome } from './limited-ways.ts';
import { Random } from './random.ts';
import { openYjsClient } from './yjs-client.ts';

/** "Cuts what the token opened" (SECURITY.md), with room for a machine that is busy. */
const ENDS_WITHIN_MS = 5000;
const LIFE_S = 3;
const CALLERS = 3;
const changing: ReadonlySet<OperationName> = new Set(['files.write', 'files.create', 'files.edit', 'git.stage', 'git.unstage']);
/** What leaves files where they are, so that the document stays open. */
const names = otherNames.filter((name) => operations[name].access === 'read' || changing.has(name));
/** Of a call that did what was asked, by HTTP, RPC or MCP. */
const well = /^{"(?:status":2|answer"|isError":false)/;
const ended = /"reason":"(?:TOKEN_EXPIRED|TOKEN_REVOKED)"|Unauthorized/;

/** On one side the token is revoked, on the other it runs out. */
export async function endLimitedCaller(seed: number): Promise<void> {
  const caller = { access: 'write', paths: [...PREFIXES] } as const;
  await withSides(caller, { A: new Random(seed + 1), B: new Random(seed + 2) }, async (sides) => {
    const ends = await Promise.allSettled(sides.map((side) => endOn(side, new Random(seed + (side.name === 'A' ? 3 : 4)))));
    for (const end of ends) if (end.status === 'rejected') throw new Error(`seed ${seed}`, { cause: end.reason });
  });
}

async function endOn(side: Side, random: Random): Promise<void> {
  const { client, url } = side.running;
  const expires = side.name === 'B';
  const made = await client.call('tokens.create', {
    name: 'ending',
    access: 'write',
    paths: [...PREFIXES],
    ...(expires ? { expiresInS: LIFE_S } : {}),
  });
  const begun = performance.now();
  const mine = { ...side, token: made.secret };
  const ways = await openWays(mine, { access: 'write', paths: PREFIXES });
  const person = openYjsClient(url, { token: made.secret, room: 'pub/a.txt' });
  const socket = new WebSocket(`${url.replace('http', 'ws')}/rpc?token=${made.secret}`);
  const platxa = new WebSocket(`${url.replace('http', 'ws')}/?token=${made.secret}`);
  const uploading = upload(url, made.secret, '/api/files/pub/uploaded.bin');
  const closed = [socket, platxa].map((one) => new Promise<number>((resolve) => one.on('error', () => {}).once('close', resolve)));
  const isOver = { value: false };
  /** By the way: when the last call that was answered well had begun. */
  const lastWell = new Map<string, number>();
  const calls = Array.from({ length: CALLERS }, async () => {
    while (!isOver.value) {
      const name = random.of(names);
      const way = random.of(ways.ways.filter((one) => one.name !== 'stdio' && one.takes(name)));
      const at = performance.now();
      const said = JSON.stringify(
        await way.ask(name, asked[name]?.(askingOf(random)) ?? {}).catch((error: Error): Outcome => ({ error: error.message })),
      );
      if (well.test(said)) lastWell.set(way.name, Math.max(lastWell.get(way.name) ?? 0, at));
      await later(5);
    }
  });
  try {
    await person.synced();
    uploading.request.write('the first half, ');
    await client.call('files.write', { path: 'pub/told', text: 'one\n' });
    await eventually(() => hears(ways, 'pub/told'));
    assert.ok(!expires || performance.now() - begun < LIFE_S * 1000, 'all of it was open before the end');
    const wait = expires ? begun + LIFE_S * 1000 - performance.now() : random.below(600);
    await later(Math.max(0, wait));
    if (!expires) await client.call('tokens.revoke', { id: made.id });
    const end = performance.now();
    const inTime = async <T>(what: string, promise: Promise<T>): Promise<T> => {
      const late = later(ENDS_WITHIN_MS, undefined, { ref: false }).then(() =>
        Promise.reject(new Error(`${what} goes on after its token`)),
      );
      return Promise.race([promise, late]);
    };
    assert.deepEqual(await inTime('a socket', Promise.all(closed)), [4401, 4001], 'codes of sockets');
    assert.equal(await inTime('an upload', uploading.status), 401);
    await inTime(
      'a document',
      eventually(() => assert.ok(person.closes.includes(4401), person.closes.join()), ENDS_WITHIN_MS - 200),
    );
    await inTime(
      'calls',
      eventually(async () => assert.match(JSON.stringify(await ways.http('GET', '/api/system.info')), ended)),
    );
    isOver.value = true;
    await Promise.all(calls);
    for (const [way, at] of lastWell) {
      // A request is judged by the clock; a socket ends with a timer.
      const within = way === 'RPC' ? ENDS_WITHIN_MS : 50;
      assert.ok(at <= end + within, `a call over ${way} that began ${at - end} ms after the end was answered`);
    }

    // Nothing is heard or reached any more.
    for (const items of ways.heard.values()) items.splice(0);
    const before = outsideOf(side, []);
    person.text.insert(0, 'after the end ');
    uploading.request.on('error', () => {}).end('and the other');
    for (let call = 0; call < 60; call++) {
      const name = random.of(otherNames);
      const way = random.of(ways.ways.filter((one) => one.name !== 'stdio' && one.takes(name)));
      const said = await way
        .ask(name, asked[name]?.(askingOf(random)) ?? {})
        .catch((error: Error): Outcome => ({ error: `Unauthorized: ${error.message}` }));
      assert.match(JSON.stringify(said), ended, `${name} over ${way.name}`);
    }
    assert.deepEqual(outsideOf(side, []), before, 'the folder');
    await client.call('files.write', { path: 'pub/told', text: 'two\n' });
    await later(300);
    for (const [feed, items] of ways.heard) assert.deepEqual(items, [], `the feed ${feed}`);
    assert.ok(!fs.existsSync(path.join(side.root, 'pub/uploaded.bin')));
  } finally {
    isOver.value = true;
    await Promise.all(calls);
    person.destroy();
    socket.close();
    platxa.close();
    uploading.request.destroy();
    await ways.close();
  }
}

function hears({ heard }: LimitedWays, name: string): void {
  for (const feed of ['RPC', 'SSE', 'platxa'])
    assert.ok(
      heard.get(feed)?.some((item) => (item as { path?: string }).path === name),
      feed,
    );
}

function upload(url: string, token: string, target: string): { request: http.ClientRequest; status: Promise<number | undefined> } {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/octet-stream' };
  const request = http.request(url + target, { method: 'PUT', headers });
  const status = new Promise<number | undefined>((resolve) => {
    request.on('error', () => resolve(undefined));
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode);
    });
  });
  return { request, status };
}
