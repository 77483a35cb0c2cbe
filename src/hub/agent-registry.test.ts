import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import path from 'node:path';
import { test } from 'node:test';
import { withScratchFolder } from '../../test/kit/scratch-folder.ts';
import { OutriggerError } from '../contract/errors.ts';
import { AgentRegistry } from './agent-registry.ts';

function withRegistry(run: (registry: AgentRegistry) => void): void {
  const registry = new AgentRegistry({ file: ':memory:', now: Date.now });
  try {
    run(registry);
  } finally {
    registry.close();
  }
}

const endOf = (registry: AgentRegistry, secret: string): AbortSignal => {
  const holder = registry.holderOf(secret);
  assert.ok(holder !== undefined);
  return holder.ended;
};
const isRevoked = ({ aborted, reason }: AbortSignal): boolean =>
  aborted && reason instanceof OutriggerError && reason.reason === 'TOKEN_REVOKED';

test('whoever came with a secret hears when it is revoked, and nobody else does', () =>
  withRegistry((registry) => {
    const [one, other] = [registry.register('one'), registry.register('other')];
    const [ended, ofOther] = [endOf(registry, one), endOf(registry, other)];
    assert.equal(endOf(registry, one), ended, 'one signal for one secret');
    assert.equal(registry.revoke('one'), 1);
    assert.deepEqual([isRevoked(ended), ofOther.aborted, registry.holderOf(one)], [true, false, undefined]);
    // It may be known again, with another secret.
    const again = endOf(registry, registry.register('one'));
    assert.deepEqual([again.aborted, isRevoked(ended)], [false, true]);
  }));

test('whoever came with a secret hears when another one took its place', () =>
  withRegistry((registry) => {
    const first = registry.register('one');
    registry.arrived('one', first, 'one', []);
    const unused = registry.rotate('one');
    const third = registry.rotate('one');
    const [ofFirst, ofThird] = [endOf(registry, first), endOf(registry, third)];
    assert.equal(registry.holderOf(unused), undefined);
    registry.arrived('one', third, 'one', []);
    assert.deepEqual([isRevoked(ofFirst), ofThird.aborted, registry.get('one')?.secrets], [true, false, 1]);
  }));

test('whoever came with a secret that was replaced before it was used hears it', () =>
  withRegistry((registry) => {
    registry.arrived('one', registry.register('one'), 'one', []);
    const ended = endOf(registry, registry.rotate('one'));
    registry.rotate('one');
    assert.ok(isRevoked(ended));
  }));

test('a secret that was never used holds no longer than until a newer one was', () =>
  withRegistry((registry) => {
    const first = registry.register('one');
    const second = registry.rotate('one');
    assert.deepEqual([registry.ownerOf(first), registry.ownerOf(second)], ['one', 'one']);
    registry.arrived('one', second, 'one', []);
    assert.deepEqual([registry.ownerOf(first), registry.ownerOf(second)], [undefined, 'one']);
  }));

test('a secret that an agent was sent is not ended by the next one before a newer one was used', () =>
  withRegistry((registry) => {
    const first = registry.register('one');
    registry.arrived('one', first, 'one', []);
    const sent = registry.rotate('one');
    registry.sent(sent, true);
    const unsent = registry.rotate('one');
    const newest = registry.rotate('one');
    assert.deepEqual(
      [first, sent, unsent, newest].map((secret) => registry.ownerOf(secret)),
      ['one', 'one', undefined, 'one'],
    );
    registry.arrived('one', sent, 'one', []);
    assert.deepEqual([registry.ownerOf(first), registry.ownerOf(newest)], [undefined, 'one']);
    registry.arrived('one', newest, 'one', []);
    assert.equal(registry.get('one')?.secrets, 1);
  }));

test('a first secret that was not used yet is not ended by others that nobody was sent', () =>
  withRegistry((registry) => {
    const first = registry.register('one');
    for (let count = 0; count < 3; count++) registry.sent(registry.rotate('one'), false);
    assert.deepEqual([registry.ownerOf(first), registry.get('one')?.secrets], ['one', 2]);
  }));

test('at most eight secrets of an agent hold: beyond that the oldest that it was sent and did not use ends', () =>
  withRegistry((registry) => {
    const first = registry.register('one');
    registry.arrived('one', first, 'one', []);
    const sent = Array.from({ length: 9 }, () => {
      const secret = registry.rotate('one');
      registry.sent(secret, true);
      return secret;
    });
    assert.deepEqual(
      [first, ...sent].map((secret) => registry.ownerOf(secret) !== undefined),
      [true, false, false, true, true, true, true, true, true, true],
    );
  }));

