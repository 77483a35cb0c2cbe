import { randomBytes } from 'node:crypto';
import type { Call, Implementations } from '../contract/operation.ts';
import { OutriggerError } from '../contract/errors.ts';
import { hubCloseCodes } from '../contract/hub.ts';
import { boundedSize } from '../contract/bound.ts';
import { type HubAgentInfo, type HubAuditEntry, type HubOperations, type HubTaskInfo, taskPriorities } from '../contract/hub-operations.ts';
import { createBell } from '../core/bell.ts';
import type { PeerCallOptions } from '../core/peer.ts';
import { passBytes, passItems } from './agent-answer.ts';
import type { AgentRegistry } from './agent-registry.ts';
import type { Fleet, FleetNews } from './fleet.ts';
import { assignFrame, detailOf, infoOf, MAX_TASK_BYTES } from './task-frames.ts';
import type { TaskLogs } from './task-logs.ts';
import type { Applied, AuditEntry, TaskBrief, TaskEvent, TaskRecord, TaskRequest, TaskStore } from './task-store.ts';
import { newTask } from './transition.ts';

/** So long after it was asked to, a holder has ended a cancelled task, or is not asked any more. */
const CANCEL_WITHIN_MS = 10_000;
/** What waits for one who looks on, before the oldest goes: so many, of about so many bytes; the newest comes whole. */
const MAX_NEWS = 100;
const MAX_NEWS_BYTES = 16 * 1024 * 1024;
const MISSED = 'More changed than waits for one who does not read: list agents and tasks anew.';
/** Of a list so many tasks are read at once, of so much text, characters; then others get their turn. */
const LISTED_AT_ONCE = 50;
const LISTED_LENGTH_AT_ONCE = 4 * 1024 * 1024;
/** Of all agents so many are looked at in one turn of the event loop. */
const AGENTS_AT_ONCE = 200;
/** Of the audit so much is read at once, characters of JSON; one entry comes whole. */
const AUDITED_AT_ONCE = 4 * 1024 * 1024;
/** A list, or an audit, ends when it takes so much: half of what an answer may take. Who asks goes on there. */
const MAX_LIST_BYTES = 32 * 1024 * 1024;
/** One piece of news, for those who look on: so many tasks and agents, and about so much of them; one comes whole. */
const MAX_PIECE_LENGTH = 500;
const MAX_PIECE_BYTES = 1024 * 1024;
/** As many as four hexadecimal digits tell apart. */
const MAX_IDS_IN_MS = 0x10000;

export interface HubOperationDependencies {
  store: TaskStore;
  registry: AgentRegistry;
  fleet: Fleet;
  logs: TaskLogs;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Milliseconds of a clock that nobody sets. */
  monotonic: () => number;
  version: string;
}

