import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createLinkConfig, type NewLinkConfig } from '../services/state/link-token.ts';
import { UnavailableError } from '../sidecar/unavailable.ts';
import type { Terminal } from './terminal.ts';

const ANSWER_WITHIN_MS = 10_000;
const LOOPBACK = /^http:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

export interface EnrolFlags {
  /** Of the hub, `http(s)://` or `ws(s)://`. */
  hub: string;
  /** A token with which one agent can make itself known (`outrigger hub enrol`). */
  enrol: string;
  /** The id under which it will be known; by default the name of the machine. */
  agent?: string;
}

/** Makes this machine an agent of a hub: spends the token, and writes the config file with the secret that it got. Throws UnavailableError. */
export async function enrolLink(given: string, { hub, enrol, agent = os.hostname() }: EnrolFlags, terminal: Terminal): Promise<void> {
  const file = fs.existsSync(given) && fs.statSync(given).isDirectory() ? path.join(given, 'config.json') : given;
  if (fs.existsSync(file)) throw new UnavailableError(`${file} is there already. Start it with: outrigger link ${given}`);
  const base = hub.replace(/^ws/, 'http').replace(/\/(ws)?$/, '');
  // Before the token is spent.
  const config = createConfig(file);
  let token: string;
  try {
    token = await spend(base, enrol, agent);
  } catch (error) {
    config.remove();
    throw error;
  }
  const isOpen = base.startsWith('http:') && !LOOPBACK.test(base);
  if (isOpen) terminal.err(`Warning: ${base} is plain HTTP; the secret of ${agent} travels in clear.\n`);
  config.write({
    agent_id: agent,
    token,
    hub_url: `${base.replace(/^http/, 'ws')}/ws`,
    ...(isOpen ? { insecure: true } : {}),
    capabilities: [],
    allow: 'none',
  });
  terminal.err(`${file} was written: ${agent} is known to ${base}. What starts a program for a task is its wake_command (docs/link.md).\n`);
}

function createConfig(file: string): NewLinkConfig {
  try {
    return createLinkConfig(file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const folder = path.dirname(path.resolve(file));
    throw new UnavailableError(
      code === 'ENOENT'
        ? `${file} can't be written: there is no folder ${folder}. Make it first; the token was not spent.`
        : `${file} can't be written (${message}); the token was not spent.`,
    );
  }
}

/** The secret of the agent. Throws UnavailableError. */
async function spend(base: string, enrol: string, agent: string): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(`${base}/api/onboard/register`, {
      method: 'POST',
      headers: { authorization: `Bearer ${enrol}`, 'content-type': 'application/json' },
      body: JSON.stringify({ agent_id: agent }),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
  } catch (error) {
    throw new UnavailableError(`The hub at ${base} does not answer (${(error as Error).message}): is the hub running?`);
  }
  const said = (await answer.json().catch(() => ({}))) as { token?: unknown; message?: unknown };
  if (answer.status !== 201 || typeof said.token !== 'string')
    throw new UnavailableError(
      `The hub at ${base} does not take ${agent} (${answer.status}): ${String(said.message ?? 'it is no hub of tasks')}`,
    );
  return said.token;
}
