// For tests: a workspace on a fresh folder, with something outside that nobody may touch.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Call } from '../../src/contract/operation.ts';
import { type ErrorReason, OutriggerError } from '../../src/contract/errors.ts';
import type { Cause, Change } from '../../src/contract/events.ts';
import { State } from '../../src/services/state/state.ts';
import { Workspace, type WorkspaceOptions } from '../../src/services/workspace/workspace.ts';

export const cause: Cause = { kind: 'connection', who: [{ name: 'Pia', kind: 'person' }] };

export interface Harness {
  workspace: Workspace;
  state: State;
  root: string;
  /** A folder beside the root. */
  outside: string;
  stateFolder: string;
  changes: Change[];
  /** `what path`, for every change so far. */
  told(): string[];
  at(name: string): string;
  put(name: string, content?: string | Uint8Array): void;
  read(name: string): string;
  /** Names in the root that a write should not have left. */
  temporaries(): string[];
}

export async function withWorkspace(
  run: (harness: Harness) => Promise<void> | void,
  options: Partial<WorkspaceOptions> & { now?: () => number; folder?: string } = {},
): Promise<void> {
  const folder = options.folder ?? fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-workspace-')));
  const root = path.join(folder, 'root');
  const outside = path.join(folder, 'outside');
  for (const one of [root, outside]) fs.mkdirSync(one, { recursive: true });
  const { state, workspace } = openWorkspace(folder, options);
  const changes: Change[] = [];
  workspace.journal.onChanges((more) => changes.push(...more));
  const at = (name: string): string => path.join(root, name);
  try {
    await run({
      workspace,
      state,
      root,
      outside,
      stateFolder: state.folder,
      changes,
      told: () => changes.map(({ what, path: where, from }) => (from === undefined ? `${what} ${where}` : `${what} ${from} → ${where}`)),
      at,
      put: (name, content = name) => {
        fs.mkdirSync(path.dirname(at(name)), { recursive: true });
        fs.writeFileSync(at(name), content);
      },
      read: (name) => fs.readFileSync(at(name), 'utf8'),
      temporaries: () => (fs.readdirSync(root, { recursive: true }) as string[]).filter((name) => name.includes('.outrigger-')),
    });
  } finally {
    workspace.close();
    state.close();
    if (options.folder === undefined) fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The workspace at `folder`/root, with its state at `folder`/state. */
export function openWorkspace(
  folder: string,
  options: Partial<WorkspaceOptions> & { now?: () => number } = {},
): { state: State; workspace: Workspace } {
  const root = path.join(folder, 'root');
  const state = new State({ root, folder: path.join(folder, 'state'), temporary: folder });
  const workspace = new Workspace(
    { state, now: options.now ?? Date.now, onProblem: () => {} },
    { root, durability: 'none', keepChanges: 1000, ignored: () => false, ...options },
  );
  return { state, workspace };
}

export function call(facts: Partial<Call> = {}): Call {
  return {
    signal: new AbortController().signal,
    caller: { id: 'p', name: 'Pia', kind: 'person', access: 'admin' },
    requestId: 'r1',
    emit: () => {},
    body: { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve({ done: true, value: undefined }) }) },
    channel: undefined,
    visible: () => true,
    visibleAt: () => true,
    reaches: () => true,
    confirmScope: () => {},
    ...facts,
  };
}

/** The call ends with this reason, and with nothing but it. */
export async function fails(reason: ErrorReason | readonly ErrorReason[], work: () => unknown, message?: RegExp): Promise<OutriggerError> {
  try {
    await work();
  } catch (error) {
    assert.ok(error instanceof OutriggerError, (error as Error).stack ?? String(error));
    assert.ok([reason].flat().includes(error.reason), `${error.reason}: ${error.message}`);
    if (message !== undefined) assert.match(error.message, message);
    return error;
  }
  return assert.fail(`nothing failed; ${[reason].flat().join(' or ')} was to come`);
}

export async function* chunks(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const part of parts) yield await Promise.resolve(typeof part === 'string' ? Buffer.from(part) : part);
}
