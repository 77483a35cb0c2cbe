// docs/hub.md and docs/link.md, done as they say: their commands by a shell, at a real hub with a real link.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { linkFiles } from '../src/cli/templates/link-files.ts';
import { loadLinkConfig } from '../src/config/link-config.ts';
import { type TaskEvent, type TaskRecord, taskStates } from '../src/hub/task-store.ts';
import { isHeld, newTask, transition } from '../src/hub/transition.ts';
import { blocks, fits, readPage, repository } from './kit/doc-pages.ts';
import { eventually } from './kit/eventually.ts';
import { requireTool } from './kit/require-tools.ts';
import { runProgram } from './kit/running-program.ts';
import { taskRequest } from './kit/task-request.ts';
import { main } from './kit/command.ts';

const skip = process.platform === 'win32' && 'the pages write commands for a POSIX shell';
const written = '127.0.0.1:4000';
const unitChecker = 'systemd-analyze';

/** As much of curl as the pages use. */
const curl = `
const args = process.argv.slice(2), headers = [];
let body, url;
while (args.length > 0) {
  const arg = args.shift();
  if (arg === '-H') headers.push(args.shift().split(/: (.*)/).slice(0, 2));
  else if (arg === '-d') body = args.shift();
  else url = arg;
}
const answer = await fetch(url, { headers, ...(body === undefined ? {} : { method: 'POST', body }) });
process.stdout.write(await answer.text());
`;

interface Bench {
  base: string;
  env: Record<string, string>;
  /** Runs one line of shell; variables that it sets are there for the next. */
  shell(line: string, cwd?: string): { code: number | null; said: string };
  outrigger(...args: string[]): ReturnType<typeof runProgram>;
}

/** Runs with a home of its own, and with `outrigger` and `curl` on PATH. What was started is ended. */
async function withBench(run: (bench: Bench) => Promise<void>): Promise<void> {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-docs-')));
  const [bin, home] = [path.join(base, 'bin'), path.join(base, 'home')];
  for (const folder of [bin, home]) fs.mkdirSync(folder);
  fs.writeFileSync(path.join(base, 'curl.mjs'), curl);
  for (const [name, program] of [
    ['outrigger', main],
    ['curl', path.join(base, 'curl.mjs')],
  ] as const)
    fs.writeFileSync(path.join(bin, name), `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`, { mode: 0o755 });
  const env: Record<string, string> = { PATH: `${bin}:${process.env['PATH']}`, HOME: home, TMPDIR: base };
  const started: ReturnType<typeof runProgram>[] = [];
  try {
    await run({
      base,
      env,
      shell: (line, cwd = base) => {
        const set = /^(?:export )?([A-Z_]+)=/.exec(line)?.[1];
        const keep = set === undefined ? '' : ` && printf '%s' "$${set}" > '${base}/value'`;
        const { status, stdout } = spawnSync('sh', ['-c', `exec 2>&1; ${line}${keep}`], { cwd, env, encoding: 'utf8', timeout: 30_000 });
        if (set !== undefined) env[set] = fs.readFileSync(path.join(base, 'value'), 'utf8');
        return { code: status, said: stdout };
      },
      outrigger: (...args) => {
        const program = runProgram(process.execPath, [main, ...args], { env, cwd: base });
        started.push(program);
        return program;
      },
    });
  } finally {
    for (const program of started.toReversed()) await program.stop();
    fs.rmSync(base, { recursive: true, force: true });
  }
}

/** The `$ …` commands of a block, each with what is said to follow. */
function commandsOf(block: string): { line: string; expected: string }[] {
  return block
    .split(/^\$ /m)
    .slice(1)
    .map((text) => {
      const [line = '', ...rest] = text.split('\n');
      return { line, expected: rest.join('\n').trimEnd() };
    });
}

function replay({ shell }: Bench, block: string, host: string): void {
  for (const { line, expected } of commandsOf(block)) {
    const said = shell(line.replaceAll(written, host)).said.replaceAll(host, written).trimEnd();
    const tidy = said.replace(/ +$/gm, '');
    assert.ok(fits(tidy, expected), `$ ${line}\nis said to answer\n${expected}\nand answers\n${tidy}`);
  }
}

/** The folder of a link with the agent of docs/link.md and its config. */
function writeAgent(folder: string, more: object): void {
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'notes.txt'), 'hi\n');
  const [agent = ''] = blocks('docs/link.md', 'js agent.mjs');
  assert.equal(agent, linkFiles(folder)['agent.mjs'], 'the page shows what `outrigger init link` writes');
  // The link has to see that it began before the result is there.
  const slow = agent.replace('  return `done', '  await new Promise((resolve) => setTimeout(resolve, 1500));\n  return `done');
  assert.notEqual(slow, agent);
  fs.writeFileSync(path.join(folder, 'agent.mjs'), slow);
  const config = { capabilities: ['code'], wake_command: ['node', 'agent.mjs'], allow: 'read', ...more };
  fs.writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 });
}

