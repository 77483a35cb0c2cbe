// The pod manifests: as Kubernetes' own schemas have them, with nothing in them that those don't know, and with what the image
// and the options say.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import ts from 'typescript';
import { parse } from 'yaml';
import { podManifest } from '../../src/cli/templates/pod-manifest.ts';
import { loadConfig } from '../../src/config/load.ts';
import { envName, optionKeys, optionRow, options } from '../../src/config/options.ts';
import { seedPod } from '../kit/seed-pod.ts';

const deploy = join(import.meta.dirname, '..', '..', 'deploy');
const ours = readFileSync(join(deploy, 'pod.yaml'), 'utf8');
const dockerfile = readFileSync(join(deploy, 'Dockerfile'), 'utf8');
const knownEnvironment = new Set(optionKeys.flatMap((key) => [...(optionRow(key).env ?? []), envName(key)]));

interface Container {
  name: string;
  image: string;
  env?: { name: string; value: string }[];
  ports: { name?: string; containerPort: number }[];
  volumeMounts: { name: string; mountPath: string }[];
  restartPolicy?: string;
  securityContext?: {
    runAsUser: number;
    runAsNonRoot: boolean;
    readOnlyRootFilesystem: boolean;
    allowPrivilegeEscalation: boolean;
    capabilities: { drop: string[] };
  };
  startupProbe?: Probe;
  readinessProbe?: Probe;
  livenessProbe?: Probe;
}
interface Probe {
  httpGet: { path: string; port: string };
}
interface Pod {
  spec: {
    initContainers: [Container];
    containers: [Container];
    volumes: { name: string }[];
    terminationGracePeriodSeconds: number;
    securityContext: { fsGroup: number; seccompProfile: { type: string } };
  };
}

/** What the compiler says of the manifests as literals of Kubernetes' types: keys that those do not know, and wrong types. */
function typeProblems(manifests: readonly unknown[]): string[] {
  const file = join(import.meta.dirname, 'manifest-as-literal.ts');
  const text = `import type { IPod } from 'kubernetes-models/v1/Pod';
    export const pods: IPod[] = ${JSON.stringify(manifests, null, 1)};`;
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    target: ts.ScriptTarget.ES2024,
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, target) => (name === file ? ts.createSourceFile(name, text, target) : getSourceFile(name, target));
  const program = ts.createProgram([file], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
}

