import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import type { GitDialog } from '../changes/git-dialog.ts';
import type { WorkbenchClient } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';
import type { Toasts } from '../shell/toasts.ts';
import { count, list } from '../words.ts';
import { askAboutClash, sharedIn } from './ask-about-clash.ts';
import type { CheckpointStore } from './checkpoint-store.ts';

type Outcome = Output<Operations['checkpoints.revert']>;

export interface CheckpointActionsDependencies {
  client: WorkbenchClient;
  checkpoints: CheckpointStore;
  toasts: Toasts;
  ask: (dialog: GitDialog | undefined) => void;
}

/** What a person does with checkpoints. Each says what it did, or why it did not; none throws. */
export class CheckpointActions {
  readonly #deps: CheckpointActionsDependencies;

  constructor(dependencies: CheckpointActionsDependencies) {
    this.#deps = dependencies;
  }

  askToKeep(): void {
    this.#deps.ask({
      kind: 'text',
      title: 'Keep a checkpoint now',
      label: 'What it is for',
      text: 'The folder as it is now, unsaved typing included. Branch, index and files are not touched.',
      initial: '',
      action: 'Keep it',
      optional: true,
      run: (title) => void this.keep(title),
    });
  }

  async keep(title: string): Promise<void> {
    const { client, checkpoints, toasts } = this.#deps;
    try {
      const { same, omitted } = await client.call('checkpoints.create', { title: title.trim() || 'By hand' });
      toasts.say(same ? 'Kept; nothing had changed since the last one' : 'Kept a checkpoint', {
        ...(omitted === 0 ? {} : { text: `${count(omitted, 'file was', 'files were')} too large for it.` }),
      });
    } catch (error) {
      toasts.fail('No checkpoint was kept', error);
    } finally {
      await checkpoints.refresh();
    }
  }

  /** Takes back what a run changed and nothing else. Hunks that others changed too are asked about first. */
  async revert(run: string, title: string, shared: 'ask' | 'keep' | 'remove' = 'ask', ifShared?: string): Promise<void> {
    const { client, checkpoints, toasts } = this.#deps;
    try {
      const outcome = await client.call('checkpoints.revert', { run, shared, ifShared });
      this.#sayDone('Reverted', title, outcome);
    } catch (error) {
      const found = sharedIn(error);
      if (found !== undefined) await this.#askAbout(run, title, found);
      else toasts.fail(`Not reverted: ${title}`, error);
    } finally {
      await checkpoints.refresh();
    }
  }

  /** Makes the folder, or some files of it, what they were. A checkpoint is made before, so it never asks. */
  async restore(id: number, title: string, paths?: readonly string[]): Promise<void> {
    const { client, checkpoints, toasts } = this.#deps;
    try {
      const outcome = await client.call('checkpoints.restore', { id, ...(paths === undefined ? {} : { paths: [...paths] }) });
      this.#sayDone('Restored', title, outcome);
    } catch (error) {
      toasts.fail(`Not restored: ${title}`, error);
    } finally {
      await checkpoints.refresh();
    }
  }

  #sayDone(verb: string, title: string, { changed, files, undo, text }: Outcome): void {
    const { toasts } = this.#deps;
    if (!changed) return void toasts.say(`${verb === 'Restored' ? 'Nothing to restore' : 'Nothing to revert'}: ${title}`, { text });
    const done = files.filter(({ did }) => did !== 'skipped');
    const left = files.filter(({ did }) => did === 'skipped');
    toasts.say(`${verb} ${title}: ${count(done.length, 'file')}`, {
      text:
        left.length === 0
          ? list(done.map(({ path }) => nameOf(path)))
          : `${count(left.length, 'file')} left as they are: ${list(left.map(({ path }) => nameOf(path)))}.`,
      ...(undo === null ? {} : { actions: [{ label: 'Undo', run: () => void this.#undo(undo, title) }] }),
    });
  }

  async #askAbout(run: string, title: string, { digest, ...found }: NonNullable<ReturnType<typeof sharedIn>>): Promise<void> {
    const { client, ask } = this.#deps;
    const go = (shared: 'keep' | 'remove'): void => void this.revert(run, title, shared, digest);
    await askAboutClash({ label: `Not reverted: ${title}`, of: 'run', ...found, go }, client, ask);
  }

  async #undo(run: string, title: string): Promise<void> {
    const { client, checkpoints, toasts } = this.#deps;
    try {
      await client.call('checkpoints.revert', { run });
      toasts.say(`Brought back what ${title} did`);
    } catch (error) {
      const found = sharedIn(error);
      if (found !== undefined) await this.#askAbout(run, `the revert of ${title}`, found);
      else toasts.fail(`Not brought back: ${title}`, error);
    } finally {
      await checkpoints.refresh();
    }
  }
}
