import type { Caller } from '../contract/access.ts';
import type { Implementations } from '../contract/operation.ts';
import type { system } from '../contract/system.ts';
import { residentBytes } from '../services/processes/resident-bytes.ts';

export interface Check {
  name: string;
  ok: boolean;
  text: string;
  hint?: string;
}

export type Phase = 'starting' | 'ready' | 'stopping';

/** Gathers what the parts say of themselves. */
export class Health {
  phase: Phase = 'starting';
  readonly #checks: (() => Check | undefined)[] = [];
  readonly startedAt: number;
  /** By the monotonic clock. */
  readonly #begun = performance.now();

  constructor(now: () => number) {
    this.startedAt = now();
  }

  get uptimeMs(): number {
    return Math.round(performance.now() - this.#begun);
  }

  /** A check gives undefined when there is nothing to say. */
  add(check: () => Check | undefined): void {
    this.#checks.push(check);
  }

  /** Texts tell of the whole folder, and of what others do: who is limited to some paths hears whether all is well. */
  checks({ paths }: Pick<Caller, 'paths'>): Check[] {
    const checks = this.#checks.flatMap((check) => check() ?? []);
    if (paths === undefined) return checks;
    return checks.map(({ name, ok }) => ({ name, ok, text: ok ? 'It works.' : 'It does not work as it should.' }));
  }

  get ready(): boolean {
    return this.phase === 'ready';
  }

  operation(connections: () => number): Implementations<typeof system>['system.health'] {
    return (_input, { caller }) => {
      const checks = this.checks(caller);
      const status = this.phase !== 'ready' ? this.phase : checks.every((check) => check.ok) ? 'ok' : 'degraded';
      return {
        ready: this.ready,
        status,
        checks,
        uptimeMs: this.uptimeMs,
        memoryBytes: residentBytes() ?? 0,
        connections: connections(),
      };
    };
  }
}
