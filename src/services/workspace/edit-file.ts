import { type ErrorReason, OutriggerError } from '../../contract/errors.ts';
import type { Cause } from '../../contract/events.ts';
import type { files } from '../../contract/files.ts';
import type { Input } from '../../contract/operation.ts';
import { type EditProblem, planReplacements } from '../../core/file-edits.ts';
import { type Eol, joinFormat, keepsFormat, splitFormat } from '../../core/text-format.ts';
import { checkConditions, hashBytes } from './content.ts';
import { type EditWork, TURN_MS } from './edit-work.ts';
import type { LiveWritten } from './live-text.ts';
import { storable } from './stored-text.ts';
import type { Workspace } from './workspace.ts';

/** Times that edits are made anew on a file that is another one by the time that they are. */
export const MAX_EDIT_ATTEMPTS = 4;
const editReasons: Readonly<Record<EditProblem['problem'], ErrorReason>> = {
  'not-found': 'EDIT_NOT_FOUND',
  ambiguous: 'EDIT_AMBIGUOUS',
  'out-of-range': 'OUT_OF_RANGE',
  overlap: 'BAD_INPUT',
  'too-long': 'INPUT_TOO_LARGE',
};

type EditInput = Input<(typeof files)['files.edit']>;
type Edit = EditInput['edits'][number];

/**
 * Edits an open document, in one turn; where they take longer they are worked out before, and again when somebody typed meanwhile. `confirm` is called
 * in each such turn, before anything is changed, and may throw.
 */
export async function editLive(
  workspace: Workspace,
  work: EditWork,
  giveWay: () => Promise<void> | undefined,
  input: EditInput,
  { cause, confirm }: { cause: Cause; confirm: () => void },
): Promise<LiveWritten | undefined> {
  const { path } = input;
  for (let attempt = 1; ; attempt++) {
    let isLate = false;
    const change = (raw: string): string => {
      confirm();
      checkConditions(path, hashBytes(raw), input);
      const result = work.result(raw, TURN_MS);
      if (result !== undefined) return result;
      isLate = true;
      throw new OutriggerError('BUSY_FILE', `${path} kept changing while its edits were worked out. Nothing was written.`);
    };
    try {
      return await workspace.liveText?.write(path, change, cause);
    } catch (error) {
      if (!isLate || attempt === MAX_EDIT_ATTEMPTS) throw error;
    }
    await work.finish(giveWay);
  }
}

/**
 * Edits may have other line ends than the file, which keeps its own where these are all alike; and its byte order mark. They may add as much as a whole
 * text may hold; stops as planReplacements does.
 */
export function* editRaw(path: string, raw: string, edits: readonly Edit[], maxTextBytes: number): Generator<undefined, string> {
  const { eol, bom } = splitFormat(raw).format;
  const fitting = keepsFormat(raw) ? edits.map((edit) => withEol(edit, eol)) : edits;
  const planned = yield* planReplacements(bom ? raw.slice(1) : raw, fitting, raw.length + maxTextBytes);
  if ('problem' in planned) throw editError(path, planned.problem);
  return storable(path, joinFormat(planned.result, { eol: 'lf', bom }));
}

function withEol(edit: Edit, eol: Eol): Edit {
  const given = (text: string): string => joinFormat(text.replaceAll('\r\n', '\n'), { eol, bom: false });
  if ('find' in edit) return { ...edit, find: given(edit.find), replace: given(edit.replace) };
  // With CR alone they would be lines no more.
  return eol === 'cr' ? edit : { ...edit, text: given(edit.text) };
}

function editError(path: string, problem: EditProblem): OutriggerError {
  return new OutriggerError(editReasons[problem.problem], `${path}, edit ${problem.edit + 1}: ${problem.text} Nothing was written.`, {
    details: { edit: problem.edit },
  });
}
