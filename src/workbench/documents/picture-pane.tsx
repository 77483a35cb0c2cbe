import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { nameOf } from '../file-paths.ts';
import { NamedPath } from '../named-path.tsx';
import { Icon } from '../shell/icon.tsx';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize } from '../words.ts';
import { isDrawing } from './file-kinds.ts';

/** A picture on a checkerboard, drawn anew when its file changes. */
export function PicturePane({ path }: { path: string }) {
  const workbench = useWorkbench();
  const fit = useSignal(true);
  const size = useSignal('');
  const pixels = useSignal('');
  const failed = useSignal(false);
  const source = useSignal<string | undefined>(undefined);
  const drawing = isDrawing(path);
  const showText = (): void => {
    workbench.draw(path, false);
    workbench.focusMain();
  };
  const look = async (signal: AbortSignal): Promise<void> => {
    const { entry, etag } = await workbench.client.call('files.stat', { path }, { signal });
    if (signal.aborted) return;
    size.value = entry === undefined ? '' : byteSize(entry.size);
    failed.value = entry === undefined;
    if (entry === undefined) source.value = undefined;
    else if (drawing) source.value = await drawingUrl(workbench.fileUrl(path), signal);
    // Another one for other content: a browser shows again what it has of an address.
    else source.value = `${workbench.fileUrl(path)}?v=${encodeURIComponent(etag ?? `${entry.modified} ${entry.size}`)}`;
  };
  const { value: shown } = source;
  useEffect(() => () => void (shown?.startsWith('blob:') === true && URL.revokeObjectURL(shown)), [shown]);
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
        {drawing && (
          <button type="button" class="ib" aria-label="Show as text" title="Show as text" onClick={showText}>
            <Icon name="doc" />
          </button>
        )}
        <a class="ib" aria-label="Download" title="Download" href={workbench.fileUrl(path)} download={nameOf(path)}>
          <Icon name="dl" />
        </a>
      </div>
      {failed.value ? (
        <p class="hint">It is not here any more, or the browser can't show it.</p>
      ) : (
        <div class={`mid check${fit.value ? ' fit' : ''}`} tabIndex={0}>
          <img
            src={shown}
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

/** Never a part of the page, where it could run what it holds: as a picture alone, with the type that the sidecar does not give to what people keep. */
async function drawingUrl(address: string, signal: AbortSignal): Promise<string> {
  const response = await fetch(address, { signal });
  if (!response.ok) throw await response.json();
  const bytes = await response.arrayBuffer();
  signal.throwIfAborted();
  return URL.createObjectURL(new Blob([bytes], { type: 'image/svg+xml' }));
}
