import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from './icon.tsx';
import { logIn, tokenIn } from './log-in.ts';

interface TokenFormProps {
  /** What was wrong with the last one. */
  problem: ComponentChildren | undefined;
  /** Said above the button: what is wrong besides. */
  children?: ComponentChildren;
  button: string;
  /** The reason for which a login was refused, of the error table. After one that holds the page is loaded anew. */
  onRefused: (reason: string) => void;
}

/** Stands in place of everything while this browser has no token that holds. `form` is left out where giving one does not help. */
export function TokenPage({ title, hint, form }: { title: string; hint: ComponentChildren; form: TokenFormProps | undefined }) {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  return (
    <main class="scrim c token" data-testid="token">
      <form
        class="dlg"
        aria-labelledby="token-title"
        onSubmit={(event) => {
          event.preventDefault();
          const token = tokenIn(field.current?.value ?? '');
          if (token === '') return;
          void logIn(token).then((refusal) => {
            if (refusal === undefined) location.assign('/');
            else form?.onRefused(refusal);
          });
        }}
      >
        <span class="brand">
          <Icon name="logo" />
        </span>
        <h1 id="token-title">{title}</h1>
        <p class="dim">{hint}</p>
        {form !== undefined && (
          <>
            <div class="token-field">
              <label class="lab" for="token">
                Token
              </label>
              <input
                id="token"
                ref={field}
                class="inp mono"
                autocomplete="off"
                spellcheck={false}
                placeholder="Token or the whole link"
                aria-invalid={form.problem !== undefined}
                aria-describedby={form.problem === undefined ? undefined : 'token-problem'}
              />
              {form.problem !== undefined && (
                <p class="sm bad row" role="alert" id="token-problem">
                  <Icon name="err" />
                  <span>{form.problem}</span>
                </p>
              )}
            </div>
            {form.children}
            <button type="submit" class="btn pri">
              {form.button}
            </button>
          </>
        )}
      </form>
    </main>
  );
}
