import { newTerminal, toggleBottom, toggleTerminal } from './bottom/terminal-actions.ts';
import { runFile, runSelection, showRun, stopRun } from './run/run-actions.ts';
import { toggleHistory, toggleRight } from './shell/right-actions.ts';
import { isRunning } from './processes/process-words.ts';
import { taskName, taskTitle } from './tasks/task-text.ts';
import type { Actor } from './actor.ts';
import { bottomParts, type Part } from './parts.ts';
import type { KeyName } from './shell/keys.ts';
import { keysOfCommands } from './use-workbench.ts';
import type { Workbench } from './workbench.ts';

export interface Command {
  id: string;
  title: string;
  icon: string;
  keys: readonly KeyName[];
  /** Heading in the key sheet. */
  group: 'Go' | 'Files' | 'Editor' | 'Panels' | 'Programs' | 'Source control';
  run: (workbench: Workbench) => void;
  /** It is for these parts of the sidecar: absent where none of them runs. */
  parts?: readonly Part[];
  /** The same of what is no part. */
  offered?: (workbench: Workbench) => boolean;
  /** Absent from lists while it can't be done. */
  when?: (workbench: Workbench) => boolean;
}

const writable = (workbench: Workbench): boolean => !workbench.readOnly.value && workbench.info.value !== undefined;
const runnable = (workbench: Workbench): boolean => workbench.canExecute.value;
const inDocument = (workbench: Workbench): boolean => workbench.tabs.active.value?.kind === 'document';
const inEditor = (workbench: Workbench): boolean => workbench.activeSession()?.view !== undefined;

const inRepository = (workbench: Workbench): boolean => workbench.git.status.value?.repository === true;
/** Also while git is asked: what is opened then waits for the answer. */
const perhapsInRepository = (workbench: Workbench): boolean =>
  inRepository(workbench) || (workbench.git.status.value === undefined && workbench.git.problem.value === undefined);
