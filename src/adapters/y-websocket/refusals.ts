import { setTimeout as sleep } from 'node:timers/promises';

/** A provider comes back a tenth of a second after a socket that had opened was closed; one before y-websocket 3.1 whatever the code was, without end. */
const SOON_MS = 1000;
/** As long as providers wait between their tries where no socket opens. */
const HOLD_MS = 2500;
const MAX_REMEMBERED = 1000;

/** What was refused for good a moment ago, and to whom. */
export class Refusals {
  readonly #times = new Map<string, number>();

  /** Resolves when it is to be told: at once, or later where the same was told a moment ago. */
  async due(what: string, signal: AbortSignal): Promise<void> {
    const last = this.#times.get(what) ?? Number.NEGATIVE_INFINITY;
    if (performance.now() - last < SOON_MS) await sleep(HOLD_MS, undefined, { signal, ref: false }).catch(() => undefined);
    this.#times.delete(what);
    this.#times.set(what, performance.now());
    const [oldest] = this.#times.keys();
    if (this.#times.size > MAX_REMEMBERED && oldest !== undefined) this.#times.delete(oldest);
  }
}
