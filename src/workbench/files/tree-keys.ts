import { newEntry } from '../commands.ts';
import type { Workbench } from '../workbench.ts';
import { parentOf } from '../file-paths.ts';
import type { TreeNode } from './tree-model.ts';

const typeAheadMs = 700;

/** The tree's keys. Keeps what was typed for type-ahead. */
export class TreeKeys {
  readonly #workbench: Workbench;
  #typed = '';
  #typedAt = 0;

  constructor(workbench: Workbench) {
    this.#workbench = workbench;
  }

  /** True when the key was taken. */
  press(event: KeyboardEvent, pageRows: number): boolean {
    const { tree } = this.#workbench;
    const { model } = tree;
    const row = model.get(tree.focused.value ?? '') ?? model.at(0);
    if (event.ctrlKey || event.metaKey || event.altKey) {
      if (event.key === 'Enter' && row !== undefined) {
        this.#open(row, { beside: true });
        return true;
      }
      return false;
    }
    const index = row === undefined ? -1 : model.indexOf(row);
    const to = (target: TreeNode | undefined): true => {
      if (target === undefined) return true;
      if (event.shiftKey) tree.selectRange(target.path);
      else tree.select(target.path);
      return true;
    };
    switch (event.key) {
      case 'ArrowDown':
        return to(model.at(Math.min(index + 1, model.length - 1)));
      case 'ArrowUp':
        return to(model.at(Math.max(index - 1, 0)));
      case 'PageDown':
        return to(model.at(Math.min(index + pageRows, model.length - 1)));
      case 'PageUp':
        return to(model.at(Math.max(index - pageRows, 0)));
      case 'Home':
        return to(model.at(0));
      case 'End':
        return to(model.at(model.length - 1));
      default:
    }
    if (row === undefined) return this.#make(event);
    switch (event.key) {
      case 'ArrowRight':
        if (row.kind !== 'directory') return true;
        if (!row.expanded) void tree.expand(row.path);
        else to(row.children?.[0]);
        return true;
      case 'ArrowLeft':
        if (row.expanded) tree.collapse(row.path);
        else if (parentOf(row.path) !== '') tree.select(parentOf(row.path));
        return true;
      case 'Enter':
        this.#open(row, {});
        return true;
      case ' ':
        // A space within a name being typed is a letter.
        if (this.#typed !== '' && performance.now() - this.#typedAt < typeAheadMs) return this.#typeAhead(' ', index);
        this.#open(row, { preview: true });
        return true;
      case 'F2':
        if (!this.#workbench.readOnly.value) tree.beginRename(row.path);
        return true;
      case 'Delete':
        if (!this.#workbench.readOnly.value) void this.#workbench.files.remove([...tree.selected.value]);
        return true;
      case 'Escape':
        return false;
      default:
        return this.#make(event) || this.#typeAhead(event.key, index);
    }
  }

  /** A and Shift A make, unless a name is being typed. */
  #make(event: KeyboardEvent): boolean {
    if (event.key.toLowerCase() !== 'a' || this.#workbench.readOnly.value) return false;
    if (this.#typed !== '' && performance.now() - this.#typedAt < typeAheadMs) return false;
    newEntry(this.#workbench, event.shiftKey ? 'directory' : 'file');
    return true;
  }

  #open(row: TreeNode, how: { preview?: true; beside?: true }): void {
    const { tree } = this.#workbench;
    if (row.kind !== 'directory') this.#workbench.openFile(row.path, how);
    else if (row.expanded) tree.collapse(row.path);
    else void tree.expand(row.path);
  }

  #typeAhead(key: string, from: number): boolean {
    if (key.length !== 1) return false;
    const now = performance.now();
    if (now - this.#typedAt > typeAheadMs) this.#typed = '';
    this.#typedAt = now;
    this.#typed += key.toLowerCase();
    const { tree } = this.#workbench;
    const { model } = tree;
    // One letter again and again walks through its names.
    const same = [...this.#typed].every((letter) => letter === this.#typed[0]);
    const sought = same ? (this.#typed[0] as string) : this.#typed;
    const start = same || this.#typed.length === 1 ? from + 1 : Math.max(from, 0);
    for (let step = 0; step < model.length; step += 1) {
      const row = model.at((start + step) % model.length);
      if (row?.name.toLowerCase().startsWith(sought) === true) {
        tree.select(row.path);
        break;
      }
    }
    return true;
  }
}
