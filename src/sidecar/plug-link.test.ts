import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { type ErrorReason, OutriggerError } from '../contract/errors.ts';
import { State } from '../services/state/state.ts';
import { Callers } from './callers.ts';
import { taskToken } from './plug-link.ts';

type Start = { callers: Callers } & ReturnType<typeof taskToken>;

/** `start`: as a sidecar starts on the same state; one that is not ended before the next has crashed. */
function withStarts(run: (start: (before?: (callers: Callers) => void) => Start) => void): void {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-task-token-'));
  fs.mkdirSync(path.join(folder, 'root'));
  const state = new State({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder });
  try {
    run((before) => {
      const callers = new Callers({ state, now: Date.now }, { token: undefined, owner: 'Olga' });
      before?.(callers);
      return { callers, ...taskToken({ callers, state }, 'probe') };
    });
  } finally {
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const refused = (reason: ErrorReason, work: () => unknown): void =>
  assert.throws(work, (error: unknown) => error instanceof OutriggerError && error.reason === reason);
const names = (callers: Callers): string[] => {
  const { tokens } = callers.operations()['tokens.list']({}, undefined as never) as { tokens: { name: string }[] };
  return tokens.map(({ name }) => name);
};
const create = (callers: Callers, facts: object): string => {
  const input = { name: 'tasks of probe', kind: 'agent' as const, access: 'execute' as const, ...facts };
  return (callers.operations()['tokens.create'](input, undefined as never) as { secret: string }).secret;
};

test('the token of task programs ends with its sidecar', () =>
  withStarts((start) => {
    const { callers, secret, end } = start();
    const caller = callers.byToken(secret);
    assert.deepEqual([caller.name, caller.access, caller.kind], ['tasks of probe', 'execute', 'agent']);
    end();
    assert.equal((caller.ended?.reason as OutriggerError).reason, 'TOKEN_REVOKED');
    refused('BAD_TOKEN', () => callers.byToken(secret));
    // It may be gone by then: somebody revoked it, and a day later it was forgotten.
    end();
  }));

test('where a sidecar crashes, the token of its task programs ends with the next start, however often that is', () =>
  withStarts((start) => {
    let before = '';
    for (let count = 0; count < 1001; count++) {
      const { callers, secret } = start();
      if (before !== '') refused('BAD_TOKEN', () => callers.byToken(before));
      assert.equal(callers.byToken(secret).access, 'execute');
      before = secret;
    }
    assert.deepEqual(names(start().callers), ['tasks of probe']);
  }));

test('tokens of task programs that an older version left end, and those of people stay', () =>
  withStarts((start) => {
    const made: string[] = [];
    let kept: string[] = [];
    const { callers, secret } = start((older) => {
      for (let count = 0; count < 3; count++) made.push(create(older, {}));
      kept = [{ name: 'tasks of another' }, { access: 'read' }, { kind: 'person' }, { paths: ['src'] }, { expiresInS: 60 }].map((facts) =>
        create(older, facts),
      );
    });
    for (const old of made) refused('BAD_TOKEN', () => callers.byToken(old));
    for (const holds of [...kept, secret]) callers.byToken(holds);
    // From then on it is known which one is meant.
    const ownName = create(callers, {});
    const next = start();
    refused('BAD_TOKEN', () => next.callers.byToken(secret));
    next.callers.byToken(ownName);
  }));
