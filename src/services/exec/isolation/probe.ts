import { howToBuild } from '../../processes/native-program.ts';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { EffectiveLimits, IsolationEvidence, IsolationInfo, RungName } from '../../../contract/code.ts';
import { OutriggerError } from '../../../contract/errors.ts';
import { type CagedChild, startCaged } from '../../processes/caged-child.ts';
import { shortageOf } from '../../processes/shortage.ts';
import { endedInTime, evidenceOf, infoOf, type Machine, type Ran, rungNames, shortCodeOf, verdictOf } from './evidence.ts';
import type { SandboxedProgram, SandboxRequest } from './sandbox.ts';

/** What did not come to an end by then did not hold. */
const ATTEMPT_WITHIN_MS = 700;
/** For a second attempt, where a busy machine did not let the first one come to its limit. */
const SECOND_WITHIN_MS = 2500;
const MEBIBYTE = 1024 * 1024;
/** Small, so that meeting them takes no time, and no disk is too small for it. */
const limits: EffectiveLimits = {
  wallMs: ATTEMPT_WITHIN_MS,
  cpuMs: 1000,
  memoryBytes: 32 * MEBIBYTE,
  processes: 12,
  outputBytes: 64 * 1024,
  fileBytes: MEBIBYTE,
  diskBytes: MEBIBYTE,
};
/** For the attempt to run longer. */
const SHORT_WALL_MS = 150;
/** Twice a limit is clearly over it. */
const OVER = 2;
/** With what tries: a copy, as the launcher itself may lie where others can't get at it. */
const PROGRAMS = 'programs';
const PROBE = 'what tries out the cages';

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

/**
 * Tries each rung with a program that attempts what is not allowed, and takes the highest that held; 1.5 s at most, on a busy machine 6. Rejects with
 * TOO_MANY_PROCESSES or DISK_FULL where something was short that may be there in a moment: what failed for want of it says nothing of the machine.
 */
export async function climb(sandbox: RungSandbox, options: ClimbOptions): Promise<Climbed> {
  const { launcher, scratch, highest } = options;
  if (launcher === undefined) return withoutProof(`There is no launcher: ${howToBuild()}.`);
  const folder = path.join(scratch, `probe-${randomBytes(9).toString('hex')}`);
  let listener: Listener | undefined;
  try {
    makeFolder(folder);
    listener = await listen(launcher, `outrigger-${path.basename(folder)}`);
    const attempts = new Attempts(sandbox, folder);
    fs.copyFileSync(launcher, attempts.program);
    const outside = attemptsOutside(folder, listener);
    const looks = await Promise.all(rungNames.slice(0, highest + 1).map((_, rung) => attempts.look(rung, outside)));
    const rungs = rungNames.map((name, rung) => ({ rung, name, ...verdictOf(rung, looks[rung], options) })).reverse();
    const rung = rungs.find(({ works }) => works)?.rung ?? 0;
    throwShortage(looks.slice(rung));
    const over = (name: string, most: number): Promise<Attempt> => attempts.runTwice(rung, name, [`${name}=${OVER * most}`]);
    const [count, memory, disk, output, time] = await Promise.all([
      over('forks', limits.processes),
      over('memory', limits.memoryBytes),
      over('disk', limits.diskBytes),
      over('output', limits.outputBytes),
      attempts.sleep(rung),
    ]);
    throwShortage([count, memory, disk, output, time]);
    if (rung > 0 && disk.end?.reason !== 'disk') throwIfFull(folder, OVER * limits.diskBytes);
    const seen = { around: looks[rung] as Ran, count, memory, disk, output, time };
    const evidence = evidenceOf(rung, seen, limits, options, SHORT_WALL_MS);
    return { isolation: infoOf(rung, evidence), evidence, rungs };
  } catch (error) {
    const shortage = shortageOf(PROBE, error);
    if (shortage !== undefined) throw shortage;
    return withoutProof(`The probe failed: ${(error as Error).message}`);
  } finally {
    listener?.child.kill();
    await fs.promises.rm(folder, { recursive: true, force: true, maxRetries: 3 }).catch(() => {});
  }
}

function throwShortage(attempts: readonly Attempt[]): void {
  const shortage = attempts.find((attempt) => attempt.shortage !== undefined)?.shortage;
  if (shortage !== undefined) throw shortage;
}

