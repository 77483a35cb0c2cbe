import { useComputed, useSignal } from '@preact/signals';
import { useLayoutEffect, useMemo, useRef } from 'preact/hooks';
import { letterNames } from '../changes/letters.ts';
import { newEntry } from '../commands.ts';
import { fileKind } from '../documents/file-kinds.ts';
import { shownName } from '../shown-name.ts';
import { joinPath, nameOf, nameProblem, parentOf } from '../file-paths.ts';
import { Dots } from '../shell/avatar.tsx';
import { Icon } from '../shell/icon.tsx';
import { Revision } from '../shell/revision.tsx';
import { rowHeightPx, useScroll } from '../use-scroll.ts';
import { useWorkbench } from '../use-workbench.ts';
import { scrollToShow, virtualWindow } from '../virtual-window.ts';
import { count } from '../words.ts';
import { TreeKeys } from './tree-keys.ts';
import type { TreeNode } from './tree-model.ts';
import { isForInputMethod } from '../shell/keys.ts';

const pathsType = 'application/x-outrigger-paths';
const ids = new WeakMap<TreeNode, string>();
let nextId = 0;

function rowId(node: TreeNode): string {
  const id = ids.get(node) ?? `row-${nextId++}`;
  ids.set(node, id);
  return id;
}

/** The rows as they were drawn last. */
interface Drawn {
  /** The one that is kept in sight, and where it stood. */
  shown: TreeNode | undefined;
  path: string | undefined;
  index: number;
  start: number;
  rows: readonly TreeNode[];
}

export function FilesPanel() {
  const workbench = useWorkbench();
  const { tree, paths, feed } = workbench;
  tree.version.value;
  const writable = !workbench.readOnly.value;
  const all = paths.entries.value;
  const { length } = tree.model;
  return (
    <div class="pane" role="tabpanel" aria-labelledby="rail-files">
      <div class="sp-h">
        <h2>Files</h2>
        {writable && (
          <>
            <button type="button" class="ib" aria-label="New file (A)" title="New file (A)" onClick={() => newEntry(workbench, 'file')}>
              <Icon name="plus" />
            </button>
            <button
              type="button"
              class="ib"
              aria-label="New folder (Shift A)"
              title="New folder (Shift A)"
              onClick={() => newEntry(workbench, 'directory')}
            >
              <Icon name="newfolder" />
            </button>
          </>
        )}
        <button type="button" class="ib" aria-label="Collapse all" title="Collapse all" onClick={() => tree.collapseAll()}>
          <Icon name="collapse" />
        </button>
      </div>
      {tree.problem.value === undefined && tree.empty.value === true && tree.editing.value === undefined && (
        // Over the tree, not in it: what is dropped here is for the tree, and a tree holds rows alone.
        <div class="tree-empty">
          <p class="hint" id="tree-empty">
            This folder is empty.
            <br />
            Files that appear in it show up here at once, whoever makes them.
          </p>
        </div>
      )}
      <Tree />
      <div class="sr-sum">
        <span class="grow ell num" data-testid="entries">
          {all === undefined || all < length
            ? count(length, 'entry', 'entries')
            : `${length.toLocaleString('en')} of ${count(all, 'entry', 'entries')}`}
        </span>
        <Revision number={feed.revision.value} />
      </div>
    </div>
  );
}

