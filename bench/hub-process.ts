// A hub in a process of its own, agents that it knows, and processes that play them: what the parts about the hub share.
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { createClient } from '../src/client/client.ts';
import type { HubOperations } from '../src/contract/hub-operations.ts';
import { AgentRegistry } from '../src/hub/agent-registry.ts';
import { hashSecret, newSecret } from '../src/hub/secrets.ts';
import { benchToken, ourProgram } from './contenders.ts';

export interface RunningHub {
  child: ChildProcess;
  pid: number;
  port: number;
  url: string;
}

export interface Crowd {
  children: ChildProcess[];
  stats: () => Promise<{ online: number; completed: number; held: number; onlineAt: number[] }>;
  tell: (message: object) => void;
  stop: () => Promise<void>;
}

/** Agents with their secrets, as if all had been registered. */
export function makeKnown(state: string, much: number): [string, string][] {
  fs.mkdirSync(state, { recursive: true });
  const file = path.join(state, 'agents.db');
  new AgentRegistry({ file, now: Date.now }).close();
  const database = new DatabaseSync(file);
  database.exec('BEGIN');
  const agents = Array.from({ length: much }, (_, at): [string, string] => [`agent-${at}`, newSecret(`agent-${at}`)]);
  for (const [id, secret] of agents) {
    database.prepare("INSERT INTO agents(id, name, capabilities, created) VALUES(?, ?, '[]', 0)").run(id, id);
    database.prepare('INSERT INTO secrets(hash, agent, created, used) VALUES(?, ?, 0, 1)').run(hashSecret(secret), id);
  }
  database.exec('COMMIT');
  database.close();
  return agents;
}

export async function startHub(state: string, port: number): Promise<RunningHub> {
  const child = spawn(process.execPath, [ourProgram().file, 'hub', '--port', String(port), '--state', state, '--log-level', 'info'], {
    env: { PATH: process.env['PATH'], HOME: state, OUTRIGGER_HUB_TOKEN: benchToken, NODE_ENV: 'production' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const url = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      if (text !== '' && text.length > 100_000) return;
      text += chunk;
      const found = /"event":"hub\.listening","url":"([^"]+)"/.exec(text);
      if (found?.[1] !== undefined) resolve(found[1]);
    });
    child.once('exit', () => reject(new Error(`The hub did not start: ${text}`)));
  });
  return { child, pid: child.pid ?? 0, port: Number(new URL(url).port), url };
}

export function clientOf({ url }: RunningHub): ReturnType<typeof createClient<HubOperations>> {
  return createClient<HubOperations>({ url, token: benchToken });
}

export async function stop({ child }: RunningHub): Promise<void> {
  child.kill('SIGTERM');
  await once(child, 'exit');
}

export async function gather(url: string, agents: [string, string][], { works, perS }: { works: boolean; perS: number }): Promise<Crowd> {
  const processes = agents.length > 1000 ? 2 : 1;
  const children = Array.from({ length: processes }, () => fork(path.join(import.meta.dirname, 'hub-agents.ts')));
  const share = Math.ceil(agents.length / processes);
  for (const [at, child] of children.entries())
    child.send({ type: 'connect', url, agents: agents.slice(at * share, (at + 1) * share), works, perS: perS / processes });
  return {
    children,
    tell: (message) => {
      for (const child of children) child.send(message);
    },
    stats: async () => {
      const all = await Promise.all(
        children.map(
          (child) =>
            new Promise<{ online: number; completed: number; held: number; onlineAt: number[] }>((resolve) => {
              const hear = (message: { type: string }): void => {
                if (message.type !== 'stats') return;
                child.off('message', hear);
                resolve(message as never);
              };
              child.on('message', hear);
              child.send({ type: 'stats' });
            }),
        ),
      );
      return {
        online: all.reduce((sum, { online }) => sum + online, 0),
        completed: all.reduce((sum, { completed }) => sum + completed, 0),
        held: all.reduce((sum, { held }) => sum + held, 0),
        onlineAt: all.flatMap(({ onlineAt }) => onlineAt),
      };
    },
    stop: async () => {
      const ended = children.map((child) => once(child, 'exit'));
      for (const child of children) child.send({ type: 'stop' });
      await Promise.all(ended);
    },
  };
}

export async function until(check: () => Promise<boolean>, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(`It did not come true in ${withinMs} ms: ${check.toString().slice(0, 200)}`);
    await pause(20);
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
