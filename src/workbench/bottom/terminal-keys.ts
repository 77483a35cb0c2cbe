import { isKey, type PressedKey } from '../shell/keys.ts';

const ours = ['Ctrl `', 'F6', 'Shift F6', 'Ctrl Shift P'];

/** What the page keeps for itself while a terminal has the focus; all else is for the program in it. */
export function isTerminalKey(pressed: PressedKey, apple: boolean): boolean {
  return ours.some((key) => isKey(key, pressed, apple));
}

export function isInTerminal(target: EventTarget | null): boolean {
  return target instanceof Element && target.closest('.term') !== null;
}
