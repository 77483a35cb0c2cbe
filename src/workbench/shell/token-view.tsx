import { useSignal } from '@preact/signals';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import { TokenPage } from './token-page.tsx';

const problems: Record<string, string> = {
  TOKEN_EXPIRED: 'That token has run out. A new one is printed by ',
  TOKEN_REVOKED: 'That token was revoked. A new one is printed by ',
  BAD_TOKEN: 'That is not a token of this workspace. The one that holds is printed by ',
};

/** Shown instead of the workspace while this browser has no token that holds. `reason` is of the error table; `interrupts` is that of the page. */
export function TokenView({ reason, interrupts }: { reason: string; interrupts: boolean }) {
  const workbench = useWorkbench();
  const { edits, documents } = workbench.documents.waiting.value;
  const kept =
    edits > 0
      ? {
          words: `${count(edits, 'edit')} in ${count(documents, 'document')} ${edits === 1 ? 'is' : 'are'} kept in this page, and sent once it has a token that may write.`,
          copy: () => void workbench.copyUnsent(),
        }
      : undefined;
  // What a login said counts more than that the page has no cookie yet.
  const login = useSignal(new URLSearchParams(location.search).get('login'));
  const said = login.value ?? reason;
  if (said === 'BAD_ORIGIN' || said === 'BAD_HOST')
    return (
      <TokenPage
        title="This address is not allowed"
        hint={
          <>
            The sidecar answers other names only. Add this one to the option <code>allowedHosts</code> or <code>allowedOrigins</code>, or
            open the link that it printed.
          </>
        }
        form={undefined}
        kept={kept}
        interrupts={interrupts}
      />
    );
  const problem = problems[said];
  return (
    <TokenPage
      title="This workspace needs a token"
      hint={
        <>
          Open the link that <code>npm start</code> printed, or paste the token from it. It stays in this browser.
        </>
      }
      form={{
        problem: problem && (
          <>
            {problem}
            <code>outrigger token</code>.
          </>
        ),
        button: 'Open workspace',
        onRefused: (refusal) => (login.value = refusal),
        // A page that is loaded anew has no edits left to send.
        onTaken: () => (edits > 0 ? workbench.tryNow() : location.assign('./')),
        children: said === 'CONNECTION_LOST' && (
          <p class="sm bad" role="alert">
            The sidecar does not answer. Is <code>npm start</code> running?
          </p>
        ),
      }}
      kept={kept}
      interrupts={interrupts}
    />
  );
}
