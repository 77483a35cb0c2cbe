import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { EffectiveLimits, IsolationEvidence, IsolationInfo, RungName } from '../../../contract/code.ts';
import { type CagedChild, startCaged } from '../../processes/caged-child.ts';
import { evidenceOf, infoOf, type Machine, type Ran, rungNames, verdictOf } from './evidence.ts';
import { SEEN_AT } from './plan.ts';
import type { SandboxedProgram, SandboxRequest } from './sandbox.ts';

/** What did not come to an end by then did not hold. */
const ATTEMPT_WITHIN_MS = 700;
/** For a second attempt, where a busy machine did not let the first one come to its limit. */
const SECOND_WITHIN_MS = 2500;
const MEBIBYTE = 1024 * 1024;
/** Small, so that meeting them takes no time. */
const limits: EffectiveLimits = {
  wallMs: ATTEMPT_WITHIN_MS,
  cpuMs: 1000,
  memoryBytes: 32 * MEBIBYTE,
  processes: 12,
  outputBytes: 64 * 1024,
  fileBytes: MEBIBYTE,
  diskBytes: 4 * MEBIBYTE,
};
/** For the attempt to run longer. */
const SHORT_WALL_MS = 150;
/** Twice a limit is clearly over it. */
const OVER = 2;
const HIGHEST = rungNames.length - 1;
const COPY = 'try';

export interface Climbed {
  isolation: IsolationInfo;
  evidence: IsolationEvidence[];
  rungs: { rung: number; name: RungName; works: boolean; why: string }[];
}

/** Runs a program on a given rung. */
export interface RungSandbox {
  startAt(rung: number, request: SandboxRequest): Promise<SandboxedProgram>;
}

export interface ClimbOptions extends Machine {
  /** Absolute; undefined: there is none. */
  launcher: string | undefined;
  /** An absolute folder that is there, for what the probe makes. */
  scratch: string;
}

