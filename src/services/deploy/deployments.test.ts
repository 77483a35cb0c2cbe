import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventually } from '../../../test/kit/eventually.ts';
import { type ProcessHarness, sh, withTable } from '../../../test/kit/process-harness.ts';
import { deployProfile, type Deployment } from '../../contract/deploy.ts';
import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import { DeployStore } from './deploy-store.ts';
import { Deployments, type DeployPorts } from './deployments.ts';
import { deployOperations } from './operations.ts';

const by = { name: 'Ada', kind: 'person' } as const;

interface Setup {
  argv?: string[];
  ports?: Partial<DeployPorts>;
  profile?: object;
  keep?: number;
}

interface WithDeployments extends ProcessHarness {
  deployments: Deployments;
  run(parameters?: Record<string, string>): ReturnType<Deployments['run']>;
  logged: string[];
}

async function withDeployments(use: (setup: WithDeployments) => Promise<void>, setup: Setup = {}): Promise<void> {
  await withTable(async (harness) => {
    const { state, table } = harness;
    const logged: string[] = [];
    const keep = setup.keep ?? 10;
    const store = new DeployStore({ state, onProblem: (error) => assert.fail(String(error)) }, { keep });
    const profile = deployProfile().parse({
      argv: setup.argv ?? ['sh', '-c', 'echo "$1"; [ "$1" != bad ]', 'sh', '{module}'],
      parameters: { module: { type: 'name', default: 'sale' } },
      before: 'commit',
      ...setup.profile,
    });
    const ports: DeployPorts = {
      commit: async () => 'abc',
      checkpoint: async () => 7,
      restore: async () => {},
      find: () => {},
      ...setup.ports,
    };
    const deployments = new Deployments(
      { processes: table, store, ports, now: Date.now, log: (_level, event) => void logged.push(event) },
      { profiles: new Map([['site', profile]]), keep },
    );
    try {
      await use({ ...harness, deployments, logged, run: (parameters = {}) => deployments.run({ profile: 'site', parameters, by }) });
    } finally {
      await deployments.stop();
    }
  });
}

const refused = (reason: ErrorReason, work: () => unknown): void =>
  assert.throws(work, (error: unknown) => error instanceof OutriggerError && error.reason === reason);

/** Never resolves, and rejects as soon as it is not wanted any more. */
const untilAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));

test('the commit and the program say what they do, and the checkpoint what it is: none is taken for another', async () => {
  const titles: string[] = [];
  await withDeployments(
    async ({ run, table }) => {
      await run({ module: 'loans' }).next;
      assert.deepEqual([...titles, table.list()[0]?.title], ['Deploy loans', 'loans, as deployed', 'Deploy loans']);
    },
    {
      ports: {
        commit: async (title) => {
          titles.push(title);
          return 'abc';
        },
        checkpoint: async (title) => titles.push(title),
      },
    },
  );
});

test('two at the same instant: one is made, and the other one is told which', () =>
  withDeployments(async ({ run, deployments }) => {
    const first = run();
    assert.throws(run, (error: unknown) => {
      assert.ok(error instanceof OutriggerError && error.reason === 'DEPLOY_BUSY');
      assert.deepEqual(error.details, { deployment: first.deployment.id });
      return true;
    });
    await first.next;
    assert.deepEqual([first.deployment.state, deployments.list().length], ['succeeded', 1]);
    await run().next;
  }));

test('one can be canceled while it commits, and while it is kept as a checkpoint; no program is started then', async () => {
  for (const step of ['commit', 'checkpoint'] as const) {
    let aborted = false;
    const hanging = async (_text: string, _by: unknown, signal: AbortSignal): Promise<never> =>
      untilAborted(signal).catch((error: unknown) => {
        aborted = true;
        throw error;
      });
    await withDeployments(
      async ({ run, deployments, table }) => {
        const { deployment, next } = run();
        await new Promise((resolve) => setImmediate(resolve));
        const ended = await deployments.cancel(deployment.id);
        assert.deepEqual([ended.state, ended.reason, aborted], ['failed', 'stopped', true]);
        assert.match(ended.error ?? '', /stopped before/);
        assert.equal(await next, undefined);
        assert.deepEqual(table.list(), []);
      },
      { ports: { [step]: hanging } },
    );
  }
});

