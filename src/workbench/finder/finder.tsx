import { useSignal } from '@preact/signals';
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { letterNames } from '../changes/letters.ts';
import { canDo, commands, searchText, stopCommands, taskCommands } from '../commands.ts';
import { fileKind } from '../documents/file-kinds.ts';
import { nameOf, parentOf } from '../file-paths.ts';
import { CutPath } from '../named-path.tsx';
import { shownName } from '../shown-name.ts';
import { Dots } from '../shell/avatar.tsx';
import { Dialog } from '../shell/dialog.tsx';
import { Icon } from '../shell/icon.tsx';
import { isForInputMethod, sayKey } from '../shell/keys.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { candidate, type Found, rank } from './fuzzy.ts';
import { parseQuery } from './query.ts';
import { type FoundSymbol, SymbolChoices } from './symbol-choices.ts';

const most = 50;
const recentBonus = 6;

interface Choice {
  key: string;
  /** `beside`: at the side, where it is a document. */
  run: (beside: boolean) => void;
  view: preact.ComponentChildren;
}

/** One field for files, lines and commands; what is typed first says which. */
export function Finder({ initial }: { initial: string }) {
  const workbench = useWorkbench();
  const { paths, feed } = workbench;
  const text = useSignal(initial);
  const at = useSignal(0);
  const list = useRef<HTMLDivElement>(null);
  /** Enter was pressed before there was anything to choose; with Ctrl, for the side. */
  const awaited = useRef<'here' | 'beside' | undefined>(undefined);
  // Before the first key.
  useLayoutEffect(() => void paths.load(), [paths]);
  const query = parseQuery(text.value);
  const symbols = useMemo(() => new SymbolChoices(workbench.client), [workbench]);
  useEffect(() => () => symbols.stop(), [symbols]);
  const { value: tab } = workbench.tabs.active;
  const document = tab?.kind === 'document' ? tab.path : undefined;
  useEffect(() => {
    if (query.kind !== 'symbol') return;
    if (query.scope === 'workspace') symbols.ofWorkspace(query.text);
    else if (document !== undefined) symbols.ofDocument(document);
  }, [text.value, document]);
  const started = performance.now();
  // Listed anew while the paths are coming in.
  const loading = paths.loading.value;
  const { value: found } = symbols.found;
  const choices = useMemo(
    () => (query.kind === 'symbol' ? symbolChoices(workbench, query, found) : choicesFor(workbench, text.value)),
    [text.value, loading, feed.revision.value, found],
  );
  const tookMs = performance.now() - started;
  const chosen = Math.min(at.value, Math.max(choices.length - 1, 0));
  useEffect(() => {
    list.current?.children[chosen]?.scrollIntoView({ block: 'nearest' });
  }, [chosen]);

  const pick = (choice: Choice | undefined, beside = false): void => {
    if (choice === undefined) return;
    workbench.overlay.value = undefined;
    choice.run(beside);
  };
  const isComing = query.kind === 'file' ? loading && choices.length === 0 : query.kind === 'symbol' && symbols.loading.value;
  useEffect(() => {
    const { current: how } = awaited;
    if (how === undefined || isComing) return;
    awaited.current = undefined;
    pick(choices[0], how === 'beside');
  }, [isComing, choices]);
  const onKeyDown = (event: KeyboardEvent): void => {
    // Of an input method's own list, and the end of its word.
    if (isForInputMethod(event)) return;
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0 && choices.length > 0) at.value = (chosen + step + choices.length) % choices.length;
    else if (event.key === 'Home' && event.ctrlKey) at.value = 0;
    else if (event.key === 'End' && event.ctrlKey) at.value = choices.length - 1;
    else if (event.key === 'Enter') {
      const beside = event.ctrlKey || event.metaKey;
      if (isComing && at.value === 0) awaited.current = beside ? 'beside' : 'here';
      else pick(choices[chosen], beside);
    } else return;
    if (step !== 0) awaited.current = undefined;
    event.preventDefault();
  };
  const commanding = query.kind === 'command';
  const label = commanding ? 'Commands' : query.kind === 'line' ? 'Go to line' : query.kind === 'symbol' ? 'Go to symbol' : 'Go to file';
  return (
    <Dialog label={label} class="pop">
      <div class="q">
        <Icon name={commanding ? 'cmd' : 'search'} />
        <input
          data-first
          role="combobox"
          aria-label={label}
          aria-expanded="true"
          aria-controls="found"
          aria-autocomplete="list"
          aria-activedescendant={choices.length === 0 ? undefined : `found-${chosen}`}
          autocomplete="off"
          spellcheck={false}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            at.value = 0;
            awaited.current = undefined;
          }}
          onKeyDown={onKeyDown}
        />
        {query.kind === 'file' && (
          <span class="xs faint num">
            {loading ? `${paths.files.size.toLocaleString('en')} files…` : `${tookMs.toFixed(1)} ms · r${feed.revision.value}`}
          </span>
        )}
      </div>
      <div class="lst" role="listbox" aria-label={label} id="found" ref={list} hidden={choices.length === 0}>
        {choices.map((choice, index) => (
          <div
            key={choice.key}
            id={`found-${index}`}
            class={`opt${index === chosen ? ' on' : ''}`}
            role="option"
            aria-selected={index === chosen}
            onMouseMove={() => (at.value = index)}
            onClick={() => pick(choice)}
          >
            {choice.view}
          </div>
        ))}
      </div>
      {choices.length === 0 && (
        <p class="hint" role="status">
          {query.kind === 'symbol'
            ? noSymbols(query.scope, document, symbols)
            : loading
              ? 'Listing the workspace…'
              : query.kind === 'line'
                ? 'Type the number of a line, in an open document.'
                : `Nothing is called “${query.text}”.`}
        </p>
      )}
      <div class={commanding ? 'ft hide-m for-keys' : 'ft hide-m'} aria-hidden="true">
        {commanding && (
          <span class="for-keys">
            <span class="kbd">↑</span> <span class="kbd">↓</span> choose
          </span>
        )}
        <span class="for-keys">
          <span class="kbd">Enter</span> {commanding ? 'do it' : 'open'}
        </span>
        {(query.kind === 'file' || query.kind === 'symbol') && (
          <span class="for-keys">
            <span class="kbd">{sayKey('Ctrl Enter', apple)}</span> beside
          </span>
        )}
        {!commanding && (
          <>
            <span>
              <span class="kbd">:</span> line
            </span>
            {workbench.has('search') && (
              <>
                <span>
                  <span class="kbd">@</span> symbol here
                </span>
                <span>
                  <span class="kbd">@@</span> anywhere
                </span>
                <span>
                  <span class="kbd">#</span> text
                </span>
              </>
            )}
            <span>
              <span class="kbd">&gt;</span> command
            </span>
          </>
        )}
      </div>
    </Dialog>
  );
}

