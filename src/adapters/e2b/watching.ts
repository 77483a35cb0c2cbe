import { randomUUID } from 'node:crypto';
import { OutriggerError } from '../../contract/errors.ts';
import type { Change, FeedItem } from '../../contract/events.ts';
import { ask, type Asking } from '../code-api/ask.ts';
import type { ConnectStream } from './connect-wire.ts';
import { entryOf } from './entries.ts';
import { type Fields, textOf } from './fields.ts';
import { workspacePathOf } from './sandbox-path.ts';

/** Watches that are asked for what happened, and do not stream it. */
const MAX_POLLED = 100;
/** Of one that nobody asks; the next one who does is told that some are missing. */
const MAX_EVENTS = 10_000;
/** One that nobody asks for so long is ended, ms. */
const IDLE_MS = 10 * 60_000;

type Kind = 'CREATE' | 'WRITE' | 'REMOVE' | 'RENAME';

interface Watch {
  /** Below it, or directly in it. */
  path: string;
  recursive: boolean;
  includeEntry: boolean;
}

interface Polled {
  caller: string;
  events: Fields[];
  lost: number;
  ended: AbortController;
  failure: Error | undefined;
  idle: NodeJS.Timeout;
}

/** Watches of folders as envd has them: streamed (WatchDir), and asked for time and again (CreateWatcher, GetWatcherEvents, RemoveWatcher). */
export class E2bWatches {
  readonly #root: string;
  readonly #polled = new Map<string, Polled>();

  /** `root`: the workspace as the programs in it see it. */
  constructor(root: string) {
    this.#root = root;
  }