test('one that is canceled while it runs is answered as it ended', () =>
  withDeployments(
    async ({ run, deployments }) => {
      const { deployment } = run();
      await eventually(() => deployment.state === 'running');
      const ended = await deployments.cancel(deployment.id);
      assert.deepEqual([ended.state, ended.reason, ended.endedAt !== undefined], ['failed', 'stopped', true]);
      // Once more, and one of before, is no error.
      assert.equal((await deployments.cancel(deployment.id)).state, 'failed');
    },
    { argv: ['sleep', '300'] },
  ));

test('a sidecar that stops in the middle of a step starts no program and goes back to nothing', async () => {
  const release = Promise.withResolvers<string>();
  const restored: number[] = [];
  await withDeployments(
    async ({ run, deployments, table }) => {
      const first = run();
      release.resolve('abc');
      await first.next;
      const going = Promise.withResolvers<string>();
      commit = () => going.promise;
      const second = run();
      await new Promise((resolve) => setImmediate(resolve));
      const stopped = deployments.stop();
      going.resolve('def');
      await stopped;
      assert.deepEqual([second.deployment.state, second.deployment.reason], ['failed', 'stopped']);
      assert.equal(await second.next, undefined);
      assert.deepEqual([table.list().length, restored], [1, []]);
      refused('STOPPING', () => run());
    },
    {
      profile: { rollback: true },
      ports: { commit: async () => (commit === undefined ? release.promise : commit()), restore: async (id) => void restored.push(id) },
    },
  );
});
let commit: (() => Promise<string>) | undefined;

test('a step that never ends does not keep the sidecar from stopping (long form)', () =>
  withDeployments(
    async ({ run, deployments }) => {
      run();
      await new Promise((resolve) => setImmediate(resolve));
      const begun = performance.now();
      await deployments.stop();
      assert.ok(performance.now() - begun < 6000);
    },
    { ports: { commit: () => new Promise(() => {}) } },
  ));

test('a failure is made good also when nobody waits any more, and nobody comes between', async () => {
  const restored: number[] = [];
  let fails = false;
  await withDeployments(
    async ({ run, deployments, at }) => {
      const { writeFileSync } = await import('node:fs');
      await run().next;
      fails = true;
      writeFileSync(at('fails'), '');
      const operations = deployOperations(deployments) as unknown as Record<string, (input: object, call: object) => Promise<unknown>>;
      const leaving = new AbortController();
      const gone = operations['deploy.run']?.(
        { profile: 'site', parameters: {} },
        { signal: leaving.signal, caller: { id: 'a', name: 'Ada', kind: 'person', access: 'execute' }, emit: () => {} },
      );
      leaving.abort(new OutriggerError('CANCELED', 'gone'));
      await assert.rejects(Promise.resolve(gone), /gone/);
      await eventually(() => deployments.list().length === 3 && deployments.list()[0]?.endedAt !== undefined);
      const [rollback, failed] = deployments.list() as [Deployment, Deployment];
      assert.deepEqual([failed.state, rollback.rollbackOf, restored], ['failed', failed.id, [7]]);
      // What follows a failure is not followed by another one.
      assert.equal(rollback.state, 'failed');
      assert.ok(fails);
    },
    {
      argv: ['sh', '-c', '! [ -e fails ]'],
      profile: { rollback: true, parameters: {} },
      ports: { restore: async (id) => void restored.push(id) },
    },
  );
});

test('where no program was started nothing is gone back from: what is in the folder stays', async () => {
  const restored: number[] = [];
  let refuses = false;
  await withDeployments(
    async ({ run, deployments }) => {
      await run().next;
      refuses = true;
      const { deployment, next } = run();
      assert.equal(await next, undefined);
      assert.deepEqual([deployment.state, deployment.reason, deployment.process], ['failed', 'failed', null]);
      assert.deepEqual([deployments.list().length, restored], [2, []]);
    },
    {
      profile: { rollback: true },
      ports: {
        commit: async () => {
          if (refuses) throw new OutriggerError('GIT_FAILED', 'commit: the hook pre-commit says no.');
          return 'abc';
        },
        restore: async (id) => void restored.push(id),
      },
    },
  );
});

test('who started a program under a name of a deployment is no deployment', () =>
  withDeployments(async ({ run, ask }) => {
    await ask('processes.start', { argv: sh('sleep 300'), tag: 'deploy:site' });
    const { deployment, next } = run();
    await next;
    assert.equal(deployment.state, 'succeeded');
  }));

