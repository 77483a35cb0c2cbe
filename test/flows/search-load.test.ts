// What a search may cost the sidecar, whatever is searched and however slowly it is read: each in a process of its own, whose memory is looked at.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from '../../src/client/client.ts';
import type { OutriggerError } from '../../src/contract/errors.ts';
import type { Operations } from '../../src/contract/operations.ts';
import type { FoundFile, FoundLine } from '../../src/contract/search.ts';
import { Supervisor } from '../../src/supervisor/sidecar-supervisor.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { childrenOf, forgetPeak, memoryOf, noProc } from '../kit/process-memory.ts';
import { rgLines } from '../kit/rg-lines.ts';
import { processToken, type SidecarProcess, spawnSidecar } from '../kit/sidecar-process.ts';

const MB = 1024 * 1024;
const mostMb = 200;
// Without ripgrep a file is read whole, by a thread: its bytes, and its text.
const mostPlainMb = 450;
const byWalk = { 'search.index': 'false' };
const plain = { 'search.ripgrep': '/nowhere/rg' };

let folder = '';
before(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-load-'));
});
after(() => fs.rmSync(folder, { recursive: true, force: true }));

function freshRoot(name: string, files: Record<string, string | Buffer>): string {
  const root = path.join(folder, name);
  fs.mkdirSync(root);
  for (const [file, content] of Object.entries(files)) fs.writeFileSync(path.join(root, file), content);
  return root;
}

async function withProcess(
  root: string,
  flags: Record<string, string>,
  run: (process: SidecarProcess, pid: number) => Promise<void>,
): Promise<void> {
  const sidecar = await spawnSidecar({ root, state: fs.mkdtempSync(path.join(folder, 'state-')), port: 0, flags });
  try {
    await run(sidecar, sidecar.child.pid as number);
  } finally {
    await sidecar.stop();
  }
}

async function withStdio(root: string, run: (supervisor: Supervisor, pid: number) => Promise<void>): Promise<void> {
  const supervisor = new Supervisor({
    binary: {
      command: process.execPath,
      args: [main],
      env: { XDG_STATE_HOME: path.join(folder, 'stdio-state'), XDG_CONFIG_HOME: path.join(folder, 'config') },
      source: 'test',
    },
  });
  try {
    await supervisor.start(root);
    assert.ok(supervisor.state.name === 'ready' && supervisor.state.pid !== undefined);
    await run(supervisor, supervisor.state.pid);
  } finally {
    await supervisor.stop();
  }
}

/** One line of 100 MB, with `needle one` and `needle two` far into it. */
function hugeLine(): Buffer {
  const line = Buffer.alloc(100 * MB, 'abcdefg hijk ');
  line.write('needle one', 50_000_000);
  line.write('needle two', 90_000_000);
  line[line.length - 1] = 10;
  return line;
}

function isCutAround(line: FoundLine | undefined, text: string, at: number): void {
  assert.equal(line?.line, 1);
  assert.equal(line.cut, true);
  assert.equal(line.text.length, 1000);
  const [[start, end] = [0, 0]] = line.ranges ?? [];
  assert.equal(line.text.slice(start, end), text);
  assert.equal((line.cutAt ?? 0) + start, at);
}

