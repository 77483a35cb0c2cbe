import * as z from 'zod';
import { operation } from './operation.ts';
import { workspacePath } from './paths.ts';
import { argv, environment, processInfo, startErrors, timeLimit } from './processes.ts';
import { once } from './once.ts';

const MAX_INPUT_LENGTH = 1024 * 1024;

const columns = once(() => z.int().min(2).max(1000));
const rows = once(() => z.int().min(1).max(500));

const viewer = once(() => z.object({ name: z.string(), kind: z.enum(['person', 'agent', 'run', 'task', 'service']) }));

export const terminalInfo = once(() =>
  z.object({
    id: z.string().describe('Also the id of its process: processes.output gives what was written, as it was.'),
    title: z.string().describe('As the program in it sets it, else the command line.'),
    columns: columns(),
    rows: rows(),
    viewers: z.array(viewer()),
    process: processInfo(),
  }),
);
export type TerminalInfo = z.infer<ReturnType<typeof terminalInfo>>;

const named = once(() => ({ id: z.string().min(1).max(200).describe('The id of a terminal, or its tag.') }));

const terminalItem = once(() =>
  z.discriminatedUnion('type', [
    z.object({
      type: z
        .literal('screen')
        .describe(
          'The whole screen with what was scrolled out of it, to be written into an empty terminal: first, and again for a viewer who fell behind.',
        ),
      text: z.string(),
      columns: columns(),
      rows: rows(),
    }),
    z.object({ type: z.literal('output'), text: z.string().describe('To be written after the screen.') }),
    z.object({ type: z.literal('size'), columns: columns(), rows: rows() }),
    z.object({ type: z.literal('title'), title: z.string() }),
    z.object({ type: z.literal('viewers'), viewers: z.array(viewer()) }),
  ]),
);
export type TerminalItem = z.infer<ReturnType<typeof terminalItem>>;

export const terminals = {
  'terminals.open': operation({
    summary: 'Start a program in a terminal, the shell of this user when none is named. It goes on when nobody looks.',
    access: 'execute',
    scope: 'workspace',
    input: () =>
      z.object({
        argv: argv().optional(),
        path: workspacePath().default('').describe('The folder in which it runs.'),
        env: environment(),
        columns: columns().default(80),
        rows: rows().default(24),
        tag: z
          .string()
          .regex(/^[\w.:@/-]{1,200}$/)
          .optional(),
        title: z.string().min(1).max(500).optional(),
        host: z.string().max(200).default('local').describe('`local`, or the name of an exec agent.'),
        timeoutMs: timeLimit(),
      }),
    output: () => z.object({ terminal: terminalInfo(), existed: z.boolean() }),
    errors: startErrors,
  }),
  'terminals.list': operation({
    summary: 'Terminals, also those whose program ended, newest first.',
    access: 'read',
    scope: 'workspace',
    input: () => z.object({}),
    output: () => z.object({ terminals: z.array(terminalInfo()) }),
    errors: [],
  }),
  'terminals.attach': operation({
    summary: 'The screen of a terminal, and what is written to it from then on, until its program ends. Several may look at one.',
    access: 'read',
    scope: 'workspace',
    endless: true,
    input: () => z.object(named()),
    item: terminalItem,
    output: () => z.object({ terminal: terminalInfo() }),
    errors: ['NO_PROCESS', 'TOO_MANY'],
  }),
  'terminals.input': operation({
    summary: 'Type into a terminal.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...named(), text: z.string().max(MAX_INPUT_LENGTH) }),
    output: () => z.object({}),
    errors: ['NO_PROCESS', 'PROCESS_ENDED'],
  }),
  'terminals.resize': operation({
    summary: 'Change the size of a terminal, for all who look at it.',
    access: 'execute',
    scope: 'workspace',
    input: () => z.object({ ...named(), columns: columns(), rows: rows() }),
    output: () => z.object({}),
    errors: ['NO_PROCESS', 'PROCESS_ENDED'],
  }),
  'terminals.close': operation({
    summary: 'End the program of a terminal, and forget the terminal.',
    access: 'execute',
    scope: 'workspace',
    destructive: true,
    input: () => z.object(named()),
    output: () => z.object({}),
    errors: ['NO_PROCESS'],
  }),
};
