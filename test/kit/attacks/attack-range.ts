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

const attacks = path.join(import.meta.dirname, 'attacks.py');
const native = path.join(import.meta.dirname, '../../../native/launcher.c');
const MEBIBYTE = 1024 * 1024;
/** Test files run beside each other: the kernel counts what a user runs wherever it runs, so that each has users of its own. */
const USERS = 100;
const FIRST_USER = 61_000 + (process.pid % 40) * USERS;
/** Fewer than a run may make otherwise: a busy disk takes long for them. */
const MAX_NEW_FILES = 500;

export const attackLimits: EffectiveLimits = {
  wallMs: 2500,
  cpuMs: 2000,
  memoryBytes: 96 * MEBIBYTE,
  processes: 24,
  outputBytes: MEBIBYTE,
  fileBytes: 8 * MEBIBYTE,
  diskBytes: 16 * MEBIBYTE,
};

/** Builds the launcher into a folder that others may pass; false, or why it can't be. */
export function buildLauncher(folder: string): string | false {
  if (process.platform !== 'linux') return 'the launcher is for Linux';
  const built = spawnSync('cc', ['-O2', '-Wall', '-Wextra', '-Werror', '-static', native, '-o', path.join(folder, 'launcher')]);
  return built.status === 0 ? false : 'needs a C compiler: apt-get install gcc libc6-dev';
}

export interface Outcome {
  end: SandboxEnd;
  stdout: string;
  stderr: string;
  /** What got through, in the words of the attack. */
  breaches: string[];
  /** From the start to the end, as the caller sees it. */
  ms: number;
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
  readonly #other: string;
  readonly #name: string;
  readonly #servers: Server[] = [];
  #count = 0;

  /** `base`: an empty folder that others may pass; the launcher lies in it. */
  constructor(base: string, rung: 0 | 1 | 2 | 3, without: readonly Part[] = [], starts: 'server' | 'program' = 'server') {
    this.base = fs.mkdtempSync(path.join(base, 'range-'));
    fs.chmodSync(this.base, 0o711);
    this.rung = rung;
    this.secret = path.join(this.base, 'secret');
    this.#other = path.join(this.base, 'other');
    this.#name = `outrigger-attack-${process.pid}-${path.basename(this.base)}`;
    fs.writeFileSync(this.secret, 'secret', { mode: 0o644 });
    fs.mkdirSync(this.#other, { mode: 0o755 });
    const processes = new Processes({ env: process.env });
    this.sandbox = new LadderSandbox(
      {
        launcher: path.join(base, 'launcher'),
        find: (program, options) => processes.find(program, options),
        searchPath: process.env['PATH'],
        now: () => performance.now(),
        log: () => {},
      },
      { scratch: this.base, highest: rung, newFiles: MAX_NEW_FILES, slotsFrom: FIRST_USER, slots: USERS, without, starts },
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

  async close(): Promise<void> {
    await this.sandbox.stop();
    for (const server of this.#servers) server.close();
    fs.rmSync(this.base, { recursive: true, force: true });
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
      key: 0x5afe0000 + (pid % 0xffff),
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
    const folder = path.join(this.base, `w${++this.#count}`);
    fs.mkdirSync(folder);
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
    const ms = performance.now() - from;
    const left = this.#runningWith(folder);
    await program.gone;
    assert.equal(this.#runningWith(folder, true), 0, 'the supervisor is gone, too');
    const breaches = text.stdout.split('\n').filter((line) => line.startsWith('BREACH'));
    return { end, ...text, breaches, ms, left, folder };
  }

  /** Processes whose working folder it is: all that a run starts, as far as it does not go elsewhere. */
  #runningWith(folder: string, withSupervisors = false): number {
    return fs.readdirSync('/proc').filter((pid) => {
      try {
        if (!/^\d+$/.test(pid) || fs.readlinkSync(`/proc/${pid}/cwd`) !== folder) return false;
        return withSupervisors || path.basename(fs.readlinkSync(`/proc/${pid}/exe`)) !== 'launcher';
      } catch {
        return false;
      }
    }).length;
  }
}

/** A folder for a whole test file, which others may pass. */
export function rangeFolder(): string {
  const folder = fs.mkdtempSync(path.join(fs.realpathSync(os.tmpdir()), 'outrigger-attacks-'));
  fs.chmodSync(folder, 0o711);
  return folder;
}