function Tree() {
  const workbench = useWorkbench();
  const { tree, files, info } = workbench;
  const scroll = useScroll();
  const keys = useMemo(() => new TreeKeys(workbench), [workbench]);
  const dropFolder = useSignal<string | undefined>(undefined);
  const rowHeight = rowHeightPx();
  tree.version.value;
  const { model } = tree;
  const { length } = model;
  const { start, end } = virtualWindow(scroll.top, scroll.height, rowHeight, length);
  const rows = model.rows(start, end);
  const focused = model.get(tree.focused.value ?? '');
  const editing = tree.editing.value;
  const writable = !workbench.readOnly.value;

  // The focused row is kept in sight, the editing one too. Where a reader scrolled away from it, what is seen stays where it is.
  const shown = editing?.row ?? focused;
  const drawn = useRef<Drawn>({ shown: undefined, path: undefined, index: -1, start, rows: [] });
  useLayoutEffect(() => {
    const { current: box } = scroll.box;
    if (box === null) return;
    const { scrollTop, clientHeight } = box;
    const { current: before } = drawn;
    const index = shown === undefined ? -1 : model.indexOf(shown);
    drawn.current = { shown, path: shown?.path, index, start, rows };
    const at = Math.max(0, Math.floor(scrollTop / rowHeight) - before.start);
    const left = before.rows.findIndex((row, place) => place >= at && model.get(row.path) === row && model.indexOf(row) >= 0);
    const first = before.rows[left];
    const moved = first === undefined || scrollTop === 0 ? 0 : model.indexOf(first) - before.start - left;
    let top = scrollTop + moved * rowHeight;
    const place = before.index * rowHeight;
    const wasSeen = before.index < 0 || (place + rowHeight > scrollTop && place < scrollTop + clientHeight);
    const isOther = before.shown !== shown || before.path !== shown?.path;
    if (index >= 0 && (isOther || (wasSeen && index !== before.index))) top = scrollToShow(top, clientHeight, index * rowHeight, rowHeight);
    if (top !== scrollTop) box.scrollTop = top;
  });
  // Editing took the focus from the tree; it comes back to it.
  const wasEditing = useRef(false);
  useLayoutEffect(() => {
    if (wasEditing.current && editing === undefined && (document.activeElement === document.body || document.activeElement === null))
      scroll.box.current?.focus();
    wasEditing.current = editing !== undefined;
  }, [editing]);

  if (tree.problem.value !== undefined) return <p class="hint">{tree.problem.value}</p>;
  const empty = tree.empty.value === true && editing === undefined;
  const folderAt = (event: DragEvent): string => {
    const path = event.target instanceof Element ? event.target.closest<HTMLElement>('[data-path]')?.dataset['path'] : undefined;
    const node = path === undefined ? undefined : model.get(path);
    if (node === undefined) return '';
    return node.kind === 'directory' ? node.path : parentOf(node.path);
  };
  return (
    <div
      class={empty && dropFolder.value !== undefined ? 'scroll tree dropping' : 'scroll tree'}
      role="tree"
      aria-label={`Files in ${info.value?.workspace.name ?? 'the workspace'}`}
      aria-multiselectable="true"
      aria-describedby={empty ? 'tree-empty' : undefined}
      aria-activedescendant={
        focused === undefined || model.indexOf(focused) < start || model.indexOf(focused) >= end ? undefined : rowId(focused)
      }
      tabIndex={0}
      data-focus
      ref={scroll.box}
      onFocus={(event) => {
        if (event.target === event.currentTarget && focused === undefined) {
          const first = model.at(0);
          if (first !== undefined) tree.select(first.path);
        }
      }}
      onKeyDown={(event) => {
        if (editing !== undefined || !keys.press(event, Math.max(1, Math.floor(scroll.height / rowHeight) - 1))) return;
        event.preventDefault();
        event.stopPropagation();
      }}
      onDragOver={(event) => {
        if (!writable) return;
        event.preventDefault();
        dropFolder.value = folderAt(event);
      }}
      onDragLeave={(event) => {
        if (event.target === event.currentTarget) dropFolder.value = undefined;
      }}
      onDrop={(event) => {
        event.preventDefault();
        const folder = folderAt(event);
        dropFolder.value = undefined;
        const own = event.dataTransfer?.getData(pathsType) ?? '';
        if (own !== '') void files.moveInto(JSON.parse(own) as string[], folder);
        else if (event.dataTransfer !== null) void files.drop(folder, event.dataTransfer);
      }}
    >
      <div class={dropFolder.value === '' && !empty ? 'rows drop' : 'rows'} role="none" style={{ height: `${length * rowHeight}px` }}>
        {rows.map((node, index) => (
          <Row
            key={rowId(node)}
            node={node}
            path={node.path}
            top={(start + index) * rowHeight}
            expanded={node.expanded}
            ignored={node.ignored}
            {...model.siblingPosition(node)}
            focused={node === focused}
            selected={tree.selected.value.has(node.path)}
            editing={editing?.row === node}
            drop={node.kind === 'directory' && dropFolder.value === node.path}
          />
        ))}
      </div>
    </div>
  );
}

