// What the model of the client asks beside the operations of a sidecar: each call leaves a trace, so that what was done can be told from what was said.
import fs from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { type Implementations, operation } from '../../src/contract/operation.ts';

const number = () => z.int().nonnegative();

export const modelTable = {
  'model.note': operation({
    summary: 'Writes the number down once more.',
    access: 'write',
    scope: 'workspace',
    input: () => z.object({ n: number(), padding: z.string().default('') }),
    output: () => z.object({ n: number() }),
    errors: [],
  }),
  'model.echo': operation({
    summary: 'Says the number again, and so many letters.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ n: number(), length: number(), afterMs: number().default(0) }),
    output: () => z.object({ n: number(), text: z.string() }),
    errors: [],
  }),
  'model.count': operation({
    summary: 'Counts.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ n: number(), from: number().default(0), to: number(), padding: number().default(0) }),
    item: () => z.object({ n: number(), at: number(), text: z.string() }),
    output: () => z.object({ n: number() }),
    errors: [],
  }),
  'model.wait': operation({
    summary: 'Waits for the end of the call.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ n: number() }),
    output: () => z.object({}),
    errors: [],
  }),
  'model.running': operation({
    summary: 'How many of the others are under way.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => z.object({ running: z.array(z.string()) }),
    errors: [],
  }),
};
export type ModelTable = typeof modelTable;

/** As many letters, others for each number. */
export function textOf(n: number, length: number): string {
  return `${n} `.repeat(Math.ceil(length / (String(n).length + 1))).slice(0, length);
}

/** `notes`: where they are written down. */
export function modelImplementations(notes: string): Implementations<ModelTable> {
  const running = new Set<string>();
  let last = 0;
  const during = async <T>(what: string, run: () => Promise<T>): Promise<T> => {
    const name = `${what} ${++last}`;
    running.add(name);
    try {
      return await run();
    } finally {
      running.delete(name);
    }
  };
  return {
    'model.note': ({ n }) => {
      fs.appendFileSync(notes, `${n}\n`);
      return { n };
    },
    'model.echo': ({ n, length, afterMs }, { signal }) =>
      during('echo', async () => {
        await sleep(afterMs, undefined, { signal });
        return { n, text: textOf(n, length) };
      }),
    'model.count': ({ n, from, to, padding }, { emit, signal }) =>
      during('count', async () => {
        for (let at = from; at < to; at++) {
          await emit({ n, at, text: textOf(n, padding) });
          // Some at once, and then a while nothing.
          if (at % 7 === 0) await sleep(2, undefined, { signal });
        }
        return { n };
      }),
    'model.wait': (_input, { signal }) =>
      during('wait', async () => {
        await sleep(600_000, undefined, { signal });
        return {};
      }),
    'model.running': () => ({ running: [...running] }),
  };
}
