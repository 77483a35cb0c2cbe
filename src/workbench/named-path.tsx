import type { ComponentChildren } from 'preact';
import { nameOf, parentOf } from './file-paths.ts';
import { shownName } from './shown-name.ts';

/** A file by its name, and beside it the folder that it is in, or what else is said of it: each in its own direction. */
export function NamedPath({ path, beside }: { path: string; beside?: ComponentChildren }) {
  return (
    <span class="named" title={path}>
      <bdi>{shownName(nameOf(path))}</bdi> {beside === undefined ? <CutPath path={parentOf(path)} /> : beside}
    </span>
  );
}

/** Where `path` was before: of the same folder the name says it. */
export function FormerPath({ from, path, look }: { from: string; path: string; look?: string | undefined }) {
  return <CutPath path={from} said={parentOf(from) === parentOf(path) ? nameOf(from) : from} look={look} />;
}

/** What has fewer letters is not cut: it would take no less room. */
const leastCut = 5;

interface CutPathProps {
  path: string;
  /** What of it is shown: all. */
  said?: string;
  /** Classes for how it looks. */
  look?: string | undefined;
}

/**
 * A path, cut in its middle where there is no room: its name stays longest, then the folder that it is in. Of a part that has not even room for a letter and an
 * ellipsis the ellipsis stands alone, as the letter would read as another folder.
 */
export function CutPath({ path, said = path, look = 'faint sm' }: CutPathProps) {
  const shown = shownName(said);
  const name = Math.max(shown.lastIndexOf('/'), 0);
  const folder = Math.max(shown.lastIndexOf('/', name - 1), 0);
  return (
    <bdi class={`cut ${look}`} title={path}>
      {[shown.slice(0, folder), shown.slice(folder, name), shown.slice(name)].map((part, index) => (
        <span key={index} class={part.length < leastCut ? 'whole' : undefined}>
          <span>{part}</span>
        </span>
      ))}
    </bdi>
  );
}
