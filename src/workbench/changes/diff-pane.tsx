import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Change } from '../../contract/events.ts';
import { type Actor, sayActor } from '../actor.ts';
import { errorFacts } from '../client-port.ts';
import { fileKind } from '../documents/file-kinds.ts';
import { revisionRange } from '../feed/feed-rows.ts';
import { nameOf } from '../file-paths.ts';
import { NamedPath } from '../named-path.tsx';
import { lateCode } from '../late-code.ts';
import { Icon } from '../shell/icon.tsx';
import { Revision } from '../shell/revision.tsx';
import { type DiffAgainst, changeIn } from '../shell/tabs.ts';
import { useGivenFocus } from '../use-given-focus.ts';
import { useKeptFocus } from '../use-kept-focus.ts';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import type { SectionName } from './change-sections.ts';
import { type DiffTexts, loadTexts } from './diff-texts.ts';
import type { DiffPlace, DiffView, HunkAction } from './diff-view.ts';
import { hunkAt, hunkLines } from './hunk-lines.ts';
import { sameWords } from './same-words.ts';

const roomForTwo = 900;
/** Of a comparison, where its changes can be staged. */
const afterSide = '.cm-merge-b .cm-content, .diff-host > .cm-editor .cm-content';

interface DiffPaneProps {
  path: string;
  from: string | undefined;
  against: DiffAgainst | undefined;
}

