import * as z from 'zod';
import { operation } from './operation.ts';
import { environment, withoutNul } from './processes.ts';
import { once } from './once.ts';

/** Source and files that come with one call, characters; bigger ones are put into the session before. */
const MAX_SOURCE_LENGTH = 16 * 1024 * 1024;
const MAX_INPUT_LENGTH = 1024 * 1024;
const MAX_FILES = 200;
const MAX_ARGUMENTS = 500;
const MAX_ARGUMENT_LENGTH = 100_000;

/** 21 characters, first and last a letter or a digit: LibreChat's client takes no other form. */
export const codeId = once(() => z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{19}[A-Za-z0-9]$/));
const entity = once(() =>
  z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,40}$/)
    .describe('Whom the session is for: the same one gets the same session, as long as that lives.'),
);
const fileName = once(() =>
  z
    .string()
    .min(1)
    .max(4096)
    .describe(
      'Its last part is taken; what is no letter of a to z, digit, dot or dash becomes `_`. Where a file of another name has that one, it is `name-2.ext`.',
    ),
);

/** What isolation can hold back, each tried out. */
export const protection = once(() => z.enum(['files', 'network', 'processes', 'kernel', 'count', 'memory', 'disk', 'time', 'output']));
export type Protection = z.infer<ReturnType<typeof protection>>;

export const rungName = once(() => z.enum(['namespaces', 'landlock', 'seccomp', 'none']));
export type RungName = z.infer<ReturnType<typeof rungName>>;

const isolationInfo = once(() =>
  z.object({
    rung: z.int().min(0).max(3),
    name: rungName(),
    holds: z.array(protection()),
    open: z.array(protection()).describe('What it does not hold back.'),
  }),
);
export type IsolationInfo = z.infer<ReturnType<typeof isolationInfo>>;

const evidence = once(() =>
  z.object({
    protection: protection(),
    held: z.boolean(),
    by: z.string().describe('What holds it back, or would.'),
    tried: z.string().describe('What the probe did, and what came of it.'),
  }),
);
export type IsolationEvidence = z.infer<ReturnType<typeof evidence>>;

/** Any number: it is rounded down, what is out of bounds is brought into them, and the answer's notes say so. */
export const codeLimits = once(() =>
  z.object({
    wallMs: z.number().optional().describe('Of each stage, from its start; times the multiplier of the language.'),
    cpuMs: z.number().optional(),
    memoryBytes: z.number().optional().describe('Of all programs of the run together; times the multiplier of the language.'),
    processes: z.number().optional().describe('Processes and threads.'),
    outputBytes: z.number().optional().describe('Of stdout, and of stderr.'),
    fileBytes: z.number().optional().describe('Of one file that it writes.'),
    diskBytes: z.number().optional().describe('Of all that it writes.'),
  }),
);
export type CodeLimits = z.infer<ReturnType<typeof codeLimits>>;

const effectiveLimits = once(() =>
  z.object({
    wallMs: z.int(),
    cpuMs: z.int(),
    memoryBytes: z.int(),
    processes: z.int(),
    outputBytes: z.int(),
    fileBytes: z.int(),
    diskBytes: z.int(),
  }),
);
export type EffectiveLimits = z.infer<ReturnType<typeof effectiveLimits>>;

/** Why a stage, and with it a run, came to its end. */
export const codeEndReason = once(() =>
  z.enum(['exit', 'signal', 'timeout', 'cpu', 'memory', 'processes', 'output', 'disk', 'canceled', 'failed']),
);
export type CodeEndReason = z.infer<ReturnType<typeof codeEndReason>>;

const stage = once(() =>
  z.object({
    reason: codeEndReason(),
    exitCode: z.int().nullable().describe('124 at a time limit; null where a signal ended it.'),
    signal: z.string().nullable(),
    wallMs: z.number(),
    cpuMs: z.number().nullable().describe('Of the whole tree; null where nobody counted.'),
    memoryBytes: z.int().nullable().describe('The most that it held; of the whole tree where a cgroup or the watcher counted.'),
    outputBytes: z.object({ stdout: z.int(), stderr: z.int() }).describe('Kept and sent.'),
    omittedBytes: z.object({ stdout: z.int(), stderr: z.int() }),
    limit: z.object({ name: z.string(), value: z.number() }).nullable().describe('The limit that it met.'),
    problem: z.string().nullable().describe('Why it could not be started, in words.'),
  }),
);
export type CodeStage = z.infer<ReturnType<typeof stage>>;

export const codeFile = once(() =>
  z.object({
    id: codeId(),
    name: z.string(),
    size: z.int(),
    contentType: z.string(),
    modified: z.int().describe('Milliseconds since 1970, UTC.'),
    sha256: z.string(),
  }),
);
export type CodeFile = z.infer<ReturnType<typeof codeFile>>;

