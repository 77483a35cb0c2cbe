import type { CodeFile, CodeOutcome } from '../../contract/code.ts';
import { OutriggerError } from '../../contract/errors.ts';
import { ask, type Asking } from './ask.ts';

/** The type that is shown of several first; all but the last come as base64. */
const endings = { 'image/png': 'png', 'image/jpeg': 'jpg', 'image/gif': 'gif', 'image/webp': 'webp', 'image/svg+xml': 'svg' } as const;
/** Of one run, as of the files that it writes. */
const MOST = 10;
const RUN_LETTERS = 6;

/** Figures and other images that a run showed. Answers of this wire hold none, and its clients show those among the files: here they become such. */
export class ShownImages {
  readonly #images: { ending: string; bytes: Buffer }[] = [];
  #omitted = 0;

  /** `data`: one thing that was shown, by its mime types. */
  take(data: Readonly<Record<string, string>>): void {
    for (const [type, ending] of Object.entries(endings)) {
      const value = data[type];
      if (value === undefined) continue;
      if (this.#images.length < MOST) this.#images.push({ ending, bytes: Buffer.from(value, ending === 'svg' ? 'utf8' : 'base64') });
      else this.#omitted++;
      return;
    }
  }

  /** Stores them in the session of the run, and adds them to what came of it. Throws what dispatch throws when the caller is gone. */
  async addTo(asking: Asking, outcome: CodeOutcome): Promise<CodeOutcome> {
    const files: CodeFile[] = [];
    const notes: string[] = [];
    for (const [index, { ending, bytes }] of this.#images.entries()) {
      // Also of two runs that end at once each has names of its own.
      const name = `figure-${outcome.run.slice(0, RUN_LETTERS)}-${index + 1}.${ending}`;
      try {
        files.push(await ask(asking, 'code.putFile', { session: outcome.session, name }, { body: inOne(bytes) }));
      } catch (error) {
        if (!(error instanceof OutriggerError) || asking.signal.aborted) throw error;
        notes.push(`An image that it showed was not kept: ${error.message}`);
      }
    }
    if (this.#omitted > 0) notes.push(`${this.#omitted} of the images that it showed were not kept.`);
    return { ...outcome, files: [...outcome.files, ...files], notes: [...outcome.notes, ...notes] };
  }
}

async function* inOne(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