test('the commands and requests of docs/hub.md answer as they say', { skip }, () =>
  withBench(async (bench) => {
    const [banner = ''] = blocks('docs/hub.md', 'console hub');
    const hub = bench.outrigger('hub', '--port', '0', '--log-level', 'warn');
    const [, host = ''] = await hub.until(/listens on http:\/\/(\S+),/);
    await hub.until(/ {2}API .*\n/);
    assert.ok(fits(hub.output().replaceAll(host, written).trim(), banner.split('\n').slice(1).join('\n').trim()), hub.output());

    const page = [...readPage('docs/hub.md').matchAll(/^```(console|console link)\n([^]*?)^```$/gm)];
    assert.ok(page.length >= 6);
    for (const [, label, block = ''] of page) {
      const linked = label === 'console link' ? await link(bench, host) : undefined;
      replay(bench, block, host);
      // By its own word, and not by its result alone.
      await linked?.until(/"step":"confirmed"/);
    }
  }),
);

/** The link of the page's agent, online. Its secret is one that is made now, as the page's own was printed to nobody. */
async function link(bench: Bench, host: string): Promise<ReturnType<typeof runProgram>> {
  const folder = path.join(bench.base, 'builder-1');
  const ask = (name: string, body: object): Record<string, unknown> => {
    const owner = `Authorization: Bearer $(cat ~/.local/state/outrigger/hub/token)`;
    const { said } = bench.shell(
      `curl -H "${owner}" -H 'Content-Type: application/json' -d '${JSON.stringify(body)}' http://${host}/api/${name}`,
    );
    return JSON.parse(said) as Record<string, unknown>;
  };
  const { token } = ask('agents.rotate', { agent: 'builder-1' });
  writeAgent(folder, { agent_id: 'builder-1', token, hub_url: `ws://${host}/ws` });
  const linked = bench.outrigger('link', folder);
  await linked.until(/"link.online"/);
  return linked;
}

