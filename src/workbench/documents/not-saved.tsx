import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { copyText } from '../shell/copy-text.ts';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import type { DocumentSession } from './document-session.ts';

interface NotSavedProps {
  session: DocumentSession;
  testId: string;
  /** Why its file does not take the text, as a sentence. */
  what: string;
  /** What becomes of the text. */
  then: string;
  /** What can be done beside copying the text. */
  children: ComponentChildren;
}

/** Over an open document that is not saved: why, what is safe, and what can be done. */
export function NotSaved({ session, testId, what, then, children }: NotSavedProps) {
  const workbench = useWorkbench();
  const { toasts } = workbench;
  const box = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const { current } = box;
    return () => {
      // The button that was pressed goes with what it was about.
      if (current?.contains(document.activeElement) === true) workbench.focusMain();
    };
  }, []);
  return (
    <div class="clash" data-testid={testId} role="region" aria-label="Not saved" ref={box}>
      <Icon name="warn" />
      <p role="status">
        <b>{what}</b> {then}
      </p>
      <span class="btns">
        {children}
        <button type="button" class="btn sm quiet" onClick={() => void copyText(toasts, session.text.toString(), 'Copied your text')}>
          <Icon name="copy" />
          Copy this text
        </button>
      </span>
    </div>
  );
}