function noSymbols(scope: 'document' | 'workspace', document: string | undefined, symbols: SymbolChoices): string {
  if (scope === 'document' && document === undefined) return 'No document is open.';
  return symbols.problem.value ?? (symbols.loading.value ? 'Reading symbols…' : 'No symbol of that name.');
}

/** In order of the document, or as they were found; what was typed narrows the document's. */
function symbolChoices(
  workbench: ReturnType<typeof useWorkbench>,
  query: { scope: 'document' | 'workspace'; text: string },
  found: readonly FoundSymbol[],
): Choice[] {
  const shown =
    query.scope === 'workspace' || query.text === ''
      ? found.map((symbol) => ({ symbol, at: [] as readonly number[] }))
      : rank(
          query.text,
          found.map((symbol) => ({ ...candidate(symbol.name), nameStart: 0, symbol })),
          most,
        ).map(({ candidate: { symbol }, match }) => ({ symbol, at: match.at }));
  return shown.slice(0, 200).map(({ symbol, at }, index) => ({
    key: `${index} ${symbol.path}:${symbol.line}:${symbol.name}`,
    run: (beside) => workbench.openFile(symbol.path, { beside, target: { line: symbol.line, column: symbol.column } }),
    view: (
      <>
        <span class="sym" style={{ '--d': query.text === '' ? symbol.depth : 0 }}>
          <span class="faint xs kind">{symbol.kind}</span>
          <span class="ell">
            <Marked text={symbol.name} at={at} />
          </span>
        </span>
        <span class="faint sm grow named">
          {query.scope === 'workspace' && (
            <>
              {symbol.container && <bdi>{shownName(symbol.container)} · </bdi>}
              <CutPath path={symbol.path} />
            </>
          )}
        </span>
        <span class="faint sm num">{symbol.line}</span>
      </>
    ),
  }));
}

function choicesFor(workbench: ReturnType<typeof useWorkbench>, text: string): Choice[] {
  const query = parseQuery(text);
  if (query.kind === 'command') return commandChoices(workbench, query.text);
  if (query.kind === 'line') return lineChoices(workbench, query.line, query.column);
  if (query.kind === 'text') return workbench.has('search') ? textChoices(workbench, query.text) : [];
  return query.kind === 'file' ? fileChoices(workbench, query.text, query.line, query.column) : [];
}

