// `outrigger init link`, and what it writes: each file read by the program that will read it, where that is there.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { LinkConfigError, loadLinkConfig } from '../../src/config/link-config.ts';
import { linkFiles } from '../../src/cli/templates/link-files.ts';
import { requireTool } from '../kit/require-tools.ts';
import { main } from '../kit/command.ts';

const root = path.join(import.meta.dirname, '../..');
const base = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-link-init-'));
// What a unit, a script and XML could each stumble over.
const name = `agent's "100%" & <co> $HOME`;
const folder = path.join(base, name);
const at = (file: string): string => path.join(folder, file);
const text = (file: string): string => fs.readFileSync(at(file), 'utf8');
after(() => fs.rmSync(base, { recursive: true, force: true }));

function ran(program: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): { code: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: base, encoding: 'utf8', env });
  return { code: status, said: stdout + stderr };
}

const cli = (...args: string[]): { code: number | null; said: string } => ran(process.execPath, [main, ...args]);

before(() => {
  const { code, said } = cli('init', 'link', name);
  assert.equal(code, 0, said);
  for (const file of Object.keys(linkFiles(folder))) assert.ok(said.includes(`wrote  ${path.join(name, file)}\n`), file);
  assert.match(said, /cp config\.json\.example config\.json && chmod 600/);
});

test('a second time nothing is overwritten, unless --force says so, and the config is never touched', () => {
  fs.writeFileSync(at('config.json'), '{}');
  const again = cli('init', 'link', name);
  assert.equal(again.code, 1);
  assert.match(again.said, /holds config\.json\.example.*already/);
  assert.equal(cli('init', 'link', name, '--force').code, 0);
  assert.equal(text('config.json'), '{}');
  fs.rmSync(at('config.json'));
});

test('a folder called link is no project of its own by mistake, and a project is still written', () => {
  const nothing = cli('init', 'link');
  assert.equal(nothing.code, 2);
  assert.match(nothing.said, /missing required argument 'folder'/);
  assert.equal(cli('init', 'a-project').code, 0);
  assert.ok(fs.existsSync(path.join(base, 'a-project/package.json')));
});

test('the example says what has to be filled in, and holds with a token', () => {
  fs.copyFileSync(at('config.json.example'), at('config.json'));
  assert.throws(
    () => loadLinkConfig(folder),
    (error) =>
      error instanceof LinkConfigError && error.problems.length === 1 && /token is still what the example says/.test(error.message),
  );
  fs.writeFileSync(at('config.json'), text('config.json').replace(/"token": "[^"]+"/, '"token": "t"'));
  const config = loadLinkConfig(folder);
  assert.deepEqual(config.warnings, []);
  assert.deepEqual(Object.keys(JSON.parse(text('config.json')).timeouts), ['dial_ms', 'identify_ms', 'ping_ms', 'pong_ms', 'stop_ms']);
  fs.rmSync(at('config.json'));
});

test('git keeps the token and what is made at run time out', { skip: requireTool('git') }, () => {
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
  ])
    assert.equal(ran('git', ['-C', folder, ...args]).code, 0);
  for (const file of ['config.json', 'queue.json', 'link.log', 'link.log.1', 'logs/x', 'results/x.json', 'state/x', 'token'])
    assert.equal(ran('git', ['-C', folder, 'check-ignore', '-q', file]).code, 0, file);
  const kept = ran('git', ['-C', folder, 'ls-files']).said.trim().split('\n').sort();
  assert.deepEqual(kept, Object.keys(linkFiles(folder)).sort());
});

test('start.sh starts the link of its own folder from anywhere, with its arguments', { skip: process.platform === 'win32' }, () => {
  assert.equal(ran('sh', ['-n', at('start.sh')]).code, 0);
  const program = path.join(base, 'program');
  fs.writeFileSync(program, '#!/bin/sh\necho "$PWD|$*"\nexit 78\n', { mode: 0o755 });
  const { code, said } = ran(at('start.sh'), ['--check'], { ...process.env, OUTRIGGER: program });
  assert.deepEqual([code, said], [78, `${fs.realpathSync(folder)}|link config.json --check\n`]);
});

