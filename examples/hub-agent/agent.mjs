#!/usr/bin/env node
// An agent in one file: a link to a hub starts it for each task. It looks through the folder that it is started in, writes a page about it, and
// hands over its result. What a link gives its agents is in the environment: docs/link.md.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const { OUTRIGGER_TASK_ID: id, OUTRIGGER_TASK_FILE: taskFile, OUTRIGGER_URL: url, OUTRIGGER_TOKEN: token } = process.env;
if (!id || !taskFile || !url || !token) {
  console.error('This program is started by a link (outrigger link) for a task.');
  process.exit(2);
}
const task = JSON.parse(readFileSync(taskFile, 'utf8'));

try {
  await tell('tasks.accept');
  const page = await writePage(join('docs', `${slug(task.description)}.md`));
  await tell('tasks.complete', { output: `${page.path}: ${page.files} files, ${page.lines} lines`, result: page });
} catch (error) {
  await tell('tasks.fail', { reason: error.stack ?? String(error) });
}

/** Counts what git knows of the folder, and keeps a page about it. */
async function writePage(path) {
  // NUL stands between names, which may hold anything else; some are gone, or folders of other repositories.
  const files = git('ls-files', '-z').split('\0').filter((file) => statSync(file || '/', { throwIfNoEntry: false })?.isFile());
  const kinds = new Map();
  let lines = 0;
  for (const [at, file] of files.entries()) {
    const text = readFileSync(file, 'utf8');
    const count = text.split('\n').length - 1;
    const kind = extname(file) || '(none)';
    const known = kinds.get(kind) ?? { files: 0, lines: 0 };
    kinds.set(kind, { files: known.files + 1, lines: known.lines + count });
    lines += count;
    console.log(`${file}: ${count} lines`);
    if (at % 5 === 4) await tell('tasks.progress', { progress: Math.round(((at + 1) * 100) / files.length), text: file });
  }
  const rows = [...kinds].sort((a, b) => b[1].lines - a[1].lines).map(([kind, count]) => `| ${kind} | ${count.files} | ${count.lines} |`);
  const page = `# ${task.description}\n\n| kind | files | lines |\n|---|---|---|\n${rows.join('\n')}\n`;
  mkdirSync('docs', { recursive: true });
  writeFileSync(path, page);
  git('add', path);
  if (git('diff', '--cached', '--name-only', '--', path) !== '')
    git('-c', 'user.name=Demo agent', '-c', 'user.email=agent@localhost', 'commit', '--quiet', '-m', task.description, '--', path);
  return { path, files: files.length, lines };
}

function git(...args) {
  return execFileSync('git', args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
}

/** One of the link's own operations. */
async function tell(operation, more = {}) {
  const answer = await fetch(`${url}/api/${operation}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ id, ...more }),
  });
  if (!answer.ok) throw new Error(`${operation}: ${answer.status} ${await answer.text()}`);
}

function slug(text) {
  return (
    text
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-|-$/g, '')
      .slice(0, 40) || 'task'
  );
}
