import { nameOf, parentOf } from './file-paths.ts';
import { shownName } from './shown-name.ts';

/** A file by its name, and beside it the folder that it is in, or what else is said of it: each in its own direction. */
export function NamedPath({ path, beside }: { path: string; beside?: string | false | undefined }) {
  return (
    <span class="named" title={path}>
      <bdi>{shownName(nameOf(path))}</bdi>{' '}
      {beside === undefined ? <FolderPath path={parentOf(path)} /> : beside !== false && <bdi class="faint sm">{shownName(beside)}</bdi>}
    </span>
  );
}

/** A folder's path, cut in its middle where there is no room: its last name stays longest. */
export function FolderPath({ path }: { path: string }) {
  const shown = shownName(path);
  const cut = shown.lastIndexOf('/', shown.lastIndexOf('/') - 1);
  return (
    <bdi class="faint sm cut" title={path}>
      <span>{cut < 0 ? '' : shown.slice(0, cut)}</span>
      <span>{cut < 0 ? shown : shown.slice(cut)}</span>
    </bdi>
  );
}
