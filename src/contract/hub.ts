import * as z from 'zod';
import { counted } from './counted.ts';
import { once } from './once.ts';

/**
 * The frames between an agent's link and a hub: JSON text frames, one object each. What AgentCom's hub and sidecar say to each
 * other (github.com/notno/AgentCom, lib/agent_com/validation/schemas.ex and sidecar/index.js), and beside it what two of ours
 * agree on by `features`. Unknown fields pass and are dropped; `null` in an optional field means that it is not there.
 * `generation` is the fence: it grows with each grant of a task, and whatever says an older one is refused.
 */

export const HUB_PROTOCOL_VERSION = 1;
/** Bytes of one frame, either way. */
export const MAX_HUB_FRAME_BYTES = 4 * 1024 * 1024;
const MAX_LABELS = 100;
/** Of one task: each is a check in its report, and each try after the first a report that is kept until the hub has them all. */
const MAX_STEPS = 1000;
const MAX_RETRIES = 100;
/** Of the command of a step, with its program. */
const MAX_COMMAND_WORDS = 1000;
/** A hub without the feature `long-reasons` refuses longer ones, characters. */
export const MAX_SHORT_REASON_LENGTH = 2000;

/** Why a task is refused whose outcome under that fence, or a later one, the hub was told already: it was put back to an older copy of itself. */
export const TOLD_AGAIN = 'told-again';

/** WebSocket close codes of a hub. After `auth` and `replaced` nobody should come back by himself at once. */
export const hubCloseCodes = { auth: 4001, protocol: 4002, replaced: 4003, tooSlow: 4004, policy: 1008, restart: 1012 } as const;

/**
 * `leases`: pings renew what is held, and pongs say what is not held any more. `held`: identify lists what is held and what waits to be
 * acknowledged. `refusals`: task_rejected is known. `long-reasons`: reasons of any length. `logs`: task_log is known. `calls`: the hub may call operations.
 */
export const hubFeatures = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'] as const;
export type HubFeature = (typeof hubFeatures)[number];

const optional = <T extends z.ZodType>(type: T) =>
  z
    .union([type, z.null()])
    .optional()
    .transform((value) => value ?? undefined);
/** A list of any length. Of one that holds something else the first of that is told: to speak of millions takes seconds, and a gigabyte of memory. */
const listOf = <T extends z.ZodType>(item: T) =>
  z.array(z.unknown()).transform((given, context) => {
    const list: z.output<T>[] = [];
    for (const [at, one] of given.entries()) {
      const { data, error } = item.safeParse(one);
      if (error !== undefined) {
        // `continue`: else `optional` says no more than that it is none of its forms.
        for (const issue of error.issues) context.issues.push({ ...issue, path: [at, ...issue.path], continue: true } as never);
        return z.NEVER;
      }
      list.push(data);
    }
    return list;
  });
const id = once(() => z.string().min(1).max(128));
const generation = once(() => z.int().nonnegative());
/** Of an agent, by itself. */
const said = once(() => z.string().max(256));
const labels = once(() => counted(MAX_LABELS, 'labels', optional(z.record(said(), said()))));
/** A task and the fence under which it is held. */
export const heldTask = once(() =>
  z.object({ task_id: id(), generation: generation(), state: optional(z.enum(['accepted', 'working', 'done'])) }),
);
export type HeldTask = z.infer<ReturnType<typeof heldTask>>;

/** More is held than a frame has room to name: what is not named is held as well. */
const heldMore = once(() => optional(z.boolean()));

/** Taken as it is: to go through the keys of one that fills a frame takes three times as long as to parse it. */
const anyObject = once(() =>
  z.unknown().transform((given, context): Record<string, unknown> => {
    if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>;
    context.issues.push({ code: 'invalid_type', expected: 'record', input: given });
    return z.NEVER;
  }),
);

const verificationCheck = once(() =>
  z.object({
    type: z.string(),
    target: z.unknown(),
    description: optional(z.string()),
    status: z.enum(['pass', 'fail', 'error', 'timeout', 'skip']),
    output: z.string(),
    duration_ms: z.number(),
  }),
);
/** What the steps that prove a result came to. Only `pass`, `skip` and `auto_pass` let a result count. */
export const verificationReport = once(() =>
  z.object({
    task_id: z.string(),
    run_number: z.int(),
    status: z.enum(['pass', 'fail', 'error', 'timeout', 'skip', 'auto_pass']),
    started_at: z.number(),
    duration_ms: z.number(),
    timeout_ms: z.number(),
    checks: z.array(verificationCheck()),
    summary: z.object({ total: z.int(), passed: z.int(), failed: z.int(), errors: z.int(), timed_out: z.int() }),
  }),
);
export type VerificationReport = z.infer<ReturnType<typeof verificationReport>>;

