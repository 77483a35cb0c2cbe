import type { Toasts } from './toasts.ts';

/** Puts a text onto the clipboard and says so in words of `title`, or that it could not be; gives whether it could. Never throws. */
export async function copyText(
  toasts: Pick<Toasts, 'say' | 'fail'>,
  text: string,
  title = 'Copied',
  more: { text?: string } = {},
): Promise<boolean> {
  try {
    await write(text);
    toasts.say(title, more);
    return true;
  } catch (error) {
    toasts.fail('Not copied: the browser refused it', error);
    return false;
  }
}

async function write(text: string): Promise<void> {
  // Browsers have it at https and localhost only.
  const { clipboard } = navigator as Partial<Navigator>;
  if (clipboard !== undefined) return clipboard.writeText(text);
  if (!copySelected(text)) throw new Error('This browser gives the clipboard to pages of https and localhost only.');
}

/** As somebody would who selects the text and copies it. */
function copySelected(text: string): boolean {
  const { activeElement } = document;
  const field = document.createElement('textarea');
  field.value = text;
  field.style.position = 'fixed';
  // Beside a modal dialog nothing can be selected.
  (activeElement?.closest('dialog') ?? document.body).append(field);
  field.select();
  try {
    return document.execCommand('copy');
  } finally {
    field.remove();
    if (activeElement instanceof HTMLElement) activeElement.focus();
  }
}
