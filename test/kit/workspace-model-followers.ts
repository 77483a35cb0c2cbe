// All who follow the changes of the folder of the model.
import assert from 'node:assert/strict';
import type { Client } from '../../src/client/client.ts';
import type { Change } from '../../src/contract/events.ts';
import type { Operations } from '../../src/contract/operations.ts';
import { eventually } from './eventually.ts';
import type { Random } from './random.ts';
import type { Actors } from './workspace-model-actors.ts';
import type { ModelFolder } from './workspace-model-folder.ts';
import { Replica } from './workspace-model-replica.ts';

const TELL_MS = 10_000;

export interface FollowersHost {
  client: Client<Operations>;
  folder: ModelFolder;
  actors: Actors;
  /** Of what depends on time. */
  pages: Random;
  say(what: string): void;
  fail(problem: string): never;
}

export class Followers {
  /** Changed from outside since the last rest: it may be told late. */
  readonly unquiet = new Set<string>();
  readonly #host: FollowersHost;
  /** Told, and not judged yet: who did it may not have its answer. */
  #told: Change[] = [];
  /** Asks for what changed after each call: what calls did is told with their answers. */
  readonly #prompt = this.#newReplica('who asks after each call');
  /** Hears of changes by a stream that is cut and taken up again. */
  readonly #listener = this.#newReplica('who listens');
  #listening: AbortController | undefined;
  #heard: Promise<void> = Promise.resolve();

  constructor(host: FollowersHost) {
    this.#host = host;
  }

  async begin(): Promise<void> {
    for (const one of [this.#prompt, this.#listener]) await one.begin(this.#host.client);
    this.#listen();
  }

  close(): void {
    this.#listening?.abort();
  }

  #newReplica(name: string): Replica {
    return new Replica(name, (change) => void this.#told.push(change));
  }

  #listen(): void {
    const controller = new AbortController();
    this.#listening = controller;
    const listener = this.#listener;
    this.#heard = (async () => {
      const follow = this.#host.client.stream('changes.watch', { cursor: listener.cursor, git: false }, { signal: controller.signal });
      try {
        for await (const item of follow) {
          if (controller.signal.aborted) return;
          listener.take(item);
        }
      } catch (error) {
        if (!controller.signal.aborted) throw error;
      }
    })();
    this.#heard.catch(() => {});
  }

  async askChanges(): Promise<void> {
    for (let more = true; more; ) {
      const limit = this.#host.pages.of([1, 2, 1000, 1000]);
      const answer = await this.#host.client.call('changes.since', { cursor: this.#prompt.cursor, limit });
      if (answer.resync !== undefined) this.#host.fail(`changes.since answers resync: ${answer.resync}`);
      for (const change of answer.changes) this.#prompt.take(change);
      this.#prompt.cursor = answer.cursor;
      more = answer.more;
    }
    const wrong = this.#host.actors.judge(this.#told.splice(0), (what) => this.#host.say(what));
    if (wrong !== '') this.#host.fail(`told with another cause:\n${wrong}`);
  }

  /** What calls did is told at once. */
  comparePrompt(): void {
    const unquiet = [...this.unquiet];
    const wrong = this.#prompt.difference(this.#host.folder, (name) => unquiet.some((one) => name === one || name.startsWith(`${one}/`)));
    // What was made outside and not told yet may have been moved since.
    if (wrong !== '' && unquiet.length === 0) this.#host.fail(`not told with the answer:\n${wrong}`);
  }

  /** All of them come to know what is there. `cuts`: the listener goes on after the last thing that it heard. */
  async rest(cuts: boolean): Promise<void> {
    if (cuts) {
      this.#listening?.abort();
      await this.#heard;
      this.#listen();
    }
    const late = this.#newReplica('who begins with a list');
    await late.begin(this.#host.client);
    let wrong = '';
    const isTold = async (): Promise<void> => {
      await this.askChanges();
      const since = await this.#host.client.call('changes.since', { cursor: late.cursor });
      for (const change of since.changes) late.take(change);
      late.cursor = since.cursor;
      const differences = [this.#prompt, this.#listener, late].map((one) => one.difference(this.#host.folder));
      wrong = differences.join('\n').trim();
      assert.equal(wrong, '');
    };
    await eventually(isTold, TELL_MS).catch((error: unknown) =>
      this.#host.fail(`at rest a follower believes otherwise:\n${wrong === '' ? String(error) : wrong}`),
    );
    if (this.#listener.resyncs > 0) this.#host.fail('who listens is told to list anew');
    this.unquiet.clear();
    this.#host.actors.rest();
  }
}
