import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';

const program = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');
const plans = path.join(import.meta.dirname, '..', '..', 'examples', 'desktop-host', 'plans.mjs');

interface Ended {
  answers: { id: string; ok: boolean; result?: unknown; error?: { code: string } }[];
  said: string;
  code: number | null;
}

/** `outrigger stdio` with these modules, asked these questions, one after the other. */
async function askStdio(
  modules: string,
  questions: readonly { method: string; params?: object }[],
  files: Record<string, string>,
): Promise<Ended> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-modules-'));
  const root = path.join(folder, 'work');
  fs.mkdirSync(root);
  for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(root, name), content);
  const args = [program, 'stdio', '--root', root, '--state', path.join(folder, 'state'), '--operation-modules', modules];
  const child = spawn(process.execPath, args, { stdio: 'pipe', cwd: folder });
  const ended: Ended = { answers: [], said: '', code: null };
  child.stderr.setEncoding('utf8').on('data', (text: string) => (ended.said += text));
  try {
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    for (const [index, question] of questions.entries()) {
      child.stdin.write(`${JSON.stringify({ id: String(index), ...question })}\n`);
      const { value, done } = await lines.next();
      if (done === true) break;
      ended.answers.push(JSON.parse(value as string) as Ended['answers'][number]);
    }
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
    ended.code = child.exitCode;
    return ended;
  } finally {
    child.kill('SIGKILL');
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

test("a host's own analysis runs in the child and answers over stdio by its name", async () => {
  const { answers, code } = await askStdio(
    plans,
    [
      { method: 'plans.open', params: {} },
      { method: 'plans.open', params: { limit: 0 } },
      { method: 'readFile', params: { path: 'plan.md' } },
    ],
    { 'plan.md': '# Plan\n\n- [x] done\n- [ ] write the letter\n', 'other.txt': '- [ ] not a plan\n' },
  );
  assert.deepEqual(
    (answers[0]?.result as { open: unknown }).open,
    [{ path: 'plan.md', line: 4, task: 'write the letter' }],
    JSON.stringify(answers[0]),
  );
  assert.equal(answers[1]?.error?.code, 'invalid_argument');
  assert.equal(answers[2]?.ok, true);
  assert.equal(code, 0);
});

test('a module that needs more than reading is refused when it is called over stdio', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-module-'));
  const file = path.join(folder, 'writes.mjs');
  fs.writeFileSync(
    file,
    `export default ({ operation, z }) => ({
      table: { 'notes.add': operation({ summary: 'Adds a note.', access: 'write', scope: 'workspace', input: () => z.object({}), output: () => z.object({}), errors: [] }) },
      implementations: { 'notes.add': () => ({}) },
    });`,
  );
  try {
    const { answers } = await askStdio(file, [{ method: 'notes.add' }], {});
    assert.equal(answers[0]?.error?.code, 'permission_denied');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});

test('a module that is not there, throws, exports nothing of use or takes a name of ours is named before anything is served (long form)', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-module-'));
  const broken: Record<string, [content: string, said: RegExp]> = {
    'throws.mjs': ["throw new Error('out of order');", /throws\.mjs can't be loaded: out of order/],
    'empty.mjs': ['export const table = {};', /default export of .*empty\.mjs must be \{ table, implementations \}/],
    'schema.mjs': [
      `export default ({ operation, z }) => ({ table: { 'notes.add': operation({ summary: 'x', access: 'read', scope: 'none', input: z.object({}), output: () => z.object({}), errors: [] }) }, implementations: { 'notes.add': () => ({}) } });`,
      /schema\.mjs can't be loaded: The input of an operation is a function that makes its schema: input: \(\) => z\.object/,
    ],
    'ours.mjs': [
      `export default ({ operation, z }) => ({ table: { 'files.read': operation({ summary: 'x', access: 'read', scope: 'none', input: () => z.object({}), output: () => z.object({}), errors: [] }) }, implementations: { 'files.read': () => ({}) } });`,
      /files\.read is an operation of the sidecar itself/,
    ],
  };
  try {
    for (const [name, [content, said]] of Object.entries(broken)) {
      fs.writeFileSync(path.join(folder, name), content);
      const ended = await askStdio(path.join(folder, name), [], {});
      assert.match(ended.said, said);
      assert.notEqual(ended.code, 0, name);
    }
    const missing = await askStdio(path.join(folder, 'missing.mjs'), [], {});
    assert.match(missing.said, /missing\.mjs can't be loaded/);
    assert.notEqual(missing.code, 0);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
});
