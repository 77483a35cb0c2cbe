import type { Signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { fileKind } from '../documents/file-kinds.ts';
import { nameOf } from '../file-paths.ts';
import { NamedPath } from '../named-path.tsx';
import { Icon } from '../shell/icon.tsx';
import { Revision } from '../shell/revision.tsx';
import { Toggle } from '../shell/toggle.tsx';
import { rowHeightPx, useScroll } from '../use-scroll.ts';
import { useGivenFocus } from '../use-given-focus.ts';
import { useKeptFocus } from '../use-kept-focus.ts';
import { shownText } from '../shown-name.ts';
import { useWorkbench } from '../use-workbench.ts';
import { scrollToShow, virtualWindow } from '../virtual-window.ts';
import { count } from '../words.ts';
import type { SearchRow } from './search-rows.ts';
import { cutWords, replaceProblem } from './search-store.ts';
import { isForInputMethod } from '../shell/keys.ts';

const switchNames = {
  word: 'Turn off whole word',
  caseSensitive: 'Turn off match case',
  regex: 'Turn off regular expression',
  include: 'Look in all files',
  exclude: 'Leave nothing out',
} as const;

export function SearchPanel() {
  const { search } = useWorkbench();
  const kept = useKeptFocus(search.atWork.value, [search.replaced.value]);
  return (
    <div class="pane" role="tabpanel" aria-labelledby="rail-search" {...kept}>
      <div class="sp-h">
        <h2>Search</h2>
        <button type="button" class="ib" aria-label="Search again" title="Search again" onClick={() => void search.search()}>
          <Icon name="refresh" />
        </button>
        <button type="button" class="ib" aria-label="Collapse all" title="Collapse all" onClick={() => search.collapseAll()}>
          <Icon name="collapse" />
        </button>
      </div>
      <Question />
      <Summary />
      <ReplacedNote />
      <Results />
    </div>
  );
}

function Question() {
  const { search, readOnly } = useWorkbench();
  const { value: problem } = search.problem;
  const turn = (name: 'caseSensitive' | 'word' | 'regex') => (on: boolean) => {
    search[name].value = on;
    search.asked();
  };
  return (
    <form
      class="sr-form"
      onSubmit={(event) => {
        event.preventDefault();
        void search.search();
      }}
    >
      <div class="field">
        {!readOnly.value && (
          <button
            type="button"
            class="tog turn"
            aria-expanded={search.replacing.value}
            aria-label="Replace"
            title="Replace"
            onClick={() => search.setReplacing(!search.replacing.value)}
          >
            <Icon name={search.replacing.value ? 'down' : 'right'} small />
          </button>
        )}
        <input
          aria-label="Search text"
          placeholder="Search all text"
          data-focus
          spellcheck={false}
          autocomplete="off"
          value={search.pattern.value}
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? undefined : 'search-problem'}
          onInput={(event) => {
            search.pattern.value = event.currentTarget.value;
            search.asked();
          }}
          onKeyDown={(event) => {
            if (isForInputMethod(event) || event.key !== 'ArrowDown') return;
            event.preventDefault();
            document.querySelector<HTMLElement>('.results')?.focus();
          }}
        />
        <Toggle on={search.caseSensitive.value} label="Aa" title="Match case" turn={turn('caseSensitive')} />
        <Toggle on={search.word.value} label="ab" title="Whole word" turn={turn('word')} />
        <Toggle on={search.regex.value} label=".*" title="Regular expression" turn={turn('regex')} />
      </div>
      {search.replacing.value && <Replacement />}
      {problem !== undefined && (
        <p class="sr-bad xs" id="search-problem" role="alert">
          {problem}
        </p>
      )}
      <div class="row globs">
        <Globs text={search.include} label="Files to include" placeholder="Include: src/" />
        <Globs text={search.exclude} label="Files to exclude" placeholder="Exclude: *.js" />
      </div>
      {search.replacing.value && <ReplaceAction />}
    </form>
  );
}

function Replacement() {
  const { search } = useWorkbench();
  return (
    <div class="field">
      <input
        aria-label="Replace with"
        placeholder={search.regex.value ? 'Replace with; $1 is the first group' : 'Replace with'}
        data-testid="replacement"
        spellcheck={false}
        autocomplete="off"
        value={search.replacement.value}
        onInput={(event) => {
          search.replacement.value = event.currentTarget.value;
          search.replaced.value = undefined;
          search.asked();
        }}
      />
    </div>
  );
}

function ReplaceAction() {
  const { search } = useWorkbench();
  const { matches, files } = search.toReplace;
  const { value: summary } = search.summary;
  const problem = summary && replaceProblem(summary);
  const ready = summary !== undefined && problem === undefined && matches > 0 && !search.running.value && !search.atWork.value;
  return (
    <>
      <div class="row">
        <button type="button" class="btn sm pri" disabled={!ready} onClick={() => void search.replace()}>
          {matches === 0 ? 'Replace all' : `Replace ${count(matches, 'place')} in ${count(files, 'file')}`}
        </button>
        {search.leftOut.value.size > 0 && (
          <button type="button" class="btn sm quiet" onClick={() => search.putBack()}>
            Put back {count(search.leftOut.value.size, 'place')}
          </button>
        )}
        {search.atWork.value && <i class="spin" />}
      </div>
      {problem !== undefined && <p class="sr-note xs">{problem}</p>}
    </>
  );
}

