// The image, built for real and run as a pod runs it: as its own user, process 1, with the environment of the manifests.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { options } from '../../src/config/options.ts';
import { languages } from '../../src/services/exec/languages.ts';
import { baseImage, buildah, cannotBuildImages } from '../kit/buildah.ts';
import { bundleOf, copyCheckout, runScript } from '../kit/checkout-copy.ts';
import { type Container, type ContainerSetup, runContainer } from '../kit/pod-container.ts';
import type { PodProbe, PodProbeInput } from '../kit/pod-probe.ts';
import { seedPod } from '../kit/seed-pod.ts';

const root = join(import.meta.dirname, '..', '..');
const workspacePath = '/mnt/addons';
const sidecarUser = 10_001;
const appUser = 101;

interface ImageConfig {
  User: string;
  Env: string[];
  Entrypoint: string[];
  ExposedPorts: object;
  Volumes: object;
  Labels: Record<string, string>;
  StopSignal: string;
}

describe('the image', { skip: cannotBuildImages() }, () => {
  const image = `localhost/outrigger-test:${process.pid}`;
  const scratch = mkdtempSync(join(tmpdir(), 'outrigger-image-'));
  let container = '';
  let mounted = '';
  let config: ImageConfig;
  let healthcheck: { Test: string[] } | undefined;

  before(async () => {
    const base = await baseImage();
    // The app, another user, comes through here to its volume.
    chmodSync(scratch, 0o755);
    const copy = join(scratch, 'copy');
    mkdirSync(copy);
    const checkout = copyCheckout(copy);
    const dist = bundleOf(checkout);
    // `npm test` has built the page by now; building it again would only take time.
    const page = join(root, 'dist', 'workbench');
    if (existsSync(page)) cpSync(page, join(dist, 'workbench'), { recursive: true });
    else runScript(checkout, 'scripts/build.mjs', 'workbench', '--quiet');
    const args = ['--build-arg', `BASE_IMAGE=${base}`, '--build-arg', 'REVISION=0123abc', '--file', join(checkout, 'deploy', 'Dockerfile')];
    await buildah('bud', '--isolation', 'chroot', '--format', 'docker', '--quiet', ...args, '--tag', image, checkout);
    rmSync(copy, { recursive: true });
    const inspected = JSON.parse(await buildah('inspect', '--type', 'image', image)) as {
      OCIv1: { config: ImageConfig };
      Docker: { config: { Healthcheck?: { Test: string[] } } };
    };
    config = inspected.OCIv1.config;
    healthcheck = inspected.Docker.config.Healthcheck;
    container = await buildah('from', image);
    mounted = await buildah('mount', container);
  });
  after(async () => {
    if (container !== '') await buildah('rm', container);
    await buildah('rmi', '--force', image).catch(() => undefined);
    rmSync(scratch, { recursive: true, force: true });
  });

  let runs = 0;
  /** A workspace that the app made: its own files, its own repository. `group`: as fsGroup leaves a volume; else as an emptyDir is. */
  function makeWorkspace(group?: number): string {
    const folder = join(scratch, `workspace-${++runs}`);
    mkdirSync(folder);
    writeFileSync(join(folder, 'module.py'), 'print(1)\n');
    const made = spawnSync('git', ['init', '--quiet', '--initial-branch=main', folder], { encoding: 'utf8' });
    assert.equal(made.status, 0, made.stderr);
    const owned = spawnSync('chown', ['-R', `${appUser}:${group ?? appUser}`, folder]);
    assert.equal(owned.status, 0);
    asVolume(folder, group);
    return folder;
  }

  function volume(group?: number): string {
    const folder = mkdtempSync(join(scratch, 'volume-'));
    asVolume(folder, group);
    return folder;
  }

  function asVolume(folder: string, group: number | undefined): void {
    chownSync(folder, 0, group ?? 0);
    chmodSync(folder, group === undefined ? 0o777 : 0o2775);
  }

  function environmentOf(manifest: string): Record<string, string> {
    const { spec } = parse(manifest) as { spec: { initContainers: { env: { name: string; value: string }[] }[] } };
    const ofImage = config.Env.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
    return Object.fromEntries([...ofImage, ...(spec.initContainers[0]?.env ?? []).map(({ name, value }) => [name, value])]) as Record<
      string,
      string
    >;
  }

  /** Starts it, waits until it is ready, looks at it from within the pod, and ends it with SIGTERM. */
  async function lookAt(
    setup: Omit<ContainerSetup, 'image' | 'argv'>,
    more: (running: Container, input: PodProbeInput) => Promise<void> | void,
    givenToken?: string,
  ): Promise<void> {
    const running = runContainer({ image: mounted, argv: config.Entrypoint, ...setup });
    try {
      // A token that was given from outside is not shown.
      const [, shown] = await running.program.until(/Open {5}\S+?(?:\/\?token=(\S+)| {3}with the token that you set)/);
      const token = shown ?? givenToken ?? '';
      await more(running, { apiPort: 3000, socketPort: 3001, token });
      const begun = performance.now();
      assert.equal(await running.stop(), 0, running.program.output());
      assert.ok(performance.now() - begun < options.stopGraceMs.default);
    } finally {
      if (running.program.child.exitCode === null) await running.program.stop('SIGKILL');
    }
  }

  function assertServes(seen: PodProbe): void {
    const { readyStatus, liveStatus, withoutToken, plainOnSocketPort, document, wrote, git, page } = seen;
    assert.deepEqual(
      { readyStatus, liveStatus, withoutToken, plainOnSocketPort, document, wrote, git: git.status, page },
      {
        readyStatus: 200,
        liveStatus: 200,
        withoutToken: 401,
        plainOnSocketPort: 426,
        document: 'print(1)\n',
        wrote: 201,
        git: 200,
        page: 200,
      },
    );
  }

  test('says who it is, runs as a user by number, and names its ports, its volume and its probe', () => {
    assert.equal(config.User, `${sidecarUser}:${sidecarUser}`);
    assert.deepEqual(Object.keys(config.ExposedPorts).sort(), ['3000/tcp', '3001/tcp']);
    assert.deepEqual(Object.keys(config.Volumes), ['/state']);
    assert.equal(config.StopSignal, 'SIGTERM');
    assert.deepEqual(config.Entrypoint.slice(0, 3), ['/opt/outrigger/init', '--', 'node']);
    // Where there is no C compiler, the same words mean Node itself.
    const init = existsSync(join(mounted, 'opt', 'outrigger', 'dist', 'bin', 'outrigger-exec-agent'))
      ? '/opt/outrigger/dist/bin/outrigger-exec-agent'
      : '/usr/bin/env';
    assert.equal(readlinkSync(join(mounted, 'opt', 'outrigger', 'init')), init);
    assert.equal(healthcheck?.Test[0], 'CMD');
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    assert.equal(config.Labels['org.opencontainers.image.version'], version);
    assert.equal(config.Labels['org.opencontainers.image.revision'], '0123abc');
    assert.ok(!existsSync(join(mounted, 'opt', 'outrigger', 'dist', 'lib')), 'the library is not in it');
  });

  test('starts and becomes ready with the seed’s manifest as it is, takes documents on its second port, and ends with 0', async () => {
    const workspace = makeWorkspace();
    const setup = { env: environmentOf(seedPod), user: config.User, mounts: [{ from: workspace, to: workspacePath }], readOnlyRoot: false };
    await lookAt(setup, async ({ probe, exec }, input) => {
      const seen = (await probe('pod-probe.ts', input)) as PodProbe;
      assertServes(seen);
      assert.equal(seen.status, 'ok', JSON.stringify(seen.checks));
      assert.equal(exec(healthcheck?.Test.slice(1) ?? []), 0, 'its own health check finds it well');
      assert.equal(exec(healthcheck?.Test.slice(1) ?? [], { API_PORT: '9' }), 1, 'and would find that it is not there');
      assert.equal(statSync(join(workspace, 'made', 'by-sidecar.txt')).uid, sidecarUser);
    });
  });

  test('starts with our manifest: read-only root, token from a file, state in its volume, files that the app may change', async () => {
    const workspace = makeWorkspace(sidecarUser);
    const state = volume(sidecarUser);
    const secrets = volume();
    writeFileSync(join(secrets, 'token'), 'token-from-a-secret-0123\n');
    const mounts = [
      { from: workspace, to: workspacePath },
      { from: state, to: '/state' },
      { from: volume(), to: '/tmp' },
      { from: secrets, to: '/run/secrets/sidecar' },
    ];
    const manifest = readFileSync(join(root, 'deploy', 'pod.yaml'), 'utf8');
    await lookAt(
      { env: environmentOf(manifest), user: config.User, groups: [sidecarUser], mounts, readOnlyRoot: true },
      async ({ probe }, input) => {
        const seen = (await probe('pod-probe.ts', input)) as PodProbe;
        assertServes(seen);
        assert.equal(seen.status, 'ok', JSON.stringify(seen.checks));
        assert.ok(
          seen.checks.some(({ name, text }) => name === 'state' && text === 'state: kept'),
          JSON.stringify(seen.checks),
        );
      },
      'token-from-a-secret-0123',
    );
    assert.ok(existsSync(join(state, 'outrigger')));
    const change = 'echo by the app >> made/by-sidecar.txt && mkdir made/more && echo x > made/new.txt';
    const app = spawnSync(
      'chroot',
      [`--userspec=${appUser}:${appUser}`, `--groups=${sidecarUser}`, '/', 'sh', '-c', `cd ${workspace} && ${change}`],
      { encoding: 'utf8' },
    );
    assert.equal(app.status, 0, app.stderr);
    assert.equal(readFileSync(join(workspace, 'made', 'by-sidecar.txt'), 'utf8'), 'by the sidecar\nby the app\n');
    assert.equal(statSync(join(workspace, 'made', 'by-sidecar.txt')).gid, sidecarUser);
  });

  test('starts as any user, where neither a home nor the state can be written, and says that its state will not last', async () => {
    const workspace = makeWorkspace();
    const mounts = [
      { from: workspace, to: workspacePath },
      { from: volume(), to: '/tmp' },
    ];
    await lookAt({ env: environmentOf(seedPod), user: '20002:0', mounts, readOnlyRoot: true }, async ({ probe }, input) => {
      const seen = (await probe('pod-probe.ts', input)) as PodProbe;
      assertServes(seen);
      assert.ok(
        seen.checks.some(({ name, text }) => name === 'state' && text.startsWith('state: ephemeral')),
        JSON.stringify(seen.checks),
      );
    });
  });

  test('images of languages are built on it, know every language, and run code as their own user', async () => {
    // Two of them; `npm run images` builds all.
    for (const [name, language, code, says] of [
      ['python', 'py', 'import os, sys\nprint("as", os.getuid() != 0, os.listdir("."))\nprint("err", file=sys.stderr)', 'as True'],
      ['c-cpp', 'c', '#include <stdio.h>\nint main(void) { puts("compiled"); fprintf(stderr, "err\\n"); return 0; }', 'compiled'],
    ] as const) {
      const tag = `localhost/outrigger-test-${name}:${process.pid}`;
      const file = join(root, 'deploy', 'images', `${name}.Containerfile`);
      await buildah(
        'bud',
        '--isolation',
        'chroot',
        '--quiet',
        '--build-arg',
        `OUTRIGGER_IMAGE=${image}`,
        '--file',
        file,
        '--tag',
        tag,
        root,
      );
      const from = await buildah('from', tag);
      const once = (argv: readonly string[]): Promise<string> => buildah('run', '--isolation', 'chroot', from, '--', ...argv);
      // All that is run here prints something. A process of buildah's copies it, and once had nothing of it to say.
      const inside = async (...argv: string[]): Promise<string> => (await once(argv)) || (await once(argv));
      try {
        assert.equal((await inside('outrigger', 'languages', '--count')).trim(), String(languages.length));
        assert.equal((await inside('id', '-u')).trim(), String(languages[0]?.userId));
        const answer = (await inside('node', '-e', askRunner, code)).trim().split('\n').at(-1) ?? '';
        const { health, result } = JSON.parse(answer) as {
          health: { status: string; language: string };
          result: { exit_code: number; stdout: string; stderr: string };
        };
        assert.deepEqual([health.status, health.language], ['healthy', language]);
        assert.deepEqual([result.exit_code, result.stdout.startsWith(says), result.stderr], [0, true, 'err\n'], answer);
      } finally {
        await buildah('rm', from);
        await buildah('rmi', '--force', tag);
      }
    }
  });
});

