import { useSignal } from '@preact/signals';
import { TokenPage } from '../shell/token-page.tsx';

const problems: Record<string, string> = {
  BAD_TOKEN: 'That is not the token of this hub.',
  CONNECTION_LOST: 'The hub does not answer. Is it running?',
};

/** Shown instead of the fleet while this browser has no token that holds. */
export function HubTokenView() {
  const said = useSignal(new URLSearchParams(location.search).get('login') ?? '');
  return (
    <TokenPage
      title="This hub needs a token"
      hint={
        <>
          Open the link that <code>outrigger hub</code> printed, or paste the token from it. It stays in this browser.
        </>
      }
      form={{ problem: problems[said.value], button: 'Open hub', onRefused: (reason) => (said.value = reason) }}
    />
  );
}
