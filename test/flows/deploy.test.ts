import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { requireTool } from '../kit/require-tools.ts';
import { type RunningSidecar, type SidecarSetup, withSidecar } from '../kit/sidecar.ts';
import { standInOdoo } from '../kit/stand-in-odoo.ts';

const needsGit = { skip: requireTool('git') };

interface WithOdoo extends RunningSidecar {
  /** What Platxa's clients call. */
  post(where: string): Promise<{ status: number; body: Record<string, unknown> }>;
  git(...args: string[]): string;
}

/** A sidecar on a repository with modules, and a program beside it that behaves as Odoo does. */
async function withOdoo(run: (running: WithOdoo) => Promise<void>, setup: SidecarSetup = {}): Promise<void> {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-odoo-')));
  const { command, config } = standInOdoo(folder, '.');
  try {
    await withSidecar(
      async (running) => {
        await run({
          ...running,
          post: async (where) => {
            const response = await fetch(running.url + where, { method: 'POST', headers: { authorization: `Bearer ${running.token}` } });
            return { status: response.status, body: (await response.json()) as Record<string, unknown> };
          },
          git: (...args) => git(running.root, ...args),
        });
      },
      {
        ...setup,
        config: { 'odoo.command': command, 'odoo.config': config, ...setup.config },
        prepare: async (root) => {
          git(root, 'init', '-q', '-b', 'main');
          for (const [name, text] of Object.entries({ sale: 'good', bad: 'broken', lazy: 'slow', deaf: 'stubborn' })) {
            fs.mkdirSync(path.join(root, name));
            fs.writeFileSync(path.join(root, name, '__manifest__.py'), `{'name': '${text}'}\n`);
          }
          git(root, 'add', '-A');
          git(root, 'commit', '-q', '-m', 'modules');
          await setup.prepare?.(root);
        },
      },
    );
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function git(root: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=Ada', '-c', 'user.email=ada@example.org'];
  return execFileSync('git', [...identity, ...args], { cwd: root, encoding: 'utf8' }).trim();
}

test('a module is committed and updated, and the answer says so as Platxa reads it', needsGit, () =>
  withOdoo(async ({ post, git: inRepository, put }) => {
    put('sale/models.py', 'x = 1\n');
    const { status, body } = await post('/deploy/sale');
    assert.equal(status, 200);
    assert.equal(body['success'], true, JSON.stringify(body));
    assert.match(String(body['output']), /-u sale --stop-after-init[^]*Modules loaded\./);
    assert.equal(body['commit'], inRepository('rev-parse', 'HEAD'));
    assert.equal(inRepository('log', '-1', '--format=%s'), 'Deploy sale');
    assert.equal(inRepository('status', '--porcelain'), '');
    // Nothing to commit is no failure.
    const again = await post('/install/sale');
    assert.deepEqual([again.body['success'], again.body['commit']], [true, body['commit']], JSON.stringify(again.body));
    assert.match(String(again.body['output']), /-i sale/);
  }),
);

test('a module that fails is an answer with its output, and a name that is none never reaches a program', needsGit, () =>
  withOdoo(async ({ post, client }) => {
    const failed = await post('/deploy/bad');
    assert.equal(failed.status, 200);
    assert.deepEqual([failed.body['success'], /exit code 1\.$/.test(String(failed.body['error']))], [false, true]);
    assert.match(String(failed.body['output']), /ParseError: grüße/);
    const missing = await post('/deploy/nothing_there');
    assert.match(String(missing.body['error']), /exit code 255/);
    for (const name of ['sale;id', '$(id)', '-d', 'Sale', '%0a', 'a%20b', '..', 'a%2Fb']) {
      const { status, body } = await post(`/deploy/${encodeURI(name).replaceAll('%25', '%')}`);
      // Two dots are the path of the page, which takes no POST.
      assert.ok((name === '..' ? [405] : [400, 404]).includes(status), `${name}: ${status}`);
      assert.notEqual(body['success'], true);
    }
    const { deployments } = await client.call('deploy.list', {});
    assert.deepEqual(
      deployments.map(({ state, parameters }) => `${parameters['module']} ${state}`),
      ['nothing_there failed', 'bad failed'],
    );
  }),
);

test('one at a time; what takes too long is ended, also when it does not listen (long form)', needsGit, () =>
  withOdoo(
    async ({ post, client }) => {
      const slow = post('/deploy/lazy');
      await eventually(async () => (await client.call('deploy.list', {})).deployments[0]?.state === 'running');
      const second = await post('/deploy/sale');
      assert.deepEqual([second.status, second.body['success']], [409, false]);
      assert.match(String((await slow).body['error']), /took longer than 700 ms and was ended/);
      const started = performance.now();
      assert.match(String((await post('/deploy/deaf')).body['error']), /took longer/);
      assert.ok(performance.now() - started < 5000);
    },
    { config: { 'odoo.timeoutMs': '700' } },
  ),
);

test('the log of Odoo comes line by line over /logs/odoo, what was before and what follows', needsGit, () =>
  withOdoo(async ({ post, port, token }) => {
    await post('/deploy/sale');
    const lines: string[] = [];
    const socket = new WebSocket(`ws://127.0.0.1:${port}/logs/odoo?token=${token}`);
    socket.onmessage = ({ data }) => lines.push(data as string);
    await eventually(() => lines.some((line) => line.endsWith('Modules loaded.')));
    await post('/deploy/bad');
    await eventually(() => lines.some((line) => /exit code 1\.$/.test(line)));
    const text = lines.join('\n');
    assert.match(text, /-u sale[^]*Modules loaded\.[^]*-u bad[^]*Failed to load registry[^]*ended with exit code 1\./);
    assert.ok(lines.includes('Traceback (most recent call last): ParseError: grüße'));
    assert.ok(lines.every((line) => !line.includes('\n')));
    socket.close();
    const refused = new WebSocket(`ws://127.0.0.1:${port}/logs/odoo`);
    await new Promise((resolve) => (refused.onerror = resolve));
  }),
);

test('the deployment goes on when the caller is gone, and another one sees its end', needsGit, () =>
  withOdoo(async ({ client, put }) => {
    put('lazy/__manifest__.py', `{'name': 'quick'}\n`);
    const leaving = new AbortController();
    const call = client.stream('deploy.run', { profile: 'odoo', parameters: { module: 'lazy' } }, { signal: leaving.signal });
    call.end.catch(() => {});
    void call[Symbol.asyncIterator]()
      .next()
      .catch(() => {});
    await eventually(async () => (await client.call('deploy.list', {})).deployments.length === 1);
    leaving.abort();
    await eventually(async () => (await client.call('deploy.list', {})).deployments[0]?.state === 'succeeded');
  }),
);

test('profiles of one’s own have typed parameters, and what is no profile stops the start (long form)', async () => {
  const profiles = {
    greet: {
      summary: 'Says hello',
      argv: ['printf', '%s|', 'hello', '{who}', '--loud={loud}', '{extra}'],
      parameters: {
        who: { type: 'text' },
        loud: { type: 'choice', choices: ['yes', 'no'], default: 'no' },
        extra: { type: 'switch', argument: '--extra' },
      },
      before: 'none',
      env: { GREETING: 'x' },
    },
  };
  await withSidecar(
    async ({ client }) => {
      const said: string[] = [];
      const stream = client.stream('deploy.run', { profile: 'greet', parameters: { who: 'a; $(b) "c"', extra: true } });
      for await (const { text } of stream) said.push(text);
      const { deployment } = await stream.end;
      assert.equal(said.join(''), 'hello|a; $(b) "c"|--loud=no|--extra|');
      assert.deepEqual([deployment.state, deployment.exitCode, deployment.commit, deployment.checkpoint], ['succeeded', 0, null, null]);
      const listed = (await client.call('deploy.list', {})).profiles;
      assert.deepEqual(
        listed.map(({ name }) => name),
        ['odoo', 'odoo-install', 'greet'],
      );
      await assert.rejects(client.call('deploy.run', { profile: 'greet', parameters: { who: '-x' } }), { reason: 'BAD_INPUT' });
      await assert.rejects(client.call('deploy.run', { profile: 'none' }), { reason: 'NO_PROFILE' });
      await assert.rejects(client.call('deploy.rollback', { to: deployment.id }), { reason: 'BAD_INPUT' });
    },
    { config: { 'deploy.profiles': JSON.stringify(profiles) } },
  );
  for (const broken of [{ greet: { argv: [] } }, { greet: { argv: ['x', '{y}'] } }, { 'Not A Name': { argv: ['x'] } }])
    await assert.rejects(
      withSidecar(async () => {}, { config: { 'deploy.profiles': JSON.stringify(broken) } }),
      /deploy\.profiles/,
    );
});

test('a rollback that can’t make the folder what it was fails, says why, and changes nothing (long form)', needsGit, async () => {
  const argv = ['sh', '-c', 'cat current/app >> ../deployed.txt; ! grep -q bad current/app'];
  const profiles = { site: { argv, before: 'checkpoint', rollback: true } };
  await withSidecar(
    async ({ client, root, put, file }) => {
      const current = path.join(root, 'current');
      const link = (to: string): void => {
        fs.rmSync(current, { force: true });
        fs.symlinkSync(to, current);
      };
      const deploy = async () => {
        const stream = client.stream('deploy.run', { profile: 'site' });
        for await (const _ of stream);
        return stream.end;
      };
      put('v1/app', 'good\n');
      put('v2/app', 'bad\n');
      link('v1');
      const { deployment: good } = await deploy();
      assert.equal(good.state, 'succeeded', good.error);
      link('v2');
      put('v1/app', 'edited\n');
      const { deployment, rollback } = await deploy();
      assert.deepEqual([deployment.state, rollback?.state, rollback?.process], ['failed', 'failed', null]);
      assert.match(rollback?.error ?? '', /current \(it is, or was, a symbolic link/);
      const stream = client.stream('deploy.rollback', { to: good.id });
      for await (const _ of stream);
      const again = (await stream.end).deployment;
      assert.deepEqual([again.state, again.error], ['failed', rollback?.error]);
      assert.deepEqual([fs.readlinkSync(current), file('v1/app')], ['v2', 'edited\n']);
      assert.equal(fs.readFileSync(path.join(root, '../deployed.txt'), 'utf8'), 'good\nbad\n');
      // With the link as it was, it goes back.
      link('v1');
      const last = client.stream('deploy.rollback', { to: good.id });
      for await (const _ of last);
      assert.deepEqual([(await last.end).deployment.state, file('v1/app')], ['succeeded', 'good\n']);
    },
    { config: { 'deploy.profiles': JSON.stringify(profiles) }, prepare: (root) => void git(root, 'init', '-q', '-b', 'main') },
  );
});

test('what is remembered of deployments outlives the sidecar (long form)', needsGit, () =>
  withOdoo(async ({ client, post, stateFolder }) => {
    await post('/deploy/sale');
    const [deployment] = (await client.call('deploy.list', {})).deployments;
    assert.equal(deployment?.state, 'succeeded');
    assert.ok(fs.existsSync(path.join(stateFolder, 'state.db')));
    const output = client.stream('processes.output', { id: deployment?.process ?? '' });
    let text = '';
    for await (const item of output) text += item.text;
    assert.match(text, /Modules loaded/);
  }),
);
