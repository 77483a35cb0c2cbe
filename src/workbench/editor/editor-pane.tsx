import { EditorView } from '@codemirror/view';
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks';
import { ClashBanner } from '../documents/clash-banner.tsx';
import type { DocumentSession } from '../documents/document-session.ts';
import { FailedBanner } from '../documents/failed-banner.tsx';
import { isDrawing } from '../documents/file-kinds.ts';
import { isStuck, saveWords } from '../documents/save-state.ts';
import { RunButton } from '../run/run-button.tsx';
import { Icon } from '../shell/icon.tsx';
import { Meanwhile } from '../shell/meanwhile.tsx';
import { toggleHistory } from '../shell/right-actions.ts';
import { Revision } from '../shell/revision.tsx';
import { documentTab } from '../shell/tabs.ts';
import { nameOf } from '../file-paths.ts';
import { shownName } from '../shown-name.ts';
import { useLoaded } from '../use-loaded.ts';
import { useWorkbench } from '../use-workbench.ts';
import { showChangesFrom } from './change-bars.ts';
import { createEditor, goToLine, openFind, setIndent, setWrap } from './editor-view.ts';
import { findBar } from './find-bar.tsx';
import { KeyRow } from './key-row.tsx';
import { showProblems } from './problem-marks.ts';
import type { RemoteCaret } from './remote-carets.ts';
import { showHits } from './search-marks.ts';

export function EditorPane({ session }: { session: DocumentSession }) {
  const workbench = useWorkbench();
  const host = useRef<HTMLDivElement>(null);
  const { value: path } = session.path;
  const open = session.state.value.name === 'open';
  const { preferences } = workbench.layout;
  const wrap = preferences.wrap.value ?? workbench.phone.value;
  const { value: indentWidth } = preferences.indentWidth;

  useEffect(() => {
    const { current } = host;
    if (!open || current === null) return;
    const view = viewOf(session, workbench);
    current.append(view.dom);
    view.requestMeasure();
    const { scrollSnapshot } = session;
    if (scrollSnapshot !== undefined) view.dispatch({ effects: scrollSnapshot });
    session.announce();
    const target = workbench.takeTarget(path);
    if (target !== undefined) {
      goToLine(view, target.line, target.column);
      workbench.arrived(path, target.line, view.state.doc.lines);
    }
    // What the bars around the editor say is this document's now.
    view.dispatch({ selection: view.state.selection });
    if (workbench.takesFocus(session)) view.focus();
    // The page may have it elsewhere by now: this comes after that is drawn.
    return () => {
      if (view.dom.parentElement === current) view.dom.remove();
    };
  }, [session, open]);

  // While it is in the page: what is taken out of it is scrolled nowhere.
  useLayoutEffect(() => () => session.keepScroll(), [session, open]);

  useEffect(() => {
    if (session.view !== undefined) setWrap(session.view, wrap);
  }, [wrap, open]);
  useEffect(() => {
    if (session.view !== undefined) setIndent(session.view, path, indentWidth);
  }, [indentWidth, open]);
  // After the page has taken it on, which it does once its views have heard.
  useEffect(() => {
    requestAnimationFrame(() => session.view?.requestMeasure());
  }, [preferences.codeSize.value]);

  useBase(session, open);
  useHits(session, open);
  useProblems(session, open);
  const followed = useFollow(session, open);

  return (
    <>
      <Crumbs session={session} />
      <ClashBanner session={session} />
      <FailedBanner session={session} />
      <div class={followed === undefined ? 'pane ed' : `pane ed following p${followed}`} data-testid="editor">
        <div class="ed-host" ref={host} />
        {!open && <Opening session={session} />}
        <Overview session={session} />
      </div>
      {!session.readOnly.value && <KeyRow session={session} />}
    </>
  );
}

