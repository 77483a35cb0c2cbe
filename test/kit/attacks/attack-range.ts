import assert from 'node:assert/strict';
// For tests: a ladder on a fresh folder, programs that attack it, and what they must not get at.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { EffectiveLimits } from '../../../src/contract/code.ts';
import { LadderSandbox } from '../../../src/services/exec/isolation/ladder.ts';
import type { Part } from '../../../src/services/exec/isolation/plan.ts';
import type { SandboxEnd, SandboxRequest } from '../../../src/services/exec/isolation/sandbox.ts';
import { Processes } from '../../../src/services/processes/processes.ts';
import { eventually } from '../eventually.ts';

const attacks = path.join(import.meta.dirname, 'attacks.py');
const MEBIBYTE = 1024 * 1024;
/** Fewer than a run may make otherwise: a busy disk takes long for them. */
const MAX_NEW_FILES = 500;
/** Of the whole system; a kernel without it has no such file. */
const SHARED_MEMORY = '/proc/sysvipc/shm';
/** No other test's; each range adds to it. */
const FIRST_KEY = 0x5a000000 + (process.pid % 0x8000) * 0x100;
let ranges = 0;
/** What the attacks try to leave something in. */
export const foldersOfAll = ['/tmp', '/dev/shm', '/var/tmp', '/run', '/run/lock', '/dev/mqueue', '/'];

export const attackLimits: EffectiveLimits = {
  wallMs: 2500,
  cpuMs: 2000,
  memoryBytes: 96 * MEBIBYTE,
  processes: 24,
  outputBytes: MEBIBYTE,
  fileBytes: 8 * MEBIBYTE,
  diskBytes: 16 * MEBIBYTE,
};

export interface Outcome {
  end: SandboxEnd;
  stdout: string;
  stderr: string;
  /** What got through, in the words of the attack. */
  breaches: string[];
  /** From the start to the end, as the caller sees it. */
  ms: number;
  /** The end, as the caller sees it, on the clock of `performance`. */
  endedAt: number;
  /** Programs of it that still ran at its end. */
  left: number;
  folder: string;
}

export class AttackRange {
  readonly sandbox: LadderSandbox;
  readonly rung: number;
  /** Where runs have their folders. */
  readonly base: string;
  readonly secret: string;
  /** Of the shared memory that attacks make. */
  readonly key = FIRST_KEY + (++ranges % 0x100);
  readonly #other: string;
  readonly #name: string;
  readonly #servers: Server[] = [];
  readonly #folders: string[] = [];