test('docs/link.md leads from nothing to a link that is online', { skip }, () =>
  withBench(async (bench) => {
    const hub = bench.outrigger('hub', '--port', '0');
    const [, host = ''] = await hub.until(/listens on http:\/\/(\S+),/);
    const lines = blocks('docs/link.md', 'sh')[0]?.trim().split('\n') ?? [];
    assert.equal(lines.length, 4);
    const [init = '', copy = '', check = '', run = ''] = lines.map((line) => line.replace(/ +#.*/, ''));
    const made = bench.shell(`${init} && ${copy}`);
    assert.equal(made.code, 0, made.said);
    const folder = path.join(bench.base, 'my-agent');
    const file = path.join(folder, 'config.json');
    const token = bench.shell('outrigger hub register my-agent').said.trim();
    const config = JSON.parse(fs.readFileSync(file, 'utf8')) as object;
    fs.writeFileSync(file, JSON.stringify({ ...config, agent_id: 'my-agent', token, hub_url: `ws://${host}/ws` }));
    const checked = bench.shell(check, folder);
    assert.equal(checked.code, 0, checked.said);
    assert.match(checked.said, /^ok {2}identify {2}The hub knows this agent as my-agent\.$/m);
    assert.equal(run, 'outrigger link');
    const linked = bench.outrigger('link', file);
    await linked.until(/"link.online"/);
    await eventually(() => assert.match(bench.shell('outrigger hub show').said, /^my-agent +online/m));
    assert.equal(await linked.stop(), 0);
  }),
);

test('docs/link.md names the fields of config.json that there are, with their defaults', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-docs-'));
  try {
    const [, table = ''] = /^## config\.json\n([^]*?)\n## /m.exec(readPage('docs/link.md')) ?? [];
    const rows = [...table.matchAll(/^\| `(\w+)` \| (.*?) \|/gm)].map(([, name = '', standard = '']) => ({ name, standard }));
    const given: Record<string, unknown> = { agent_id: 'a', token: 't', hub_url: 'ws://127.0.0.1/ws' };
    for (const { name, standard } of rows) {
      const json = /^`(.*)`$/.exec(standard)?.[1];
      // What is neither JSON nor a value of its own can't be written down as it stands.
      if (json !== undefined && /^[[{"\dft]/.test(json)) given[name] = JSON.parse(json);
    }
    const file = path.join(folder, 'config.json');
    const load = (config: object): ReturnType<typeof loadLinkConfig> => {
      fs.writeFileSync(file, JSON.stringify(config));
      return loadLinkConfig(file);
    };
    const { agent_id, token, hub_url } = given;
    assert.deepEqual(load(given), load({ agent_id, token, hub_url }), 'what stands there as defaults changes nothing');
    const source = fs.readFileSync(path.join(repository, 'src/config/link-config.ts'), 'utf8');
    const [, names = ''] = /const fieldNames = \[([^]*?)\n\];/.exec(source) ?? [];
    assert.deepEqual(rows.map(({ name }) => name).toSorted(), [...names.matchAll(/'(\w+)'/g)].map(([, name = '']) => name).toSorted());
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('the table of states in docs/hub.md is what the machine does', () => {
  const said = new Map<string, Set<string>>();
  for (const [, what = '', from = '', to = ''] of readPage('docs/hub.md').matchAll(/^\| (.*\(`.*`\)) \| (`.*?) \| (`.*?) \|$/gm)) {
    const codes = (text: string): string[] => [...text.matchAll(/`(\w+)`/g)].map(([, code = '']) => code);
    const becomes = codes(to).filter((code) => (taskStates as readonly string[]).includes(code));
    for (const event of codes(what))
      for (const state of codes(from)) {
        const key = `${event} in ${state}`;
        said.set(key, new Set([...(said.get(key) ?? []), ...becomes]));
      }
  }
  const does = new Map<string, Set<string>>();
  for (const event of allEvents)
    for (const task of allTasks()) {
      const { state } = transition(task, event, now, () => 0.5).task;
      const key = `${event.type} in ${task.state}`;
      if (state !== task.state) does.set(key, (does.get(key) ?? new Set()).add(state));
    }
  const lines = (table: Map<string, Set<string>>): string[] =>
    [...table].map(([key, states]) => `${key}: ${[...states].toSorted().join(' ')}`);
  assert.ok(said.size > 20);
  assert.deepEqual(lines(said).toSorted(), lines(does).toSorted());
});

const now = 1_000_000;
const by = { agent: 'a', fence: 1 };
const report = (status: string): Record<string, unknown> => ({ status });
const allEvents: readonly TaskEvent[] = [
  { type: 'offer', agent: 'a', acceptBy: now + 1 },
  { type: 'accept', ...by, leaseUntil: now + 9 },
  { type: 'renew', ...by, leaseUntil: now + 9 },
  { type: 'progress', ...by, percent: 1, text: null },
  { type: 'refuse', ...by, reason: '' },
  { type: 'disown', ...by },
  { type: 'complete', ...by, result: {}, report: null },
  { type: 'complete', ...by, result: {}, report: report('pass') },
  { type: 'complete', ...by, result: {}, report: report('fail') },
  { type: 'fail', ...by, reason: '', retryable: true, report: null },
  { type: 'fail', ...by, reason: '', retryable: false, report: null },
  { type: 'cancel', by: 'u', reason: '', cancelBy: now + 9 },
  { type: 'retry', by: 'u' },
  { type: 'released', dependency: 'x' },
  { type: 'tick' },
  { type: 'clock', byMs: -5 },
];

/** A task in each state, under fence 1, with each of what its next state may hang on. */
function* allTasks(): Generator<TaskRecord> {
  const base = newTask('t', taskRequest(), 'u', [], now);
  const times = [now - 1, now + 5];
  for (const state of taskStates)
    for (const attempt of [1, base.maxAttempts])
      for (const cancelBy of isHeld(state) ? [null, ...times] : [null])
        for (const deadline of [null, now - 1])
          for (const waitsFor of state === 'scheduled' ? [[], ['x']] : [[]])
            for (const time of times)
              yield {
                ...base,
                ...{ state, attempt, cancelBy, deadline, waitsFor, fence: 1, holder: 'a' },
                runAt: state === 'scheduled' ? time : now - 1,
                acceptBy: state === 'offered' ? time : null,
                // Who lost a task may work on it until then.
                leaseUntil: state === 'running' || state === 'failed' || state === 'cancelled' ? time : null,
              };
}

test('systemd takes the unit of docs/hub.md', {
  skip: process.platform === 'linux' ? requireTool(unitChecker) : 'systemd is for Linux',
}, () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-docs-'));
  try {
    const [unit = ''] = blocks('docs/hub.md', 'ini');
    const verify = (text: string): string[] => {
      const file = path.join(folder, 'outrigger-hub.service');
      // The program has to be there.
      fs.writeFileSync(file, text.replace('/usr/local/bin/outrigger', '/bin/sh'));
      const { stdout, stderr } = spawnSync(unitChecker, ['verify', '--man=no', file], {
        encoding: 'utf8',
        env: { ...process.env, XDG_RUNTIME_DIR: folder },
      });
      return (stdout + stderr).split('\n').filter((line) => line.includes('outrigger-hub'));
    };
    assert.deepEqual(verify(unit), []);
    assert.match(verify(unit.replace('Restart=always', 'Restart=sometimes')).join('\n'), /restart/i, 'the check can fail');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