/** A file as it was and as it is, drawn anew when either changes; unsaved edits included. */
export function DiffPane({ path, from, against }: DiffPaneProps) {
  const workbench = useWorkbench();
  const { git, gitActions } = workbench;
  const host = useRef<HTMLDivElement>(null);
  const diff = useRef<DiffView | undefined>(undefined);
  const kept = useRef<{ top: number; focused: boolean }>({ top: 0, focused: false });
  const texts = useSignal<(DiffTexts & { revision: number }) | undefined>(undefined);
  const wide = useSignal(true);
  const chosen = useSignal<'both' | 'one' | undefined>(undefined);
  const counts = useSignal<DiffView['counts'] | undefined>(undefined);
  /** Those that the comparison stands for. */
  const drawn = useSignal<DiffTexts | undefined>(undefined);
  const place = useSignal<DiffPlace | undefined>(undefined);
  const head = git.status.value?.head ?? null;
  const isHeadKnown = git.status.value !== undefined || git.problem.value !== undefined;
  const sections = git.sections.value;
  const isStaged = sections.staged.some((entry) => entry.path === path);
  const unknown = sections.changes.filter((entry) => entry.path === path && entry.letter === 'U');
  const compared = sections[against === 'staged' ? 'staged' : 'changes'].find((entry) => entry.path === path);
  const sideBySide = wide.value && chosen.value !== 'one';

  const isOfHead = against === undefined || against === 'index' || against === 'staged';
  const load = async (signal: AbortSignal): Promise<void> => {
    if (isOfHead && !isHeadKnown) return;
    const sayWho = (actor: Actor): string => (workbench.isMe(actor) ? 'you' : sayActor(actor));
    const found = await loadTexts(workbench.client, { path, from, against, head, isStaged, sayWho }, signal);
    const revision = workbench.feed.changesOf(path).at(-1)?.revision ?? workbench.feed.revision.value;
    if (!signal.aborted && !sameTexts(texts.value, found)) texts.value = { ...found, revision };
  };
  // What a change found and left stays what it was.
  const isPast = changeIn(against) !== undefined;
  const hears = isPast ? {} : { change: (change: Change) => change.path === path, git: true, afterMs: 200 };
  const problem = useLoaded(load, hears, isPast ? [path, against] : [path, from, against, head, isHeadKnown, isStaged]);

  useEffect(() => {
    const { current } = host;
    if (current === null) return;
    const observer = new ResizeObserver(() => (wide.value = current.clientWidth >= roomForTwo));
    observer.observe(current);
    return () => observer.disconnect();
  }, []);

  const { value: shown } = texts;
  const hunks = hunkLines(shown?.hunks ?? []);
  // Asked anew by each key: the next one may come before the page is drawn.
  const hunkHere = () => (place.value === undefined ? undefined : hunkAt(hunks, place.value.line));
  const here = hunkHere();
  const actions = hunkActions(shown, workbench.readOnly.value, {
    stage: (hunk) => void gitActions.stageHunk(path, hunk),
    unstage: (hunk) => void gitActions.unstageHunk(path, hunk),
    // Of a file that git does not know, the only change is the file.
    discard: (hunk) => void (unknown.length > 0 ? gitActions.discard(unknown) : gitActions.discardHunk(path, hunk)),
  });

  useEffect(() => {
    const { current } = host;
    if (shown === undefined || current === null || shown.binary || shown.missing !== undefined) return;
    let gone = false;
    void lateCode(
      () => import('./diff-view.ts'),
      () => !gone,
    )
      .then((code) =>
        gone
          ? undefined
          : code?.createDiff(current, {
              before: shown.before,
              after: shown.after,
              names: { before: `${nameOf(path)}, ${shown.names.before}`, after: `${nameOf(path)}, ${shown.names.after}` },
              grammar: fileKind(path).grammar,
              sideBySide,
              wrap: !sideBySide,
              hunks,
              // On a phone the buttons above are the ones in reach.
              actions: workbench.phone.value ? [] : actions,
              onPlace: (now) => (place.value = now),
            }),
      )
      .then((view) => {
        if (view === undefined) return;
        if (gone) return view.destroy();
        diff.current = view;
        counts.value = view.counts;
        drawn.value = shown;
        const scroller = current.querySelector('.cm-mergeView, .cm-scroller');
        if (scroller !== null) scroller.scrollTop = kept.current.top;
        // What had the focus was drawn anew.
        if (kept.current.focused) view.focus();
      });
    return () => {
      gone = true;
      kept.current = {
        top: current.querySelector('.cm-mergeView, .cm-scroller')?.scrollTop ?? 0,
        focused: current.contains(document.activeElement),
      };
      diff.current?.destroy();
      diff.current = undefined;
      current.replaceChildren();
    };
  }, [shown, sideBySide, workbench.readOnly.value]);

  const isMissing = shown?.missing !== undefined;
  const same = shown !== undefined && !shown.binary && !isMissing && shown.before === shown.after;
  const isCompared = shown !== undefined && !shown.binary && !isMissing && !same;
  const isHidden = same || isMissing || problem.value !== undefined || shown?.binary === true;
  const given = useGivenFocus(!isHidden, () => rest.ref.current?.querySelector<HTMLElement>('[data-focus]')?.focus());
  const rest = useKeptFocus(gitActions.busy.value || (isCompared && drawn.value !== shown), [shown, drawn.value, sections], afterSide);
  useEffect(() => {
    if (!isCompared) return;
    // What is pressed next is about the change that was gone to.
    const go = (step: 'next' | 'previous') => () => {
      diff.current?.[step]();
      diff.current?.focus();
    };
    const comparison = { next: go('next'), previous: go('previous') };
    workbench.comparison.value = comparison;
    return () => {
      if (workbench.comparison.value === comparison) workbench.comparison.value = undefined;
    };
  }, [workbench, isCompared]);
  // Before the comparison has them: it takes Delete for itself, though nothing can be deleted there.
  const onActionKey = (event: KeyboardEvent): void => {
    const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions.find(({ keys }) => keys.includes(event.key));
    const hunk = hunkHere();
    if (action === undefined || hunk === undefined || !inComparison(event.target)) return;
    event.preventDefault();
    event.stopPropagation();
    action.run(hunk.id);
  };
  return (
    <div class="pane" data-testid="diff" {...rest} onKeyDownCapture={onActionKey}>
      <div class="dfh">
        <h2 class="ell">
          <NamedPath path={path} />
        </h2>
        {counts.value !== undefined && !same && (
          <>
            <span class="sm num">
              <span class="pl">+{counts.value.added}</span> <span class="mi">−{counts.value.removed}</span>
            </span>
            <span class="chip hide-m num" data-testid="viewed">
              {sayViewed(counts.value.changes, place.value?.viewed ?? 0)}
            </span>
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
        <FileActions path={path} against={against} />
      </div>
      {isCompared && (
        <div class={sideBySide ? 'sides' : 'sides one'}>
          {sideBySide && (
            <div class="ell">
              {shown.names.before} {shown.hashes.before !== undefined && <span class="rev">{shown.hashes.before}</span>}
            </div>
          )}
          <div class="row">
            <span class="ell grow">
              {shown.change === undefined ? (
                `${sideBySide ? '' : `${shown.names.before} → `}${shown.names.after}`
              ) : (
                <>
                  {sideBySide ? '' : `${shown.names.before} → `}
                  <Revision number={shown.change.last} text={revisionRange(shown.change)} /> {shown.change.who}
                  {shown.change.made === 'deleted' && ', who deleted it'}
                </>
              )}{' '}
              {shown.hashes.after !== undefined && <span class="rev">{shown.hashes.after}</span>}
              {shown.live && <Revision number={shown.revision} />}
            </span>
            {here !== undefined &&
              actions.map(({ icon, label, short, run }) => (
                <button key={label} type="button" class="btn sm quiet" title={label} aria-label={label} onClick={() => run(here.id)}>
                  <Icon name={icon} small />
                  {short}
                </button>
              ))}
          </div>
        </div>
      )}
      {isMissing && (
        <p class="hint" data-testid="not-kept">
          {shown.missing}
        </p>
      )}
      {problem.value !== undefined && <p class="hint">{errorFacts(problem.value).message}</p>}
      {shown?.binary === true && <p class="hint">It is not text, so there are no lines to compare.</p>}
      {same && problem.value === undefined && (
        <p class="hint" data-testid="same">
          {sameWords({
            against,
            before: shown.names.before,
            entry: compared,
            made: shown.change?.made,
            there: shown.there,
            hunks: shown.hunks.length,
          })}
        </p>
      )}
      <div class="diff-host" ref={host} hidden={isHidden} {...given} />
    </div>
  );
}

/** What can be done with the file as a whole. */
function FileActions({ path, against }: { path: string; against: DiffAgainst | undefined }) {
  const workbench = useWorkbench();
  const { git, gitActions, readOnly } = workbench;
  const { value: sections } = git.sections;
  const inSection = (name: SectionName) => sections[name].filter((entry) => entry.path === path);
  const changed = inSection('changes');
  const staged = inSection('staged');
  const canWrite = !readOnly.value;
  return (
    <>
      {canWrite && against === 'staged' && staged.length > 0 && (
        <button type="button" class="btn sm" aria-label="Unstage file" onClick={() => void gitActions.unstage(staged)}>
          <Icon name="minus" />
          <span class="hide-m">Unstage file</span>
        </button>
      )}
      {canWrite && (against === undefined || against === 'index') && changed.length > 0 && (
        <button type="button" class="btn sm" aria-label="Stage file" onClick={() => void gitActions.stage(changed)}>
          <Icon name="plus" />
          <span class="hide-m">Stage file</span>
        </button>
      )}
      <button type="button" class="ib" data-focus aria-label="Open file" title="Open file" onClick={() => workbench.openFile(path)}>
        <Icon name="edit" />
      </button>
    </>
  );
}

interface KeyedAction extends HunkAction {
  short: string;
  keys: readonly string[];
}

function hunkActions(
  shown: DiffTexts | undefined,
  readOnly: boolean,
  run: Record<'stage' | 'unstage' | 'discard', (hunk: string) => void>,
): KeyedAction[] {
  if (readOnly || shown === undefined || shown.hunks.length === 0) return [];
  if (shown.can === 'unstage')
    return [{ icon: 'minus', label: 'Unstage this change (−)', short: 'Unstage', keys: ['-'], run: run.unstage }];
  if (shown.can === 'nothing') return [];
  return [
    { icon: 'plus', label: 'Stage this change (+)', short: 'Stage', keys: ['+', '='], run: run.stage },
    { icon: 'undo', label: 'Discard this change (Del)', short: 'Discard', keys: ['Delete'], run: run.discard },
  ];
}

function inComparison(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('.cm-content') !== null;
}

/** `2 of 3 changes viewed` */
function sayViewed(changes: number, viewed: number): string {
  return changes === 0 ? 'no changes' : `${Math.min(viewed, changes)} of ${count(changes, 'change')} viewed`;
}

function sameTexts(known: DiffTexts | undefined, found: DiffTexts): boolean {
  const said = ({ before, after, binary, names, hashes, hunks, can, there }: DiffTexts): string =>
    JSON.stringify([before, after, binary, names, hashes, hunks.map(({ id }) => id), can, there]);
  return known !== undefined && said(known) === said(found);
}