/** What a replacement did, and the way back. */
function ReplacedNote() {
  const { search } = useWorkbench();
  const { value: replaced } = search.replaced;
  if (replaced === undefined) return null;
  const { matches, files, revision, skipped, undo, undone, others } = replaced;
  const places = matches === undefined ? '' : `${count(matches, 'place')} in `;
  return (
    <p class="sr-note xs row" role="status" data-testid="replaced">
      <Icon name={undone ? 'undo' : 'check'} small />
      <span class="grow">
        {undone ? 'Taken back' : 'Replaced'} {places + count(files, 'file')} · <Revision number={revision} />
        {skipped.length > 0 && (
          <span title={skipped.map(({ path, why }) => `${path}: ${why}`).join('\n')}>
            {`. ${count(skipped.length, 'file')} left alone: ${[...new Set(skipped.map(({ why }) => why))].join(' ')}`}
          </span>
        )}
      </span>
      {undo !== undefined && (
        <button type="button" class="btn sm quiet" disabled={search.atWork.value} onClick={() => void undo()}>
          {others === undefined ? 'Undo' : `Undo in the other ${count(others, 'file')}`}
        </button>
      )}
    </p>
  );
}

function Globs({ text, label, placeholder }: { text: Signal<string>; label: string; placeholder: string }) {
  const { search } = useWorkbench();
  return (
    <input
      class="inp"
      aria-label={label}
      placeholder={placeholder}
      spellcheck={false}
      value={text.value}
      onInput={(event) => {
        text.value = event.currentTarget.value;
        search.asked();
      }}
    />
  );
}

function Summary() {
  const { search, link } = useWorkbench();
  const { value: summary } = search.summary;
  const { size: changed } = search.changedSince.value;
  const { value: mayBeOld } = search.mayBeOld;
  if (summary === undefined)
    return search.running.value ? <div class="sr-sum">{link.live.value ? 'Searching…' : 'Waits for the sidecar.'}</div> : null;
  const { matches, files, elapsedMs, revision, engine } = summary;
  const cut = cutWords(summary);
  return (
    <>
      <div class="sr-sum" role="status">
        <span class="grow ell">
          {matches === 0 ? (
            'No results'
          ) : (
            <>
              <b class="num">{matches.toLocaleString('en')}</b> {matches === 1 ? 'result' : 'results'} in {count(files, 'file')}
            </>
          )}
        </span>
        {search.running.value ? <i class="spin" /> : <span class="num faint">{Math.max(1, Math.round(elapsedMs))} ms</span>}
        <Revision number={revision} />
      </div>
      {cut !== undefined && <p class="sr-note xs">{cut}</p>}
      {engine === 'plain' && <p class="sr-note xs">ripgrep is not on this machine: slower, and ignore files were not read.</p>}
      {(changed > 0 || mayBeOld) && (
        <p class="sr-note xs row">
          <span class="grow">{mayBeOld ? 'Files may have changed since.' : `${count(changed, 'file')} changed since.`}</span>
          <button type="button" class="btn sm quiet" onClick={() => void search.search()}>
            Search again
          </button>
        </p>
      )}
    </>
  );
}

