import { cursorCharLeft, cursorCharRight, indentMore } from '@codemirror/commands';
import type { DocumentSession } from '../documents/document-session.ts';
import { Icon } from '../shell/icon.tsx';

const letters = ['(', ')', '"', ':', '_', '{', '}'];

/** What a phone's keyboard makes hard to reach. */
export function KeyRow({ session }: { session: DocumentSession }) {
  // The editor keeps the focus, and with it the keyboard stays up.
  const hold = (event: Event): void => event.preventDefault();
  const type = (text: string): void => {
    const { view } = session;
    if (view !== undefined) view.dispatch(view.state.replaceSelection(text));
  };
  return (
    <div class="mkeys" role="toolbar" aria-label="Editing keys" onPointerDown={hold} onMouseDown={hold}>
      <button type="button" onClick={() => session.view !== undefined && indentMore(session.view)}>
        Tab
      </button>
      <button type="button" onClick={() => session.view?.contentDOM.blur()}>
        Esc
      </button>
      <button type="button" aria-label="Undo" onClick={() => session.undo.undo()}>
        <Icon name="undo" />
      </button>
      {letters.map((letter) => (
        <button key={letter} type="button" onClick={() => type(letter)}>
          {letter}
        </button>
      ))}
      <button type="button" aria-label="Left" onClick={() => session.view !== undefined && cursorCharLeft(session.view)}>
        ←
      </button>
      <button type="button" aria-label="Right" onClick={() => session.view !== undefined && cursorCharRight(session.view)}>
        →
      </button>
    </div>
  );
}
