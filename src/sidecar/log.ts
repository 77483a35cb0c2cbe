import { pino } from 'pino';
import type { Config } from '../config/options.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One event per line. Names are dotted and constant; facts are fields. */
export interface Log {
  (level: LogLevel, event: string, facts?: Readonly<Record<string, unknown>>): void;
}

const secretKeys = /^(token|secret|password|authorization|cookie|set-cookie)$/i;
const secretInText = /([?&](?:token|access_token)=)[^&\s"']+/gi;
const bearerInText = /\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}/gi;
/** One look for both: nearly all text that is logged has neither. */
const mayHoldSecret = /token=|bearer\s/i;
const REDACTED = '[redacted]';
const MAX_TEXT = 4000;
const MAX_DEPTH = 4;

/** The fixed names of the line, per platform. */
const lineNames = {
  outrigger: { time: 'ts', requestId: 'request_id', agentId: 'agent_id', taskId: 'task_id', userId: 'user_id', durationMs: 'duration_ms' },
  platxa: {
    time: 'timestamp',
    requestId: 'request_id',
    agentId: 'agent_id',
    taskId: 'task_id',
    userId: 'user_id',
    durationMs: 'duration_ms',
  },
} as const;

/**
 * `{ts, level, event, message, service, request_id?, duration_ms?, error?, …}` a line, to `write`, which says false where it left the line
 * out; how many it did stands in `log.left_out`, before the next line that it takes. Secrets are taken out here, whoever logs them.
 */
export function createLog(config: Pick<Config, 'log.level' | 'log.names'>, write: (line: string) => boolean | void): Log {
  const names: Readonly<Record<string, string>> = lineNames[config['log.names']];
  let leftOut = 0;
  const sink = pino(
    {
      level: config['log.level'],
      base: { service: 'outrigger' },
      messageKey: 'message',
      timestamp: () => `,"${names['time']}":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void (write(line) === false && leftOut++) },
  );
  const tellLeftOut = (): void => {
    const lines = leftOut;
    leftOut = 0;
    sink.warn({ event: 'log.left_out', lines }, 'log.left_out');
    if (leftOut > 0) leftOut = lines;
  };
  return (level, event, facts = {}) => {
    if (!sink.isLevelEnabled(level)) return;
    if (leftOut > 0) tellLeftOut();
    const line: Record<string, unknown> = { event };
    for (const [key, value] of Object.entries(facts)) {
      if (value !== undefined) line[names[key] ?? key] = secretKeys.test(key) ? REDACTED : clean(value, 0);
    }
    sink[level](line, event);
  };
}

/** Lines that are written after what they tell of was answered: after this turn of the event loop, at whose end connections send, or at `flush`. */
export class LateLog {
  readonly #log: Log;
  #lines: Parameters<Log>[] = [];

  constructor(log: Log) {
    this.#log = log;
  }

  add(...line: Parameters<Log>): void {
    if (this.#lines.push(line) === 1) setImmediate(() => setImmediate(() => this.flush()));
  }

  flush(): void {
    const lines = this.#lines;
    this.#lines = [];
    for (const line of lines) this.#log(...line);
  }
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value);
  if (value instanceof Error) {
    const error: Record<string, unknown> = { name: value.name, message: redactText(value.message), stack: redactText(value.stack ?? '') };
    if (value.cause !== undefined && depth < MAX_DEPTH) error['cause'] = clean(value.cause, depth + 1);
    return error;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[…]';
  if (Array.isArray(value)) return value.map((part) => clean(part, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, secretKeys.test(key) ? REDACTED : clean(part, depth + 1)]));
}

function redactText(text: string): string {
  if (!mayHoldSecret.test(text)) return text;
  return text.replace(secretInText, `$1${REDACTED}`).replace(bearerInText, `$1${REDACTED}`);
}
