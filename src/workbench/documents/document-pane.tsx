import { useEffect } from 'preact/hooks';
import { lazyView } from '../lazy-view.tsx';
import { useWorkbench } from '../use-workbench.ts';
import { DeletedCard, RefusedCard } from './document-cards.tsx';
import { isPicture } from './file-kinds.ts';
import { PicturePane } from './picture-pane.tsx';

/** Loaded beside the first connection, so that it is there before the first document is. */
export const editorPane = lazyView(async () => (await import('../editor/editor-pane.tsx')).EditorPane);

/** A file, as what it can be shown as. */
export function DocumentPane({ path }: { path: string }) {
  const { drawn } = useWorkbench();
  return isPicture(path) || drawn.value.has(path) ? <PicturePane key={path} path={path} /> : <TextDocument path={path} />;
}

function TextDocument({ path }: { path: string }) {
  const workbench = useWorkbench();
  // Looked up each time: a file that is made anew under this name is another session.
  const session = workbench.documents.sessions.value.get(path);
  useEffect(() => {
    const opened = workbench.session(path);
    if (workbench.shownDocuments.value.includes(path)) opened.show(true);
  }, [path, session]);
  if (session === undefined) return null;
  const { value: state } = session.state;
  if (state.name === 'closed') return <RefusedCard key={path} path={path} session={session} error={state.error} />;
  if (state.name === 'deleted') return <DeletedCard key={path} path={path} session={session} />;
  // By the session, not the path: whoever types goes on while the file is renamed.
  return <editorPane.View key={session.doc.clientID} session={session} />;
}