  /** `base`: an empty folder that others may pass; the launcher lies in it, or in a folder of its own where it is another one. */
  constructor(
    base: string,
    rung: 0 | 1 | 2 | 3,
    without: readonly Part[] = [],
    starts: 'server' | 'program' = 'server',
    launcher = path.join(base, 'launcher'),
  ) {
    this.base = fs.mkdtempSync(path.join(base, 'range-'));
    fs.chmodSync(this.base, 0o711);
    this.rung = rung;
    this.secret = path.join(this.base, 'secret');
    this.#other = path.join(this.base, 'other');
    this.#name = `outrigger-attack-${process.pid}-${path.basename(this.base)}`;
    fs.writeFileSync(this.secret, 'secret', { mode: 0o644 });
    fs.mkdirSync(this.#other, { mode: 0o755 });
    const processes = new Processes({ env: process.env });
    const isMutant = launcher !== path.join(base, 'launcher');
    this.sandbox = new LadderSandbox(
      {
        launcher,
        // A cage that the probe sees through is no reason to make it by bubblewrap: it is what is to be attacked.
        find: (program, options) => (program === 'bwrap' && isMutant ? undefined : processes.find(program, options)),
        searchPath: process.env['PATH'],
        now: () => performance.now(),
        log: () => {},
      },
      { scratch: this.base, highest: rung, newFiles: MAX_NEW_FILES, without, starts },
    );
  }

  /** Listens where runs must not get. */
  async open(): Promise<void> {
    for (const at of [{ port: 0, host: '127.0.0.1' }, { path: `\0${this.#name}` }, { path: path.join(this.base, 'sock') }]) {
      const server = createServer((socket) => socket.destroy());
      this.#servers.push(server);
      await new Promise<void>((resolve) => server.listen(at, resolve));
    }
    fs.chmodSync(path.join(this.base, 'sock'), 0o777);
  }

  /** Also ends and removes what got out of a cage that leaks. */
  async close(): Promise<void> {
    await this.sandbox.stop();
    for (const server of this.#servers) server.close();
    for (const folder of this.#folders)
      for (const { pid } of this.#running(folder)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // Gone by itself.
        }
      }
    fs.rmSync(this.base, { recursive: true, force: true });
    for (const folder of foldersOfAll) fs.rmSync(path.join(folder, this.mark()), { force: true });
    const shared = this.sharedMemory();
    if (shared !== undefined) spawnSync('/usr/bin/ipcrm', ['-m', shared]);
  }

  /** The id of what an attack made with `key` and left outside of its cage. */
  sharedMemory(): string | undefined {
    const all = fs.existsSync(SHARED_MEMORY) ? fs.readFileSync(SHARED_MEMORY, 'utf8') : '';
    return new RegExp(`^\\s*${this.key}\\s+(\\d+)\\s`, 'm').exec(all)?.[1];
  }

  async attack(name: string, request: Partial<SandboxRequest> = {}): Promise<Outcome> {
    const address = this.#servers[0]?.address();
    const { pid } = process;
    const stat = fs.readFileSync('/proc/self/stat', 'utf8');
    const given = {
      mark: this.mark(),
      most: attackLimits.processes,
      secret: this.secret,
      other: this.#other,
      tcp: typeof address === 'object' ? address?.port : 0,
      abstract: this.#name,
      socket: path.join(this.base, 'sock'),
      pid,
      start: stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19],
      key: this.key,
      scoped: this.rung >= 2 ? 'yes' : 'no',
    };
    const folder = this.folder();
    fs.copyFileSync(attacks, path.join(folder, 'attacks.py'));
    const args = Object.entries(given).map(([key, value]) => `${key}=${value}`);
    return this.run(['/usr/bin/python3', '-S', 'attacks.py', name, ...args], folder, request);
  }

  /** Stands in the arguments of every attack. */
  mark(): string {
    return `${this.#name}-mark`;
  }

  folder(): string {
    const folder = path.join(this.base, `w${this.#folders.length}`);
    fs.mkdirSync(folder);
    this.#folders.push(folder);
    return folder;
  }

  async run(argv: [string, ...string[]], folder: string, request: Partial<SandboxRequest> = {}): Promise<Outcome> {
    const text = { stdout: '', stderr: '' };
    const from = performance.now();
    const program = await this.sandbox.startAt(this.rung, {
      argv,
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp' },
      folder,
      readable: [],
      limits: attackLimits,
      memoryMethod: 'tree',
      network: false,
      keepStdinOpen: false,
      signal: new AbortController().signal,
      onOutput: (stream, bytes) => {
        text[stream] += Buffer.from(bytes).toString('latin1');
      },
      ...request,
    });
    const end = await program.end;
    const endedAt = performance.now();
    const early = this.#running(folder).filter(({ supervises }) => !supervises);
    await program.gone;
    // Where the one outside had to be killed, the one within follows.
    const isAlone = (): void => assert.ok(!this.#running(folder).some(({ supervises }) => supervises), 'the supervisor is gone, too');
    await eventually(isAlone, 2000);
    const left = Math.max(early.length, this.#running(folder).length);
    const breaches = text.stdout.split('\n').filter((line) => line.startsWith('BREACH'));
    return { end, ...text, breaches, ms: endedAt - from, endedAt, left, folder };
  }

  /**
   * Processes whose working folder it is: all that a run starts, as far as it does not go elsewhere. By its number, as those with mounts of
   * their own have it at another path.
   */
  #running(folder: string): { pid: number; supervises: boolean }[] {
    const { dev, ino } = fs.statSync(folder);
    return fs.readdirSync('/proc').flatMap((name) => {
      try {
        const seen = /^\d+$/.test(name) ? fs.statSync(`/proc/${name}/cwd`) : undefined;
        if (seen?.ino !== ino || seen.dev !== dev) return [];
        return [{ pid: Number(name), supervises: fs.readlinkSync(`/proc/${name}/exe`).endsWith('launcher') }];
      } catch {
        return [];
      }
    });
  }
}

/** A folder for a whole test file, which others may pass. */
export function rangeFolder(): string {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-attacks-'));
  fs.chmodSync(folder, 0o711);
  return folder;
}