/** Tries each rung with a program that attempts what is not allowed, and takes the highest that held. Never rejects; 1.5 s at most, on a busy machine 4. */
export async function climb(sandbox: RungSandbox, options: ClimbOptions): Promise<Climbed> {
  const { launcher, scratch, highest } = options;
  if (launcher === undefined) return withoutProof('There is no launcher for this system; on Linux, node scripts/native.mjs builds it.');
  const folder = path.join(scratch, `probe-${randomBytes(9).toString('hex')}`);
  let listener: Listener | undefined;
  try {
    makeFolder(folder);
    listener = await listen(launcher, `outrigger-${path.basename(folder)}`);
    const attempts = new Attempts(sandbox, launcher, folder);
    const outside = attemptsOutside(folder, listener);
    const looks = await Promise.all(rungNames.slice(0, highest + 1).map((_, rung) => attempts.run(rung, 'around', outside)));
    const rungs = rungNames.map((name, rung) => ({ rung, name, ...verdictOf(rung, looks[rung], options) })).reverse();
    const rung = rungs.find(({ works }) => works)?.rung ?? 0;
    const over = async (name: string, most: number): Promise<Ran> => {
      const what = [`${name}=${OVER * most}`];
      const first = await attempts.run(rung, name, what);
      return cameTooLate(first)
        ? attempts.run(rung, `${name}-again`, what, { ...limits, wallMs: SECOND_WITHIN_MS }, SECOND_WITHIN_MS)
        : first;
    };
    const [count, memory, disk, output, time] = await Promise.all([
      over('forks', limits.processes),
      over('memory', limits.memoryBytes),
      over('disk', limits.diskBytes),
      over('output', limits.outputBytes),
      attempts.run(rung, 'time', [`time=${ATTEMPT_WITHIN_MS}`], { ...limits, wallMs: SHORT_WALL_MS }),
    ]);
    const seen = { around: looks[rung] as Ran, count, memory, disk, output, time };
    const evidence = evidenceOf(rung, seen, limits, options, SHORT_WALL_MS);
    return { isolation: infoOf(rung, evidence), evidence, rungs };
  } catch (error) {
    return withoutProof(`The probe failed: ${(error as Error).message}`);
  } finally {
    listener?.child.kill();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Its time was over before it came to any other limit, or to its end. */
function cameTooLate({ end }: Ran): boolean {
  return end?.reason === 'timeout' || end?.reason === 'canceled';
}

/** What the kernel's landlock can do; 0 where it is not there, or not enforced. Never rejects. */
export async function landlockAbi(launcher: string): Promise<number> {
  try {
    const child = await startCaged({ argv: [launcher, '--probe'], env: {}, cwd: '/', keepStdinOpen: false, reports: false });
    let text = '';
    child.stdout.on('data', (bytes) => {
      text += bytes.toString();
    });
    await new Promise<void>((resolve) => child.stdout.once('close', resolve));
    const { landlock, enforced } = JSON.parse(text) as { landlock: number; enforced: boolean };
    return enforced ? landlock : 0;
  } catch {
    return 0;
  }
}

/** One attempt after another, each in a folder of its own. */
class Attempts {
  readonly #sandbox: RungSandbox;
  readonly #launcher: string;
  readonly #folder: string;

  constructor(sandbox: RungSandbox, launcher: string, folder: string) {
    this.#sandbox = sandbox;
    this.#launcher = launcher;
    this.#folder = folder;
  }

  /** Never rejects. */
  async run(
    rung: number,
    name: string,
    what: readonly string[],
    most: EffectiveLimits = limits,
    withinMs = ATTEMPT_WITHIN_MS,
  ): Promise<Ran> {
    const own = path.join(this.#folder, `${rung}-${name}`);
    let stdout = '';
    try {
      fs.mkdirSync(own, { mode: 0o755 });
      // A copy: the launcher itself may lie where others can't get at it.
      fs.copyFileSync(this.#launcher, path.join(own, COPY));
      const program = await this.#sandbox.startAt(rung, {
        argv: [path.join(rung === HIGHEST ? SEEN_AT : own, COPY), '--try', ...what],
        env: {},
        folder: own,
        readable: [],
        limits: most,
        memoryMethod: 'tree',
        network: false,
        keepStdinOpen: false,
        signal: AbortSignal.timeout(withinMs),
        onOutput: (stream, bytes) => {
          if (stream === 'stdout') stdout += Buffer.from(bytes).toString();
        },
      });
      const end = await program.end;
      return { end, stdout, problem: end.problem ?? '' };
    } catch (error) {
      return { end: undefined, stdout, problem: (error as Error).message };
    }
  }
}

interface Listener {
  child: CagedChild;
  name: string;
  port: number;
}

/** Others may pass through it, as runs are other users where root starts them; all may read what lies in it, so that no mode decides. */
function makeFolder(folder: string): void {
  fs.mkdirSync(folder);
  fs.chmodSync(folder, 0o711);
  const secret = path.join(folder, 'secret');
  fs.writeFileSync(secret, 'secret\n');
  fs.chmodSync(secret, 0o644);
}

/** Something to connect to, on this machine and in no cage. */
async function listen(launcher: string, name: string): Promise<Listener> {
  const child = await startCaged({ argv: [launcher, '--listen', name], env: {}, cwd: '/', keepStdinOpen: true, reports: false });
  const said = await new Promise<string>((resolve) => {
    child.stdout.on('data', (bytes) => resolve(bytes.toString()));
    child.stdout.once('close', () => resolve(''));
  });
  return { child, name, port: Number(said) };
}

function attemptsOutside(folder: string, { port, name }: Listener): string[] {
  const stat = fs.readFileSync('/proc/self/stat', 'utf8');
  // When it started, in the 22nd field: in another namespace our number is another process.
  const us = `${process.pid}:${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`;
  return [`file=${path.join(folder, 'secret')}`, `environ=${us}`, `signal=${us}`, `tcp=${port}`, `abstract=${name}`, 'kernel=1'];
}

/** What is said where nothing could be tried. */
function withoutProof(why: string): Climbed {
  const protections = ['files', 'network', 'processes', 'kernel', 'count', 'memory', 'disk', 'time', 'output'] as const;
  const evidence = protections.map((protection) => ({ protection, held: false, by: 'nothing that was tried', tried: why }));
  const rungs = rungNames.map((name, rung) => ({ rung, name, works: rung === 0, why })).reverse();
  return { isolation: infoOf(0, evidence), evidence, rungs };
}
