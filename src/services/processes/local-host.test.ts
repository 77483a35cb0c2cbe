import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { eventually } from '../../../test/kit/eventually.ts';
import { fails } from '../../../test/kit/process-harness.ts';
import { withWorkspace } from '../../../test/kit/workspace-harness.ts';
import { OutriggerError } from '../../contract/errors.ts';
import type { HostRequest } from './host.ts';
import { LocalHost } from './local-host.ts';
import { withEnvironment } from './process-facts.ts';
import { Processes } from './processes.ts';

const MARK = 'OUTRIGGER_TEST_MARK';
const terminal = { columns: 80, rows: 24 };
const host = new LocalHost({ find: (program, from) => new Processes({ env: process.env }).find(program, from), env: {} });
const variables = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, at) => [`LONG_NAME_OF_A_VARIABLE_${at}`, `its value is long, too: ${at}`]));

test('a file that can not be run is told from one that is not there, and why', { skip: process.platform === 'win32' }, () =>
  withWorkspace(async ({ root, at }) => {
    const files: Record<string, [text: string, mode: number]> = {
      plain: ['#!/bin/sh\n', 0o644],
      orphan: ['#! /no/such/program -e\n', 0o755],
      windows: ['#!/bin/sh\r\necho\r\n', 0o755],
    };
    for (const [name, [text, mode]] of Object.entries(files)) fs.writeFileSync(at(name), text, { mode });
    fs.mkdirSync(at('folder'));
    const start = (program: string, more: Partial<HostRequest> = {}) => host.start({ argv: [program], cwd: root, env: {}, ...more });
    for (const more of [{}, { terminal }]) {
      await assert.rejects(start('./plain', more), { reason: 'FILE_PERMISSION', message: /chmod \+x/ });
      await assert.rejects(start('./folder', more), { reason: 'FILE_PERMISSION', message: './folder is a folder.' });
      await assert.rejects(start('./nothing', more), { reason: 'TOOL_MISSING', message: /not on this machine/ });
      await assert.rejects(start('./plain/below', more), { reason: 'TOOL_MISSING', message: /not on this machine/ });
    }
    await assert.rejects(start('./orphan'), {
      reason: 'TOOL_MISSING',
      message: /its first line names "\/no\/such\/program", which is not on this machine\.$/,
    });
    await assert.rejects(start('windows', { env: { PATH: root } }), {
      reason: 'TOOL_MISSING',
      message: /names "\/bin\/sh\\r".*: the line ends with a carriage return/,
    });
  }),
);

describe('a program in a terminal', () => {
  test('reads and writes UTF-8, as its terminal does, unless somebody says otherwise', { skip: process.platform !== 'linux' }, async () => {
    const says = async (env: Record<string, string>): Promise<string> => {
      const program = await host.start({ argv: ['sh', '-c', 'echo "[$LANG $LC_ALL]"'], cwd: '/', env, terminal });
      let text = '';
      program.stdout.on('data', (bytes: Buffer) => (text += bytes.toString()));
      await eventually(() => assert.match(text, /\]/));
      return text.trim();
    };
    assert.equal(await says({}), '[C.UTF-8 ]');
    assert.equal(await says({ LANG: '' }), '[C.UTF-8 ]');
    assert.equal(await says({ LANG: 'de_DE.ISO-8859-1' }), '[de_DE.ISO-8859-1 ]');
    assert.equal(await says({ LC_ALL: 'C' }), '[ C]');
  });

  test('takes 300 arguments and variables together; one more is refused, and it is not started', async () => {
    const args = Array.from({ length: 100 }, (_, at) => `an argument ${at}`);
    const start = (count: number) => host.start({ argv: ['true', ...args], cwd: '/', env: variables(count), terminal });
    const program = await start(200);
    program.stdout.resume();
    assert.deepEqual(await program.exit, { exitCode: 0, exitSignal: null });
    await assert.rejects(
      start(201),
      (error) => error instanceof OutriggerError && error.reason === 'BAD_INPUT' && /300/.test(error.message),
    );
    await fails('BAD_INPUT', host.start({ argv: ['sleep', '300'], cwd: '/', env: { ...variables(2000), [MARK]: 'many' }, terminal }));
    assert.deepEqual(withEnvironment(`${MARK}=many`), []);
    // What would be thrown when the program ends is thrown 200 ms later.
    await delay(400);
  });

  test('hears of a signal that is sent before it has a group of its own', { skip: process.platform === 'win32' }, async () => {
    for (const name of ['SIGKILL', 'SIGTERM'] as const)
      for (let round = 0; round < 20; round++) {
        const program = await host.start({ argv: ['sleep', '20'], cwd: '/', env: {}, terminal });
        program.stdout.resume();
        program.signal(name);
        assert.deepEqual(await program.exit, { exitCode: null, exitSignal: name });
      }
  });

  test('that did not come to be leaves none behind, and nothing is thrown later', { skip: process.platform !== 'linux' }, async (t) => {
    const require = createRequire(createRequire(import.meta.url).resolve('@lydell/node-pty'));
    const binding = require(`@lydell/node-pty-linux-${process.arch}/pty.node`) as { fork: (...args: unknown[]) => { fd: number } };
    const { fork } = binding;
    const warnings: string[] = [];
    const warned = ({ message }: Error): void => void warnings.push(message);
    process.on('warning', warned);
    t.after(() => {
      binding.fork = fork;
      process.off('warning', warned);
    });
    binding.fork = (...args) => {
      const { fd } = fork(...args);
      t.after(() => fs.closeSync(fd));
      return 5 as unknown as { fd: number };
    };
    const start = (argv: [string, ...string[]]) => host.start({ argv, cwd: '/', env: { [MARK]: 'half' }, terminal });
    await assert.rejects(start(['sleep', '300']), OutriggerError);
    await eventually(() => assert.deepEqual(withEnvironment(`${MARK}=half`), []), 2000);
    await assert.rejects(start(['true']), OutriggerError);
    await delay(400);
    assert.deepEqual(warnings, []);
  });

  test('that the system has no room for is not told to be missing', { skip: process.platform !== 'linux' }, async (t) => {
    const require = createRequire(createRequire(import.meta.url).resolve('@lydell/node-pty'));
    const binding = require(`@lydell/node-pty-linux-${process.arch}/pty.node`) as { fork: () => never };
    const { fork } = binding;
    t.after(() => {
      binding.fork = fork;
    });
    // As it says it where there can be no process, or no terminal, more.
    binding.fork = () => {
      throw new Error('forkpty(3) failed.');
    };
    await assert.rejects(host.start({ argv: ['sleep', '300'], cwd: '/', env: {}, terminal }), {
      reason: 'TOO_MANY_PROCESSES',
      message: 'The system has no room for sleep: forkpty(3) failed.',
    });
  });
});