test('the agent that is written does a task, whatever its description holds, where the example starts it', () => {
  fs.writeFileSync(at('config.json'), text('config.json.example').replace(/"token": "[^"]+"/, '"token": "t"'));
  const { root: startedIn, wakeCommand, resultsFolder } = loadLinkConfig(folder);
  fs.rmSync(at('config.json'));
  const [taskFile, resultFile] = [path.join(base, 'task.json'), path.join(resultsFolder, 'task-1.json')];
  fs.mkdirSync(resultsFolder);
  const env = {
    OUTRIGGER_TASK_ID: 'task-1',
    OUTRIGGER_TASK_FILE: taskFile,
    OUTRIGGER_RESULTS: resultsFolder,
    OUTRIGGER_RESULT_FILE: resultFile,
  };
  const result = (task: string): Record<string, unknown> => {
    fs.writeFileSync(taskFile, task);
    const [program = '', ...args] = wakeCommand as readonly string[];
    const { status, stderr } = spawnSync(program, args, { cwd: startedIn, encoding: 'utf8', env: { ...process.env, ...env } });
    assert.equal(status, 0, stderr);
    assert.deepEqual(fs.readdirSync(resultsFolder).sort(), ['task-1.json', 'task-1.started']);
    return JSON.parse(fs.readFileSync(resultFile, 'utf8')) as Record<string, unknown>;
  };
  const description = `say "it's"\nto Jörg \\ $HOME %s \`x\``;
  assert.deepEqual(result(JSON.stringify({ description })), { status: 'success', output: `done: ${description}` });
  const failed = result('no JSON');
  assert.equal(failed['status'], 'failed');
  assert.match(String(failed['reason']), /SyntaxError/);
  fs.rmSync(resultsFolder, { recursive: true });
});

test('pm2 takes the ecosystem file', () => {
  const file = at('ecosystem.config.cjs');
  assert.equal(ran(process.execPath, ['--check', file]).code, 0);
  const { said } = ran(process.execPath, ['-p', `JSON.stringify(require(${JSON.stringify(file)}))`]);
  const { apps } = JSON.parse(said) as { apps: Record<string, unknown>[] };
  assert.deepEqual(
    [apps[0]?.['cwd'], apps[0]?.['max_restarts'], apps[0]?.['min_uptime'], apps[0]?.['restart_delay'], apps[0]?.['stop_exit_codes']],
    [folder, 50, 5000, 2000, [78]],
  );
});

for (const kind of ['user', 'system'] as const) {
  test(`systemd takes the ${kind} unit`, {
    skip: process.platform === 'linux' ? requireTool('systemd-analyze') : 'systemd is for Linux',
  }, () => {
    const args = ['verify', '--man=no', ...(kind === 'user' ? ['--user'] : []), at(`systemd/${kind}/outrigger-link.service`)];
    const verified = ran('systemd-analyze', args, { ...process.env, XDG_RUNTIME_DIR: base });
    // Elsewhere than in our unit there may be anything.
    const ours = verified.said.split('\n').filter((line) => line.includes('outrigger-link'));
    assert.deepEqual([verified.code, ours], [0, []], verified.said);
    const broken = path.join(base, 'outrigger-link-broken.service');
    fs.writeFileSync(broken, text(`systemd/${kind}/outrigger-link.service`).replace('Restart=always', 'Restart=sometimes'));
    const faulty = ran('systemd-analyze', [...args.slice(0, -1), broken], { ...process.env, XDG_RUNTIME_DIR: base });
    assert.match(faulty.said, /outrigger-link-broken.*restart/, 'the check can fail');
  });
}

test('the launchd plist is one, with the folder as it is called', { skip: requireTool('python3') }, () => {
  const read = `import json, plistlib, sys; print(json.dumps(plistlib.load(open(sys.argv[1], 'rb'))))`;
  const { code, said } = ran('python3', ['-c', read, at('launchd/outrigger.link.plist')]);
  assert.equal(code, 0, said);
  const plist = JSON.parse(said) as Record<string, unknown>;
  assert.deepEqual(plist['ProgramArguments'], ['/bin/sh', at('start.sh')]);
  assert.deepEqual(
    [plist['WorkingDirectory'], plist['KeepAlive'], plist['RunAtLoad'], plist['ThrottleInterval']],
    [folder, true, true, 60],
  );
});

test('what Windows reads is ASCII with its line ends, and its brackets are closed', () => {
  for (const file of ['start.cmd', 'windows-service.ps1']) {
    const content = text(file);
    assert.match(content, /^[\t\r\n -~]*$/, file);
    assert.equal(content.split('\n').length, content.split('\r\n').length, file);
    // Outside of texts and comments.
    const bare = content.replace(/#.*|^rem .*/gm, '').replace(/'[^']*'|"(?:`.|[^"`])*"/g, '');
    for (const [open, close] of ['()', '{}', '[]'].map((pair) => [...pair] as [string, string]))
      assert.equal(bare.split(open).length, bare.split(close).length, `${file}: ${open}${close}`);
  }
});

test('deploy/link is what `outrigger init link` writes for /opt/outrigger-link', () => {
  const files = linkFiles('/opt/outrigger-link');
  const there = fs
    .readdirSync(path.join(root, 'deploy/link'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(path.join(root, 'deploy/link'), path.join(entry.parentPath, entry.name)).split(path.sep).join('/'));
  assert.deepEqual(there.sort(), Object.keys(files).sort());
  for (const [file, content] of Object.entries(files))
    assert.equal(fs.readFileSync(path.join(root, 'deploy/link', file), 'utf8'), content, file);
});