/** What Kubernetes' schemas say; they let unknown keys pass. */
async function schemaProblem(manifest: unknown): Promise<string> {
  const { Pod } = await import('kubernetes-models/v1/Pod');
  try {
    new Pod(manifest as never).validate();
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}

test('both manifests, ours and the seed’s, are pods as Kubernetes has them', async () => {
  for (const manifest of [ours, seedPod]) assert.equal(await schemaProblem(parse(manifest)), '');
  assert.deepEqual(typeProblems([parse(ours), parse(seedPod)]), []);
});

test('the check finds keys that Kubernetes does not know, a wrong type and a missing name', async () => {
  const [first = '', second = '', third = '', ...more] = typeProblems([
    parse(ours.replace('readOnlyRootFilesystem', 'readOnlyFilesystem')),
    parse(ours.replace('fsGroupChangePolicy', 'fsGroupPolicy')),
    parse(ours.replace('- name: tmp\n    emptyDir', '- name: tmp\n    emptyDirs')),
  ]);
  assert.match(first, /"readOnlyFilesystem"' does not exist in type 'ISecurityContext'/);
  assert.match(second, /"fsGroupPolicy"' does not exist/);
  assert.match(third, /"emptyDirs"' does not exist/);
  assert.deepEqual(more, []);
  assert.match(await schemaProblem(parse(ours.replace('value: "3000"', 'value: 3000'))), /env/);
  assert.match(await schemaProblem(parse(ours.replace('- name: editor-sync\n    image', '- image'))), /name/);
});

test('deploy/pod.yaml is what `outrigger init` writes, with the image’s own name', () => {
  assert.equal(ours, podManifest({ name: 'outrigger-instance', image: 'outrigger:latest' }));
});

test('every environment name is an option or an alias of one, its value holds, and ports are those of the options', () => {
  for (const manifest of [ours, seedPod]) {
    const [sidecar] = (parse(manifest) as Pod).spec.initContainers;
    const env = Object.fromEntries((sidecar.env ?? []).map(({ name, value }) => [name, value]));
    for (const name of Object.keys(env)) assert.ok(knownEnvironment.has(name), name);
    const { OUTRIGGER_TOKEN_FILE: _, ...checkable } = env;
    const { config } = loadConfig({ env: checkable });
    assert.deepEqual(
      sidecar.ports.map(({ containerPort }) => containerPort),
      [config.port, config.wsPort],
    );
    assert.ok(
      sidecar.volumeMounts.some(({ mountPath }) => mountPath === config.root),
      'the workspace is mounted where it is looked for',
    );
  }
  for (const [, name = ''] of ours.matchAll(/# - name: (OUTRIGGER_\w+)/g)) assert.ok(knownEnvironment.has(name), name);
});

test('our manifest keeps the seed’s environment as it is and adds to it', () => {
  const [sidecar] = (parse(ours) as Pod).spec.initContainers;
  const [seed] = (parse(seedPod) as Pod).spec.initContainers;
  assert.deepEqual(sidecar.env?.slice(0, seed.env?.length), seed.env);
  assert.equal(sidecar.restartPolicy, 'Always');
});

test('our manifest runs without privileges, on a read-only root, with all that is written in a volume', () => {
  const { spec } = parse(ours) as Pod;
  const [sidecar] = spec.initContainers;
  const { securityContext: own } = sidecar;
  assert.deepEqual(
    [
      own?.runAsNonRoot,
      own?.readOnlyRootFilesystem,
      own?.allowPrivilegeEscalation,
      own?.capabilities.drop,
      spec.securityContext.seccompProfile.type,
    ],
    [true, true, false, ['ALL'], 'RuntimeDefault'],
  );
  assert.match(dockerfile, new RegExp(`^USER ${own?.runAsUser}:${spec.securityContext.fsGroup}$`, 'm'));
  const mounted = new Map(sidecar.volumeMounts.map(({ mountPath, name }) => [mountPath, name]));
  assert.equal(mounted.get(/XDG_STATE_HOME=(\S+)/.exec(dockerfile)?.[1] ?? ''), 'state');
  assert.ok(mounted.has('/tmp'));
  for (const name of mounted.values())
    assert.ok(
      spec.volumes.some((volume) => volume.name === name),
      name,
    );
  const shared = spec.containers[0].volumeMounts.find(({ name }) => name === 'workspace');
  assert.equal(shared?.mountPath, '/mnt/addons');
});

test('probes ask for what is served without a token, and the pod waits longer than the sidecar takes to stop', () => {
  const { spec } = parse(ours) as Pod;
  const [{ startupProbe, readinessProbe, livenessProbe, ports }] = spec.initContainers;
  assert.deepEqual(
    [startupProbe, readinessProbe, livenessProbe].map((probe) => probe?.httpGet.path),
    ['/readyz', '/readyz', '/healthz'],
  );
  for (const probe of [startupProbe, readinessProbe, livenessProbe]) assert.ok(ports.some(({ name }) => name === probe?.httpGet.port));
  assert.ok(spec.terminationGracePeriodSeconds * 1000 > options.stopGraceMs.default + 10_000);
});

test('the image’s environment, ports and files are those of the options and the build', () => {
  const env = Object.fromEntries(
    [...dockerfile.matchAll(/^(?:ENV)?\s+([A-Z_]+)=(\S+?)(?: \\)?$/gm)].map(([, name = '', value = '']) => [name, value]),
  );
  for (const name of Object.keys(env)) assert.ok(knownEnvironment.has(name) || ['NODE_ENV', 'XDG_STATE_HOME'].includes(name), name);
  const { config } = loadConfig({ env });
  assert.equal(config.host, '0.0.0.0');
  assert.match(dockerfile, new RegExp(`^EXPOSE ${config.port} ${config.wsPort}$`, 'm'));
  const { version } = JSON.parse(readFileSync(join(deploy, '..', 'package.json'), 'utf8')) as { version: string };
  assert.match(dockerfile, new RegExp(`^ARG VERSION=${version.replaceAll('.', '\\.')}$`, 'm'));
});
