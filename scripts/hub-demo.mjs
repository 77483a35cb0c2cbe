// `npm run hub`: a hub and two agents with scratch copies of the sample project, which do what is queued. All of it goes when this ends.
// `node scripts/hub-demo.mjs [--port 4000]`
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';

const root = dirname(import.meta.dirname);
const program = join(root, 'src', 'cli', 'main.ts');
const { values } = parseArgs({ options: { port: { type: 'string', default: '4000' } } });
const agents = [
  { id: 'demo-1', capabilities: ['docs'] },
  { id: 'demo-2', capabilities: ['docs', 'reports'] },
];
const tasks = [
  { description: 'Overview of the library module', needs: ['docs'] },
  { description: 'Lines by kind', needs: ['docs'], priority: 'high' },
  { description: 'Report for the weekly meeting', needs: ['reports'] },
  { description: 'Overview once more', needs: ['docs'], priority: 'low' },
];

const folder = mkdtempSync(join(tmpdir(), 'outrigger-hub-demo-'));
const children = [];
let stopping;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => void stop(0));
if (process.env.OUTRIGGER_PARENT_CHANNEL === '1') {
  process.once('disconnect', () => void stop(0));
  process.channel?.unref();
}

try {
  const hub = await startHub();
  for (const agent of agents) await startAgent(hub, agent);
  const { tasks: made } = await ask(hub, 'tasks.create', {
    tasks: tasks.map((task) => ({ ...task, verificationSteps: [{ type: 'git_clean' }] })),
  });
  console.error(`  ${made.length} tasks are queued for ${agents.map(({ id }) => id).join(' and ')}.`);
  console.error(`  See them: ${hub.url}/?token=${hub.token}`);
  console.error(
    `  One more: curl -H "Authorization: Bearer ${hub.token}" -H "Content-Type: application/json" -d '{"tasks":[{"description":"Mine"}]}' ${hub.url}/api/tasks.create`,
  );
  console.error('  Stop: Ctrl-C\n');
  const said = new Set();
  for (;;) {
    const { tasks: listed } = await ask(hub, 'tasks.list', {});
    for (const { id, description, state, holder, reason } of listed.toReversed()) {
      if (said.has(id) || !['succeeded', 'failed', 'dead', 'cancelled'].includes(state)) continue;
      said.add(id);
      const { result } = await ask(hub, 'tasks.get', { id });
      console.log(`${state}  ${description}  ${holder ?? ''}  ${result?.output ?? reason ?? ''}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
} catch (error) {
  if (stopping === undefined) {
    console.error(error.message);
    await stop(1);
  }
}

async function startHub() {
  const child = run(['hub', '--port', values.port, '--state', join(folder, 'hub'), '--log-level', 'info']);
  const url = await heard(child, /"event":"hub\.listening","url":"([^"]+)"/, 'The hub');
  const token = execFileSync('cat', [join(folder, 'hub', 'token')], { encoding: 'utf8' }).trim();
  return { url, token };
}

async function startAgent(hub, { id, capabilities }) {
  const { token } = await ask(hub, 'agents.register', { agent: id });
  const home = join(folder, id);
  const work = join(home, 'work');
  mkdirSync(home, { recursive: true });
  cpSync(join(root, 'examples', 'library-loans'), work, { recursive: true });
  const git = (...args) =>
    execFileSync('git', ['-c', 'user.name=Demo', '-c', 'user.email=demo@localhost', ...args], { cwd: work, stdio: 'ignore' });
  git('init', '--quiet', '--initial-branch', 'main');
  git('add', '.');
  git('commit', '--quiet', '-m', 'The sample project');
  const config = {
    agent_id: id,
    token,
    hub_url: `${hub.url.replace(/^http/, 'ws')}/ws`,
    capabilities,
    wake_command: [process.execPath, join(root, 'examples', 'hub-agent', 'agent.mjs')],
    repo_dir: 'work',
    branches: true,
    allow: 'read',
  };
  writeFileSync(join(home, 'config.json'), JSON.stringify(config, null, 2), { mode: 0o600 });
  const child = run(['link', join(home, 'config.json'), '--state', join(home, 'state'), '--log-level', 'info']);
  await heard(child, /"event":"link\.online"/, id);
}

function run(args) {
  // In a group of its own: a Ctrl-C of the terminal is ours to pass on, in order.
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, OUTRIGGER_PARENT_CHANNEL: '' },
  });
  children.push(child);
  return child;
}

function heard(child, sign, what) {
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr.setEncoding('utf8').on('data', (chunk) => {
      if (text === undefined) return;
      text += chunk;
      const found = sign.exec(text);
      if (found === null) return;
      text = undefined;
      resolve(found[1]);
    });
    child.once('exit', (code) => reject(new Error(`${what} ended with ${code}: ${text ?? ''}`)));
  });
}

async function ask(hub, operation, input) {
  const answer = await fetch(`${hub.url}/api/${operation}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${hub.token}`, 'content-type': 'application/json' },
    body: JSON.stringify(input),
  });
  if (!answer.ok) throw new Error(`${operation}: ${await answer.text()}`);
  return answer.json();
}

/** Agents first, so that they say goodbye to a hub that is there. */
async function stop(code) {
  if (stopping !== undefined) return;
  stopping = true;
  for (const child of children.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  }
  rmSync(folder, { recursive: true, force: true });
  process.exit(code);
}
