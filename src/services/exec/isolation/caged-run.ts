import { setTimeout as wait } from 'node:timers/promises';
import type { CagedChild } from '../../processes/caged-child.ts';
import type { HostExit } from '../../processes/host.ts';
import { timeLimit } from '../../processes/time-limit.ts';
import { afterwards } from '../afterwards.ts';
import type { Cgroup } from './cgroup.ts';
import { type CageReport, type Ending, endOf, reportOf, restOf, useOf } from './ending.ts';
import type { RunBounds, SandboxEnd, SandboxedProgram, SandboxRequest, SandboxUse } from './sandbox.ts';

/** The supervisor keeps the time itself; should it not, it is ended so long after. */
const WALL_SPARE_MS = 500;
/** A supervisor that was asked ends all below it within some ms; should it not, it is killed. */
const ASKED_WITHIN_MS = 150;
/** Somebody who is not of the tree may hold its output open. */
const DRAIN_WITHIN_MS = 250;
const MAX_SAID_LENGTH = 2000;
/** Where the supervisor outside of the namespaces was killed, the kernel ends the one within, and all with it, a moment later. */
const FOLLOW_WITHIN_MS = 250;
/** The kernel ends one program of a group that has no memory left; then all of it is ended. */
const MEMORY_LOOK_MS = 50;

export interface CagedRunOptions {
  child: CagedChild;
  request: SandboxRequest;
  bounds: RunBounds;
  /** There is a launcher that ends the tree and reports; without it, the process group is all there is. */
  supervised: boolean;
  /** Killing the first process takes the whole tree with it. */
  killsAll: boolean;
  cgroup: Cgroup | undefined;
  now: () => number;
  startedAt: number;
  /** What made the cage is gone as well. */
  onGone: () => void;
}

type Stream = 'stdout' | 'stderr';
type Asked = NonNullable<Ending['asked']>;

/** One program on its way from its start to its end: its output within the limit, and why it came to its end. */
export class CagedRun implements SandboxedProgram {
  readonly over: Promise<void>;
  readonly end: Promise<SandboxEnd>;
  readonly gone: Promise<void>;
  readonly #options: CagedRunOptions;
  readonly #kept: Record<Stream, number> = { stdout: 0, stderr: 0 };
  readonly #omitted: Record<Stream, number> = { stdout: 0, stderr: 0 };
  /** All bytes, also those of before `begin`. */
  readonly #came: Record<Stream, number> = { stdout: 0, stderr: 0 };
  /** Look whether all of it is there that somebody waits for. */
  readonly #lookers = new Set<() => void>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #unlimit = (): void => {};
  #looking: NodeJS.Timeout | undefined;
  #hasEnded = false;
  #begunAt: number;
  #maxOutput: number;
  #cpuMs: number;
  #onOutput: SandboxRequest['onOutput'];
  #asked: Asked | undefined;
  /** The supervisor ended otherwise than by itself. */
  #isLost = false;
  #said = '';
  #paused = false;
  #resumed = Promise.withResolvers<void>();

  constructor(options: CagedRunOptions) {
    this.#options = options;
    const { request, supervised } = options;
    this.#begunAt = options.startedAt;
    this.#maxOutput = request.limits.outputBytes;
    this.#cpuMs = request.limits.cpuMs;
    this.#onOutput = request.onOutput;
    const drained = [this.#read('stdout'), this.#read('stderr')];
    const spare = supervised ? WALL_SPARE_MS : 0;
    if (request.waits !== true) this.#limit(request.limits.wallMs + spare);
    if (request.waits !== true) this.#watchMemory();
    const onAbort = (): void => this.#stop('canceled');
    request.signal.addEventListener('abort', onAbort, { once: true });
    const { child } = options;
    this.over = (supervised ? Promise.race([child.report, child.exit]) : child.exit).then(() => {});
    this.end = this.#ended(drained).finally(() => {
      request.signal.removeEventListener('abort', onAbort);
      clearInterval(this.#looking);
      this.#hasEnded = true;
      this.rest();
    });
    this.gone = this.#leave();
    if (request.signal.aborted) onAbort();
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#options.child.write(bytes);
  }

  endInput(): void {
    this.#options.child.endInput();
  }

