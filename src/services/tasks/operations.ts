import { actorOf } from '../../contract/access.ts';
import type { Implementations } from '../../contract/operation.ts';
import type { tasks as table } from '../../contract/tasks.ts';
import { followLog, heldInfo, watchTasks } from './task-feed.ts';
import type { Tasks } from './tasks.ts';

/** Of each stream, characters. */
const LOG_TAIL = 64_000;

/** Tasks for the agents of this machine, and for its owner. */
export function taskOperations(tasks: Tasks): Implementations<typeof table> {
  return {
    'tasks.list': () => {
      const { held, waiting, history } = tasks.list();
      return { held: held.map((run) => heldInfo(tasks, run)), waiting, history };
    },
    'tasks.get': ({ id }) => {
      const run = tasks.run(id);
      const { log, record } = run;
      return {
        task: heldInfo(tasks, run),
        assignment: { ...record.assignment },
        reports: record.reports,
        log: { stdout: log.tail('stdout', LOG_TAIL), stderr: log.tail('stderr', LOG_TAIL) },
      };
    },
    'tasks.watch': (_input, call) => watchTasks(tasks, call),
    'tasks.follow': ({ id }, call) => followLog(tasks, id, call),
    'tasks.accept': async ({ id }) => {
      await tasks.say(id, { type: 'confirmed' });
      return {};
    },
    'tasks.progress': ({ id, progress, text }) => {
      tasks.progress(id, { progress, event: text === undefined ? undefined : { event_type: 'progress', text } });
      return {};
    },
    'tasks.log': ({ id, stream, text }) => {
      tasks.log(id, stream, text);
      return {};
    },
    'tasks.complete': async ({ id, output, result, tokensUsed }) => {
      const facts = { ...(output === undefined ? {} : { output }), ...(tokensUsed === undefined ? {} : { tokens_used: tokensUsed }) };
      await tasks.say(id, { type: 'result', result: { ...result, status: 'success', ...facts } });
      return {};
    },
    'tasks.fail': async ({ id, reason, retryable }) => {
      await tasks.say(id, { type: 'failed', reason, retryable });
      return {};
    },
    'tasks.cancel': async ({ id }, { caller }) => {
      await tasks.cancel(id, actorOf(caller).name);
      return {};
    },
    'tasks.export': () => ({ queue: tasks.exportQueue() }),
  };
}