const stateInfo = once(() => z.object({ bytes: z.int(), sha256: z.string(), savedAt: z.int() }));

export const codeSession = once(() =>
  z.object({
    id: codeId(),
    entity: z.string().nullable(),
    createdAt: z.int(),
    expiresAt: z.int().describe('Later each time it is used.'),
    files: z.array(codeFile()),
    state: stateInfo().nullable(),
  }),
);
export type CodeSession = z.infer<ReturnType<typeof codeSession>>;

const language = once(() =>
  z.object({
    code: z.string(),
    name: z.string(),
    aliases: z.array(z.string()),
    extension: z.string(),
    file: z.string().describe('Under which the source is stored.'),
    compiled: z.boolean(),
    image: z.string(),
    timeMultiplier: z.number(),
    memoryMultiplier: z.number(),
    rollout: z.enum(['enabled', 'canary', 'off']),
    missing: z.array(z.string()).describe('Programs that it needs and that are not here; empty: it can be run.'),
    install: z.string().describe('How to get them on Debian.'),
    keepsState: z.boolean().describe('Variables can live on in a session.'),
    sample: z.string(),
  }),
);
export type LanguageInfo = z.infer<ReturnType<typeof language>>;

/** Languages by code: the option `code.rollout`. */
export const codeRollout = once(() => z.record(z.string().max(100), z.enum(['enabled', 'canary', 'off'])));

const outputItem = once(() =>
  z.object({
    type: z.literal('output'),
    stage: z.enum(['compile', 'run']),
    stream: z.enum(['stdout', 'stderr']),
    text: z.string().describe('Not UTF-8 stands as U+FFFD.'),
  }),
);

const item = once(() =>
  z.discriminatedUnion('type', [
    z.object({ type: z.literal('queued'), ahead: z.int().describe('Runs before it.') }),
    z.object({ type: z.literal('started'), run: codeId(), session: codeId(), language: z.string(), isolation: isolationInfo() }),
    z.object({ type: z.literal('stage'), stage: z.enum(['compile', 'run']), cached: z.boolean() }),
    outputItem(),
    z.object({
      type: z.literal('display'),
      data: z.record(z.string(), z.string()).describe('By mime type, as Jupyter has it: images and other binary types as base64.'),
    }),
  ]),
);
export type CodeItem = z.infer<ReturnType<typeof item>>;

const used = once(() =>
  z.object({
    compileCache: z.enum(['hit', 'miss', 'off', 'none']),
    interpreter: z
      .enum(['cold', 'warm', 'live'])
      .describe('warm: started before, in its sandbox, for this one run, or a fork of one that was; live: the one of the session.'),
    transform: z.enum(['in-process', 'none']),
    compilerSeed: z.boolean().describe('The compiler had what it kept of an earlier compilation: Java its own classes, Go its packages.'),
    restored: z.boolean().describe('Variables came from a snapshot.'),
  }),
);

const outcome = once(() =>
  z.object({
    run: codeId(),
    session: codeId(),
    language: z.string(),
    reason: codeEndReason(),
    exitCode: z.int().nullable(),
    compile: stage().nullable(),
    program: stage().nullable().describe('null: it did not compile.'),
    files: z.array(codeFile()).describe('Written or changed by the run.'),
    omittedFiles: z.int(),
    limits: effectiveLimits(),
    notes: z.array(z.string()).describe('What was not done as asked, in words.'),
    isolation: isolationInfo(),
    used: used(),
    queuedMs: z.number(),
    wallMs: z.number().describe('From the end of the queue to this answer.'),
    state: stateInfo().nullable(),
  }),
);
export type CodeOutcome = z.infer<ReturnType<typeof outcome>>;

const sourceFile = once(() =>
  z.object({
    name: fileName(),
    text: z.string().max(MAX_SOURCE_LENGTH).optional(),
    base64: z.base64().max(MAX_SOURCE_LENGTH).optional().describe('Of bytes; exactly one of text and base64 is given.'),
  }),
);

const inSession = once(() => ({ session: codeId() }));
const sessionErrors = ['NO_SESSION', 'FILE_NOT_FOUND'] as const;

