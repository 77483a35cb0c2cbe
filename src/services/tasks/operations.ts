import type { Implementations } from '../../contract/operation.ts';
import type { HeldTaskInfo, tasks as table } from '../../contract/tasks.ts';
import type { TaskRun } from './task-run.ts';
import type { Tasks } from './tasks.ts';

/** Of each stream, characters. */
const LOG_TAIL = 64_000;

/** Tasks for the agents of this machine, and for its owner. */
export function taskOperations(tasks: Tasks): Implementations<typeof table> {
  return {
    'tasks.list': () => {
      const { held, waiting, history } = tasks.list();
      return { held: held.map(infoOf), waiting, history };
    },
    'tasks.get': ({ id }) => {
      const run = tasks.run(id);
      const { log, record } = run;
      return {
        task: infoOf(run),
        assignment: { ...record.assignment },
        reports: record.reports,
        log: { stdout: log.tail('stdout', LOG_TAIL), stderr: log.tail('stderr', LOG_TAIL) },
      };
    },
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
      await tasks.cancel(id, caller.name);
      return {};
    },
    'tasks.export': () => ({ queue: tasks.exportQueue() }),
  };
}

function infoOf({ id, record, recovering }: TaskRun): HeldTaskInfo {
  const { generation, state, assignment, attempts, acceptedAt, branch } = record;
  return {
    id,
    generation,
    state,
    recovering,
    description: assignment.description,
    attempts,
    acceptedAt,
    ...(branch === undefined ? {} : { branch }),
  };
}
