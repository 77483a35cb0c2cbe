// A node:test reporter for scripts/test.mjs: one JSON line an event on file descriptor 3, written at once, so that what a crashed
// or killed file had said until then is not lost. It runs inside the test file's process.
import { writeSync } from 'node:fs';
import { inspect } from 'node:util';

// The runner holds the other end: should it be killed outright, this file and what it started must not stay behind.
process.once('disconnect', endEverything);
process.channel?.unref();

export default async function* report(source) {
  for await (const { type, data } of source) {
    // `start` comes in the order of the results, `dequeue` and `complete` as things happen.
    const moment = { 'test:start': 'start', 'test:dequeue': 'began', 'test:complete': 'ended' }[type];
    if (moment !== undefined) emit({ type: moment, name: data.name, nesting: data.nesting });
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const { error, duration_ms: durationMs, type: kind } = data.details;
    emit({
      type: type === 'test:pass' ? 'pass' : 'fail',
      name: data.name,
      nesting: data.nesting,
      suite: kind === 'suite',
      skip: data.skip,
      todo: data.todo,
      durationMs,
      line: data.line,
      // A parent fails because of its subtests; only the subtest's own error says something.
      byChildren: error?.failureType === 'subtestsFailed',
      error: error && inspect(error.cause ?? error, { colors: false, depth: 4 }),
    });
  }
}

function emit(event) {
  let bytes = Buffer.from(`${JSON.stringify(event)}\n`);
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(3, bytes));
    } catch (error) {
      // What is told may find the runner gone before its disconnect is heard of.
      if (error.code === 'EPIPE') endEverything();
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function endEverything() {
  try {
    process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
  } catch {
    process.exit(1);
  }
}
