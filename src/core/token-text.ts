/** Characters. */
export const MIN_TOKEN_LENGTH = 16;

/** Why nobody could come in with it, for who chooses it: headers hold ASCII alone, and it ends there at a space or a comma. */
export function tokenProblem(token: string): string | undefined {
  if (token.length < MIN_TOKEN_LENGTH) return `must be at least ${MIN_TOKEN_LENGTH} characters long.`;
  return /^[!-+\--~]+$/.test(token)
    ? undefined
    : 'may hold letters, digits and signs of ASCII, no space and no comma: a header takes no others.';
}