function textChoices(workbench: ReturnType<typeof useWorkbench>, text: string): Choice[] {
  return [
    {
      key: 'text',
      run: () => searchText(workbench, text),
      view: (
        <>
          <Icon name="search" />
          <span class="grow ell">{text === '' ? 'Search all text' : `Search all text for “${text}”`}</span>
        </>
      ),
    },
  ];
}

function commandChoices(workbench: ReturnType<typeof useWorkbench>, text: string): Choice[] {
  const possible = [...commands, ...stopCommands(workbench), ...taskCommands(workbench)]
    .filter((command) => canDo(command, workbench))
    .map((command) => ({ ...candidate(command.title), nameStart: 0, command }));
  return rank(text, possible, most).map(({ candidate: { command }, match }) => ({
    key: command.id,
    run: () => command.run(workbench),
    view: (
      <>
        <Icon name={command.icon} />
        <span class="grow ell">
          <Marked text={command.title} at={match.at} />
        </span>
        {command.keys[0] !== undefined && <span class="kbd">{sayKey(command.keys[0], apple)}</span>}
      </>
    ),
  }));
}

function lineChoices(workbench: ReturnType<typeof useWorkbench>, line: number | undefined, column: number | undefined): Choice[] {
  const { value: tab } = workbench.tabs.active;
  const { view } = workbench.activeSession() ?? {};
  if (tab?.kind !== 'document' || view === undefined || line === undefined) return [];
  return [
    {
      key: 'line',
      run: () => {
        workbench.activeSession()?.goTo?.(line, column);
      },
      view: (
        <>
          <Icon name="jump" />
          <span class="grow">
            Line {line} of {shownName(nameOf(tab.path))}
          </span>
          <span class="faint sm">1 to {view.state.doc.lines.toLocaleString('en')}</span>
        </>
      ),
    },
  ];
}

function fileChoices(
  workbench: ReturnType<typeof useWorkbench>,
  text: string,
  line: number | undefined,
  column: number | undefined,
): Choice[] {
  const { paths, tabs } = workbench;
  const recent = new Map(
    tabs.recent.value
      .filter((id) => id.startsWith('document:'))
      .map((id, index) => [id.slice('document:'.length), index] as const)
      .filter(([path]) => paths.files.has(path)),
  );
  const files: Found<ReturnType<typeof candidate>>[] =
    text === ''
      ? [...recent.keys(), ...[...paths.files.keys()].filter((path) => !recent.has(path)).slice(0, most)]
          .slice(0, most)
          .map((path) => ({ candidate: candidate(path), match: { score: 0, at: [] } }))
      : rank(text, paths.files.values(), most, ({ text: path }) => {
          const index = recent.get(path);
          return index === undefined ? 0 : recentBonus / (index + 1);
        });
  return files.map(({ candidate: { text: path, nameStart }, match }) => ({
    key: path,
    run: (beside) =>
      workbench.openFile(path, line === undefined ? { beside } : { beside, target: column === undefined ? { line } : { line, column } }),
    view: <FileOption path={path} at={match.at} nameStart={nameStart} />,
  }));
}

function FileOption({ path, at, nameStart }: { path: string; at: readonly number[]; nameStart: number }) {
  const { git, presence } = useWorkbench();
  const letter = git.letters.value.get(path);
  const people = presence.byPath.value.get(path);
  return (
    <>
      <Icon name={fileKind(path).icon} />
      <span class="ell" dir="auto" title={path}>
        <Marked text={nameOf(path)} at={at.filter((place) => place >= nameStart).map((place) => place - nameStart)} />
      </span>
      <span class="grow ell">
        <CutPath path={parentOf(path)} />
      </span>
      {people !== undefined && <Dots actors={people} />}
      {letter !== undefined && (
        <span class={`st ${letter}`} role="img" aria-label={letterNames[letter]}>
          {letter}
        </span>
      )}
    </>
  );
}

/** The letters that were found stand out. */
function Marked({ text, at }: { text: string; at: readonly number[] }) {
  const parts: preact.ComponentChildren[] = [];
  let from = 0;
  for (let index = 0; index < at.length; ) {
    const start = at[index] as number;
    let end = start + 1;
    while (at[++index] === end) end += 1;
    parts.push(shownName(text.slice(from, start)), <b key={start}>{shownName(text.slice(start, end))}</b>);
    from = end;
  }
  return (
    <>
      {parts}
      {shownName(text.slice(from))}
    </>
  );
}