const inWritableRepository = (workbench: Workbench): boolean => writable(workbench) && inRepository(workbench);
const canExchange = (workbench: Workbench): boolean => workbench.canExecute.value && inRepository(workbench);

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
    keys: keysOfCommands,
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
    parts: ['search'],
    when: inDocument,
    run: (workbench) => (workbench.overlay.value = { name: 'find', text: '@' }),
  },
  {
    id: 'go.anySymbol',
    title: 'Go to symbol anywhere…',
    icon: 'jump',
    keys: ['Alt S'],
    group: 'Go',
    parts: ['search'],
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
    parts: ['search'],
    run: (workbench) => searchFor(workbench),
  },
  {
    id: 'go.replace',
    title: 'Replace in files',
    icon: 'search',
    keys: ['Ctrl Shift H'],
    group: 'Go',
    parts: ['search'],
    when: ({ readOnly }) => !readOnly.value,
    run: (workbench) => {
      workbench.search.setReplacing(true);
      searchFor(workbench);
    },
  },
  {
    id: 'go.changes',
    title: 'Show source control',
    icon: 'branch',
    keys: ['Ctrl Shift G'],
    group: 'Go',
    parts: ['git', 'checkpoints'],
    run: (workbench) => showView(workbench, 'changes'),
  },
  {
    id: 'go.tasks',
    title: 'Show tasks',
    icon: 'tasks',
    keys: ['Ctrl Shift K'],
    group: 'Go',
    offered: ({ info }) => info.value?.linked === true,
    // Also while they are asked for: who presses the keys early sees them come.
    when: ({ tasks }) => tasks.present.value !== false,
    run: (workbench) => showView(workbench, 'tasks'),
  },
  {
    id: 'go.activity',
    title: 'Show activity',
    icon: 'activity',
    keys: ['Ctrl Shift Y'],
    group: 'Go',
    run: (workbench) => {
      workbench.openActivity();
      workbench.focusMain();
    },
  },
  {
    id: 'go.people',
    title: 'Who is here',
    icon: 'info',
    keys: [],
    group: 'Go',
    run: (workbench) => (workbench.overlay.value = { name: 'people' }),
  },
  {
    id: 'go.follow',
    title: 'Follow a person; again: stop',
    icon: 'jump',
    keys: ['Alt F'],
    group: 'Go',
    run: (workbench) => toggleFollow(workbench),
  },
  { id: 'go.keys', title: 'Keys', icon: 'key', keys: ['?'], group: 'Go', run: (workbench) => (workbench.overlay.value = { name: 'keys' }) },
  {
    id: 'go.settings',
    title: 'Settings',
    icon: 'filter',
    keys: ['Ctrl ,', 'Alt ,'],
    group: 'Go',
    run: (workbench) => (workbench.overlay.value = { name: 'settings' }),
  },

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
    parts: ['git'],
    when: (workbench) => inDocument(workbench) && perhapsInRepository(workbench),
    run: (workbench) => {
      const { value: tab } = workbench.tabs.active;
      if (tab?.kind !== 'document') return;
      workbench.openDiff(tab.path);
      // So that F7 goes to its first change.
      workbench.focusMain();
    },
  },
  {
    id: 'editor.nextChange',
    title: 'Next change',
    icon: 'down',
    keys: ['F7'],
    group: 'Editor',
    parts: ['git', 'checkpoints'],
    when: ({ comparison }) => comparison.value !== undefined,
    run: ({ comparison }) => comparison.value?.next(),
  },
  {
    id: 'editor.previousChange',
    title: 'Previous change',
    icon: 'up',
    keys: ['Shift F7'],
    group: 'Editor',
    parts: ['git', 'checkpoints'],
    when: ({ comparison }) => comparison.value !== undefined,
    run: ({ comparison }) => comparison.value?.previous(),
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
    id: 'editor.beside',
    title: 'Show this document beside the other, or one alone again',
    icon: 'beside',
    keys: ['Ctrl \\'],
    group: 'Editor',
    when: canStandBeside,
    run: (workbench) => toggleBeside(workbench),
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
  {
    id: 'panel.bottom',
    title: 'Show or hide terminals and processes',
    icon: 'bottom',
    keys: ['Ctrl J'],
    group: 'Panels',
    parts: bottomParts,
    run: (workbench) => toggleBottom(workbench),
  },
  {
    id: 'panel.right',
    title: 'Show or hide the right panel',
    icon: 'clock',
    keys: ['Ctrl Alt B'],
    group: 'Panels',
    run: (workbench) => toggleRight(workbench),
  },
  {
    id: 'panel.history',
    title: 'History of this document; again: back to the editor',
    icon: 'clock',
    keys: ['Alt H'],
    group: 'Panels',
    run: (workbench) => toggleHistory(workbench),
  },
  { id: 'panel.theme', title: 'Switch theme', icon: 'theme', keys: ['Alt T'], group: 'Panels', run: ({ layout }) => layout.theme.switch() },
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
    id: 'programs.run',
    title: 'Run this file',
    icon: 'run',
    keys: ['Ctrl Enter'],
    group: 'Programs',
    parts: ['code'],
    when: (workbench) => runnable(workbench) && inDocument(workbench) && !isInSide(),
    run: (workbench) => void runFile(workbench),
  },
  {
    id: 'programs.runSelection',
    title: 'Run selection',
    icon: 'run',
    keys: ['Ctrl Shift Enter'],
    group: 'Programs',
    parts: ['code'],
    when: (workbench) => runnable(workbench) && inEditor(workbench) && (workbench.facts.value?.selected ?? 0) > 0 && !isInSide(),
    run: (workbench) => void runSelection(workbench),
  },
  {
    id: 'programs.stopRun',
    title: 'Stop the run',
    icon: 'stop',
    keys: ['Shift F5'],
    group: 'Programs',
    parts: ['code'],
    when: ({ run }) => run.busy.value,
    run: (workbench) => stopRun(workbench),
  },
  {
    id: 'programs.showRun',
    title: 'Show the run panel',
    icon: 'run',
    keys: ['Ctrl Shift R'],
    group: 'Programs',
    parts: ['code'],
    run: (workbench) => showRun(workbench),
  },
  {
    id: 'programs.isolation',
    title: 'What keeps runs apart',
    icon: 'shield',
    keys: [],
    group: 'Programs',
    parts: ['code'],
    run: (workbench) => (workbench.overlay.value = { name: 'isolation' }),
  },
  {
    id: 'programs.terminal',
    title: 'Terminal; again: back to the editor',
    icon: 'term',
    keys: ['Ctrl `'],
    group: 'Programs',
    parts: ['terminals'],
    run: (workbench) => void toggleTerminal(workbench),
  },
  {
    id: 'programs.newTerminal',
    title: 'New terminal',
    icon: 'term',
    keys: [],
    group: 'Programs',
    parts: ['terminals'],
    when: runnable,
    run: (workbench) => void newTerminal(workbench),
  },
  {
    id: 'programs.readTerminal',
    title: 'Terminals for screen readers: on or off',
    icon: 'term',
    keys: [],
    group: 'Programs',
    parts: ['terminals'],
    run: ({ bottom, toasts }) => {
      bottom.setScreenReader(!bottom.screenReader.value);
      toasts.say(bottom.screenReader.value ? 'Terminals are read out' : 'Terminals are not read out');
    },
  },
  {
    id: 'programs.show',
    title: 'Show processes',
    icon: 'run',
    keys: [],
    group: 'Programs',
    parts: ['processes'],
    run: ({ bottom }) => bottom.showTable(),
  },
  {
    id: 'programs.problems',
    title: 'Show problems',
    icon: 'err',
    keys: [],
    group: 'Programs',
    parts: ['code', 'processes'],
    run: ({ bottom }) => bottom.show('problems'),
  },
  {
    id: 'programs.start',
    title: 'Start a process…',
    icon: 'run',
    keys: [],
    group: 'Programs',
    parts: ['processes'],
    when: runnable,
    run: (workbench) => (workbench.overlay.value = { name: 'start' }),
  },
  {
    id: 'programs.deploy',
    title: 'Deploy…',
    icon: 'up',
    keys: [],
    group: 'Programs',
    parts: ['deploy'],
    run: ({ bottom, deploys }) => {
      deploys.chosen.value = undefined;
      bottom.show('deploy');
    },
  },
  {
    id: 'changes.branches',
    title: 'Branches…',
    icon: 'branch',
    keys: ['Alt B'],
    group: 'Source control',
    parts: ['git'],
    when: perhapsInRepository,
    run: (workbench) => (workbench.overlay.value = { name: 'git', dialog: { kind: 'branches' } }),
  },
  {
    id: 'changes.clone',
    title: 'Clone a repository…',
    icon: 'branch',
    keys: [],
    group: 'Source control',
    parts: ['git'],
    when: (workbench) => workbench.canExecute.value && workbench.tree.empty.value === true && !workbench.git.missing.value,
    run: (workbench) => workbench.clone.ask(),
  },
  {
    id: 'changes.newBranch',
    title: 'New branch…',
    icon: 'plus',
    keys: [],
    group: 'Source control',
    when: inWritableRepository,
    run: (workbench) => workbench.branches.create(),
  },
  {
    id: 'changes.fetch',
    title: 'Fetch',
    icon: 'refresh',
    keys: [],
    group: 'Source control',
    when: canExchange,
    run: (workbench) => exchange(workbench, 'fetch'),
  },
  {
    id: 'changes.pull',
    title: 'Pull',
    icon: 'dl',
    keys: [],
    group: 'Source control',
    when: canExchange,
    run: (workbench) => exchange(workbench, 'pull'),
  },
  {
    id: 'changes.push',
    title: 'Push',
    icon: 'up',
    keys: [],
    group: 'Source control',
    when: canExchange,
    run: (workbench) => exchange(workbench, 'push'),
  },
  {
    id: 'changes.stageAll',
    title: 'Stage all changes',
    icon: 'plus',
    keys: [],
    group: 'Source control',
    when: (workbench) => inWritableRepository(workbench) && workbench.git.sections.value.changes.length > 0,
    run: (workbench) => void workbench.gitActions.stage(workbench.git.sections.value.changes),
  },
  {
    id: 'changes.unstageAll',
    title: 'Unstage all changes',
    icon: 'minus',
    keys: [],
    group: 'Source control',
    when: (workbench) => inWritableRepository(workbench) && workbench.git.sections.value.staged.length > 0,
    run: (workbench) => void workbench.gitActions.unstage(workbench.git.sections.value.staged),
  },
  {
    id: 'changes.stash',
    title: 'Put changes aside…',
    icon: 'down',
    keys: [],
    group: 'Source control',
    when: inWritableRepository,
    run: (workbench) => workbench.branches.askToStash(),
  },
  {
    id: 'changes.stashes',
    title: 'What is put aside…',
    icon: 'files',
    keys: [],
    group: 'Source control',
    when: (workbench) => inWritableRepository(workbench) && (workbench.git.status.value?.stashes ?? 0) > 0,
    run: (workbench) => {
      workbench.git.wantDetails();
      workbench.overlay.value = { name: 'git', dialog: { kind: 'stashes' } };
    },
  },
  {
    id: 'changes.history',
    title: 'Commits of this document',
    icon: 'clock',
    keys: [],
    group: 'Source control',
    when: (workbench) => inDocument(workbench) && inRepository(workbench),
    run: (workbench) => {
      const { value: tab } = workbench.tabs.active;
      if (tab?.kind !== 'document') return;
      void workbench.git.showLogOf(tab.path);
      showView(workbench, 'changes');
    },
  },
  {
    id: 'changes.checkpoint',
    title: 'Keep a checkpoint now…',
    icon: 'clock',
    keys: [],
    group: 'Source control',
    parts: ['checkpoints'],
    when: writable,
    run: (workbench) => workbench.checkpointActions.askToKeep(),
  },
  {
    id: 'changes.newestRun',
    title: 'Newest run: what it did, and the way back',
    icon: 'undo',
    keys: ['Alt R'],
    group: 'Source control',
    parts: ['checkpoints'],
    run: (workbench) => {
      workbench.layout.show('changes');
      workbench.layout.wantsFocus.value = 'newest run';
    },
  },
  {
    id: 'changes.refresh',
    title: 'Ask git again',
    icon: 'refresh',
    keys: [],
    group: 'Source control',
    parts: ['git'],
    run: (workbench) => void workbench.git.refresh(),
  },
];