/** In a container of an image of a language: starts it as the image does, asks its runner, and prints what that answered. */
const askRunner = `
const { spawn } = require('node:child_process');
const env = { ...process.env, OUTRIGGER_PORT: '0', OUTRIGGER_ANONYMOUS_RUNNER: 'execute', OUTRIGGER_RUNNER_HOST: '127.0.0.1' };
const child = spawn('/opt/outrigger/init', ['--', 'node', '/opt/outrigger/dist/outrigger.mjs', 'serve', '/workspace'], { env, stdio: ['ignore', 'inherit', 'inherit'] });
(async () => {
  const runner = 'http://127.0.0.1:' + process.env.OUTRIGGER_RUNNER_PORT;
  const until = Date.now() + 30_000;
  for (;;) {
    const ready = await fetch(runner + '/ready').catch(() => undefined);
    if (ready?.ok === true) break;
    if (Date.now() > until) throw new Error('the runner did not get ready');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const health = await (await fetch(runner + '/health')).json();
  const body = JSON.stringify({ code: process.argv[1], timeout: 20 });
  const response = await fetch(runner + '/execute', { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const result = await response.json();
  child.once('exit', () => console.log(JSON.stringify({ health, result })));
  child.kill('SIGTERM');
})().catch((error) => { console.error(error); child.kill('SIGKILL'); process.exitCode = 1; });
`;
