import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { test } from 'node:test';

test('who waits until a cage is gone hears of it, also where nothing else is left to be done', () => {
  // In a program of its own: Node ends one in which nothing is under way, whoever waits.
  const program = `
    import { EventEmitter } from 'node:events';
    import { CagedRun } from ${JSON.stringify(path.join(import.meta.dirname, 'caged-run.ts'))};
    const output = () => Object.assign(new EventEmitter(), { pause() {}, resume() {}, destroy() {} });
    const [stdout, stderr] = [output(), output()];
    const exit = Promise.resolve({ exitCode: null, exitSignal: 'SIGKILL' });
    // Its supervisor was killed, and said nothing.
    const child = { stdout, stderr, exit, report: Promise.resolve(''), askToEnd() {}, kill() {}, endInput() {} };
    const limits = { wallMs: 60_000, cpuMs: 1000, memoryBytes: 1, processes: 1, outputBytes: 1, fileBytes: 1, diskBytes: 1 };
    const request = { limits, signal: new AbortController().signal, onOutput() {} };
    const onGone = () => console.log('gone');
    const run = new CagedRun({ child, request, supervised: true, killsAll: true, cgroup: undefined, now: () => 0, startedAt: 0, onGone });
    for (const stream of [stdout, stderr]) stream.emit('close');
    await run.gone;`;
  const { stdout, status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  assert.deepEqual([stdout, status], ['gone\n', 0], stderr);
});
