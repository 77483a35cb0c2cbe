import * as z from 'zod';
import { counted } from './counted.ts';
import { operation } from './operation.ts';
import { workspacePath } from './paths.ts';
import { once } from './once.ts';

const MAX_ARGUMENTS = 2000;
const MAX_ARGUMENT_LENGTH = 100_000;
const MAX_VARIABLES = 1000;
const MAX_INPUT_LENGTH = 1024 * 1024;
const MAX_WAIT_MS = 24 * 60 * 60 * 1000;

/** What a program can be given. */
export const withoutNul = /^[^\0]*$/;
const environmentName = /^[^=\0]+$/;

/** Of a program that is started. */
export const argv = once(() =>
  counted(
    MAX_ARGUMENTS,
    'arguments',
    z.tuple([z.string().min(1).max(4096).regex(withoutNul)], z.string().max(MAX_ARGUMENT_LENGTH).regex(withoutNul)),
  ).describe('The program and its arguments. No shell reads them: for one, start it (`["sh", "-c", "…"]`).'),
);

/** What a program is given beside its arguments. */
export const environment = once(() =>
  counted(
    MAX_VARIABLES,
    'variables',
    z.record(z.string().max(1000).regex(environmentName), z.string().max(MAX_ARGUMENT_LENGTH).regex(withoutNul)).default({}),
  ).describe('On top of the few harmless names that programs get. Never shown again.'),
);

const stream = once(() => z.enum(['stdout', 'stderr']));

const offsets = once(() => z.object({ stdout: z.int().nonnegative(), stderr: z.int().nonnegative() }));

const kept = once(() =>
  z.object({
    end: z.int().nonnegative().describe('Bytes written so far.'),
    lost: z.int().nonnegative().describe('Of these, bytes that are not kept: the start and the end are.'),
  }),
);

const restart = once(() =>
  z.object({
    when: z
      .enum(['never', 'on-failure', 'always'])
      .default('never')
      .describe('`always`: whatever way it ends, and again when the sidecar was started again, until it is stopped.'),
    most: z.int().nonnegative().max(1_000_000).default(10).describe('Restarts without ten steady seconds between, before it is given up.'),
  }),
);

/** Why a process is not running any more. */
export const endReason = once(() => z.enum(['exit', 'signal', 'timeout', 'stopped', 'lost', 'failed']));
export type EndReason = z.infer<ReturnType<typeof endReason>>;

export const processInfo = once(() =>
  z.object({
    id: z.string(),
    tag: z.string().optional().describe('Given by who started it.'),
    title: z.string().describe('For people; the command line where none was given.'),
    argv: z.array(z.string()).describe('Cut after some thousand characters.'),
    path: z.string().describe('The folder in which it runs.'),
    host: z.string().describe('`local`, or the name of an exec agent.'),
    terminal: z.boolean().optional().describe('It runs in a terminal: see terminals.attach.'),
    state: z.enum(['starting', 'running', 'waiting', 'ended']).describe('`waiting`: to be started again.'),
    pid: z.int().optional().describe('As its host numbers it.'),
    startedBy: z.object({ name: z.string(), kind: z.enum(['person', 'agent', 'run', 'task', 'service']) }),
    startedAt: z.int().describe('Milliseconds since 1970, UTC: the last start.'),
    endedAt: z.int().optional(),
    exitCode: z.int().optional(),
    exitSignal: z.string().optional(),
    reason: endReason()
      .optional()
      .describe(
        'exit: by itself; stopped: by a call or with the sidecar; lost: the sidecar, or its host, went away before it ended, or before all that it said had come.',
      ),
    problem: z.string().optional().describe('Why it could not be started.'),
    restarts: z.int().nonnegative(),
    restart: z.enum(['never', 'on-failure', 'always']),
    output: z.object({ stdout: kept(), stderr: kept() }),
    ports: z.array(z.object({ port: z.int(), address: z.string() })).describe('On which it listens, as far as the system tells.'),
    cpuMs: z.int().nonnegative().optional().describe('Of its group, while it runs.'),
    residentBytes: z.int().nonnegative().optional(),
  }),
);
export type ProcessInfo = z.infer<ReturnType<typeof processInfo>>;

