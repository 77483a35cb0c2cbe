import { useSignal } from '@preact/signals';
import { copyText } from './copy-text.ts';
import { Icon } from './icon.tsx';
import type { Toast, Toasts } from './toasts.ts';

export function ToastStack({ toasts }: { toasts: Toasts }) {
  return (
    <div
      class="toasts"
      role="region"
      aria-label="Messages"
      onMouseEnter={() => toasts.hold()}
      onMouseLeave={() => toasts.release()}
      onFocusIn={() => toasts.hold()}
      onFocusOut={() => toasts.release()}
    >
      {toasts.shown.value.map((toast) => (
        <ToastCard key={toast.id} toast={toast} toasts={toasts} />
      ))}
    </div>
  );
}

function ToastCard({ toast, toasts }: { toast: Toast; toasts: Toasts }) {
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
        <b>{toast.title}</b>
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
      <button type="button" class="ib" aria-label="Dismiss" onClick={() => toasts.dismiss(toast.id)}>
        <Icon name="x" />
      </button>
    </div>
  );
}
