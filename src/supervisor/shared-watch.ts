import { Emitter } from '../core/emitter.ts';
import { reportError } from '../core/report-error.ts';
import { includeMatcher } from './glob-match.ts';
import type { Disposable, WatchEvent } from './workspace-backend.ts';

export interface WatchNews {
  event: WatchEvent;
  /** What the watch knows begins here: all that changes from now on is told. */
  begun: undefined;
  /** Nothing more comes. */
  unavailable: undefined;
}

/** One watch of a folder for all who listen, each by patterns of their own: begun for the first, ended after the last. */
export class SharedWatch {
  readonly #begin: (news: Emitter<WatchNews>) => Disposable;
  readonly #listening = new Set<Disposable>();
  #news = new Emitter<WatchNews>(reportError);
  #watch: Disposable | undefined;
  #hasBegun = false;
  #isUnavailable = false;

  constructor(begin: (news: Emitter<WatchNews>) => Disposable) {
    this.#begin = begin;
  }

  add(pattern: string | readonly string[], listener: (event: WatchEvent) => void, onUnavailable: () => void = () => undefined): Disposable {
    const matches = includeMatcher(pattern);
    const off = [
      this.#news.on('event', (event) => {
        if (event.what === 'resync' || matches(event.path)) listener(event);
      }),
      this.#news.on('unavailable', onUnavailable),
    ];
    const own: Disposable = {
      dispose: () => {
        for (const end of off) end();
        if (this.#listening.delete(own) && this.#listening.size === 0) this.#end();
      },
    };
    this.#listening.add(own);
    if (this.#isUnavailable) queueMicrotask(() => this.#listening.has(own) && onUnavailable());
    if (this.#watch === undefined) {
      this.#news.on('begun', () => (this.#hasBegun = true));
      this.#news.on('unavailable', () => (this.#isUnavailable = true));
      this.#watch = this.#begin(this.#news);
    }
    return own;
  }

  /** Calls once the watch has begun, which it may have already. */
  whenBegun(call: () => void): void {
    if (this.#hasBegun) call();
    else {
      const off = this.#news.on('begun', () => {
        off();
        call();
      });
    }
  }

  end(): void {
    for (const own of [...this.#listening]) own.dispose();
  }

  #end(): void {
    this.#watch?.dispose();
    this.#watch = undefined;
    this.#hasBegun = this.#isUnavailable = false;
    // Whatever the old one still says is for nobody.
    this.#news = new Emitter<WatchNews>(reportError);
  }
}
