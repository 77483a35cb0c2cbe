import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { asWeLoad } from '../kit/own-program.ts';
import { isAlive } from '../kit/process-harness.ts';
import { testSeed } from '../kit/seed.ts';

const program = path.join(import.meta.dirname, '..', 'kit', 'task-crash.ts');

/** Runs it; the code, or the signal that ended it, with what it wrote. */
async function runOnce(...args: string[]): Promise<{ ended: number | string; output: string }> {
  const child = spawn(process.execPath, [...asWeLoad, program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { ended: code ?? signal ?? 'unknown', output };
}

/** Kills it at a step, starts it again, and sees what came of it. False where it has no such step. */
async function crashedAt(step: number, kind: string): Promise<boolean> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-crash-')));
  try {
    const first = await runOnce(folder, String(step), kind);
    if (first.ended === 0) return false;
    assert.equal(first.ended, 'SIGKILL');
    const second = await runOnce(folder, '0', kind);
    assert.equal(second.ended, 0, `step ${step}`);
    const { accepted, refused, lost } = JSON.parse(second.output) as { accepted: number; refused: number; lost: number };
    assert.deepEqual([accepted, refused, lost], [1, 0, 0], `step ${step}: ${second.output}`);
    const pids = fs
      .readFileSync(path.join(folder, 'root', 'pids'), 'utf8')
      .trim()
      .split('\n')
      .map(Number);
    assert.ok(pids.length <= 2, `step ${step}: it ran ${pids.length} times`);
    await eventually(() => assert.equal(pids.some(isAlive), false));
    assert.deepEqual(
      fs.readdirSync(path.join(folder, 'results')).filter((name) => name !== 'late'),
      [],
      `step ${step}`,
    );
    assert.deepEqual(fs.readdirSync(path.join(folder, 'state', 'tasks')), [], `step ${step}`);
    return true;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const seed = testSeed();
const third = 1 + (seed % 3);

/** From one step on, and each `stride` after it. */
async function crashedAtEach(kind: string, begin: number, stride: number): Promise<void> {
  let step = begin;
  let more = true;
  const worker = async (): Promise<void> => {
    while (more) {
      const at = step;
      step += stride;
      if (!(await crashedAt(at, kind))) more = false;
    }
  };
  await Promise.all([worker(), worker()]);
  assert.ok(step > 20, `there were ${step} steps`);
}

// Other steps for each seed; half of all stand before a commit and half after one, so every third meets both.
test('killed after one step in three, a task ends in one result, with no process left', () => crashedAtEach('ours', third, 3));

test('killed after any step, a task ends in one result, with no process left (long form)', () => crashedAtEach('ours', 1, 1));

// What differs between the two is seen in a third of the steps.
test('so does one of a hub of AgentCom (long form)', () => crashedAtEach('agentcom', 1, 3));