  close(): void {
    for (const id of this.#polled.keys()) this.#end(id);
  }

  /** Answers when the caller goes, or when some changes were missed. */
  async stream(asking: Asking, input: Fields, stream: ConnectStream): Promise<void> {
    const watch = await this.#watchOf(asking, input);
    await this.#follow(asking, watch, {
      ready: () => stream.tell({ start: {} }),
      event: (event) => stream.send({ filesystem: event }),
    });
  }

  /** Answers when nothing that happens from then on is missed. */
  async create(asking: Asking, input: Fields): Promise<Fields> {
    if (this.#polled.size >= MAX_POLLED) throw new OutriggerError('TOO_MANY', `There are ${MAX_POLLED} watchers; remove some.`);
    const id = randomUUID();
    const ended = new AbortController();
    const polled: Polled = { caller: asking.caller.id, events: [], lost: 0, ended, failure: undefined, idle: this.#endLater(id) };
    this.#polled.set(id, polled);
    const { promise: ready, resolve, reject } = Promise.withResolvers<void>();
    const follow = async (): Promise<void> => {
      const watch = await this.#watchOf(asking, input);
      // It goes on when the request is over.
      await this.#follow({ ...asking, signal: ended.signal }, watch, {
        ready: resolve,
        event: (event) => {
          if (polled.events.length < MAX_EVENTS) polled.events.push(event);
          else polled.lost++;
        },
      });
    };
    follow().catch((error: unknown) => {
      polled.failure = error as Error;
      // Nobody can ask for it any more.
      if (asking.caller.ended?.aborted === true) this.#end(id);
      reject(error);
    });
    try {
      await ready;
    } catch (error) {
      this.#end(id);
      throw error;
    }
    return { watcherId: id };
  }

  /** What happened since the last time. Throws FILE_NOT_FOUND for a watcher that is none, BAD_CURSOR once where some was missed. */
  events(asking: Asking, input: Fields): Fields {
    const polled = this.#own(asking, input);
    clearTimeout(polled.idle);
    polled.idle = this.#endLater(textOf(input['watcherId'], 'watcherId'));
    if (polled.events.length === 0 && polled.failure !== undefined) throw polled.failure;
    if (polled.lost > 0) {
      const { lost } = polled;
      polled.lost = 0;
      polled.events = [];
      throw missed(`${lost} changes came while nobody asked for more than ${MAX_EVENTS}`);
    }
    return { events: polled.events.splice(0) };
  }

  remove(asking: Asking, input: Fields): Fields {
    this.#own(asking, input);
    this.#end(textOf(input['watcherId'], 'watcherId'));
    return {};
  }

  #own(asking: Asking, input: Fields): Polled {
    const polled = this.#polled.get(textOf(input['watcherId'], 'watcherId'));
    if (polled !== undefined && polled.caller === asking.caller.id) return polled;
    throw new OutriggerError('FILE_NOT_FOUND', 'There is no such watcher.');
  }

  #endLater(id: string): NodeJS.Timeout {
    return setTimeout(() => this.#end(id), IDLE_MS).unref();
  }

  #end(id: string): void {
    const polled = this.#polled.get(id);
    this.#polled.delete(id);
    clearTimeout(polled?.idle);
    polled?.ended.abort(new OutriggerError('CANCELED', 'The watcher was removed.'));
  }

  async #watchOf(asking: Asking, input: Fields): Promise<Watch> {
    const path = workspacePathOf(textOf(input['path'] ?? '', 'path'), this.#root);
    const { entry } = await ask(asking, 'files.stat', { path });
    if (entry === undefined) throw new OutriggerError('FILE_NOT_FOUND', `There is no ${path}.`);
    if (entry.kind !== 'directory') throw new OutriggerError('NOT_A_DIRECTORY', `${path} is no folder.`);
    return { path, recursive: input['recursive'] === true, includeEntry: input['includeEntry'] === true };
  }

  async #follow(
    asking: Asking,
    watch: Watch,
    to: { ready: () => void; event: (event: Fields) => Promise<void> | undefined | void },
  ): Promise<void> {
    const missing = new AbortController();
    const emit = async (item: unknown): Promise<void> => {
      const news = item as FeedItem;
      if (news.type === 'ready') to.ready();
      if (news.type === 'resync') missing.abort(missed('Changes came faster than they could be told'));
      if (news.type !== 'change') return;
      for (const { kind, path } of eventsOf(news)) {
        const name = nameIn(watch, path);
        if (name === undefined) continue;
        const entry = watch.includeEntry && (kind === 'CREATE' || kind === 'WRITE') ? await entryAt(asking, path) : undefined;
        await to.event({ name, type: `EVENT_TYPE_${kind}`, ...(entry === undefined ? {} : { entry }) });
      }
    };
    const signal = AbortSignal.any([asking.signal, missing.signal]);
    await ask({ ...asking, signal }, 'changes.watch', { git: false }, { emit });
  }
}

/** As a client of envd expects them: a new file that holds something was made and written, what was moved is gone here and new there. */
function eventsOf({ what, path, from, kind, size }: Change): { kind: Kind; path: string }[] {
  if (what === 'removed') return [{ kind: 'REMOVE', path }];
  if (what === 'changed') return [{ kind: 'WRITE', path }];
  const created = { kind: 'CREATE', path } as const;
  if (what === 'moved') return [...(from === undefined ? [] : [{ kind: 'RENAME', path: from } as const]), created];
  return kind === 'file' && (size ?? 0) > 0 ? [created, { kind: 'WRITE', path }] : [created];
}

/** As seen from the watched folder; undefined for what it does not watch. */
function nameIn({ path: folder, recursive }: Watch, path: string): string | undefined {
  const name = folder === '' ? path : path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : '';
  return name === '' || (!recursive && name.includes('/')) ? undefined : name;
}

/** Undefined where nothing is there any more, and where it can't be looked at: what leads there may be a link by now. */
async function entryAt(asking: Asking, path: string): Promise<Fields | undefined> {
  try {
    const { entry } = await ask(asking, 'files.stat', { path });
    return entry === undefined ? undefined : entryOf(entry);
  } catch (error) {
    if (!(error instanceof OutriggerError) || asking.signal.aborted) throw error;
    return undefined;
  }
}

function missed(why: string): OutriggerError {
  return new OutriggerError('BAD_CURSOR', `${why}: list the folder anew, and go on watching.`);
}
