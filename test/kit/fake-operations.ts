import { createHash } from 'node:crypto';
import * as z from 'zod';
import { actorOf, type Caller } from '../../src/contract/access.ts';
import { createDispatch, type Dispatch, type DispatchFacts } from '../../src/contract/dispatch.ts';
import { OutriggerError } from '../../src/contract/errors.ts';
import { type Implementations, operation } from '../../src/contract/operation.ts';

/** One operation of every kind, for what carries operations and knows none. */
export const fakeTable = {
  'echo.unary': operation({
    summary: 'Gives back what it got.',
    access: 'read',
    scope: 'none',
    input: () =>
      z.object({
        text: z.string().default('nothing'),
        count: z.int().optional(),
        flag: z.boolean().optional(),
        names: z.array(z.string()).optional(),
        mode: z.boolean().or(z.literal('enter')).optional(),
      }),
    output: () =>
      z.object({
        text: z.string(),
        count: z.int().optional(),
        flag: z.boolean().optional(),
        names: z.array(z.string()).optional(),
        mode: z.unknown(),
        who: z.string(),
      }),
    errors: [],
  }),
  'echo.write': operation({
    summary: 'Needs write access.',
    access: 'write',
    scope: { fields: ['path'] },
    input: () => z.object({ path: z.string() }),
    output: () => z.object({ path: z.string() }),
    errors: [],
  }),
  'fail.known': operation({
    summary: 'Fails with an error of the table, after some items when asked.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ after: z.int().default(0) }),
    item: () => z.object({ n: z.int() }),
    output: () => z.object({}),
    errors: ['FILE_NOT_FOUND'],
  }),
  'fail.unknown': operation({
    summary: 'Throws what is not ours.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => z.object({}),
    errors: [],
  }),
  'items.count': operation({
    summary: 'Counts from after the cursor.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ to: z.int(), padding: z.int().default(0), cursor: z.string().default('0') }),
    item: () => z.object({ n: z.int(), cursor: z.string(), padding: z.string().optional() }),
    output: () => z.object({ total: z.int() }),
    errors: [],
  }),
  'items.endless': operation({
    summary: 'Counts until the caller goes.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ padding: z.int().default(0), cursor: z.string().default('0'), quiet: z.boolean().default(false) }),
    item: () => z.object({ n: z.int(), cursor: z.string(), padding: z.string().optional() }),
    endless: true,
    output: () => z.object({}),
    errors: [],
  }),
  'bytes.in': operation({
    summary: 'Says what bytes came.',
    access: 'write',
    scope: 'none',
    input: () => z.object({ path: z.string(), tag: z.string().optional(), refuse: z.boolean().default(false) }),
    body: 'bytes',
    output: () => z.object({ path: z.string(), tag: z.string().optional(), length: z.int(), hash: z.string(), created: z.boolean() }),
    errors: ['ETAG_MISMATCH'],
    http: { route: 'PUT /bytes/{path}', request: { 'if-match': 'tag' }, response: { hash: 'etag' }, status: { created: 201 } },
  }),
  'bytes.out': operation({
    summary: 'Gives bytes that count up.',
    access: 'read',
    scope: 'none',
    input: () =>
      z.object({ path: z.string(), length: z.int().default(10), breakAt: z.int().optional(), unchanged: z.boolean().default(false) }),
    output: () => z.object({ path: z.string(), length: z.int(), mimeType: z.string(), unchanged: z.boolean() }),
    bytes: true,
    errors: ['FILE_NOT_FOUND'],
    http: { route: 'GET /bytes/{path}', response: { length: 'content-length', mimeType: 'content-type' }, status: { unchanged: 304 } },
  }),
  'slow.wait': operation({
    summary: 'Waits for the end of the call.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ mark: z.string().default('') }),
    output: () => z.object({}),
    errors: [],
  }),
  'big.output': operation({
    summary: 'A long answer.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ length: z.int() }),
    output: () => z.object({ text: z.string() }),
    errors: [],
  }),
};
export type FakeTable = typeof fakeTable;

/** What the implementations saw, for tests to look at. */
export interface Seen {
  /** Marks of calls that were aborted, with the reason of their signal. */
  aborted: { mark: string; reason: string }[];
  /** Calls of `slow.wait`, `items.endless` and `bytes.out` that run now. */
  running: number;
  /** Items that `items.endless` and `items.count` made, bytes that `bytes.out` made and `bytes.in` took. */
  items: number;
  bytesOut: number;
  bytesIn: number;
  log: DispatchFacts[];
}

