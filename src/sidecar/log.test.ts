import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Log, createLog, LateLog } from './log.ts';

function capture(
  names: 'outrigger' | 'platxa' = 'outrigger',
  level: 'debug' | 'info' | 'warn' | 'error' | 'silent' = 'info',
): { log: Log; lines: string[]; last: () => Record<string, unknown> } {
  const lines: string[] = [];
  const log = createLog({ 'log.level': level, 'log.names': names }, (line) => void lines.push(line));
  return { log, lines, last: () => JSON.parse(lines.at(-1) ?? '') as Record<string, unknown> };
}

test('a line is one JSON object with the fixed names, time first known to the millisecond', () => {
  const { log, lines, last } = capture();
  log('info', 'operation', { operation: 'files.read', requestId: 'r1', durationMs: 1.5, absent: undefined });
  const { ts, ...rest } = last();
  assert.match(String(ts), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    level: 'info',
    service: 'outrigger',
    event: 'operation',
    message: 'operation',
    operation: 'files.read',
    request_id: 'r1',
    duration_ms: 1.5,
  });
  assert.match(lines[0] ?? '', /^[^\n]+\n$/);
});

test('the names of the Platxa platform are an option', () => {
  const { log, last } = capture('platxa');
  log('warn', 'x', { userId: 'u', agentId: 'a', taskId: 't', requestId: 'r', durationMs: 2 });
  const { timestamp, ...rest } = last();
  assert.match(String(timestamp), /Z$/);
  assert.deepEqual(rest, {
    level: 'warn',
    service: 'outrigger',
    event: 'x',
    message: 'x',
    user_id: 'u',
    agent_id: 'a',
    task_id: 't',
    request_id: 'r',
    duration_ms: 2,
  });
});

test('the level asked for decides what is written', () => {
  for (const [level, expected] of [
    ['debug', 4],
    ['info', 3],
    ['warn', 2],
    ['error', 1],
    ['silent', 0],
  ] as const) {
    const { log, lines } = capture('outrigger', level);
    for (const one of ['debug', 'info', 'warn', 'error'] as const) log(one, 'x');
    assert.equal(lines.length, expected, level);
  }
});

test('secrets are taken out, however they come and however deep', () => {
  const { log, lines } = capture();
  const secret = 'SeCrEt-0123456789';
  const deep = { a: { b: { c: { d: { e: { token: secret, list: [{ secret }] } } } } } };
  const error = new Error(`GET /?token=${secret} failed`, { cause: new Error(`authorization: Bearer ${secret}`) });
  log('error', 'x', {
    token: secret,
    headers: { authorization: `Bearer ${secret}`, Cookie: secret, 'set-cookie': [secret] },
    url: `/rpc?x=1&token=${secret}&y=2`,
    text: `curl -H "Authorization: Bearer ${secret}" 'http://h/?access_token=${secret}'`,
    password: secret,
    deep,
    error,
    list: [`?token=${secret}`],
  });
  assert.doesNotMatch(lines.join(''), new RegExp(secret));
  assert.match(lines.join(''), /\/rpc\?x=1&token=\[redacted\]&y=2/);
});

test('what can not be JSON does not break a line', () => {
  const { log, last } = capture();
  const circle: Record<string, unknown> = { name: 'circle' };
  circle['self'] = circle;
  const error: Error & { cause?: unknown } = new Error('loop');
  error.cause = error;
  log('info', 'x', { circle, error, big: 10n, text: 'x'.repeat(100_000), newline: 'a\nb' });
  assert.equal(last()['event'], 'x');
  assert.equal(String(last()['text']).length, 4001);
});

test('a line that waits comes after the answer, in order, once, and at once where the end does not wait', async () => {
  const { log, lines } = capture();
  const late = new LateLog(log);
  const events = (): string[] => lines.map((line) => (JSON.parse(line) as { event: string }).event);
  late.add('info', 'one');
  late.add('info', 'two');
  const sent = new Promise(setImmediate);
  assert.deepEqual(events(), []);
  await sent;
  assert.deepEqual(events(), []);
  await new Promise(setImmediate);
  assert.deepEqual(events(), ['one', 'two']);
  late.add('info', 'three');
  late.flush();
  assert.deepEqual(events(), ['one', 'two', 'three']);
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  assert.equal(lines.length, 3);
});

test('lines that were left out are counted before the next one', () => {
  const lines: string[] = [];
  let isFull = false;
  const log = createLog({ 'log.level': 'info', 'log.names': 'outrigger' }, (line) => !isFull && lines.push(line) > 0);
  log('info', 'first');
  isFull = true;
  for (let line = 0; line < 3; line++) log('info', 'nobody reads it');
  isFull = false;
  log('info', 'second');
  log('info', 'third');
  const told = lines.map((line) => JSON.parse(line) as { event: string; level: string; lines?: number });
  assert.deepEqual(
    told.map(({ event, lines: count }) => [event, count]),
    [
      ['first', undefined],
      ['log.left_out', 3],
      ['second', undefined],
      ['third', undefined],
    ],
  );
});