/** Made when first shown, kept with the session. */
function viewOf(session: DocumentSession, workbench: ReturnType<typeof useWorkbench>): EditorView {
  if (session.view !== undefined) return session.view;
  const view = createEditor(session, {
    findBar: (view) => findBar(view, session.undo),
    colorOf: (actor) => workbench.presence.colorOf(actor) ?? 1,
    wrap: workbench.layout.preferences.wrap.value ?? workbench.phone.value,
    indentWidth: workbench.layout.preferences.indentWidth.value,
    onFacts: (facts) => (session.facts.value = facts),
    onCarets: (carets) => showCarets(session, carets),
    onTyped: () => {
      // Once the view is done with it: what follows from these speaks to the view, and would take back what was typed.
      queueMicrotask(() => {
        workbench.follow.stop();
        const { id, path } = documentTab(session.path.value);
        workbench.tabs.keep(id);
        if (workbench.shownDocuments.value.includes(path)) workbench.tabs.activate(id);
      });
    },
  });
  const { place } = session;
  if (place !== undefined) {
    const { length } = view.state.doc;
    view.dispatch({ selection: { anchor: Math.min(place.anchor, length), head: Math.min(place.head, length) } });
    session.scrollSnapshot = place.scroll;
  }
  session.view = view;
  session.openFind = () => openFind(view);
  session.goTo = (line, column) => {
    goToLine(view, line, column);
    view.focus();
    workbench.arrived(session.path.value, line, view.state.doc.lines);
  };
  return view;
}

const caretPauseMs = 250;
/** Kept in view above and below whom the page follows. */
const followedLines = 5;
const pending = new WeakMap<DocumentSession, { timer: ReturnType<typeof setTimeout>; carets: readonly RemoteCaret[] }>();

/** Outside the editor the others' places are shown four times a second at most. */
function showCarets(session: DocumentSession, carets: readonly RemoteCaret[]): void {
  const waiting = pending.get(session);
  if (waiting !== undefined) {
    waiting.carets = carets;
    return;
  }
  const timer = setTimeout(() => {
    const last = pending.get(session);
    pending.delete(session);
    session.carets.value = last?.carets ?? [];
  }, caretPauseMs);
  pending.set(session, { timer, carets });
}

/** The text at HEAD, for the bars that show what differs from it. */
function useBase(session: DocumentSession, open: boolean): void {
  const workbench = useWorkbench();
  const { value: path } = session.path;
  const head = workbench.git.status.value?.head;
  const letter = workbench.git.letters.value.get(path);
  // A file that git has never seen is new from end to end: bars would say nothing.
  const tracked = workbench.git.status.value?.repository === true && letter !== 'U' && letter !== 'A';
  const load = async (signal: AbortSignal): Promise<void> => {
    const { view } = session;
    if (!open || view === undefined) return;
    if (!tracked || head === null || head === undefined) return showChangesFrom(view, undefined);
    const [{ exists, binary, text }, { entry }] = await Promise.all([
      workbench.client.call('git.show', { path, revision: 'HEAD' }, { signal }),
      workbench.client.call('files.stat', { path }, { signal }),
    ]);
    // Of a link git has where it leads, and the editor what is there.
    const isKnown = exists && !binary && entry?.target === undefined;
    if (!signal.aborted) showChangesFrom(view, isKnown ? text.replace(/\r\n?/g, '\n') : undefined);
  };
  // Without an answer the bars stay as they are.
  useLoaded(load, {}, [session, open, path, head, tracked]);
}

/** What the search panel shows is marked here, for as long as it is shown. */
function useHits(session: DocumentSession, open: boolean): void {
  const { search, layout } = useWorkbench();
  const shown = layout.view.value === 'search' && layout.sideOpen.value;
  const { value: path } = session.path;
  const { value: files } = search.files;
  useEffect(() => {
    if (open && session.view !== undefined) showHits(session.view, (shown && files.find((file) => file.path === path)?.lines) || []);
  }, [session, open, shown, path, files]);
}

/** What is said to be wrong here is underlined. */
function useProblems(session: DocumentSession, open: boolean): void {
  const { problems } = useWorkbench();
  const { value: path } = session.path;
  const { value: all } = problems.all;
  useEffect(() => {
    if (!open || session.view === undefined) return;
    showProblems(
      session.view,
      all.filter((problem) => problem.path === path),
    );
  }, [session, open, path, all]);
}

/** Where whom the page follows is stays in view; answers their colour while they are in the document. */
function useFollow(session: DocumentSession, open: boolean): number | undefined {
  const { follow } = useWorkbench();
  const { carets } = session;
  const { value: who } = follow.who;
  const caret = who === undefined ? undefined : carets.value.find(({ actor }) => actor.key === who.key);
  const head = caret?.head;
  useEffect(() => {
    const { view } = session;
    if (!open || view === undefined || head === undefined) return;
    const at = Math.min(head, view.state.doc.length);
    view.dispatch({ effects: EditorView.scrollIntoView(at, { y: 'nearest', yMargin: view.defaultLineHeight * followedLines }) });
  }, [session, open, head, who]);
  return caret?.color;
}

const meanwhile = 'The file is written as always. What it does not hold yet would be lost if Outrigger was killed.';

