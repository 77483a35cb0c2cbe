/**
 * Marks that turn what follows around, and characters that can't be seen; but not the signs of Arabic and Syriac that are drawn over
 * numbers, nor the joiners that emoji and some scripts are written with, where they stand between two characters.
 */
const unseen =
  /(?![\u0600-\u0605\u06DD\u070F\u0890\u0891\u08E2])(?:(?<![\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])[\u200C\u200D]|[\u200C\u200D](?![\p{L}\p{Extended_Pictographic}])|(?![\u200C\u200D])[\p{Cc}\p{Cf}\u2028\u2029])/gu;

/** A name as it is shown: what turns or hides a part of it stands there by its code. */
export function shownName(name: string): string {
  return name.replace(unseen, codeOf);
}

/** The same of lines of text: tabs and line ends stay. */
export function shownText(text: string): string {
  return text.replace(unseen, (character, at: number) => {
    const stays = character === '\t' || character === '\n' || (character === '\r' && (text[at + 1] ?? '\n') === '\n');
    return stays ? character : codeOf(character);
  });
}

function codeOf(character: string): string {
  const code = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return code.length > 4 ? `\\u{${code}}` : `\\u${code}`;
}
