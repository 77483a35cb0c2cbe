// For tests of code runs: a sidecar to run code in, and what was seen of a run.
import assert from 'node:assert/strict';
import type { CodeItem, CodeOutcome } from '../../src/contract/code.ts';
import { requireTool } from './require-tools.ts';
import { lentSidecar, type RunningSidecar, type SidecarSetup, withSidecar } from './sidecar.ts';

export const needsPython = { skip: requireTool('python3') };
export const needsC = { skip: requireTool('gcc') || requireTool('python3') };

export interface Seen {
  end: CodeOutcome;
  out: string;
  err: string;
  items: CodeItem[];
}

export type Run = (language: string, code: string, more?: Record<string, unknown>) => Promise<Seen>;

const components = ['files', 'code'];
/** Its start, with the probe of what holds code back, takes longer than most tests of it. */
const withShared = lentSidecar({ config: { components } });

/** With `config` in a sidecar of its own, which nobody has asked for anything before; without, in one for all. */
export function withCode(run: (code: { run: Run } & RunningSidecar) => Promise<void>, config?: SidecarSetup['config']): Promise<void> {
  const running = (one: RunningSidecar): Promise<void> =>
    run({ ...one, run: (language, code, more = {}) => runOn(one, { language, code, ...more }) });
  return config === undefined ? withShared(running) : withSidecar(running, { config: { components, ...config } });
}

export async function runOn({ client }: RunningSidecar, input: { language: string; code: string }, signal?: AbortSignal): Promise<Seen> {
  const stream = client.stream('code.run', input, signal === undefined ? {} : { signal });
  const seen = { out: '', err: '', items: [] as CodeItem[] };
  for await (const item of stream) {
    seen.items.push(item);
    if (item.type === 'output') seen[item.stream === 'stdout' ? 'out' : 'err'] += item.text;
  }
  return { ...seen, end: await stream.end };
}

export async function bytesOf(running: RunningSidecar, session: string, id: string): Promise<string> {
  const response = await fetch(`${running.url}/api/code.getFile`, {
    method: 'POST',
    headers: { authorization: `Bearer ${running.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ session, id }),
  });
  assert.equal(response.status, 200);
  return response.text();
}

export const named = (files: CodeOutcome['files']): string[] => files.map(({ name }) => name);
