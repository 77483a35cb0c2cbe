import { type Extension, StateEffect } from '@codemirror/state';
import { EditorSelection } from '@codemirror/state';
import { type EditorView, layer, type LayerMarker, RectangleMarker, ViewPlugin, type ViewUpdate } from '@codemirror/view';
import type { Awareness } from 'y-protocols/awareness';
import * as Y from 'yjs';
import { namedPerson } from '../../core/named-person.ts';
import { type Actor, actorNamed, sayActor } from '../actor.ts';

export interface RemoteCaret {
  client: number;
  actor: Actor;
  /** 1 to 12. */
  color: number;
  anchor: number;
  head: number;
  /** Its name is folded to a nub: it has not moved for a while. */
  quiet: boolean;
}

const awarenessChanged = StateEffect.define<null>();
const quietAfterMs = 2_000;
/** Under a flag's own height there is no room for it above the line. */
const flagHeight = 16;

/** The carets of everyone else in the document; `moved` is called at most once a frame. */
class CaretTracker {
  carets: RemoteCaret[] = [];
  readonly #view: EditorView;
  readonly #options: RemoteCaretOptions;
  readonly #moves = new Map<number, { where: string; at: number }>();
  #frame = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #published = '';

  constructor(view: EditorView, options: RemoteCaretOptions) {
    this.#view = view;
    this.#options = options;
    options.awareness.on('change', this.#changed);
    this.#read();
  }

  update(update: ViewUpdate): void {
    const told = update.transactions.some((transaction) => transaction.effects.some((effect) => effect.is(awarenessChanged)));
    if (update.docChanged || told) this.#read();
    this.#publish(update.view);
  }

  destroy(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#options.awareness.off('change', this.#changed);
  }

  readonly #changed = ({ added, updated, removed }: { added: number[]; updated: number[]; removed: number[] }): void => {
    const own = this.#options.awareness.clientID;
    if ([...added, ...updated, ...removed].some((client) => client !== own)) this.#redraw();
  };

  #redraw(): void {
    if (this.#frame !== 0) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#view.dispatch({ effects: awarenessChanged.of(null) });
    });
  }

  #read(): void {
    const { awareness, text, colorOf, onCarets } = this.#options;
    const { doc } = text;
    if (doc === null) return;
    const now = performance.now();
    const carets: RemoteCaret[] = [];
    let wakeIn = Number.POSITIVE_INFINITY;
    for (const [client, state] of awareness.getStates()) {
      // From anybody: of any shape.
      const { cursor } = state as { cursor?: { anchor?: unknown; head?: unknown } | null };
      if (client === awareness.clientID || cursor === undefined || cursor === null) continue;
      const anchor = place(cursor.anchor, text, doc);
      const head = place(cursor.head, text, doc);
      if (anchor === undefined || head === undefined) continue;
      const { name, kind } = namedPerson(state);
      const actor = actorNamed(name, kind);
      const where = JSON.stringify(cursor);
      let move = this.#moves.get(client);
      if (move?.where !== where) this.#moves.set(client, (move = { where, at: now }));
      const quietIn = move.at + quietAfterMs - now;
      if (quietIn > 0) wakeIn = Math.min(wakeIn, quietIn);
      carets.push({ client, actor, color: colorOf(actor), anchor, head, quiet: quietIn <= 0 });
    }
    clearTimeout(this.#timer);
    if (wakeIn < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#redraw(), wakeIn + 20);
    this.carets = carets;
    onCarets(carets);
  }

  /** Says where our own caret is, in the form that stock y-codemirror clients read. */
  #publish(view: EditorView): void {
    const { awareness, text } = this.#options;
    if (awareness.getLocalState() === null) {
      this.#published = '';
      return;
    }
    const { anchor, head } = view.state.selection.main;
    const { length } = text;
    const cursor = {
      anchor: Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, Math.min(anchor, length))) as unknown,
      head: Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(text, Math.min(head, length))) as unknown,
    };
    const published = JSON.stringify(cursor);
    if (published === this.#published) return;
    this.#published = published;
    awareness.setLocalStateField('cursor', cursor);
  }
}

/** Undefined also of what is no position, which Yjs throws at. */
function place(position: unknown, text: Y.Text, doc: Y.Doc): number | undefined {
  try {
    const found = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(position), doc);
    return found?.type === text ? found.index : undefined;
  } catch {
    return undefined;
  }
}

class Flag implements LayerMarker {
  readonly #caret: RemoteCaret;
  readonly #left: number;
  readonly #top: number;
  readonly #height: number;

  constructor(caret: RemoteCaret, at: RectangleMarker) {
    this.#caret = caret;
    this.#left = at.left;
    this.#top = at.top;
    this.#height = at.height;
  }

  eq(other: Flag): boolean {
    return (
      other.#left === this.#left &&
      other.#top === this.#top &&
      other.#height === this.#height &&
      other.#caret.client === this.#caret.client &&
      other.#caret.quiet === this.#caret.quiet &&
      other.#caret.color === this.#caret.color &&
      other.#caret.actor.name === this.#caret.actor.name
    );
  }

  draw(): HTMLElement {
    const caret = document.createElement('div');
    caret.append(document.createElement('b'));
    this.#place(caret);
    return caret;
  }

  update(caret: HTMLElement, previous: Flag): boolean {
    if (previous.#caret.client !== this.#caret.client) return false;
    this.#place(caret);
    return true;
  }

  #place(caret: HTMLElement): void {
    const { actor, color, quiet } = this.#caret;
    caret.className = `remote-caret p${color} ${actor.kind}${quiet ? ' quiet' : ''}${this.#top < flagHeight ? ' below' : ''}`;
    caret.style.left = `${this.#left}px`;
    caret.style.top = `${this.#top}px`;
    caret.style.height = `${this.#height}px`;
    (caret.firstChild as HTMLElement).textContent = sayActor(actor);
  }
}

export interface RemoteCaretOptions {
  awareness: Awareness;
  text: Y.Text;
  colorOf: (actor: Actor) => number;
  /** The carets as they are now, for what else shows them. */
  onCarets: (carets: readonly RemoteCaret[]) => void;
}

/** Carets, names and selections of the others, drawn in two layers; the document's own elements are not touched. */
export function remoteCarets(options: RemoteCaretOptions): Extension {
  const tracker = ViewPlugin.define((view) => new CaretTracker(view, options));
  const concerns = (update: ViewUpdate): boolean =>
    update.docChanged ||
    update.viewportChanged ||
    update.geometryChanged ||
    update.transactions.some((one) => one.effects.some((effect) => effect.is(awarenessChanged)));
  const carets = (view: EditorView): readonly RemoteCaret[] => view.plugin(tracker)?.carets ?? [];
  const within = (view: EditorView, at: number): number => Math.min(at, view.state.doc.length);
  return [
    tracker,
    layer({
      above: false,
      class: 'remote-selections',
      update: concerns,
      markers: (view) =>
        carets(view)
          .filter(({ anchor, head }) => anchor !== head)
          .flatMap(({ anchor, head, color }) => [
            ...RectangleMarker.forRange(
              view,
              `remote-selection p${color}`,
              EditorSelection.range(within(view, anchor), within(view, head)),
            ),
          ]),
    }),
    layer({
      above: true,
      class: 'remote-carets',
      update: concerns,
      markers: (view) =>
        carets(view).flatMap((caret) => {
          const [at] = RectangleMarker.forRange(view, '', EditorSelection.cursor(within(view, caret.head)));
          return at === undefined ? [] : [new Flag(caret, at)];
        }),
    }),
  ];
}
