// Ctrl-Break of Windows, shown on any system: the process is told that it is Windows, and the event comes as Node gives it there.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runProgram } from '../kit/running-program.ts';

const main = path.join(import.meta.dirname, '../../src/cli/main.ts');
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
