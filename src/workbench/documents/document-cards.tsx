import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import type { Entry } from '../../contract/files.ts';
import { actorsOf, sayActor } from '../actor.ts';
import type { ErrorFacts } from '../client-port.ts';
import { failureText } from '../failure-text.ts';
import { nameOf } from '../file-paths.ts';
import { NamedPath } from '../named-path.tsx';
import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { Revision } from '../shell/revision.tsx';
import { shownName } from '../shown-name.ts';
import { useWorkbench } from '../use-workbench.ts';
import { byteSize, longTime } from '../words.ts';
import type { DocumentSession } from './document-session.ts';
import { inForm } from './file-form.ts';

const headBytes = 1024 * 1024;

/** Why a file is not an editor here, the facts of it, and what can still be done. */
export function RefusedCard({ path, session, error }: { path: string; session: DocumentSession; error: ErrorFacts }) {
  const workbench = useWorkbench();
  const entry = useSignal<{ entry: Entry; etag: string | undefined } | undefined>(undefined);
  const head = useSignal<string | undefined>(undefined);
  const { reason } = error;
  const large = reason === 'DOCUMENT_TOO_LARGE';
  useEffect(() => {
    workbench.client
      .call('files.stat', { path, hash: !large })
      .then((found) => {
        if (found.entry !== undefined) entry.value = { entry: found.entry, etag: found.etag };
      })
      .catch(() => undefined);
  }, [path, error]);
  const text = useRef<HTMLPreElement>(null);
  // The button that asked for it is gone.
  useEffect(() => text.current?.focus(), [head.value !== undefined]);
  const size = entry.value?.entry.size;
  const limit = workbench.info.value?.limits['documents.maxBytes'];

  const viewHead = async (): Promise<void> => {
    try {
      const response = await fetch(workbench.fileUrl(path), { headers: { range: `bytes=0-${headBytes - 1}` } });
      // Else what is wrong would be shown as the file.
      if (!response.ok) throw await response.json();
      const text = new TextDecoder().decode(await response.arrayBuffer());
      // The last line is most likely cut.
      head.value = text.slice(0, text.lastIndexOf('\n') + 1) || text;
    } catch (failure) {
      workbench.toasts.fail(`Not read: ${nameOf(path)}`, failure);
    }
  };
  if (head.value !== undefined) {
    return (
      <div class="pane">
        <div class="dfh">
          <h2 class="ell">
            <NamedPath
              path={path}
              beside={<bdi class="faint sm">the first {byteSize(Math.min(headBytes, size ?? headBytes))}, read only</bdi>}
            />
          </h2>
          <span class="grow" />
          <Download path={path} small />
        </div>
        <pre class="scroll head" tabIndex={0} data-focus ref={text}>
          {head.value}
        </pre>
      </div>
    );
  }

  const kept = session.edits.value > 0 && <CopyText session={session} label="Copy my edits" said="Copied your edits" />;
  const facts = (
    <dl class="kv">
      <dt>Path</dt>
      <dd class="path">{shownName(path)}</dd>
      {size !== undefined && (
        <>
          <dt>Size</dt>
          <dd>{byteSize(size)}</dd>
        </>
      )}
      <Changed path={path} entry={entry.value?.entry} />
      {entry.value?.etag !== undefined && (
        <>
          <dt>Hash</dt>
          <dd class="path">sha256 {shortHash(entry.value.etag)}</dd>
        </>
      )}
    </dl>
  );
  if (reason === 'DOCUMENT_BINARY' || reason === 'NOT_TEXT') {
    return (
      <Card
        session={session}
        icon="file"
        title="This file is binary"
        test="binary"
        facts={facts}
        buttons={
          <>
            <Download path={path} />
            {kept}
          </>
        }
      >
        It holds NUL bytes or is not UTF-8, so it can be read and downloaded here but not edited as text.
      </Card>
    );
  }
  if (large) {
    return (
      <Card
        session={session}
        icon="doc"
        title="Too large to edit together"
        test="too-large"
        facts={
          <>
            {facts}
            {limit !== undefined && (
              <dl class="kv">
                <dt>Limit</dt>
                <dd>
                  <code>documents.maxBytes</code> = {byteSize(limit)}
                </dd>
              </dl>
            )}
          </>
        }
        buttons={
          <>
            <button type="button" class="btn pri" data-focus onClick={() => void viewHead()}>
              View first 1 MiB
            </button>
            <Download path={path} />
            {kept}
          </>
        }
      >
        {shownName(nameOf(path))} is {size === undefined ? 'a large file' : byteSize(size)}. Shared editing stops at{' '}
        {limit === undefined ? 'a limit' : byteSize(limit)}, so this is a read-only view of the file on disk.
      </Card>
    );
  }
  if (reason === 'FILE_NOT_FOUND') {
    return (
      <Card
        session={session}
        icon="file"
        title="This file is not here"
        test="missing"
        facts={
          <dl class="kv">
            <dt>Path</dt>
            <dd class="path">{shownName(path)}</dd>
          </dl>
        }
        buttons={
          <>
            {!workbench.readOnly.value && (
              <button type="button" class="btn pri" data-focus onClick={() => void remake(workbench, path, '')}>
                <Icon name="plus" />
                Make it
              </button>
            )}
            {kept}
            <CloseTab path={path} />
          </>
        }
      >
        It was deleted or renamed, or was never there. It opens by itself when it appears.
      </Card>
    );
  }
  return (
    <Card
      session={session}
      icon="err"
      title={`${nameOf(path)} could not be opened`}
      test="refused"
      facts={facts}
      buttons={
        <>
          <button type="button" class="btn pri" data-focus onClick={() => void session.open()}>
            Try again
          </button>
          {kept}
          <CloseTab path={path} />
        </>
      }
    >
      {failureText(error)}
    </Card>
  );
}