/** Who is to be kept from writing so much has to be able to. */
function throwIfFull(folder: string, bytes: number): void {
  const { blocks, bavail, bsize } = fs.statfsSync(folder);
  // Some file systems do not say.
  if (blocks > 0 && bavail * bsize < bytes) throw new OutriggerError('DISK_FULL', `The disk has no room for ${PROBE}.`);
}

/** Its time was over before it came to any other limit, or to its end. */
function cameTooLate({ end }: Ran): boolean {
  return end?.reason === 'timeout' || end?.reason === 'canceled';
}

/** What the kernel's landlock can do; 0 where it is not there, or not enforced. Rejects where something is short just now. */
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
  } catch (error) {
    const shortage = shortageOf(PROBE, error);
    if (shortage !== undefined) throw shortage;
    return 0;
  }
}

interface Attempt extends Ran {
  /** It failed for want of something that may be there in a moment. */
  shortage: OutriggerError | undefined;
}

/** One attempt after another, each in a folder of its own. */
class Attempts {
  /** What is run, absolute. */
  readonly program: string;
  readonly #sandbox: RungSandbox;
  readonly #folder: string;

  constructor(sandbox: RungSandbox, folder: string) {
    this.#sandbox = sandbox;
    this.#folder = folder;
    this.program = path.join(folder, PROGRAMS, 'try');
  }

  /** Attempts to get out. One that does not come to its end, also with more time, says nothing. Never rejects. */
  async look(rung: number, outside: readonly string[]): Promise<Attempt> {
    const last = await this.runTwice(rung, 'around', outside);
    if (!cameTooLate(last)) return last;
    const message = `At rung ${rung}, ${PROBE} did not come to an end within ${SECOND_WITHIN_MS} ms.`;
    return { ...last, shortage: new OutriggerError('TOO_MANY_PROCESSES', message) };
  }

  /** With more time where the first came too late. Never rejects. */
  async runTwice(rung: number, name: string, what: readonly string[]): Promise<Attempt> {
    const first = await this.run(rung, name, what);
    return cameTooLate(first) ? this.run(rung, `${name}-again`, what, { ...limits, wallMs: SECOND_WITHIN_MS }, SECOND_WITHIN_MS) : first;
  }

  /** Sleeps past its limit of time; once more where a busy machine let it sleep on. Never rejects. */
  async sleep(rung: number): Promise<Attempt> {
    const most = { ...limits, wallMs: SHORT_WALL_MS };
    const first = await this.run(rung, 'time', [`time=${ATTEMPT_WITHIN_MS}`], most);
    if (endedInTime(first, SHORT_WALL_MS)) return first;
    return this.run(rung, 'time-again', [`time=${SECOND_WITHIN_MS}`], most, SECOND_WITHIN_MS);
  }

  /** Never rejects. */
  async run(
    rung: number,
    name: string,
    what: readonly string[],
    most: EffectiveLimits = limits,
    withinMs = ATTEMPT_WITHIN_MS,
  ): Promise<Attempt> {
    const own = path.join(this.#folder, `${rung}-${name}`);
    let stdout = '';
    try {
      fs.mkdirSync(own, { mode: 0o755 });
      const program = await this.#sandbox.startAt(rung, {
        argv: [this.program, '--try', ...what],
        env: {},
        folder: own,
        readable: [path.dirname(this.program)],
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
      const problem = end.problem ?? '';
      return { end, stdout, problem, shortage: shortageOf(PROBE, { code: shortCodeOf(problem) }) };
    } catch (error) {
      return { end: undefined, stdout, problem: (error as Error).message, shortage: shortageOf(PROBE, error) };
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
  fs.mkdirSync(path.join(folder, PROGRAMS));
  fs.chmodSync(path.join(folder, PROGRAMS), 0o755);
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
  const secret = path.join(folder, 'secret');
  return [`file=${secret}`, `mode=${secret}`, `environ=${us}`, `signal=${us}`, `tcp=${port}`, `abstract=${name}`, 'kernel=1'];
}

/** What is said where nothing could be tried. */
function withoutProof(why: string): Climbed {
  const protections = ['files', 'network', 'processes', 'kernel', 'count', 'memory', 'disk', 'time', 'output'] as const;
  const evidence = protections.map((protection) => ({ protection, held: false, by: 'nothing that was tried', tried: why }));
  const rungs = rungNames.map((name, rung) => ({ rung, name, works: rung === 0, why })).reverse();
  return { isolation: infoOf(0, evidence), evidence, rungs };
}