function Results() {
  const workbench = useWorkbench();
  const { search } = workbench;
  const scroll = useScroll();
  const rowHeight = rowHeightPx();
  const { value: rows } = search.rows;
  const focused = Math.min(search.focused.value, Math.max(rows.length - 1, 0));
  const { start, end } = virtualWindow(scroll.top, scroll.height, rowHeight, rows.length);
  // Who is in results that go away goes on where they were asked for.
  const given = useGivenFocus(rows.length > 0, () => document.querySelector<HTMLElement>('[aria-label="Search text"]')?.focus());
  useEffect(() => {
    const { current: box } = scroll.box;
    if (box !== null && rows.length > 0) box.scrollTop = scrollToShow(box.scrollTop, box.clientHeight, focused * rowHeight, rowHeight);
  }, [focused]);

  const open = (row: SearchRow | undefined, keep: boolean, beside = false): void => {
    if (row === undefined) return;
    if (row.kind === 'file') search.toggle(row.path);
    else workbench.openFile(row.path, { preview: !keep, focus: keep, beside, target: { line: row.line, column: row.column } });
  };
  const leaveOut = (row: SearchRow): void => search.leaveOut(row.path, row.kind === 'hit' ? row.line : undefined);
  const onKeyDown = (event: KeyboardEvent): void => {
    const row = rows[focused];
    const page = Math.max(1, Math.floor(scroll.height / rowHeight) - 1);
    const steps: Record<string, number> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -rows.length,
      End: rows.length,
    };
    const step = steps[event.key];
    if (step !== undefined) search.focused.value = Math.min(Math.max(focused + step, 0), rows.length - 1);
    else if (event.key === 'Enter') open(row, true, event.ctrlKey || event.metaKey);
    else if (event.key === ' ') open(row, false);
    else if (event.key === 'Delete' && search.replacing.value && row !== undefined) leaveOut(row);
    else if ((event.key === 'ArrowLeft' || event.key === 'ArrowRight') && row !== undefined) {
      const isOpen = row.kind === 'hit' || row.open;
      if (isOpen === (event.key === 'ArrowLeft')) search.toggle(row.path);
      const file = rows.findIndex((other) => other.kind === 'file' && other.path === row.path);
      if (event.key === 'ArrowLeft') search.focused.value = file;
    } else return;
    event.preventDefault();
  };

  if (search.summary.value === undefined && rows.length === 0) {
    return (
      <div class="scroll">
        {search.problem.value === undefined && !search.running.value && (
          <p class="hint">What is typed is searched at once, in all files that are not ignored. The arrow keys go through the results.</p>
        )}
      </div>
    );
  }
  if (rows.length === 0) return <Nothing />;
  return (
    <div
      class={`scroll results${search.dimmed.value ? ' dimmed' : ''}`}
      role="tree"
      aria-label="Results"
      aria-activedescendant={focused >= start && focused < end ? `hit-${focused}` : undefined}
      tabIndex={0}
      ref={scroll.box}
      onKeyDown={onKeyDown}
      {...given}
    >
      <div class="rows" role="none" style={{ height: `${rows.length * rowHeight}px` }}>
        {rows.slice(start, end).map((row, index) => (
          <ResultRow
            key={start + index}
            row={row}
            at={start + index}
            top={(start + index) * rowHeight}
            focused={start + index === focused}
            onOpen={(keep) => {
              search.focused.value = start + index;
              open(row, keep);
            }}
            onLeaveOut={search.replacing.value ? () => leaveOut(row) : undefined}
          />
        ))}
      </div>
    </div>
  );
}

function ResultRow({
  row,
  at,
  top,
  focused,
  onOpen,
  onLeaveOut,
}: {
  row: SearchRow;
  at: number;
  top: number;
  focused: boolean;
  onOpen: (keep: boolean) => void;
  /** Absent where nothing is to be replaced. */
  onLeaveOut: (() => void) | undefined;
}) {
  const cross = onLeaveOut !== undefined && (
    <button
      type="button"
      class="ib"
      tabIndex={-1}
      aria-label={row.kind === 'file' ? `Leave out ${nameOf(row.path)}` : `Leave out line ${row.line}`}
      title="Leave out (Delete)"
      onClick={(event) => {
        event.stopPropagation();
        onLeaveOut();
      }}
    >
      <Icon name="x" small />
    </button>
  );
  const common = {
    id: `hit-${at}`,
    role: 'treeitem' as const,
    'aria-selected': focused,
    style: { transform: `translateY(${top}px)` },
    onClick: () => onOpen(false),
    onDblClick: () => {
      if (row.kind === 'hit') onOpen(true);
    },
  };
  if (row.kind === 'file') {
    return (
      <div class={`tr sr-file${focused ? ' cur' : ''}`} aria-expanded={row.open} aria-level={1} title={row.path} {...common}>
        <Icon name={row.open ? 'down' : 'right'} small />
        <Icon name={fileKind(row.path).icon} />
        <span class="grow ell">
          <NamedPath path={row.path} />
        </span>
        {cross}
        <span class="count num">{row.hits.toLocaleString('en')}</span>
      </div>
    );
  }
  return (
    <div class={`tr hit${focused ? ' cur' : ''}`} aria-level={2} data-testid="hit" {...common}>
      <span class="faint num">{row.line}</span>
      <code class="ell">
        {row.parts.map(({ text, hit, becomes }, index) => {
          if (!hit) return shownText(text);
          if (becomes === undefined) return <mark key={index}>{shownText(text)}</mark>;
          return (
            <span key={index}>
              {text !== '' && <del>{shownText(text)}</del>}
              {becomes !== '' && <ins>{shownText(becomes)}</ins>}
            </span>
          );
        })}
      </code>
      {cross}
    </div>
  );
}

function Nothing() {
  const { search } = useWorkbench();
  if (search.running.value) return <div class="scroll" />;
  return (
    <div class="scroll">
      <p class="hint">
        Nothing in {search.include.value === '' ? 'the workspace' : <code>{search.include.value}</code>} has{' '}
        {search.word.value ? 'the whole word' : search.regex.value ? 'a match of' : 'the text'} “{search.pattern.value}”.
      </p>
      {search.narrowing.map((name) => (
        <p key={name} class="hint">
          <button
            type="button"
            class="btn sm quiet"
            onClick={() => {
              const { [name]: narrowing } = search;
              narrowing.value = typeof narrowing.value === 'string' ? '' : false;
              void search.search();
            }}
          >
            {switchNames[name]}
          </button>
        </p>
      ))}
      <p class="hint">Ignored and binary files were not searched.</p>
    </div>
  );
}
