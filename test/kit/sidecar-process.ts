import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { flagName, type OptionKey } from '../../src/config/options.ts';
import type { Faults } from '../../src/sidecar/sidecar.ts';
import { asWeLoad } from './own-program.ts';

const ownProgram = path.join(import.meta.dirname, 'serve-process.ts');
/** Starts in half the time of the sources; it knows no faults. */
const bundle = process.env['TEST_COMMAND'];

export interface SidecarProcess {
  readonly url: string;
  readonly child: ChildProcess;
  /** Everything on stderr so far. */
  log(): string;
  /** SIGKILL, and waits for the end. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end; gives the exit code. */
  stop(): Promise<number | null>;
}

export const processToken = 'token-of-a-test-process-0123456789';

/** A real sidecar in a process of its own, which can be killed. Resolves when it is ready. */
export async function spawnSidecar(options: {
  root: string;
  state: string;
  port: number;
  flags?: Record<string, string>;
  faults?: Faults;
  /** From its sources, which Node itself loads, so that hooks see each of them; also where there is a bundle. */
  fromSources?: boolean;
  /** In place of `serve-process.ts`, which says what is expected of it. */
  program?: string;
}): Promise<SidecarProcess> {
  const { root, state, port, flags = {}, faults, fromSources = false, program = ownProgram } = options;
  const given = Object.entries({ state, port: String(port), ...flags }).flatMap(([key, value]) => {
    const name = flagName(key as OptionKey);
    if (value === 'true' || value === 'false') return [`--${value === 'true' ? '' : 'no-'}${name}`];
    return [`--${name}`, value];
  });
  const sources = [...(fromSources ? [] : asWeLoad), program, JSON.stringify(options)];
  const command =
    bundle === undefined || fromSources || faults !== undefined || program !== ownProgram ? sources : [bundle, 'serve', root, ...given];
  const child = spawn(process.execPath, command, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, OUTRIGGER_TOKEN: processToken },
  });
  let log = '';
  const ended = once(child, 'exit') as Promise<[number | null]>;
  const url = await new Promise<string>((resolve, reject) => {
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      const match = /^ready (\S+)$/m.exec(out);
      if (match?.[1] !== undefined) resolve(match[1]);
    });
    let isUp = false;
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log = (log + text).slice(-200_000);
      const at = isUp ? undefined : /^ {2}Open +(\S+) /m.exec(log)?.[1];
      isUp ||= at !== undefined && log.includes('"event":"sidecar.ready"');
      if (isUp && at !== undefined) resolve(at);
    });
    void ended.then(([code]) => reject(new Error(`The sidecar ended with ${code} before it was ready:\n${log}`)));
  });
  return {
    url,
    child,
    log: () => log,
    kill: async () => {
      child.kill('SIGKILL');
      await ended;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return (await ended)[0];
    },
  };
}
