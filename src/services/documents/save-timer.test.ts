import assert from 'node:assert/strict';
import { describe, mock, test } from 'node:test';
import type { SavePace } from './save-pace.ts';
import { SaveTimer } from './save-timer.ts';

describe('when a document is saved', () => {
  const withClock = (work: (timer: SaveTimer, saves: () => number, tick: (ms: number) => void) => void): void => {
    mock.timers.enable({ apis: ['setTimeout', 'setImmediate'] });
    try {
      let [now, saves] = [0, 0];
      const pace = { ask: (due: () => void) => due() } as unknown as SavePace;
      const timer = new SaveTimer({ pace, now: () => now, save: () => void saves++ }, { saveIdleMs: 300, saveMaxMs: 2000 });
      const tick = (ms: number): void => {
        for (let passed = 0; passed < ms; passed += 10) {
          now += 10;
          mock.timers.tick(10);
        }
      };
      work(timer, () => saves, tick);
    } finally {
      mock.timers.reset();
    }
  };

  test('300 ms after the last of what was typed, once', () =>
    withClock((timer, saves, tick) => {
      timer.edited();
      tick(200);
      timer.edited();
      tick(290);
      assert.equal(saves(), 0);
      tick(10);
      assert.equal(saves(), 1);
      tick(5000);
      assert.equal(saves(), 1);
    }));

  test('every 2 s while somebody goes on typing', () =>
    withClock((timer, saves, tick) => {
      for (let typed = 0; typed < 40; typed++) {
        timer.edited();
        tick(100);
      }
      assert.equal(saves(), 1 + 1, 'two in four seconds');
    }));

  test('not when it was saved meanwhile', () =>
    withClock((timer, saves, tick) => {
      timer.edited();
      tick(100);
      timer.clear();
      tick(5000);
      assert.equal(saves(), 0);
    }));

  test('again 1, 2, 4 and at last every 30 s after a failure, and from 1 s on after a success', () =>
    withClock((timer, saves, tick) => {
      for (const seconds of [1, 2, 4, 8, 16, 30, 30]) {
        const before = saves();
        timer.failed();
        tick(seconds * 1000 - 10);
        assert.equal(saves(), before, `${seconds} s`);
        tick(10);
        assert.equal(saves(), before + 1, `${seconds} s`);
      }
      timer.succeeded();
      timer.failed();
      tick(1000);
      assert.equal(saves(), 8);
    }));
});
