import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from '../shell/icon.tsx';
import { logIn, tokenIn } from '../shell/log-in.ts';

const problems: Record<string, string> = {
  BAD_TOKEN: 'That is not the token of this hub.',
  CONNECTION_LOST: 'The hub does not answer. Is it running?',
};

/** Shown instead of the fleet while this browser has no token that holds. */
export function HubTokenView() {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  const said = useSignal(new URLSearchParams(location.search).get('login') ?? '');
  const problem = problems[said.value];
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
            else said.value = refusal;
          });
        }}
      >
        <span class="brand">
          <Icon name="logo" />
        </span>
        <h1 id="token-title">This hub needs a token</h1>
        <p class="dim">
          Open the link that <code>outrigger hub</code> printed, or paste the token from it. It stays in this browser.
        </p>
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
        <button type="submit" class="btn pri">
          Open hub
        </button>
      </form>
    </main>
  );
}
