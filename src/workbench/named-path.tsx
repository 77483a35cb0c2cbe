import { nameOf, parentOf } from './file-paths.ts';

/** A file by its name, and beside it the folder that it is in, or what else is said of it: each in its own direction. */
export function NamedPath({ path, beside = parentOf(path) }: { path: string; beside?: string | false }) {
  return (
    <>
      <bdi>{nameOf(path)}</bdi> {beside !== false && <bdi class="faint sm">{beside}</bdi>}
    </>
  );
}