test('an older secret that is used ends no newer one', () =>
  withRegistry((registry) => {
    const first = registry.register('one');
    const second = registry.rotate('one');
    for (let count = 0; count < 2; count++) registry.arrived('one', first, 'one', []);
    assert.deepEqual([registry.ownerOf(first), registry.ownerOf(second)], ['one', 'one']);
  }));

test('where an enrolment token can not be spent, nobody is enrolled by it, and it holds for the next try', () =>
  withScratchFolder('registry', (_folder, root) => {
    const file = path.join(root, 'agents.db');
    const registry = new AgentRegistry({ file, now: Date.now });
    const token = registry.enrol(undefined, Date.now() + 60_000);
    const other = new DatabaseSync(file);
    // As a disk that is full between the two.
    other.exec("CREATE TRIGGER full BEFORE DELETE ON enrolments BEGIN SELECT RAISE(ABORT, 'no room'); END");
    assert.throws(() => registry.enrolled(token, 'a'), /no room/);
    assert.deepEqual(registry.list(), []);
    other.exec('DROP TRIGGER full');
    other.close();
    assert.equal(registry.ownerOf(registry.enrolled(token, 'a')), 'a');
    assert.throws(
      () => registry.enrolled(token, 'b'),
      (error) => (error as OutriggerError).reason === 'BAD_TOKEN' && /outrigger hub enrol/.test((error as OutriggerError).hint),
    );
    registry.close();
  }));

test('what the disk does not take is said to be not stored, changes nothing, and can be asked again', () =>
  withScratchFolder('registry', (_folder, root) => {
    const file = path.join(root, 'agents.db');
    const registry = new AgentRegistry({ file, now: Date.now });
    const secret = registry.register('a');
    const token = registry.enrol(undefined, Date.now() + 60_000);
    const end = endOf(registry, secret);
    const other = new DatabaseSync(file);
    other.exec('BEGIN IMMEDIATE');
    const asked: (() => unknown)[] = [
      () => registry.register('b'),
      () => registry.enrol('b', Date.now() + 60_000),
      () => registry.enrolled(token, 'b'),
      () => registry.rotate('a'),
      () => registry.arrived('a', secret, 'named', []),
      () => registry.sent(secret, true),
      () => registry.revoke('a'),
    ];
    for (const ask of asked) assert.throws(ask, { reason: 'STORAGE_FAILED' }, String(ask));
    other.exec('ROLLBACK');
    other.close();
    assert.ok(!end.aborted);
    assert.deepEqual(
      registry.list().map(({ id, name, secrets }) => [id, name, secrets]),
      [['a', 'a', 1]],
    );
    assert.equal(registry.ownerOf(registry.enrolled(token, 'b')), 'b');
    assert.equal(registry.revoke('a'), 1);
    registry.close();
  }));

test('an id that no operation takes makes no agent known, and leaves the enrolment token for one that does', () =>
  withRegistry((registry) => {
    const token = registry.enrol(undefined, Date.now() + 60_000);
    const isBad = (error: unknown): boolean => error instanceof OutriggerError && error.reason === 'BAD_INPUT';
    for (const id of ['', 'evil agent/../é', '.hidden', 'x'.repeat(129), 'line\n']) {
      assert.throws(() => registry.enrolled(token, id), isBad, id);
      assert.throws(() => registry.register(id), isBad, id);
    }
    assert.deepEqual(registry.list(), []);
    const longest = `A9._-${'x'.repeat(123)}`;
    assert.equal(registry.ownerOf(registry.enrolled(token, longest)), longest);
  }));

test('agents of a newer schema are refused, and their file stays as it was', () =>
  withScratchFolder('agents', (folder) => {
    const file = path.join(folder, 'agents.db');
    const newer = new DatabaseSync(file);
    newer.exec('CREATE TABLE agents_of_tomorrow(id TEXT); PRAGMA user_version = 99');
    newer.close();
    assert.throws(() => new AgentRegistry({ file, now: Date.now }), { reason: 'STATE_TOO_NEW', message: /agents\.db .*schema 99/ });
    const same = new DatabaseSync(file);
    assert.deepEqual(
      same
        .prepare('SELECT name FROM sqlite_schema')
        .all()
        .map(({ name }) => name),
      ['agents_of_tomorrow'],
    );
    same.close();
  }));

test('agents of a version that did not number its schema are known', () =>
  withScratchFolder('agents', (folder) => {
    const file = path.join(folder, 'agents.db');
    const first = new AgentRegistry({ file, now: Date.now });
    const secret = first.register('one');
    first.close();
    const older = new DatabaseSync(file);
    older.exec('PRAGMA user_version = 0');
    older.close();
    const next = new AgentRegistry({ file, now: Date.now });
    assert.ok(next.holderOf(secret) !== undefined);
    next.close();
  }));