/** Runs what the table says. */
export function implementHub({
  store,
  registry,
  fleet,
  logs,
  now,
  monotonic,
  version,
}: HubOperationDependencies): Implementations<HubOperations> {
  const startedAt = monotonic();
  const newTaskId = taskIds(Date.now);
  const taskOf = (id: string): TaskRecord => {
    const task = store.get(id);
    if (task === undefined) throw noTask(id);
    return task;
  };
  /** `tell` is called right after the store: later, it would stand over what came of the event after it. */
  const change = async (id: string, event: TaskEvent, tell: (task: TaskBrief) => void): Promise<TaskBrief> => {
    const [applied] = (await store.apply([{ task: id, event }])) as [Applied];
    if (applied.ok) {
      tell(applied.task);
      return applied.task;
    }
    if (applied.refusal === 'not_found') throw noTask(id);
    throw new OutriggerError('TASK_STATE', `The task ${id} is ${applied.task?.state}: it can't be changed in this way.`);
  };
  return {
    'hub.info': () => ({
      version,
      uptimeMs: Math.round(monotonic() - startedAt),
      agents: { known: registry.count, online: fleet.online },
      tasks: store.counts(),
    }),
    'agents.list': async (_input, { signal }) => {
      const agents: HubAgentInfo[] = [];
      for (;;) {
        const some = fleet.agents(agents.at(-1)?.id, AGENTS_AT_ONCE);
        agents.push(...some);
        if (some.length < AGENTS_AT_ONCE) return { agents };
        await nextTurn(signal);
      }
    },
    'agents.enrol': ({ agent, expiresInS }) => {
      const expires = now() + expiresInS * 1000;
      return { token: registry.enrol(agent, expires), expires };
    },
    'agents.register': ({ agent }) => {
      const token = registry.register(agent);
      fleet.agentChanged(agent);
      return { agent, token };
    },
    'agents.rotate': async ({ agent }) => {
      const token = registry.rotate(agent);
      fleet.agentChanged(agent);
      // Before it leaves: a hub that is killed in between does not know that it did.
      registry.sent(token, true);
      const delivered = await fleet.deliver(agent, token);
      if (!delivered) registry.sent(token, false);
      return { token, delivered };
    },
    'agents.revoke': async ({ agent }) => {
      const secrets = registry.revoke(agent);
      fleet.agentChanged(agent);
      const connected = await fleet.cut(agent, hubCloseCodes.auth, 'token_revoked');
      const lost = store.heldBy(agent).map((task) => ({ task: task.id, event: { type: 'disown' as const, agent, fence: task.fence } }));
      for (const applied of await store.apply(lost)) if (applied.ok) fleet.changed(applied.task);
      fleet.wake();
      return { secrets, connected };
    },
    'agents.call': async ({ agent, operation, input, timeoutMs }, call) => {
      const answer = fleet.call(agent, operation, input, { ...callOptions(call, timeoutMs), stream: true, body: call.body });
      return { output: await passItems(answer, operation, (item) => call.emit(item)) };
    },
    'agents.read': async ({ agent, operation, input, timeoutMs }, call) => {
      const answer = fleet.call(agent, operation, input, { ...callOptions(call, timeoutMs), stream: true });
      return { head: {}, bytes: await passBytes(answer, operation) };
    },
    'tasks.create': async ({ tasks }, { caller }) => {
      const requests = tasks.map((task) => ({ id: newTaskId(), request: requestOf(task, now()), by: caller.name }));
      const known = store.states(requests.flatMap(({ request }) => request.after));
      requests.forEach(({ id, request, by }, index) => {
        for (const dependency of request.after) if (!known.has(dependency)) throw noTask(dependency);
        const frame = assignFrame(newTask(id, request, by, [], now()), now(), 0);
        const bytes = Buffer.byteLength(JSON.stringify(frame));
        if (bytes <= MAX_TASK_BYTES) return;
        throw new OutriggerError(
          'INPUT_TOO_LARGE',
          `tasks[${index}] takes ${bytes} bytes as an agent is told of it; it may take ${MAX_TASK_BYTES}.`,
        );
      });
      const enqueued = await store.enqueue(requests);
      for (const { task } of enqueued) fleet.changed(task);
      fleet.wake();
      return { tasks: enqueued.map(({ task, existed }) => ({ id: task.id, state: task.state, existed })) };
    },
    'tasks.list': async ({ states, priority, holder, before, limit }, { signal }) => {
      const query = {
        ...(states === undefined ? {} : { states }),
        ...(priority === undefined ? {} : { priority: taskPriorities.indexOf(priority) }),
        ...(holder === undefined ? {} : { holder }),
      };
      const tasks: HubTaskInfo[] = [];
      let bytes = 0;
      for (;;) {
        const last = tasks.at(-1)?.id ?? before;
        const asked = Math.min(LISTED_AT_ONCE, limit + 1 - tasks.length);
        const from = last === undefined ? {} : { before: last };
        const found = store.list({ ...query, ...from, limit: asked, length: LISTED_LENGTH_AT_ONCE });
        for (const info of found.map(infoOf)) {
          bytes += boundedSize(info, MAX_LIST_BYTES);
          if (tasks.length === limit || (bytes > MAX_LIST_BYTES && tasks.length > 0)) return { tasks, more: true };
          tasks.push(info);
        }
        if (found.length === 0) return { tasks, more: false };
        await nextTurn(signal);
      }
    },
    'tasks.get': ({ id }) => detailOf(taskOf(id)),
    'tasks.cancel': async ({ id, reason }, { caller }) => {
      const event = { type: 'cancel', by: caller.name, reason, cancelBy: now() + CANCEL_WITHIN_MS } as const;
      return infoOf(await change(id, event, (task) => fleet.cancelled(task)));
    },
    'tasks.retry': async ({ id }, { caller }) => {
      const task = await change(id, { type: 'retry', by: caller.name }, (retried) => fleet.changed(retried));
      fleet.wake();
      return infoOf(task);
    },
    'tasks.audit': async ({ after, limit, task }, { signal }) => {
      const entries: HubAuditEntry[] = [];
      let next = after;
      for (let bytes = 0; entries.length < limit && bytes < MAX_LIST_BYTES; ) {
        const found = store.audit(next, limit - entries.length, task, AUDITED_AT_ONCE).map(entryOf);
        if (found.length === 0) break;
        next = found.at(-1)?.sequence ?? next;
        bytes += boundedSize(found, MAX_LIST_BYTES);
        entries.push(...found);
        await nextTurn(signal);
      }
      return { entries, next };
    },
    'tasks.log': async ({ id, after, follow }, call) => {
      const isKnown = (): boolean => store.states([id]).has(id);
      if (!isKnown()) throw noTask(id);
      let next = after;
      const tell = async (): Promise<void> => {
        for (const entry of logs.after(id, next)) {
          next = entry.sequence;
          await call.emit(entry);
        }
      };
      await tell();
      if (!follow) return { next };
      const bell = createBell(call.signal);
      const stop = logs.follow(id, bell.ring);
      try {
        // A task that is forgotten says nothing more.
        while (isKnown()) {
          await tell();
          await bell.rung();
        }
      } finally {
        stop();
      }
      return { next };
    },
    'hub.follow': async (_input, call) => {
      const waiting: { news: FleetNews; bytes: number }[] = [];
      let bytes = 0;
      let resync: string | undefined;
      const take = (): FleetNews | undefined => {
        const oldest = waiting.shift();
        bytes -= oldest?.bytes ?? 0;
        return oldest?.news;
      };
      const bell = createBell(call.signal);
      const stop = fleet.follow((news) => {
        const size = boundedSize(news, MAX_NEWS_BYTES);
        waiting.push({ news, bytes: size });
        bytes += size;
        while (waiting.length > MAX_NEWS || (bytes > MAX_NEWS_BYTES && waiting.length > 1)) {
          take();
          resync = MISSED;
        }
        bell.ring();
      });
      try {
        for (;;) {
          for (let news = take(); news !== undefined; news = take()) {
            let isFirst = true;
            for (const piece of piecesOf(news)) {
              if (!isFirst) await nextTurn(call.signal);
              isFirst = false;
              const more = resync === undefined ? {} : { resync };
              resync = undefined;
              await call.emit({ ...piece, ...more });
            }
          }
          await bell.rung();
        }
      } finally {
        stop();
      }
    },
  };
}

