// For tests: a sidecar that is stopped and killed, and whose programs are known by a mark in their environment.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { type Client, createClient } from '../../src/client/client.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { withEnvironment } from '../../src/services/processes/process-facts.ts';
import { eventually } from './eventually.ts';
import { below, killQuietly } from './exec-agent.ts';
import { processToken, type SidecarProcess, spawnSidecar } from './sidecar-process.ts';

/** By a signal that it can handle, by one that it can't, and with all that it started. */
export const endings = ['stop', 'kill', 'kill all'] as const;
export type Ending = (typeof endings)[number];

export class MarkedSidecar {
  readonly #folder: string;
  readonly #root: string;
  readonly #clients: Client<Operations>[] = [];
  #running: SidecarProcess | undefined;
  #client: Client<Operations> | undefined;

  /** Its state is in `folder`, by whose name its programs are known. */
  constructor(folder: string, root: string) {
    this.#folder = folder;
    this.#root = root;
  }

  /** For the environment of the programs. */
  get mark(): { MARK: string } {
    return { MARK: path.basename(this.#folder) };
  }

  get pid(): number {
    return this.#sidecar.child.pid as number;
  }

  get client(): Client<Operations> {
    assert.ok(this.#client !== undefined);
    return this.#client;
  }

  /** Hangs up with all others. */
  clientOf(token: string): Client<Operations> {
    const client = createClient<Operations>({ url: this.#sidecar.url, token });
    this.#clients.push(client);
    return client;
  }

  get #sidecar(): SidecarProcess {
    assert.ok(this.#running !== undefined);
    return this.#running;
  }

  async start(flags: Record<string, string>): Promise<void> {
    this.#running = await spawnSidecar({ root: this.#root, state: path.join(this.#folder, 'state'), port: 0, flags });
    this.#client = this.clientOf(processToken);
  }

  async end(how: Ending): Promise<void> {
    const { child, stop, kill, log } = this.#sidecar;
    if (how === 'stop') assert.equal(await stop(), 0, log());
    else {
      const pids = how === 'kill' ? [] : below(child.pid as number).map(({ pid }) => pid);
      const ended = kill();
      for (const pid of pids) killQuietly(pid);
      await ended;
    }
    this.#hangUp();
  }

  async close(): Promise<void> {
    const sidecar = this.#running;
    this.#hangUp();
    if (sidecar?.child.exitCode === null && sidecar.child.signalCode === null) await sidecar.kill();
  }

  assertNothingRuns(): void {
    const left = withEnvironment(`MARK=${this.mark.MARK}`).map((pid) => `${pid} ${commandOf(pid)}`);
    assert.deepEqual(left, []);
  }

  nothingRunsSoon(): Promise<unknown> {
    return eventually(() => this.assertNothingRuns());
  }

  #hangUp(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }
}

/** Of a program, its parts behind one another; empty where it is gone. */
export function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}
