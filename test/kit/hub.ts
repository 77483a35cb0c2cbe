import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { FastifyInstance } from 'fastify';
import { WebSocket } from 'ws';
import { registerAgentCom } from '../../src/adapters/agentcom/agentcom.ts';
import { createClient } from '../../src/client/client.ts';
import type { HubOperations } from '../../src/contract/hub-operations.ts';
import { type Hub, hubDefaults, type HubOptions, startHub } from '../../src/hub/hub.ts';
import { registerHubPages } from '../../src/hub/pages.ts';

const builtPages = path.join(import.meta.dirname, '..', '..', 'dist', 'workbench');

export type HubClient = ReturnType<typeof createClient<HubOperations>>;

export interface RunningHub {
  hub: Hub;
  url: string;
  client: HubClient;
  folder: string;
  /** Makes an agent known and connects it; `identify` false: it has said nothing yet. */
  agent: (id: string, options?: Partial<AgentOptions>) => Promise<FakeAgent>;
  secretOf: (id: string) => Promise<string>;
  /** Stops the hub and starts it anew at the same address with the same folder. */
  restart: (options?: Partial<HubOptions>) => Promise<void>;
  logged: { event: string; facts: Record<string, unknown> }[];
}

export interface AgentOptions {
  token: string;
  identify: boolean;
  features: readonly string[];
  capabilities: readonly string[];
  held: readonly object[];
  credit: number;
}

/** Runs with a hub in a folder of its own; `now`: its clock, milliseconds since 1970. */
export async function withHub(
  run: (running: RunningHub) => Promise<void>,
  { now = Date.now, ...options }: Partial<HubOptions> & { now?: () => number } = {},
): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'outrigger-hub-'));
  const agents: FakeAgent[] = [];
  const secrets = new Map<string, string>();
  const logged: RunningHub['logged'] = [];
  const open = (more: Partial<HubOptions>): Promise<Hub> =>
    startHub(
      {
        version: '0.0.0-test',
        now,
        log: (_level, event, facts = {}) => void logged.push({ event, facts }),
        routes: (app: FastifyInstance, parts) => {
          registerAgentCom(app, parts, parts);
          registerHubPages(app, parts, { folder: builtPages });
        },
      },
      { ...hubDefaults, port: 0, folder, ...options, ...more },
    );
  let hub = await open({});
  const connect = (): HubClient => createClient<HubOperations>({ url: hub.url, token: hub.token });
  const running: RunningHub = {
    hub,
    url: hub.url,
    client: connect(),
    folder,
    logged,
    secretOf: async (id) => {
      const known = secrets.get(id);
      if (known !== undefined) return known;
      const { token } = await running.client.call('agents.register', { agent: id });
      secrets.set(id, token);
      return token;
    },
    agent: async (id, given = {}) => {
      const token = given.token ?? (await running.secretOf(id));
      const agent = await FakeAgent.connect(running.url, id, { ...given, token });
      agents.push(agent);
      return agent;
    },
    restart: async (more = {}) => {
      running.client.close();
      const { port } = new URL(hub.url);
      await hub.stop();
      hub = await open({ port: Number(port), ...more });
      running.hub = hub;
      running.client = connect();
    },
  };
  try {
    await run(running);
  } finally {
    for (const agent of agents) agent.end();
    running.client.close();
    await hub.stop();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

export type Frame = Record<string, unknown> & { type: string };

/** An agent's socket, by hand: what it sends is sent as it is, and what comes is kept in order. */
export class FakeAgent {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  closed: { code: number; reason: string } | undefined;
  readonly #waiters: { matches: (frame: Frame) => boolean; resolve: (frame: Frame) => void }[] = [];

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('error', () => {});
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
    });
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as Frame;
      const at = this.#waiters.findIndex(({ matches }) => matches(frame));
      if (at < 0) this.frames.push(frame);
      else this.#waiters.splice(at, 1)[0]?.resolve(frame);
    });
  }

  static async connect(url: string, id: string, options: Partial<AgentOptions>): Promise<FakeAgent> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`);
    const agent = new FakeAgent(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    if (options.identify === false) return agent;
    const { token, features, capabilities, held, credit } = options;
    agent.send({
      type: 'identify',
      agent_id: id,
      token,
      name: id,
      status: 'idle',
      capabilities: capabilities ?? [],
      client_type: 'sidecar',
      protocol_version: 1,
      ...(features === undefined ? {} : { features, held: held ?? [], credit: credit ?? 1 }),
    });
    await agent.next('identified');
    return agent;
  }

  /** An object, or text as it is. */
  send(frame: object | string): void {
    this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame));
  }

  /** The next frame of this type, one that waits already included; others are kept. */
  next(type: string, withinMs = 5000): Promise<Frame> {
    const matches = (frame: Frame): boolean => frame.type === type;
    const at = this.frames.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.frames.splice(at, 1)[0] as Frame);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () =>
          reject(
            new assert.AssertionError({
              message: `no ${type} came; ${JSON.stringify(this.frames)}, closed ${JSON.stringify(this.closed)}`,
            }),
          ),
        withinMs,
      );
      this.#waiters.push({
        matches,
        resolve: (frame) => {
          clearTimeout(timer);
          resolve(frame);
        },
      });
    });
  }

  /** All that came so far of this type. */
  had(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type);
  }

  /** Cut, without a goodbye. */
  end(): void {
    this.socket.terminate();
  }
}

/** All that an agent of ours may ask for. */
export const allFeatures = ['leases', 'held', 'refusals', 'long-reasons', 'logs', 'calls'];

/** Their ids. */
export async function queue({ client }: RunningHub, ...tasks: { description?: string; [more: string]: unknown }[]): Promise<string[]> {
  const { tasks: made } = await client.call('tasks.create', { tasks: tasks.map((task) => ({ description: 'do it', ...task })) as never });
  return made.map(({ id }) => id);
}

/** The next task that the agent is given, taken. */
export async function accepted(agent: FakeAgent): Promise<{ id: string; fence: number; frame: Frame }> {
  const frame = await agent.next('task_assign');
  const [id, fence] = [frame['task_id'] as string, frame['generation'] as number];
  agent.send({ type: 'task_accepted', task_id: id, generation: fence, protocol_version: 1 });
  await agent.next('task_ack');
  return { id, fence, frame };
}
