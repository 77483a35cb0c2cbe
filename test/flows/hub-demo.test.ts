// The demo of the hub as a newcomer starts it, and what can be asked of its agents from afar.
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { main } from '../kit/command.ts';

const root = path.join(import.meta.dirname, '../..');

describe('npm run hub', { skip: requireTool('git') }, () => {
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-demo-test-'));
  let demo: ChildProcess;
  let said = '';
  let url = '';
  let token = '';

  before(async () => {
    demo = spawn(process.execPath, [path.join(root, 'scripts/hub-demo.mjs'), '--port', '0'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, TMPDIR: temporary },
    });
    for (const stream of [demo.stdout, demo.stderr]) stream?.setEncoding('utf8').on('data', (text: string) => (said += text));
    await eventually(() => {
      const [, found, secret] = /See them: (http:\S+)\/\?token=(\S+)/.exec(said) ?? [];
      assert.ok(found !== undefined && secret !== undefined, said);
      [url, token] = [found, secret];
    }, 60_000);
  });
  after(async () => {
    if (demo.exitCode === null) {
      demo.kill('SIGKILL');
      await once(demo, 'exit');
    }
    fs.rmSync(temporary, { recursive: true, force: true });
  });

  const outrigger = async (...args: string[]): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, [main, ...args], { env: { ...process.env, OUTRIGGER_HUB_TOKEN: token } });

  test('two agents do all that was queued, each in a branch of its own, verified', async () => {
    await eventually(() => assert.equal(said.match(/^succeeded /gm)?.length, 4, said), 60_000);
    assert.match(
      said,
      /succeeded {2}Report for the weekly meeting {2}demo-2 {2}docs\/report-for-the-weekly-meeting\.md: \d+ files, \d+ lines/,
    );
    const { stdout } = await outrigger('hub', 'show', '--url', url);
    assert.match(stdout, /demo-1 +online/);
    assert.equal(stdout.match(/ succeeded /g)?.length, 4);
  });

  test('a task is added from the command line, and waited for (long form)', async () => {
    const { stdout } = await outrigger('hub', 'add', 'Pages by hand', '--needs', 'docs', '--wait', '--url', url);
    assert.match(stdout, /^task-\S+\nsucceeded\n/);
  });

  test('operations of an agent are called over the hub, as far as its owner allows (long form)', async () => {
    const via = ['--via', url, '--agent', 'demo-1'];
    const { stdout } = await outrigger('call', 'files.stat', '{"path":"README.md"}', '--json', ...via);
    assert.equal((JSON.parse(stdout) as { end: { entry: { kind: string } } }).end.entry.kind, 'file');
    const bytes = await outrigger('call', 'files.download', '{"path":"README.md"}', ...via);
    assert.equal(bytes.stdout, fs.readFileSync(path.join(root, 'examples/library-loans/README.md'), 'utf8'));
    const listed = await outrigger('call', 'files.list', '{"path":"docs"}', '--json', ...via);
    assert.match(listed.stdout, /"item":\{"path":"docs\/.*\n\{"end":/);
    await assert.rejects(outrigger('call', 'files.write', '{"path":"x","text":"x"}', '--json', ...via), /ACCESS_DENIED/);
    await assert.rejects(outrigger('call', 'files.stat', '{"path":"x"}', '--via', url, '--agent', 'nobody'), /not connected/);
    await assert.rejects(outrigger('call', 'files.stat', '{"path":"x"}', '--via', url), /--agent/);
  });

  test('a machine becomes an agent by one command, and a spent token makes no second one', async () => {
    const token = (await outrigger('hub', 'enrol', 'third', '--url', url)).stdout.trim();
    const folder = path.join(temporary, 'third');
    fs.mkdirSync(folder);
    const link = spawn(
      process.execPath,
      [main, 'link', folder, '--hub', url, '--enrol', token, '--agent', 'third', '--state', path.join(temporary, 'state')],
      {
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    let log = '';
    link.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
    await eventually(() => assert.match(log, /"event":"link\.online"/), 15_000);
    assert.equal(fs.statSync(path.join(folder, 'config.json')).mode & 0o777, 0o600);
    assert.ok(!log.includes(token));
    link.kill('SIGTERM');
    assert.equal((await once(link, 'exit'))[0], 0);
    await assert.rejects(outrigger('link', folder, '--hub', url, '--enrol', token), /is there already/);
    const other = path.join(temporary, 'other');
    fs.mkdirSync(other);
    await assert.rejects(outrigger('link', other, '--hub', url, '--enrol', token), /does not take .* \(401\)/);
    assert.deepEqual(fs.readdirSync(other), []);
    assert.match((await outrigger('hub', 'register', 'fourth', '--url', url)).stdout, /^ogr_fourth_/);
  });

  test('a signal ends all of it and leaves nothing', async () => {
    demo.kill('SIGTERM');
    const [code] = (await once(demo, 'exit')) as [number | null];
    assert.equal(code, 0, said);
    assert.deepEqual(
      fs.readdirSync(temporary).filter((name) => name.startsWith('outrigger-hub-demo')),
      [],
    );
  });
});
