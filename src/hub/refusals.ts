/** Wrong secrets for one agent from one address, in a minute, before that address is told to wait. */
const MAX_WRONG_SECRETS = 10;
/** Wrong secrets from one address in a minute that are answered; on further ones the connection ends without a word. */
const MAX_ANSWERED = 100;
const MINUTE_MS = 60_000;
/** Addresses, and pairs of address and agent, that are counted; beyond, those that came longest ago are forgotten. */
const MAX_COUNTED = 10_000;

interface Count {
  count: number;
  since: number;
}

/**
 * Counts wrong secrets, and says how the next one is answered. It is asked when a secret was found to be wrong: a right one is never refused
 * for what others tried, at the same address or elsewhere. What makes guessing hopeless is the length of secrets; this keeps it cheap for the hub.
 */
export class Refusals {
  readonly #ofAddress = new RecentCounts();
  readonly #ofAgent = new RecentCounts();

  /**
   * A wrong secret came. `answer`: say that it is wrong; `wait`: for so many ms, say no more; `silence`: end it. `now` is ms since 1970; of an
   * unknown address (null) all are one. Known agents and unknown ones are the same.
   */
  wrong(address: string | null, agent: string, now: number): { is: 'answer' } | { is: 'wait'; ms: number } | { is: 'silence' } {
    const from = address ?? '';
    if (this.#ofAddress.add(from, now).count > MAX_ANSWERED) return { is: 'silence' };
    const { count, since } = this.#ofAgent.add(`${from} ${agent}`, now);
    return count > MAX_WRONG_SECRETS ? { is: 'wait', ms: since + MINUTE_MS - now } : { is: 'answer' };
  }
}

/** What came in the minute from the first one on. */
class RecentCounts {
  /** What came last is last. */
  readonly #counts = new Map<string, Count>();

  add(key: string, now: number): Count {
    const known = this.#counts.get(key);
    // A clock that is set back ends a minute, too.
    const goesOn = known !== undefined && now >= known.since && now - known.since < MINUTE_MS;
    const counted = goesOn ? known : { count: 0, since: now };
    counted.count++;
    this.#counts.delete(key);
    this.#counts.set(key, counted);
    const oldest = this.#counts.size > MAX_COUNTED ? this.#counts.keys().next().value : undefined;
    if (oldest !== undefined) this.#counts.delete(oldest);
    return counted;
  }
}
