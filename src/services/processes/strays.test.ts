import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { isAlive } from '../../../test/kit/process-harness.ts';
import { requireTool } from '../../../test/kit/require-tools.ts';
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

test('who gives back much memory on the way out is waited for', { skip: linux || requireTool('python3') }, async () => {
  const strays = new Strays(MARK);
  // One thread: of several, the first may be over while the memory is still there.
  const script = 'import time; held = b"x" * 500_000_000; print("held", flush=True); time.sleep(60)';
  const child = spawn('python3', ['-c', script], { env: { ...process.env, [MARK]: 'large' }, stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    await once(child.stdout, 'data');
    await strays.end((mark) => mark === 'large');
    assert.equal(isAlive(child.pid as number), false);
  } finally {
    child.kill('SIGKILL');
  }
});