function Crumbs({ session }: { session: DocumentSession }) {
  const workbench = useWorkbench();
  const { link, saved } = workbench;
  const { facts } = session;
  const { value: path } = session.path;
  const { count, words: said } = saved.value;
  const folders = path.split('/').slice(0, -1);
  const trail = session.state.value.name === 'open' ? (facts.value?.trail ?? []) : [];
  const { value: info } = session.info;
  const words = saveWords({
    online: session.online.value,
    edits: session.edits.value,
    info,
    offline: link.words.value.tone === 'offline',
    readOnly: session.readOnly.value,
  });
  const showPicture = (): void => {
    workbench.draw(path, true);
    // Not while the editor is still there.
    requestAnimationFrame(() => workbench.focusMain());
  };
  // Before it is here nobody knows.
  const [state, revision] = session.state.value.name === 'opening' && session.edits.value === 0 ? [] : words.split(' · ');
  const isBad = isStuck(info?.state) || (session.readOnly.value && !session.settled);
  // The file has it; what is typed next, nobody would find again after a crash.
  const isUnsafe = info?.problem !== undefined && !isStuck(info.state);
  return (
    <div class="crumb">
      <nav class="row grow" aria-label={`Where you are in ${nameOf(path)}`}>
        {folders.map((name, index) => (
          <span key={index} class="more row">
            <button
              type="button"
              class="ell"
              onClick={() => {
                workbench.layout.show('files');
                void workbench.tree.reveal(folders.slice(0, index + 1).join('/'));
              }}
            >
              {shownName(name)}
            </button>
            <Icon name="right" small />
          </span>
        ))}
        <span class={trail.length === 0 ? 'here ell' : 'ell'} dir="auto">
          {shownName(nameOf(path))}
        </span>
        {trail.map((name, index) => (
          <span key={index} class={index < trail.length - 1 ? 'row hide-m' : 'row last'}>
            <Icon name="right" small />
            <span class={index === trail.length - 1 ? 'here ell' : 'ell'}>{name}</span>
          </span>
        ))}
      </nav>
      {isDrawing(path) && (
        <button type="button" class="ib" aria-label="Show as a picture" title="Show as a picture" onClick={showPicture}>
          <Icon name="img" />
        </button>
      )}
      {workbench.phone.value && <RunButton path={path} />}
      {workbench.phone.value && (
        <button type="button" class="ib" aria-label="History" title="History" onClick={() => toggleHistory(workbench)}>
          <Icon name="clock" />
        </button>
      )}
      <span class="unseen" role="status">
        {said ?? (isUnsafe ? info.problem : undefined)}
      </span>
      {isUnsafe && (
        <span class="xs warn row" data-testid="unsafe" title={`${info.problem}\n${meanwhile}`}>
          <Icon name="warn" small />
          Edits not stored
        </span>
      )}
      <span
        key={count}
        class={`xs saved${said !== undefined ? ' pulse' : ''}${isBad ? ' bad' : ' faint'}`}
        data-testid="saved"
        title={info?.problem}
      >
        {said ?? state}
        {said === undefined && revision !== undefined && info !== undefined && (
          <>
            {' · '}
            <Revision number={info.revision} />
          </>
        )}
      </span>
    </div>
  );
}

/** Where the others are in the document, at its right edge. */
function Overview({ session }: { session: DocumentSession }) {
  const { carets, facts, view } = session;
  if (view === undefined || session.state.value.name !== 'open') return null;
  const lines = Math.max(facts.value?.lines ?? 1, 1);
  const { doc } = view.state;
  return (
    <div class="over" aria-hidden="true">
      {carets.value.map(({ client, color, head }) => (
        <i key={client} class={`p${color}`} style={{ top: `${(doc.lineAt(Math.min(head, doc.length)).number / lines) * 100}%` }} />
      ))}
    </div>
  );
}

/** Has the focus where it was asked for: while the sidecar is away this can take long. */
function Opening({ session }: { session: DocumentSession }) {
  const workbench = useWorkbench();
  const { link } = workbench;
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    if (workbench.awaitsFocus(session)) box.current?.focus();
  }, []);
  return (
    <div class="opening" role="region" aria-busy="true" aria-label="Opening" tabIndex={-1} data-focus ref={box}>
      {!link.live.value && <Meanwhile text="" />}
      {[210, 0, 340, 380, 0, 300, 268, 288].map((width, index) => (
        <div key={index} class="skr">
          {width > 0 && <div class="sk" style={{ width: `${width}px` }} />}
        </div>
      ))}
    </div>
  );
}