/** By what a process is named. */
const named = once(() => ({ id: z.string().min(1).max(200).describe('The id of a process, or its tag.') }));

const outputItem = once(() =>
  z.object({
    stream: stream(),
    offset: z.int().nonnegative().describe('Of the first byte, in its stream.'),
    text: z.string().optional().describe('Not UTF-8 stands as U+FFFD.'),
    base64: z.string().optional(),
    lost: z.int().positive().optional().describe('Bytes of this stream before it that are not kept any more.'),
  }),
);
export type OutputItem = z.infer<ReturnType<typeof outputItem>>;

const outputEnd = once(() =>
  z.object({
    next: offsets().describe('Give it as `from` to go on.'),
    ended: z.boolean().describe('Nothing comes any more.'),
    process: processInfo(),
  }),
);

const reading = once(() => ({
  streams: z.array(stream()).min(1).max(2).default(['stdout', 'stderr']),
  encoding: z.enum(['text', 'base64']).default('text'),
}));

/** Of whatever starts a program of the workspace. */
export const startErrors = [
  'TOOL_MISSING',
  'FILE_PERMISSION',
  'FILE_NOT_FOUND',
  'NOT_A_DIRECTORY',
  'PATH_ESCAPES',
  'NAME_TOO_LONG',
  'TOO_MANY_PROCESSES',
  'HOST_UNAVAILABLE',
  'BAD_INPUT',
] as const;

/** Milliseconds. */
export const timeLimit = once(() => z.int().positive().max(MAX_WAIT_MS).optional().describe('It is ended after so long.'));

const start = once(() => ({
  argv: argv(),
  path: workspacePath().default('').describe('The folder in which it runs.'),
  env: environment(),
  stdin: z.string().max(MAX_INPUT_LENGTH).optional().describe('All that it can read.'),
  keepStdinOpen: z.boolean().default(false).describe('More follows by processes.input.'),
  tag: z
    .string()
    .regex(/^[\w.:@/-]{1,200}$/)
    .optional()
    .describe('A name for it. While one of this name is there that has not ended, that one is the answer, and nothing is started.'),
  title: z.string().min(1).max(500).optional(),
  host: z.string().max(200).default('local').describe('`local`, or the name of an exec agent.'),
  timeoutMs: timeLimit(),
  restart: restart().prefault({}),
  checkpoint: z
    .boolean()
    .optional()
    .describe('A checkpoint before and after, so that what it did can be taken back. By default for agents, tasks and deploys.'),
}));

/** Exec agents of other containers, by name: the option `processes.agents`. */
export const execAgents = once(() =>
  z.record(
    z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
    z.strictObject({
      socket: z.string().startsWith('/'),
      tokenFile: z.string().startsWith('/'),
      root: z.string().startsWith('/').describe('Where the container sees the workspace.'),
    }),
  ),
);

const commonErrors = ['NO_PROCESS'] as const;

