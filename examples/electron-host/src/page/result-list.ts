/** One line of a list, or a heading over the ones after it. */
export type Row<T> = { heading: string } | { value: T; content: (Node | string)[]; level?: number };

/** Pixels a level of depth moves a row to the right. */
const indent = 14;

/**
 * A list to choose from, by mouse or by keys: up, down, Home, End and Enter, typed in `keys`, the field that it belongs to or the list
 * itself. Screen readers hear the marked row by aria-activedescendant, and the focus stays where it is.
 */
export class ResultList<T> {
  readonly #list: HTMLElement;
  readonly #keys: HTMLElement;
  readonly #onChosen: (value: T) => void;
  readonly #keyOf: (value: T) => string;
  #options: { element: HTMLElement; value: T }[] = [];
  #at = -1;

  constructor(list: HTMLElement, keys: HTMLElement, { onChosen, keyOf }: { onChosen: (value: T) => void; keyOf: (value: T) => string }) {
    this.#keyOf = keyOf;
    this.#list = list;
    this.#keys = keys;
    this.#onChosen = onChosen;
    list.role = 'listbox';
    if (keys !== list) {
      keys.role = 'combobox';
      keys.setAttribute('aria-controls', list.id);
      keys.setAttribute('aria-expanded', 'true');
      keys.setAttribute('aria-autocomplete', 'list');
    }
    keys.addEventListener('keydown', (event) => {
      const to = { ArrowDown: this.#at + 1, ArrowUp: this.#at - 1 }[event.key] ?? (keys === list ? this.#edge(event.key) : undefined);
      if (to !== undefined) this.#mark(to);
      else if (event.key !== 'Enter') return;
      else this.#choose(this.#at);
      event.preventDefault();
    });
    list.addEventListener('click', ({ target }) => {
      const index = this.#options.findIndex(({ element }) => element.contains(target as Node));
      this.#mark(index);
      this.#choose(index);
    });
  }

  /**
   * Marks the first row of a list that belongs to a field: Enter chooses it. With `again`, the same question asked once more, what was
   * marked stays marked and in sight.
   */
  show(rows: readonly Row<T>[], again = false): void {
    const before = this.#options[this.#at];
    const wanted = again && before !== undefined ? this.#keyOf(before.value) : undefined;
    const top = again ? this.#list.scrollTop : 0;
    this.#options = [];
    const elements = rows.map((row, index) => {
      const element = document.createElement('div');
      if ('heading' in row) {
        element.className = 'group';
        element.role = 'presentation';
        element.textContent = row.heading;
        return element;
      }
      element.role = 'option';
      element.id = `${this.#list.id}-${index}`;
      element.append(...row.content);
      if (row.level !== undefined) element.style.paddingLeft = `${12 + row.level * indent}px`;
      this.#options.push({ element, value: row.value });
      return element;
    });
    this.#list.replaceChildren(...elements);
    this.#list.scrollTop = top;
    this.#at = -1;
    this.#keys.removeAttribute('aria-activedescendant');
    const same = this.#options.findIndex(({ value }) => this.#keyOf(value) === wanted);
    this.#mark(same < 0 && this.#keys !== this.#list ? 0 : same, false);
  }

  #edge(key: string): number | undefined {
    return { Home: 0, End: this.#options.length - 1 }[key];
  }

  #mark(index: number, scroll = true): void {
    const option = this.#options[index];
    if (option === undefined) return;
    this.#options[this.#at]?.element.setAttribute('aria-selected', 'false');
    this.#at = index;
    option.element.setAttribute('aria-selected', 'true');
    if (scroll) option.element.scrollIntoView({ block: 'nearest' });
    this.#keys.setAttribute('aria-activedescendant', option.element.id);
  }

  #choose(index: number): void {
    const option = this.#options[index];
    if (option !== undefined) this.#onChosen(option.value);
  }
}

/** Text with the parts between the ranges marked. */
export function marked(text: string, ranges: readonly (readonly [number, number])[] = []): (Node | string)[] {
  const parts: (Node | string)[] = [];
  let from = 0;
  for (const [start, end] of ranges) {
    const mark = document.createElement('mark');
    mark.textContent = text.slice(start, end);
    parts.push(text.slice(from, start), mark);
    from = end;
  }
  return [...parts, text.slice(from)];
}

/** A span with a class. */
export function span(className: string, ...content: (Node | string)[]): HTMLElement {
  const element = document.createElement('span');
  element.className = className;
  element.append(...content);
  return element;
}
