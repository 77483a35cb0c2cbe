import vm from 'node:vm';

/** Runs work that may not come to an end, such as a match of an expression, and ends it after a time. To be made where it is first needed: it has a context of its own. */
export class Interruptible {
  readonly #box: { work: () => void } = { work: () => {} };
  readonly #context = vm.createContext(this.#box);
  readonly #script = new vm.Script('work()');

  /** Undefined when it took longer; the work was then left in its midst. */
  run<T>(work: () => T, timeoutMs: number): T | undefined {
    let result: T | undefined;
    this.#box.work = () => {
      result = work();
    };
    try {
      this.#script.runInContext(this.#context, { timeout: timeoutMs });
      return result;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return undefined;
      throw error;
    } finally {
      this.#box.work = () => {};
    }
  }
}