export const code = {
  'code.languages': operation({
    summary: 'The languages that code can be run in, and what is missing for them here.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () => z.object({ languages: z.array(language()) }),
    errors: [],
  }),
  'code.isolation': operation({
    summary: 'What keeps a run apart from everything else here: tried out, not assumed.',
    access: 'read',
    scope: 'none',
    input: () => z.object({}),
    output: () =>
      z.object({
        isolation: isolationInfo(),
        evidence: z.array(evidence()),
        rungs: z.array(z.object({ rung: z.int(), name: rungName(), works: z.boolean(), why: z.string() })),
        paths: z.object({ workdir: z.string().describe('Where a run sees the files of its session.') }),
      }),
    errors: ['TOO_MANY_PROCESSES', 'DISK_FULL', 'FILE_PERMISSION'],
  }),
  'code.run': operation({
    summary: 'Run code and follow it to its end. A program that fails is an answer, with its reason. It ends when the caller goes.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        language: z.string().max(100).describe('A code or an alias, as code.languages has them.'),
        code: z.string().min(1).max(MAX_SOURCE_LENGTH),
        session: codeId().optional().describe('Whose files it finds and adds to; a new one where it is left out.'),
        entity: entity().optional(),
        files: z
          .array(z.union([z.object({ session: codeId(), id: codeId(), name: fileName().optional() }), sourceFile()]))
          .max(MAX_FILES)
          .default([])
          .describe(
            'Put beside the code: with their content, or those of a session by their ids, which keep their names. Notes say what is called otherwise.',
          ),
        args: z.array(z.string().max(MAX_ARGUMENT_LENGTH).regex(withoutNul)).max(MAX_ARGUMENTS).default([]),
        stdin: z.string().max(MAX_INPUT_LENGTH).default('').describe('All that it can read, but for what code.input adds.'),
        keepStdinOpen: z.boolean().default(false).describe('More follows by code.input.'),
        env: environment(),
        limits: codeLimits().prefault({}),
        network: z.boolean().default(false),
        require: z.array(protection()).max(20).default([]).describe('Refused where these are not held back.'),
        keepState: z.boolean().default(false).describe('Variables live on in the session, where the language can do that.'),
      }),
    item,
    byType: 'data',
    output: outcome,
    errors: [
      'TOO_MANY_PROCESSES',
      'UNKNOWN_LANGUAGE',
      'LANGUAGE_OFF',
      'TOOL_MISSING',
      'NOT_ISOLATED',
      'TOO_MANY_RUNS',
      'DISK_FULL',
      'FILE_PERMISSION',
      'FILE_EXISTS',
      'INPUT_TOO_LARGE',
      'TOO_MANY_SESSIONS',
      'TOO_MANY_SESSION_FILES',
      'SESSION_FULL',
      ...sessionErrors,
    ],
  }),
  'code.input': operation({
    summary: 'Write to the standard input of a run.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ run: codeId(), text: z.string().max(MAX_INPUT_LENGTH).default(''), end: z.boolean().default(false) }),
    output: () => z.object({}),
    errors: ['NO_RUN'],
  }),
  'code.cancel': operation({
    summary: 'End a run, with everything it started.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ run: codeId() }),
    output: () => z.object({}),
    errors: ['NO_RUN'],
  }),
  'code.openSession': operation({
    summary: 'A folder of its own for runs and their files; the one of the entity, where that has one.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ entity: entity().optional() }),
    output: codeSession,
    errors: ['TOO_MANY_SESSIONS', 'DISK_FULL', 'FILE_PERMISSION'],
  }),
  'code.session': operation({
    summary: 'A session with its files.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(inSession()),
    output: codeSession,
    errors: ['NO_SESSION'],
  }),
  'code.sessions': operation({
    summary: 'All sessions, the one that was used last first.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ sessions: z.array(codeSession()) }),
    errors: [],
  }),
  'code.closeSession': operation({
    summary: 'Remove a session with its files, its state and what is alive in it.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(inSession()),
    output: () => z.object({}),
    errors: ['NO_SESSION'],
    destructive: true,
  }),
  'code.putFile': operation({
    summary: 'Store a file in a session, from a stream of bytes.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...inSession(), name: fileName() }),
    output: codeFile,
    body: 'bytes',
    errors: ['NO_SESSION', 'INPUT_TOO_LARGE', 'TOO_MANY_SESSION_FILES', 'SESSION_FULL', 'FILE_EXISTS', 'DISK_FULL'],
  }),
  'code.getFile': operation({
    summary: 'The bytes of a file of a session.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...inSession(), id: codeId() }),
    output: codeFile,
    bytes: true,
    errors: sessionErrors,
  }),
  'code.removeFile': operation({
    summary: 'Remove a file of a session.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...inSession(), id: codeId() }),
    output: () => z.object({}),
    errors: sessionErrors,
    destructive: true,
  }),
  'code.getState': operation({
    summary: 'The kept variables of a session, as bytes whose form is their language’s own.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(inSession()),
    output: stateInfo,
    bytes: true,
    errors: ['NO_SESSION', 'NO_STATE'],
  }),
  'code.putState': operation({
    summary: 'Give a session the variables of another time; what is alive in it ends.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(inSession()),
    output: stateInfo,
    body: 'bytes',
    errors: ['NO_SESSION', 'INPUT_TOO_LARGE', 'DISK_FULL'],
  }),
  'code.removeState': operation({
    summary: 'Forget the variables of a session.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(inSession()),
    output: () => z.object({}),
    errors: ['NO_SESSION'],
    destructive: true,
  }),
};