/** The report that comes with an outcome. AgentCom takes any object: one that says no status says nothing. */
const toldReport = once(() => optional(anyObject()).transform((report) => (typeof report?.['status'] === 'string' ? report : undefined)));

export const verificationStep = once(() =>
  z.object({
    type: z.string(),
    target: optional(z.union([z.string(), z.array(z.string()).max(MAX_COMMAND_WORDS)])),
    description: optional(z.string()),
  }),
);
export type VerificationStep = z.infer<ReturnType<typeof verificationStep>>;

/** What is to be done, as it is told to an agent. */
export const taskAssignment = once(() =>
  z.object({
    task_id: id(),
    description: z.string(),
    metadata: optional(anyObject()),
    generation: z
      .int()
      .nonnegative()
      .nullish()
      .transform((value) => value ?? 0),
    assigned_at: optional(z.number()),
    repo: optional(z.string()),
    branch: optional(z.string()),
    file_hints: optional(listOf(z.looseObject({ path: z.string() }))),
    success_criteria: optional(listOf(z.string())),
    verification_steps: counted(MAX_STEPS, 'steps', optional(listOf(verificationStep()))),
    complexity: optional(anyObject()),
    routing_decision: optional(anyObject()),
    skip_verification: optional(z.boolean()),
    /** 0 as if it were not there: AgentCom's sidecar has it so. */
    verification_timeout_ms: optional(z.int().nonnegative()),
    max_verification_retries: optional(z.int().nonnegative()).refine((count = 0) => count <= MAX_RETRIES, `At most ${MAX_RETRIES}.`),
    lease_ms: optional(z.int().positive()),
    attempt: optional(z.int().positive()),
    deadline: optional(z.number()),
  }),
);
export type TaskAssignment = z.infer<ReturnType<typeof taskAssignment>>;

/** By type, what an agent sends. */
export const agentFrames = once(
  () =>
    ({
      identify: z.object({
        agent_id: id(),
        token: z.string().min(1).max(256),
        name: optional(z.string().max(256)),
        status: optional(z.string().max(256)),
        capabilities: optional(z.array(z.string().max(256)).max(1000)),
        client_type: optional(said()),
        features: optional(z.array(said()).max(100)),
        labels: labels(),
        /** Tasks that it could take beside those it holds. */
        credit: optional(z.int().nonnegative()),
        held: optional(listOf(heldTask())),
        held_more: heldMore(),
        version: optional(said()),
        /** Grows with each connection of an agent: what comes late of an older one says nothing. */
        epoch: optional(z.number()),
      }),
      ping: z.object({ credit: optional(z.int().nonnegative()), held: optional(listOf(heldTask())), held_more: heldMore() }),
      task_accepted: z.object({ task_id: id(), generation: optional(generation()) }),
      task_rejected: z.object({ task_id: id(), reason: z.string(), generation: optional(generation()) }),
      task_progress: z.object({
        task_id: id(),
        progress: optional(z.number()),
        execution_event: optional(anyObject()),
        generation: optional(generation()),
      }),
      task_log: z.object({
        task_id: id(),
        generation: generation(),
        stream: z.enum(['stdout', 'stderr']),
        /** Of the first byte, in the stream; after a restart of the agent it may be any that is beyond those before. */
        offset: z.int().nonnegative(),
        text: z.string(),
        /** That the text took in the stream: more or fewer than its own where that was no UTF-8. Left out: as many. */
        bytes: optional(z.int().nonnegative()),
      }),
      task_complete: z.object({
        task_id: id(),
        generation: generation(),
        result: optional(anyObject()),
        tokens_used: optional(z.number()),
        verification_report: toldReport(),
        verification_history: optional(z.array(z.unknown())),
      }),
      task_failed: z.object({
        task_id: id(),
        generation: generation(),
        reason: optional(z.string()),
        error: optional(z.string()),
        retryable: optional(z.boolean()),
        verification_report: toldReport(),
      }),
      task_recovering: z.object({ task_id: id(), generation: optional(generation()), last_status: optional(z.string()) }),
      state_report: z.object({
        task_id: id(),
        status: optional(z.string()),
        generation: optional(generation()),
        assigned_at: optional(z.number()),
      }),
      wake_result: z.object({
        task_id: id(),
        status: z.string(),
        attempt: optional(z.int()),
        error: optional(z.string()),
        reason: optional(z.string()),
      }),
      resource_report: z.object({}),
      agent_restarting: z.object({ reason: optional(z.string()) }),
    }) as const,
);

