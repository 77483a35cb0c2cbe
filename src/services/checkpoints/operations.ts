import { actorOf } from '../../contract/access.ts';
import type { Checkpoint, checkpoints as table } from '../../contract/checkpoints.ts';
import type { Call, Implementations } from '../../contract/operation.ts';
import type { CheckpointFacts, Checkpoints } from './checkpoints.ts';
import type { FileDone } from './plan-files.ts';
import type { Asking, Outcome } from './restoring.ts';

/** Files that one answer names. */
const MAX_NAMED = 1000;

export function checkpointOperations(checkpoints: Checkpoints): Implementations<typeof table> {
  return {
    'checkpoints.list': async (input, call) => {
      const { checkpoints: found, more } = await checkpoints.list(input, call.signal);
      return { checkpoints: found.map(shown), more };
    },
    'checkpoints.create': async (input, call) => {
      const { same, lacking, ...facts } = await checkpoints.create(input, askedBy(call));
      return { ...shown(facts), same, lacking };
    },
    'checkpoints.diff': async (input, call) => {
      const { files, patch, omittedBytes } = await checkpoints.diff({ ...input, path: input.path }, call.signal);
      return { files: files.slice(0, MAX_NAMED), fileCount: files.length, patch, truncated: omittedBytes > 0, omittedBytes };
    },
    'checkpoints.restore': async ({ id, paths, dryRun }, call) => answer(await checkpoints.restore({ id, paths, dryRun }, askedBy(call))),
    'checkpoints.revert': async (input, call) => answer(await checkpoints.revert(input, askedBy(call))),
  };
}

function askedBy(call: Call): Asking {
  const { caller, requestId, signal } = call;
  return { cause: { kind: 'connection', who: [actorOf(caller)], id: requestId }, signal };
}

function shown({ row, revision, edited, reverted }: CheckpointFacts): Checkpoint {
  const { id, at, title, cause, point, run, files, omitted } = row;
  return {
    id,
    at,
    title,
    cause,
    point,
    ...(run === null ? {} : { run }),
    revision,
    files,
    ...(edited === undefined ? {} : { edited }),
    omitted: omitted.length,
    ...(reverted === undefined ? {} : { reverted }),
  };
}

function answer(outcome: Outcome): Outcome & { fileCount: number } {
  const { files, shared } = outcome;
  return { ...outcome, files: named(files), fileCount: files.length, shared: shared.slice(0, 100) };
}

/** Where there are too many, those that were left are named first. */
function named(files: readonly FileDone[]): FileDone[] {
  if (files.length <= MAX_NAMED) return [...files];
  const isLeft = ({ did }: FileDone): boolean => did === 'skipped';
  return [...files.filter(isLeft), ...files.filter((file) => !isLeft(file))].slice(0, MAX_NAMED);
}