function noTask(id: string): OutriggerError {
  return new OutriggerError('NOT_FOUND', `There is no task ${id}.`);
}

/** Lets others have their turn of the event loop. Rejects with the signal's reason when that is aborted. */
async function nextTurn(signal: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  signal.throwIfAborted();
}

interface Piece {
  agents: HubAgentInfo[];
  tasks: HubTaskInfo[];
}

function* piecesOf({ agents, tasks }: FleetNews): Generator<Piece> {
  let piece: Piece = { agents: [], tasks: [] };
  let bytes = 0;
  const full = (info: object): Piece[] => {
    const before = piece;
    const size = boundedSize(info, MAX_PIECE_BYTES);
    const length = before.agents.length + before.tasks.length;
    const hasRoom = length === 0 || (length < MAX_PIECE_LENGTH && bytes + size <= MAX_PIECE_BYTES);
    bytes = hasRoom ? bytes + size : size;
    if (hasRoom) return [];
    piece = { agents: [], tasks: [] };
    return [before];
  };
  for (const agent of agents) {
    yield* full(agent);
    piece.agents.push(agent);
  }
  for (const task of tasks) {
    yield* full(task);
    piece.tasks.push(task);
  }
  yield piece;
}

/**
 * Sorted by age, also within a millisecond and where the clock is set back, so that a list goes on where a task stood that was forgotten. The end
 * is by chance, so that a copy of the folder brings no id twice.
 */
function taskIds(now: () => number): () => string {
  let at = 0;
  let count = 0;
  return () => {
    const time = Math.max(at, now());
    count = time === at ? count + 1 : 0;
    at = time;
    if (count === MAX_IDS_IN_MS) {
      at++;
      count = 0;
    }
    return `task-${at.toString(36).padStart(9, '0')}${count.toString(16).padStart(4, '0')}${randomBytes(6).toString('hex')}`;
  };
}

type AskedTask = Parameters<Implementations<HubOperations>['tasks.create']>[0]['tasks'][number];

function requestOf(task: AskedTask, now: number): TaskRequest {
  return {
    description: task.description,
    metadata: task.metadata,
    priority: taskPriorities.indexOf(task.priority),
    needs: task.needs,
    agent: task.agent ?? null,
    runAt: task.runAt ?? now,
    deadline: task.deadline ?? null,
    maxAttempts: task.maxAttempts,
    backoffMs: task.backoffMs,
    backoffMaxMs: task.backoffMaxMs,
    key: task.key ?? null,
    after: task.after,
    group: task.group ?? null,
    atOnce: task.atOnce,
    repo: task.repo ?? null,
    branch: task.branch ?? null,
    fileHints: task.fileHints,
    successCriteria: task.successCriteria,
    verificationSteps: task.verificationSteps,
    skipVerification: task.skipVerification,
    verificationTimeoutMs: task.verificationTimeoutMs ?? null,
    maxVerificationRetries: task.maxVerificationRetries ?? null,
  };
}

function callOptions({ signal }: Call, timeoutMs: number | undefined): PeerCallOptions {
  return { signal, ...(timeoutMs === undefined ? {} : { timeoutMs }) };
}

function entryOf({ sequence, at, task, event, state, fence }: AuditEntry): HubAuditEntry {
  return { sequence, at, task, event: shown(event), state, generation: fence };
}

/** A new task is in its own entry; whoever wants all of it asks for it. */
function shown(event: { type: string }): { type: string } {
  if (event.type !== 'create') return event;
  const { task } = event as unknown as { task: TaskRecord };
  return { type: 'create', by: task.createdBy } as { type: string };
}
