import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { createClient } from '../../src/client/client.ts';
import { componentNames } from '../../src/config/options.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from '../kit/eventually.ts';
import { childrenOf, noProc } from '../kit/process-memory.ts';
import { processToken, spawnSidecar } from '../kit/sidecar-process.ts';
import { openYjsClient } from '../kit/yjs-client.ts';

const BETWEEN_LOOKS_MS = 300;

/** What a process holds of the system, that of connections left out. */
interface Held {
  listeners: number;
  /** Watches of inotify, over all its descriptors. */
  watches: number;
  files: string[];
  /** But those of libuv's pool, which come as they are needed, for whatever. */
  threads: number;
  children: number;
}

function heldBy(pid: number): Held {
  const listening = new Set(
    ['tcp', 'tcp6'].flatMap((family) =>
      fs
        .readFileSync(`/proc/${pid}/net/${family}`, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state]) => state === '0A')
        .map((fields) => `socket:[${fields[9]}]`),
    ),
  );
  const opened: string[] = [];
  let watches = 0;
  for (const descriptor of fs.readdirSync(`/proc/${pid}/fd`))
    try {
      opened.push(fs.readlinkSync(`/proc/${pid}/fd/${descriptor}`));
      watches += fs.readFileSync(`/proc/${pid}/fdinfo/${descriptor}`, 'utf8').match(/^inotify /gm)?.length ?? 0;
    } catch {
      // It was closed meanwhile.
    }
  return {
    listeners: opened.filter((one) => listening.has(one)).length,
    watches,
    files: opened.filter((one) => one.startsWith('/') && !one.startsWith('/dev/')).sort(),
    threads: fs.readdirSync(`/proc/${pid}/task`).filter((id) => !isOfPool(`/proc/${pid}/task/${id}`)).length,
    children: childrenOf(pid).length,
  };
}

/** What is under way, such as a file that is being written, has come to its end. */
async function heldAtRest(pid: number): Promise<Held> {
  let held = heldBy(pid);
  await eventually(async () => {
    const before = held;
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_LOOKS_MS));
    held = heldBy(pid);
    return isDeepStrictEqual(held, before);
  });
  return held;
}

function isOfPool(task: string): boolean {
  try {
    return fs.readFileSync(`${task}/comm`, 'utf8') === 'libuv-worker\n';
  } catch {
    // It is over.
    return true;
  }
}

/** Uses each part once, however it is answered. */
async function useAll(url: string): Promise<string[]> {
  const client = createClient<Operations>({ url, token: processToken });
  const reasons: string[] = [];
  const answered = async (answer: Promise<unknown>): Promise<void> => {
    reasons.push(
      await answer.then(
        () => 'done',
        (error: { reason?: string }) => error.reason ?? 'unknown',
      ),
    );
  };
  const person = openYjsClient(url, { token: processToken, room: 'a.txt' });
  const run = client.stream('code.run', { language: 'bash', code: 'echo $((40 + 2))' });
  const search = client.stream('search.text', { pattern: 'words' });
  const drained = async (stream: AsyncIterable<unknown> & { end: Promise<unknown> }): Promise<unknown> => {
    for await (const _ of stream);
    return stream.end;
  };
  await answered(client.call('documents.list', {}));
  await answered(drained(run));
  await answered(drained(search));
  await answered(client.call('git.status', {}));
  await answered(client.call('checkpoints.create', { title: 'one' }));
  await answered(client.call('processes.start', { argv: ['sleep', '300'] }));
  await answered(client.call('terminals.open', {}));
  await answered(client.call('deploy.list', {}));
  await eventually(() => person.provider.synced || person.closes.length > 0, 5000);
  person.destroy();
  client.close();
  return reasons;
}

test('parts that are switched off hold no descriptor, no watch, no thread and no process, also when somebody asks for them', {
  skip: noProc,
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-parts-'));
  const root = path.join(folder, 'root');
  fs.mkdirSync(path.join(root, 'below'), { recursive: true });
  fs.writeFileSync(path.join(root, 'a.txt'), 'some words\n');
  const seen = async (components: string): Promise<{ rest: Held; used: Held; reasons: string[] }> => {
    const state = path.join(folder, `state-${components.length}`);
    const sidecar = await spawnSidecar({ root, state, port: 0, flags: { components, runnerPort: '0' } });
    try {
      const pid = sidecar.child.pid as number;
      const rest = await heldAtRest(pid);
      const reasons = await useAll(sidecar.url);
      const used = await heldAtRest(pid);
      return { rest, used, reasons };
    } finally {
      assert.equal(await sidecar.stop(), 0);
    }
  };
  try {
    const all = await seen(componentNames.join(','));
    const few = await seen('files');
    // What there is to be seen can be seen.
    assert.equal(all.reasons.filter((reason) => reason === 'done').length, all.reasons.length, all.reasons.join());
    assert.equal(all.rest.listeners, 2);
    assert.ok(all.used.children > all.rest.children, 'processes and cages');
    assert.ok(all.used.threads > all.rest.threads, 'the index of text');
    assert.ok(all.used.files.length > all.rest.files.length, `the log of documents: ${all.used.files.join()}`);
    assert.ok(few.rest.watches > 0 && few.rest.watches === all.rest.watches, 'the folder is watched by `files`');

    assert.deepEqual(new Set(few.reasons), new Set(['PART_OFF']));
    assert.equal(few.rest.listeners, 1);
    assert.equal(few.rest.children, 0);
    assert.deepEqual(few.used, few.rest);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
