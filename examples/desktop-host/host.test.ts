import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

function run(env: Record<string, string>): { status: number | null; stdout: string; stderr: string } {
  const state = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-host-'));
  try {
    return spawnSync(process.execPath, [path.join(import.meta.dirname, 'host.mjs')], {
      encoding: 'utf8',
      timeout: 60_000,
      env: { ...process.env, XDG_STATE_HOME: state, ...env },
    });
  } finally {
    fs.rmSync(state, { recursive: true, force: true });
  }
}

test('the desktop host reads through its sidecar, outlives kill -9 of it, edits, and stops cleanly', () => {
  const { status, stdout, stderr } = run({});
  assert.equal(stderr, '');
  for (const line of [/read by the sidecar/, /^search: src\/greet.ts:1 /m, /^kill -9: .* 56 bytes$/m, /^back: read by a new sidecar, 56 bytes$/m]) {
    assert.match(stdout, line);
  }
  assert.match(stdout, /^edit: \{"ok":true/m);
  assert.match(stdout, /again: conflict\nclosed: nothing is left running\n$/);
  assert.equal(status, 0);
});

test('without a sidecar it says so once and does the same', () => {
  const { status, stdout, stderr } = run({ OUTRIGGER_SIDECAR_PATH: '/no/such/sidecar' });
  assert.equal(stderr.match(/warning:/g)?.length, 1);
  assert.match(stderr, /OUTRIGGER_SIDECAR_PATH names \/no\/such\/sidecar/);
  assert.match(stdout, /read by Node alone[^]*^search: src\/greet.ts:1 [^]*^edit: \{"ok":true/m);
  assert.equal(status, 0);
});
