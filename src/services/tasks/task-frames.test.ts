import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hubFeatures, MAX_HUB_FRAME_BYTES, readAgentFrame, type VerificationReport } from '../../contract/hub.ts';
import { outcomeFrame, wakeResultFrame } from './task-frames.ts';
import { TaskLog } from './task-log.ts';
import type { HeldRecord, Outcome } from './task-machine.ts';

const report: VerificationReport = {
  task_id: 't',
  run_number: 1,
  status: 'fail',
  started_at: 1,
  duration_ms: 1,
  timeout_ms: 1,
  checks: [{ type: 'file_exists', target: 'a', description: '', status: 'fail', output: 'x'.repeat(10_000), duration_ms: 1 }],
  summary: { total: 1, passed: 0, failed: 1, errors: 0, timed_out: 0 },
};
const row = (outcome: Outcome) => ({ sequence: 1, id: 't', generation: 2, outcome });

test('what is larger than a frame is cut, and the whole is kept', () => {
  const big = '"'.repeat(3 * 1024 * 1024);
  const outcomes: Outcome[] = [
    { kind: 'complete', result: { status: 'success', output: big, tokens_used: 3 }, report, reports: [report] },
    { kind: 'complete', result: { status: 'success', data: { big } }, report, reports: [report] },
    {
      kind: 'complete',
      result: { status: 'success', output: 'small' },
      report: { ...report, checks: Array.from({ length: 500 }, () => report.checks).flat() },
      reports: [report],
    },
    { kind: 'failed', reason: big, retryable: true },
  ];
  for (const outcome of outcomes)
    for (const features of [hubFeatures, []]) {
      const kept: string[] = [];
      const frame = outcomeFrame(row(outcome), new Set(features), (_ending, text) => kept.push(text));
      const text = JSON.stringify({ ...frame, protocol_version: 1 });
      assert.ok(Buffer.byteLength(text) < MAX_HUB_FRAME_BYTES);
      assert.ok('frame' in readAgentFrame(text, JSON.parse));
      assert.ok(Buffer.byteLength(kept[0] ?? '') >= 3 * 1024 * 1024);
    }
});

test('a reason is cut where AgentCom’s hub would refuse it, and nowhere in a character', () => {
  const kept: string[] = [];
  const failed: Outcome = { kind: 'failed', reason: `${'a'.repeat(1999)}😀 and more`, retryable: true };
  const frame = outcomeFrame(row(failed), new Set(), (_ending, text) => kept.push(text));
  assert.equal(JSON.stringify(frame), `{"type":"task_failed","task_id":"t","reason":"${'a'.repeat(1999)}\uFFFD","generation":2}`);
  assert.deepEqual(kept, [failed.reason]);
  const whole = outcomeFrame(row({ ...failed, reason: 'x'.repeat(2000) }), new Set(), () => assert.fail('it fits'));
  assert.equal((whole['reason'] as string).length, 2000);
});

test('of a log the newest is kept and can be sent again; characters are never torn', () => {
  const log = new TaskLog();
  const euro = Buffer.from('€');
  log.add('stdout', euro.subarray(0, 2));
  assert.equal(log.next(), undefined);
  log.add('stdout', euro.subarray(2));
  const first = log.next();
  assert.deepEqual(first, { stream: 'stdout', offset: 0, text: '€', bytes: 3 });
  log.sent(first as NonNullable<typeof first>);
  assert.equal(log.next(), undefined);
  log.rewind();
  assert.deepEqual(log.next(), first);
  log.add('stderr', Buffer.from([0xff, 0x41]));
  log.add('stdout', Buffer.alloc(1024 * 1024, 'x'));
  let offset: number | undefined;
  let bytes = 0;
  for (let chunk = log.next(true); chunk !== undefined; chunk = log.next(true)) {
    if (chunk.stream === 'stdout') {
      offset ??= chunk.offset;
      bytes += chunk.bytes;
    } else assert.deepEqual([chunk.text, chunk.bytes], ['\uFFFDA', 2]);
    log.sent(chunk);
  }
  assert.deepEqual([offset, bytes], [3 + 1024 * 1024 - 256 * 1024, 256 * 1024]);
});

test('why a program did not start is cut between characters: half a one is no JSON to AgentCom’s hub', () => {
  const error = `x${'😀'.repeat(2000)}`;
  const frame = wakeResultFrame({ id: 't', generation: 1 } as HeldRecord, { do: 'wake-result', status: 'failed', error }, new Set());
  assert.deepEqual([String(frame['error']).length, String(frame['error']).isWellFormed()], [2000, true]);
});
