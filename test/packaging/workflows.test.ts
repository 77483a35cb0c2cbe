// What a hosting service runs of us can't run here; that what it names is there can be known.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { describe, test } from 'node:test';
import { parseDocument } from 'yaml';

const root = path.join(import.meta.dirname, '..', '..');
const folder = path.join(root, '.github', 'workflows');
const { scripts } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };

interface Step {
  uses?: string;
  run?: string;
  with?: Record<string, string>;
  env?: Record<string, string>;
}
interface Job {
  'runs-on': string;
  'timeout-minutes'?: number;
  strategy?: { matrix: { os: string[] } };
  steps: Step[];
}
interface Workflow {
  permissions?: Record<string, string>;
  jobs: Record<string, Job>;
}

function readWorkflow(name: string): Workflow {
  const document = parseDocument(fs.readFileSync(path.join(folder, name), 'utf8'), { strict: true, uniqueKeys: true });
  assert.deepEqual([...document.errors, ...document.warnings], [], name);
  return document.toJS() as Workflow;
}

/** Why a line can't be run; undefined when it can. */
function lineProblem(line: string): string | undefined {
  const [program, ...args] = line.split(' ');
  if (program === 'npm') {
    const name = args[0] === 'run' ? args[1] : args[0];
    return name === 'ci' || (name !== undefined && Object.hasOwn(scripts, name)) ? undefined : `package.json has no script ${name}`;
  }
  if (program === 'node') {
    if (!fs.existsSync(path.join(root, args[0] ?? '-'))) return `${args[0]} is not there`;
    if (args[0] !== 'scripts/run.mjs') return undefined;
    // Each task of run.mjs is a script of that name.
    if (scripts[args[1] ?? ''] !== `exec node scripts/run.mjs ${args[1]}`) return `package.json has no script ${args[1]}`;
    const file = args[1] === 'test' ? args[2] : undefined;
    return file === undefined || fs.existsSync(path.join(root, 'test', `${file}.test.ts`)) ? undefined : `there is no test ${file}`;
  }
  if (program === 'git') return undefined;
  return program !== undefined && fs.existsSync(path.join(root, program)) ? undefined : `${program} is not there`;
}

describe('each workflow', () => {
  for (const name of fs.readdirSync(folder)) {
    test(`${name} is YAML, may only read, ends by itself, and runs what is there`, () => {
      const { permissions, jobs } = readWorkflow(name);
      assert.deepEqual(permissions, { contents: 'read' });
      for (const [id, job] of Object.entries(jobs)) {
        assert.ok((job['timeout-minutes'] ?? 360) <= 60, `${id} has an end`);
        for (const { run, uses } of job.steps) {
          assert.ok((run === undefined) !== (uses === undefined), `${id}: a step runs or uses`);
          if (uses !== undefined) assert.match(uses, /^actions\/[\w-]+@v\d+$/);
          for (const line of run?.trim().split('\n') ?? []) assert.equal(lineProblem(line), undefined, `${id}: ${line}`);
        }
      }
    });
  }

  test('a line that names what is not there is found', () => {
    assert.match(lineProblem('npm run no-such') ?? '', /no script no-such/);
    assert.match(lineProblem('node scripts/run.mjs no-such') ?? '', /no script no-such/);
    assert.match(lineProblem('node scripts/run.mjs test packaging/no-such') ?? '', /no test packaging\/no-such/);
    assert.match(lineProblem('node scripts/no-such.mjs') ?? '', /is not there/);
    assert.match(lineProblem('./no-such') ?? '', /is not there/);
    assert.equal(lineProblem('npm ci'), undefined);
  });
});

test('macOS, Windows and Linux each check, test, build the single executable, try it and hand it out', () => {
  const { jobs } = readWorkflow('ci.yml');
  const job = jobs['systems'];
  assert.ok(job !== undefined);
  assert.deepEqual(job.strategy?.matrix.os.map((system) => system.split('-')[0]).toSorted(), ['macos', 'ubuntu', 'windows']);
  const lines = job.steps.flatMap(({ run }) => (run === undefined ? [] : [run]));
  const order = ['npm ci', 'run.mjs check', 'run.mjs test', 'run.mjs binary', 'single-binary'].map((part) =>
    lines.findIndex((line) => line.includes(part)),
  );
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
  assert.ok(!order.includes(-1), lines.join('\n'));
  const tried = job.steps.find(({ env }) => env?.['SINGLE_BINARY'] !== undefined);
  const handedOut = job.steps.find(({ uses }) => uses?.startsWith('actions/upload-artifact@'));
  assert.equal(handedOut?.with?.['path'], `${tried?.env?.['SINGLE_BINARY']}/outrigger*`);
  assert.match(fs.readFileSync(path.join(root, 'scripts', 'single-binary.mjs'), 'utf8'), /join\(dist, 'single'\)/);
  assert.match(handedOut?.with?.['name'] ?? '', /runner\.os.*runner\.arch/, 'one for each system');
});
