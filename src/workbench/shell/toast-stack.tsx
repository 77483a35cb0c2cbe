import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { copyText } from './copy-text.ts';
import { shownName } from '../shown-name.ts';
import { Icon } from './icon.tsx';
import type { Toast, Toasts } from './toasts.ts';

export function ToastStack({ toasts }: { toasts: Toasts }) {
  const stack = useRef<HTMLDivElement>(null);
  const cameFrom = useRef<HTMLElement | undefined>(undefined);
  /** Of one that goes, the focus is given back. */
  const leave = (): void => {
    if (stack.current?.contains(document.activeElement) === true) cameFrom.current?.focus();
  };
  return (
    <div
      ref={stack}
      class="toasts"
      role="region"
      aria-label="Messages"
      onMouseEnter={() => toasts.hold()}
      onMouseLeave={() => toasts.release()}
      onFocusIn={({ relatedTarget: from, currentTarget }) => {
        toasts.hold();
        if (!(from instanceof Node && currentTarget.contains(from))) cameFrom.current = from instanceof HTMLElement ? from : undefined;
      }}
      onFocusOut={() => toasts.release()}
    >
      {toasts.shown.value.map((toast) => (
        <ToastCard key={toast.id} toast={toast} toasts={toasts} leave={leave} />
      ))}
    </div>
  );
}

function ToastCard({ toast, toasts, leave }: { toast: Toast; toasts: Toasts; leave: () => void }) {
  const open = useSignal(false);
  const { error } = toast;
  const details =
    error === undefined
      ? ''
      : [`${error.code} · ${error.reason}`, error.message, ...(error.details === undefined ? [] : [JSON.stringify(error.details)])].join(
          '\n',
        );
  return (
    <div class={`toast ${toast.tone}`} role={toast.tone === 'bad' ? 'alert' : 'status'} data-testid="toast">
      <Icon name={toast.tone === 'bad' ? 'err' : 'info'} />
      <div class="grow">
        <b>{shownName(toast.title)}</b>
        {toast.text !== undefined && <p class="sub">{toast.text}</p>}
        {open.value && <pre class="out">{details}</pre>}
        {(toast.actions.length > 0 || error !== undefined) && (
          <div class="row acts">
            {toast.actions.map(({ label, run }) => (
              <button
                key={label}
                type="button"
                class="btn sm"
                onClick={() => {
                  leave();
                  toasts.dismiss(toast.id);
                  run();
                }}
              >
                {label}
              </button>
            ))}
            {error !== undefined && (
              <>
                <button type="button" class="btn sm quiet" aria-expanded={open.value} onClick={() => (open.value = !open.value)}>
                  Details
                </button>
                <button type="button" class="btn sm quiet" onClick={() => void copyText(toasts, `${toast.title}\n${details}`)}>
                  Copy
                </button>
              </>
            )}
          </div>
        )}
      </div>
      <button
        type="button"
        class="ib"
        aria-label="Dismiss"
        onClick={() => {
          leave();
          toasts.dismiss(toast.id);
        }}
      >
        <Icon name="x" />
      </button>
    </div>
  );
}
