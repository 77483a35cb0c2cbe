/** Who asked for one start, several by one tag: it is given up when the tokens of all of them have ended. */
export class StartAskers {
  readonly #tokens = new Set<AbortSignal | undefined>();
  readonly #gone = new AbortController();

  /** Aborted, with the reason of the last one, when nobody is left. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  /** `ended` is the end of a token that still holds; undefined for who has none, and stays. */
  add(ended: AbortSignal | undefined): void {
    this.#tokens.add(ended);
    ended?.addEventListener('abort', this.#look, { once: true });
  }

  /** Nothing is given up any more. */
  close(): void {
    for (const token of this.#tokens) token?.removeEventListener('abort', this.#look);
  }

  readonly #look = (event: Event): void => {
    if ([...this.#tokens].every((token) => token?.aborted === true)) this.#gone.abort((event.target as AbortSignal).reason);
  };
}
