import type { EditorView } from '@codemirror/view';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { loadCode } from '../late-code.ts';
import { longTime } from '../words.ts';

/** The caret rests in this line of a file that git knows. */
export interface RestingPlace {
  view: EditorView;
  path: string;
  /** From 1. */
  line: number;
}

type Blame = Output<Operations['git.blame']>;

const restMs = 600;

/** Says at the end of the line in which the caret rests who wrote it, and when. Silent where git can't say. */
export class LineBlame {
  readonly #client: WorkbenchClient;
  readonly #now: () => number;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stop = new AbortController();
  /** What is said now, and of which text. */
  #shown: (RestingPlace & { doc: unknown }) | undefined;
  #clear: ((view: EditorView) => void) | undefined;

  constructor(client: WorkbenchClient, now: () => number) {
    this.#client = client;
    this.#now = now;
  }

  /** The caret moved, or what is around it changed; undefined: into no such file. Within a line what is said of it stays. */
  moved(place: RestingPlace | undefined): void {
    clearTimeout(this.#timer);
    this.#stop.abort();
    const { view, path, line, doc } = this.#shown ?? {};
    if (place !== undefined && place.view === view && place.path === path && place.line === line && view.state.doc === doc) return;
    if (view !== undefined) this.#clear?.(view);
    this.#shown = undefined;
    if (place !== undefined) this.#timer = setTimeout(() => void this.#ask(place), restMs);
  }

  async #ask({ view, path, line }: RestingPlace): Promise<void> {
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      const { doc } = view.state;
      const [found, { showBlame }] = await Promise.all([
        this.#client.call('git.blame', { path, start: line, end: line }, { signal }),
        loadCode(() => import('./blame-mark.ts')),
      ]);
      // What was typed meanwhile is another line.
      if (signal.aborted || view.state.doc !== doc) return;
      this.#clear = (one) => showBlame(one, undefined, 0);
      this.#shown = { view, path, line, doc };
      showBlame(view, sayBlame(found, this.#now()), line);
    } catch {
      // Not in git, or gone this moment: nothing is said.
    }
  }
}

/** `Lead, yesterday at 18:40 · The first loans` */
export function sayBlame({ runs, commits }: Blame, now: number): string | undefined {
  const [run] = runs;
  if (run === undefined) return undefined;
  const commit = run.hash === null ? undefined : commits[run.hash];
  return commit === undefined ? 'Not committed yet' : `${commit.author.name}, ${longTime(commit.at, now)} · ${commit.subject}`;
}
