import type { KeyName } from './shell/keys.ts';
import type { Workbench } from './workbench.ts';

export interface Command {
  id: string;
  title: string;
  icon: string;
  keys: readonly KeyName[];
  /** Heading in the key sheet. */
  group: 'Go' | 'Files' | 'Editor' | 'Panels' | 'Source control';
  run: (workbench: Workbench) => void;
  /** Absent from lists while it can't be done. */
  when?: (workbench: Workbench) => boolean;
}

const writable = (workbench: Workbench): boolean => !workbench.readOnly.value && workbench.info.value !== undefined;
const inDocument = (workbench: Workbench): boolean => workbench.tabs.active.value?.kind === 'document';
const inEditor = (workbench: Workbench): boolean => workbench.activeSession()?.view !== undefined;

/** All there is to do, in one table: the palette, the key sheet and the keyboard follow from it. */
export const commands: readonly Command[] = [
  {
    id: 'go.file',
    title: 'Go to file…',
    icon: 'search',
    keys: ['Ctrl P', 'Ctrl E'],
    group: 'Go',
    run: (workbench) => (workbench.overlay.value = { name: 'find', text: '' }),
  },
  {
    id: 'go.command',
    title: 'All commands',
    icon: 'cmd',
    keys: ['Ctrl Shift P', 'F1'],
    group: 'Go',
    run: (workbench) => (workbench.overlay.value = { name: 'find', text: '>' }),
  },
  {
    id: 'go.line',
    title: 'Go to line…',
    icon: 'jump',
    keys: ['Ctrl G'],
    group: 'Go',
    when: inEditor,
    run: (workbench) => (workbench.overlay.value = { name: 'find', text: ':' }),
  },
  {
    id: 'go.symbol',
    title: 'Go to symbol in this document…',
    icon: 'jump',
    keys: ['Ctrl Shift O'],
    group: 'Go',
    when: inDocument,
    run: (workbench) => (workbench.overlay.value = { name: 'find', text: '@' }),
  },
  {
    id: 'go.anySymbol',
    title: 'Go to symbol anywhere…',
    icon: 'jump',
    keys: ['Alt S'],
    group: 'Go',
    run: (workbench) => (workbench.overlay.value = { name: 'find', text: '@@' }),
  },
  {
    id: 'go.files',
    title: 'Show files',
    icon: 'files',
    keys: ['Ctrl Shift E'],
    group: 'Go',
    run: (workbench) => showView(workbench, 'files'),
  },
  {
    id: 'go.search',
    title: 'Search all text',
    icon: 'search',
    keys: ['Ctrl Shift F'],
    group: 'Go',
    run: (workbench) => searchFor(workbench),
  },
  {
    id: 'go.replace',
    title: 'Replace in files',
    icon: 'search',
    keys: ['Ctrl Shift H'],
    group: 'Go',
    run: (workbench) => {
      if (!workbench.readOnly.value) workbench.search.setReplacing(true);
      searchFor(workbench);
    },
  },
  {
    id: 'go.changes',
    title: 'Show source control',
    icon: 'branch',
    keys: ['Ctrl Shift G'],
    group: 'Go',
    run: (workbench) => showView(workbench, 'changes'),
  },
  {
    id: 'go.activity',
    title: 'Show activity',
    icon: 'activity',
    keys: ['Ctrl Shift Y'],
    group: 'Go',
    run: (workbench) => workbench.openActivity(),
  },
  {
    id: 'go.people',
    title: 'Who is here',
    icon: 'info',
    keys: [],
    group: 'Go',
    run: (workbench) => (workbench.overlay.value = { name: 'people' }),
  },
  { id: 'go.keys', title: 'Keys', icon: 'key', keys: ['?'], group: 'Go', run: (workbench) => (workbench.overlay.value = { name: 'keys' }) },

  {
    id: 'files.new',
    title: 'New file',
    icon: 'plus',
    keys: [],
    group: 'Files',
    when: writable,
    run: (workbench) => newEntry(workbench, 'file'),
  },
  {
    id: 'files.folder',
    title: 'New folder',
    icon: 'newfolder',
    keys: [],
    group: 'Files',
    when: writable,
    run: (workbench) => newEntry(workbench, 'directory'),
  },
  {
    id: 'files.collapse',
    title: 'Collapse all folders',
    icon: 'collapse',
    keys: [],
    group: 'Files',
    run: (workbench) => workbench.tree.collapseAll(),
  },
  {
    id: 'files.reveal',
    title: 'Show this document in the tree',
    icon: 'files',
    keys: [],
    group: 'Files',
    when: inDocument,
    run: (workbench) => {
      const { value: tab } = workbench.tabs.active;
      workbench.layout.show('files');
      if (tab?.kind === 'document') void workbench.tree.reveal(tab.path);
    },
  },

  {
    id: 'editor.save',
    title: 'Save now',
    icon: 'check',
    keys: ['Ctrl S'],
    group: 'Editor',
    when: writable,
    run: (workbench) => void workbench.save(),
  },
  {
    id: 'editor.find',
    title: 'Find in this document',
    icon: 'search',
    keys: ['Ctrl F'],
    group: 'Editor',
    when: inEditor,
    run: (workbench) => workbench.activeSession()?.openFind?.(),
  },
  {
    id: 'editor.compare',
    title: 'Compare with HEAD',
    icon: 'diff',
    keys: ['Alt D'],
    group: 'Editor',
    when: (workbench) => inDocument(workbench) && workbench.git.status.value?.repository === true,
    run: (workbench) => {
      const { value: tab } = workbench.tabs.active;
      if (tab?.kind === 'document') workbench.openDiff(tab.path);
    },
  },
  {
    id: 'editor.close',
    title: 'Close tab',
    icon: 'x',
    keys: ['Alt W'],
    group: 'Editor',
    when: (workbench) => workbench.tabs.activeId.value !== undefined,
    run: (workbench) => {
      if (workbench.tabs.activeId.value !== undefined) workbench.tabs.close(workbench.tabs.activeId.value);
      workbench.focusMain();
    },
  },
  {
    id: 'editor.next',
    title: 'Next tab',
    icon: 'right',
    keys: ['Ctrl PageDown'],
    group: 'Editor',
    run: (workbench) => workbench.tabs.step(1),
  },
  {
    id: 'editor.previous',
    title: 'Previous tab',
    icon: 'right',
    keys: ['Ctrl PageUp'],
    group: 'Editor',
    run: (workbench) => workbench.tabs.step(-1),
  },
  {
    id: 'editor.who',
    title: 'Say where the others are',
    icon: 'info',
    keys: ['Alt P'],
    group: 'Editor',
    when: inEditor,
    run: (workbench) => sayCarets(workbench),
  },

  {
    id: 'panel.side',
    title: 'Show or hide the side panel',
    icon: 'panel',
    keys: ['Ctrl B'],
    group: 'Panels',
    run: (workbench) => workbench.layout.setSideOpen(!workbench.layout.sideOpen.value),
  },
  { id: 'panel.theme', title: 'Switch theme', icon: 'theme', keys: ['Alt T'], group: 'Panels', run: (workbench) => switchTheme(workbench) },
  {
    id: 'link.try',
    title: 'Connect now',
    icon: 'refresh',
    keys: [],
    group: 'Panels',
    when: (workbench) => !workbench.link.live.value,
    run: (workbench) => workbench.tryNow(),
  },
  {
    id: 'changes.refresh',
    title: 'Ask git again',
    icon: 'refresh',
    keys: [],
    group: 'Source control',
    run: (workbench) => void workbench.git.refresh(),
  },
];

