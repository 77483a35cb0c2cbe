import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { LocalHost } from '../processes/local-host.ts';
import { Processes } from '../processes/processes.ts';
import { isPartOf, TaskPrograms } from './task-program.ts';

const linuxOnly = process.platform === 'linux' ? false : 'environments of other programs are read on Linux alone';
const open = (): TaskPrograms => new TaskPrograms(new LocalHost(new Processes({ env: process.env })));

test('what a hundred tasks ask in one turn is one look at the programs that run, and each gets its own answer', {
  skip: linuxOnly,
}, async (context) => {
  const child = spawn('sleep', ['30'], { env: { PATH: process.env['PATH'], OUTRIGGER_TASK: 'probe-7:a1' }, stdio: 'ignore' });
  try {
    await once(child, 'spawn');
    const programs = open();
    const looks = context.mock.method(programs, 'marksNow').mock;
    const asked = Array.from({ length: 100 }, (_, number) => programs.isRunning((mark) => isPartOf(`probe-${number}`, mark)));
    const answers = await Promise.all(asked);
    assert.deepEqual(
      answers.flatMap((runs, number) => (runs ? [number] : [])),
      [7],
    );
    assert.equal(looks.callCount(), 1);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a look comes after who asks for it: what ended, or began, before is known', { skip: linuxOnly }, async () => {
  const programs = open();
  const isMine = (mark: string): boolean => mark === 'probe-late';
  assert.equal(await programs.isRunning(isMine), false);
  const child = spawn('sleep', ['30'], { env: { PATH: process.env['PATH'], OUTRIGGER_TASK: 'probe-late' }, stdio: 'ignore' });
  await once(child, 'spawn');
  assert.equal(await programs.isRunning(isMine), true);
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.equal(await programs.isRunning(isMine), false);
});
