import { useSignal } from '@preact/signals';
import { nameOf } from '../file-paths.ts';
import { NamedPath } from '../named-path.tsx';
import { Icon } from '../shell/icon.tsx';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize } from '../words.ts';

/** A picture on a checkerboard, drawn anew when its file changes. */
export function PicturePane({ path }: { path: string }) {
  const workbench = useWorkbench();
  const fit = useSignal(true);
  const size = useSignal('');
  const pixels = useSignal('');
  const failed = useSignal(false);
  /** Another one for other content: a browser shows again what it has of an address. */
  const version = useSignal<string | undefined>(undefined);
  const look = async (signal: AbortSignal): Promise<void> => {
    const { entry, etag } = await workbench.client.call('files.stat', { path }, { signal });
    if (signal.aborted) return;
    size.value = entry === undefined ? '' : byteSize(entry.size);
    failed.value = entry === undefined;
    version.value = entry === undefined ? undefined : (etag ?? `${entry.modified} ${entry.size}`);
  };
  useLoaded(look, { change: (change) => change.path === path }, [path]);
  return (
    <div class="pane" data-testid="picture">
      <div class="dfh">
        <h2 class="ell">
          <NamedPath path={path} />
        </h2>
        <span class="grow" />
        <span class="sm dim num hide-m">{[pixels.value, size.value].filter((part) => part !== '').join(' · ')}</span>
        <div class="seg" role="group" aria-label="Size">
          <button type="button" aria-pressed={fit.value} data-focus onClick={() => (fit.value = true)}>
            Fit
          </button>
          <button type="button" aria-pressed={!fit.value} onClick={() => (fit.value = false)}>
            100 %
          </button>
        </div>
        <a class="ib" aria-label="Download" title="Download" href={workbench.fileUrl(path)} download={nameOf(path)}>
          <Icon name="dl" />
        </a>
      </div>
      {failed.value ? (
        <p class="hint">It is not here any more, or the browser can't show it.</p>
      ) : (
        <div class={`mid check${fit.value ? ' fit' : ''}`} tabIndex={0}>
          <img
            src={version.value === undefined ? undefined : `${workbench.fileUrl(path)}?v=${encodeURIComponent(version.value)}`}
            alt={nameOf(path)}
            onLoad={(event) => {
              const { naturalWidth, naturalHeight } = event.currentTarget;
              pixels.value = `${naturalWidth} × ${naturalHeight}`;
            }}
            onError={() => (failed.value = true)}
          />
        </div>
      )}
    </div>
  );
}
