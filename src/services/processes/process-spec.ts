import type { ActorKind } from '../../contract/access.ts';
import type { TerminalSize } from './host.ts';
import type { RestartPolicy } from './managed-process.ts';

export interface StartedBy {
  name: string;
  kind: ActorKind;
}

export interface ProcessSpec {
  argv: readonly [string, ...string[]];
  /** The folder, as a wire path. */
  path: string;
  env: Readonly<Record<string, string>>;
  stdin?: string | undefined;
  keepStdinOpen?: boolean;
  terminal?: TerminalSize | undefined;
  tag?: string | undefined;
  title?: string | undefined;
  host?: string;
  timeoutMs?: number | undefined;
  restart?: RestartPolicy;
  /** Checkpoints before and after. */
  checkpoint: boolean;
  startedBy: StartedBy;
  /** Of the call that asked for it: the program has it as OUTRIGGER_REQUEST_ID. */
  requestId?: string | undefined;
}
