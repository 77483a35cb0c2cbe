import type { Cause } from '../../contract/events.ts';

/** One run of a program that may change the folder, from before its start until after its end. */
export interface Run {
  /** Id of the process. */
  id: string;
  /** Shown to people, e.g. the command line. */
  title: string;
  /** Who started it. */
  cause: Cause;
}

/** The port through which others look at the folder around a run. Checkpoints provide it. */
export interface RunHooks {
  /** Before the program starts. A rejection is logged, and does not keep the program from starting. */
  before(run: Run): Promise<void>;
  /** When the program and what it left in its group ended. */
  after(run: Run): Promise<void>;
}
