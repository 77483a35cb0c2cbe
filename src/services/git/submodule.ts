import { OutriggerError } from '../../contract/errors.ts';

/** How git writes that an entry is a commit of another repository. */
export const SUBMODULE_MODE = '160000';

export function submoduleError(path: string): OutriggerError {
  return new OutriggerError(
    'BAD_INPUT',
    `${path} is a submodule: which of its commits it stands at is changed in it, or by git submodule update. Nothing was done.`,
  );
}
