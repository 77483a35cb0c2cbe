import { useSignal } from '@preact/signals';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Icon } from './icon.tsx';
import { logIn, tokenIn } from './log-in.ts';

const problems: Record<string, string> = {
  TOKEN_EXPIRED: 'That token has run out. A new one is printed by ',
  TOKEN_REVOKED: 'That token was revoked. A new one is printed by ',
  BAD_TOKEN: 'That is not a token of this workspace. The one that holds is printed by ',
};

/** Shown instead of the workspace while this browser has no token that holds. `reason` is of the error table. */
export function TokenView({ reason }: { reason: string }) {
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => field.current?.focus(), []);
  // What a login said counts more than that the page has no cookie yet.
  const login = useSignal(new URLSearchParams(location.search).get('login'));
  const said = login.value ?? reason;
  const problem = said === 'CONNECTION_LOST' ? undefined : problems[said];
  const away = said === 'CONNECTION_LOST';
  const forbidden = said === 'BAD_ORIGIN' || said === 'BAD_HOST';
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
            else login.value = refusal;
          });
        }}
      >
        <span class="brand">
          <Icon name="logo" />
        </span>
        <h1 id="token-title">{forbidden ? 'This address is not allowed' : 'This workspace needs a token'}</h1>
        <p class="dim">
          {forbidden ? (
            <>
              The sidecar answers other names only. Add this one to the option <code>allowedHosts</code> or <code>allowedOrigins</code>, or
              open the link that it printed.
            </>
          ) : (
            <>
              Open the link that <code>npm start</code> printed, or paste the token from it. It stays in this browser.
            </>
          )}
        </p>
        {!forbidden && (
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
                  <span>
                    {problem}
                    <code>outrigger token</code>.
                  </span>
                </p>
              )}
            </div>
            {away && (
              <p class="sm bad" role="alert">
                The sidecar does not answer. Is <code>npm start</code> running?
              </p>
            )}
            <button type="submit" class="btn pri">
              Open workspace
            </button>
          </>
        )}
      </form>
    </main>
  );
}
