/** An editor that renames the old file to its backup has made the new one by then. */
export const SAVED_WITHIN_MS = 2000;

interface Held {
  text: string;
  content: string | undefined;
}

/** What an editor goes on from that has made the file of a document its backup, and may not have made the new one yet. */
export class EditorBackup {
  #began: (Held & { untilMs: number }) | undefined;
  /** The new file is there, and the document with it. */
  #isBack = false;
  #returns = 0;

  /** How often the document was brought back: what was saved before that was not saved into the file of now. */
  get returns(): number {
    return this.#returns;
  }

  /** Where the document was moved to is the backup: what is saved there is typed, and not what the editor began with, which `held` is. */
  made(held: Held): void {
    const { text, content } = this.#began ?? held;
    this.#began = { text, content, untilMs: performance.now() + SAVED_WITHIN_MS };
    this.#isBack = false;
  }

  /** The document is where the editor has made its new file. Gives what is to be called after the look at that. */
  broughtBack(): () => void {
    this.#returns++;
    const began = this.#began;
    this.#isBack = true;
    return () => {
      if (this.#began === began && this.#isBack) this.#began = undefined;
    };
  }

  /** The document was moved, to wherever. */
  moved(): void {
    // Back and not looked at yet, it may be made the backup once more.
    if (!this.#isBack) this.#began = undefined;
  }

  /** The file holds `next`, where the last save left `savedContent`. Gives the text that the editor made that of, where it is another. */
  read(next: Held, savedContent: string | undefined): string | undefined {
    const began = this.#began !== undefined && performance.now() < this.#began.untilMs ? this.#began : undefined;
    this.#began = began === undefined || this.#isBack ? undefined : { ...began, ...next };
    return began === undefined || began.content === savedContent ? undefined : began.text;
  }
}
