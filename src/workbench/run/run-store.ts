import { computed, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import type { LanguageInfo } from '../../contract/code.ts';
import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';
import { errorFacts, type ErrorFacts, isAway, isCanceled, type WorkbenchClient } from '../client-port.ts';
import { movedPath } from '../../core/moved-path.ts';
import { nameOf } from '../file-paths.ts';
import type { Layout } from '../shell/layout.ts';
import { argumentsOf, firstForm, languageOf, limitsOf, type RunForm } from './run-form.ts';
import { RunRecord } from './run-record.ts';
import { SentFiles, type WorkspaceFile } from './sent-files.ts';

export type IsolationAnswer = Output<Operations['code.isolation']>;

export interface RunRequest {
  /** Of the file that the code stands in; how it is run is kept under it. */
  path: string;
  /** As it is in the editor, saved or not. */
  text: string;
  what: 'file' | 'selection';
  /** Of the text, in the file, from 1. */
  firstLine: number;
}

/** A run that was asked to stop and says nothing for so long is let go of. */
const stopMs = 5_000;

const mostKept = 9;
/** Of all that are kept beside the last, characters. */
const maxKeptCharacters = 32 * 1024 * 1024;

/** How many of them stay when another begins. */
function keptOf(records: readonly RunRecord[]): number {
  let characters = 0;
  const tooMany = records.findIndex(({ size }, at) => at >= mostKept || (characters += size) > maxKeptCharacters);
  return tooMany < 0 ? records.length : tooMany;
}

/** Runs of code from this page, one after the other: the sidecar ends a run when its caller goes. */
export class RunStore {
  readonly languages: Signal<readonly LanguageInfo[] | undefined> = signal(undefined);
  readonly isolation: Signal<IsolationAnswer | undefined> = signal(undefined);
  /** Why neither could be asked for. */
  readonly problem: Signal<ErrorFacts | undefined> = signal(undefined);
  /** Whose files and variables the next run finds. */
  readonly session: Signal<string | undefined> = signal(undefined);
  readonly current: Signal<RunRecord | undefined> = signal(undefined);
  /** This page's, newest first; the older ones go as they grow many or large. */
  readonly all: Signal<readonly RunRecord[]> = signal([]);
  /** The one that is looked at: the last, until another is chosen. */
  readonly shown: Signal<RunRecord | undefined> = signal(undefined);
  readonly busy: ReadonlySignal<boolean>;
  /** Whose form is shown: the document that was looked at last. */
  readonly target: Signal<string | undefined> = signal(undefined);
  readonly forms: Signal<ReadonlyMap<string, RunForm>> = signal(new Map());
  readonly #client: WorkbenchClient;
  readonly #layout: Pick<Layout, 'recall' | 'remember'>;
  readonly #now: () => number;
  readonly #drawn: () => Promise<void>;
  readonly #readFile: (path: string) => Promise<WorkspaceFile>;
  readonly #sent: SentFiles;
  #canceled = new AbortController();
  #asking: Promise<void> | undefined;

  /** `readFile`: a file of the workspace as it is sent along; throws what says why it can't be. */
  constructor(dependencies: {
    client: WorkbenchClient;
    layout: Pick<Layout, 'recall' | 'remember'>;
    now: () => number;
    drawn: () => Promise<void>;
    readFile: (path: string) => Promise<WorkspaceFile>;
  }) {
    this.#client = dependencies.client;
    this.#sent = new SentFiles(dependencies.client);
    this.#layout = dependencies.layout;
    this.#now = dependencies.now;
    this.#drawn = dependencies.drawn;
    this.#readFile = dependencies.readFile;
    this.busy = computed(() => this.current.value !== undefined && this.current.value.phase.value !== 'over');
  }

  /** Called once the workspace is known. */
  recall(): void {
    this.session.value = this.#layout.recall('run-session') ?? undefined;
  }

  /** Asks for the languages and the isolation, if they are not known. Never throws. */
  async want(): Promise<void> {
    if (this.languages.value !== undefined && this.isolation.value !== undefined) return;
    this.#asking ??= this.#ask();
    await this.#asking;
  }

  async #ask(): Promise<void> {
    try {
      const { languages } = await this.#client.call('code.languages', {});
      this.languages.value = languages;
      this.problem.value = undefined;
      this.isolation.value = await this.#client.call('code.isolation', {});
    } catch (error) {
      if (!isAway(error)) this.problem.value = errorFacts(error);
    } finally {
      this.#asking = undefined;
    }
  }

  /** What is installed may have become more. */
  async askAgain(): Promise<void> {
    this.isolation.value = undefined;
    await this.want();
  }

  form(path: string): RunForm {
    return this.forms.value.get(path) ?? firstForm;
  }

  setForm(path: string, change: Partial<RunForm>): void {
    this.forms.value = new Map(this.forms.value).set(path, { ...this.form(path), ...change });
  }

  /** Forms follow their files. */
  moved(from: string, to: string): void {
    const now = (path: string): string => movedPath(path, from, to) ?? path;
    if (this.target.value !== undefined) this.target.value = now(this.target.value);
    for (const record of this.all.value) record.path = now(record.path);
    this.forms.value = new Map([...this.forms.value].map(([path, form]) => [now(path), { ...form, files: form.files.map(now) }]));
  }

  /** The one that was chosen for the file, else the one of its name. */
  languageFor(path: string): LanguageInfo | undefined {
    const { value: languages = [] } = this.languages;
    const { language } = this.form(path);
    return language === undefined ? languageOf(path, languages) : languages.find(({ code }) => code === language);
  }

  /** Runs it and follows it to its end. Never throws: what went wrong is in the record. Does nothing while another is under way. */
  async run({ path, text, what, firstLine }: RunRequest): Promise<void> {
    const language = this.languageFor(path);
    const form = this.form(path);
    const split = argumentsOf(form.args);
    if (this.busy.value || language === undefined || 'problem' in split) return;
    const title = what === 'selection' ? `Selection of ${nameOf(path)}` : nameOf(path);
    const record = new RunRecord({
      path,
      beside: form.files,
      title,
      firstLine,
      language: language.name,
      startedAt: this.#now(),
      drawn: this.#drawn,
    });
    this.current.value = record;
    this.shown.value = record;
    this.all.value = [record, ...this.all.value.slice(0, keptOf(this.all.value))];
    this.#canceled = new AbortController();
    const { signal: canceled } = this.#canceled;
    const attempt = async (): Promise<void> => {
      const beside = await Promise.all(form.files.map((file) => this.#readFile(file)));
      const { files, session } = await this.#sent.send(beside, this.session.value);
      this.#remember(session);
      canceled.throwIfAborted();
      const stream = this.#client.stream(
        'code.run',
        {
          language: language.code,
          code: text,
          ...(session === undefined ? {} : { session }),
          files,
          args: split.args,
          stdin: form.stdin,
          limits: limitsOf(form.limits),
          network: form.network,
          keepState: form.keepState && language.keepsState,
        },
        { signal: canceled },
      );
      for await (const item of stream) {
        record.take(item);
        if (item.type === 'started') this.#remember(item.session);
      }
      record.end(await stream.end, this.#now());
    };
    try {
      await attempt().catch((error: unknown) => {
        if (errorFacts(error).reason !== 'NO_SESSION' || this.session.value === undefined || record.id !== undefined) throw error;
        // It ran out since it was used last; nothing was run yet.
        this.#remember(undefined);
        record.note('The session of the runs before had ended, with its files. This is a new one.');
        return attempt();
      });
    } catch (error) {
      const facts = errorFacts(error);
      record.fail(isCanceled(error) || record.stopping.value ? { ...facts, reason: 'CANCELED' } : facts, this.#now());
    }
  }

  /** Ends what runs, or waits to. Its answer, with what it wrote, comes as of any other run. Never throws. */
  async stop(): Promise<void> {
    const { value: record } = this.current;
    if (record === undefined || !this.busy.value || record.stopping.value) return;
    record.stopping.value = true;
    const { id } = record;
    const letGo = this.#canceled;
    if (id === undefined) return letGo.abort();
    const timer = setTimeout(() => letGo.abort(), stopMs);
    const stop = record.phase.subscribe((phase) => {
      if (phase === 'over') clearTimeout(timer);
    });
    try {
      await this.#client.call('code.cancel', { run: id });
    } catch (error) {
      // It has just ended by itself: its answer is on its way.
      if (errorFacts(error).reason !== 'NO_RUN') letGo.abort();
    }
    if (record.phase.value === 'over') stop();
  }

  /** The next run finds no files and no variables. The old session ends by itself, so that what is shown of it can still be fetched. */
  newSession(): void {
    this.#remember(undefined);
  }

  /** A file that a run wrote, whole. Throws what the operation throws. */
  async fileOf(session: string, id: string, contentType: string): Promise<Blob> {
    const { bytes } = await this.#client.download('code.getFile', { session, id });
    const parts: BlobPart[] = [];
    for await (const part of bytes) parts.push(part as Uint8Array<ArrayBuffer>);
    return new Blob(parts, { type: contentType });
  }

  #remember(session: string | undefined): void {
    this.session.value = session;
    this.#layout.remember('run-session', session);
  }
}