test('what is remembered has an end, here and in the state, and the oldest goes', () =>
  withDeployments(
    async ({ run, deployments, state }) => {
      const ids: string[] = [];
      for (let round = 0; round < 6; round++) {
        const { deployment, next } = run();
        await next;
        ids.unshift(deployment.id);
      }
      assert.deepEqual(
        deployments.list().map(({ id }) => id),
        ids.slice(0, 3),
      );
      assert.equal((state.statement('SELECT count(*) AS rows FROM deployments').get() as { rows: number }).rows, 3);
    },
    { keep: 3 },
  ));

test('a cause that is none of ours is in the log, and the answer does not tell of it', () =>
  withDeployments(
    async ({ run, logged }) => {
      const { deployment, next } = run();
      await next;
      assert.deepEqual([deployment.state, deployment.reason, logged], ['failed', 'failed', ['deploy.failed-inside']]);
      assert.doesNotMatch(deployment.error ?? '', /secret/);
    },
    {
      ports: {
        commit: async () => {
          throw new Error('a secret of the inside');
        },
      },
    },
  ));

test('there is no way back where checkpoints are off', () =>
  withDeployments(
    async ({ run, deployments }) => {
      const { deployment, next } = run();
      await next;
      refused('PART_OFF', () => deployments.rollBack(deployment.id, by));
    },
    { ports: { restore: undefined } },
  ));

test('characters stay whole in long output, and what was left out is counted', () =>
  withDeployments(
    async ({ deployments }) => {
      const operations = deployOperations(deployments) as unknown as Record<string, (input: object, call: object) => Promise<unknown>>;
      const items: { text: string; lost?: number }[] = [];
      const go = Promise.withResolvers<void>();
      const running = operations['deploy.run']?.(
        { profile: 'site', parameters: {} },
        {
          signal: new AbortController().signal,
          caller: { id: 'a', name: 'Ada', kind: 'person', access: 'execute' },
          emit: async (item: { text: string }) => {
            items.push(item);
            await go.promise;
          },
        },
      );
      await eventually(() => deployments.list()[0]?.endedAt !== undefined, 10_000);
      go.resolve();
      await running;
      const lost = items.reduce((sum, item) => sum + (item.lost ?? 0), 0);
      const text = items.map((item) => item.text).join('');
      assert.equal(Buffer.byteLength(text.replaceAll('\ufffd', '')) + lost + 3 * 0 >= 900_000 - 12, true);
      assert.ok(lost > 0);
      // Only where bytes are left out can a character be cut.
      assert.ok((text.match(/\ufffd/g) ?? []).length <= 6, `${(text.match(/\ufffd/g) ?? []).length} characters are broken`);
    },
    { argv: ['node', '-e', 'process.stdout.write("€".repeat(300000))'], profile: { parameters: {}, before: 'none' } },
  ));

test('a byte order mark that a program writes stands in its output, as all else that it writes', () =>
  withDeployments(
    async ({ deployments }) => {
      const operations = deployOperations(deployments) as unknown as Record<string, (input: object, call: object) => Promise<unknown>>;
      let text = '';
      await operations['deploy.run']?.(
        { profile: 'site', parameters: {} },
        {
          signal: new AbortController().signal,
          caller: { id: 'a', name: 'Ada', kind: 'person', access: 'execute' },
          emit: (item: { text: string }) => void (text += item.text),
        },
      );
      assert.equal(text, '\ufeffname;price\n');
    },
    { argv: ['printf', '\ufeffname;price\n'], profile: { parameters: {}, before: 'none' } },
  ));

test('where fewer are remembered than before, the oldest are gone at the start', () =>
  withDeployments(
    async ({ run, state, table }) => {
      for (const module of ['a', 'b', 'c']) await run({ module }).next;
      const store = new DeployStore({ state, onProblem: (error) => assert.fail(String(error)) }, { keep: 2 });
      const ports: DeployPorts = { commit: undefined, checkpoint: undefined, restore: undefined, find: () => {} };
      const next = new Deployments({ processes: table, store, ports, now: Date.now, log: () => {} }, { profiles: new Map(), keep: 2 });
      assert.deepEqual(
        next.list().map(({ parameters }) => parameters['module']),
        ['c', 'b'],
      );
    },
    { keep: 3 },
  ));