/** What is not a prop of it does not draw a row again when it changes, unless it is a signal. */
interface RowProps {
  node: TreeNode;
  path: string;
  top: number;
  expanded: boolean;
  ignored: boolean;
  position: number;
  size: number;
  focused: boolean;
  selected: boolean;
  editing: boolean;
  drop: boolean;
}

function Row({ node, path, top, expanded, ignored, position, size, focused, selected, editing, drop }: RowProps) {
  const workbench = useWorkbench();
  const { tree, git, presence, files } = workbench;
  const folder = node.kind === 'directory';
  // Each row hears of its own letter and people only.
  const letter = useComputed(() => git.letters.value.get(node.path));
  const touched = useComputed(() => folder && git.touched.value.has(node.path));
  const people = useComputed(() => presence.byPath.value.get(node.path));
  const writable = !workbench.readOnly.value;
  const status = letter.value;
  const open = (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey) return tree.select(path, true);
    if (event.shiftKey) return tree.selectRange(path);
    tree.select(path);
    if (!folder) workbench.openFile(path, { preview: true });
    else if (expanded) tree.collapse(path);
    else void tree.expand(path);
  };
  return (
    <div
      class={`tr${status === undefined ? '' : ` ${status}`}${selected ? ' on' : ''}${focused ? ' cur' : ''}${ignored ? ' ignored' : ''}${drop ? ' drop' : ''}`}
      id={rowId(node)}
      role="treeitem"
      aria-level={node.depth + 1}
      aria-expanded={folder ? expanded : undefined}
      aria-selected={selected}
      aria-setsize={size}
      aria-posinset={position}
      aria-label={editing ? undefined : `${node.name}${status === undefined ? '' : `, ${letterNames[status]}`}`}
      style={{ '--d': node.depth, transform: `translateY(${top}px)` }}
      data-path={path}
      title={node.name}
      draggable={writable && !editing}
      onDragStart={(event) => {
        if (!tree.selected.value.has(path)) tree.select(path);
        event.dataTransfer?.setData(pathsType, JSON.stringify([...tree.selected.value]));
      }}
      onClick={editing ? undefined : open}
      onDblClick={() => {
        if (!folder && !editing) workbench.openFile(path);
      }}
    >
      {folder ? <Icon name={expanded ? 'down' : 'right'} small /> : <u />}
      <Icon name={folder ? 'folder' : node.draft ? 'file' : fileKind(path).icon} />
      {editing ? (
        <NameField node={node} />
      ) : (
        <>
          <span class="nm ell grow" dir="auto">
            {shownName(node.name)}
          </span>
          {writable && (
            <span class="acts">
              <button
                type="button"
                class="ib"
                tabIndex={-1}
                aria-label={`Rename ${node.name} (F2)`}
                onClick={(event) => {
                  event.stopPropagation();
                  tree.select(path);
                  tree.beginRename(path);
                }}
              >
                <Icon name="edit" />
              </button>
              <button
                type="button"
                class="ib"
                tabIndex={-1}
                aria-label={`Delete ${node.name} (Del)`}
                onClick={(event) => {
                  event.stopPropagation();
                  void files.remove(selected ? [...tree.selected.value] : [path]);
                }}
              >
                <Icon name="bin" />
              </button>
            </span>
          )}
          {people.value !== undefined && <Dots actors={people.value} />}
          {tree.listing.value.has(path) && <i class="spin" />}
          {/* Drawn, not written: the row's name says it in words. */}
          <span class={`st ${status ?? ''}`} aria-hidden="true" data-letter={status}>
            {status === undefined && touched.value && <i class="touched" />}
          </span>
        </>
      )}
    </div>
  );
}

