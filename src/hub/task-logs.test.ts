import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { nodeTimers } from '../net/timers.ts';
import { InProcessBus } from './bus.ts';
import { TaskLogs } from './task-logs.ts';

interface Piece {
  stream?: 'stdout' | 'stderr';
  generation?: number;
  offset: number;
  text: string;
  bytes?: number | undefined;
}

/** What the log of a task has after these pieces of what its program wrote. */
function logOf(...pieces: Piece[]): [stream: string, offset: number, text: string][] {
  const bus = new InProcessBus(nodeTimers);
  const logs = new TaskLogs(bus);
  for (const { stream = 'stdout', generation = 1, offset, text, bytes } of pieces)
    logs.add('t', { task_id: 't', stream, generation, offset, text, bytes });
  bus.close();
  return logs.after('t', 0).map(({ stream, offset, text }) => [stream, offset, text]);
}

const textOf = (...pieces: Piece[]): string =>
  logOf(...pieces)
    .map(([, , text]) => text)
    .join('');

/** As a link sends it. */
function piece(offset: number, content: Buffer): Piece {
  return { offset, text: content.toString('utf8'), bytes: content.length };
}

describe('what is said again after a connection was lost', () => {
  test('is there once, and what is new in the same piece is there too', () => {
    assert.deepEqual(
      logOf(
        { offset: 0, text: 'one\n', bytes: 4 },
        { offset: 4, text: 'zwölf\n', bytes: 7 },
        { offset: 0, text: 'one\nzwölf\nthree\n', bytes: 17 },
        { offset: 0, text: 'one\nzwölf\nthree\n', bytes: 17 },
        { offset: 17, text: 'four\n', bytes: 5 },
      ),
      [
        ['stdout', 0, 'one\n'],
        ['stdout', 4, 'zwölf\n'],
        ['stdout', 11, 'three\n'],
        ['stdout', 17, 'four\n'],
      ],
    );
  });

  test('is of its own stream and grant alone', () => {
    assert.deepEqual(
      logOf(
        { offset: 0, text: 'one\n' },
        { offset: 0, text: 'oh\n', stream: 'stderr' },
        { offset: 0, text: 'one\ntwo\n' },
        { offset: 0, text: 'one\n', generation: 2 },
      ),
      [
        ['stdout', 0, 'one\n'],
        ['stderr', 0, 'oh\n'],
        ['stdout', 4, 'two\n'],
        ['stdout', 0, 'one\n'],
      ],
    );
  });

  test('is known also where so much came after it that it is not kept any more', () => {
    const mebi = 1024 * 1024;
    const log = logOf(
      { offset: 0, text: 'oh\n', stream: 'stderr' },
      { offset: 0, text: 'x'.repeat(mebi) },
      { offset: 0, text: 'oh\nno\n', stream: 'stderr' },
    );
    assert.deepEqual(log.at(-1), ['stderr', 3, 'no\n']);
  });

  test('is counted by the bytes of its text where an agent of an older version does not say how many it took', () => {
    assert.equal(
      textOf({ offset: 0, text: 'zwölf\n' }, { offset: 0, text: 'zwölf\none\n' }, { offset: 11, text: 'two\n' }),
      'zwölf\none\ntwo\n',
    );
  });
});

describe('output that is not UTF-8', () => {
  const [first, second] = [Buffer.from('caf\xe9s bient\xf4t\n', 'latin1'), Buffer.from('d\xe9j\xe0 vu\n', 'latin1')];
  const whole = Buffer.concat([first, second]).toString('utf8');

  test('costs nothing of what comes after it', () => {
    assert.equal(textOf(piece(0, first), piece(first.length, second)), whole);
  });

  test('is there once when it is said again, with what is new', () => {
    assert.equal(textOf(piece(0, first), piece(0, Buffer.concat([first, second]))), whole);
  });

  test('and of which it is not true how long it is costs no more than itself', () => {
    assert.equal(textOf({ offset: 0, text: 'one\n', bytes: 0 }, { offset: 4, text: 'two\n', bytes: 4 }), 'one\ntwo\n');
    assert.equal(textOf(piece(0, first), { offset: 0, text: 'two\uFFFD\n', bytes: 1 }), first.toString('utf8'));
  });
});

test('of a character that is known in part nothing is said again', () => {
  assert.equal(textOf({ offset: 0, text: 'a\uFFFD', bytes: 2 }, { offset: 0, text: 'aäb', bytes: 4 }), 'a\uFFFDb');
  assert.equal(textOf({ offset: 0, text: 'a\uFFFD', bytes: 2 }, { offset: 0, text: 'a😀b', bytes: 6 }), 'a\uFFFDb');
});

