// Does one task of a hub: `outrigger link` starts it for each, with what it needs in the environment (docs/link.md).
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const { OUTRIGGER_TASK_FILE: taskFile, OUTRIGGER_TASK_ID: id, OUTRIGGER_RESULTS: results, OUTRIGGER_RESULT_FILE: resultFile } = process.env;
if (!taskFile || !id || !results || !resultFile) {
  console.error('This program is started by a link (outrigger link) for a task.');
  process.exit(2);
}

/** The work. Its result is any JSON; what it throws is the reason of a failure. */
async function work(task) {
  // ▼▼▼ YOUR WORK GOES HERE ▼▼▼
  return `done: ${task.description}`;
  // ▲▲▲ YOUR WORK GOES HERE ▲▲▲
}

try {
  writeFileSync(`${results}/${id}.started`, '');
  handOver({ status: 'success', output: await work(JSON.parse(readFileSync(taskFile, 'utf8'))) });
} catch (error) {
  handOver({ status: 'failed', reason: String(error?.stack ?? error) });
}

/** Written beside and renamed, so that nobody reads half of it. */
function handOver(result) {
  const beside = `${resultFile}.new`;
  writeFileSync(beside, JSON.stringify(result));
  renameSync(beside, resultFile);
}
