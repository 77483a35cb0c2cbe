// For tests: sessions of code runs in a folder of their own, with a clock that stands until it is set.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { SessionStore } from '../../src/services/exec/session-store.ts';
import { Sessions, type SessionsOptions } from '../../src/services/exec/sessions.ts';
import { State } from '../../src/services/state/state.ts';

export interface SessionHarness {
  folder: string;
  /** The folder above that of this state, which may be away. */
  volume: string;
  state: State;
  /** Ids of the sessions that are remembered. */
  stored: () => string[];
  /** `setBy`: how far ahead the clock was set. */
  clock: { now: number; setBy: number };
  /** Sessions as a start finds them. */
  start: (options?: Partial<SessionsOptions>) => Sessions;
}

export async function withSessions(run: (harness: SessionHarness) => Promise<void> | void): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-sessions-'));
  fs.mkdirSync(path.join(folder, 'root'));
  const state = new State({ root: path.join(folder, 'root'), folder: path.join(folder, 'state'), temporary: folder });
  const clock = { now: 1_000_000, setBy: 0 };
  const onProblem = (error: unknown): never => assert.fail(String(error));
  const usual = {
    lifeMs: 1000,
    most: 3,
    maxFiles: 5,
    maxBytes: 1_000_000,
    maxFileBytes: 1000,
    maxStateBytes: 1000,
    folder: path.join(folder, 'code', 'own', 'sessions'),
  };
  const started: Sessions[] = [];
  try {
    await run({
      folder: usual.folder,
      volume: path.join(folder, 'code'),
      state,
      stored: () => new SessionStore({ state, onProblem }).all().map(({ id }) => id),
      clock,
      start: (options) => {
        const clocks = { now: () => clock.now + clock.setBy, monotonic: () => clock.now };
        const sessions = new Sessions({ store: new SessionStore({ state, onProblem }), ...clocks }, { ...usual, ...options });
        started.push(sessions);
        return sessions;
      },
    });
  } finally {
    for (const sessions of started) sessions.stop();
    state.close();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

export const roomy = { maxStateBytes: 100_000 };
/** More than lies in the database, for `roomy` sessions. */
export const large = (byte: number): Buffer => Buffer.alloc(80_000, byte);
