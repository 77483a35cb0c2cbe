import * as z from 'zod';
import { verificationStep } from './hub.ts';
import { operation } from './operation.ts';
import { once } from './once.ts';

const MAX_TASKS_AT_ONCE = 100;
const MAX_DESCRIPTION_LENGTH = 100_000;
const MAX_LIST = 1000;

/** The most urgent first. */
export const taskPriorities = ['urgent', 'high', 'normal', 'low'] as const;

const agentId = once(() =>
  z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/)
    .describe('Letters, digits, dot, dash and underscore; begins with a letter or a digit.'),
);
const taskId = once(() => z.string().min(1).max(128));
const time = once(() => z.int().describe('Milliseconds since 1970.'));
const taskStates = ['scheduled', 'ready', 'offered', 'running', 'succeeded', 'failed', 'cancelled', 'dead'] as const;
const state = once(() => z.enum(taskStates));
const priority = once(() => z.enum(taskPriorities));
const anyObject = once(() => z.record(z.string(), z.unknown()));
/** What tasks are known by. The store takes all halves of characters for one. */
const name = once(() =>
  z
    .string()
    .min(1)
    .max(256)
    .refine((text) => text.isWellFormed(), 'It holds half a character (a lone surrogate)'),
);

const taskRequest = once(() =>
  z.object({
    description: z.string().min(1).max(MAX_DESCRIPTION_LENGTH),
    metadata: anyObject().default({}),
    priority: priority().default('normal'),
    needs: z.array(name()).max(100).default([]).describe('Capabilities that an agent must have, all of them.'),
    agent: agentId().optional().describe('The only agent that may have it.'),
    runAt: time().optional().describe('Not before then.'),
    deadline: time().optional().describe('It has failed when it has not succeeded by then.'),
    maxAttempts: z.int().min(1).max(100).default(3),
    backoffMs: z.int().min(0).max(3_600_000).default(1000).describe('Before attempt n + 1 it waits, at random, up to this times 2^n.'),
    backoffMaxMs: z.int().min(0).max(86_400_000).default(60_000),
    key: name().optional().describe('Two requests with one key are one task.'),
    after: z.array(taskId()).max(100).default([]).describe('Tasks that must have succeeded before.'),
    group: name().optional(),
    atOnce: z.int().min(1).max(10_000).default(1).describe('Of the tasks of its group, so many at a time.'),
    repo: z.string().max(2000).optional(),
    branch: z.string().max(500).optional(),
    fileHints: z
      .array(z.looseObject({ path: z.string().max(4096) }))
      .max(1000)
      .default([]),
    successCriteria: z.array(z.string().max(10_000)).max(100).default([]),
    verificationSteps: z.array(verificationStep()).max(100).default([]),
    skipVerification: z.boolean().default(false),
    verificationTimeoutMs: z.int().min(100).max(86_400_000).optional(),
    maxVerificationRetries: z.int().min(0).max(100).optional(),
  }),
);

const taskInfo = once(() =>
  z.object({
    id: taskId(),
    description: z.string(),
    state: state(),
    priority: priority(),
    needs: z.array(z.string()),
    generation: z.int().describe('The fence: it grows with each grant.'),
    attempt: z.int(),
    maxAttempts: z.int(),
    holder: z.string().nullable(),
    runAt: time(),
    deadline: time().nullable(),
    leaseUntil: time().nullable(),
    cancelBy: time().nullable(),
    progress: z.object({ percent: z.number().nullable(), text: z.string().nullable(), at: time() }).nullable(),
    after: z.array(taskId()),
    group: z.string().nullable(),
    key: z.string().nullable(),
    reason: z.string().nullable(),
    createdBy: z.string(),
    createdAt: time(),
    updatedAt: time(),
  }),
);
export type HubTaskInfo = z.infer<ReturnType<typeof taskInfo>>;

const taskDetail = once(() =>
  taskInfo().extend({
    metadata: anyObject(),
    result: anyObject().nullable(),
    report: anyObject().nullable(),
    late: z.array(
      z.object({ fence: z.int(), agent: z.string(), at: time(), result: anyObject().nullable(), reason: z.string().nullable() }),
    ),
  }),
);
export type HubTaskDetail = z.infer<ReturnType<typeof taskDetail>>;

const auditEntry = once(() =>
  z.object({
    sequence: z.int(),
    at: time(),
    task: taskId(),
    event: z.looseObject({ type: z.string() }),
    state: state(),
    generation: z.int(),
  }),
);
export type HubAuditEntry = z.infer<ReturnType<typeof auditEntry>>;

const agentInfo = once(() =>
  z.object({
    id: agentId(),
    name: z.string(),
    state: z.enum(['online', 'stale', 'offline', 'draining']),
    since: time().nullable().describe('Of the connection, or of its end.'),
    lastSeen: time().nullable(),
    capabilities: z.array(z.string()),
    labels: z.record(z.string(), z.string()),
    features: z.array(z.string()),
    credit: z.int(),
    tasks: z.array(z.object({ id: taskId(), generation: z.int(), state: state() })),
    address: z.string().nullable(),
    clientType: z.string().nullable(),
    version: z.string().nullable(),
    secrets: z.int().describe('That hold; more than one while one is replaced.'),
    createdAt: time(),
  }),
);
export type HubAgentInfo = z.infer<ReturnType<typeof agentInfo>>;

const callOfAgent = once(() =>
  z.object({
    agent: agentId(),
    operation: z.string().min(1).max(200),
    input: z.unknown(),
    timeoutMs: z.int().min(1).max(86_400_000).optional(),
  }),
);

