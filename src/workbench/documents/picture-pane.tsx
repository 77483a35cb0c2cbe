import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { nameOf, parentOf } from '../file-paths.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize } from '../words.ts';

/** A picture on a checkerboard, drawn anew when its file changes. */
export function PicturePane({ path }: { path: string }) {
  const workbench = useWorkbench();
  const fit = useSignal(true);
  const size = useSignal('');
  const pixels = useSignal('');
  const failed = useSignal(false);
  const version = useSignal(0);
  useEffect(() => {
    const look = (): void => {
      workbench.client
        .call('files.stat', { path })
        .then(({ entry }) => {
          size.value = entry === undefined ? '' : byteSize(entry.size);
          failed.value = entry === undefined;
        })
        .catch(() => undefined);
    };
    look();
    return workbench.changes.subscribe({
      change: (change) => {
        if (change.path !== path) return;
        version.value = change.revision;
        look();
      },
    });
  }, [path]);
  return (
    <div class="pane" data-testid="picture">
      <div class="dfh">
        <h2 class="ell" dir="auto">
          {nameOf(path)} <span class="faint sm">{parentOf(path)}</span>
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
            src={`${workbench.fileUrl(path)}${version.value > 0 ? `?r=${version.value}` : ''}`}
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
