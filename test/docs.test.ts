import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, utimesSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { authenticatedMessage, readAddressed, readToken, syncStatusMessage, types } from '../src/adapters/hocuspocus/messages.ts';
import { exitCodes } from '../src/cli/exit-codes.ts';
import { optionKeys } from '../src/config/options.ts';
import { createJsonCodec } from '../src/core/json-codec.ts';
import { nodeBase64 } from '../src/net/base64.ts';
import {
  awarenessMessage,
  permissionDeniedMessage,
  readMessage,
  step1Message,
  step2Message,
  updateMessage,
} from '../src/services/documents/sync-protocol.ts';
import { hostCaller } from '../src/sidecar/sidecar.ts';
import { createCallCodec } from '../src/transports/hub-link/call-codec.ts';
import { serveStdio } from '../src/transports/stdio/stdio.ts';
import {
  blocks,
  fits,
  linkProblems,
  pages,
  readPage,
  referenceProblem,
  repository,
  shellCommands,
  testReferences,
  wordsOf,
} from './kit/doc-pages.ts';
import { eventually } from './kit/eventually.ts';
import { type RunningSidecar, withSidecar } from './kit/sidecar.ts';
import { main } from './kit/command.ts';

const run = promisify(execFile);
const protocol = 'docs/protocol.md';
const modified = new Date(1_795_165_200_000);
const otherModes = process.platform === 'win32' && 'the examples show the mode of a file as Linux and macOS have it';

/** The folder that the examples are about. */
function prepare(root: string): void {
  mkdirSync(path.join(root, 'src'));
  for (const [name, text] of [
    ['notes.txt', 'hi\n'],
    ['src/a.py', 'print(1)\n'],
  ] as const) {
    const file = path.join(root, name);
    writeFileSync(file, text);
    chmodSync(file, 0o644);
    utimesSync(file, modified, modified);
  }
}

const setup = { prepare, config: { components: 'files,documents' } };
const linesOf = (block: string): string[] => block.replace(/\n$/, '').split('\n');

test('every link of every page leads to a file, or a place in a page, that is there', () => {
  const all = pages();
  assert.ok(all.length > 20 && all.includes('README.md'), 'the pages are found');
  assert.deepEqual(all.flatMap(linkProblems), []);
});

test('every test that a page names is there, with that title', () => {
  for (const page of ['docs/seeds.md', 'docs/limits.md']) {
    const references = testReferences(page);
    assert.ok(references.length > 20, `${page} names tests`);
    assert.deepEqual(
      references.flatMap((reference) => referenceProblem(reference) ?? []),
      [],
    );
    // One that is written in another way would not be looked at.
    const mentions = readPage(page).match(/\.(test|deep)\.ts\]/g) ?? [];
    assert.equal(references.length, mentions.length, `${page}: each link to a test file has a title behind it`);
  }
  assert.match(referenceProblem({ file: 'test/docs.test.ts', title: ['no', 'such', 'title'].join(' ') }) ?? '', /has no test/);
});

test('every sentence of the seeds has a status, and what is not done says by what it was decided or when it comes', () => {
  const rows = readPage('docs/seeds.md')
    .split('\n')
    .flatMap((line) => {
      const cells = line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '').trim());
      return cells.length === 3 && !/^-|^sentence$/.test(cells[0] as string) && line.startsWith('| ')
        ? [cells as [string, string, string]]
        : [];
    });
  assert.ok(rows.length > 150, `there are ${rows.length} rows`);
  const decisions = /\]\(decisions\/[\w-]+\.md\)/;
  const faults = rows.filter(([, status, where]) => {
    if (status === 'done') return !/\.(test|deep)\.ts\]/.test(where);
    if (status === 'decided') return !decisions.test(where);
    return status !== 'later' || !/issue \d/.test(where);
  });
  assert.deepEqual(faults, []);
});