test('a line of 100 MB is searched, shown around its match, and not held in memory; its outline is refused (long form)', {
  skip: noProc,
}, async () => {
  const root = freshRoot('huge', { 'huge.ts': hugeLine(), 'small.ts': 'needle small\n' });
  for (const [says, most, flags] of [
    ['by a walk', mostMb, byWalk],
    ['without ripgrep', mostPlainMb, plain],
  ] as const) {
    await withProcess(root, flags, async ({ url }, pid) => {
      const client = createClient<Operations>({ url, token: processToken });
      await client.call('index.wait', {});
      const { residentMb } = memoryOf(pid);
      forgetPeak(pid);
      const find = async (pattern: string, regex: boolean): Promise<FoundFile[]> => {
        const files: FoundFile[] = [];
        for await (const file of client.stream('search.text', { pattern, regex })) files.push(file);
        return files.sort((a, b) => a.path.localeCompare(b.path));
      };
      const literal = await find('needle', false);
      assert.deepEqual(
        literal.map((file) => file.path),
        ['huge.ts', 'small.ts'],
        says,
      );
      isCutAround(literal[0]?.lines[0], 'needle', 50_000_000);
      const [byRegex, ...others] = await find('n[e]+dle t\\w', true);
      isCutAround(byRegex?.lines[0], 'needle tw', 90_000_000);
      assert.deepEqual(others, []);
      const grown = memoryOf(pid).peakMb - residentMb;
      assert.ok(grown < most, `${says}: ${Math.round(grown)} MB more`);
      await assert.rejects(client.call('files.outline', { path: 'huge.ts' }), (error: OutriggerError) => {
        assert.equal(error.reason, 'OUTPUT_TOO_LARGE');
        assert.match(error.message, /huge\.ts/);
        return true;
      });
      client.close();
    });
  }
  await withStdio(root, async (supervisor, pid) => {
    await supervisor.request('index.wait', {});
    const { residentMb } = memoryOf(pid);
    forgetPeak(pid);
    const { files } = (await supervisor.request('search', { pattern: 'needle two' })) as {
      files: { path: string; matches: FoundLine[] }[];
    };
    assert.deepEqual(
      files.map((file) => file.path),
      ['huge.ts'],
    );
    isCutAround(files[0]?.matches[0], 'needle two', 90_000_000);
    const refused = await supervisor.request('outline', { path: 'huge.ts' }).then(String, ({ reason }: { reason: string }) => reason);
    assert.equal(refused, 'OUTPUT_TOO_LARGE');
    const grown = memoryOf(pid).peakMb - residentMb;
    assert.ok(grown < mostMb, `stdio: ${Math.round(grown)} MB more`);
  });
});

const results = 1_000_000;

/** In files of a size that the index would read here, and of one that it leaves to ripgrep. */
function manyLines(): Record<string, string> {
  const files: Record<string, string> = {};
  for (let file = 0; file < 8; file++) files[`many-${file}.txt`] = 'a needle\n'.repeat(results / 8);
  return files;
}

interface NdjsonSearch {
  response: http.IncomingMessage;
  request: http.ClientRequest;
}

function searchOverHttp(url: string, maxResults: number): Promise<NdjsonSearch> {
  return new Promise((resolve, reject) => {
    const request = http.request(`${url}/api/search.text`, {
      method: 'POST',
      headers: { authorization: `Bearer ${processToken}`, 'content-type': 'application/json', accept: 'application/x-ndjson' },
    });
    request.on('error', reject);
    request.on('response', (response) => resolve({ response, request }));
    request.end(JSON.stringify({ pattern: 'needle', maxResults }));
  });
}

test('a million results reach a slow reader, and the sidecar holds few of them (long form)', { skip: noProc }, async () => {
  const root = freshRoot('many', manyLines());
  for (const [says, wanted, flags] of [
    ['with the index', results, {}],
    ['without ripgrep', results / 2, plain],
  ] as const) {
    await withProcess(root, flags, async ({ url }, pid) => {
      const { residentMb } = memoryOf(pid);
      forgetPeak(pid);
      const { response } = await searchOverHttp(url, wanted);
      let lines = 0;
      let end: { matches: number; truncated: boolean } | undefined;
      let rest = '';
      let chunks = 0;
      for await (const chunk of response.setEncoding('utf8') as AsyncIterable<string>) {
        if (++chunks % 40 === 0) await sleep(5);
        const texts = (rest + chunk).split('\n');
        rest = texts.pop() ?? '';
        for (const text of texts) {
          const said = JSON.parse(text) as { item?: FoundFile; end?: typeof end };
          lines += said.item?.lines.length ?? 0;
          end ??= said.end;
        }
      }
      assert.equal(lines, wanted, says);
      assert.deepEqual([end?.matches, end?.truncated], [wanted, wanted < results], says);
      const grown = memoryOf(pid).peakMb - residentMb;
      assert.ok(grown < 140, `${says}: ${Math.round(grown)} MB more`);
    });
  }
  await withStdio(root, async (supervisor, pid) => {
    await supervisor.request('index.wait', {});
    const { residentMb } = memoryOf(pid);
    forgetPeak(pid);
    const { items, result } = supervisor.stream('search.text', { pattern: 'needle', maxResults: results }, { timeoutMs: 60_000 });
    let lines = 0;
    let count = 0;
    for await (const item of items) {
      if (++count % 200 === 0) await sleep(5);
      lines += (item as FoundFile).lines.length;
    }
    assert.equal(lines, results);
    assert.equal(((await result) as { matches: number }).matches, results);
    const grown = memoryOf(pid).peakMb - residentMb;
    assert.ok(grown < 250, `stdio: ${Math.round(grown)} MB more`);
  });
});