/** Someone deleted the file while it was open: what was typed is still here. */
export function DeletedCard({ path, session }: { path: string; session: DocumentSession }) {
  const workbench = useWorkbench();
  const last = workbench.feed.changesOf(path).findLast(({ what }) => what === 'removed');
  const [actor] = last === undefined ? [] : actorsOf(last.cause);
  const text = session.text.toString();
  return (
    <Card
      session={session}
      icon="bin"
      title={`${nameOf(path)} was deleted`}
      test="deleted"
      facts={
        <dl class="kv">
          <dt>Path</dt>
          <dd class="path">{shownName(path)}</dd>
          {last !== undefined && actor !== undefined && (
            <>
              <dt>Deleted</dt>
              <dd>
                <Revision number={last.revision} /> by {workbench.isMe(actor) ? 'you' : sayActor(actor)},{' '}
                {longTime(last.at, workbench.now())}
              </dd>
            </>
          )}
          <dt>Text kept</dt>
          <dd>{text.length.toLocaleString('en')} characters, in this page</dd>
        </dl>
      }
      buttons={
        <>
          {!workbench.readOnly.value && (
            <button type="button" class="btn pri" data-focus onClick={() => void remake(workbench, path, inForm(text, session.info.value))}>
              <Icon name="undo" />
              Bring it back
            </button>
          )}
          <CopyText session={session} label="Copy its text" said="Copied its text" />
          <CloseTab path={path} />
        </>
      }
    >
      The text as you last saw it is kept in this page until you close the tab.
    </Card>
  );
}

async function remake(workbench: ReturnType<typeof useWorkbench>, path: string, text: string): Promise<void> {
  try {
    await workbench.client.call('files.create', { path, text });
  } catch (error) {
    workbench.toasts.fail(`Not made: ${nameOf(path)}`, error);
  }
}

function Changed({ path, entry }: { path: string; entry: Entry | undefined }) {
  const workbench = useWorkbench();
  const last = workbench.feed.changesOf(path).at(-1);
  const [actor] = last === undefined ? [] : actorsOf(last.cause);
  if (last === undefined && entry === undefined) return null;
  return (
    <>
      <dt>Changed</dt>
      <dd>
        {last !== undefined && actor !== undefined ? (
          <>
            <Revision number={last.revision} /> by {workbench.isMe(actor) ? 'you' : actor.kind === 'outside' ? 'outside' : sayActor(actor)},{' '}
            {longTime(last.at, workbench.now())}
          </>
        ) : (
          longTime(entry?.modified ?? 0, workbench.now())
        )}
      </dd>
    </>
  );
}

function Card({
  session,
  icon,
  title,
  test,
  children,
  facts,
  buttons,
}: {
  session: DocumentSession;
  icon: string;
  title: string;
  test: string;
  children: ComponentChildren;
  facts: ComponentChildren;
  buttons: ComponentChildren;
}) {
  const workbench = useWorkbench();
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // Not a button of it: whoever was typing here meets none.
    if (workbench.takesFocus(session)) box.current?.focus();
  }, []);
  return (
    <div class="mid">
      <div class="card" data-testid={test} tabIndex={-1} role="region" aria-label={title} ref={box}>
        <div class="ico">
          <Icon name={icon} />
        </div>
        <h2>{title}</h2>
        <p>{children}</p>
        {facts}
        <div class="btns">{buttons}</div>
      </div>
    </div>
  );
}

function Download({ path, small = false }: { path: string; small?: boolean }) {
  const workbench = useWorkbench();
  return (
    <a class={small ? 'btn sm' : 'btn'} href={workbench.fileUrl(path)} download={nameOf(path)}>
      <Icon name="dl" />
      Download
    </a>
  );
}

function CopyText({ session, label, said }: { session: DocumentSession; label: string; said: string }) {
  const { toasts } = useWorkbench();
  return (
    <button type="button" class="btn" onClick={() => void copyText(toasts, session.text.toString(), said)}>
      <Icon name="copy" />
      {label}
    </button>
  );
}

function CloseTab({ path }: { path: string }) {
  const workbench = useWorkbench();
  return (
    <button type="button" class="btn quiet" onClick={() => workbench.tabs.close(`document:${path}`)}>
      Close tab
    </button>
  );
}

function shortHash(etag: string): string {
  const hash = etag.replaceAll('"', '').replace(/^sha256-?/, '');
  return `${hash.slice(0, 4)}…${hash.slice(-4)}`;
}
