import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import type { CodeFile, CodeOutcome } from '../../contract/code.ts';
import { isPicture } from '../documents/file-kinds.ts';
import { Icon } from '../shell/icon.tsx';
import { shownName } from '../shown-name.ts';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize, count } from '../words.ts';

/** Pictures are looked at at once when they are small and few. */
const previewBytes = 4 * 1024 * 1024;
const mostPreviews = 8;
/** The browser keeps what is being saved for so long. */
const releaseMs = 60_000;
/** An SVG in a page of its own would run its scripts as ours. */
const safePictures = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/avif', 'image/bmp']);

/** What a run wrote, to look at and to take along. */
export function RunFiles({ outcome: { files, omittedFiles, session } }: { outcome: CodeOutcome }) {
  if (files.length === 0) return null;
  const previews = new Set(files.filter((file) => pictureType(file) !== undefined && file.size <= previewBytes).slice(0, mostPreviews));
  return (
    <>
      <h2 class="sm dim">
        Files it wrote <span class="count">{files.length}</span>
      </h2>
      <ul class="run-files" aria-label="Files it wrote">
        {files.map((file) => (
          <li key={file.id}>
            <FileRow file={file} session={session} preview={previews.has(file)} />
          </li>
        ))}
      </ul>
      {omittedFiles > 0 && <p class="sm faint">{count(omittedFiles, 'more file')} were not kept.</p>}
    </>
  );
}

function FileRow({ file, session, preview }: { file: CodeFile; session: string; preview: boolean }) {
  const { run, toasts } = useWorkbench();
  const url = useSignal<string | undefined>(undefined);
  const busy = useSignal(false);
  const type = pictureType(file);
  useEffect(() => {
    if (!preview || type === undefined) return;
    let gone = false;
    run
      .fileOf(session, file.id, type)
      .then((blob) => {
        if (!gone) url.value = URL.createObjectURL(blob);
      })
      // The row below still offers it.
      .catch(() => undefined);
    return () => {
      gone = true;
      if (url.value !== undefined) URL.revokeObjectURL(url.value);
      url.value = undefined;
    };
  }, [session, file.id, preview]);
  const download = async (): Promise<void> => {
    if (busy.value) return;
    busy.value = true;
    try {
      save(await run.fileOf(session, file.id, 'application/octet-stream'), file.name);
    } catch (error) {
      toasts.fail(`${file.name} was not downloaded`, error);
    } finally {
      busy.value = false;
    }
  };
  return (
    <>
      {url.value !== undefined && (
        <a href={url.value} target="_blank" rel="noopener" class="preview" aria-label={`Open ${file.name} in a new tab`}>
          <img src={url.value} alt="" />
        </a>
      )}
      <span class="row">
        <Icon name={type === undefined ? 'doc' : 'img'} />
        <span class="ell grow path" dir="auto" title={file.name}>
          {shownName(file.name)}
        </span>
        <span class="xs faint num">{byteSize(file.size)}</span>
        <button
          type="button"
          class="ib"
          aria-label={`Download ${file.name}`}
          title="Download"
          aria-busy={busy.value}
          onClick={() => void download()}
        >
          <Icon name="dl" />
        </button>
      </span>
    </>
  );
}

/** By its content type, else by its name; undefined where it is none that may stand in a tab of its own. */
function pictureType({ contentType, name }: CodeFile): string | undefined {
  const [type = ''] = contentType.split(';');
  if (safePictures.has(type)) return type;
  return type === 'application/octet-stream' && isPicture(name) ? 'image/png' : undefined;
}

function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), releaseMs);
}
