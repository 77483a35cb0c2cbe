/** A key as people write it: `Ctrl Shift P`, `Alt W`, `F6`. `Ctrl` is the command key where there is one. */
export type KeyName = string;

export interface PressedKey {
  key: string;
  /** Names the place on the keyboard: of a key that writes no Latin letter, as with Alt on some systems and on other alphabets. */
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** Whether `pressed` is the key `name`. */
export function isKey(name: KeyName, pressed: PressedKey, apple: boolean): boolean {
  const parts = name.split(' ');
  const letter = parts.at(-1) ?? '';
  const main = apple ? pressed.metaKey : pressed.ctrlKey;
  const other = apple ? pressed.ctrlKey : pressed.metaKey;
  if (other || main !== parts.includes('Ctrl') || pressed.altKey !== parts.includes('Alt')) return false;
  const same =
    pressed.key.toLowerCase() === letter.toLowerCase() ||
    (/^[A-Z]$/.test(letter) && !/^[a-z]$/i.test(pressed.key) && pressed.code === `Key${letter}`) ||
    (letter === '`' && pressed.code === 'Backquote') ||
    (letter === '\\' && pressed.code === 'Backslash') ||
    (letter === ',' && pressed.altKey && pressed.code === 'Comma');
  // What is typed with Shift (`?`) says so itself.
  const shiftMatters = letter.length > 1 || /^[A-Z]$/.test(letter);
  return same && (!shiftMatters || pressed.shiftKey === parts.includes('Shift'));
}

/** Of the list of all commands, the one that is shown first. Firefox opens a private window by the other, and no page hears of it. */
export function commandsKeys(userAgent: string): readonly [KeyName, ...KeyName[]] {
  return /\bFirefox\//.test(userAgent) ? ['F1'] : ['Ctrl Shift P', 'F1'];
}

const inputMethodCode = 229;

/** Whether an input method has the key. Safari sends the one that ends a word after the word, and tells it apart by its code alone. */
export function isForInputMethod({ isComposing, keyCode }: Pick<KeyboardEvent, 'isComposing' | 'keyCode'>): boolean {
  return isComposing || keyCode === inputMethodCode;
}

const appleSigns: Record<string, string> = { Ctrl: '⌘', Alt: '⌥', Shift: '⇧' };

/** As shown on this system. */
export function sayKey(name: KeyName, apple: boolean): string {
  if (!apple) return name;
  const parts = name.split(' ');
  return [...parts.slice(0, -1).map((part) => appleSigns[part] ?? part), parts.at(-1)].join('');
}
