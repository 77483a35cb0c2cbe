/** What stands between commas, without the spaces around it; where nothing stands is no part. */
export function commaList(text: string): string[] {
  return text.split(',').flatMap((part) => part.trim() || []);
}
