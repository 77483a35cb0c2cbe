import {
  closeSearchPanel,
  findNext,
  findPrevious,
  getSearchQuery,
  replaceAll,
  replaceNext,
  SearchQuery,
  setSearchQuery,
} from '@codemirror/search';
import { type EditorView, type Panel, runScopeHandlers, type ViewUpdate } from '@codemirror/view';
import { type Signal, signal } from '@preact/signals';
import { render } from 'preact';
import { Icon } from '../shell/icon.tsx';
import { Toggle } from '../shell/toggle.tsx';
import { expressionProblem, type Matches, matchesOf, sayMatches } from './find-matches.ts';
import { isForInputMethod } from '../shell/keys.ts';

/** After the last key. */
const pauseMs = 80;
/** Of counting at a time: less than a frame. */
const sliceMs = 6;
/** Whether what is found is replaced too, in each editor of the page. */
const replacing = signal(false);

/** What the bar needs of the undo of its document. */
interface UndoSteps {
  /** What follows is a step of its own. */
  stopCapturing(): void;
}

/** The bar over an editor that finds and replaces in its text. */
export function findBar(view: EditorView, undo: UndoSteps): Panel {
  const dom = document.createElement('div');
  dom.className = 'find-bar';
  const find = new Find(view, undo);
  render(<FindBar find={find} />, dom);
  return {
    dom,
    top: true,
    mount: () => {
      const field = dom.querySelector('input');
      field?.focus();
      field?.select();
    },
    update: (update) => find.update(update),
    destroy: () => {
      find.stop();
      render(null, dom);
    },
  };
}

class Find {
  readonly query: Signal<SearchQuery>;
  readonly readOnly: Signal<boolean>;
  /** How many there are; '' until they are counted. */
  readonly said = signal('');
  readonly view: EditorView;
  readonly #undo: UndoSteps;
  #matches: Matches | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(view: EditorView, undo: UndoSteps) {
    this.view = view;
    this.#undo = undo;
    this.query = signal(getSearchQuery(view.state));
    this.readOnly = signal(view.state.readOnly);
    this.#countSoon();
  }

  ask(change: Partial<Pick<SearchQuery, 'search' | 'replace' | 'caseSensitive' | 'wholeWord' | 'regexp'>>): void {
    const { search, replace, caseSensitive, wholeWord, regexp } = this.query.value;
    const query = new SearchQuery({ search, replace, caseSensitive, wholeWord, regexp, ...change });
    this.view.dispatch({ effects: setSearchQuery.of(query) });
  }

  /** Each replacement is taken back by itself. */
  replace(command: typeof replaceAll): void {
    this.#undo.stopCapturing();
    command(this.view);
    this.#undo.stopCapturing();
  }

  update({ state, transactions, docChanged, selectionSet }: ViewUpdate): void {
    this.readOnly.value = state.readOnly;
    const { value: before } = this.query;
    for (const { effects } of transactions) for (const effect of effects) if (effect.is(setSearchQuery)) this.query.value = effect.value;
    if (docChanged || this.query.value !== before) this.#countSoon();
    else if (selectionSet) this.#say();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** What was said stays until it is known anew. */
  #countSoon(): void {
    this.stop();
    this.#matches = undefined;
    if (!this.query.value.valid) this.said.value = '';
    else this.#timer = setTimeout(() => this.#count(matchesOf(this.query.value, this.view.state)), pauseMs);
  }

  #count(run: ReturnType<typeof matchesOf>): void {
    const until = performance.now() + sliceMs;
    let step = run.next();
    while (step.done !== true && performance.now() < until) step = run.next();
    if (step.done !== true) {
      this.#timer = setTimeout(() => this.#count(run));
      return;
    }
    this.#matches = step.value;
    this.#say();
  }

  #say(): void {
    if (this.#matches !== undefined) this.said.value = sayMatches(this.#matches, this.view.state.selection.main);
  }
}

function FindBar({ find }: { find: Find }) {
  const { view } = find;
  const { value: query } = find.query;
  const { value: readOnly } = find.readOnly;
  const problem = expressionProblem(query);
  const onKeyDown = (event: KeyboardEvent): void => {
    if (isForInputMethod(event)) return;
    if (runScopeHandlers(view, event, 'search-panel')) event.preventDefault();
  };
  return (
    <div class="find-rows" role="search" aria-label="Find in this document" onKeyDown={onKeyDown}>
      <div class="field">
        {!readOnly && (
          <button
            type="button"
            class="tog turn"
            aria-expanded={replacing.value}
            aria-label="Replace"
            title="Replace"
            onClick={() => (replacing.value = !replacing.value)}
          >
            <Icon name={replacing.value ? 'down' : 'right'} small />
          </button>
        )}
        <input
          main-field="true"
          aria-label="Find"
          placeholder="Find"
          spellcheck={false}
          autocomplete="off"
          value={query.search}
          aria-invalid={problem !== undefined}
          aria-describedby={problem === undefined ? undefined : 'find-problem'}
          onInput={(event) => find.ask({ search: event.currentTarget.value })}
          onKeyDown={(event) => onEnter(event, () => (event.shiftKey ? findPrevious : findNext)(view))}
        />
        <Toggle on={query.caseSensitive} label="Aa" title="Match case" turn={(caseSensitive) => find.ask({ caseSensitive })} />
        <Toggle on={query.wholeWord} label="ab" title="Whole word" turn={(wholeWord) => find.ask({ wholeWord })} />
        <Toggle on={query.regexp} label=".*" title="Regular expression" turn={(regexp) => find.ask({ regexp })} />
      </div>
      <div class="row steps">
        <span class="sm dim num ell" role="status">
          {find.said}
        </span>
        <button type="button" class="ib turned" aria-label="Previous" title="Previous (Shift Enter)" onClick={() => findPrevious(view)}>
          <Icon name="down" />
        </button>
        <button type="button" class="ib" aria-label="Next" title="Next (Enter)" onClick={() => findNext(view)}>
          <Icon name="down" />
        </button>
      </div>
      <button type="button" class="ib close" aria-label="Close" title="Close (Esc)" onClick={() => closeSearchPanel(view)}>
        <Icon name="x" small />
      </button>
      {problem !== undefined && (
        <p class="sr-bad xs" id="find-problem" role="alert">
          {problem}
        </p>
      )}
      {replacing.value && !readOnly && <Replacement find={find} />}
    </div>
  );
}

function Replacement({ find }: { find: Find }) {
  const { replace, regexp, valid } = find.query.value;
  return (
    <>
      <div class="field with">
        <input
          aria-label="Replace with"
          placeholder={regexp ? 'Replace with; $1 is the first group' : 'Replace with'}
          spellcheck={false}
          autocomplete="off"
          value={replace}
          onInput={(event) => find.ask({ replace: event.currentTarget.value })}
          onKeyDown={(event) => onEnter(event, () => valid && find.replace(replaceNext))}
        />
      </div>
      <div class="row by">
        <button type="button" class="btn sm" disabled={!valid} onClick={() => find.replace(replaceNext)}>
          Replace this
        </button>
        <button type="button" class="btn sm" disabled={!valid} onClick={() => find.replace(replaceAll)}>
          Replace all
        </button>
      </div>
    </>
  );
}

function onEnter(event: KeyboardEvent, act: () => unknown): void {
  if (event.key !== 'Enter' || isForInputMethod(event)) return;
  event.preventDefault();
  act();
}
