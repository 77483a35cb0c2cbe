import { useSignal } from '@preact/signals';
import { CutPath, FormerPath, NamedPath } from '../named-path.tsx';
import { Icon } from '../shell/icon.tsx';
import { useWorkbench } from '../use-workbench.ts';
import type { Workbench } from '../workbench.ts';
import { type ChangeEntry, changeRows, type SectionName } from './change-sections.ts';
import { sayFiles } from './git-actions.ts';
import { letterNames } from './letters.ts';
import { Section } from './section.tsx';

const titles: Record<SectionName, string> = { conflicts: 'Conflicts', staged: 'Staged', changes: 'Changes' };
/** Rows drawn at once; the rest when asked for. */
const firstRows = 300;

export interface RowAction {
  icon: string;
  /** `Stage`, as in `Stage: models/loan.py`. */
  verb: string;
  keys: readonly string[];
  run: () => void;
}

/** What can be done with some files of a section. */
function actionsFor(workbench: Workbench, name: SectionName, entries: readonly ChangeEntry[]): RowAction[] {
  const { gitActions, readOnly } = workbench;
  const known = entries.filter(({ raw }) => !raw);
  if (readOnly.value || known.length === 0) return [];
  const stage = { icon: 'plus', verb: 'Stage', keys: ['+', '='], run: () => void gitActions.stage(known) };
  if (name === 'staged') return [{ icon: 'minus', verb: 'Unstage', keys: ['-'], run: () => void gitActions.unstage(known) }];
  if (name === 'conflicts') return [{ ...stage, icon: 'check', verb: 'Mark as resolved' }];
  return [{ icon: 'undo', verb: 'Discard', keys: ['Delete'], run: () => void gitActions.discard(known) }, stage];
}

/** Staged, changes or conflicts, with what can be done about each file, each folder and all. */
export function ChangeList({ name, byFolder }: { name: SectionName; byFolder: boolean }) {
  const workbench = useWorkbench();
  const { git } = workbench;
  const { value: sections } = git.sections;
  const most = useSignal(firstRows);
  const entries = sections[name];
  const rows = changeRows(entries, byFolder);
  const all = name === 'conflicts' ? [] : actionsFor(workbench, name, entries);
  return (
    <Section
      title={titles[name]}
      count={entries.length}
      actions={all.map((action) => <ActionButton key={action.verb} action={{ ...action, verb: `${action.verb} all` }} />)}
    >
      <ul class="list" aria-label={titles[name]}>
        {rows
          .slice(0, most.value)
          .map((row) =>
            row.kind === 'folder' ? (
              <FolderRow key={`/${row.path}`} name={name} path={row.path} files={row.files} />
            ) : (
              <ChangeRow key={row.entry.path} name={name} entry={row.entry} inFolder={byFolder} />
            ),
          )}
      </ul>
      {rows.length > most.value && (
        <button type="button" class="btn quiet sm more-rows" data-row onClick={() => (most.value += firstRows)}>
          Show {Math.min(firstRows, rows.length - most.value)} more of {rows.length.toLocaleString('en')}
        </button>
      )}
    </Section>
  );
}

function ActionButton({ action, of }: { action: RowAction; of?: string }) {
  const label = of === undefined ? action.verb : `${action.verb}: ${of}`;
  const [key] = action.keys;
  return (
    <button
      type="button"
      class="ib"
      tabIndex={-1}
      aria-label={label}
      title={key === undefined || of === undefined ? label : `${action.verb} (${key === 'Delete' ? 'Del' : key})`}
      onClick={action.run}
    >
      <Icon name={action.icon} />
    </button>
  );
}

/** Keys of the row that has the focus: what its buttons do. */
function onRowKey(event: KeyboardEvent, actions: readonly RowAction[]): void {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = actions.find(({ keys }) => keys.includes(event.key));
  if (action === undefined) return;
  event.preventDefault();
  action.run();
}

function FolderRow({ name, path, files }: { name: SectionName; path: string; files: readonly ChangeEntry[] }) {
  const workbench = useWorkbench();
  const actions = actionsFor(workbench, name, files);
  const said = path === '' ? 'the top folder' : path;
  return (
    <li class="tr folder" data-testid="change-folder">
      <button
        type="button"
        class="row grow open"
        data-row
        title={said}
        onClick={() => void workbench.tree.reveal(path)}
        onKeyDown={(event) => onRowKey(event, actions)}
      >
        <Icon name="folder" />
        <span class="ell grow faint" dir="auto">
          {path === '' ? 'Top folder' : <CutPath path={path} />}
        </span>
        <span class="xs faint num lines">{files.length}</span>
      </button>
      <span class="acts">
        {actions.map((action) => (
          <ActionButton key={action.verb} action={action} of={`${sayFiles(files)} in ${said}`} />
        ))}
      </span>
    </li>
  );
}

function CameFrom({ from, path }: { from: string; path: string }) {
  return (
    <>
      <span class="faint sm">from</span> <FormerPath from={from} path={path} />
    </>
  );
}

function ChangeRow({ name, entry, inFolder }: { name: SectionName; entry: ChangeEntry; inFolder: boolean }) {
  const workbench = useWorkbench();
  const { git, tabs } = workbench;
  const { letter, from, raw } = entry;
  const path = entry.path.replace(/\/$/, '');
  const lines = (name === 'staged' ? git.stagedCounts : git.counts).value.get(path);
  const { value: tab } = tabs.active;
  const against = name === 'staged' ? 'staged' : 'index';
  const active =
    (tab?.kind === 'diff' && tab.path === path && tab.against === against && name !== 'conflicts') ||
    (tab?.kind === 'conflict' && tab.path === path && name === 'conflicts');
  const actions = actionsFor(workbench, name, [entry]);
  const open = (): void => {
    if (raw) return void workbench.toasts.say('Its name is not UTF-8', { text: 'So it can’t be opened or staged from here.' });
    if (name === 'conflicts') workbench.openConflict(path);
    else workbench.openDiff(path, from, against);
  };
  return (
    <li class={`tr${active ? ' on' : ''}${inFolder ? ' in' : ''}`} data-testid="change" data-path={path} data-section={name}>
      <button
        type="button"
        class="row grow open"
        data-row
        title={from === undefined ? path : `${path}, was ${from}`}
        aria-current={active ? 'true' : undefined}
        onClick={open}
        onKeyDown={(event) => onRowKey(event, actions)}
      >
        <span class="ell grow">
          <NamedPath path={path} beside={from !== undefined ? <CameFrom from={from} path={path} /> : inFolder ? false : undefined} />
        </span>
        {lines !== undefined && (
          <span class="xs num lines">
            <span class="pl">+{lines.added}</span> <span class="mi">−{lines.removed}</span>
          </span>
        )}
        <span class={`st ${letter}`} role="img" aria-label={letterNames[letter]}>
          {letter}
        </span>
      </button>
      <span class="acts">
        {actions.map((action) => (
          <ActionButton key={action.verb} action={action} of={path} />
        ))}
      </span>
    </li>
  );
}
