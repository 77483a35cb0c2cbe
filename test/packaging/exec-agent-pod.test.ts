// The patch that puts the exec agent into the pod: what comes of it is a pod as Kubernetes has them, and its arguments are the agent's.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..', '..');
const pod = parse(readFileSync(join(root, 'deploy', 'pod.yaml'), 'utf8')) as Pod;
const patch = parse(readFileSync(join(root, 'deploy', 'exec-agent.yaml'), 'utf8')) as Pod;
const source = readFileSync(join(root, 'native', 'exec-agent.c'), 'utf8');

interface Container {
  name: string;
  command: string[];
  volumeMounts: { name: string; mountPath: string }[];
}
interface Pod {
  spec: { initContainers: Container[]; containers: Container[]; volumes: { name: string }[] };
}

/** As a strategic merge patch does: maps by key, lists of maps by `name` or, for mounts, by `mountPath`, other lists replaced. */
function merged(into: unknown, from: unknown): unknown {
  if (Array.isArray(into) && Array.isArray(from)) return mergedLists(into, from);
  if (!isMap(into) || !isMap(from)) return from;
  return {
    ...into,
    ...Object.fromEntries(Object.entries(from).map(([key, value]) => [key, key in into ? merged(into[key], value) : value])),
  };
}

function mergedLists(into: unknown[], from: unknown[]): unknown[] {
  if (!from.every(isMap) || !into.every(isMap)) return from;
  const key = from.every((item) => 'mountPath' in item) ? 'mountPath' : 'name';
  const known = into.map((item) => merged(item, from.find((other) => other[key] === item[key]) ?? item));
  return [...from.filter((item) => !into.some((other) => other[key] === item[key])), ...known];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

test('with the patch it is still a pod, and only containers of the pod are changed', async () => {
  const { Pod: Schema } = await import('kubernetes-models/v1/Pod');
  new Schema(merged(pod, patch) as never).validate();
  assert.throws(() => new Schema(merged(merged(pod, patch), { spec: { volumes: [{ name: 1 }] } }) as never).validate());
  const names = (containers: Container[]): string[] => containers.map(({ name }) => name);
  assert.deepEqual(names(patch.spec.initContainers), ['exec-agent', ...names(pod.spec.initContainers)]);
  assert.deepEqual(names(patch.spec.containers), names(pod.spec.containers));
});

test('who makes the agent, the token and the socket, and who uses them, see one volume, which is not the workspace', () => {
  const after = merged(pod, patch) as Pod;
  const all = [...after.spec.initContainers, ...after.spec.containers];
  for (const { name, volumeMounts } of all)
    assert.deepEqual(
      volumeMounts.filter((mount) => mount.name === 'exec-agent').map(({ mountPath }) => mountPath),
      ['/exec-agent'],
      name,
    );
  assert.ok(after.spec.volumes.some(({ name }) => name === 'exec-agent'));
  const [init] = patch.spec.initContainers;
  const [app] = patch.spec.containers;
  const following = (command: string[] | undefined, name: string): string | undefined => command?.[command.indexOf(name) + 1];
  assert.equal(following(init?.command, '--copy-to'), app?.command[0]);
  assert.equal(following(init?.command, '--make-token'), following(app?.command, '--token-file'));
});

test('every argument is one that the agent knows', () => {
  const [init] = patch.spec.initContainers;
  const [app] = patch.spec.containers;
  const given = [...(init?.command ?? []), ...(app?.command ?? [])].filter((word) => word.startsWith('--') && word !== '--');
  assert.ok(given.length >= 5);
  for (const name of given) assert.ok(source.includes(`strcmp(name, "${name}") == 0`), name);
});