test('a reader that stops holds ripgrep back, and nothing grows; when it leaves, ripgrep ends', { skip: noProc }, async () => {
  const root = path.join(folder, 'many');
  if (!fs.existsSync(root)) freshRoot('many', manyLines());
  await withProcess(root, byWalk, async ({ url }, pid) => {
    // Of the sidecar, or of the process that starts its programs.
    const ripgrep = (): { pid: number; cpuTicks: number } | undefined =>
      [pid, ...childrenOf(pid).map((child) => child.pid)].flatMap(childrenOf).find(({ name }) => name === 'rg');
    const { response, request } = await searchOverHttp(url, results);
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    await new Promise((resolve) => response.once('readable', resolve));
    let ticks = -1;
    // On a machine with other work, it may wait for its turn alone.
    let calm = 0;
    await eventually(async () => {
      const earlier = ticks;
      await sleep(150);
      ticks = ripgrep()?.cpuTicks ?? -2;
      calm = ticks === earlier ? calm + 1 : 0;
      return calm === 4;
    }, 10_000);
    const { residentMb } = memoryOf(pid);
    await sleep(400);
    // At work it would have used some 40.
    const used = (ripgrep()?.cpuTicks ?? Number.POSITIVE_INFINITY) - ticks;
    assert.ok(used <= 5, `it used ${used} ticks while nobody read`);
    assert.ok(memoryOf(pid).residentMb - residentMb < 20, `${memoryOf(pid).residentMb - residentMb} MB more`);
    response.destroy();
    await eventually(() => ripgrep() === undefined);
  });
});

/** Lines in which an engine that goes back may spend hours, and plain ones; each search is also answered. */
test('searches of patterns that take an engine hours let others have their turn (long form)', { skip: noProc }, async () => {
  const patterns = [
    'needle\\w+!',
    'needle[a-z ]*needle[a-z ]*needle[a-z ]*\\?',
    '\\w+needle\\d',
    '[a-z]*needle[a-z]*needle[a-z]*needle[0-9]',
    'needle.*needle.*x',
  ];
  const words = 'needle needl '.repeat(200_000);
  const root = freshRoot('caught', {
    'spaced.txt': `${words}!\n${'x\n'.repeat(10)}`,
    'joined.txt': `${'needleneedl'.repeat(250_000)}\n`,
    'short.txt': `${'needleneedleneedleneedle'.repeat(80)}\n`.repeat(400),
    'wide.txt': `${'é needle needle '.repeat(100_000)}\n`,
  });
  await withProcess(root, {}, async ({ url }) => {
    const client = createClient<Operations>({ url, token: processToken });
    try {
      await client.call('index.wait', {});
      for (const pattern of patterns) {
        const expected = rgLines(root, { pattern, regex: true });
        // On a machine with other work, whoever waits may have waited for that.
        let least = Number.POSITIVE_INFINITY;
        for (let tried = 0; tried < 5 && least >= 50; tried++) {
          const stream = client.stream('search.text', { pattern, regex: true, maxLineLength: 100 });
          let isSearching = true;
          const searching = (async (): Promise<number> => {
            for await (const _ of stream);
            isSearching = false;
            return (await stream.end).matches;
          })();
          let longest = 0;
          while (isSearching) {
            const started = performance.now();
            await client.call('system.info', {});
            longest = Math.max(longest, performance.now() - started);
          }
          assert.equal(await searching, expected.length, pattern);
          least = Math.min(least, longest);
        }
        assert.ok(least < 500, `${pattern}: others waited ${least.toFixed(0)} ms`);
      }
    } finally {
      client.close();
    }
  });
});
