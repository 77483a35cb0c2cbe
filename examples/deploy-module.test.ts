import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { requireTool } from '../test/kit/require-tools.ts';
import { runProgram } from '../test/kit/running-program.ts';
import { standInOdoo } from '../test/kit/stand-in-odoo.ts';

const example = join(import.meta.dirname, 'deploy-module.ts');
const token = 'token-of-the-example-0123';

test('the deploy example has at most 40 lines', () => {
  assert.ok(readFileSync(example, 'utf8').trimEnd().split('\n').length <= 40);
});

test('the deploy example commits and updates a module, and says what failed', { skip: requireTool('git') }, async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'outrigger-example-'));
  const workspace = join(scratch, 'addons');
  mkdirSync(join(workspace, 'library_loans'), { recursive: true });
  writeFileSync(join(workspace, 'library_loans', '__manifest__.py'), `{'name': 'Loans'}\n`);
  execFileSync('git', ['init', '-q', workspace]);
  const { command, config } = standInOdoo(scratch, workspace);
  const env = {
    ...{ PATH: process.env['PATH'], HOME: scratch, WORKSPACE_PATH: workspace, API_PORT: '0', OUTRIGGER_TOKEN: token },
    ...{ OUTRIGGER_ODOO_COMMAND: command, OUTRIGGER_ODOO_CONFIG: config },
  };
  const program = runProgram(process.execPath, [example], { cwd: scratch, env });
  try {
    const [line] = await program.until(/"event":"ready".*/);
    const { url, profiles } = JSON.parse(`{${line}`) as { url: string; profiles: string[] };
    assert.deepEqual(profiles, ['odoo', 'odoo-install', 'check-module']);
    const post = async (path: string): Promise<Record<string, unknown>> =>
      (await (await fetch(url + path, { method: 'POST', headers: { authorization: `Bearer ${token}` } })).json()) as Record<
        string,
        unknown
      >;
    const done = await post('/deploy/library_loans');
    assert.equal(done['success'], true, JSON.stringify(done));
    assert.equal(done['commit'], execFileSync('git', ['rev-parse', 'HEAD'], { cwd: workspace, encoding: 'utf8' }).trim());
    const failed = await post('/install/nothing_there');
    assert.deepEqual([failed['success'], failed['error']], [false, `${command} ended with exit code 255.`]);
    assert.equal(await program.stop(), 0);
  } finally {
    if (program.child.exitCode === null) await program.stop('SIGKILL');
    rmSync(scratch, { recursive: true, force: true });
  }
});
