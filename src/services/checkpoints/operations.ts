import type { Checkpoint, checkpoints as table } from '../../contract/checkpoints.ts';
import type { Call, Implementations } from '../../contract/operation.ts';
import type { CheckpointFacts, Checkpoints } from './checkpoints.ts';
import type { Asking, Outcome } from './restoring.ts';

/** Files that one answer names. */
const MAX_NAMED = 1000;

export function checkpointOperations(checkpoints: Checkpoints): Implementations<typeof table> {
  return {
    'checkpoints.list': (input) => {
      const { checkpoints: found, more } = checkpoints.list(input);
      return { checkpoints: found.map(shown), more };
    },
    'checkpoints.create': async ({ title }, call) => {
      const { same, ...facts } = await checkpoints.create(title, askedBy(call));
      return { ...shown(facts), same };
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
  return { cause: { kind: 'connection', who: [{ name: caller.name, kind: caller.kind }], id: requestId }, signal };
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
  return { ...outcome, files: files.slice(0, MAX_NAMED), fileCount: files.length, shared: shared.slice(0, 100) };
}
