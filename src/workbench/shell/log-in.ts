import { MIN_TOKEN_LENGTH } from '../../core/token-text.ts';

/** Swaps the token for the page's cookie; answers the reason when it is not taken. */
export async function logIn(token: string): Promise<string | undefined> {
  try {
    const response = await fetch(`./?token=${encodeURIComponent(token)}`, { headers: { accept: 'text/html' } });
    if (response.ok) return new URL(response.url).searchParams.get('login') ?? undefined;
    const { reason } = (await response.json()) as { reason?: unknown };
    return typeof reason === 'string' ? reason : 'BAD_TOKEN';
  } catch {
    // Not an answer of the sidecar's: it is away.
    return 'CONNECTION_LOST';
  }
}

/** People paste the whole link as often as the token. */
export function tokenIn(text: string): string {
  const trimmed = text.trim();
  return /[?&]token=([^&\s]+)/.exec(trimmed)?.[1] ?? trimmed;
}

/** Whether it may be one: what was typed for something else is shown to nobody. */
export function canBeToken(text: string): boolean {
  return text.length >= MIN_TOKEN_LENGTH && !/\s/.test(text);
}
