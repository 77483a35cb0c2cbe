import type { Call, Item } from '../../contract/operation.ts';
import type { HeldTaskInfo, tasks as table } from '../../contract/tasks.ts';
import { createBell } from '../../core/bell.ts';
import type { TaskRun } from './task-run.ts';
import type { Tasks } from './tasks.ts';

type News = Item<(typeof table)['tasks.watch']>;

/** News are told at most so often: an agent may say a thousand times a second how far it is. */
const BEAT_MS = 100;
const streams = ['stdout', 'stderr'] as const;

export function heldInfo(tasks: Tasks, { id, record, recovering }: TaskRun): HeldTaskInfo {
  const { generation, state, assignment, attempts, acceptedAt, branch } = record;
  const progress = tasks.progressOf(id);
  return {
    id,
    generation,
    state,
    recovering,
    description: assignment.description,
    attempts,
    acceptedAt,
    ...(branch === undefined ? {} : { branch }),
    ...(progress === undefined ? {} : { progress }),
  };
}

/** All there is, and then what differs from what was told. A reader that is slow misses steps, and never the last one. */
export async function watchTasks(tasks: Tasks, call: Call<News>): Promise<never> {
  const bell = createBell(call.signal);
  const stop = tasks.onNews(bell.ring);
  let told = new Map<string, string>();
  const tell = async (): Promise<void> => {
    const now = new Map<string, string>();
    for (const [key, item] of newsOf(tasks)) {
      const text = JSON.stringify(item);
      now.set(key, text);
      if (told.get(key) !== text) await call.emit(item);
    }
    for (const key of told.keys())
      if (key.startsWith(HELD) && !now.has(key)) await call.emit({ type: 'released', id: key.slice(HELD.length) });
    told = now;
  };
  try {
    await tell();
    await call.emit({ type: 'ready' });
    for (;;) {
      await bell.rung();
      await new Promise((resolve) => setTimeout(resolve, BEAT_MS));
      call.signal.throwIfAborted();
      await tell();
    }
  } finally {
    stop();
  }
}

const HELD = 'held ';

/** By what tells them apart. */
function newsOf(tasks: Tasks): [key: string, item: News][] {
  const { held, waiting, history } = tasks.list();
  return [
    ['hub', { type: 'hub', ...tasks.hub, waiting }],
    ...held.map((run): [string, News] => [`${HELD}${run.id}`, { type: 'task', task: heldInfo(tasks, run) }]),
    ...history.map((past): [string, News] => [`past ${past.id} ${past.generation} ${past.at}`, { type: 'past', past }]).reverse(),
  ];
}

/** What is kept of its log, and what comes, until nothing can come any more. Throws NOT_FOUND. */
export async function followLog(
  tasks: Tasks,
  id: string,
  call: Call<Item<(typeof table)['tasks.follow']>>,
): Promise<Record<string, never>> {
  const run = tasks.run(id);
  const bell = createBell(call.signal);
  const stop = tasks.onOutput(bell.ring);
  const next = { stdout: 0, stderr: 0 };
  try {
    for (;;) {
      const isOver = !tasks.isThere(run);
      for (let more = true; more; ) {
        more = false;
        // One that writes all the time does not keep the other back.
        for (const stream of streams) {
          const chunk = run.log.chunk(stream, next[stream], isOver);
          if (chunk === undefined) continue;
          const { offset, text, bytes } = chunk;
          const lost = offset - next[stream];
          await call.emit({ stream, offset, text, ...(lost > 0 ? { lost } : {}) });
          call.signal.throwIfAborted();
          next[stream] = offset + bytes;
          more = true;
        }
      }
      if (isOver) return {};
      await bell.rung();
    }
  } finally {
    stop();
  }
}
