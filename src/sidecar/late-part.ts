import type { Call } from '../contract/operation.ts';

/**
 * A part whose code is loaded when somebody first asks for one of its operations: a sidecar that nobody asks starts sooner and holds less. Where it could not
 * be opened, who asks is told, and who asks next tries again.
 */
export class LatePart<Part extends { operations: object }> {
  readonly #open: () => Promise<Part>;
  #opening: Promise<Part> | undefined;
  #opened: Part | undefined;

  constructor(open: () => Promise<Part>) {
    this.#open = open;
  }

  /** Undefined until it is open. */
  get opened(): Part | undefined {
    return this.#opened;
  }

  open(): Promise<Part> {
    this.#opening ??= this.#open().then(
      (part) => (this.#opened = part),
      (error: unknown) => {
        this.#opening = undefined;
        throw error;
      },
    );
    return this.#opening;
  }

  /** What was being opened is open, or could not be: nothing of it begins afterwards. */
  async settled(): Promise<Part | undefined> {
    return this.#opening?.catch(() => undefined);
  }

  /** Stand for the operations of these names. */
  operations(names: readonly string[]): Record<string, unknown> {
    const standIn =
      (name: string) =>
      (input: unknown, call: Call): unknown =>
        this.#opened === undefined
          ? this.open().then((part) => operationOf(part, name)(input, call))
          : operationOf(this.#opened, name)(input, call);
    return Object.fromEntries(names.map((name) => [name, standIn(name)]));
  }
}

function operationOf({ operations }: { operations: object }, name: string): (input: unknown, call: Call) => unknown {
  return (operations as Record<string, (input: unknown, call: Call) => unknown>)[name] as (input: unknown, call: Call) => unknown;
}