/** A name being given: Enter does it, Esc leaves, what is wrong is said below the field. */
function NameField({ node }: { node: TreeNode }) {
  const workbench = useWorkbench();
  const { tree, files } = workbench;
  const field = useRef<HTMLInputElement>(null);
  const problem = useSignal<string | undefined>(undefined);
  const done = useRef(false);
  const shownBefore = useRef('');
  // Asked each time: the folder can be renamed meanwhile, or removed.
  const folderNow = (): string => (node.draft ? (node.parent?.path ?? '') : parentOf(node.path));
  const before = node.draft ? '' : node.name;
  // Before the browser paints: the next key that is pressed belongs in the field.
  useLayoutEffect(() => {
    const { current } = field;
    current?.focus();
    shownBefore.current = current?.value ?? before;
    const dot = before.lastIndexOf('.');
    current?.setSelectionRange(0, dot > 0 && node.kind !== 'directory' ? dot : before.length);
  }, []);
  const words = useRef<HTMLSpanElement>(null);
  // Below the last row that is seen it would not be.
  useLayoutEffect(() => words.current?.scrollIntoView({ block: 'nearest' }), [problem.value]);
  const check = (name: string): string | undefined =>
    nameProblem(name, (taken) => taken !== before && tree.model.get(joinPath(folderNow(), taken)) !== undefined);
  const finish = async (): Promise<void> => {
    if (done.current) return;
    // Its folder was removed, and the row with it.
    if (node.draft && tree.model.get(node.path) !== node) {
      done.current = true;
      return tree.endEditing();
    }
    const given = field.current?.value ?? '';
    const name = given.trim();
    // A name can hold what a field does not give back, as a line feed.
    if (name === '' || name === before || given === shownBefore.current) {
      done.current = true;
      return tree.endEditing();
    }
    problem.value = check(name);
    if (problem.value !== undefined) return;
    done.current = true;
    const folder = folderNow();
    tree.endEditing();
    if (!node.draft) {
      await files.move(node.path, joinPath(folder, name));
      return;
    }
    const made = await files.create(folder, name, node.kind === 'directory' ? 'directory' : 'file');
    // The answer may come late: who is naming another entry by then keeps the keyboard.
    if (made !== undefined && node.kind !== 'directory') workbench.openFile(made, { focus: tree.editing.value === undefined });
  };
  return (
    <span class="grow name-field">
      <input
        ref={field}
        class="inp"
        dir="auto"
        defaultValue={before}
        aria-label={node.draft ? `New ${node.kind === 'directory' ? 'folder' : 'file'} name` : `New name of ${nameOf(node.path)}`}
        aria-invalid={problem.value !== undefined}
        aria-describedby={problem.value === undefined ? undefined : 'name-problem'}
        onInput={(event) => {
          problem.value = event.currentTarget.value === '' ? undefined : check(event.currentTarget.value.trim());
        }}
        onKeyDown={(event) => {
          event.stopPropagation();
          // It ends a word of an input method, and no name.
          if (isForInputMethod(event)) return;
          if (event.key === 'Enter') {
            event.preventDefault();
            void finish();
          } else if (event.key === 'Escape') {
            event.preventDefault();
            done.current = true;
            tree.endEditing();
          }
        }}
        onBlur={() => {
          if (problem.value === undefined) void finish();
          else tree.endEditing();
        }}
      />
      {problem.value !== undefined && (
        <span class="name-problem" role="alert" id="name-problem" ref={words}>
          {problem.value}
        </span>
      )}
    </span>
  );
}
