import type { Workbench } from '../workbench.ts';

const floats = '(max-width: 1100px)';

/** Shows or hides the panel at the right; the focus does not stay in what is gone. */
export function toggleRight(workbench: Workbench): void {
  if (workbench.layout.rightShown(workbench.phone.value)) hideRight(workbench);
  else workbench.layout.setRightOpen(true, workbench.phone.value);
}

export function hideRight(workbench: Workbench): void {
  const inside = isFocusInRight();
  workbench.layout.setRightOpen(false, workbench.phone.value);
  if (inside) workbench.focusMain();
}

/** Shows the history of the document; from there, back to it. */
export function toggleHistory(workbench: Workbench): void {
  const { layout, phone } = workbench;
  if (layout.rightShown(phone.value) && isFocusInRight()) return hideRight(workbench);
  layout.setRightOpen(true, phone.value);
  layout.wantsFocus.value = 'right';
}

/** By Escape: what stands over the document goes, what stands beside it stays. */
export function leaveRight(workbench: Workbench): void {
  if (matchMedia(floats).matches) hideRight(workbench);
  else workbench.focusMain();
}

function isFocusInRight(): boolean {
  return document.querySelector('.right')?.contains(document.activeElement) === true;
}
