/**
 * Marks that turn what follows around, and characters that can't be seen; but not the joiners that emoji and some scripts are written
 * with, where they stand between two characters.
 */
const unseen =
  /(?<![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])[\u200C\u200D]|[\u200C\u200D](?![\p{L}\p{Extended_Pictographic}])|(?![\u200C\u200D])[\p{Cc}\p{Cf}\u2028\u2029]/gu;

/** A name as it is shown: what turns or hides a part of it stands there by its code. */
export function shownName(name: string): string {
  return name.replace(unseen, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    return code.length > 4 ? `\\u{${code}}` : `\\u${code}`;
  });
}
