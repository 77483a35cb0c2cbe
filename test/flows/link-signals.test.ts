// Signals to a link and a hub. Ctrl-Break of Windows is shown on any system: the process is told that it is Windows, and the event comes as Node gives it there.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { runProgram, type RunningProgram } from '../kit/running-program.ts';
import { withScratchFolder } from '../kit/scratch-folder.ts';
import { processToken } from '../kit/sidecar-process.ts';
import { openYjsClient } from '../kit/yjs-client.ts';
import { main } from '../kit/command.ts';

/** Loaded before the program. The event comes when a line on stdout or stderr says that it is time. */
const preload = `
Object.defineProperty(process, 'platform', { value: 'win32' });
const write = process.stderr.write.bind(process.stderr);
process.stderr.write = (text, ...rest) => {
  if (/"link.waiting"|hub listens/.test(String(text))) setTimeout(() => process.emit('SIGBREAK', 'SIGBREAK'), 100);
  return write(text, ...rest);
};`;

test('SIGBREAK of Windows ends a link and a hub in order, with 0', async () => {
  const base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-break-'));
  try {
    fs.writeFileSync(path.join(base, 'config.json'), '{"agent_id":"probe","token":"t","hub_url":"ws://127.0.0.1:1/ws"}');
    const env = { PATH: process.env['PATH'], HOME: base, TMPDIR: base };
    const imported = `data:text/javascript,${encodeURIComponent(preload)}`;
    for (const [args, says] of [
      [['link'], /"link.stopped"/],
      [['hub', '--port', '0', '--state', path.join(base, 'hub'), '--log-level', 'info'], /"hub.stopped"/],
    ] as const) {
      const program = runProgram(process.execPath, ['--import', imported, main, ...args], { env, cwd: base });
      try {
        await program.until(says);
        assert.equal(await program.ended, 0, program.output());
      } finally {
        program.child.kill('SIGKILL');
      }
    }
  } finally {
    fs.rmSync(base, { recursive: true, force: true });
  }
});

const SECOND_AFTER_MS = 100;

/** Sends Ctrl-C twice, as when a terminal and a launcher both pass it on. */
async function stopTwice(program: RunningProgram): Promise<void> {
  program.child.kill('SIGINT');
  await new Promise((resolve) => setTimeout(resolve, SECOND_AFTER_MS));
  assert.equal(program.child.exitCode, null, 'it is still stopping');
  program.child.kill('SIGINT');
  assert.equal(await program.ended, 0, program.output());
}

test(
  'a second signal while a link stops disturbs nothing: what was typed is saved, and no program is left (long form)',
  {
    skip: process.platform === 'win32',
  },
  () =>
    withScratchFolder('link-twice', async (folder, root) => {
      fs.writeFileSync(path.join(root, 'config.json'), '{"agent_id":"probe","token":"t","hub_url":"ws://127.0.0.1:1/ws"}');
      fs.writeFileSync(path.join(root, 'a.txt'), 'text');
      const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, OUTRIGGER_TOKEN: processToken };
      const program = runProgram(process.execPath, [main, 'link'], { env, cwd: root });
      let pid: number | undefined;
      try {
        const [, url = ''] = await program.until(/"url":"(http[^"]+)"[^]*"event":"sidecar\.ready"/);
        const answer = await fetch(`${url}/api/processes.start`, {
          method: 'POST',
          headers: { authorization: `Bearer ${processToken}`, 'content-type': 'application/json' },
          // It holds the stop up for as long as it may.
          body: JSON.stringify({ argv: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.1; done'] }),
        });
        ({ pid } = ((await answer.json()) as { process: { pid: number } }).process);
        const person = openYjsClient(url, { token: processToken, room: 'a.txt' });
        try {
          await person.synced();
          person.text.insert(0, 'typed ');
          await stopTwice(program);
        } finally {
          person.destroy();
        }
        assert.equal(program.output().match(/"event":"sidecar\.stopped"/g)?.length, 1);
        assert.equal(fs.readFileSync(path.join(root, 'a.txt'), 'utf8'), 'typed text');
        assert.throws(() => process.kill(pid as number, 0), { code: 'ESRCH' });
      } finally {
        program.child.kill('SIGKILL');
        try {
          if (pid !== undefined) process.kill(pid, 'SIGKILL');
        } catch {
          // It went with the link, as it should.
        }
      }
    }),
);

test('a second signal while a hub stops disturbs nothing', { skip: process.platform === 'win32' }, () =>
  withScratchFolder('hub-twice', async (folder, root) => {
    const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder, OUTRIGGER_HUB_TOKEN: processToken };
    const args = ['hub', '--port', '0', '--state', path.join(folder, 'hub'), '--log-level', 'info'];
    const program = runProgram(process.execPath, [main, ...args], { env, cwd: root });
    try {
      const [, url = ''] = await program.until(/"event":"hub\.listening".*"url":"(http[^"]+)"/);
      const deaf = new WebSocket(`${url.replace('http', 'ws')}/rpc`, { headers: { authorization: `Bearer ${processToken}` } });
      deaf.on('error', () => undefined);
      await once(deaf, 'open');
      // The hub waits for a goodbye that does not come.
      deaf.pause();
      await stopTwice(program);
      deaf.terminate();
      assert.equal(program.output().match(/"event":"hub\.stopped"/g)?.length, 1);
    } finally {
      program.child.kill('SIGKILL');
    }
  }),
);

test('two links can’t have one folder of results: the second is refused with 78, and has it when the first is gone (long form)', () =>
  withScratchFolder('results', async (folder) => {
    const env = { PATH: process.env['PATH'], HOME: folder, TMPDIR: folder };
    const link = (name: string): RunningProgram => runProgram(process.execPath, [main, 'link', `${name}.json`], { env, cwd: folder });
    for (const name of ['one', 'two']) {
      fs.mkdirSync(path.join(folder, `work-${name}`));
      const config = { agent_id: name, token: 't', hub_url: 'ws://127.0.0.1:1/ws', repo_dir: `work-${name}` };
      fs.writeFileSync(path.join(folder, `${name}.json`), JSON.stringify(config));
    }
    const first = link('one');
    try {
      await first.until(/"link.waiting"/);
      const second = link('two');
      try {
        await second.until(/is of another link|"link.waiting"/);
        assert.ok(second.output().includes(`results_dir: ${path.join(folder, 'results')} is of another link`), second.output());
        assert.equal(await second.ended, 78, second.output());
      } finally {
        second.child.kill('SIGKILL');
      }
      first.child.kill('SIGTERM');
      assert.equal(await first.ended, 0, first.output());
      assert.deepEqual(fs.readdirSync(path.join(folder, 'results')), []);
      const again = link('two');
      try {
        await again.until(/"link.waiting"/);
      } finally {
        again.child.kill('SIGKILL');
        await again.ended;
      }
    } finally {
      first.child.kill('SIGKILL');
    }
  }));
