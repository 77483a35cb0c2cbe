import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Caller } from '../contract/access.ts';
import { type ErrorReason, OutriggerError } from '../contract/errors.ts';
import { eventually } from '../../test/kit/eventually.ts';
import { State } from '../services/state/state.ts';
import { Callers, readMainToken } from './callers.ts';

const DAY = 86_400_000;

interface Harness {
  callers: Callers;
  /** Another instance on the same state, as after a restart. */
  again(token?: string): Callers;
  state: State;
  clock: { now: number };
  create(facts: object): { id: string; secret: string };
  revoke(id: string): unknown;
}

async function withCallers(run: (harness: Harness) => void | Promise<void>, token?: string): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-callers-'));
  fs.mkdirSync(path.join(folder, 'root'));
  const state = new State({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder });
  const clock = { now: Date.now() };
  const made: Callers[] = [];
  const again = (given?: string): Callers => {
    const callers = new Callers({ state, now: () => clock.now }, { token: given, owner: 'Olga' });
    made.push(callers);
    return callers;
  };
  try {
    const callers = again(token);
    const operations = callers.operations() as unknown as Record<string, (input: object) => { id: string; secret: string }>;
    const call = (name: string, input: object): { id: string; secret: string } =>
      operations[name]?.(input) as { id: string; secret: string };
    await run({
      callers,
      again,
      state,
      clock,
      create: (facts) => call('tokens.create', { name: 'Bot', kind: 'agent', access: 'read', ...facts }),
      revoke: (id) => call('tokens.revoke', { id }),
    });
  } finally {
    for (const callers of made) callers.close();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const refused = (reason: ErrorReason, work: () => unknown): void =>
  assert.throws(work, (error: unknown) => error instanceof OutriggerError && error.reason === reason);
const endOf = (caller: Caller): unknown => (caller.ended?.reason as OutriggerError | undefined)?.reason;

test('the main token is made once, kept readable by its owner alone, and gives everything', () =>
  withCallers(({ callers, again, state }) => {
    assert.equal(readMainToken(state.folder), callers.mainToken);
    assert.equal(fs.statSync(path.join(state.folder, 'token')).mode & 0o777, 0o600);
    assert.equal(again().mainToken, callers.mainToken);
    const { id, name, access, paths } = callers.byToken(callers.mainToken);
    assert.deepEqual([id, name, access, paths], ['main', 'Olga', 'admin', undefined]);
    refused('NO_TOKEN', () => callers.byToken(undefined));
    refused('NO_TOKEN', () => callers.byToken(''));
    for (const wrong of ['x', `${callers.mainToken}x`, callers.mainToken.slice(1), 'main'])
      refused('BAD_TOKEN', () => callers.byToken(wrong));
  }));

test('a made token has its level, paths and name; its secret is kept nowhere', () =>
  withCallers(({ callers, create, state }) => {
    const { id, secret } = create({ paths: ['a', 'b/c'], access: 'write' });
    const caller = callers.byToken(secret);
    assert.deepEqual(
      { ...caller, ended: undefined },
      { id, name: 'Bot', kind: 'agent', access: 'write', paths: ['a', 'b/c'], ended: undefined },
    );
    state.database.exec('PRAGMA wal_checkpoint');
    for (const name of fs.readdirSync(state.folder))
      assert.equal(fs.readFileSync(path.join(state.folder, name)).includes(secret), false, name);
  }));

test('a token that is revoked ends whoever uses it, and is told from one that never was', () =>
  withCallers(({ callers, create, revoke }) => {
    const one = create({});
    const caller = callers.byToken(one.secret);
    const main = callers.byToken(callers.mainToken);
    revoke(one.id);
    assert.equal(endOf(caller), 'TOKEN_REVOKED');
    assert.equal(main.ended?.aborted, false);
    refused('TOKEN_REVOKED', () => callers.byToken(one.secret));
    refused('NOT_FOUND', () => revoke('nothing'));
  }));

test('a token ends by itself at its time, also in the middle of its use', () =>
  withCallers(async ({ callers, create, clock }) => {
    const { secret } = create({ expiresInS: 1 });
    clock.now += 980;
    const caller = callers.byToken(secret);
    assert.equal(caller.ended?.aborted, false);
    clock.now += 20;
    await eventually(() => endOf(caller) !== undefined);
    assert.equal(endOf(caller), 'TOKEN_EXPIRED');
    refused('TOKEN_EXPIRED', () => callers.byToken(secret));
    // Further ahead than a timer reaches.
    const far = callers.byToken(create({ expiresInS: 10 * 365 * 86_400 }).secret);
    await sleep(5);
    assert.equal(far.ended?.aborted, false);
  }));

test('a token ends by the clock, also where the machine slept or the clock was set meanwhile', (t) =>
  withCallers(({ callers, create, clock }) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const caller = callers.byToken(create({ expiresInS: 3600 }).secret);
    clock.now += 3_599_000;
    t.mock.timers.tick(30_000);
    assert.equal(caller.ended?.aborted, false);
    clock.now += 1000;
    t.mock.timers.tick(30_000);
    assert.equal(endOf(caller), 'TOKEN_EXPIRED');
    // Set back, it holds for as much longer.
    const back = callers.byToken(create({ expiresInS: 10 }).secret);
    clock.now -= 60_000;
    t.mock.timers.tick(30_000);
    assert.equal(back.ended?.aborted, false);
    t.mock.timers.tick(30_000);
    clock.now += 70_000;
    t.mock.timers.tick(30_000);
    assert.equal(endOf(back), 'TOKEN_EXPIRED');
  }));