test('the limits page holds every option that is a limit', () => {
  const page = readPage('docs/limits.md');
  const limits = optionKeys.filter((key) => /^limits\.|^documents\.max/.test(key));
  assert.deepEqual(
    limits.filter((key) => !page.includes(`| \`${key}\` |`)),
    [],
  );
});

test('a decision is one dated idea of at most 25 lines', () => {
  const decisions = pages('docs/decisions');
  assert.ok(decisions.length >= 11);
  for (const page of decisions) {
    const lines = readPage(page).trimEnd().split('\n');
    assert.match(lines[0] ?? '', /^# /, page);
    assert.match(lines[2] ?? '', /^\d{4}-\d\d-\d\d$/, `${page} has its date in the third line`);
    assert.ok(lines.length <= 25, `${page} has ${lines.length} lines`);
  }
});

test('every command of README and CONTRIBUTING is one of package.json or of the command line, with flags that it knows', async () => {
  const commands = ['README.md', 'CONTRIBUTING.md'].flatMap(shellCommands);
  assert.ok(commands.length > 10);
  const { scripts } = JSON.parse(readFileSync(path.join(repository, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const help = async (...args: string[]): Promise<string> =>
    (
      await run(process.execPath, [main, ...args, '--help'], {
        env: { ...process.env, COLUMNS: '200' },
      })
    ).stdout;
  const known = new Set([...(await help()).matchAll(/^ {2}([a-z]+)/gm)].map(([, name]) => name));
  const helpOf = new Map<string, Promise<string>>();
  for (const { line, program, args } of commands) {
    if (program === 'npm') {
      const name = args[0] === 'run' ? args[1] : args[0];
      assert.ok(name !== undefined && Object.hasOwn(scripts, name), `"${line}": there is no script ${name}`);
    } else if (program === 'node') assert.ok(existsSync(path.join(repository, args[0] ?? '-')), `"${line}": ${args[0]} is not there`);
    else if (program === 'outrigger') {
      const [name = ''] = args;
      assert.ok(known.has(name), `"${line}": there is no command ${name}`);
      if (!helpOf.has(name)) helpOf.set(name, help(name));
      const text = (await helpOf.get(name)) ?? '';
      for (const flag of args.filter((arg) => arg.startsWith('--')))
        assert.ok(new RegExp(`${flag}(?![\\w-])`).test(text), `"${line}": ${name} has no ${flag}`);
    } else assert.match(program, /^(git|docker|\.ci\/run)$/, `"${line}" is no command of ours`);
  }
});

test('the exit codes of README are those of the command line', () => {
  const [sentence = ''] = /It exits with [^.]+\./.exec(readFileSync(path.join(repository, 'README.md'), 'utf8')) ?? [];
  assert.deepEqual((sentence.match(/\d+/g) ?? []).map(Number), Object.values(exitCodes));
});

test('no single quote keeps a shell from filling in what a command names', () => {
  const commands = pages().flatMap((page) =>
    ['console', 'sh'].flatMap((label) => blocks(page, label).flatMap((block) => linesOf(block).map((line) => `${page}: ${line}`))),
  );
  assert.ok(commands.length > 50, 'the commands are found');
  const quoted = (line: string): string[] => line.match(/"[^"]*"|'[^']*'/g) ?? [];
  // A script for another shell has its own variables.
  const wrong = commands.filter((line) => !/ -l?c '/.test(line) && quoted(line).some((part) => /^'.*\$[A-Z_]{3,}/.test(part)));
  assert.deepEqual(wrong, []);
});

test('the requests of README answer as they say, and programs there and in docs/protocol.md print what they say', async () => {
  await withSidecar(async ({ url, root, token }) => {
    for (const block of blocks('README.md', 'console')) {
      const lines = linesOf(block);
      for (let at = 0; at < lines.length; at += 2) {
        const answer = await curl(lines[at] as string, url, token);
        assert.ok(fits(answer, lines[at + 1] as string), `${lines[at]}\nanswered ${answer}`);
      }
    }
    const programs = blocks('README.md', 'js');
    assert.equal(programs.length, 3);
    for (const program of programs) await printsWhatItSays(program, { url, root, token });
    const others = blocks(protocol, 'js');
    assert.equal(others.length, 1);
    for (const program of others) await printsWhatItSays(program, { url, root, token });
  }, setup);
});

async function printsWhatItSays(program: string, { url, root, token }: Pick<RunningSidecar, 'url' | 'root' | 'token'>): Promise<void> {
  // The library serves the current folder in the page; here that must not be the checkout.
  const code = program
    .replaceAll('127.0.0.1:3000', new URL(url).host)
    .replaceAll("workspace: '.'", `workspace: ${JSON.stringify(path.join(root, 'src'))}`);
  const env = { PATH: process.env['PATH'], OUTRIGGER_TOKEN: token, OUTRIGGER_STATE: path.join(root, '..', 'state-of-the-library') };
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', code], { cwd: repository, env, timeout: 30_000 });
  const expected = [...program.matchAll(/\/\/ → (.*)$/gm)].map(([, text]) => text as string);
  assert.deepEqual(stdout.trim().split('\n').toSorted(), expected.toSorted());
}

describe('docs/protocol.md', () => {
  test('frames of RPC are what the codec reads and writes, byte for byte', () => {
    const codec = createJsonCodec(nodeBase64);
    const frames = ['rpc', 'rpc codec', 'stdio']
      .flatMap((label) => blocks(protocol, label))
      .flatMap(linesOf)
      .map((line) => line.slice(2));
    assert.ok(frames.length > 20);
    for (const text of frames) {
      const frame = codec.decode(text);
      assert.ok(frame !== undefined, text);
      assert.equal(codec.encode(frame), text);
    }
  });

  test('frames of RPC, junk among them, are answered so by a sidecar', { skip: otherModes }, async () => {
    await withSidecar(async (running) => {
      const socket = await openRpc(running);
      const heard: string[] = [];
      socket.onmessage = ({ data }) => heard.push(data as string);
      let next = 0;
      for (const line of [...blocks(protocol, 'rpc'), ...blocks(protocol, 'rpc junk')].flatMap(linesOf)) {
        if (line.startsWith('> ')) {
          socket.send(line.slice(2));
          continue;
        }
        await eventually(() => assert.ok(heard.length > next, `no answer for ${line}`));
        const answer = heard[next++] as string;
        assert.ok(fits(answer, line.slice(2)), `expected ${line.slice(2)}\nheard    ${answer}`);
      }
      assert.equal(heard.length, next, 'nothing else was said');
      socket.close();
    }, setup);
  });

  test('frames of a hub are what its codec reads and writes, and mean the same as those of RPC', () => {
    const [rpc, hub] = [createJsonCodec(nodeBase64), createCallCodec(nodeBase64)];
    const lines = blocks(protocol, 'pairs').flatMap(linesOf);
    assert.ok(lines.length >= 20 && lines.length % 2 === 0);
    for (let at = 0; at < lines.length; at += 2) {
      const [ours, theirs] = [lines[at] as string, lines[at + 1] as string];
      const frame = hub.decode(theirs);
      assert.ok(frame !== undefined, theirs);
      assert.equal(hub.encode(frame), theirs);
      assert.equal(rpc.encode(frame), ours);
    }
  });

  test('lines of stdio are answered so', async () => {
    await withSidecar(async ({ sidecar }) => {
      const [input, output] = [new PassThrough(), new PassThrough()];
      const connection = serveStdio({ dispatch: sidecar.dispatch, input, output, caller: hostCaller() });
      const lines = blocks(protocol, 'stdio').flatMap(linesOf);
      for (const line of lines) if (line.startsWith('> ')) input.write(`${line.slice(2)}\n`);
      input.end();
      await connection.closed;
      const answers = linesOf((output.read() as Buffer).toString());
      assert.deepEqual(
        answers,
        lines.filter((line) => line.startsWith('< ')).map((line) => line.slice(2)),
      );
    }, setup);
  });

  test('streams over HTTP are answered so', { skip: otherModes }, async () => {
    await withSidecar(async ({ url, token }) => {
      for (const block of blocks(protocol, 'http')) {
        const lines = linesOf(block);
        const [, method = '', address = ''] = /^> ([A-Z]+) (\S+)$/.exec(lines[0] as string) ?? [];
        const headers = Object.fromEntries(
          lines.slice(1).flatMap((line) => (line.startsWith('> ') ? [line.slice(2).split(': ') as [string, string]] : [])),
        );
        const answer = await fetch(url + address, { method, headers: { ...headers, authorization: `Bearer ${token}` } });
        const expected = lines.filter((line) => line.startsWith('<')).map((line) => line.replace(/^< ?/, ''));
        const text = await answer.text();
        assert.ok(fits(text, `${expected.join('\n')}\n`), `${lines[0]} answered\n${text}`);
      }
    }, setup);
  });

  test('messages of documents are what the sidecar reads and writes, byte for byte', () => {
    const messages = ['bytes', 'bytes server'].flatMap((label) =>
      blocks(protocol, label)
        .flatMap(linesOf)
        .map((line) => ({ label, bytes: Buffer.from(line.split('  ')[0]?.replaceAll(' ', '') ?? '', 'hex') })),
    );
    assert.equal(messages.length, 7);
    for (const { label, bytes } of messages)
      assert.deepEqual(Buffer.from(label === 'bytes' ? rewritten(bytes) : permissionDeniedMessage('read-only')), bytes);
  });

  test('messages of many documents on one socket are what the sidecar reads and writes, byte for byte', () => {
    const messagesOf = (label: string): string[] =>
      blocks(protocol, label)
        .flatMap(linesOf)
        .map((line) => line.split('  ')[0]?.replaceAll(' ', '') ?? '');
    const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
    const [auth, step1] = messagesOf('bytes of a document').map((message) => readAddressed(Buffer.from(message, 'hex')));
    assert.deepEqual([auth?.address, auth?.type, readToken(auth?.rest ?? new Uint8Array())], ['notes.txt', types.auth, 'token']);
    assert.deepEqual([step1?.address, hex(step1?.rest ?? new Uint8Array())], ['notes.txt', hex(step1Message(Uint8Array.of(0)))]);
    assert.deepEqual(messagesOf('bytes of a document, server'), [
      hex(authenticatedMessage('notes.txt', 'read-write')),
      hex(syncStatusMessage('notes.txt', true)),
    ]);
  });
});

function rewritten(bytes: Uint8Array): Uint8Array {
  const message = readMessage(bytes);
  switch (message.type) {
    case 'step1':
      return step1Message(message.stateVector);
    case 'step2':
      return step2Message(message.update);
    case 'update':
      return updateMessage(message.update);
    case 'awareness':
      return awarenessMessage(message.entries);
    default:
      throw new Error(`${message.type} is not written here`);
  }
}

async function openRpc({ url, token }: RunningSidecar): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/rpc`, [token]);
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error('refused'));
  });
  return socket;
}

/** A `$ curl …` line, asked of the sidecar at `url`. */
async function curl(line: string, url: string, token: string): Promise<string> {
  const [dollar, program, ...args] = wordsOf(line.replaceAll('$OUTRIGGER_TOKEN', token));
  assert.deepEqual([dollar, program], ['$', 'curl'], line);
  const headers: [string, string][] = [];
  let body: string | undefined;
  let address = '';
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] as string;
    if (arg === '-H') headers.push((args[++at] as string).split(': ') as [string, string]);
    else if (arg === '-d') body = args[++at];
    else address = arg;
  }
  const asked = new URL(address);
  const answer = await fetch(url + asked.pathname + asked.search, { headers, ...(body === undefined ? {} : { method: 'POST', body }) });
  return answer.text();
}
