import * as z from 'zod';
import { verificationReport } from './hub.ts';
import { operation } from './operation.ts';

const MAX_REASON_LENGTH = 4 * 1024 * 1024;
const MAX_LOG_LENGTH = 256 * 1024;

const named = { id: z.string().min(1).max(128).describe('Of the task; wake programs have it as OUTRIGGER_TASK_ID.') };

const heldTaskInfo = z.object({
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
});
export type HeldTaskInfo = z.infer<typeof heldTaskInfo>;

const pastTask = z.object({
  id: z.string(),
  generation: z.int(),
  end: z
    .enum(['done', 'cancelled', 'abandoned'])
    .describe('done: the hub is told of its result; abandoned: the hub gave it to somebody else.'),
  at: z.int().describe('Milliseconds since 1970, UTC.'),
  description: z.string().describe('Cut after some hundred characters.'),
  reason: z.string().optional().describe('Why it failed; cut after some hundred characters.'),
});

export const tasks = {
  'tasks.list': operation({
    summary: 'The tasks of the hub that this agent holds, and those that are over, newest first.',
    access: 'read',
    scope: 'workspace',
    input: z.object({}),
    output: z.object({
      held: z.array(heldTaskInfo),
      waiting: z.int().nonnegative().describe('Results that the hub has not acknowledged yet. They are on the disk.'),
      history: z.array(pastTask),
    }),
    errors: [],
  }),
  'tasks.get': operation({
    summary: 'One task that is held, with its whole assignment and the end of what its wake program wrote.',
    access: 'read',
    scope: 'workspace',
    input: z.object(named),
    output: z.object({
      task: heldTaskInfo,
      assignment: z.record(z.string(), z.unknown()),
      reports: z.array(verificationReport).describe('What verifications came to, oldest first.'),
      log: z.object({ stdout: z.string(), stderr: z.string() }),
    }),
    errors: ['NOT_FOUND'],
  }),
  'tasks.accept': operation({
    summary: 'Say that the agent has begun; the same as a file results/<id>.started.',
    access: 'execute',
    scope: 'workspace',
    input: z.object(named),
    output: z.object({}),
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.progress': operation({
    summary: 'Say how far it is. Of many, the hub gets the newest, four times a second at most.',
    access: 'execute',
    scope: 'workspace',
    input: z.object({
      ...named,
      progress: z.number().min(0).max(100).optional().describe('Per cent.'),
      text: z.string().max(10_000).optional(),
    }),
    output: z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.log': operation({
    summary: 'Add to the log of a task, beside what its wake program writes.',
    access: 'execute',
    scope: 'workspace',
    input: z.object({ ...named, stream: z.enum(['stdout', 'stderr']).default('stdout'), text: z.string().max(MAX_LOG_LENGTH) }),
    output: z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.complete': operation({
    summary: 'Hand over the result; it is on the disk when this answers, and is verified then. The same as a file results/<id>.json.',
    access: 'execute',
    scope: 'workspace',
    input: z.object({
      ...named,
      output: z.string().optional(),
      result: z.record(z.string(), z.unknown()).default({}),
      tokensUsed: z.int().optional(),
    }),
    output: z.object({}),
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.fail': operation({
    summary: 'Say that it can not be done, and why.',
    access: 'execute',
    scope: 'workspace',
    input: z.object({
      ...named,
      reason: z.string().min(1).max(MAX_REASON_LENGTH),
      retryable: z.boolean().default(true).describe('False: nobody else needs to try.'),
    }),
    output: z.object({}),
    errors: ['NOT_FOUND', 'TASK_STATE'],
  }),
  'tasks.cancel': operation({
    summary: 'End a task and all its programs. The hub is told that it failed, for good.',
    access: 'admin',
    scope: 'workspace',
    destructive: true,
    input: z.object(named),
    output: z.object({}),
    errors: ['NOT_FOUND'],
  }),
  'tasks.export': operation({
    summary: "What is held, as queue.json of AgentCom's sidecar has it.",
    access: 'admin',
    scope: 'workspace',
    input: z.object({}),
    output: z.object({ queue: z.record(z.string(), z.unknown()) }),
    errors: [],
  }),
};