export const processes = {
  'processes.start': operation({
    summary: 'Start a program. It goes on when the caller is gone; its output is kept.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object(start()),
    output: () => z.object({ process: processInfo(), existed: z.boolean().describe('One of this tag was there already.') }),
    errors: startErrors,
  }),
  'processes.run': operation({
    summary: 'Start a program and follow its output until it ends, or until `waitMs` is over: it goes on then.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        ...start(),
        ...reading(),
        waitMs: z.int().nonnegative().max(MAX_WAIT_MS).default(60_000).describe('How long to wait; the process lives on.'),
      }),
    item: outputItem,
    output: outputEnd,
    errors: startErrors,
  }),
  'processes.list': operation({
    summary: 'Processes that run, and the last that ended, newest first.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({ running: z.boolean().default(false).describe('Only those that have not ended.') }),
    output: () => z.object({ processes: z.array(processInfo()) }),
    errors: [],
  }),
  'processes.get': operation({
    summary: 'One process.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object(named()),
    output: processInfo,
    errors: commonErrors,
  }),
  'processes.output': operation({
    summary: 'What a process wrote, by offset, in the order in which it came; with `follow` also what it will write.',
    access: 'read',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        ...reading(),
        from: offsets().prefault({ stdout: 0, stderr: 0 }).describe('Bytes of each stream that are known already.'),
        last: z
          .int()
          .positive()
          .max(16 * 1024 * 1024)
          .optional()
          .describe('Instead of `from`: about so many bytes of the end of each stream.'),
        follow: z.boolean().default(false),
        hold: z
          .boolean()
          .default(false)
          .describe('With `follow`, for callers who may execute: the program waits for this reader, as for one of a pipe.'),
        maxBytes: z.int().positive().optional().describe('Of this answer; more is for the next.'),
      }),
    item: outputItem,
    output: outputEnd,
    errors: commonErrors,
  }),
  'processes.input': operation({
    summary: 'Write to the standard input of a process. Waits until it takes it.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        text: z.string().max(MAX_INPUT_LENGTH).optional(),
        base64: z
          .base64()
          .max(2 * MAX_INPUT_LENGTH)
          .optional(),
        end: z.boolean().default(false).describe('Nothing follows.'),
      }),
    output: () => z.object({ bytes: z.int().nonnegative() }),
    errors: ['NO_PROCESS', 'PROCESS_ENDED', 'BAD_INPUT'],
  }),
  'processes.signal': operation({
    summary: 'Send a signal to a process and its group.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        signal: z.enum(['SIGINT', 'SIGTERM', 'SIGKILL', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGSTOP', 'SIGCONT', 'SIGWINCH']),
      }),
    output: () => z.object({}),
    errors: ['NO_PROCESS', 'PROCESS_ENDED'],
  }),
  'processes.stop': operation({
    summary: 'End a process and everything it started: SIGTERM first, SIGKILL after `graceMs`. Answers when it is gone.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...named(), graceMs: z.int().nonnegative().max(600_000).default(5000) }),
    output: processInfo,
    errors: commonErrors,
  }),
  'processes.restart': operation({
    summary: 'End a process, where it runs, and start it again. Its output goes on in the same log.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...named(), graceMs: z.int().nonnegative().max(600_000).default(5000) }),
    output: processInfo,
    errors: [
      'NO_PROCESS',
      'PROCESS_ENDED',
      'PROCESS_RUNNING',
      'TOOL_MISSING',
      'FILE_PERMISSION',
      'FILE_NOT_FOUND',
      'TOO_MANY_PROCESSES',
      'HOST_UNAVAILABLE',
      'BAD_INPUT',
    ],
  }),
  'processes.wait': operation({
    summary: 'Wait until a process ends, listens on a port, or writes a text. What it waited for may also not come: `met` says.',
    access: 'read',
    scope: 'workspace',
    input: () =>
      z.object({
        ...named(),
        until: z.enum(['exit', 'port', 'text']).default('exit'),
        port: z.int().positive().max(65_535).optional().describe('For `port`; any, when left out.'),
        text: z.string().min(1).max(1000).optional().describe('For `text`: to be found in either stream.'),
        from: offsets().prefault({ stdout: 0, stderr: 0 }).describe('For `text`: where to look from.'),
        timeoutMs: z.int().nonnegative().max(MAX_WAIT_MS).default(30_000),
      }),
    output: () => z.object({ met: z.boolean(), process: processInfo() }),
    errors: ['NO_PROCESS', 'BAD_INPUT'],
  }),
  'processes.remove': operation({
    summary: 'Forget a process that ended, and its output.',
    access: 'execute',
    scope: 'workspace',
    destructive: true,
    input: () => z.object(named()),
    output: () => z.object({}),
    errors: ['NO_PROCESS', 'PROCESS_RUNNING'],
  }),
  'processes.watch': operation({
    summary: 'All processes, and each again when something of it changes, until the caller goes.',
    access: 'read',
    scope: 'workspace',
    endless: true,
    input: () => z.object({}),
    item: () =>
      z.discriminatedUnion('type', [
        z.object({ type: z.literal('process'), process: processInfo() }),
        z.object({ type: z.literal('removed'), id: z.string() }),
        z.object({ type: z.literal('ready') }),
      ]),
    output: () => z.object({}),
    errors: [],
  }),
};
