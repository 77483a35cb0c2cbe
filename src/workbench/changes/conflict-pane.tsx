import { useSignal } from '@preact/signals';
import { useRef } from 'preact/hooks';
import { errorFacts } from '../client-port.ts';
import { nameOf } from '../file-paths.ts';
import { NamedPath } from '../named-path.tsx';
import { Icon } from '../shell/icon.tsx';
import { useKeptFocus } from '../use-kept-focus.ts';
import { useLoaded } from '../use-loaded.ts';
import { shownName } from '../shown-name.ts';
import { useWorkbench } from '../use-workbench.ts';
import { count } from '../words.ts';
import {
  type Conflict,
  type ConflictChoice,
  type ConflictPart,
  conflictParts,
  type PlaceEdit,
  placeEdits,
  resolvedLines,
} from './conflict-text.ts';
import type { ChangeEntry } from './change-sections.ts';

const choices: readonly { choice: ConflictChoice; label: string; key: string }[] = [
  { choice: 'ours', label: 'Take ours', key: '1' },
  { choice: 'theirs', label: 'Take theirs', key: '2' },
  { choice: 'both', label: 'Take both', key: '3' },
];
/** Of what is agreed, so much is shown around a conflict. */
const around = 3;

/** A file that two lines of work changed: each place with both sides and the ways to settle it. What is chosen is an edit of the file, open editors included. */
export function ConflictPane({ path }: { path: string }) {
  const workbench = useWorkbench();
  const { git, gitActions, readOnly, client } = workbench;
  const known = useSignal<string | undefined>(undefined);
  const box = useRef<HTMLDivElement>(null);
  const entry = git.sections.value.conflicts.find((one) => one.path === path);

  const load = async (signal?: AbortSignal): Promise<void> => {
    try {
      const { text } = await client.call('files.read', { path }, signal === undefined ? {} : { signal });
      if (signal?.aborted !== true) known.value = text;
    } catch (error) {
      if (signal?.aborted !== true) known.value = undefined;
      throw error;
    }
  };
  const problem = useLoaded(load, { change: (change) => change.path === path, git: true }, [path]);

  const parts = known.value === undefined ? [] : conflictParts(known.value);
  const conflicts = parts.filter((part): part is Conflict => part.kind === 'conflict');
  const wasMarked = useRef(false);
  if (conflicts.length > 0) wasMarked.current = true;

  const edit = async (change: PlaceEdit): Promise<boolean> => {
    try {
      await client.call('files.edit', { path, edits: [change] });
      await load();
      return true;
    } catch (error) {
      workbench.toasts.fail('Not taken: the file changed meanwhile. Look at it as it is now', error);
      await load().catch(() => undefined);
      return false;
    }
  };
  const take = async (conflict: Conflict, choice: ConflictChoice): Promise<void> => {
    if (known.value === undefined) return;
    const { take: change, giveBack } = placeEdits(known.value, conflict, resolvedLines(conflict, choice));
    if (!(await edit(change))) return;
    const undo = (): void => void edit(giveBack);
    workbench.toasts.say(`Took ${choice} in line ${conflict.startLine}`, { actions: [{ label: 'Undo', run: undo }] });
    // The next place, or what is left to do.
    requestAnimationFrame(() => box.current?.querySelector<HTMLElement>('[data-place], [data-done]')?.focus());
  };

  const done = entry === undefined;
  const rebasing = git.status.value?.doing === 'rebase';
  const isOneSided = entry !== undefined && entry.conflict !== 'both-modified' && entry.conflict !== 'both-added';
  // No text, or text that git was told not to merge.
  const isWhole = entry !== undefined && !isOneSided && !wasMarked.current && (problem.value !== undefined || known.value !== undefined);
  const isOpen = conflicts.length > 0 || isOneSided || isWhole;
  const kept = useKeptFocus(gitActions.busy.value, [git.status.value, isOpen], '[data-place], [data-done]');
  return (
    <div class="pane" data-testid="conflict" {...kept}>
      <div class="dfh">
        <h2 class="ell">
          <NamedPath path={path} />
        </h2>
        <span class={isOpen ? 'chip warn' : 'chip'} role="status">
          {conflicts.length > 0 ? count(conflicts.length, 'conflict') : done ? 'resolved' : isOpen ? 'in conflict' : 'no marks left'}
        </span>
        <span class="grow" />
        <button type="button" class="btn sm" data-focus aria-label="Edit by hand" onClick={() => workbench.openFile(path)}>
          <Icon name="edit" />
          <span class="hide-m">Edit by hand</span>
        </button>
      </div>
      <div class="scroll conflict-view" ref={box}>
        {problem.value !== undefined && !done && <p class="hint">{whyNot(problem.value)}</p>}
        {isOneSided && !readOnly.value && <OneSided entry={entry} />}
        {isWhole && !readOnly.value && <WholeSide entry={entry} rebasing={rebasing} />}
        {parts.map((part, index) =>
          part.kind === 'same' ? (
            <Agreed key={part.startLine} part={part} first={index === 0} last={index === parts.length - 1} />
          ) : (
            <Place
              key={part.startLine}
              conflict={part}
              number={conflicts.indexOf(part) + 1}
              of={conflicts.length}
              rebasing={rebasing}
              take={readOnly.value ? undefined : (choice) => void take(part, choice)}
            />
          ),
        )}
        {(known.value !== undefined || done) && !isOpen && !readOnly.value && (
          <div class="settled">
            {entry !== undefined ? (
              <>
                <p>Nothing is left to choose in {shownName(nameOf(path))}.</p>
                <button
                  type="button"
                  class="btn pri"
                  data-done
                  disabled={gitActions.busy.value}
                  onClick={() => void gitActions.stage([entry])}
                >
                  Mark as resolved
                </button>
              </>
            ) : (
              git.status.value?.doing !== undefined && (
                <>
                  <p>
                    {git.sections.value.conflicts.length === 0
                      ? 'All files are resolved.'
                      : `${count(git.sections.value.conflicts.length, 'file is', 'files are')} still in conflict.`}
                  </p>
                  <button type="button" class="btn pri" data-done disabled={gitActions.busy.value} onClick={() => void gitActions.goOn()}>
                    Continue
                  </button>
                </>
              )
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** One side deleted what the other changed: there is nothing to mix. */
function OneSided({ entry }: { entry: ChangeEntry }) {
  const { gitActions } = useWorkbench();
  const { conflict } = entry;
  const words: Record<string, string> = {
    'deleted-by-us': 'It was deleted here and changed on the other side.',
    'deleted-by-them': 'It was changed here and deleted on the other side.',
    'added-by-us': 'It is only on this side, by another name on the other.',
    'added-by-them': 'It is only on the other side, by another name here.',
    'both-deleted': 'Both sides deleted it, or gave it other names.',
  };
  return (
    <div class="settled">
      <p>{words[conflict ?? ''] ?? 'The sides don’t agree on whether it is there.'}</p>
      <div class="row">
        {conflict !== 'both-deleted' && (
          <button type="button" class="btn" data-place onClick={() => void gitActions.stage([entry])}>
            Keep the file
          </button>
        )}
        <button
          type="button"
          class="btn"
          data-place
          disabled={gitActions.busy.value}
          onClick={() => void gitActions.removeInConflict(entry)}
        >
          Delete it
        </button>
      </div>
    </div>
  );
}

/** The file as a whole is what one side has, or what somebody made of it. */
function WholeSide({ entry, rebasing }: { entry: ChangeEntry; rebasing: boolean }) {
  const { gitActions } = useWorkbench();
  return (
    <div class="settled">
      <p>Nothing marks where the sides differ. Take the whole file of one, or keep it as it is now.</p>
      <div class="row">
        {(['ours', 'theirs'] as const).map((side) => (
          <button
            key={side}
            type="button"
            class="btn"
            data-place
            disabled={gitActions.busy.value}
            title={sideTitle(side, rebasing)}
            onClick={() => void gitActions.takeSide(entry, side)}
          >
            Take {side}
          </button>
        ))}
        <button type="button" class="btn" disabled={gitActions.busy.value} onClick={() => void gitActions.stage([entry])}>
          Mark as resolved
        </button>
      </div>
    </div>
  );
}

function sideTitle(side: 'ours' | 'theirs', rebasing: boolean): string {
  if (side === 'ours') return rebasing ? 'Ours: what is rebased onto' : 'Ours';
  return rebasing ? 'Theirs: the commit that moves' : 'Theirs';
}

function Agreed({ part, first, last }: { part: Extract<ConflictPart, { kind: 'same' }>; first: boolean; last: boolean }) {
  const open = useSignal(false);
  const { lines, startLine } = part;
  const head = first ? 0 : around;
  const tail = last ? 0 : around;
  if (open.value || lines.length <= head + tail + 1) return <Lines lines={lines} startLine={startLine} />;
  const hidden = lines.length - head - tail;
  return (
    <>
      <Lines lines={lines.slice(0, head)} startLine={startLine} />
      <button type="button" class="folded" onClick={() => (open.value = true)}>
        <span aria-hidden="true">↕</span> {count(hidden, 'line')} that agree
      </button>
      <Lines lines={lines.slice(lines.length - tail)} startLine={startLine + lines.length - tail} />
    </>
  );
}

function Lines({ lines, startLine }: { lines: readonly string[]; startLine: number }) {
  if (lines.length === 0) return null;
  return (
    <pre class="agreed" tabIndex={0} aria-label={`From line ${startLine}`}>
      {lines.map((text, index) => (
        <div key={index} class="cl">
          <span class="num" aria-hidden="true">
            {startLine + index}
          </span>
          {text === '' ? ' ' : text}
        </div>
      ))}
    </pre>
  );
}

interface PlaceProps {
  conflict: Conflict;
  number: number;
  of: number;
  rebasing: boolean;
  take: ((choice: ConflictChoice) => void) | undefined;
}

function Place({ conflict, number, of, rebasing, take }: PlaceProps) {
  const sides = [
    { kind: 'ours', title: sideTitle('ours', rebasing), side: conflict.ours },
    { kind: 'theirs', title: sideTitle('theirs', rebasing), side: conflict.theirs },
  ] as const;
  return (
    <section
      class="place"
      data-testid="place"
      data-place
      tabIndex={-1}
      aria-label={`Conflict ${number} of ${of}, line ${conflict.startLine}`}
      onKeyDown={(event) => {
        const found = choices.find(({ key }) => key === event.key);
        if (found === undefined || take === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        take(found.choice);
      }}
    >
      <div class="row place-h">
        <b class="grow">
          Conflict {number} of {of}
        </b>
        {take !== undefined &&
          choices.map(({ choice, label, key }) => (
            <button key={choice} type="button" class="btn sm" title={`${label} (${key})`} onClick={() => take(choice)}>
              {label}
            </button>
          ))}
      </div>
      <div class="two">
        {sides.map(({ kind, title, side }) => (
          <div key={kind} class={`side-${kind}`}>
            <h3 class="ell" dir="auto">
              {title} <span class="rev">{side.label}</span>
            </h3>
            <pre tabIndex={0} aria-label={title}>
              {side.lines.length === 0 ? (
                <i class="faint">No lines here</i>
              ) : (
                side.lines.map((text, index) => (
                  <div key={index} class="cl">
                    {text === '' ? ' ' : text}
                  </div>
                ))
              )}
            </pre>
          </div>
        ))}
      </div>
    </section>
  );
}

function whyNot(error: unknown): string {
  const { reason, message } = errorFacts(error);
  if (reason === 'FILE_NOT_FOUND') return 'The file is not here now.';
  return reason === 'NOT_TEXT' ? 'It is not text, so it can’t be merged line by line.' : message;
}