export type AgentFrames = { [Type in keyof ReturnType<typeof agentFrames>]: z.infer<ReturnType<typeof agentFrames>[Type]> };
export type AgentFrame = { [Type in keyof AgentFrames]: { type: Type } & AgentFrames[Type] }[keyof AgentFrames];

/** By type, what a hub sends. */
export const hubFrames = once(
  () =>
    ({
      identified: z.object({
        agent_id: z.string(),
        features: optional(listOf(z.string())),
        heartbeat_ms: optional(z.int().positive()),
        pong_timeout_ms: optional(z.int().positive()),
        lease_ms: optional(z.int().positive()),
        server_time: optional(z.number()),
        /** Of those that identify listed, what the agent is to let go. */
        nack: optional(listOf(heldTask())),
      }),
      pong: z.object({ timestamp: optional(z.number()), nack: optional(listOf(heldTask())) }),
      task_assign: taskAssignment(),
      task_ack: z.object({ task_id: id(), status: optional(z.string()), generation: optional(generation()) }),
      task_continue: z.object({ task_id: id(), generation: optional(generation()) }),
      task_reassign: z.object({ task_id: id(), generation: optional(generation()), reason: optional(z.string()) }),
      task_cancelled: z.object({
        task_id: id(),
        timestamp: optional(z.number()),
        generation: optional(generation()),
        reason: optional(z.string()),
      }),
      state_report_ack: z.object({ task_id: id(), action: z.string() }),
      restart_sidecar: z.object({ reason: optional(z.string()) }),
      /** The hub goes, or has too many: when to come back, in a window so that not all come at once. */
      goaway: z.object({
        reason: optional(z.string()),
        retry_after_ms: z.number().nonnegative(),
        window_ms: optional(z.number().nonnegative()),
      }),
      rate_limit_warning: z.object({}),
      rate_limited: z.object({ retry_after_ms: z.number().nonnegative(), tier: optional(z.string()) }),
      /** A new secret for the agent: it is stored, and used from the next identify on. No header takes another, and no config file of a link. */
      token_rotated: z.object({ token: z.string().regex(/^[\x21-\x7E]{1,256}$/) }),
      error: z.object({
        error: z.string(),
        task_id: optional(z.string()),
        generation: optional(generation()),
        message_type: optional(z.string()),
        errors: optional(z.array(z.unknown())),
        retry_after_ms: optional(z.number()),
      }),
    }) as const,
);

export type HubFrames = { [Type in keyof ReturnType<typeof hubFrames>]: z.infer<ReturnType<typeof hubFrames>[Type]> };
export type HubFrame = { [Type in keyof HubFrames]: { type: Type } & HubFrames[Type] }[keyof HubFrames];

export type Read<Frame> =
  | { frame: Frame }
  /** No frame of this table. */
  | { unknown: string }
  /** `task`: what it is about, where that can be read. */
  | { problem: string; type?: string; errors: { field: string; error: string; detail: string }[]; task?: HeldTask | undefined };

/** Never throws. `text` is one frame, `parse` what throws at what is no JSON. */
export function readAgentFrame(text: string, parse: Parse): Read<AgentFrame> {
  return read(text, parse, agentFrames()) as Read<AgentFrame>;
}

/** Never throws. `text` is one frame, `parse` what throws at what is no JSON. */
export function readHubFrame(text: string, parse: Parse): Read<HubFrame> {
  return read(text, parse, hubFrames()) as Read<HubFrame>;
}

type Parse = (text: string) => unknown;

function read(text: string, parse: Parse, table: Readonly<Record<string, z.ZodType>>): Read<{ type: string }> {
  let json: unknown;
  try {
    json = parse(text);
  } catch {
    return { problem: 'invalid_json', errors: [] };
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return { problem: 'invalid_json', errors: [] };
  const { type } = json as { type?: unknown };
  if (typeof type !== 'string') return { problem: 'missing_type', errors: [] };
  const schema = Object.hasOwn(table, type) ? table[type] : undefined;
  if (schema === undefined) return { unknown: type };
  const parsed = schema.safeParse(json);
  if (parsed.success) return { frame: { type, ...(parsed.data as object) } };
  const errors = parsed.error.issues.map(({ path, code, message }) => ({
    field: path.join('.'),
    error: code === 'invalid_type' && message.includes('received undefined') ? 'required' : code,
    detail: message,
  }));
  return { problem: 'validation_failed', type, errors, task: heldTask().safeParse(json).data };
}
