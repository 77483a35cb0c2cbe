import * as z from 'zod';
import { verificationReport } from './hub.ts';
import { operation } from './operation.ts';
import { once } from './once.ts';

const MAX_REASON_LENGTH = 4 * 1024 * 1024;
const MAX_LOG_LENGTH = 256 * 1024;

const named = once(() => ({ id: z.string().min(1).max(128).describe('Of the task; wake programs have it as OUTRIGGER_TASK_ID.') }));

const taskProgress = once(() =>
  z.object({
    percent: z.number().optional(),
    text: z.string().optional(),
    at: z.int().describe('Milliseconds since 1970, UTC.'),
  }),
);
export type TaskProgress = z.infer<ReturnType<typeof taskProgress>>;

const heldTaskInfo = once(() =>
  z.object({
    id: z.string(),
    generation: z.int().describe('Grows with each time that the hub grants the task.'),
    state: z
      .enum(['accepted', 'waking', 'waking_confirmation', 'working', 'verifying'])
      .describe('waking: the wake program was started; waking_confirmation: it ended well, and the agent has not said yet that it began.'),
    recovering: z.boolean().describe('The sidecar was started anew, and the hub has not said yet that the task goes on.'),
    description: z.string(),
    attempts: z.int().describe('Starts of the wake program.'),
    acceptedAt: z.int().describe('Milliseconds since 1970, UTC.'),
    branch: z.string().optional(),
    progress: taskProgress().optional().describe('What its agent said last of how far it is.'),
  }),
);
export type HeldTaskInfo = z.infer<ReturnType<typeof heldTaskInfo>>;

const pastTask = once(() =>
  z.object({
    id: z.string(),
    generation: z.int(),
    end: z
      .enum(['done', 'cancelled', 'abandoned'])
      .describe('done: the hub is told of its result; abandoned: the hub gave it to somebody else.'),
    at: z.int().describe('Milliseconds since 1970, UTC.'),
    description: z.string().describe('Cut after some hundred characters.'),
    reason: z.string().optional().describe('Why it failed; cut after some hundred characters.'),
    verification: z
      .object({ status: verificationReport().shape.status, passed: z.int(), total: z.int() })
      .optional()
      .describe('What its last verification came to, where there was one.'),
    waits: z.boolean().describe('The hub has not acknowledged its result yet. It is on the disk.'),
  }),
);
export type PastTask = z.infer<ReturnType<typeof pastTask>>;

const stream = once(() => z.enum(['stdout', 'stderr']));

export const tasks = {
  'tasks.list': operation({
    summary: 'The tasks of the hub that this agent holds, and those that are over, newest first.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({}),
    output: () =>
      z.object({
        held: z.array(heldTaskInfo()),
        waiting: z.int().nonnegative().describe('Results that the hub has not acknowledged yet. They are on the disk.'),
        history: z.array(pastTask()),
      }),
    errors: [],
  }),
  'tasks.get': operation({
    summary: 'One task that is held, with its whole assignment and the end of what its wake program wrote.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object(named()),
    output: () =>
      z.object({
        task: heldTaskInfo(),
        assignment: z.record(z.string(), z.unknown()),
        reports: z.array(verificationReport()).describe('What verifications came to, oldest first.'),
        log: z.object({ stdout: z.string(), stderr: z.string() }),
      }),
    errors: ['NOT_FOUND'],
  }),
  'tasks.watch': operation({
    summary: 'What tasks.list lists, and each task again when something of it changes, until the caller goes.',
    access: 'read',
    scope: 'workspace',
    endless: true,
    input: () => z.object({}),
    item: () =>
      z.discriminatedUnion('type', [
        z.object({
          type: z.literal('hub'),
          agent: z.string().describe('The id under which the hub knows this sidecar.'),
          connected: z.boolean(),
          refused: z
            .string()
            .nullable()
            .describe(
              'Why the hub refuses this sidecar; it is not asked again before the sidecar is started anew. Null: it does not refuse it.',
            ),
          waiting: z.int().nonnegative().describe('Results that the hub has not acknowledged yet.'),
        }),
        z.object({ type: z.literal('task'), task: heldTaskInfo() }),
        z.object({ type: z.literal('released'), id: z.string().describe('Not held any more; what became of it comes as `past`.') }),
        z.object({ type: z.literal('past'), past: pastTask() }).describe('The oldest first.'),
        z.object({ type: z.literal('ready').describe('All there was is told; what follows is news.') }),
      ]),
    output: () => z.object({}),
    errors: [],
  }),
  'tasks.follow': operation({
    summary: 'What the wake program of a task wrote, as far as it is kept, and what it writes, until the task is not held any more.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object(named()),
    item: () =>
      z.object({
        stream: stream(),
        offset: z.int().nonnegative().describe('Of the first byte, in its stream.'),
        text: z.string(),
        lost: z.int().positive().optional().describe('Bytes of this stream before it that are not kept any more.'),
      }),
    output: () => z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.accept': operation({
    summary: 'Say that the agent has begun; the same as a file results/<id>.started.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(named()),
    output: () => z.object({}),
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.progress': operation({
    summary: 'Say how far it is. Of many, the hub gets the newest, four times a second at most.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        progress: z.number().min(0).max(100).optional().describe('Per cent.'),
        text: z.string().max(10_000).optional(),
      }),
    output: () => z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.log': operation({
    summary: 'Add to the log of a task, beside what its wake program writes.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...named(), stream: stream().default('stdout'), text: z.string().max(MAX_LOG_LENGTH) }),
    output: () => z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.complete': operation({
    summary: 'Hand over the result; it is on the disk when this answers, and is verified then. The same as a file results/<id>.json.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        output: z.string().optional(),
        result: z.record(z.string(), z.unknown()).default({}),
        tokensUsed: z.int().optional(),
      }),
    output: () => z.object({}),
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.fail': operation({
    summary: 'Say that it can not be done, and why.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        reason: z.string().min(1).max(MAX_REASON_LENGTH),
        retryable: z.boolean().default(true).describe('False: nobody else needs to try.'),
      }),
    output: () => z.object({}),
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.cancel': operation({
    summary: 'End a task and all its programs. The hub is told that it failed, for good.',
    access: 'admin',
    scope: 'workspace',
    destructive: true,
    input: () => z.object(named()),
    output: () => z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.export': operation({
    summary: "What is held, as queue.json of AgentCom's sidecar has it.",
    access: 'admin',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ queue: z.record(z.string(), z.unknown()) }),
    errors: [],
  }),
};
