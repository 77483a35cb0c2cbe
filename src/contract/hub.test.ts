import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hubOperations } from './hub-operations.ts';
import { type Read, readAgentFrame, readHubFrame } from './hub.ts';

const identify = { type: 'identify', agent_id: 'one', token: 'secret' };
const assignment = { type: 'task_assign', task_id: 'a', description: 'x' };

/** Values of which none is what is asked for, and how many of them were looked at. */
function junk(): { list: unknown[]; looked: () => number } {
  const seen = new Set<number>();
  const list = Array.from({ length: 1000 }, (_, at) => ({
    get task_id() {
      seen.add(at);
      return 1;
    },
    get type() {
      seen.add(at);
      return 1;
    },
    get path() {
      seen.add(at);
      return 1;
    },
  }));
  return { list, looked: () => seen.size };
}

const parsed = (read: (text: string, parse: () => unknown) => Read<unknown>, frame: object): Read<unknown> => read('', () => frame);
const fields = (read: Read<unknown>): string[] => ('problem' in read ? read.errors.map(({ field }) => field) : []);

describe('of a long list of which nothing is what it should be', () => {
  for (const [name, read, frame, field] of [
    ['what an agent holds, at identify', readAgentFrame, identify, 'held'],
    ['what an agent holds, at a ping', readAgentFrame, { type: 'ping' }, 'held'],
    ['what an agent holds no more, at identify', readHubFrame, { type: 'identified', agent_id: 'one' }, 'nack'],
    ['what an agent holds no more, at a pong', readHubFrame, { type: 'pong' }, 'nack'],
    ['hints of a task', readHubFrame, assignment, 'file_hints'],
    ['steps of a task', readHubFrame, assignment, 'verification_steps'],
  ] as const)
    test(`no more than the first is looked at: ${name}`, () => {
      const { list, looked } = junk();
      const problem = parsed(read, { ...frame, [field]: list });
      assert.ok(fields(problem).every((one) => one.startsWith(`${field}.0.`)) && fields(problem).length > 0, JSON.stringify(problem));
      assert.equal(looked(), 1);
    });

  test('nor of texts, and of what there may be few of nothing', () => {
    const ones = Array.from({ length: 2000 }, () => 1);
    assert.deepEqual(fields(parsed(readHubFrame, { ...assignment, success_criteria: ones })), ['success_criteria.0']);
    assert.deepEqual(fields(parsed(readHubFrame, { ...assignment, verification_steps: [{ type: 'x', target: ones }] })), [
      'verification_steps.0.target',
    ]);
    let looked = 0;
    const label = { enumerable: true, get: () => ++looked };
    const labels = Object.defineProperties({}, Object.fromEntries(ones.map((_, at) => [`label-${at}`, label])));
    assert.deepEqual(fields(parsed(readAgentFrame, { ...identify, labels })), ['labels']);
    assert.equal(looked, 0);
  });
});

describe('an object of which nothing is asked is not gone through', () => {
  const outcome = { task_id: 'a', generation: 1 };
  const large = (): { object: object; looked: () => number } => {
    let looked = 0;
    const key = { enumerable: true, get: () => ++looked };
    const object = Object.defineProperties({}, Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`key-${at}`, key])));
    return { object, looked: () => looked };
  };
  for (const [name, read, frame, field] of [
    ['a result', readAgentFrame, { type: 'task_complete', ...outcome }, 'result'],
    ['what happened', readAgentFrame, { type: 'task_progress', task_id: 'a' }, 'execution_event'],
    ['the report of a result', readAgentFrame, { type: 'task_complete', ...outcome }, 'verification_report'],
    ['the report of a failure', readAgentFrame, { type: 'task_failed', ...outcome }, 'verification_report'],
    ['what is known of a task', readHubFrame, assignment, 'metadata'],
  ] as const)
    test(name, () => {
      const { object, looked } = large();
      const told = parsed(read, { ...frame, [field]: object });
      assert.ok('frame' in told);
      assert.equal(looked(), 0);
      assert.deepEqual(fields(parsed(read, { ...frame, [field]: ['none'] })), [field]);
      assert.ok('frame' in parsed(read, { ...frame, [field]: null }));
    });

  test('what an agent uses, and how near a limit it is', () => {
    for (const [read, type] of [
      [readAgentFrame, 'resource_report'],
      [readHubFrame, 'rate_limit_warning'],
    ] as const) {
      const { object, looked } = large();
      Object.defineProperty(object, 'type', { value: type, enumerable: true });
      const told = parsed(read, object);
      assert.ok('frame' in told);
      assert.equal(looked(), 0);
    }
  });
});

test('a list of a frame says where it is wrong, and passes what it does not know', () => {
  const held = [
    { task_id: 'a', generation: 1, state: null, more: 1 },
    { task_id: '', generation: 2 },
  ];
  assert.deepEqual(fields(parsed(readAgentFrame, { ...identify, held })), ['held.1.task_id']);
  const { frame } = parsed(readAgentFrame, { ...identify, held: held.slice(0, 1), labels: { os: 'x' } }) as { frame: object };
  assert.deepEqual(frame, { ...identify, held: [{ task_id: 'a', generation: 1, state: undefined }], labels: { os: 'x' } });
  const hints = { ...assignment, file_hints: [{ path: 'a', more: 1 }], success_criteria: ['b'], generation: 0 };
  assert.deepEqual((parsed(readHubFrame, hints) as { frame: object }).frame, hints);
});

test('the command of a step may have a thousand words, and no more', () => {
  const steps = (words: number): object => ({ ...assignment, verification_steps: [{ type: 'x', target: Array(words).fill('w') }] });
  assert.ok('frame' in parsed(readHubFrame, steps(1000)));
  assert.deepEqual(fields(parsed(readHubFrame, steps(1001))), ['verification_steps.0.target']);
});

test('a task may have a thousand steps that verify it, and a hundred tries after the first; one of more can not be read, and its field is named', () => {
  const steps = (count: number): object => ({ ...assignment, verification_steps: Array(count).fill({ type: 'x' }) });
  assert.ok('frame' in parsed(readHubFrame, steps(1000)));
  assert.deepEqual(fields(parsed(readHubFrame, steps(1001))), ['verification_steps']);
  const tries = (count: number): object => ({ ...assignment, max_verification_retries: count });
  assert.ok('frame' in parsed(readHubFrame, tries(100)));
  assert.deepEqual(fields(parsed(readHubFrame, tries(101))), ['max_verification_retries']);
});

test('of states that tasks are listed by there are no more than there can be', () => {
  const { input } = hubOperations['tasks.list'];
  const { options } = input.shape.states.unwrap().element;
  assert.ok(input.safeParse({ states: options }).success);
  const { error } = input.safeParse({ states: Array(1000).fill(1) });
  assert.deepEqual(
    error?.issues.map(({ code }) => code),
    ['too_big'],
  );
});
