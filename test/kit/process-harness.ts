// For tests: a process table on a fresh folder, with its operations.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { OutriggerError } from '../../src/contract/errors.ts';
import type { Call } from '../../src/contract/operation.ts';
import { type OutputItem, processes as contract } from '../../src/contract/processes.ts';
import type { ProcessHost } from '../../src/services/processes/host.ts';
import { LocalHost } from '../../src/services/processes/local-host.ts';
import { processOperations } from '../../src/services/processes/operations.ts';
import { ProcessStore } from '../../src/services/processes/process-store.ts';
import { ProcessTable } from '../../src/services/processes/process-table.ts';
import { Processes } from '../../src/services/processes/processes.ts';
import type { RunHooks } from '../../src/services/processes/run-hooks.ts';
import { type Harness, withWorkspace } from './workspace-harness.ts';

export interface ProcessSetup {
  hooks?: RunHooks;
  maxRunning?: number;
  keepEnded?: number;
  headBytes?: number;
  tailBytes?: number;
  folder?: string;
  /** More hosts than this machine, on the same folder; `local` takes the place of it. */
  hosts?: Record<string, ProcessHost>;
  /** Other than the harness expects: what could not be stored. */
  onProblem?: (error: unknown) => void;
  /** Hooks may take so long. */
  hookMs?: number;
}

export interface ProcessHarness extends Harness {
  table: ProcessTable;
  /** Calls an operation as an agent, and gives its answer. */
  ask<K extends keyof typeof contract>(name: K, input: object): Promise<Answer<K>>;
  /** The same, with what it streamed. */
  stream<K extends keyof typeof contract>(name: K, input: object, call?: Partial<Call>): Promise<{ items: OutputItem[]; end: Answer<K> }>;
}

type Answer<K extends keyof typeof contract> = (typeof contract)[K]['output'] extends { _output: infer O } ? O : never;

export async function withTable(run: (table: ProcessHarness) => Promise<void>, setup: ProcessSetup = {}): Promise<void> {
  await withWorkspace(
    async (harness) => {
      const table = makeTable(harness, setup);
      await table.recover();
      const operations = processOperations(table) as unknown as Record<string, (input: unknown, call: unknown) => unknown>;
      const stream: ProcessHarness['stream'] = async (name, input, call = {}) => {
        const items: OutputItem[] = [];
        const end = await operations[name]?.(contract[name].input.parse(input), {
          signal: new AbortController().signal,
          caller: { id: 'a', name: 'Ada', kind: 'person', access: 'execute' },
          emit: (item: OutputItem) => void items.push(item),
          ...call,
        });
        return { items, end: end as never };
      };
      try {
        await run({ ...harness, table, stream, ask: async (name, input) => (await stream(name, input)).end });
      } finally {
        await table.stop();
      }
    },
    setup.folder === undefined ? {} : { folder: setup.folder },
  );
}

function makeTable({ state, workspace }: Harness, setup: ProcessSetup): ProcessTable {
  const store = new ProcessStore({ state, onProblem: setup.onProblem ?? ((error) => assert.fail(String(error))) });
  const hosts = { local: new LocalHost(new Processes({ env: process.env })), ...setup.hosts };
  return new ProcessTable(
    {
      state,
      store,
      workspace,
      hosts: new Map(Object.entries(hosts).map(([name, host]) => [name, { host, root: undefined }])),
      hooks: setup.hooks,
      now: Date.now,
      log: () => {},
    },
    {
      hookMs: setup.hookMs ?? 60_000,
      maxRunning: setup.maxRunning ?? 10,
      keepEnded: setup.keepEnded ?? 10,
      output: { headBytes: setup.headBytes ?? 64 * 1024, tailBytes: setup.tailBytes ?? 256 * 1024 },
    },
  );
}

export const sh = (script: string): string[] => ['sh', '-c', script];
export const textOf = (items: readonly OutputItem[], of?: 'stdout' | 'stderr'): string =>
  items
    .filter(({ stream }) => of === undefined || stream === of)
    .map(({ text }) => text)
    .join('');

export const fails = (reason: string, work: Promise<unknown>): Promise<void> =>
  assert.rejects(work, (error: unknown) => error instanceof OutriggerError && error.reason === reason);

export const isAlive = (pid: number): boolean => {
  try {
    return !/\) Z /.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};

export const hangs = new Promise<never>(() => {});

/** Fails when it takes longer than a generous while, and says what. */
export async function soon<T>(what: string, work: Promise<T>, ms = 5000): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took longer than ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