test('tokens that ended make room for new ones after a day, revoked or expired', () =>
  withCallers(({ create, revoke, clock }) => {
    for (let n = 0; n < 999; n++) create({ expiresInS: 1 });
    revoke(create({}).id);
    refused('TOO_MANY', () => create({}));
    clock.now += DAY + 2000;
    for (let n = 0; n < 1000; n++) create({});
    refused('TOO_MANY', () => create({}));
  }));

test('a cookie stands for its token, and ends with it, across restarts', () =>
  withCallers(({ callers, again, create, revoke }) => {
    const one = create({});
    const cookie = callers.cookieFor(callers.byToken(one.secret));
    const main = callers.cookieFor(callers.byToken(callers.mainToken));
    assert.equal(again().byCookie(cookie).id, one.id);
    assert.equal(again().byCookie(main).id, 'main');
    assert.equal(main.includes(callers.mainToken), false);
    for (const forged of [
      '',
      '.',
      'main',
      'main.',
      `main.${cookie.split('.')[1]}`,
      `${one.id}.${main.split('.')[1]}`,
      `${main}x`,
      'nobody.x',
      '__proto__.x',
    ])
      refused('BAD_TOKEN', () => callers.byCookie(forged));
    revoke(one.id);
    refused('TOKEN_REVOKED', () => callers.byCookie(cookie));
    const caller = callers.byCookie(main);
    callers.rotate();
    assert.equal(endOf(caller), 'TOKEN_REVOKED');
    refused('BAD_TOKEN', () => callers.byCookie(main));
    assert.equal(again().mainToken, callers.mainToken);
  }));

test('a main token that can not be stored replaces none', () =>
  withCallers(({ callers, state, again }) => {
    const before = callers.mainToken;
    // In the place of the file that is written first.
    const inTheWay = path.join(state.folder, 'token.new');
    fs.mkdirSync(inTheWay);
    assert.throws(() => callers.rotate());
    assert.equal(callers.byToken(before).id, 'main');
    assert.equal(again().mainToken, before);
    fs.rmdirSync(inTheWay);
    assert.notEqual(callers.rotate(), before);
  }));

test('a token set by configuration is used, not stored, and not rotated here', () =>
  withCallers(({ callers, state }) => {
    assert.equal(callers.byToken('0123456789-configured').id, 'main');
    assert.equal(readMainToken(state.folder), undefined);
    refused('BAD_INPUT', () => callers.rotate());
  }, '0123456789-configured'));