export interface Fakes {
  dispatch: Dispatch;
  seen: Seen;
}

export const fakeCaller: Caller = { id: 'tester', name: 'Tester', kind: 'person', access: 'admin' };

/** Bytes that count up from 0 and wrap at 251, a prime, so that a lost or doubled chunk shows. */
export function countingBytes(length: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at++) bytes[at] = (from + at) % 251;
  return bytes;
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function createFakes(options: { maxOutputBytes?: number; maxCallsPerCaller?: number } = {}): Fakes {
  const seen: Seen = { aborted: [], running: 0, items: 0, bytesOut: 0, bytesIn: 0, log: [] };
  const item = (n: number, padding: number): { n: number; cursor: string; padding?: string } =>
    padding === 0 ? { n, cursor: String(n) } : { n, cursor: String(n), padding: 'x'.repeat(padding) };
  const noteAbort = (mark: string, signal: AbortSignal): void => {
    const reason: unknown = signal.reason;
    seen.aborted.push({ mark, reason: reason instanceof OutriggerError ? reason.reason : String(reason) });
  };
  const aborted = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });

  const implementations: Implementations<FakeTable> = {
    'echo.unary': (input, call) => ({ mode: undefined, ...input, who: actorOf(call.caller).name }),
    'echo.write': (input) => ({ path: input.path }),
    'fail.known': async (input, call) => {
      for (let n = 1; n <= input.after; n++) await call.emit({ n });
      throw new OutriggerError('FILE_NOT_FOUND', 'There is no such file.', { details: { path: 'a/b' } });
    },
    'fail.unknown': () => {
      throw new TypeError('secret inside');
    },
    'items.count': async (input, call) => {
      for (let n = Number(input.cursor) + 1; n <= input.to; n++) {
        seen.items++;
        await call.emit(item(n, input.padding));
      }
      return { total: input.to };
    },
    'items.endless': async (input, call) => {
      seen.running++;
      try {
        if (input.quiet) await aborted(call.signal);
        for (let n = Number(input.cursor) + 1; !call.signal.aborted; n++) {
          seen.items++;
          await call.emit(item(n, input.padding));
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        seen.running--;
        noteAbort('endless', call.signal);
      }
      throw call.signal.reason;
    },
    'bytes.in': async (input, call) => {
      if (input.refuse) throw new OutriggerError('ETAG_MISMATCH', 'The file changed meanwhile.');
      const hash = createHash('sha256');
      let length = 0;
      try {
        for await (const chunk of call.body) {
          hash.update(chunk);
          length += chunk.length;
          seen.bytesIn += chunk.length;
        }
      } catch (error) {
        seen.aborted.push({ mark: 'bytes.in', reason: error instanceof OutriggerError ? error.reason : String(error) });
        throw error;
      }
      return { path: input.path, ...(input.tag === undefined ? {} : { tag: input.tag }), length, hash: hash.digest('hex'), created: true };
    },
    'bytes.out': (input) => {
      if (input.path === 'missing') throw new OutriggerError('FILE_NOT_FOUND', 'There is no such file.');
      async function* bytes(): AsyncGenerator<Uint8Array, void> {
        seen.running++;
        try {
          for (let at = 0; at < input.length; at += 40_000) {
            if (input.breakAt !== undefined && at >= input.breakAt) throw new Error('the disk broke');
            const chunk = countingBytes(Math.min(40_000, input.length - at), at);
            seen.bytesOut += chunk.length;
            yield chunk;
          }
        } finally {
          seen.running--;
        }
      }
      return {
        head: { path: input.path, length: input.length, mimeType: 'application/x-counting', unchanged: input.unchanged },
        bytes: bytes(),
      };
    },
    'slow.wait': async (input, call) => {
      seen.running++;
      await aborted(call.signal);
      seen.running--;
      noteAbort(input.mark, call.signal);
      throw call.signal.reason;
    },
    'big.output': (input) => ({ text: 'x'.repeat(input.length) }),
  };

  const dispatch = createDispatch(
    fakeTable,
    implementations,
    { log: (facts) => seen.log.push(facts), now: () => performance.now() },
    {
      ceiling: () => ({ access: 'admin', why: '' }),
      maxOutputBytes: options.maxOutputBytes ?? 8 * 1024 * 1024,
      maxCallsPerCaller: options.maxCallsPerCaller ?? 1000,
    },
  );
  return { dispatch, seen };
}