describe('a log of very many very small pieces', () => {
  const logs = new TaskLogs(new InProcessBus(nodeTimers));
  for (let offset = 0; offset < 100_000; offset++)
    logs.add('t', { task_id: 't', stream: 'stdout', generation: 1, offset, text: '.', bytes: 1 });

  test('keeps as many of the newest as would take the room of all the text that is kept', () => {
    const kept = logs.after('t', 0);
    assert.equal(kept.at(-1)?.sequence, 100_000);
    assert.ok(kept.length > 5000 && kept.length < 20_000, `${kept.length} pieces`);
  });

  test('is read from any place on', () => {
    const sequences = (after: number): number[] => logs.after('t', after).map(({ sequence }) => sequence);
    assert.deepEqual(sequences(99_997), [99_998, 99_999, 100_000]);
    assert.deepEqual([sequences(100_000), sequences(200_000)], [[], []]);
    const [first = 0] = sequences(0);
    assert.deepEqual([sequences(first - 1)[0], sequences(first)[0], sequences(0).length], [first, first + 1, 100_001 - first]);
  });
});

test('who goes on after what he read of a hub that was started anew since misses nothing', () => {
  const logs = (now: number): TaskLogs => new TaskLogs(new InProcessBus(nodeTimers), () => now);
  const say = (to: TaskLogs, offset: number): void =>
    to.add('t', { task_id: 't', stream: 'stdout', generation: 1, offset, text: 'line\n', bytes: 5 });
  const before = logs(1000);
  for (let count = 0; count < 30; count++) say(before, count * 5);
  const { sequence } = before.after('t', 0).at(-1) as { sequence: number };
  const after = logs(2000);
  for (let count = 30; count < 33; count++) say(after, count * 5);
  assert.deepEqual(
    after.after('t', sequence).map(({ offset }) => offset),
    [150, 155, 160],
  );
  assert.deepEqual(after.after('t', (after.after('t', 0).at(-1) as { sequence: number }).sequence), []);
});

describe('of all logs together', () => {
  const MIB = 1024 * 1024;
  const full = (): { logs: TaskLogs; write: (task: string, text: string) => void; lengthOf: (task: string) => number } => {
    const logs = new TaskLogs(new InProcessBus(nodeTimers));
    let offset = 0;
    const write = (task: string, text: string): void => {
      logs.add(task, { task_id: task, stream: 'stdout', generation: 1, offset, text, bytes: text.length });
      offset += text.length;
    };
    const lengthOf = (task: string): number => logs.after(task, 0).reduce((sum, { text }) => sum + text.length, 0);
    return { logs, write, lengthOf };
  };
  const piece = '.'.repeat(MIB / 16);
  const ids = Array.from({ length: 200 }, (_, at) => `t${at}`);

  test('64 Mi characters are kept, of those that wrote last', () => {
    const { write, lengthOf } = full();
    for (const id of ids) for (let count = 0; count < 16; count++) write(id, piece);
    assert.deepEqual(
      ids.map(lengthOf),
      ids.map((_, at) => (at < 200 - 64 ? 0 : MIB)),
    );
    write('t140', piece);
    write('new', piece);
    assert.deepEqual(['t136', 't137', 't140', 't199', 'new'].map(lengthOf), [0, MIB, MIB, MIB, MIB / 16]);
  });

  test('what is followed stays the longest, but not without end; what is forgotten makes room', () => {
    const { logs, write, lengthOf } = full();
    const stops = ['t0', 't1'].map((id) => logs.follow(id, () => {}));
    for (const id of ids.slice(0, 100)) for (let count = 0; count < 16; count++) write(id, piece);
    assert.deepEqual(['t0', 't1', 't2', 't37', 't38', 't99'].map(lengthOf), [MIB, MIB, 0, 0, MIB, MIB]);
    stops.push(...ids.map((id) => logs.follow(id, () => {})));
    for (const id of ids.slice(100)) for (let count = 0; count < 16; count++) write(id, piece);
    assert.deepEqual(['t0', 't135', 't136', 't199'].map(lengthOf), [0, 0, MIB, MIB]);
    logs.forget('t199');
    for (let count = 0; count < 16; count++) write('more', piece);
    assert.deepEqual(['t136', 't198', 't199', 'more'].map(lengthOf), [MIB, MIB, 0, MIB]);
    for (const stop of stops) stop();
  });
});