/** What a hub can be asked. */
export const hubOperations = {
  'hub.info': operation({
    summary: 'What the hub is, and how much it has to do.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () =>
      z.object({
        version: z.string(),
        uptimeMs: z.int(),
        agents: z.object({ known: z.int(), online: z.int() }),
        tasks: z.record(state(), z.int()),
      }),
    errors: [],
  }),
  'agents.list': operation({
    summary: 'All agents that are known, with what they hold.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => z.object({ agents: z.array(agentInfo()) }),
    errors: [],
  }),
  'agents.enrol': operation({
    summary: 'Makes a token with which one agent can get a secret of its own, once.',
    access: 'admin',
    scope: 'none',
    input: () =>
      z.object({
        agent: agentId().optional().describe('The only agent that may use it.'),
        expiresInS: z.int().min(1).max(31_536_000).default(3600),
      }),
    output: () => z.object({ token: z.string(), expires: time() }),
    errors: [],
  }),
  'agents.register': operation({
    summary: 'Makes an agent known and gives its secret, which is shown only now.',
    access: 'admin',
    scope: 'none',
    input: () => z.object({ agent: agentId() }),
    output: () => z.object({ agent: agentId(), token: z.string() }),
    errors: ['ALREADY_THERE'],
  }),
  'agents.rotate': operation({
    summary: 'Makes a new secret; the old one holds until the new one was used. An agent that is online gets it and stores it.',
    access: 'admin',
    scope: 'none',
    input: () => z.object({ agent: agentId() }),
    output: () => z.object({ token: z.string(), delivered: z.boolean() }),
    errors: ['NOT_FOUND'],
  }),
  'agents.revoke': operation({
    summary: 'Ends all secrets of an agent and its connection; its tasks are given to others.',
    access: 'admin',
    scope: 'none',
    input: () => z.object({ agent: agentId() }),
    output: () => z.object({ secrets: z.int(), connected: z.boolean() }),
    errors: ['NOT_FOUND'],
    destructive: true,
  }),
  'agents.call': operation({
    summary: 'Calls an operation of an agent over its connection; items come as they do there.',
    access: 'admin',
    scope: 'none',
    input: callOfAgent,
    item: () => z.unknown(),
    output: () => z.object({ output: z.unknown() }),
    body: 'bytes',
    errors: ['NOT_FOUND', 'CONNECTION_LOST', 'DEADLINE'],
  }),
  'agents.read': operation({
    summary: 'As agents.call, for operations whose answer is bytes.',
    access: 'admin',
    scope: 'none',
    input: callOfAgent,
    output: () => z.object({}),
    bytes: true,
    errors: ['NOT_FOUND', 'CONNECTION_LOST', 'DEADLINE'],
  }),
  'tasks.create': operation({
    summary: 'Queues tasks; the answer comes when they are on the disk.',
    access: 'write',
    scope: 'none',
    input: () => z.object({ tasks: z.array(taskRequest()).min(1).max(MAX_TASKS_AT_ONCE) }),
    output: () => z.object({ tasks: z.array(z.object({ id: taskId(), state: state(), existed: z.boolean() })) }),
    errors: ['NOT_FOUND', 'INPUT_TOO_LARGE', 'DISK_FULL'],
  }),
  'tasks.list': operation({
    summary: 'Tasks, the newest first.',
    access: 'read',
    scope: 'none',
    input: () =>
      z.object({
        states: z.array(state()).max(taskStates.length).optional(),
        priority: priority().optional(),
        holder: agentId().optional(),
        before: taskId().optional().describe('Those that were made before this one.'),
        limit: z.int().min(1).max(MAX_LIST).default(100),
      }),
    output: () => z.object({ tasks: z.array(taskInfo()), more: z.boolean() }),
    errors: [],
  }),
  'tasks.get': operation({
    summary: 'One task with all that is known of it.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ id: taskId() }),
    output: taskDetail,
    errors: ['NOT_FOUND'],
  }),
  'tasks.cancel': operation({
    summary: 'Cancels a task: whoever has it is told to stop, and it is over within some seconds, whatever that one says.',
    access: 'write',
    scope: 'none',
    input: () => z.object({ id: taskId(), reason: z.string().max(2000).default('') }),
    output: taskInfo,
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.retry': operation({
    summary: 'Gives a task that failed, died or was cancelled all its attempts again.',
    access: 'write',
    scope: 'none',
    input: () => z.object({ id: taskId() }),
    output: taskInfo,
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.audit': operation({
    summary:
      'All that happened to tasks, in one order; where numbers are missing, tasks were forgotten, and an entry `forget` counts what went with them.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ after: z.int().min(0).default(0), limit: z.int().min(1).max(10_000).default(1000), task: taskId().optional() }),
    output: () => z.object({ entries: z.array(auditEntry()), next: z.int() }),
    errors: [],
  }),
  'tasks.log': operation({
    summary: 'What the program of a task wrote, as far as it was sent.',
    access: 'read',
    scope: 'none',
    input: () => z.object({ id: taskId(), after: z.int().min(0).default(0), follow: z.boolean().default(false) }),
    item: () =>
      z.object({ sequence: z.int(), stream: z.enum(['stdout', 'stderr']), offset: z.int(), text: z.string(), generation: z.int() }),
    output: () => z.object({ next: z.int() }),
    errors: ['NOT_FOUND'],
  }),
  'hub.follow': operation({
    summary: 'Tells of agents and tasks that changed, from now on.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    item: () =>
      z.object({
        agents: z.array(agentInfo()),
        tasks: z.array(taskInfo()),
        resync: z.string().optional().describe('Of what changed before this not all was told, and why: list agents and tasks anew.'),
      }),
    output: () => z.object({}),
    endless: true,
    errors: [],
  }),
} as const;
export type HubOperations = typeof hubOperations;
