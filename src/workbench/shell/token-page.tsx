import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { MIN_TOKEN_LENGTH } from '../../core/token-text.ts';
import { Icon } from './icon.tsx';
import { canBeToken, logIn, tokenIn } from './log-in.ts';

interface TokenFormProps {
  /** What was wrong with the last one. */
  problem: ComponentChildren | undefined;
  /** Said above the button: what is wrong besides. */
  children?: ComponentChildren;
  button: string;
  /** The reason for which a login was refused, of the error table. */
  onRefused: (reason: string) => void;
  /** After a login that holds; without it the page is loaded anew. */
  onTaken?: () => void;
}

interface TokenPageProps {
  title: string;
  hint: ComponentChildren;
  /** Left out where giving a token does not help. */
  form: TokenFormProps | undefined;
  /** What waits in this page for the link to be back, and a way to have it without. */
  kept?: { words: string; copy: () => void } | undefined;
  /** It takes the place of something that had the focus: what is typed next is not for it. */
  interrupts?: boolean;
}

/** Stands in place of everything while this browser has no token that holds. */
export function TokenPage({ title, hint, form, kept, interrupts = false }: TokenPageProps) {
  const card = useRef<HTMLFormElement>(null);
  const field = useRef<HTMLInputElement>(null);
  const isNone = useSignal(false);
  useLayoutEffect(() => (interrupts ? card : field).current?.focus(), []);
  const problem = isNone.value
    ? `That is not a token: one is ${MIN_TOKEN_LENGTH} characters or longer, and has no spaces. It was not sent.`
    : form?.problem;
  return (
    <main class="scrim c token" data-testid="token">
      <form
        class="dlg"
        aria-labelledby="token-title"
        ref={card}
        tabIndex={-1}
        onKeyDown={(event) => {
          // The rest of a word begins no command.
          if (event.target === event.currentTarget && event.key.length === 1) event.stopPropagation();
        }}
        onSubmit={(event) => {
          event.preventDefault();
          const token = tokenIn(field.current?.value ?? '');
          if (token === '') return;
          isNone.value = !canBeToken(token);
          if (isNone.value) return;
          void logIn(token).then((refusal) => {
            if (refusal !== undefined) form?.onRefused(refusal);
            else if (form?.onTaken === undefined) location.assign('./');
            else form.onTaken();
          });
        }}
      >
        <span class="brand">
          <Icon name="logo" />
        </span>
        <h1 id="token-title">{title}</h1>
        <p class="dim">{hint}</p>
        {kept !== undefined && <p role="status">{kept.words}</p>}
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
                aria-invalid={problem !== undefined}
                aria-describedby={problem === undefined ? undefined : 'token-problem'}
              />
              {problem !== undefined && (
                <p class="sm bad row" role="alert" id="token-problem">
                  <Icon name="err" />
                  <span>{problem}</span>
                </p>
              )}
            </div>
            {form.children}
          </>
        )}
        <div class="row">
          {form !== undefined && (
            <button type="submit" class="btn pri">
              {form.button}
            </button>
          )}
          {kept !== undefined && (
            <button type="button" class="btn" onClick={kept.copy}>
              <Icon name="copy" />
              Copy my edits
            </button>
          )}
        </div>
      </form>
    </main>
  );
}
