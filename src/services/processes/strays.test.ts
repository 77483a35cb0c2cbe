import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { Strays } from './strays.ts';

const MARK = 'OUTRIGGER_STRAYS_TEST';

/** A program with that mark; gives how it ended. */
async function sleeper(mark: string): Promise<{ ended: Promise<unknown[]>; kill(): void }> {
  const child = spawn('sleep', ['60'], { env: { ...process.env, [MARK]: mark }, stdio: 'ignore' });
  await once(child, 'spawn');
  return { ended: once(child, 'exit'), kill: () => void child.kill('SIGKILL') };
}

const linux = process.platform === 'linux' ? false : 'Linux only';

test('who asks while others are looked for is heard, though the own program was passed over before', { skip: linux }, async () => {
  const strays = new Strays(MARK);
  const [first, second, third] = await Promise.all([sleeper('first'), sleeper('second'), sleeper('third')]);
  try {
    const begun = strays.end((mark) => mark === 'first');
    // The first look is over: it saw all three.
    await nextTurn();
    await Promise.all([begun, strays.end((mark) => mark === 'second')]);
    assert.deepEqual(await first.ended, [null, 'SIGKILL']);
    assert.deepEqual(await Promise.race([second.ended, wait(2000, 'lives')]), [null, 'SIGKILL']);
    assert.equal(await Promise.race([third.ended, nextTurn('lives')]), 'lives');
  } finally {
    for (const one of [first, second, third]) one.kill();
  }
});
