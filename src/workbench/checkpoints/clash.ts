import type { Output } from '../../contract/operation.ts';
import type { Operations } from '../../contract/operations.ts';

export type ClashHunk = Output<Operations['checkpoints.revert']>['shared'][number];

/** What a revert met that others changed too: nothing was changed yet. */
export interface Clash {
  run: string;
  title: string;
  /** The first of them. */
  hunks: readonly ClashHunk[];
  /** Of all. */
  total: number;
  files: number;
  digest: string;
}
