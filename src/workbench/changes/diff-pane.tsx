import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { errorFacts } from '../client-port.ts';
import { fileKind } from '../documents/file-kinds.ts';
import { nameOf, parentOf } from '../file-paths.ts';
import { Icon } from '../shell/icon.tsx';
import { Revision } from '../shell/revision.tsx';
import { apple, useWorkbench } from '../use-workbench.ts';
import { isKey } from '../shell/keys.ts';
import { count } from '../words.ts';
import type { DiffView } from './diff-view.ts';

const roomForTwo = 900;

interface Texts {
  before: string;
  after: string;
  binary: boolean;
  revision: number;
}

/** A file against HEAD, as it is now: unsaved edits included, drawn anew when it changes. */
export function DiffPane({ path, from }: { path: string; from: string | undefined }) {
  const workbench = useWorkbench();
  const host = useRef<HTMLDivElement>(null);
  const diff = useRef<DiffView | undefined>(undefined);
  const texts = useSignal<Texts | undefined>(undefined);
  const problem = useSignal<string | undefined>(undefined);
  const wide = useSignal(true);
  const chosen = useSignal<'both' | 'one' | undefined>(undefined);
  const counts = useSignal<DiffView['counts'] | undefined>(undefined);
  const head = workbench.git.status.value?.head ?? null;
  const sideBySide = wide.value && chosen.value !== 'one';

  useEffect(() => {
    const canceled = new AbortController();
    const { signal } = canceled;
    const load = async (): Promise<void> => {
      try {
        const [before, after] = await Promise.all([
          workbench.client.call('git.show', { path: from ?? path, revision: 'HEAD' }, { signal }).catch((error: unknown) => {
            // Before the first commit there is nothing to compare with.
            if (head === null) return { exists: false, text: '', binary: false, size: 0 };
            throw error;
          }),
          workbench.client.call('files.read', { path }, { signal }).catch((error: unknown) => {
            if (errorFacts(error).reason === 'FILE_NOT_FOUND') return undefined;
            throw error;
          }),
        ]);
        texts.value = {
          before: lineFeeds(before.text),
          after: lineFeeds(after?.text ?? ''),
          binary: before.binary,
          revision: workbench.feed.changesOf(path).at(-1)?.revision ?? workbench.feed.revision.value,
        };
        problem.value = undefined;
      } catch (error) {
        if (!signal.aborted)
          problem.value =
            errorFacts(error).reason === 'NOT_TEXT' ? 'It is not text, so there are no lines to compare.' : errorFacts(error).message;
      }
    };
    void load();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = workbench.changes.subscribe({
      change: (change) => {
        if (change.path !== path) return;
        clearTimeout(timer);
        timer = setTimeout(() => void load(), 200);
      },
      git: () => void load(),
    });
    return () => {
      canceled.abort();
      clearTimeout(timer);
      stop();
    };
  }, [path, from, head]);

  useEffect(() => {
    const { current } = host;
    if (current === null) return;
    const observer = new ResizeObserver(() => (wide.value = current.clientWidth >= roomForTwo));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);

  useEffect(() => {
    const { value: shown } = texts;
    const { current } = host;
    if (shown === undefined || current === null || shown.binary) return;
    let gone = false;
    const scrolled = current.querySelector('.cm-scroller, .cm-mergeView')?.scrollTop ?? 0;
    void import('./diff-view.ts')
      .then(({ createDiff }) =>
        gone
          ? undefined
          : createDiff(current, {
              before: shown.before,
              after: shown.after,
              names: { before: `${nameOf(path)} at HEAD`, after: `${nameOf(path)}, working copy` },
              grammar: fileKind(path).grammar,
              sideBySide,
              wrap: !sideBySide,
            }),
      )
      .then((view) => {
        if (view === undefined) return;
        if (gone) return view.destroy();
        diff.current = view;
        counts.value = view.counts;
        const scroller = current.querySelector('.cm-mergeView, .cm-scroller');
        if (scroller !== null) scroller.scrollTop = scrolled;
      });
    return () => {
      gone = true;
      diff.current?.destroy();
      diff.current = undefined;
      current.replaceChildren();
    };
  }, [texts.value, sideBySide]);

  const same = texts.value !== undefined && !texts.value.binary && texts.value.before === texts.value.after;
  return (
    <div
      class="pane"
      data-testid="diff"
      onKeyDown={(event) => {
        if (isKey('F7', event, apple)) diff.current?.next();
        else if (isKey('Shift F7', event, apple)) diff.current?.previous();
        else return;
        event.preventDefault();
      }}
    >
      <div class="dfh">
        <h2 class="ell" dir="auto">
          {nameOf(path)} <span class="faint sm">{parentOf(path)}</span>
        </h2>
        {counts.value !== undefined && !same && (
          <>
            <span class="sm num">
              <span class="pl">+{counts.value.added}</span> <span class="mi">−{counts.value.removed}</span>
            </span>
            <span class="chip hide-m">{count(counts.value.changes, 'change')}</span>
          </>
        )}
        <span class="grow" />
        {wide.value && (
          <div class="seg hide-m" role="group" aria-label="Layout">
            <button type="button" aria-pressed={sideBySide} onClick={() => (chosen.value = 'both')}>
              Side by side
            </button>
            <button type="button" aria-pressed={!sideBySide} onClick={() => (chosen.value = 'one')}>
              Unified
            </button>
          </div>
        )}
        <button
          type="button"
          class="ib"
          aria-label="Previous change (Shift F7)"
          title="Previous change (Shift F7)"
          onClick={() => diff.current?.previous()}
        >
          <Icon name="up" />
        </button>
        <button type="button" class="ib turned" aria-label="Next change (F7)" title="Next change (F7)" onClick={() => diff.current?.next()}>
          <Icon name="up" />
        </button>
        <button type="button" class="btn sm" data-focus onClick={() => workbench.openFile(path)}>
          <Icon name="edit" />
          <span class="hide-m">Open file</span>
        </button>
      </div>
      {sideBySide && texts.value !== undefined && !same && (
        <div class="sides">
          <div>
            HEAD <span class="rev">{head?.slice(0, 7) ?? 'none'}</span>
          </div>
          <div>
            Working copy <Revision number={texts.value.revision} />
          </div>
        </div>
      )}
      {problem.value !== undefined && <p class="hint">{problem.value}</p>}
      {texts.value?.binary === true && <p class="hint">It is not text, so there are no lines to compare.</p>}
      {same && <p class="hint">It is the same as at HEAD.</p>}
      <div class="diff-host" ref={host} hidden={same || problem.value !== undefined} />
    </div>
  );
}

function lineFeeds(text: string): string {
  return text.replace(/\r\n?/g, '\n');
}
