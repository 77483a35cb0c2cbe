import { nameOf } from '../file-paths.ts';
import { shownName } from '../shown-name.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { Icon } from './icon.tsx';
import { sayKey } from './keys.ts';
import { hideRight } from './right-actions.ts';

/** What the panel at the right is, and the way to close it. `takesFocus`: nothing below it is there to have the focus. */
export function RightHead({ takesFocus }: { takesFocus: boolean }) {
  const workbench = useWorkbench();
  const { value: path } = workbench.lastPath;
  const close = `Close history (${sayKey('Ctrl Alt B', apple)})`;
  return (
    <div class="sp-h">
      <h2 class="ell" dir="auto">
        {path === undefined ? 'History' : `History of ${shownName(nameOf(path))}`}
      </h2>
      <button
        type="button"
        class="ib"
        data-focus={takesFocus ? true : undefined}
        aria-label={close}
        title={close}
        onClick={() => hideRight(workbench)}
      >
        <Icon name="x" />
      </button>
    </div>
  );
}