/** There is something here that it is for. */
export function isOffered({ parts, offered }: Command, workbench: Workbench): boolean {
  return (parts === undefined || workbench.has(...parts)) && offered?.(workbench) !== false;
}

export function canDo(command: Command, workbench: Workbench): boolean {
  return isOffered(command, workbench) && command.when?.(workbench) !== false;
}

/** The panel at the side has its own use for Ctrl Enter: it commits. */
function isInSide(): boolean {
  return document.activeElement?.closest('.side') !== null && document.activeElement !== null;
}

/** One for each program that runs. */
export function stopCommands({ processes, canExecute }: Workbench): Command[] {
  if (!canExecute.value) return [];
  return processes.programs.value.filter(isRunning).map(({ id, title }) => ({
    id: `programs.stop.${id}`,
    title: `Stop ${title}`,
    icon: 'stop',
    keys: [],
    group: 'Programs',
    run: ({ programs }) => void programs.stop(id),
  }));
}

/** Those for each task that is held, and for who may end it. */
export function taskCommands({ tasks, isOwner }: Workbench): Command[] {
  return tasks.held.value.flatMap(({ id, description }): Command[] => {
    const name = taskName({ id, description });
    const common = { icon: 'tasks', keys: [], group: 'Programs' as const };
    const open: Command = {
      ...common,
      id: `tasks.open.${id}`,
      title: `Open the task ${name}`,
      run: (workbench) => workbench.openTask(id, taskTitle({ id, description })),
    };
    if (!isOwner.value) return [open];
    return [
      open,
      {
        ...common,
        id: `tasks.cancel.${id}`,
        title: `Cancel the task ${name}…`,
        run: ({ taskActions }) => taskActions.askToCancel(id, description),
      },
    ];
  });
}