  pause(): void {
    // Nobody waits for the output of what was ended.
    if (this.#paused || this.#asked !== undefined) return;
    this.#paused = true;
    this.#resumed = Promise.withResolvers();
    this.#options.child.stdout.pause();
    this.#options.child.stderr.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#resumed.resolve();
    this.#options.child.stdout.resume();
    this.#options.child.stderr.resume();
  }

  begin(
    { wallMs, outputBytes, cpuMs = this.#cpuMs }: { wallMs: number; outputBytes: number; cpuMs?: number },
    onOutput: SandboxRequest['onOutput'],
  ): void {
    if (cpuMs !== this.#cpuMs) this.#options.child.limitCpu(cpuMs);
    this.#cpuMs = cpuMs;
    this.#begunAt = this.#options.now();
    this.#maxOutput = outputBytes;
    this.#onOutput = onOutput;
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#kept[stream] = 0;
      this.#omitted[stream] = 0;
    }
    this.rest();
    this.#watchMemory();
    this.#limit(wallMs);
  }

  rest(): void {
    this.#unlimit();
  }

  async settle(): Promise<SandboxUse | undefined> {
    const { child, supervised, cgroup, request } = this.#options;
    this.rest();
    if (!supervised || this.#asked !== undefined || this.#hasEnded) return undefined;
    const settling = child.settle();
    clearInterval(this.#looking);
    this.#looking = undefined;
    // The supervisor is at work meanwhile.
    const used = cgroup?.use();
    cgroup?.forget();
    const answer = restOf(await settling);
    if (answer === undefined) {
      await this.end;
      return undefined;
    }
    // What was written before is nothing of the next order.
    for (const until = this.#options.now() + DRAIN_WITHIN_MS; !this.#hasCome(answer) && this.#options.now() < until; ) await wait(1);
    return useOf(answer, used, request.limits);
  }

  /** Ends it as one who goes away would; the end says `canceled`. */
  cancel(): void {
    this.#stop('canceled');
  }

  async #ended(drained: Promise<void>[]): Promise<SandboxEnd> {
    const { child, request, bounds, supervised, cgroup, now } = this.#options;
    const said = await (supervised ? Promise.race([child.report, child.exit]) : child.exit);
    const wallMs = now() - this.#begunAt;
    // From here on there is nothing but output to be read, at its reader's pace.
    this.rest();
    for (const timer of this.#timers) clearTimeout(timer);
    const report = reportOf(
      typeof said === 'string' ? said : await Promise.race([child.report, wait(DRAIN_WITHIN_MS, '', { ref: false })]),
    );
    this.#isLost ||= supervised && report === undefined;
    const exited = this.#exited(drained);
    const exit = await Promise.race([exited, this.#allCame(report).then(() => undefined)]);
    // What comes now is nothing of it any more; and nobody waits until its streams are closed.
    this.#onOutput = () => {};
    afterwards(() => {
      child.stdout.destroy();
      child.stderr.destroy();
    });
    return endOf({
      supervised,
      exit: exit ?? { exitCode: null, exitSignal: null },
      report,
      asked: this.#asked,
      cgroup: cgroup?.use(),
      limits: request.limits,
      bounds,
      wallMs,
      omitted: this.#omitted,
      said: this.#said,
    });
  }

  /** The supervisor has ended, or what there is in its place, and all of its output was read. */
  async #exited(drained: Promise<void>[]): Promise<HostExit> {
    const { child, supervised } = this.#options;
    const exit = await child.exit;
    if (!supervised) child.kill();
    // Whoever reads slowly gets all of it, however long that takes.
    await Promise.race([Promise.all(drained), this.#resumedThen(DRAIN_WITHIN_MS)]);
    return exit;
  }

  /** Never resolves where the supervisor does not know how much it is. */
  async #allCame(report: CageReport | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (report === undefined || report.stdout_bytes < 0 || report.stderr_bytes < 0 || !this.#hasCome(report)) return;
        this.#lookers.delete(look);
        resolve();
      };
      this.#lookers.add(look);
      look();
    });
  }

  #hasCome({ stdout_bytes: stdout, stderr_bytes: stderr }: Pick<CageReport, 'stdout_bytes' | 'stderr_bytes'>): boolean {
    return this.#came.stdout >= stdout && this.#came.stderr >= stderr;
  }

  async #leave(): Promise<void> {
    const { child, cgroup, onGone } = this.#options;
    await Promise.all([this.end, child.exit]);
    // Whoever waits is told, also where nothing else keeps this process.
    if (this.#isLost) await wait(FOLLOW_WITHIN_MS);
    // The kernel lets go of a group a moment later; nobody has to wait for that.
    void cgroup?.release();
    onGone();
  }

  async #resumedThen(ms: number): Promise<void> {
    do {
      if (this.#paused) await this.#resumed.promise;
      await wait(ms, undefined, { ref: false });
    } while (this.#paused);
  }

  #read(stream: Stream): Promise<void> {
    const output = this.#options.child[stream];
    return new Promise((resolve) => {
      output.on('data', (bytes) => {
        this.#came[stream] += bytes.length;
        const room = this.#maxOutput - this.#kept[stream];
        const kept = bytes.length > room ? bytes.subarray(0, room) : bytes;
        this.#kept[stream] += kept.length;
        if (stream === 'stderr' && this.#said.length < MAX_SAID_LENGTH) this.#said += kept.toString();
        if (kept.length > 0) this.#onOutput(stream, kept);
        if (kept.length < bytes.length) {
          this.#omitted[stream] += bytes.length - kept.length;
          this.#stop('output');
        }
        for (const look of this.#lookers) look();
      });
      output.once('error', () => {});
      output.once('close', resolve);
    });
  }

  #stop(why: Asked): void {
    if (this.#asked !== undefined) return;
    this.#asked = why;
    this.resume();
    const { child, supervised, killsAll } = this.#options;
    if (!supervised) return child.kill();
    child.askToEnd();
    // Without namespaces it is the supervisor alone that finds the strays: it goes on as long as it needs.
    if (killsAll)
      this.#after(ASKED_WITHIN_MS, () => {
        this.#isLost = true;
        child.kill();
      });
  }

  #watchMemory(): void {
    const { cgroup } = this.#options;
    if (cgroup !== undefined && !this.#hasEnded)
      this.#looking ??= setInterval(() => cgroup.ranOut() && this.#stop('memory'), MEMORY_LOOK_MS).unref();
  }

  #limit(wallMs: number): void {
    this.#unlimit = timeLimit(wallMs, () => this.#stop('timeout'));
  }

  #after(ms: number, what: () => void): void {
    this.#timers.add(setTimeout(what, ms).unref());
  }
}
