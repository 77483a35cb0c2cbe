// The exec agent without a socket: an init for the sidecar where that would be process 1 of a container, as in our image.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { main } from '../kit/command.ts';
import { eventually } from '../kit/eventually.ts';
import { buildAgent } from '../kit/exec-agent.ts';
import { requireTool } from '../kit/require-tools.ts';
import { runProgram } from '../kit/running-program.ts';
import { processToken } from '../kit/sidecar-process.ts';

/** Zombies among processes of another process namespace, seen from here. */
function zombiesBelow(pid: number): string[] {
  const namespace = fs.readlinkSync(`/proc/${pid}/ns/pid`);
  return fs.readdirSync('/proc').filter((name) => {
    try {
      return (
        /^\d+$/.test(name) &&
        fs.readlinkSync(`/proc/${name}/ns/pid`) === namespace &&
        /\) Z /.test(fs.readFileSync(`/proc/${name}/stat`, 'utf8'))
      );
    } catch {
      // It ended while we looked.
      return false;
    }
  });
}

/** Process 1 of the namespace that a program made, as it is numbered here. */
function firstOf(pid: number): number {
  const [child = ''] = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return Number(child);
}

describe('the exec agent as an init', { skip: requireTool('cc', 'bwrap') }, () => {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-init-')));
  const agent = path.join(folder, 'agent');
  before(() => buildAgent(agent));
  after(() => fs.rmSync(folder, { recursive: true, force: true }));

  test('gives the exit code of its program, or that of the signal which ended it, and needs a program or a socket', () => {
    const run = (...args: string[]): { status: number | null; stdout: string } => spawnSync(agent, args, { encoding: 'utf8' });
    assert.deepEqual([run('--', 'sh', '-c', 'echo out; exit 7').status, run('--', 'sh', '-c', 'kill -9 $$').status], [7, 137]);
    assert.equal(run('--', 'echo', 'a b', '--').stdout, 'a b --\n');
    assert.equal(run('--', 'not-there').status, 127);
    for (const args of [[], ['--'], ['--socket', path.join(folder, 's')], ['--token-file', agent, '--', 'true']])
      assert.equal(run(...args).status, 125, args.join(' '));
    assert.deepEqual(fs.readdirSync(folder), ['agent']);
  });

  // What starts programs for a sidecar takes what they leave behind as well.
  const withoutStarter = ['--tmpfs', path.join(import.meta.dirname, '../../dist/bin')];
  for (const [says, init, mustReap, more] of [
    ['takes what programs of the sidecar leave behind, passes SIGTERM on, and ends with its exit code', [agent, '--'], true, []],
    ['does so where the sidecar starts its programs itself', [agent, '--'], true, withoutStarter],
    // Or the test above would prove nothing.
    ['is needed for that: Node as process 1 leaves zombies (long form)', [], false, withoutStarter],
  ] as const) {
    test(says, async () => {
      const root = fs.mkdtempSync(path.join(folder, 'root-'));
      const state = fs.mkdtempSync(path.join(folder, 'state-'));
      const node = [process.execPath, main, 'serve', root, '--port', '0', '--state', state, '--log-level', 'info'];
      const program = runProgram(
        'bwrap',
        [
          '--unshare-pid',
          '--as-pid-1',
          '--die-with-parent',
          '--bind',
          '/',
          '/',
          '--dev-bind',
          '/dev',
          '/dev',
          '--proc',
          '/proc',
          ...more,
          ...init,
          ...node,
        ],
        { cwd: folder, env: { ...process.env, OUTRIGGER_TOKEN: processToken } },
      );
      const [, url = ''] = await program.until(/"event":"sidecar\.listening".*?"url":"([^"]+)"/);
      await program.until(/"event":"sidecar\.ready"/);
      const client = createClient<Operations>({ url, token: processToken });
      try {
        const first = firstOf(program.child.pid as number);
        const leaves = 'for i in 1 2 3 4 5; do setsid sh -c "sleep 0.2 & exit" > /dev/null 2>&1 & done; wait; sleep 0.5; echo done';
        const { process: ended } = await client.call('processes.run', { argv: ['sh', '-c', leaves] });
        assert.equal(ended.exitCode, 0);
        if (mustReap) await eventually(() => assert.deepEqual(zombiesBelow(first), []));
        else await eventually(() => assert.ok(zombiesBelow(first).length > 0));
        client.close();
        process.kill(first, 'SIGTERM');
        const code = await program.ended;
        if (mustReap) assert.equal(code, 0, program.output().slice(-2000));
      } finally {
        client.close();
        program.child.kill('SIGKILL');
      }
    });
  }
});
