// What every Bus of a hub has to do. `open` gives one end of a bus; two ends of the same bus are two processes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Bus } from '../../src/hub/bus.ts';
import { eventually } from './eventually.ts';

interface Ends {
  one: Bus;
  other: Bus;
}

const isReason =
  (reason: string) =>
  (error: unknown): boolean =>
    error instanceof OutriggerError && error.reason === reason;

const cases: Record<string, (ends: Ends) => Promise<void>> = {
  'all who listen hear it, the sender too, each once and in order; others do not': async ({ one, other }) => {
    const heard: Record<string, unknown[]> = { one: [], other: [], twice: [], elsewhere: [] };
    one.subscribe('a', (message) => heard['one']?.push(message));
    other.subscribe('a', (message) => heard['other']?.push(message));
    other.subscribe('a', (message) => heard['twice']?.push(message));
    other.subscribe('a.b', (message) => heard['elsewhere']?.push(message));
    await settled(one, other);
    const numbers = Array.from({ length: 10_000 }, (_, at) => at);
    for (const number of numbers) one.publish('a', number);
    await eventually(() => assert.equal(heard['twice']?.length, numbers.length));
    await delay(20);
    assert.deepEqual(heard, { one: numbers, other: numbers, twice: numbers, elsewhere: [] });
  },
  'nothing is told in the turn in which it is said': async ({ one }) => {
    let heard = 0;
    one.subscribe('a', () => heard++);
    one.publish('a', null);
    assert.equal(heard, 0);
    await eventually(() => assert.equal(heard, 1));
  },
  'messages come whole: any JSON, any letters, a megabyte': async ({ one, other }) => {
    const messages = [null, 0, '', 'ü \u{1f6f6} \n \u0000', [], { a: { b: [1, 'x', null, true] } }, 'x'.repeat(1024 * 1024)];
    const heard: unknown[] = [];
    other.subscribe('a', (message) => heard.push(message));
    await settled(one, other);
    for (const message of messages) one.publish('a', message);
    await eventually(() => assert.deepEqual(heard, messages));
  },
  'who has stopped listening hears nothing more, of what is under way either': async ({ one, other }) => {
    let heard = 0;
    const stop = one.subscribe('a', () => heard++);
    const kept = other.subscribe('a', () => {});
    one.publish('a', 1);
    stop();
    stop();
    one.publish('a', 2);
    await delay(50);
    assert.equal(heard, 0);
    kept();
    await eventually(() => assert.deepEqual([one.listened('a'), other.listened('a')], [false, false]));
  },
  'a listener that throws harms nobody': async ({ one }) => {
    const heard: unknown[] = [];
    one.subscribe('a', () => {
      throw new Error('mine');
    });
    one.subscribe('a', (message) => heard.push(message));
    one.publish('a', 1);
    one.publish('a', 2);
    await eventually(() => assert.deepEqual(heard, [1, 2]));
  },
  'somebody who listens is known of where it counts': async ({ one, other }) => {
    const stop = other.subscribe('a', () => {});
    await settled(one, other);
    assert.equal(one.listened('a'), true);
    stop();
  },
  'who is asked answers, at once or later, and what it throws comes back for what it is': async ({ one, other }) => {
    other.respond('twice', (message) => (message as number) * 2);
    other.respond('later', async (message) => {
      await delay(10);
      return { message };
    });
    other.respond('bad', () => {
      throw new OutriggerError('NOT_FOUND', 'not here');
    });
    other.respond('broken', () => Promise.reject(new Error('no')));
    await settled(one, other);
    assert.equal(await one.request('twice', 21), 42);
    assert.deepEqual(await one.request('later', 'x'), { message: 'x' });
    await assert.rejects(one.request('bad', null), isReason('NOT_FOUND'));
    await assert.rejects(one.request('broken', null), isReason('INTERNAL'));
    const many = await Promise.all(Array.from({ length: 500 }, (_, at) => one.request('twice', at)));
    assert.deepEqual(
      many,
      Array.from({ length: 500 }, (_, at) => at * 2),
    );
  },
  'where nobody answers that is said at once; where an answer does not come, in time': async ({ one, other }) => {
    const begun = performance.now();
    await assert.rejects(one.request('nobody', null, { timeoutMs: 5000 }), isReason('CONNECTION_LOST'));
    assert.ok(performance.now() - begun < 2500);
    other.respond('mute', () => new Promise(() => {}));
    await settled(one, other);
    await assert.rejects(one.request('mute', null, { timeoutMs: 50 }), isReason('DEADLINE'));
  },
  'the newest who answers is asked; when it has stopped, the one before': async ({ one, other }) => {
    const first = one.respond('a', () => 'first');
    await settled(one, other);
    const second = other.respond('a', () => 'second');
    await settled(one, other);
    assert.equal(await one.request('a', null), 'second');
    second();
    await settled(one, other);
    assert.equal(await other.request('a', null), 'first');
    first();
    await settled(one, other);
    await assert.rejects(one.request('a', null), isReason('CONNECTION_LOST'));
  },
  'what is asked and what is told by one come in their order': async ({ one, other }) => {
    const heard: string[] = [];
    other.subscribe('a', () => heard.push('told'));
    other.respond('a', () => heard.push('asked'));
    await settled(one, other);
    const asked = one.request('a', null);
    one.publish('a', null);
    await asked;
    await eventually(() => assert.deepEqual(heard, ['asked', 'told']));
  },
  'after its end nothing is heard, and who waits is told': async ({ one }) => {
    let heard = 0;
    one.subscribe('a', () => heard++);
    one.respond('mute', () => new Promise(() => {}));
    const asked = assert.rejects(one.request('mute', null), isReason('CONNECTION_LOST'));
    one.publish('a', null);
    one.close();
    one.close();
    one.publish('a', null);
    await asked;
    await assert.rejects(one.request('mute', null), isReason('CONNECTION_LOST'));
    await delay(20);
    assert.equal(heard, 0);
  },
};

/** What both ends have asked for is in force. */
async function settled(...ends: Bus[]): Promise<void> {
  for (const end of ends) {
    const stop = end.respond(`settled ${ends.indexOf(end)}`, () => true);
    await end.request(`settled ${ends.indexOf(end)}`, null);
    stop();
  }
}

/** Registers the cases for one kind of bus. */
export function testBus(kind: string, open: () => Promise<Ends & { end: () => Promise<void> }>): void {
  for (const [name, run] of Object.entries(cases))
    test(`${kind}: ${name}`, async () => {
      const { end, ...ends } = await open();
      try {
        await run(ends);
      } finally {
        ends.one.close();
        ends.other.close();
        await end();
      }
    });
}
