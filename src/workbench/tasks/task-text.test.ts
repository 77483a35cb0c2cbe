import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shortId, taskName, taskTitle } from './task-text.ts';

test('of a long id the end is shown: it tells tasks of one moment apart', () => {
  assert.deepEqual([shortId('task-0mwpnjf2158a0e51277248339'), shortId('nightly')], ['248339', 'nightly']);
});

test('a task is called as its description begins, or by its id where that leaves nothing to be seen', () => {
  for (const [description, title] of [
    ['\n  Make it\nor not', 'Make it'],
    ['🚀', '🚀'],
    [' \n\t', 'Task 248339'],
    ['\u200b', 'Task 248339'],
    ['\u0007', 'Task 248339'],
  ] as const) {
    const task = { id: 'task-0mwpnjf2158a0e51277248339', description };
    assert.deepEqual([taskTitle(task), `Task ${taskName(task)}`], [title, title.startsWith('Task ') ? title : `Task ${title}`]);
  }
});
