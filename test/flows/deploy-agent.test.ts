import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { eventually } from '../kit/eventually.ts';
import { buildAgent, sharedGroup, withAgent } from '../kit/exec-agent.ts';
import { requireTool } from '../kit/require-tools.ts';
import { withSidecar } from '../kit/sidecar.ts';
import { standInOdoo } from '../kit/stand-in-odoo.ts';

const skip = process.platform === 'linux' ? requireTool('bwrap', 'cc', 'git') : 'the exec agent is for Linux';
const scratch = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-agent-build-'));
after(() => fs.rmSync(scratch, { recursive: true, force: true }));
const built = path.join(scratch, 'outrigger-exec-agent');

describe('where Odoo has a container of its own, with another root, user and no Node,', { skip }, () => {
  before(() => buildAgent(built));

  test('a module that is edited here is committed here and updated there, and its log comes back', async () => {
    await withAgent(built, async (container) => {
      // The sidecar's folder is the workspace of the container, which sees it elsewhere.
      const { workspace } = container;
      // Whose files they are: git works on those of its own user alone.
      if (process.getuid?.() === 0) fs.chownSync(workspace, 0, sharedGroup);
      fs.mkdirSync(path.join(workspace, 'sale'));
      fs.writeFileSync(path.join(workspace, 'sale', '__manifest__.py'), `{'name': 'good'}\n`);
      fs.chmodSync(path.join(workspace, 'sale'), 0o2775);
      execFileSync('git', ['init', '-q', workspace]);
      // In the container's own folder, as an image would have it.
      const { command } = standInOdoo(path.dirname(container.agent), '/mnt/workspace');
      assert.equal(command, path.join(path.dirname(container.agent), 'odoo'));
      const agents = { app: { socket: container.socket, tokenFile: container.tokenFile, root: '/mnt/workspace' } };
      await withSidecar(
        async ({ url, token, client }) => {
          const post = async (where: string): Promise<Record<string, unknown>> => {
            const response = await fetch(url + where, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
            return (await response.json()) as Record<string, unknown>;
          };
          const done = await post('/deploy/sale');
          assert.equal(done['success'], true, JSON.stringify(done));
          assert.match(String(done['output']), /-u sale --stop-after-init[^]*Modules loaded/);
          assert.equal(done['commit'], execFileSync('git', ['rev-parse', 'HEAD'], { cwd: workspace, encoding: 'utf8' }).trim());

          await client.call('files.write', { path: 'sale/__manifest__.py', text: `{'name': 'broken'}\n` });
          const failed = await post('/deploy/sale');
          assert.deepEqual([failed['success'], /exit code 1\.$/.test(String(failed['error']))], [false, true]);

          await client.call('files.write', { path: 'sale/__manifest__.py', text: `{'name': 'slow'}\n` });
          const waiting = post('/deploy/sale');
          await eventually(() => container.programs().some(({ name }) => name === 'sleep'));
          assert.match(String((await waiting)['error']), /took longer than 1500 ms/);
          await eventually(() => assert.deepEqual(container.programs(), []));

          // Anything else runs there in the same way.
          const who = client.stream('processes.run', {
            argv: ['sh', '-c', 'id -u; pwd; command -v node || echo no node'],
            path: 'sale',
            host: 'app',
          });
          let said = '';
          for await (const { text } of who) said += text;
          assert.equal(said, '101\n/mnt/workspace/sale\nno node\n');
          assert.equal((await who.end).process.host, 'app');

          const long = await client.call('processes.start', { argv: ['sleep', '300'], host: 'app' });
          process.kill(container.pid, 'SIGKILL');
          const { process: lost } = await client.call('processes.wait', { id: long.process.id });
          assert.equal(lost.reason, 'lost');
          await assert.rejects(client.call('processes.start', { argv: ['true'], host: 'app' }), { reason: 'HOST_UNAVAILABLE' });
        },
        {
          workspace,
          config: {
            'processes.agents': JSON.stringify(agents),
            'odoo.host': 'app',
            'odoo.command': '/agent/odoo',
            'odoo.config': '/agent/odoo.conf',
            'odoo.timeoutMs': '1500',
          },
        },
      );
    });
  });
});