/** Two documents are in sight, or could be. */
export function canStandBeside(workbench: Workbench): boolean {
  const { tabs, phone } = workbench;
  return !phone.value && (tabs.beside.value !== undefined || (inDocument(workbench) && tabs.open.value.length > 1));
}

export function toggleBeside(workbench: Workbench): void {
  const { tabs } = workbench;
  const { value: tab } = tabs.active;
  if (tabs.beside.value !== undefined) tabs.leaveBeside();
  else if (tab?.kind === 'document') tabs.showBeside(tab);
  workbench.focusMain();
}

export function showView({ layout }: Workbench, view: 'files' | 'search' | 'changes' | 'tasks'): void {
  layout.show(view);
  layout.wantsFocus.value = 'side';
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
}

/** With another repository, where its progress can be seen. */
function exchange(workbench: Workbench, action: 'fetch' | 'pull' | 'push'): void {
  workbench.layout.show('changes');
  void workbench.remotes.run(action);
}

export function newEntry(workbench: Workbench, kind: 'file' | 'directory'): void {
  const { layout, tree } = workbench;
  layout.show('files');
  // Of a folder that is not open yet the entries come first.
  layout.wantsFocus.value = 'coming';
  const isWanted = (): boolean => layout.wantsFocus.value === 'coming';
  void tree.beginNew(tree.folderOfFocus, kind, isWanted).finally(() => layout.leave('coming'));
}

/** Who is alone here is followed at once; of several one is chosen. */
function toggleFollow(workbench: Workbench): void {
  const { follow, presence, toasts, overlay } = workbench;
  if (follow.who.value !== undefined) return follow.stop();
  const [first, ...more] = presence.others.value;
  if (first === undefined) toasts.say('Nobody to follow', { text: 'Whoever opens a document here can be followed.' });
  else if (more.length > 0) overlay.value = { name: 'people' };
  else startFollowing(workbench, first.actor);
}

export function startFollowing({ follow, toasts }: Workbench, who: Actor): void {
  follow.start(who);
  toasts.say(`You follow ${who.name}`, { text: 'The page goes where they go. Typing, Esc or going elsewhere ends it.' });
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
