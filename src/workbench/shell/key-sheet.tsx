import { commands, isOffered } from '../commands.ts';
import type { Part } from '../parts.ts';
import { apple, useWorkbench } from '../use-workbench.ts';
import { Dialog } from './dialog.tsx';
import { sayKey } from './keys.ts';

const more: readonly { group: string; parts?: readonly Part[]; rows: readonly [string, readonly string[]][] }[] = [
  {
    group: 'In lists and the tree',
    rows: [
      ['Move', ['↑', '↓', 'Home', 'End']],
      ['Open or close a folder', ['→', '←']],
      ['Open', ['Enter']],
      ['Open beside', ['Ctrl Enter']],
      ['Preview', ['Space']],
      ['New file, new folder', ['A', 'Shift A']],
      ['Rename, delete', ['F2', 'Del']],
      ['Find by its first letters', ['type']],
    ],
  },
  {
    group: 'In source control',
    parts: ['git'],
    rows: [
      ['Stage, unstage', ['+', '-']],
      ['Discard, with a way back', ['Del']],
      ['Take ours, theirs, both', ['1', '2', '3']],
      ['Rename, delete a branch', ['F2', 'Del']],
      ['Merge it, rebase onto it', ['F3', 'F4']],
    ],
  },
  {
    group: 'Everywhere',
    rows: [
      ['Next, previous region', ['F6', 'Shift F6']],
      ['Messages', ['F8']],
      ['Leave; back to the editor', ['Esc']],
      ['Let Tab leave the editor', ['Ctrl M']],
    ],
  },
];

export function KeySheet() {
  return (
    <Dialog label="Keys" class="pop keys" centred titled>
      <div class="scroll" tabIndex={0}>
        <KeyGroups />
      </div>
    </Dialog>
  );
}

/** All keys that do something here, or those that `sought` is said of. */
export function KeyGroups({ sought = '' }: { sought?: string }) {
  const workbench = useWorkbench();
  const wanted = sought.trim().toLowerCase();
  const ofCommands = [...new Set(commands.map(({ group }) => group))].map((group) => ({
    group,
    rows: commands
      .filter((command) => command.group === group && command.keys.length > 0 && isOffered(command, workbench))
      .map(({ title, keys }) => [title.replace('…', ''), keys] as const),
  }));
  const groups = [...ofCommands, ...more.filter(({ parts }) => parts === undefined || workbench.has(...parts))]
    .map(({ group, rows }) => ({
      group,
      rows: rows.filter(([title, keys]) => [title, ...keys].some((text) => text.toLowerCase().includes(wanted))),
    }))
    .filter(({ rows }) => rows.length > 0);
  if (groups.length === 0) return <p class="hint">No key does “{sought.trim()}”.</p>;
  return (
    <div class="key-groups">
      {groups.map(({ group, rows }) => (
        <section key={group}>
          <h3>{group}</h3>
          <dl>
            {rows.map(([title, keys]) => (
              <div key={title}>
                <dt>{title}</dt>
                <dd>
                  {keys.map((key) => (
                    <span key={key} class="kbd">
                      {sayKey(key, apple)}
                    </span>
                  ))}
                </dd>
              </div>
            ))}
          </dl>
        </section>
      ))}
    </div>
  );
}
