import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';

export type ClashHunk = Output<Operations['checkpoints.revert']>['shared'][number];

/** What was to be taken back, and what others changed too: nothing was changed yet. */
export interface Clash {
  /** What did not happen. */
  label: string;
  /** What is to be taken back is the work of one run, or a change of one file. */
  of: 'run' | 'change';
  /** The first of them. */
  hunks: readonly ClashHunk[];
  /** Of all. */
  total: number;
  files: number;
  /** Once it was said what becomes of them. */
  go: (shared: 'keep' | 'remove') => void;
}