export function showView(workbench: Workbench, view: 'files' | 'search' | 'changes'): void {
  workbench.layout.show(view);
  requestAnimationFrame(() => (document.querySelector('.side [data-focus]') as HTMLElement | null)?.focus());
}

/** What is selected in the editor is what is meant. */
function searchFor(workbench: Workbench): void {
  const { view } = workbench.activeSession() ?? {};
  const { from, to } = view?.state.selection.main ?? { from: 0, to: 0 };
  const selected = view?.hasFocus === true ? view.state.sliceDoc(from, Math.min(to, from + 200)) : '';
  searchText(workbench, selected.includes('\n') ? '' : selected);
}

/** Shows the search; an empty text leaves the one that is there. */
export function searchText(workbench: Workbench, text: string): void {
  if (text !== '') {
    workbench.search.pattern.value = text;
    workbench.search.asked();
  }
  showView(workbench, 'search');
  requestAnimationFrame(() => (document.querySelector('.side .field input') as HTMLInputElement | null)?.select());
}

export function newEntry(workbench: Workbench, kind: 'file' | 'directory'): void {
  workbench.layout.show('files');
  void workbench.tree.beginNew(workbench.tree.folderOfFocus, kind);
}

export function switchTheme(workbench: Workbench): void {
  const dark =
    workbench.layout.theme.value === 'dark' ||
    (workbench.layout.theme.value === undefined && matchMedia('(prefers-color-scheme: dark)').matches);
  workbench.layout.setTheme(dark ? 'light' : 'dark');
}

function sayCarets(workbench: Workbench): void {
  const { view } = workbench.activeSession() ?? {};
  const { value: carets } = workbench.carets;
  if (view === undefined) return;
  const words = carets.map(
    ({ actor, head }) => `${actor.name}, line ${view.state.doc.lineAt(Math.min(head, view.state.doc.length)).number}`,
  );
  workbench.toasts.say(words.length === 0 ? 'Nobody else is in this document' : words.join(' · '));
}
